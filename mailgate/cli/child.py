"""A process that only takes mail in, as `serve` starts it when smtp.processes is more than 1. No command for people."""

import signal
import sys

import structlog

from mailgate.cli import logs, running
from mailgate.smtp import child

log = structlog.get_logger(__name__)


def main(descriptors: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started this process drains it
    logs.to_stderr()
    try:
        with running.runner() as runner:
            runner.run(child.serve([int(one) for one in descriptors], running.calm_collector))
    except Exception:
        log.exception("this process cannot serve")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
