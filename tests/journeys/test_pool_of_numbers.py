"""Three people of one company text one handset by mail; it answers each of them. And with one number only."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

from core_support import wait_for
from mail_support import ROWS, World, mail, world
from serve_support import words

from gateway_core import phones
from gateway_core.deliver import deliver
from gateway_core.sms import MO

PHONE, TO = "+447700900123", "447700900123@sms.localhost"
PEOPLE = ("ann", "bob", "cat")
NUMBERS = [f"+44770090090{last}" for last in (1, 3, 4)]
ACME, *OTHERS = ROWS["account"]


def rows(*numbers: str) -> dict[str, object]:
    account = {**ACME, "receipts": "none", "sender": [{"address": "@acme.example"}]}
    return {
        **ROWS,
        "account": [account, *OTHERS],
        "number": [{"msisdn": one, "account": "acme"} for one in numbers],
    }


def text_each(w: World) -> dict[str, str]:
    """Each texts the handset; who from which number."""
    for who in PEOPLE:
        sender = f"{who}@acme.example"
        w.send(
            mail(f"{who} here", sender=sender, message_id=f"{who}@client", Subject=f"Of {who}"), TO, sender
        )
    wait_for(lambda: len(w.texts(PHONE)) == len(PEOPLE))
    entries = {text.split()[0]: peer for text, peer in _arrived(w)}
    return {who: entries[who] for who in PEOPLE}


def _arrived(w: World) -> list[tuple[str, str]]:
    with w.gateway.reader.connect() as conn:
        return [(entry.text, entry.peer) for entry in phones.of_phone(conn, PHONE)]


def answers(w: World, count: int) -> list[EmailMessage]:
    paths = wait_for(lambda: found if len(found := w.outbox()) == count else None)
    read = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]
    return [one for one in read if isinstance(one, EmailMessage)]


def test_each_gets_the_answers_to_the_own_texts_in_the_own_thread(tmp_path: Path) -> None:
    with world(tmp_path, rows(*NUMBERS)) as w:
        used = text_each(w)
        assert sorted(used.values()) == NUMBERS
        for who in ("cat", "ann", "bob"):
            said = MO(f"mo-{who}", PHONE, used[who], f"yes, {who}")
            deliver(w.gateway, w.gateway.snapshot.routes[0].id, [said])
        for got in answers(w, 3):
            who = str(got["To"]).partition("@")[0]
            assert words(got).splitlines()[0] == f"yes, {who}"
            assert "Somebody else" not in words(got)
            assert (got["In-Reply-To"], got["Subject"]) == (f"<{who}@client>", f"Re: Of {who}")
        ann = next(one for one in answers(w, 3) if "ann@" in str(one["To"]))
        w.send(mail("and when?", sender="ann@acme.example"), str(ann["Reply-To"]), "ann@acme.example")
        wait_for(lambda: ("and when?", used["ann"]) in _arrived(w))


def test_with_one_number_the_last_one_gets_it_and_is_told_so(tmp_path: Path) -> None:
    with world(tmp_path, rows(NUMBERS[0])) as w:
        assert set(text_each(w).values()) == {NUMBERS[0]}
        deliver(w.gateway, w.gateway.snapshot.routes[0].id, [MO("mo", PHONE, NUMBERS[0], "yes")])
        (got,) = answers(w, 1)
        assert str(got["To"]) == "cat@acme.example"
        assert "Somebody else texted this handset from +44 7700 900901 too." in words(got)
