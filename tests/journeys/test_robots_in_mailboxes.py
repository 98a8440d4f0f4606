"""Mailboxes that answer by themselves, and mailboxes that are gone: no text comes of it, and nothing circles."""

import re
from email.message import EmailMessage
from pathlib import Path

from core_support import wait_for
from peers.dovecot import ABSENCE, FORWARDING
from peers.site import ALICE, BOB, NUMBER, SECOND_NUMBER, Site, answered, rows_with, site, written
from peers.smarthost import FORGETFUL

PHONE, TO = "+447700900123", "447700900123@sms.localhost"


def asked_and_answered(s: Site) -> None:
    """Alice texts the phone, which answers."""
    s.send(written(ALICE, TO, "Dinner?", own="alice-1", subject="Tonight"))
    s.wait_for_text(PHONE, "Dinner?")
    s.until_quiet()  # the receipt has come, or cannot
    s.type(PHONE, NUMBER, "Yes, at eight.")


def nothing_more_was_texted(s: Site) -> bool:
    s.until_quiet()
    return s.heard(PHONE) == [(NUMBER, "Dinner?")]


def test_a_phones_answer_does_not_wake_an_absence_notice(tmp_path: Path) -> None:
    with site(tmp_path, rows_with(NUMBER), people=[ALICE], rules={ALICE: ABSENCE}) as s:
        asked_and_answered(s)
        s.wait_for_mail(ALICE, "Yes, at eight.\n")
        assert nothing_more_was_texted(s)
        assert "discarding vacation response to auto-submitted message from <b." in s.dovecot.log
        assert [sender[:2] for sender in s.postfix.senders()] == ["al", "", "b."]  # text, receipt, answer


def test_an_absence_notice_to_an_answer_is_not_texted(tmp_path: Path) -> None:
    """Where the site's own server takes away what says that our mail wants no answer."""
    with site(tmp_path, rows_with(NUMBER), FORGETFUL, people=[ALICE], rules={ALICE: ABSENCE}) as s:
        asked_and_answered(s)
        answer = s.wait_for_mail(ALICE, "Yes, at eight.\n")
        assert answer["Auto-Submitted"] is None
        wait_for(lambda: "sent vacation response" in s.dovecot.log)
        assert nothing_more_was_texted(s)
        assert [sender[:2] for sender in s.postfix.senders()] == ["al", "", "b.", ""]
        assert len(s.dovecot.mails(ALICE)) == 2


ABSENCES = {  # fields of an absence notice, as programs write them
    "as RFC 3834 asks": {"Auto-Submitted": "auto-replied", "Subject": "I am away"},
    "as old programs do": {"X-Autoreply": "yes", "Precedence": "bulk", "Subject": "I am away"},
    "as Exchange does": {"X-Auto-Response-Suppress": "All", "Subject": "Automatic reply: Tonight"},
    "without any sign but its subject": {"Subject": "Out of Office: Re: Tonight"},
}


def absence(answer: EmailMessage, own: str, to: str, fields: dict[str, str]) -> EmailMessage:
    away = answered(answer, ALICE, "I am away. Ask Bob meanwhile.", own=own, to=to)
    del away["Subject"]
    for name, value in fields.items():
        away[name] = value
    return away


def test_absence_notices_to_the_addresses_in_an_answer_are_not_texted(tmp_path: Path) -> None:
    """Its author and its Reply-To; with a return path, and as RFC 3834 §3.3 asks, without one."""
    with site(tmp_path, rows_with(NUMBER), people=[ALICE], rules={ALICE: ABSENCE}) as s:
        asked_and_answered(s)
        answer = s.wait_for_mail(ALICE, "Yes, at eight.\n")
        for number, fields in enumerate(ABSENCES.values()):
            for name in ("From", "Reply-To"):
                to = answer[name].addresses[0].addr_spec
                for mail_from in (ALICE, ""):
                    own = f"away-{number}-{name}-{mail_from}".replace("@", "-at-")
                    s.send(absence(answer, own, to, fields), mail_from)
        count = 4 * len(ABSENCES)
        refused = "status=bounced (host 127.0.0.1[127.0.0.1] said: 550 5.7.1"
        assert nothing_more_was_texted(s)
        # Each is refused once, and one that has a return path comes back to it: nothing answers that.
        assert s.postfix.log.count(refused) == count
        assert len(s.postfix.senders()) == 3 + count + count // 2
        assert len(s.dovecot.mails(ALICE)) == 2 + count // 2


def test_a_mailbox_that_forwards_everything_to_the_phone(tmp_path: Path) -> None:
    """Receipt and answer come back as mails of somebody who may text, and are known again."""
    rules = {ALICE: FORWARDING.format(to=TO)}
    with site(tmp_path, rows_with(NUMBER), people=[ALICE], rules=rules) as s:
        asked_and_answered(s)
        s.wait_for_mail(ALICE, "Yes, at eight.\n")
        assert nothing_more_was_texted(s)
        # The text, its receipt, its answer, a bounce to Alice of what she forwarded; the last three forwarded too.
        assert len(s.postfix.senders()) == 7
        assert s.postfix.log.count("said: 554 5.4.6 This mail has been here before") == 1
        assert s.postfix.log.count("said: 550 5.7.1 bounces are not texted") == 2


# --- a mailbox that is gone -------------------------------------------------------------------------------


def test_a_bounced_answer_ends_at_the_gateway(tmp_path: Path) -> None:
    """The site's server takes the answer and finds out later: it tells the return path, which is ours."""
    with site(tmp_path, rows_with(NUMBER), people=[BOB]) as s:
        asked_and_answered(s)
        assert nothing_more_was_texted(s)
        text, receipt, answer, bounce = s.postfix.senders()
        assert (text, receipt, answer[:2], bounce) == (ALICE, "", "b.", "")
        assert (
            s.postfix.log.count(f"to=<{ALICE}>") == 2
        )  # the receipt, whose bounce has no way, and the answer
        (told,) = re.findall(f"to=<{answer}>.*", s.postfix.log)
        assert "status=sent (250 2.0.0" in told


def test_a_dead_mailbox_leaves_the_others_alone(tmp_path: Path) -> None:
    """Several answers to it are bounced; a colleague goes on meanwhile, with the same phone."""
    with site(tmp_path, rows_with(NUMBER, SECOND_NUMBER), people=[BOB]) as s:
        asked_and_answered(s)
        s.send(written(BOB, TO, "Me too?", own="bob-1", subject="Tonight"))
        number = s.wait_for_text(PHONE, "Me too?")
        assert number == SECOND_NUMBER
        s.until_quiet()
        for said in ("Are you there?", "Hello?"):
            s.type(PHONE, NUMBER, said)
        s.type(PHONE, number, "Yes, you too.")
        answer = s.wait_for_mail(BOB, "Yes, you too.\n")
        s.send(answered(answer, BOB, "Good.", own="bob-2"))
        assert s.wait_for_text(PHONE, "Good.") == number
        s.until_quiet()
        assert [text for _, text in s.heard(PHONE)] == ["Dinner?", "Me too?", "Good."]
        assert len(s.dovecot.mails(BOB)) == 3  # an answer and two receipts
