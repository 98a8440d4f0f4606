"""X-Forwarded-For: whom it is believed from, which of its addresses counts, and what it never opens.

The key of these requests may be used from 192.0.2.0/24 and 2001:db8:1::/48 only; they are made from 127.0.0.1.
"""

from collections.abc import Iterator

import httpx2
import pytest
from core_support import wait_for
from http_support import FAR, PHONE, Edge, is_problem, running
from sqlalchemy import select

from gateway_core import ledger
from gateway_core.storage import tables

FAR_ID = 3
PROXIES = ("127.0.0.1/32", "10.0.0.0/8", "2001:db8:ffff::/48")
INSIDE, INSIDE_IPV6, OUTSIDE = "192.0.2.7", "2001:db8:1::7", "203.0.113.9"
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Whoever asks is no proxy."""
    with running(tmp_path_factory.mktemp("direct")) as edge:
        yield edge


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """There are proxies, but who asks is none of them."""
    with running(tmp_path_factory.mktemp("elsewhere"), forwarded_from=["10.0.0.0/8", "::1/128"]) as edge:
        yield edge


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Whoever asks is a proxy."""
    with running(tmp_path_factory.mktemp("behind"), forwarded_from=PROXIES) as edge:
        yield edge


def submit(edge: Edge, *forwarded: str | bytes) -> httpx2.Response:
    """With one X-Forwarded-For header for each of these."""
    headers = [(b"X-Forwarded-For", one if isinstance(one, bytes) else one.encode()) for one in forwarded]
    with edge.client(FAR) as client:
        return client.post("/v1/messages", json={"to": [PHONE], "text": "hello"}, headers=headers)


def kept(edge: Edge) -> tuple[int, int, int]:
    """Messages and entries of the ledger of this account, and its balance."""
    messages = edge.count(tables.message, account_id=FAR_ID)
    entries = edge.count(tables.ledger_entry, account_id=FAR_ID)
    with edge.gateway.reader.connect() as conn:
        return messages, entries, ledger.balance(conn, FAR_ID)


def refused(edge: Edge) -> dict[str, int]:
    """How often this account's key was refused, by where it was used from."""
    with edge.gateway.reader.connect() as conn:
        rows = conn.execute(select(tables.refusal).filter_by(account="far")).all()
    return {row.peer: row.count for row in rows}


def is_kept_out(edge: Edge, *forwarded: str | bytes) -> str:
    """403, no message, no charge; where the refusal says that it came from."""
    before, refused_before = kept(edge), refused(edge)
    is_problem(submit(edge, *forwarded), 403, "unknown_sender")
    wait_for(lambda: refused(edge) != refused_before)
    assert kept(edge) == before
    ((peer, count),) = set(refused(edge).items()) - set(refused_before.items())
    assert count == refused_before.get(peer, 0) + 1
    return peer


def is_let_in(edge: Edge, *forwarded: str | bytes) -> str:
    """202, a message, a charge; where the submission says that it came from."""
    (messages, _, balance) = kept(edge)
    answer = submit(edge, *forwarded)
    assert answer.status_code == 202, answer.text
    assert kept(edge)[0] == messages + 1
    assert kept(edge)[2] < balance
    with edge.gateway.reader.connect() as conn:
        newest = select(tables.submission.c.origin).order_by(tables.submission.c.id.desc()).limit(1)
        return str(conn.execute(newest).scalar_one()["peer"])


# --- from a stranger --------------------------------------------------------------------------------------

FORGED = {
    "nothing": [],
    "an address that may": [INSIDE],
    "an IPv6 address that may": [INSIDE_IPV6],
    "a whole chain": [f"{INSIDE}, 10.0.0.1, 127.0.0.1"],
    "several headers": [INSIDE, INSIDE],
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("world", ["direct", "elsewhere"])
def test_what_a_stranger_says_of_itself_means_nothing(
    request: pytest.FixtureRequest, world: str, forged: list[str]
) -> None:
    assert is_kept_out(request.getfixturevalue(world), *forged) == "127.0.0.1"


@pytest.mark.parametrize("name", ["Forwarded", "X-Real-IP", "X-Forwarded-Host", "X-Client-IP"])
def test_no_other_header_is_believed(behind: Edge, name: str) -> None:
    before = kept(behind)
    with behind.client(FAR, **{name: f"for={INSIDE}" if name == "Forwarded" else INSIDE}) as client:
        answer = client.post("/v1/messages", json={"to": [PHONE], "text": "hello"})
    is_problem(answer, 403, "unknown_sender")
    assert kept(behind) == before


# --- from a proxy -----------------------------------------------------------------------------------------

# the headers that a proxy sends: who asked
LET_IN = {
    "one address": ([INSIDE], INSIDE),
    "spaces around it": ([f"{OUTSIDE} ,\t {INSIDE} \t,  10.0.0.1"], INSIDE),
    "an IPv6 address": ([INSIDE_IPV6], INSIDE_IPV6),
    "a long IPv6 address": (["2001:0DB8:0001:0:0:0:0:0007"], "2001:0DB8:0001:0:0:0:0:0007"),
    "IPv4 in IPv6 clothes": ([f"::ffff:{INSIDE}"], f"::ffff:{INSIDE}"),
    "through a second proxy": ([f"{INSIDE}, 10.0.0.1"], INSIDE),
    "through many": ([f"{INSIDE},10.0.0.1,2001:db8:ffff::1, 127.0.0.1,10.255.255.255"], INSIDE),
    "through a proxy in IPv6 clothes": ([f"{INSIDE}, ::ffff:10.0.0.1"], INSIDE),
    "IPv6 through IPv6": ([f"{INSIDE_IPV6}, 2001:db8:ffff::1"], INSIDE_IPV6),
    "somebody forged one before it": ([f"{OUTSIDE}, {INSIDE}"], INSIDE),
    "somebody forged a proxy before it": ([f"{OUTSIDE}, 10.0.0.1, {INSIDE}, 10.0.0.2"], INSIDE),
    "somebody wrote rubbish before it": ([f"<script>, ,;=, {INSIDE}"], INSIDE),
    "bytes that are no text before it": ([b"\xff\xfe\x80, " + INSIDE.encode()], INSIDE),
    "a header of its own": ([OUTSIDE, INSIDE], INSIDE),
    "a header for each proxy": ([OUTSIDE, INSIDE, "10.0.0.1"], INSIDE),
    "headers with several": ([f"{OUTSIDE}, {INSIDE}", "10.0.0.1, 10.0.0.2"], INSIDE),
}
KEPT_OUT = {
    "no header": ([], "127.0.0.1"),
    "an empty header": ([""], ""),
    "another address": ([OUTSIDE], OUTSIDE),
    "another IPv6 address": (["2001:db8:2::7"], "2001:db8:2::7"),
    "a forged address before it": ([f"{INSIDE}, {OUTSIDE}"], OUTSIDE),
    "a forged IPv6 address before it": ([f"{INSIDE_IPV6}, {OUTSIDE}"], OUTSIDE),
    "a forged chain before it": ([f"{INSIDE}, 10.0.0.1, {OUTSIDE}"], OUTSIDE),
    "a forged chain, through a second proxy": ([f"{INSIDE}, 10.0.0.1, {OUTSIDE}, 10.0.0.2"], OUTSIDE),
    "a forged header before it": ([INSIDE, OUTSIDE], OUTSIDE),
    "a forged header, through a second proxy": ([INSIDE, f"{OUTSIDE}, 10.0.0.1"], OUTSIDE),
    "proxies only": (["10.0.0.2, 10.0.0.1"], "10.0.0.2"),
    "loopback": (["127.0.0.1"], "127.0.0.1"),
    "a name": (["localhost"], ""),
    "unknown": (["unknown"], ""),
    "an obfuscated name": (["_hidden"], ""),
    "a network": (["192.0.2.0/24"], ""),
    "half an address": (["192.0.2"], ""),
    "an address as one number": (["3221225991"], ""),
    "other digits": (["١٩٢.٠.٢.٧".encode()], ""),
    "a leading zero": (["192.0.2.07"], ""),
    "quotes": ([f'"{INSIDE}"'], ""),
    "a port": ([f"{INSIDE}:4711"], ""),
    "brackets": ([f"[{INSIDE_IPV6}]"], ""),
    "two without a comma": ([f"{INSIDE} {INSIDE}"], ""),
    "nothing after the comma": ([f"{INSIDE},"], ""),
    "bytes that are no text": ([b"\xff\xfe\x80"], ""),
    "rubbish after it": ([f"{INSIDE}, rubbish"], ""),
    "rubbish before a proxy": ([f"{INSIDE}, rubbish, 10.0.0.1"], ""),
    "rubbish in another header": ([INSIDE, "rubbish"], ""),
    "an empty header after it": ([INSIDE, ""], ""),
    "ten thousand commas": (["," * 10_000], ""),
}


@pytest.mark.parametrize(("forwarded", "peer"), LET_IN.values(), ids=LET_IN)
def test_who_asks_through_a_proxy_is_let_in(behind: Edge, forwarded: list[str | bytes], peer: str) -> None:
    assert is_let_in(behind, *forwarded) == peer


@pytest.mark.parametrize(("forwarded", "peer"), KEPT_OUT.values(), ids=KEPT_OUT)
def test_who_asks_through_a_proxy_is_kept_out(behind: Edge, forwarded: list[str | bytes], peer: str) -> None:
    assert is_kept_out(behind, *forwarded) == peer


# --- pages for people at this machine ---------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/phones", "/phones/447700900123", "/outbox"])
@pytest.mark.parametrize("forwarded", ["127.0.0.1", "::1", "10.0.0.1", INSIDE, "rubbish", "", ","])
@pytest.mark.parametrize("world", ["direct", "elsewhere", "behind"])
def test_no_proxy_opens_the_local_pages(
    request: pytest.FixtureRequest, world: str, forwarded: str, path: str
) -> None:
    edge = request.getfixturevalue(world)
    with edge.client(None, **JSON) as client:
        assert client.get(path).status_code == 200
        is_problem(client.get(path, headers={"X-Forwarded-For": forwarded}), 404, "not_found")


def test_no_proxy_texts_from_a_phone(behind: Edge) -> None:
    with behind.client(None, **{"X-Forwarded-For": "127.0.0.1"}) as client:
        answer = client.post("/phones/447700900123/messages", json={"to": "+447700900900", "text": "hello"})
    is_problem(answer, 404, "not_found")
    assert behind.count(tables.mo) == 0
