"""`make bench`: what mailgate does in a second, beside peers in the same run. Nothing about speed is asserted.

All take turns, in alternating order, so that a change of the machine's speed meets all of them; the medians and the
ratios within a round are what counts. Every figure is checked by counting what is in the database or has arrived;
the exit code is 1 when a count is wrong or a server died.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parent.parent))
sys.path.insert(2, str(Path(__file__).parent.parent / "peers"))

import report
from load import SOURCE, Broken
from suite import GROUPS, Group, Size, Stage

WARM = 200


def main() -> None:
    chosen = _arguments()
    if not shutil.which(SOURCE):
        raise SystemExit(f"{SOURCE} is missing: make test-deps installs Postfix, which brings it")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers end with us
    size = Size(chosen.mails, chosen.memory, chosen.pipes, chosen.old)
    began = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="mailgate-bench-") as folder,
            Stage(Path(folder), size) as stage,
        ):
            groups = [group for name in chosen.only for group in GROUPS[name](stage, size)]
            _take_turns([group for group in groups if group.repeated and not group.least], chosen.rounds)
            thorough = [group for group in groups if group.least]
            _take_turns(thorough, max([chosen.rounds, *[group.least for group in thorough]]))
            _once([group for group in groups if not group.repeated])
    except (Broken, OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"no figures: {error}") from None
    print(report.table(groups))
    print(f"{chosen.mails} mails, {chosen.rounds} rounds, {time.monotonic() - began:.0f} s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--mails", type=int, default=3000, help="a turn; slow ones take a part (default 3000)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    parser.add_argument("--only", type=_names, default=list(GROUPS), help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--memory", type=int, default=100_000, help="mails until memory is read again")
    parser.add_argument("--old", type=int, default=5_000_000, help="messages in tables that are not empty")
    parser.add_argument("--pipes", type=int, default=10, help="pipes of the Postfix in front of Kannel")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(GROUPS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(GROUPS)}")
    return names


def _take_turns(groups: list[Group], rounds: int) -> None:
    measures = [measure for group in groups for measure in group.measures]
    for measure in measures:
        measure.turn(min(WARM, measure.mails))
    for number in range(rounds if measures else 0):
        _progress(f"round {number + 1} of {rounds}")
        for measure in measures if number % 2 == 0 else reversed(measures):
            measure.values.append(measure.turn(measure.mails))


def _once(groups: list[Group]) -> None:
    for group in groups:
        _progress(group.title)
        for measure in group.measures:
            measure.values.append(measure.turn(measure.mails))


def _progress(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
