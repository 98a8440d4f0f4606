"""The threading that journeys are judged by: examples of its own."""

from email.message import EmailMessage
from itertools import permutations
from typing import Any

import pytest
from threads import one_thread, threads


def mail(own: str, refers: str = "", *, answers: str = "", subject: str = "") -> EmailMessage:
    made = EmailMessage()
    if own:
        made["Message-ID"] = f"<{own}>"
    if refers:
        made["References"] = " ".join(f"<{one}>" for one in refers.split())
    if answers:
        made["In-Reply-To"] = answers
    made["Subject"] = subject
    return made


def shapes(*mails: EmailMessage, by_subject: bool = False) -> list[tuple[Any, ...]]:
    return [node.shape() for node in threads(mails, by_subject=by_subject)]


def test_a_chain_is_one_thread_in_whatever_order_it_comes() -> None:
    chain = [mail("a"), mail("b", "a"), mail("c", "a b"), mail("d", "a b c")]
    for order in permutations(chain):
        assert one_thread(order).shape() == ("a", ("b", ("c", ("d",))))


@pytest.mark.parametrize(
    ("mails", "expected"),
    [
        ([mail("a"), mail("b", "a"), mail("c", "a")], [("a", ("b",), ("c",))]),
        ([mail("a"), mail("b")], [("a",), ("b",)]),
        ([mail("a"), mail("b", answers="your mail <a> of Monday")], [("a", ("b",))]),
        ([mail("a"), mail("x"), mail("b", "a", answers="<x>")], [("a", ("b",)), ("x",)]),
        ([mail("a"), mail("c", "a b")], [("a", ("c",))]),  # b never came
        ([mail("c", "b")], [("c",)]),
        ([mail("c", "r"), mail("d", "r")], [("", ("c",), ("d",))]),  # what answers the same unseen mail
        ([mail("d", "r x"), mail("e", "r x"), mail("c", "r")], [("", ("d",), ("e",), ("c",))]),
        ([mail("a", "b"), mail("b", "a")], [("b", ("a",))]),  # a circle is cut
        ([mail("a", "a")], [("a",)]),
        ([mail("a"), mail("a")], [("a",), ("a again 1",)]),
        ([mail(""), mail("")], [("without id 0",), ("without id 1",)]),
        ([mail("d", "a b c"), mail("c", "a"), mail("b", "a")], [("", ("c", ("d",)), ("b",))]),
    ],
)
def test_by_ids(mails: list[EmailMessage], expected: list[tuple[Any, ...]]) -> None:
    assert shapes(*mails) == expected


@pytest.mark.parametrize(
    ("mails", "expected"),
    [
        ([mail("a", subject="Hi"), mail("b", subject="Re: Hi")], [("a", ("b",))]),
        ([mail("b", subject="RE: re[2]: Hi"), mail("a", subject="Hi")], [("a", ("b",))]),
        ([mail("a", subject="Hi"), mail("b", subject="Hi")], [("", ("a",), ("b",))]),
        (
            [mail("a", subject="Hi"), mail("b", subject="Hi"), mail("c", subject="Hi")],
            [("", ("a",), ("b",), ("c",))],
        ),
        ([mail("a", subject="Hi"), mail("b", subject="Ho")], [("a",), ("b",)]),
        ([mail("a"), mail("b")], [("a",), ("b",)]),
        (
            [mail("b", "r", subject="Re: Hi"), mail("c", "r"), mail("d", subject="Re: Hi")],
            [("", ("b",), ("c",), ("d",))],
        ),
        (
            [
                *(mail("b", "r", subject="Hi"), mail("c", "r", subject="Hi")),
                *(mail("d", "s", subject="Hi"), mail("e", "s", subject="Hi")),
            ],
            [("", ("b",), ("c",), ("d",), ("e",))],
        ),
    ],
)
def test_by_subject_too(mails: list[EmailMessage], expected: list[tuple[Any, ...]]) -> None:
    assert shapes(*mails, by_subject=True) == expected
    assert len(shapes(*mails)) >= len(expected)


def test_what_is_two_threads_is_said() -> None:
    with pytest.raises(AssertionError, match="'a'"):
        one_thread([mail("a", subject="Hi"), mail("b", subject="Re: Hi")])
