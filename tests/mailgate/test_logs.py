"""The log line: the short way must say what the library says."""

import io

import pytest
import structlog

from mailgate.cli import logs

EVENTS = {
    "plain": ("mail accepted", {"submission": "s0123", "recipients": 2, "peer": "192.0.2.1"}),
    "one word": ("stopped", {"why": ""}),
    "blanks": ("mail refused", {"why": "there is nothing to text"}),
    "quotes": ('said "no"', {"why": 'a "b" c'}),
    "line ends": ("two\nlines", {"why": "a\nb\r\nc"}),
    "backslash": ("a \\ b", {"why": "c:\\d e"}),
    "equals": ("a=b", {"mail_from": "a=b@example.com"}),
    "others": ("x", {"none": None, "yes": True, "no": False, "half": 0.5, "list": ["a", "b"]}),
}


@pytest.mark.parametrize("name", EVENTS)
def test_a_line_is_logfmt_on_the_short_way_too(name):
    event, values = EVENTS[name]
    written = io.StringIO()
    structlog.wrap_logger(structlog.WriteLogger(written), logs.PROCESSORS).warning(event, **values)
    stamp, _, rest = written.getvalue().partition(" ")
    assert stamp.startswith("timestamp=20")
    assert stamp.endswith("Z")
    library = structlog.processors.LogfmtRenderer(key_order=["level", "event"])
    assert rest == library(None, "", {"level": "warning", "event": event, **values}) + "\n"
