"""Public mails, where they are at hand: nothing raises, nothing is slow, and scores do not fall."""

import re
import time
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from mailgate import body, guard
from mailgate.errors import MailTooLarge
from mailgate.mail import Mail, parse

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the mail corpus is not beside the repository")

# The one row called not_bounce is a bounce to anyone but the parser that it once broke: null return path and
# `Auto-Submitted: auto-replied` (RFC 3834, section 5). It is refused on purpose.
DISPUTED = {"sisimai_bounces/maildir/not/rb-issue-368-bug.eml"}
MINIMUM = {
    "subject": 26,
    "from_addr": 22,
    "body_text": 33,
    "body_html": 1,
    "reply_text": 37,
    "reply_text_ws": 4,
    "first_fragment": 22,
    "must_include": 2,
    "must_exclude": 3,
    "signature": 1,
}
ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}


@cache
def rows() -> list[tuple[str, str, str]]:
    lines = (CORPUS / "expected.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [
        (file, kind, unescape(expected)) for file, kind, expected, *_ in (row.split("\t") for row in lines)
    ]


def unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), text)


def read(file: str) -> Mail:
    return parse((CORPUS / file).read_bytes())


def packed(text: str) -> str:
    return "".join(text.replace("\x00", "").split())


def lined(text: str) -> str:
    """Lines as they are, but for trailing blanks and more than one empty line."""
    return re.sub(r"\n{2,}", "\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()


def agrees(kind: str, mail: Mail, expected: str) -> bool:
    text = body.text(mail, text_from="auto" if expected.strip() else "body").text
    return {
        "subject": mail.subject == expected,
        "from_addr": mail.from_[:1] == (expected,),
        "body_text": packed(text) == packed(expected),
        "body_html": packed(text) in packed(re.sub(r"<[^>]*>", "", expected)),
        "reply_text": lined(text) == lined(expected),
        "reply_text_ws": packed(text) == packed(expected),
        "first_fragment": packed(expected) in packed(text) and len(packed(text)) < len(packed(expected)) + 60,
        "must_include": expected in text,
        "must_exclude": expected not in text,
        "signature": not expected or expected not in text,
    }[kind]


def test_no_file_raises_or_is_slow() -> None:
    for path in CORPUS.rglob("*"):
        if path.is_dir():
            continue
        raw = path.read_bytes()
        start = time.perf_counter()
        try:
            mail = parse(raw)
        except MailTooLarge:
            continue
        guard.verdict(mail, envelope_from="a@b.example")
        body.text(mail)
        assert time.perf_counter() - start < 0.25, path


def test_robots_are_refused() -> None:
    missed = [
        file
        for file, kind, label in rows()
        if kind == "class" and label != "not_bounce" and not refused(read(file))
    ]
    assert missed == []


def refused(mail: Mail) -> bool:
    return guard.verdict(mail, envelope_from=mail.from_[0] if mail.from_ else "a@b.example") is not None


def test_people_are_not_refused() -> None:
    wrong = [
        file
        for file, kind, label in rows()
        if (kind != "class" or label == "not_bounce") and refused(read(file))
    ]
    assert set(wrong) <= DISPUTED


def test_scores_do_not_fall() -> None:
    reached = Counter(
        kind for file, kind, want in rows() if kind != "class" and agrees(kind, read(file), want)
    )
    assert {kind: reached[kind] for kind in MINIMUM if reached[kind] < MINIMUM[kind]} == {}
