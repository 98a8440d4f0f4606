"""/v1: every status it can answer, bad input, one text a key, and walls between accounts."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from core_support import wait_for
from http_support import ACME, FAR, GLOBEX, LATER, OTHER_PHONE, PHONE, Edge, is_problem, running

from gateway_core.drafts import Submission
from gateway_core.errors import GatewayError, Refused
from gateway_core.keys import Key
from gateway_core.messages import State
from gateway_core.storage import ids, tables
from gateway_core.submit import submit
from mailgate.http.problems import STATUS, status_of


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running(tmp_path_factory.mktemp("v1")) as edge:
        yield edge


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One that a test may break."""
    with running(tmp_path_factory.mktemp("own")) as edge:
        yield edge


def held(edge: Edge, **more: Any) -> dict[str, Any]:
    """A message that waits: its time is in some months, whatever today is."""
    return edge.accepted(send_at=soon(), **more)


def soon() -> str:
    return (datetime.now(UTC) + timedelta(days=30)).isoformat()


# --- accepting --------------------------------------------------------------------------------------------


def test_accepted_text_is_stored_delivered_and_told(edge: Edge) -> None:
    answer = edge.post("07700 900123", "+47 40 00 00 00", text="Hej €", client_ref="order 7")
    assert answer.status_code == 202
    body = answer.json()
    first, second = body["messages"]
    assert set(first) == {"id", "to", "state", "segments", "encoding", "price"}
    assert (first["to"], first["segments"], first["encoding"]) == (PHONE, 1, "gsm7")
    assert first["price"] == "0.05"
    assert second["to"] == "+4740000000"
    edge.until(first["id"], State.DELIVERED)

    with edge.client() as client:
        shown = client.get(f"/v1/messages/{first['id']}").json()
    assert shown["submission"] == body["submission"]
    assert (shown["state"], shown["reason"], shown["possible_duplicate"]) == ("DELIVERED", "", False)
    assert (shown["text"], shown["client_ref"]) == ("Hej €", "order 7")
    assert shown["created_at"].endswith("Z")
    assert shown["trail"][0]["to"] == "QUEUED"
    assert shown["trail"][-1]["to"] == "DELIVERED"
    assert set(shown["trail"][0]) == {"at", "actor", "from", "to", "reason"}


@pytest.mark.parametrize(
    ("asked", "flash", "urgent"),
    [
        ({}, False, False),
        ({"flash": True}, True, False),
        ({"urgent": True, "flash": False}, False, True),
        ({"urgent": None, "flash": None}, False, False),
    ],
)
def test_options_of_a_message(edge: Edge, asked: dict[str, Any], flash: bool, urgent: bool) -> None:
    message = edge.accepted(**asked)["id"]
    with edge.client() as client:
        (listed,) = client.get("/v1/messages?limit=1").json()["items"]
        for shown in (listed, client.get(f"/v1/messages/{message}").json()):
            assert (shown["id"], shown["flash"], shown["urgent"]) == (message, flash, urgent)


def test_some_recipients_may_be_refused(edge: Edge) -> None:
    answer = edge.post("nonsense", PHONE, "+33612345678", "+44 7700 900123")
    assert answer.status_code == 202
    bad, good, abroad = answer.json()["messages"]  # two spellings of one number are one recipient
    assert bad == {"to": "nonsense", "error": {"code": "bad_number", "detail": "not a telephone number"}}
    assert good["to"] == PHONE
    assert (abroad["to"], abroad["error"]["code"]) == ("+33612345678", "destination_not_allowed")
    wait_for(lambda: edge.count(tables.refusal, recipient="nonsense", door="http", account="acme"))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"to": ["nonsense"]}, "bad_number"),
        ({"to": ["nonsense", "12"]}, "bad_number"),
        ({"to": ["+33612345678"]}, "destination_not_allowed"),
        ({"text": "x" * 2000}, "too_long"),
        ({"text": "x" * 161, "max_segments": 1}, "too_long"),
        ({"text": " \n "}, "nothing_to_text"),
        ({"sender_id": "Bank"}, "sender_id_not_allowed"),
    ],
)
def test_all_refused(edge: Edge, asked: dict[str, Any], code: str) -> None:
    with edge.client() as client:
        answer = client.post("/v1/messages", json={"to": [PHONE], "text": "x", **asked})
    problem = is_problem(answer, 422, code)
    assert {message["error"]["code"] for message in problem["messages"]} == {code}
    assert all(set(message) == {"to", "error"} for message in problem["messages"])


def test_no_credit(own: Edge) -> None:
    assert own.post(PHONE, key=GLOBEX).status_code == 202
    is_problem(own.post(PHONE, key=GLOBEX), 422, "no_credit")
    with own.client(GLOBEX) as client:
        assert client.get("/v1/balance").json() == {
            "balance": "0.01",
            "currency": "GBP",
            "credit_limit": "0.00",
        }


def test_every_error_of_the_core_has_a_status() -> None:
    def below(kind: type[GatewayError]) -> set[type[GatewayError]]:
        return {kind}.union(*(below(one) for one in kind.__subclasses__()))

    for kind in below(Refused):
        assert status_of(kind("words")) == (401 if kind.code == "unknown_sender" else 422)
    assert set(STATUS.values()) == {401, 422, 503}


def test_later(edge: Edge) -> None:
    message = held(edge)
    assert message["state"] == "HELD"
    for passed in ("2001-01-01T00:00:00Z", "0001-01-01 00:00:00.5+23:59"):
        assert edge.accepted(send_at=passed)["state"] == "QUEUED"


# --- who may ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer x", f"Bearer {'0' * 40}", f"Basic {ACME}", f"Bearer {ACME}0"],
)
@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/messages/m0", "/v1/replies", "/v1/balance", "/v1/health"]
)
def test_no_key_has_one_answer(edge: Edge, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with edge.client(None, **headers) as client:
        answer = client.get(path)
    problem = is_problem(answer, 401, "unknown_sender")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert problem["detail"] == "this needs an API key: Authorization: Bearer KEY"


def test_key_in_any_case(edge: Edge) -> None:
    with edge.client(None, Authorization=f"bearer {ACME.upper()}") as client:
        assert client.get("/v1/balance").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/messages"), ("POST", "/v1/preview"), ("GET", "/v1/balance")]
)
def test_key_from_a_wrong_place(edge: Edge, method: str, path: str) -> None:
    with edge.client(FAR, **{"X-Forwarded-For": "192.0.2.1"}) as client:
        is_problem(client.request(method, path, json={}), 403, "unknown_sender")
    wait_for(lambda: edge.count(tables.refusal, account="far", code="unknown_sender"))


def test_accounts_do_not_see_each_other(edge: Edge) -> None:
    message = held(edge)
    with edge.client(GLOBEX) as other, edge.client() as mine:
        for ask in (other.get, other.delete):
            is_problem(ask(f"/v1/messages/{message['id']}"), 404, "not_found")
        theirs = {one["id"] for one in other.get("/v1/messages").json()["items"]}
        ours = {one["id"] for one in mine.get("/v1/messages").json()["items"]}
        assert message["id"] in ours
        assert not ours & theirs
        assert mine.get(f"/v1/messages/{message['id']}").json()["state"] == "HELD"


# --- bad input --------------------------------------------------------------------------------------------

GOOD = {"to": [PHONE], "text": "hello"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": PHONE}, "to"),
        ({"to": []}, "to"),
        ({"to": [7]}, "to.0"),
        ({"to": [PHONE, None]}, "to.1"),
        ({"to": [PHONE] * 1001}, "to"),
        ({"text": None}, "text"),
        ({"text": 7}, "text"),
        ({"text": ["x"]}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"text": "a\x1b[31mb"}, "text"),
        ({"text": "a\x85b"}, "text"),
        ({"sender_id": "x" * 33}, "sender_id"),
        ({"sender_id": "a\0"}, "sender_id"),
        ({"client_ref": "x" * 256}, "client_ref"),
        ({"client_ref": "\0"}, "client_ref"),
        ({"max_segments": 0}, "max_segments"),
        ({"max_segments": 256}, "max_segments"),
        ({"max_segments": "3"}, "max_segments"),
        ({"max_segments": True}, "max_segments"),
        ({"max_segments": 1.5}, "max_segments"),
        ({"validity_minutes": 0}, "validity_minutes"),
        ({"validity_minutes": 10**20}, "validity_minutes"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"send_at": 1700000000}, "send_at"),
        ({"send_at": "1700000000"}, "send_at"),
        ({"send_at": "2025-01-31T12:00:00"}, "send_at"),
        ({"send_at": "2025-02-31T12:00:00Z"}, "send_at"),
        ({"send_at": LATER}, "send_at"),
        ({"send_at": "9999-12-31T23:59:59-23:59"}, "send_at"),
        ({"callback_url": "https://acme.example/sms"}, "callback_url"),
        ({"txt": "x"}, "txt"),
        ({"Text": "x"}, "Text"),
    ],
)
def test_wrong_field(edge: Edge, change: dict[str, Any], field: str) -> None:
    with edge.client() as client:
        problem = is_problem(client.post("/v1/messages", json={**GOOD, **change}), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["detail"]
    if field == "callback_url":
        assert problem["errors"][0]["detail"] == "not available in this version"


@pytest.mark.parametrize("missing", ["to", "text"])
def test_missing_field(edge: Edge, missing: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != missing}
    with edge.client() as client:
        problem = is_problem(client.post("/v1/messages", json=body), 422, "invalid")
    assert problem["errors"] == [{"field": missing, "detail": "required"}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"to": ["+44"], "text": "x"',
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        b"[" * 90_000,
    ],
)
def test_malformed_json(edge: Edge, body: bytes) -> None:
    with edge.client(**{"Content-Type": "application/json"}) as client:
        is_problem(client.post("/v1/messages", content=body), 400, "malformed_json")


@pytest.mark.parametrize("body", [[], "x", 7, None])
def test_json_that_is_no_object(edge: Edge, body: Any) -> None:
    with edge.client(**{"Content-Type": "application/json"}) as client:
        problem = is_problem(client.post("/v1/messages", content=json.dumps(body)), 422, "invalid")
    assert problem["errors"][0]["field"] == "(body)"


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/preview"])
def test_wrong_content_type(edge: Edge, path: str, kind: str | None) -> None:
    with edge.client(**({"Content-Type": kind} if kind else {})) as client:
        is_problem(client.post(path, content=json.dumps(GOOD).encode()), 415, "unsupported_media_type")


@pytest.mark.parametrize("chunked", [False, True])
def test_large_body(edge: Edge, chunked: bool) -> None:
    body = json.dumps({**GOOD, "text": "x" * 2_000_000}).encode()
    pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    with edge.client(**{"Content-Type": "application/json; charset=utf-8"}) as client:
        answer = client.post("/v1/messages", content=pieces if chunked else body)
        is_problem(answer, 413, "body_too_large")
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v1/messages/", "/v1/messages/m0/x", "/openapi.json", "/docs"]
)
def test_unknown_path(edge: Edge, path: str) -> None:
    with edge.client() as client:
        is_problem(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/messages"), ("POST", "/v1/balance"), ("PATCH", "/v1/messages/m0")]
)
def test_wrong_method(edge: Edge, method: str, path: str) -> None:
    with edge.client() as client:
        answer = client.request(method, path)
    is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


# --- one text a key ---------------------------------------------------------------------------------------


def test_repeat_under_one_key_is_one_text(edge: Edge) -> None:
    first = edge.post(PHONE, OTHER_PHONE, text="once", idempotency="once-1")
    with edge.client() as client:  # the same request in another order and spacing, the key in quotes
        body = f'{{ "text" : "once",\n"to": ["{PHONE}", "{OTHER_PHONE}"] }}'
        headers = {"Idempotency-Key": '"once-1"', "Content-Type": "application/json"}
        second = client.post("/v1/messages", content=body, headers=headers)
    assert second.status_code == first.status_code == 202
    assert second.json()["submission"] == first.json()["submission"]
    assert [one["id"] for one in second.json()["messages"]] == [one["id"] for one in first.json()["messages"]]
    assert edge.post(PHONE, OTHER_PHONE, text="once").json()["submission"] != first.json()["submission"]


@pytest.mark.parametrize(
    ("to", "change"),
    [
        (PHONE, {"text": "other"}),
        (PHONE, {"client_ref": "x"}),
        (PHONE, {"flash": True}),
        (PHONE, {"urgent": True}),
        (OTHER_PHONE, {}),
    ],
)
def test_key_of_another_request(edge: Edge, to: str, change: dict[str, Any]) -> None:
    key = f"reused {to} {change}"
    assert edge.post(PHONE, text="mine", idempotency=key).status_code == 202
    is_problem(edge.post(to, idempotency=key, **{"text": "mine", **change}), 422, "key_reused")


def test_keys_of_two_accounts_are_two(edge: Edge) -> None:
    mine, theirs = (edge.post(PHONE, key=key, idempotency="shared") for key in (ACME, GLOBEX))
    assert {mine.status_code, theirs.status_code} == {202}
    assert mine.json()["submission"] != theirs.json()["submission"]


def test_refused_recipient_may_be_tried_again_under_its_key(edge: Edge) -> None:
    is_problem(edge.post("nonsense", idempotency="again"), 422, "bad_number")
    assert edge.post(PHONE, idempotency="again").status_code == 202


def test_repeat_of_a_mail(edge: Edge) -> None:
    """The text that came by mail under this Message-ID: the stored answer, no second text."""
    key = Key("both@acme.example", sha256(b"both doors").hexdigest(), mail_digest="of the mail")
    account = edge.gateway.snapshot.accounts[1]
    mailed = submit(edge.gateway, Submission(account, (PHONE,), "both doors", key=key)).result(10)
    answer = edge.post(PHONE, text="both doors", idempotency="<both@acme.example>")
    assert answer.status_code == 202
    assert answer.json()["submission"] == ids.show("s", mailed.submission_id)


@pytest.mark.parametrize("key", ["", '""', "<>"])
def test_empty_key(edge: Edge, key: str) -> None:
    with edge.client(**{"Idempotency-Key": key}) as client:
        is_problem(client.post("/v1/messages", json=GOOD), 400, "bad_request")


def test_same_key_while_the_first_is_in_progress(own: Edge) -> None:
    answers: list[Any] = []
    with own.database_busy():
        thread = threading.Thread(target=lambda: answers.append(own.post(PHONE, idempotency="slow")))
        thread.start()
        wait_for(lambda: own.here.in_progress)
        second = own.post(PHONE, idempotency="slow")
        is_problem(second, 409, "in_progress")
        assert second.headers["retry-after"] == "1"
    thread.join()
    assert answers[0].status_code == 202
    third = own.post(PHONE, idempotency="slow")
    assert third.json()["submission"] == answers[0].json()["submission"]


# --- nothing is lost, nothing is promised -----------------------------------------------------------------


def test_who_hangs_up_has_still_submitted(own: Edge) -> None:
    body = json.dumps({**GOOD, "client_ref": "hung up"}).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ACME}\r\nIdempotency-Key: gone\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with own.database_busy():
        with socket.create_connection(("127.0.0.1", own.port)) as peer:
            peer.sendall(head.encode() + body)
            wait_for(lambda: own.here.in_progress)
        assert own.count(tables.submission, client_ref="hung up") == 0
    wait_for(lambda: own.count(tables.submission, client_ref="hung up"))


def test_draining(own: Edge) -> None:
    message = held(own)
    own.state["draining"] = True
    with own.client() as client:
        for answer in (
            client.post("/v1/messages", json=GOOD),
            client.delete(f"/v1/messages/{message['id']}"),
            client.get("/readyz"),
        ):
            is_problem(answer, 503, "draining")
            assert int(answer.headers["retry-after"]) > 0
        assert client.get("/v1/balance").status_code == 200


def test_what_cannot_be_stored_is_not_accepted(own: Edge) -> None:
    message = held(own)
    own.gateway.writer.close()
    with own.client() as client:
        for answer in (
            client.post("/v1/messages", json=GOOD),
            client.delete(f"/v1/messages/{message['id']}"),
        ):
            is_problem(answer, 503, "not_kept")
            assert int(answer.headers["retry-after"]) > 0


def test_the_unexpected_is_a_trace_id_and_no_more(own: Edge) -> None:
    with own.gateway.reader.connect() as conn:
        conn.exec_driver_sql("DROP TABLE mo")
        conn.commit()
    with own.client() as client:
        problem = is_problem(client.get("/v1/replies"), 500, "unexpected")
    assert set(problem) == {"type", "title", "status", "detail", "code", "trace"}
    assert len(problem["trace"]) == 16
    assert "mo" not in problem["detail"].split()


# --- looking, taking back ---------------------------------------------------------------------------------


def test_pages_of_messages(own: Edge) -> None:
    made = [held(own, text=f"number {index}")["id"] for index in range(5)]
    seen: list[str] = []
    with own.client() as client:
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "2", "state": "HELD", **({"cursor": cursor} if cursor else {})}
            body = client.get("/v1/messages", params=query).json()
            assert len(body["items"]) <= 2
            seen += [item["id"] for item in body["items"]]
            cursor = body["next"]
        assert seen == made[::-1]
        assert client.get("/v1/messages?state=FAILED").json() == {"items": [], "next": None}
        assert len(client.get("/v1/messages", params={"to": "07700 900123"}).json()["items"]) == 5
        assert client.get("/v1/messages", params={"to": OTHER_PHONE}).json()["items"] == []


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("state=LOST", "state", "invalid"),
        ("limit=0", "limit", "invalid"),
        ("limit=x", "limit", "invalid"),
        ("cursor=x", "cursor", "invalid"),
        ("cursor=s0000000000000", "cursor", "invalid"),
        ("sate=HELD", "sate", "invalid"),
        ("to=nonsense", "to", "bad_number"),
    ],
)
def test_bad_query(edge: Edge, query: str, field: str, code: str) -> None:
    with edge.client() as client:
        problem = is_problem(client.get(f"/v1/messages?{query}"), 422, code)
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "shown_id", ["m0000000000000", "x", "s06yc176ymst00", "m" + "z" * 13, "%00", "m" + "0" * 4000]
)
def test_unknown_message(edge: Edge, shown_id: str) -> None:
    with edge.client() as client:
        for ask in (client.get, client.delete):
            is_problem(ask(f"/v1/messages/{shown_id}"), 404, "not_found")


def test_cancel_gives_the_money_back(own: Edge) -> None:
    with own.client() as client:
        before = client.get("/v1/balance").json()["balance"]
        message = held(own)
        assert client.get("/v1/balance").json()["balance"] != before
        cancelled = client.delete(f"/v1/messages/{message['id']}")
        assert cancelled.status_code == 200
        assert cancelled.json()["state"] == "CANCELLED"
        assert cancelled.json()["trail"][-1]["actor"] == "account"
        assert client.get("/v1/balance").json()["balance"] == before
        problem = is_problem(client.delete(f"/v1/messages/{message['id']}"), 409, "not_cancellable")
    assert "CANCELLED" in problem["detail"]


def test_cancel_too_late(edge: Edge) -> None:
    message = edge.accepted()
    edge.until(message["id"], State.DELIVERED)
    with edge.client() as client:
        problem = is_problem(client.delete(f"/v1/messages/{message['id']}"), 409, "not_cancellable")
    assert "DELIVERED" in problem["detail"]


def test_balance(edge: Edge) -> None:
    with edge.client() as client:
        balance = client.get("/v1/balance").json()
    assert set(balance) == {"balance", "currency", "credit_limit"}
    assert (balance["currency"], balance["credit_limit"]) == ("GBP", "0.00")


def test_replies(own: Edge) -> None:
    message = own.accepted()
    own.until(message["id"], State.DELIVERED)
    with own.client() as client:
        for text in ("one", "two", "three"):
            answer = client.post(f"/phones/{PHONE}/messages", json={"to": "+447700900900", "text": text})
            assert answer.status_code == 201
        first = client.get("/v1/replies?limit=2").json()
        rest = client.get("/v1/replies", params={"cursor": first["next"]}).json()
    assert [item["text"] for item in first["items"] + rest["items"]] == ["three", "two", "one"]
    assert set(rest["items"][0]) == {"id", "from", "to", "text", "at"}
    assert (rest["items"][0]["from"], rest["items"][0]["to"], rest["next"]) == (PHONE, "+447700900900", None)
    with own.client(GLOBEX) as other:
        assert other.get("/v1/replies").json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"text": "hello"}, {"text": "hello", "encoding": "gsm7", "segments": 1, "parts": ["hello"]}),
        ({"text": "hello", "to": PHONE}, {"segments": 1, "price": "0.05"}),
        ({"text": "x" * 161, "to": [PHONE, OTHER_PHONE, "07700900123"]}, {"segments": 2, "price": "0.20"}),
        ({"text": "☃"}, {"encoding": "ucs2"}),
    ],
)
def test_preview(edge: Edge, asked: dict[str, Any], expected: dict[str, Any]) -> None:
    with edge.client() as client:
        answer = client.post("/v1/preview", json=asked)
    assert answer.status_code == 200
    assert answer.json() == {**answer.json(), **expected}
    assert ("price" in answer.json()) == ("to" in asked)


def test_preview_says_what_costs_more(edge: Edge) -> None:
    with edge.client() as client:
        answer = client.post("/v1/preview", json={"text": "It’s {5} €" + "x" * 100}).json()
    shown = ("character", "code", "name", "count", "why", "instead")
    assert answer["segments"] == 2
    assert answer["costs"] == {
        "characters": [
            dict(zip(shown, row, strict=True))
            for row in (
                ("’", "U+2019", "right single quotation mark", 1, "ucs2", "'"),
                ("{", "U+007B", "left curly bracket", 1, "extension", "{"),
                ("}", "U+007D", "right curly bracket", 1, "extension", "}"),
                ("€", "U+20AC", "euro sign", 1, "extension", "€"),
            )
        ],
        "segments_transliterated": 1,
    }


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"text": "x" * 161, "max_segments": 1}, "too_long"),
        ({"text": ""}, "nothing_to_text"),
        ({"text": "x", "to": "nonsense"}, "bad_number"),
        ({"text": "x", "to": "+33612345678"}, "destination_not_allowed"),
        ({"text": "x", "to": 7}, "invalid"),
        ({"text": "a\0"}, "invalid"),
        ({}, "invalid"),
    ],
)
def test_preview_refuses_what_submitting_would(edge: Edge, asked: dict[str, Any], code: str) -> None:
    with edge.client() as client:
        is_problem(client.post("/v1/preview", json=asked), 422, code)
