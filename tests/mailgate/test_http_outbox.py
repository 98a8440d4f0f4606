"""The outbox: mail kept in a Maildir, listed by its headers, shown raw."""

import os
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from http_support import Edge, is_problem, running

JSON = {"Accept": "application/json"}


@pytest.fixture
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running(tmp_path_factory.mktemp("outbox")) as edge:
        yield edge


def keep(edge: Edge, name: str, raw: bytes, at: float) -> Path:
    folder = edge.data / "outbox" / "new"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(raw)
    os.utime(path, (at, at))
    return path


def mail(to: str, subject: str) -> bytes:
    message = EmailMessage()
    message["To"], message["Subject"] = to, subject
    message.set_content("the body")
    return bytes(message)


def test_nothing_was_ever_kept(edge: Edge) -> None:
    with edge.client(None) as client:
        assert client.get("/outbox", headers=JSON).json() == {"mails": []}
        assert "Nothing has been mailed yet" in client.get("/outbox").text


def test_newest_first(edge: Edge) -> None:
    keep(edge, "a1", mail("alice@acme.example", "Größe ☃"), 1000)
    keep(edge, "b2", mail("Bob <bob@acme.example>", "<b>second</b>"), 3000.25)
    keep(edge, "c3", mail("carol@acme.example", "first"), 2000)
    with edge.client(None) as client:
        mails = client.get("/outbox", headers=JSON).json()["mails"]
        page = client.get("/outbox").text
    assert [one["id"] for one in mails] == ["b2", "c3", "a1"]
    assert mails[0] == {
        "id": "b2",
        "to": "Bob <bob@acme.example>",
        "subject": "<b>second</b>",
        "at": "1970-01-01T00:50:00.250Z",
    }
    assert mails[2]["subject"] == "Größe ☃"
    assert (
        page.index("/outbox/b2") < page.index("/outbox/c3") < page.index("/outbox/a1") < page.index("Größe ☃")
    )
    assert "<b>second" not in page


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*"])
def test_raw_message(edge: Edge, accept: str) -> None:
    raw = b"To: x@acme.example\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>\xff"
    keep(edge, "abc123", raw, 1)
    with edge.client(None, Accept=accept) as client:
        answer = client.get("/outbox/abc123")
    assert answer.content == raw
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "mail_id",
    [
        "nothing",
        "..%2Fsecret",
        "%2e%2e%2fsecret",
        "A1",
        "a.b",
        "a%00",
        "new",
        "x" * 5000,
        "%2Fetc%2Fpasswd",
    ],
)
def test_no_such_mail(edge: Edge, mail_id: str) -> None:
    keep(edge, "a1", b"x", 1)
    (edge.data / "outbox" / "secret").write_bytes(b"secret")
    with edge.client(None) as client:
        answer = client.get(f"/outbox/{mail_id}")
    is_problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"", ""),
        (b"\0\xff\xfe", ""),
        (b"Subject: =?utf-8?b?!!!?=\n\n", None),
        (b"Subject: =?nonsense?q?abc?=\n\n", "=?nonsense?q?abc?="),
        (b"Subject: caf\xc3\xa9\n\n", None),
        (b"Subject: a\n b\n\n", "a b"),
        (b"Subject: " + b"x" * 100_000, None),
    ],
)
def test_odd_mails_do_not_break_the_list(edge: Edge, raw: bytes, subject: str | None) -> None:
    keep(edge, "odd", raw, 1)
    with edge.client(None) as client:
        mails = client.get("/outbox", headers=JSON).json()["mails"]
        assert client.get("/outbox").status_code == 200
    assert mails[0]["id"] == "odd"
    assert subject is None or mails[0]["subject"] == subject


def test_the_list_is_bounded(edge: Edge) -> None:
    for number in range(205):
        keep(edge, f"m{number:03d}", b"Subject: x\n\n", number)
    keep(edge, "NOT.OURS", b"Subject: x\n\n", 1_000_000)
    with edge.client(None) as client:
        mails = client.get("/outbox", headers=JSON).json()["mails"]
        page = client.get("/outbox").text
    assert [len(mails), mails[0]["id"], mails[-1]["id"]] == [200, "m204", "m005"]
    assert "older ones" in page
