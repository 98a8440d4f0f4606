"""From a mailbox to a phone and back, in one thread: Postfix carries the mail, Dovecot has the mailboxes."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from peers.site import ALICE, BOB, NUMBER, SECOND_NUMBER, Site, answered, plain, rows_with, site, written
from threads import one_thread, threads

PHONE, TO = "+447700900123", "447700900123@sms.localhost"
SHARED = "+447700900800"


def is_receipt(mail: EmailMessage) -> bool:
    return str(mail["From"].addresses[0].username) == "gateway"


def answers(s: Site, user: str) -> list[str]:
    """The first line of each mail that a phone wrote to this user."""
    return [
        plain(mail).splitlines()[0]
        for mail in s.dovecot.mails(user)
        if "+44" in mail["From"].addresses[0].display_name
    ]


def names(mails: list[EmailMessage]) -> dict[str, str]:
    """By id: what a mail is, or how it begins."""
    return {
        str(mail["Message-ID"]).strip("<>"): "receipt" if is_receipt(mail) else plain(mail).splitlines()[0]
        for mail in mails
    }


@pytest.mark.parametrize("dropped", ["", "References"])
def test_four_rounds_are_one_thread(tmp_path: Path, dropped: str) -> None:
    """Also with a mail program that writes In-Reply-To only."""
    with site(tmp_path, rows_with(NUMBER), people=[ALICE]) as s:
        s.send(written(ALICE, TO, "question 0", own="question-0", subject="Tonight"))
        for number in range(4):
            assert s.wait_for_text(PHONE, f"question {number}") == NUMBER
            s.dovecot.wait_for_mails(ALICE, 2 * number + 1)  # the receipt
            s.type(PHONE, NUMBER, f"answer {number}")
            answer = s.wait_for_mail(ALICE, f"answer {number}\n")
            question = answered(answer, ALICE, f"question {number + 1}", own=f"question-{number + 1}")
            del question[dropped]
            s.send(question)
        mails = s.dovecot.wait_for_mails(ALICE, 9)
        assert [text for _, text in s.heard(PHONE)] == [f"question {number}" for number in range(5)]
    assert {str(mail["Subject"]) for mail in mails} == {"Re: Tonight"}
    expected: tuple[Any, ...] = ("question 4", ("receipt",))
    for number in (3, 2, 1, 0):
        expected = (f"question {number}", ("receipt",), (f"answer {number}", expected))
    everything = [*mails, *s.sent]
    assert one_thread(everything).shape(names(everything)) == expected


def test_what_mail_programs_add_is_not_texted(tmp_path: Path) -> None:
    """HTML beside the plain text, a signature, and with "answer all" the phone twice."""
    with site(tmp_path, rows_with(NUMBER), people=[ALICE]) as s:
        s.send(written(ALICE, TO, "Dinner?", own="alice-1", subject="Tonight"))
        s.wait_for_text(PHONE, "Dinner?")
        s.type(PHONE, NUMBER, "Ærlig talt ☺")
        answer = s.wait_for_mail(ALICE, "Ærlig talt ☺\n")
        mail = answered(answer, ALICE, "So be it.\n\n-- \nAlice\nAcme Ltd", own="alice-2", Cc=TO)
        quoted = f'<div class="gmail_quote">Somebody wrote:<blockquote>{plain(answer)}</blockquote></div>'
        mail.add_alternative(f"<p>So be it.</p><div>-- <br>Alice<br>Acme Ltd</div>{quoted}", subtype="html")
        s.send(mail)
        s.wait_for_text(PHONE, "So be it.")
        s.until_quiet()
        assert s.heard(PHONE) == [(NUMBER, "Dinner?"), (NUMBER, "So be it.")]


def test_a_colleague_in_copy_takes_over(tmp_path: Path) -> None:
    """He answers all: the author and, copied, the address for answers to the phone."""
    with site(tmp_path, rows_with(NUMBER), people=[ALICE, BOB]) as s:
        s.send(written(ALICE, TO, "Dinner?", own="alice-1", subject="Tonight", Cc=BOB))
        s.wait_for_text(PHONE, "Dinner?")
        s.type(PHONE, NUMBER, "With whom?")
        answer = s.wait_for_mail(ALICE, "With whom?\n")
        s.send(answered(answer, ALICE, "With Bob.", own="alice-2", Cc=BOB))
        copied = s.wait_for_mail(BOB, "With Bob.\n")
        s.send(answered(copied, BOB, "It is me.", own="bob-1", to=ALICE, Cc=str(answer["Reply-To"])))
        assert s.wait_for_text(PHONE, "It is me.") == NUMBER
        s.type(PHONE, NUMBER, "Then yes.")
        s.wait_for_mail(BOB, "Then yes.\n")
        s.until_quiet()
        assert (answers(s, ALICE), answers(s, BOB)) == (["With whom?"], ["Then yes."])
        for who in (ALICE, BOB):
            one_thread([*s.dovecot.mails(who), *sent_by(s, who)])


def sent_by(s: Site, who: str) -> list[EmailMessage]:
    return [mail for mail in s.sent if mail["From"] == who]


def test_two_colleagues_get_their_own_answers(tmp_path: Path) -> None:
    """Also when a mail program once answers the author instead of the Reply-To."""
    with site(tmp_path, rows_with(NUMBER, SECOND_NUMBER), people=[ALICE, BOB]) as s:
        used = {}
        for who in (ALICE, BOB):
            s.send(written(who, TO, f"{who} asks", own=f"{who[:3]}-1", subject=f"Of {who}"))
            used[who] = s.wait_for_text(PHONE, f"{who} asks")
        assert sorted(used.values()) == [NUMBER, SECOND_NUMBER]
        for number in (1, 2, 3):
            for who in (BOB, ALICE):
                s.type(PHONE, used[who], f"{number}, {who}")
            for who in (ALICE, BOB):
                answer = s.wait_for_mail(who, f"{number}, {who}\n")
                new = f"{who} hears {number}"
                to = str(answer["From" if number == 2 else "Reply-To"])
                s.send(answered(answer, who, new, own=f"{who[:3]}-{number + 1}", to=to))
                assert s.wait_for_text(PHONE, new) == used[who]
        s.until_quiet()
        for who in (ALICE, BOB):
            assert answers(s, who) == [f"{number}, {who}" for number in (1, 2, 3)]
            mails = [*s.dovecot.mails(who), *sent_by(s, who)]
            assert len(mails) == 11  # four texts, each with a receipt, and three answers
            one_thread(mails)
            assert {str(mail["Subject"]).removeprefix("Re: ") for mail in mails} == {f"Of {who}"}


def of_number() -> tuple[dict[str, Any], str, str]:
    """Rows, the number that the phone writes to, and what it begins with."""
    given = rows_with()
    return (
        {**given, "number": [{"msisdn": NUMBER, "account": "acme", "forward_to": [f"mailto:{ALICE}"]}]},
        NUMBER,
        "is",
    )


def of_keyword() -> tuple[dict[str, Any], str, str]:
    given = rows_with(NUMBER)
    word = {"number": SHARED, "word": "TAXI", "account": "acme", "forward_to": [f"mailto:{ALICE}"]}
    number = [*given["number"], {"msisdn": SHARED, "shared": True}]
    return {**given, "number": number, "keyword": [word]}, SHARED, "taxi"


@pytest.mark.parametrize("begun", [of_number, of_keyword])
def test_a_conversation_that_a_phone_begins(tmp_path: Path, begun: Any) -> None:
    given, number, word = begun()
    with site(tmp_path, given, people=[ALICE, BOB]) as s:
        s.type(PHONE, number, f"{word} somebody there?")
        s.wait_for_mail(ALICE, f"{word} somebody there?\n")
        s.type(PHONE, number, f"{word} hello?")
        first = s.wait_for_mail(ALICE, f"{word} hello?\n")
        s.send(answered(first, ALICE, "Yes.", own="yes"))
        assert s.wait_for_text(PHONE, "Yes.") == number
        s.type(PHONE, number, "At last.")
        second = s.wait_for_mail(ALICE, "At last.\n")
        s.send(answered(second, ALICE, "Sorry.", own="sorry"))
        assert s.wait_for_text(PHONE, "Sorry.") == number
        s.until_quiet()
        mails = [*s.dovecot.mails(ALICE), *s.sent]
        assert len(mails) == 7
        assert {str(mail["Subject"]) for mail in mails} == {"Re: SMS +44 7700 900123"}
        one_thread(mails)
        assert s.dovecot.mails(BOB) == []


def test_two_phones_are_two_threads(tmp_path: Path) -> None:
    given, number, _ = of_number()
    with site(tmp_path, given, people=[ALICE]) as s:
        for phone in (PHONE, "+447700900124"):
            for text in ("one", "two"):
                s.type(phone, number, f"{text} of {phone}")
                s.wait_for_mail(ALICE, f"{text} of {phone}\n")
        for by_subject in (False, True):
            found = threads(s.dovecot.mails(ALICE), by_subject=by_subject)
            assert [len(list(thread.mails())) for thread in found] == [2, 2]
