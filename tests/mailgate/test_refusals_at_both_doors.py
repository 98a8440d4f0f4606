"""Each code of a refusal, as a mail server hears it and as a program reads it, from one gateway."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from http_support import is_problem, served
from mail_support import ROWS, World, mail, world

from gateway_core.deliver import deliver
from gateway_core.sms import MO
from mailgate.http.app import create_app

KEY, TO, PHONE, NUMBER = "a" * 40, "447700900123@sms.localhost", "+447700900123", "+447700900901"
ALICE = "alice@acme.example"
Change = dict[str, Any]


class Doors:
    """Both doors of one world, whose account `acme` is as a case wants it."""

    def __init__(self, w: World, url: str) -> None:
        self.w, self.url = w, url

    def by_mail(self, body: str = "hello", to: str = TO, mail_from: str = ALICE) -> tuple[int, str]:
        """The first reply that is not 250, or the last one."""
        with self.w.client() as smtp:
            smtp.ehlo()
            smtp.mail(mail_from)
            code, words = smtp.rcpt(to)
            if code == 250:
                code, words = smtp.data(mail(body, sender=mail_from))
        enhanced, _, rest = words.decode().partition(" ")
        return code, f"{enhanced} {rest}"

    def by_http(self, key: str = KEY, **asked: Any) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        body = {"to": [PHONE], "text": "hello", **asked}
        return httpx2.post(f"{self.url}/v1/messages", json=body, headers=headers, timeout=20)


@pytest.fixture
def doors(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Doors]:
    acme, *others = ROWS["account"]
    rows = {**ROWS, "account": [{**acme, "api_keys": [KEY], **request.param}, *others]}
    with world(tmp_path, rows) as w:
        app = create_app(w.state, process=w.process, embedded=False, listener_draining=lambda: False)
        with served(app, "127.0.0.1:0") as (port, _stop):
            yield Doors(w, f"http://127.0.0.1:{port}")


def _stop(doors: Doors) -> None:
    deliver(doors.w.gateway, doors.w.gateway.snapshot.routes[0].id, [MO("stop", PHONE, NUMBER, "STOP")])
    doors.w.gateway.directory.refresh()


def _text(doors: Doors) -> None:
    assert doors.by_mail("the first one")[0] == 250


def _nothing(_doors: Doors) -> None:
    pass


# code | what the account is like | what happened before | the mail | its reply | the request | how long to wait
CASES: dict[str, tuple[Change, Callable[[Doors], None], Change, str, Change, bool]] = {
    "unknown_sender": (
        *({}, _nothing, {"mail_from": "mallory@evil.example"}),
        *("550 5.7.1 this sender may not text from here", {"key": "e" * 40}, False),
    ),
    "bad_number": ({}, _nothing, {"to": "12@sms.localhost"}, "550 5.1.3", {"to": ["12"]}, False),
    "opted_out": ({}, _stop, {}, f"550 5.7.1 {PHONE} has asked not to be texted", {}, False),
    "destination_not_allowed": (
        *({}, _nothing, {"to": "+33612345678@sms.localhost"}, "550 5.7.1 +33612345678 is not a destination"),
        *({"to": ["+33612345678"]}, False),
    ),
    "destination_not_allowed, too dear": (
        *({"max_price": "0.04"}, _nothing, {}, f"550 5.7.1 a segment to {PHONE} costs more", {}, False),
    ),
    "rate_limited": (
        *({"segments_per_minute": 1}, _text, {"body": "another"}),
        *("450 4.7.1 the account may have 1 segments a minute", {}, True),
    ),
    "quota_exceeded": (
        *({"handset_segments_per_day": 1}, _text, {"body": "another"}),
        *(f"452 4.2.2 {PHONE} may have 1 segments a day", {}, True),
    ),
    "no_credit": (
        *({"opening_credit": "0.05"}, _text, {"body": "another"}),
        *("552 5.2.2 the account's credit does not cover this", {}, False),
    ),
    "too_long": ({}, _nothing, {"body": "x" * 2000}, "552 5.3.4", {"text": "x" * 2000}, False),
    "nothing_to_text": ({}, _nothing, {"body": " \n "}, "554 5.6.0", {"text": " \n "}, False),
    "sender_id_not_allowed": (
        *({"sender": [{"address": ALICE, "sender_ids": ["+447700900902"]}]}, _nothing, {}),
        *("550 5.7.1", {"sender_id": "+447700900902"}, False),
    ),
    "unsupported_character": (
        *({"unsupported": "refuse"}, _nothing, {"body": "snow ☃"}, "554 5.6.0", {"text": "snow ☃"}, False),
    ),
}


@pytest.mark.parametrize(
    ("doors", "code", "case"),
    [(case[0], name.partition(",")[0], case[1:]) for name, case in CASES.items()],
    ids=CASES,
    indirect=["doors"],
)
def test_a_refusal_by_mail_and_by_http(doors: Doors, code: str, case: Any) -> None:
    before, sent, reply, asked, waits = case
    before(doors)
    number, words = doors.by_mail(**sent)
    assert f"{number} {words}".startswith(reply), (number, words)
    answer = doors.by_http(**asked)
    is_problem(answer, 401 if code == "unknown_sender" else 422, code)
    assert ("retry-after" in answer.headers) is waits
