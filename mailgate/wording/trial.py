"""Templates of an account are tried before they are kept: at facts of every kind, as their notices will have them."""

from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError

from mailgate import wording

_LONGEST = 20_000  # characters of a template
_NUMBER, _OTHER = "+44 7700 900123", "+44 7700 900124"
_OF_MAIL = {"text": "Dinner at eight?\n<b>Bring wine</b> & bread", "attachments": ["menu.pdf"], "author": ""}
_FROM_MACHINE = {**_OF_MAIL, "author": "nagios@acme.example", "attachments": []}
_RECEIPT: dict[str, Any] = {
    "to": _NUMBER,
    "state": "UNDELIVERED",
    "before": "",
    "reason": "",
    "words": "absent subscriber",
    "advice": "UNDELIVERED",
    **_OF_MAIL,
}
_ROW = {"to": _NUMBER, "state": "DELIVERED", "words": ""}
_DIGEST: dict[str, Any] = {"width": 15, "delivered": 1, "again": False, "waits": False, **_OF_MAIL}
_PREVIEW: dict[str, Any] = {
    "parts": ["Dinner at eight? ☺"],
    "size": "1 segment (UCS-2), 0.05 GBP in all.",
    "prices": [{"to": _NUMBER, "price": "0.05"}],
    "currency": "GBP",
    "costly": "ucs2",
    "characters": [{"character": "☺", "name": "WHITE SMILING FACE", "times": "once", "instead": ""}],
    "more": 2,
    "fewer": "1 segment",
    "removed": [{"why": "signature", "text": "Ada Smith\nSales"}],
    "left_out": [{"to": _OTHER, "why": "opted out"}],
    "attachments": ["menu.pdf"],
}
_LINES = [
    {"what": "Balance before 2026-04", "counted": "", "amount": "100.00"},
    {"what": "Texts to GB", "counted": "3 texts, 4 segments", "amount": "0.15"},
]

# (kind, facts): what each template gets; every name, and each of its sides where a template may ask for it
SAMPLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("receipt", _RECEIPT),
    ("receipt", {**_RECEIPT, "state": "DELIVERED", "words": "", "advice": "", "before": "UNKNOWN"}),
    ("receipt", {**_RECEIPT, "state": "FAILED", "reason": "opted_out", **_FROM_MACHINE}),
    ("delay", {"to": _NUMBER, "state": "SUBMITTED", "until": "2026-03-03 10:00 GMT", **_OF_MAIL}),
    ("delay", {"to": _NUMBER, "state": "QUEUED", "until": "2026-03-03 10:00 GMT", **_FROM_MACHINE}),
    ("digest", {**_DIGEST, "rows": [_ROW, {"to": _OTHER, "state": "FAILED", "words": "no such subscriber"}]}),
    ("digest", {**_DIGEST, "rows": [{**_ROW, "state": "waiting"}], "waits": True, "again": True}),
    ("reply", {"from": _NUMBER, "said": "Yes ☺", "opted_out": None, "guessed": "", "text": "Dinner?"}),
    ("reply", {"from": _NUMBER, "said": "STOP", "opted_out": True, "guessed": _OTHER, "text": ""}),
    (
        "gathered",
        {"answers": [{"at": "2026-03-01 10:00 GMT", "text": "I am driving"}], "more": 3, "most": 30},
    ),
    ("remark", {"left_out": [{"to": _OTHER, "why": "opted out"}], "attachments": [], "author": ""}),
    ("remark", {"left_out": [], "attachments": ["menu.pdf"], "author": "nagios@acme.example"}),
    ("preview", _PREVIEW),
    ("preview", {**_PREVIEW, "parts": ["one", "two"], "characters": [], "fewer": "", "removed": []}),
    ("alarm", {"about": "credit", "words": "The account acme has 9.95 GBP left.\n\nTop it up."}),
    ("statement", {"title": "Account acme, 2026-04, in GBP", "lines": _LINES}),
    ("refusal", {"why": "the text is too long", "code": "too_long", "to": _NUMBER}),
)


def check(own: Mapping[str, str]) -> None:
    """Raises ValueError: which template, where, and what is wrong with it."""
    speech = wording.Speech("en", own)
    for name, source in own.items():
        _look(speech, name, source)
    for kind, facts in SAMPLES:
        _try(speech, kind, facts)


def _look(speech: wording.Speech, name: str, source: str) -> None:
    """At one by itself."""
    if name not in wording.NAMES:
        raise ValueError(f"{name!r} is not a template; known: {', '.join(sorted(wording.NAMES))}")
    if len(source) > _LONGEST:
        raise ValueError(f"{name}: at most {_LONGEST} characters")
    try:
        strange = speech.strange_blocks(name)
    except TemplateError as error:
        raise ValueError(_words(name, error)) from None
    if strange:
        raise ValueError(f"{name}: the standard template has no block {', '.join(sorted(strange))}")


def _try(speech: wording.Speech, kind: str, facts: Mapping[str, Any]) -> None:
    """As its notices will be."""
    try:
        body = speech.tried(kind, facts)
    except TemplateError as error:
        raise ValueError(_words(kind, error)) from None
    except Exception as error:  # noqa: BLE001 - whatever a template of somebody else does
        raise ValueError(f"{kind}: {error or type(error).__name__}") from None
    if not body.text.strip():
        raise ValueError(f"{kind}.txt: makes no text")


def _words(name: str, error: TemplateError) -> str:
    line = getattr(error, "lineno", None)
    return f"{name}{f', line {line}' if line else ''}: {error.message}"
