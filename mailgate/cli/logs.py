"""The log: one line of logfmt an event, on stderr. No text of a message is ever in it."""

import contextlib
import logging
import re
import sys
import time
from typing import TextIO, cast

import structlog
from structlog.processors import LogfmtRenderer
from structlog.typing import EventDict, Processor, WrappedLogger


class _Stderr:
    """Whatever stderr is now. A full disk behind it or a reader that has gone must not refuse a mail."""

    def write(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


class _Line:
    """Time, level, event, then the rest. Under load a mail has one line: what needs no quotes goes a short way."""

    _ODD = re.compile(r"""[\s"=\\]""")
    _ODD_EVENT = re.compile(r"""[^\S ]|["=\\]""")

    def __init__(self) -> None:
        self._render = LogfmtRenderer(key_order=["timestamp", "level", "event"])
        self._second = (0, "")

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        event["timestamp"] = self._now()
        return self._plain(**event) or str(self._render(logger, method, event))

    def _plain(self, timestamp: str, level: str, event: str, **values: object) -> str:
        """Nothing when something needs quotes or has a form of its own."""
        quote = '"' if " " in event else ""
        if self._ODD_EVENT.search(event):
            return ""
        line = f"timestamp={timestamp} level={level} event={quote}{event}{quote}"
        for key, value in values.items():
            if type(value) is int or (type(value) is str and not self._ODD.search(value)):
                line += f" {key}={value}"
            else:
                return ""
        return line

    def _now(self) -> str:
        """RFC 3339 in UTC; the date is made once a second."""
        at = time.time()
        second, shown = self._second
        if second != int(at):
            second = int(at)
            shown = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second, shown
        return f"{shown}.{int((at - second) * 1_000_000):06}Z"


# One list for ever: loggers that are in use keep it, and structlog.testing exchanges what is in it.
PROCESSORS: list[Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.format_exc_info,
    _Line(),
]


def to_stderr() -> None:
    structlog.configure(
        processors=PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="level=%(levelname)s event=%(message)s"
    )
