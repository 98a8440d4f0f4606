"""Recipients that stand in the mail itself, for systems that can write to one address only: `sms@domain`.

As lines of the body, in the manner of Clickatell's SMTP interface (its lines user, password and api_id prove nothing
here and are passed over), or in the subject.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailgate.errors import BadListing

NAME = "sms"  # before the @
_KEYS = frozenset({"to", "from", "text", "ref", "climsgid"})
_PASSED_OVER = frozenset(
    {
        *(
            "user",
            "password",
            "api_id",
            "session_id",
            "reply",
            "callback",
            "deliv_ack",
            "deliv_time",
            "concat",
        ),
        *(
            "max_credits",
            "req_feat",
            "queue",
            "escalate",
            "mo",
            "unicode",
            "msg_type",
            "validity",
            "encoding",
        ),
    }
)
_LINE = re.compile(r"[ \t]*([A-Za-z_]{2,12})[ \t]*:[ \t]?(.*)")
_BETWEEN = re.compile(r"[,;\n]")
_MOST = 2000  # characters of all recipients
_LONGEST = 255  # characters of a reference, as by HTTP, and of a sender ID
_NUMBER = re.compile(r"[+pP]?[\d ()./-]{6,40}(?:\+[\w+.-]+)?")


class Listed(NamedTuple):
    """`to` as typed: numbers, contacts, each perhaps with options behind a +. `text` None: the mail's own."""

    to: tuple[str, ...]
    text: str | None = None
    sender_id: str = ""
    ref: str = ""


def of_body(body: str) -> Listed:
    """Lines `to:`, `from:`, `text:` and `ref:` in any case and order; several `to:` and `text:` add up. A line below
    `text:` that has no key belongs to it, and so does all that follows: a `From:` in there is the author's.
    Raises BadListing.
    """
    values: dict[str, list[str]] = {}
    key, runs_on = "", False
    for line in body.split("\n"):
        found = None if runs_on else _LINE.fullmatch(line)
        name = found[1].lower() if found else ""
        if found and name in _KEYS:
            key = name
            values.setdefault(key, []).append(found[2])
        elif key == "text":
            values[key].append(line)
            runs_on = runs_on or bool(line.strip())
        elif line.strip() and name not in _PASSED_OVER:
            raise BadListing(f"the line {_shown(line)!r} is neither to:, from:, text: nor ref:")
    if "to" not in values or "text" not in values:
        raise BadListing("the mail needs lines to: and text:")
    one = {name: _word(values.get(name, [""])[0]) for name in ("from", "ref", "climsgid")}
    return Listed(
        tuple(_names(",".join(values["to"]))),
        "\n".join(values["text"]).strip("\n"),
        one["from"],
        one["ref"] or one["climsgid"],
    )


def _word(value: str) -> str:
    return " ".join(value.split())[:_LONGEST]


def _shown(line: str) -> str:
    """As records may keep it: what stands behind a name that is not known here may be a password."""
    name, colon, value = line.strip().partition(":")
    return f"{name[:40]}: ..." if colon and value else line.strip()[:40]


def of_subject(subject: str) -> Listed:
    """The whole subject is numbers and names. Raises BadListing."""
    return Listed(tuple(_names(subject)))


def _names(typed: str) -> Iterator[str]:
    if len(typed) > _MOST:
        raise BadListing(f"recipients may have {_MOST} characters; write several mails")
    names = [name for part in _BETWEEN.split(typed) for name in _apart(part.strip()) if name]
    if not names:
        raise BadListing("the mail names no recipient")
    yield from dict.fromkeys(names)


def _apart(part: str) -> list[str]:
    """Blanks are part of a number that is typed with them; between words, or whole numbers, they separate."""
    words = part.split()
    if len(words) > 1 and all(len(re.sub(r"\D", "", word)) >= 7 for word in words):
        return words
    return [part] if _NUMBER.fullmatch(part) else words
