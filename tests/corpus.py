"""The public mails beside the repository, with what each must become: how a reading of them is scored."""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mailgate import body, guard
from mailgate.mail import Mail, parse

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
# The one row called not_bounce is a bounce to anyone but the parser that it once broke: null return path and
# `Auto-Submitted: auto-replied` (RFC 3834, section 5). It is refused on purpose.
DISPUTED = frozenset({"sisimai_bounces/maildir/not/rb-issue-368-bug.eml"})
# At least so many of a kind. A signature that belongs to the text (a closing and a name) stays, so that kind has none.
WANTED = {
    "subject": 26,
    "from_addr": 22,
    "body_text": 37,
    "body_html": 1,
    "reply_text": 41,
    "reply_text_ws": 4,
    "first_fragment": 22,
    "must_include": 2,
    "must_exclude": 5,
    "signature": 0,
    "robot": 308,
    "person": 119,
}
MOST_BEYOND = 120  # characters that a first fragment may have more
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}


class Row(NamedTuple):
    file: str
    kind: str  # as expected.tsv has it; `class` is `robot` or `person`
    expected: str


@cache
def rows() -> list[Row]:
    lines = (CORPUS / "expected.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [_row(*line.split("\t")[:3]) for line in lines]


def _row(file: str, kind: str, expected: str) -> Row:
    if kind == "class":
        kind = "person" if expected == "not_bounce" else "robot"
    return Row(file, kind, re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), expected))


def read(file: str) -> Mail:
    return parse((CORPUS / file).read_bytes())


def refused(mail: Mail) -> bool:
    return guard.verdict(mail, envelope_from=mail.from_[0] if mail.from_ else "a@b.example") is not None


def packed(text: str) -> str:
    return "".join(text.replace("\x00", "").split())


def lined(text: str) -> str:
    """Lines as they are, but for trailing blanks and more than one empty line."""
    return re.sub(r"\n{2,}", "\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()


def agrees(row: Row) -> bool:
    mail = read(row.file)
    if row.kind in {"robot", "person"}:
        return refused(mail) == (row.kind == "robot")
    return _agrees(row, mail, body.text(mail, text_from="auto" if row.expected.strip() else "body"))


def _agrees(row: Row, mail: Mail, found: body.Text) -> bool:
    text, want = found.text, row.expected
    whole = packed(body.text(mail, text_from="body", monitoring=True).text)  # of whom nothing is cut
    return {
        "subject": mail.subject == want,
        "from_addr": mail.from_[:1] == (want,),
        "body_text": packed(want) in whole,
        "body_html": packed(text) in packed(re.sub(r"<[^>]*>", "", want)),
        "reply_text": lined(text) == lined(want),
        "reply_text_ws": packed(text) == packed(want),
        "first_fragment": packed(want) in packed(text) and len(text) <= len(want) + MOST_BEYOND,
        "must_include": want in text,
        "must_exclude": want not in text,
        "signature": not want or want not in text,
    }[row.kind]


def missed() -> list[Row]:
    """Also counted: mails of people, of whatever kind their row is, that would be refused as a robot's."""
    labelled = [row for row in rows() if not agrees(row)]
    others = {row.file for row in rows() if row.kind not in {"robot", "person"}}
    lost = [Row(file, "person", "") for file in sorted(others) if refused(read(file))]
    return labelled + lost


def totals() -> Counter[str]:
    others = {row.file for row in rows() if row.kind not in {"robot", "person"}}
    return Counter(row.kind for row in rows()) + Counter(person=len(others))
