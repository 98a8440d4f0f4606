"""What authors ask for when their mail comes twice, in pieces, unproved or for very many."""

import re
import smtplib
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ROWS, World, mail, world
from serve_support import words
from sqlalchemy import select

from gateway_core import refusals
from gateway_core.storage import tables
from mailgate import explain

ONE, ABROAD = "+447700900123", ("+4790000001", "+4790000002")
ALICE, LINES, TITLES, DEVICE, CRON = (
    f"{name}@acme.example" for name in ("alice", "lines", "titles", "device", "cron")
)
SECRET = "device-4711"
PLAIN = "07700900123@sms.localhost"

ACCOUNT: dict[str, Any] = {
    **ROWS["account"][0],
    "receipts": "failures",
    "alarm_to": ["ops@acme.example"],
    "opening_credit": "10000.00",
    "max_segments": 255,
    "sender": [
        {"address": ALICE},
        {"address": LINES, "recipients": "body"},
        {"address": TITLES, "recipients": "subject"},
        {"address": DEVICE, "recipients": "body", "accept": "secret", "secret": SECRET},
        {"address": CRON},
    ],
    "contact": [
        {"name": "oncall", "numbers": [ONE]},
        {"name": "north", "numbers": [ONE, ABROAD[0]]},
        {"name": "south", "numbers": [ONE, ABROAD[1]]},
        *({"name": f"floor{n}", "numbers": [f"+44770090{n}{m:03}" for m in range(100)]} for n in range(10)),
        {"name": "roof", "numbers": ["+447700910001"]},
    ],
}


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    rows = {**ROWS, "account": [ACCOUNT, ROWS["account"][1]]}
    with world(tmp_path_factory.mktemp("apart"), rows) as running:
        yield running


def told(w: World, about: str) -> list[tuple[str, str]]:
    """To whom and what mails say that say this; at least one."""

    def found() -> list[tuple[str, str]]:
        with w.gateway.reader.connect() as conn:
            due = conn.execute(select(tables.notice.c.id).where(tables.notice.c.state == "DUE")).all()
        mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in w.outbox()]
        said = [(one["To"], f"{one['Subject']}\n{words(one)}") for one in mails]
        return [] if due else [one for one in said if about in one[1]]

    wait_for(found)
    return found()


# --- lists ------------------------------------------------------------------------------------------------


def test_a_number_of_ours_as_sender_id_needs_no_plus(w: World) -> None:
    """As the interface that the lines are taken from has it."""
    raw = mail("to: oncall\nfrom: 447700900901\ntext: a", sender=LINES)
    rows = w.of_submission(w.send(raw, "sms@sms.localhost", LINES))
    assert [row["sender_id"] for row in rows] == ["+447700900901"]


def test_a_list_that_is_not_read_to_its_end_is_refused(w: World) -> None:
    raw = mail("to: oncall\ntext: a\n" + "text: long\n" * 30_000 + "to: roof", sender=LINES)
    with pytest.raises(smtplib.SMTPDataError, match=r"5\.3\.4 the body is longer than is read here"):
        w.send(raw, "sms@sms.localhost", LINES)


def test_who_is_in_two_groups_is_left_out_once(w: World) -> None:
    raw = mail("twice", Subject="Twice")
    w.send(raw, ["north@sms.localhost", "north+flash@sms.localhost"])
    ((_, words),) = told(w, "Re: Twice\nNot texted")
    assert words.count("Not texted") == 1


# --- what a server puts before a subject ------------------------------------------------------------------


def test_options_and_lists_are_read_behind_an_external_tag(w: World) -> None:
    """Who asks for a preview must not be texted for."""
    said = w.send(mail("a", Subject="[EXTERNAL] +preview Van"), PLAIN)
    assert said.startswith("2.0.0 accepted as a preview")
    raw = mail("Tank 3 empty", sender=TITLES, Subject="[EXT]: +urgent oncall")
    rows = w.of_submission(w.send(raw, "sms@sms.localhost", TITLES))
    assert [(row["to"], row["urgent"]) for row in rows] == [(ONE, True)]
    raw = mail("", Subject="[EXTERNAL] +urgent Van 3")
    assert [row["text"] for row in w.of_submission(w.send(raw))] == ["Van 3"]


# --- very many --------------------------------------------------------------------------------------------

FLOORS = [f"floor{n}" for n in range(10)]  # 1,000 numbers


def test_the_groups_of_one_mail_reach_a_bounded_number_of_phones(w: World) -> None:
    """What is refused is sent in another mail by whoever keeps to RFC 5321, section 4.5.3.1.10."""
    with w.client() as client:
        client.ehlo("client.example")
        client.mail(ALICE)
        replies = [client.rcpt(f"{name}@sms.localhost") for name in [*FLOORS, "oncall", "roof"]]
        assert [code for code, _ in replies] == [250] * 10 + [452] * 2
        assert replies[-1][1] == b"4.5.3 at most 1000 numbers a mail; send the rest in another one"
        code, words = client.data(mail("fire"))
        assert (code, len(w.of_submission(words.decode()))) == (250, 1000)


def test_who_is_proved_by_the_mail_is_refused_so_many(w: World) -> None:
    to = [f"{name}+{SECRET}@sms.localhost" for name in [*FLOORS, "roof"]]
    with pytest.raises(smtplib.SMTPDataError, match=r"550.*5\.5\.3 the mail is for 1001 numbers"):
        w.send(mail("fire", sender=DEVICE), to, DEVICE)


def test_a_preview_names_a_bounded_number_of_costly_characters(w: World) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 2000)))
    w.send(mail(text, Subject="+preview a", Content_Type="text/plain; charset=utf-8"), PLAIN)
    ((_, words),) = told(w, text[:60])
    assert words.count(", once; transliterated: ") == 50
    assert "and 1950 more characters" in words


# --- to whom, and of whom ---------------------------------------------------------------------------------


def test_people_learn_whose_mail_left_somebody_out(w: World) -> None:
    w.send(mail("disk 4 full", sender=CRON, Auto_Submitted="auto-generated"), "north@sms.localhost", CRON)
    (words,) = [words for to, words in told(w, "Not texted") if to == "ops@acme.example"]
    assert f"The mail came from {CRON}." in words


# --- secrets ----------------------------------------------------------------------------------------------


def test_a_secret_behind_a_listed_number_is_kept_nowhere(w: World) -> None:
    """It belongs behind the name of the fixed address; who writes it into the list as well is told without it."""
    body = f"to: oncall, 07700900124+{SECRET}\ntext: Door 7 open"
    w.send(mail(body, sender=DEVICE, message_id="door@x.example"), f"sms+{SECRET}@sms.localhost", DEVICE)
    assert [to for to, _ in told(w, "Not texted: 07700900124+...")] == [DEVICE]
    with w.gateway.reader.connect() as conn:
        kept = [str(row) for row in conn.execute(select(tables.notice))]
        kept += [str(row) for row in refusals.newest(conn, 50)]
    assert not [row for row in kept if SECRET in row]


def test_a_listed_name_that_may_be_a_secret_leaves_a_record_without_it(w: World) -> None:
    raw = mail(f"to: oncall, {SECRET}, hush-hush\ntext: Door 8 open", sender=DEVICE)
    w.send(raw, f"sms+{SECRET}@sms.localhost", DEVICE)

    def kept() -> set[tuple[str, str]]:
        with w.gateway.reader.connect() as conn:
            newest = refusals.newest(conn, 50)
        return {(row["recipient"], row["words"]) for row in newest if row["sender"] == DEVICE}

    wait_for(lambda: ("...", "... is neither a number nor a contact of acme") in kept())
    assert SECRET not in str(kept())
    assert "hush" not in str(kept())


# --- again, and in pieces ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "message_id"), [("north", "group"), ("oncall", "one")])
def test_a_mail_that_a_relay_split_is_told_of_in_each_piece(w: World, first: str, message_id: str) -> None:
    """The second piece texts nobody anew: its one number has had the text."""
    raw = mail(f"split {message_id}", message_id=f"{message_id}@split.example", Subject=message_id)
    replies = [w.send(raw, f"{name}@sms.localhost") for name in (first, "south", "south")]
    assert len(set(replies)) == 1
    words = [words for _, words in told(w, f"Re: {message_id}\nNot texted") if "+47 90 00 00 02" in words]
    assert len(words) == 1


def test_a_preview_that_a_relay_split_comes_for_each_piece(w: World) -> None:
    raw = mail("split preview", message_id="preview@split.example", Subject="+preview a")
    for to in (PLAIN, "roof@sms.localhost", "roof@sms.localhost"):
        w.send(raw, to)
    assert len(told(w, "split preview")) == 2


@pytest.mark.parametrize(
    "to", ["oncall+preview@SMS.localhost, b@x.example", "<roof+flash+PREVIEW+urgent@sms.localhost>"]
)
def test_a_piece_without_the_tag_is_a_preview_too(w: World, to: str) -> None:
    """Who asked for a preview of a mail to two would have texted the other one."""
    said = w.send(mail("split by a relay", To=f"{to}, {PLAIN}"))
    assert said.startswith("2.0.0 accepted as a preview")
    said = w.send(mail("of others", To="oncall+preview@x.example, +preview, b+previews@sms.localhost"))
    assert said.startswith("2.0.0 s")


def test_a_preview_of_a_mail_without_marks_comes_each_time(w: World) -> None:
    """Nothing tells such a mail from the same one again, once the account's terms have changed."""
    for _ in range(2):
        w.send(mail("no marks", Subject="+preview a"), PLAIN)
    assert len(told(w, "no marks")) == 2


# --- explain ----------------------------------------------------------------------------------------------

SMS = "sms@sms.localhost"


@pytest.mark.parametrize(
    ("sender", "to", "body"),
    [
        (LINES, [PLAIN, SMS], "to: nobody\ntext: a"),
        (LINES, [PLAIN, SMS], "to: oncall, nobody\ntext: a"),
        (LINES, [PLAIN, SMS], "nothing of the kind"),
        (DEVICE, [f"07700900123+{SECRET}@sms.localhost", "nobody@sms.localhost"], "a"),
        (DEVICE, [f"north+{SECRET}@sms.localhost", "oncall@sms.localhost"], "a"),
        (DEVICE, [f"sms+{SECRET}@sms.localhost"], "to: north\ntext: a"),
    ],
)
def test_explain_says_what_becomes_of_the_whole_mail(w: World, sender: str, to: list[str], body: str) -> None:
    """What is decided behind the last line is decided for all recipients."""
    raw = mail(body, sender=sender)
    found = explain.explain(w.state, raw, sender, to, "127.0.0.1")
    if found["outcome"] == "refused":
        with pytest.raises(smtplib.SMTPDataError, match=re.escape(found["reason"].partition(": ")[2])):
            w.send(raw, to, sender)
    else:
        numbers = {row["to"] for row in w.of_submission(w.send(raw, to, sender))}
        assert numbers == {one["to"] for one in found["recipients"] if one["outcome"] == "accepted"}


@pytest.mark.parametrize(
    ("to", "subject", "check"),
    [("07700900123+preview+flash@sms.localhost", "a", "number"), (PLAIN, "+flash +preview a", "listed")],
)
def test_explain_says_what_is_asked_for(w: World, to: str, subject: str, check: str) -> None:
    found = explain.explain(w.state, mail("a", Subject=subject), ALICE, [to], "127.0.0.1")
    details = {one["name"].partition(" ")[0]: one["detail"] for one in found["checks"]}
    assert details[check] == "flash, preview"


def test_whocan_text_a_group_of_whom_some_can_be_texted(w: World) -> None:
    found = explain.whocan(w.state, ALICE, "127.0.0.1", "north")
    assert (found["outcome"], found["to"]) == ("accepted", ONE)
