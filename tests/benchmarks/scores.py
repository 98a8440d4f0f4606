"""How many of the public mails are read as their authors meant: `python tests/benchmarks/scores.py [--misses]`.

The exit code is 1 when a kind scores less than is wanted of it, 2 when the mails are not beside the repository.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parent.parent))

import corpus


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--misses", action="store_true", help="name the files, too")
    chosen = arguments.parse_args()
    if not corpus.CORPUS.is_dir():
        print(f"no mails at {corpus.CORPUS}", file=sys.stderr)
        raise SystemExit(2)
    totals, misses = corpus.totals(), corpus.missed()
    counted = Counter(row.kind for row in misses)
    short = [kind for kind, want in corpus.WANTED.items() if totals[kind] - counted[kind] < want]
    print(f"{'kind':16}{'right':>8}{'of':>6}{'wanted':>9}")
    for kind, want in corpus.WANTED.items():
        print(f"{kind:16}{totals[kind] - counted[kind]:>8}{totals[kind]:>6}{want:>9}")
    if chosen.misses:
        print(*(f"{row.kind}: {row.file}" for row in misses), sep="\n")
    raise SystemExit(1 if short else 0)


if __name__ == "__main__":
    main()
