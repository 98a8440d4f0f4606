"""Simulated phones: what arrived, what they send, who may look."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from core_support import wait_for
from http_support import GLOBEX, PHONE, Edge, is_problem, running

from gateway_core.messages import State
from gateway_core.storage import tables

OURS = "+447700900900"
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running(tmp_path_factory.mktemp("phones")) as edge:
        yield edge


def on_phone(edge: Edge, number: str) -> list[dict[str, Any]]:
    with edge.client(None, **JSON) as client:
        answer = client.get(f"/phones/{number}")
    assert answer.status_code == 200
    return list(answer.json()["messages"])


def delivered(edge: Edge, number: str, **more: Any) -> None:
    edge.until(edge.accepted(number, **more)["id"], State.DELIVERED)


# --- reading ----------------------------------------------------------------------------------------------


def test_a_phone_shows_every_arrival(edge: Edge) -> None:
    number = "+447700900201"
    for text in ("same", "same", "Snow ☃ " * 12):
        delivered(edge, number, text=text)
    first, second, long = on_phone(edge, number)
    assert set(first) == {
        "id",
        "direction",
        "peer",
        "text",
        "segments",
        "encoding",
        "at",
        "possible_duplicate",
        "flash",
    }
    assert (first["direction"], first["peer"], first["text"]) == ("in", OURS, "same")
    assert first["id"] != second["id"]
    assert (long["text"], long["segments"], long["encoding"]) == ("Snow ☃ " * 12, 2, "ucs2")
    assert first["at"] <= second["at"] <= long["at"]


@pytest.mark.parametrize("typed", ["447700900202", "+447700900202", "%2B447700900202", "+44%207700%20900202"])
def test_spellings_of_a_number(edge: Edge, typed: str) -> None:
    with edge.client(None, **JSON) as client:
        assert client.get(f"/phones/{typed}").json() == {"number": "+447700900202", "messages": []}


def test_possible_duplicate_is_marked(edge: Edge) -> None:
    number = "+447700990001"  # its answer is lost, so the text goes out once more
    edge.until(edge.accepted(number)["id"], State.UNCERTAIN, State.UNKNOWN)
    marks = [entry["possible_duplicate"] for entry in _when(edge, number, 2)]
    assert marks == [False, True]
    with edge.client(None) as client:
        assert client.get(f"/phones/{number}").text.count("Possible duplicate") == 1


def test_a_flash_is_marked(edge: Edge) -> None:
    number = "+447700900208"
    delivered(edge, number, text="now", flash=True)
    delivered(edge, number, text="later")
    assert [entry["flash"] for entry in on_phone(edge, number)] == [True, False]
    with edge.client(None) as client:
        assert client.get(f"/phones/{number}").text.count(">Flash<") == 1


def _when(edge: Edge, number: str, count: int) -> list[dict[str, Any]]:
    return list(wait_for(lambda: entries if len(entries := on_phone(edge, number)) >= count else None))


def test_the_list(edge: Edge) -> None:
    delivered(edge, "+447700900203")
    with edge.client(None, **JSON) as client:
        phones = client.get("/phones").json()["phones"]
    assert phones[0]["number"] == "+447700900203"
    assert phones[0]["messages"] == 1
    assert set(phones[0]) == {"number", "messages", "at"}


@pytest.mark.parametrize(
    "typed", ["nonsense", "12", "+44", "447700900123x", "..%2F..%2Fetc", "%00", "4" * 300]
)
def test_no_number(edge: Edge, typed: str) -> None:
    with edge.client(None, **JSON) as client:
        assert client.get(f"/phones/{typed}").status_code == 404
        assert client.get(f"/phones/{typed}").headers["content-type"] == "application/problem+json"


# --- the pages --------------------------------------------------------------------------------------------

ATTACK = "<script>alert(1)</script>\"'&"


@pytest.mark.parametrize(
    "path", ["/phones", "/phones/447700900204", "/outbox", "/phones?number=x", "/phones/x"]
)
def test_pages_let_nothing_in(edge: Edge, path: str) -> None:
    delivered(edge, "+447700900204", text=ATTACK)
    with edge.client(None, Accept="text/html,application/xhtml+xml,*/*;q=0.8") as client:
        answer = client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>alert" not in answer.text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", answer.text), "inline script or style"
    assert not re.search(r'(?:src|href|action)="(?!/)', answer.text), "an address elsewhere"


def test_page_shows_the_texts_without_scripts(edge: Edge) -> None:
    delivered(edge, "+447700900205", text="Readable ☃")
    with edge.client(None) as client:
        page = client.get("/phones/447700900205").text
        assert "Readable ☃" in page
        assert "1 segment · UCS2" in page
        assert f'value="{OURS}"' in page
        assert "447700900206@sms.localhost" in client.get("/phones/447700900206").text


def test_form_opens_any_number(edge: Edge) -> None:
    with edge.client(None) as client:
        opened = client.get("/phones", params={"number": "07700 900207"})
        assert (opened.status_code, opened.headers["location"]) == (303, "/phones/+447700900207")
        wrong = client.get("/phones", params={"number": ATTACK})
    assert wrong.status_code == 400
    assert "not a telephone number" in wrong.text
    assert "&lt;script&gt;" in wrong.text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pages.css", "text/css"),
        ("phone.js", "text/javascript"),
        ("lists.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_of_the_pages(edge: Edge, name: str, kind: str) -> None:
    with edge.client(None) as client:
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert client.get("/static/..%2Fapp.py").status_code == 404
        assert client.get("/static/app.py").status_code == 404


@pytest.mark.parametrize(("embedded", "status"), [(True, 307), (False, 404)])
def test_the_start(tmp_path_factory: pytest.TempPathFactory, embedded: bool, status: int) -> None:
    with running(tmp_path_factory.mktemp("start"), embedded=embedded) as edge, edge.client(None) as client:
        assert client.get("/").status_code == status
        assert client.get("/", headers={"Host": "gateway.example"}).status_code == 404


# --- texting from a phone ---------------------------------------------------------------------------------


def test_a_text_from_a_phone_is_a_reply(edge: Edge) -> None:
    number, text = "+447700900208", "On my way – soon. " * 10
    delivered(edge, number)
    with edge.client(None) as client:
        answer = client.post(f"/phones/{number}/messages", json={"to": OURS, "text": text})
    assert answer.status_code == 201
    entry = answer.json()
    assert (entry["direction"], entry["peer"], entry["text"]) == ("out", OURS, text)
    assert (entry["segments"], entry["encoding"]) == (3, "ucs2")
    assert on_phone(edge, number)[-1] == entry
    assert edge.count(tables.mo, handset=number, text=text, account_id=1) == 1


@pytest.mark.parametrize("to", ["07700 900900", "447700900900", "+44 7700 900900"])
def test_a_phone_dials_as_people_do(edge: Edge, to: str) -> None:
    with edge.client(None) as client:
        answer = client.post("/phones/447700900209/messages", json={"to": to, "text": "x"})
    assert answer.json()["peer"] == OURS


def test_a_text_to_nobody_is_stored_all_the_same(edge: Edge) -> None:
    with edge.client(None) as client:
        answer = client.post("/phones/447700900210/messages", json={"to": "+447700900999", "text": "hello?"})
    assert answer.status_code == 201
    assert edge.count(tables.mo, handset="+447700900210", account_id=None) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"to": "Globex", "text": "x"}, "to"),  # an alphanumeric sender ID cannot be answered
        ({"to": "", "text": "x"}, "to"),
        ({"to": OURS, "text": ""}, "text"),
        ({"to": OURS, "text": "\0"}, "text"),
        ({"to": OURS, "text": "x" * 10_001}, "text"),
        ({"to": OURS, "text": "x", "more": 1}, "more"),
        ({"text": "x"}, "to"),
        ({"to": [OURS], "text": "x"}, "to"),
    ],
)
def test_wrong_text(edge: Edge, body: dict[str, Any], field: str) -> None:
    with edge.client(None) as client:
        answer = client.post(f"/phones/{PHONE}/messages", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_from_no_number(edge: Edge) -> None:
    with edge.client(None) as client:
        is_problem(client.post("/phones/x/messages", json={"to": OURS, "text": "x"}), 404, "bad_number")


def test_no_simulated_network(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("none"), simulated=False) as edge, edge.client(None) as client:
        is_problem(
            client.post(f"/phones/{PHONE}/messages", json={"to": OURS, "text": "x"}), 409, "no_simulator"
        )
        assert client.get("/phones", headers=JSON).json() == {"phones": []}


def test_from_a_name_the_page_says_so(edge: Edge) -> None:
    delivered(edge, "+447700900211", key=GLOBEX)
    with edge.client(None) as client:
        assert 'value="Globex"' in client.get("/phones/447700900211").text
        assert "no answer can come" in client.get("/static/phone.js").text


# --- who may ----------------------------------------------------------------------------------------------

PATHS = ["/phones", f"/phones/{PHONE}", "/outbox", "/outbox/x", "/metrics", "/static/pages.css", "/"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:80"]
)
def test_hosts_of_this_machine(edge: Edge, host: str) -> None:
    with edge.client(None, Host=host) as client:
        assert client.get("/phones").status_code == 200


STRANGE = [
    {"Host": "evil.example"},
    {"Host": "localhost.evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "127.0.0.2"},
    {"Host": "localhost@evil.example"},
    {"Host": ""},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "localhost"},
    {"x-forwarded-anything": ""},
    {"Forwarded": "for=127.0.0.1"},
    {"Via": "1.1 proxy"},
    {"X-Real-IP": "127.0.0.1"},
]


@pytest.mark.parametrize("headers", STRANGE, ids=str)
@pytest.mark.parametrize("path", PATHS)
def test_strangers_find_nothing(edge: Edge, path: str, headers: dict[str, str]) -> None:
    with edge.client(None, **headers) as client:
        is_problem(client.get(path), 404, "not_found")
        assert client.post(path, json={}).status_code == 404
        assert client.request("PUT", path).status_code == 404


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 201),
        ("http://localhost:8080", 201),
        ("https://localhost:8080", 201),
        ("http://localhost", 403),
        ("http://127.0.0.1:8080", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_posts_from_other_sites(edge: Edge, origin: str | None, status: int) -> None:
    headers = {"Host": "localhost:8080", **({"Origin": origin} if origin is not None else {})}
    with edge.client(None, **headers) as client:
        answer = client.post(f"/phones/{PHONE}/messages", json={"to": OURS, "text": "x"})
    assert answer.status_code == status


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_posts_of_forms(edge: Edge, kind: str) -> None:
    with edge.client(None, **{"Content-Type": kind}) as client:
        answer = client.post(f"/phones/{PHONE}/messages", content=b'{"to": "+447700900900", "text": "x"}')
    is_problem(answer, 415, "unsupported_media_type")


def test_draining(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("drain")) as edge:
        edge.state["draining"] = True
        with edge.client(None) as client:
            is_problem(
                client.post(f"/phones/{PHONE}/messages", json={"to": OURS, "text": "x"}), 503, "draining"
            )
