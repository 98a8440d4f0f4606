"""Public mails, where they are at hand: nothing raises, nothing is slow, and scores do not fall."""

import time
from collections import Counter

import corpus
import pytest

from mailgate import body, guard
from mailgate.errors import MailTooLarge
from mailgate.mail import parse

pytestmark = pytest.mark.skipif(
    not corpus.CORPUS.is_dir(), reason="the mail corpus is not beside the repository"
)


def test_no_file_raises_or_is_slow() -> None:
    for path in corpus.CORPUS.rglob("*"):
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


def test_no_robot_becomes_a_text_and_nobody_is_lost() -> None:
    wrong = {row.file for row in corpus.missed() if row.kind in {"robot", "person"}}
    assert wrong == corpus.DISPUTED


def test_scores_do_not_fall() -> None:
    misses, totals = Counter(row.kind for row in corpus.missed()), corpus.totals()
    reached = {kind: totals[kind] - misses[kind] for kind in totals}
    assert reached.keys() == corpus.WANTED.keys()
    assert {kind: reached[kind] for kind, want in corpus.WANTED.items() if reached[kind] < want} == {}
