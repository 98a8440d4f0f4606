"""Alive, able to commit, moving; and the server that listens."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from http_support import ACME, PHONE, Edge, is_problem, running

from gateway_core.errors import SettingsError
from gateway_core.messages import State
from mailgate.http.server import Server


@pytest.fixture
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running(tmp_path_factory.mktemp("health")) as edge:
        yield edge


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("headers", [{}, {"Host": "gateway.example", "X-Forwarded-For": "192.0.2.1"}])
def test_probes_need_nothing(edge: Edge, path: str, headers: dict[str, str]) -> None:
    with edge.client(None, **headers) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert client.head(path).status_code == 200
        is_problem(client.post(path), 405, "method_not_allowed")


def test_ready_is_a_commit(edge: Edge) -> None:
    before = edge.gateway.writer.commits
    with edge.client(None) as client:
        assert client.get("/readyz").status_code == 200
        assert edge.gateway.writer.commits > before
        with edge.database_busy():
            is_problem(client.get("/readyz"), 503, "cannot_commit")
            assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200


def test_not_ready_without_a_writer(edge: Edge) -> None:
    edge.gateway.writer.close()
    with edge.client(None) as client:
        is_problem(client.get("/readyz"), 503, "cannot_commit")


def test_not_ready_while_draining(edge: Edge) -> None:
    edge.state["draining"] = True
    with edge.client(None) as client:
        is_problem(client.get("/readyz"), 503, "draining")
        assert client.get("/healthz").status_code == 200


def test_health(edge: Edge) -> None:
    edge.until(edge.accepted(PHONE)["id"], State.DELIVERED)
    with edge.client() as client:
        health = client.get("/v1/health").json()
    assert health["routes"] == [{"name": "simulator", "in_flight": 0}]
    assert health["queue_age_seconds"] == 0
    assert health["due_notice_age_seconds"] == 0
    assert 0 <= health["last_sweep_age_seconds"] < 30
    assert health["in_flight"] == 0


def test_health_counts_what_waits(edge: Edge) -> None:
    """A number that is never answered is in flight until its time-out."""
    edge.until(edge.accepted("+447700990001")["id"], State.SUBMITTING)
    with edge.client() as client:
        assert client.get("/v1/health").json()["in_flight"] == 1


def test_queue_age_rises_while_nothing_moves(edge: Edge) -> None:
    edge.process.queue.stop()  # nobody dispatches
    edge.accepted(PHONE)
    with edge.client() as client:
        first = client.get("/v1/health").json()["queue_age_seconds"]
        assert 0 <= first < client.get("/v1/health").json()["queue_age_seconds"] < 10


def test_metrics(edge: Edge) -> None:
    with edge.client(None) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    names = {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")}
    assert names >= {
        "mailgate_queue_age_seconds",
        "mailgate_due_notice_age_seconds",
        "mailgate_last_sweep_age_seconds",
        "mailgate_writer_waiting",
        "mailgate_writer_commits_total",
        "mailgate_writer_units_total",
        "mailgate_route_in_flight",
    }
    assert 'mailgate_route_in_flight{route="simulator"} 0.0' in answer.text


# --- the server -------------------------------------------------------------------------------------------


def test_busy_port_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match=rf"^http.listen: {listen}: Address already in use$"):
            asyncio.run(Server(None, listen).start())


@pytest.mark.parametrize("listen", ["nowhere.invalid:8080", "192.0.2.1:0"])
def test_address_that_cannot_be_had(listen: str) -> None:
    with pytest.raises(SettingsError, match=rf"^http.listen: {listen}: "):
        asyncio.run(Server(None, listen).start())


def test_stop_answers_what_is_in_hand(edge: Edge) -> None:
    """A request whose body is still coming when the drain begins is answered, not cut."""
    with socket.create_connection(("127.0.0.1", edge.port)) as peer:
        body = b'{"text": "hello"}'
        head = (
            f"POST /v1/preview HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ACME}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        peer.sendall(head.encode())
        with edge.client() as client:
            assert client.get("/healthz").status_code == 200
        edge.stop()
        peer.sendall(body)
        answer = b"".join(iter(lambda: peer.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"server:" not in answer.lower()
