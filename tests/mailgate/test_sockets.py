"""Listening sockets: every form of address, and those that systemd hands over."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from peers_support import require_peer
from serve_support import clean_environment, free_port

from gateway_core.errors import SettingsError
from mailgate.smtp import sockets


@contextlib.contextmanager
def bound(*listen: str) -> Iterator[list[socket.socket]]:
    made = sockets.bind(listen, "smtp.listen")
    try:
        yield made
    finally:
        for one in made:
            one.close()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


# listen, the addresses that are bound
FORMS = [
    (["127.0.0.1:0"], ["127.0.0.1"]),
    pytest.param(["[::1]:0"], ["::1"], marks=ipv6),
    pytest.param(["127.0.0.1:0", "[::1]:0"], ["127.0.0.1", "::1"], marks=ipv6),
    pytest.param(["*:0"], ["0.0.0.0", "::"], marks=ipv6),
    pytest.param([":0"], ["0.0.0.0", "::"], marks=ipv6),
    pytest.param(["[::]:0"], ["::"], marks=ipv6),
    (["0.0.0.0:0"], ["0.0.0.0"]),
]


@pytest.mark.parametrize(("listen", "wanted"), FORMS)
def test_forms_of_an_address(listen: list[str], wanted: list[str]) -> None:
    with bound(*listen) as made:
        assert [one.getsockname()[0] for one in made] == wanted
        for one in made:
            assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            assert not one.getblocking()
            assert not one.get_inheritable()


@ipv6
def test_both_families_may_have_one_port() -> None:
    port = free_port()
    with bound(f"0.0.0.0:{port}", f"[::]:{port}"):
        assert answers("127.0.0.1", port)
        assert answers("::1", port)
    with bound(f"[::]:{port}"):
        assert not answers("127.0.0.1", port)  # IPv6 means IPv6
        assert answers("::1", port)


@ipv6
def test_every_address_has_one_port_also_when_any_will_do() -> None:
    with bound("*:0") as made:
        ports = {one.getsockname()[1] for one in made}
        assert len(ports) == 1
        assert answers("127.0.0.1", ports.pop())


def test_a_name_is_all_its_addresses() -> None:
    with bound("localhost:0") as made:
        assert made
        assert {one.getsockname()[0] for one in made} <= {"127.0.0.1", "::1"}


def test_a_port_is_free_again_at_once() -> None:
    """Connections of the last run are in TIME_WAIT for a minute."""
    with bound("127.0.0.1:0") as made:
        port = made[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            made[0].setblocking(True)
            made[0].accept()[0].close()  # the side that closes first is the one that waits
            assert client.recv(1) == b""
    with bound(f"127.0.0.1:{port}"):
        pass


# listen, what is wrong
WRONG = [
    ("192.0.2.1:25", "Cannot assign requested address"),
    ("nowhere.invalid:25", ""),
    ("a" * 70 + ".example:25", ""),
    ("127.0.0.1:{busy}", "Address already in use"),
    ("localhost:{busy}", "Address already in use"),
    ("*:{busy}", "Address already in use"),
]


@pytest.mark.parametrize(("listen", "words"), WRONG)
def test_what_cannot_be_had_is_one_line(listen: str, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        wanted = listen.format(busy=other.getsockname()[1])
        before = open_descriptors()
        with pytest.raises(SettingsError) as wrong:
            sockets.bind(["127.0.0.1:0", wanted], "smtp.listen_tls")
        assert str(wrong.value).startswith(f"smtp.listen_tls: {wanted}: {words}")
        assert "\n" not in str(wrong.value)
        assert open_descriptors() == before  # none of ours stays open


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


# --- inherited --------------------------------------------------------------------------------------------

# What a serving process would do: take the sockets, answer one connection on the first one if it is told to.
CHILD = """
import json, os, sys
from gateway_core.errors import SettingsError
from mailgate.smtp import sockets
try:
    found = sockets.inherited()
except SettingsError as error:
    sys.exit(str(error))
print(json.dumps({
    "sockets": {name: [one.getsockname()[1] for one in many] for name, many in found.items()},
    "blocking": [one.getblocking() for many in found.values() for one in many],
    "inheritable": [one.get_inheritable() for many in found.values() for one in many],
    "left": [name for name in os.environ if name.startswith("LISTEN_")],
    "again": sockets.inherited(),
}), flush=True)
if "answer" in sys.argv:
    first = found["smtp"][0]
    first.setblocking(True)
    connection, _ = first.accept()
    connection.sendall(b"220 hello\\r\\n")
"""
# What systemd does between fork and exec: the descriptors from 3 on, and LISTEN_PID (sd_listen_fds(3)).
LAUNCHER = """
import os, sys
given, code = [int(one) for one in sys.argv[1].split(",") if one], sys.argv[2]
high = [os.dup2(one, 100 + index) for index, one in enumerate(given)]
for index, one in enumerate(high):
    os.dup2(one, 3 + index)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-c", code])
"""


def child(given: Sequence[socket.socket | int], **variables: str) -> subprocess.CompletedProcess[str]:
    """A process that inherits these; LISTEN_FDS and LISTEN_PID are right unless they are given."""
    descriptors = [one if isinstance(one, int) else one.fileno() for one in given]
    environment = clean_environment(**{"LISTEN_FDS": str(len(descriptors)), **variables})
    return subprocess.run(
        [sys.executable, "-c", LAUNCHER, ",".join(map(str, descriptors)), CHILD],
        env=environment,
        pass_fds=descriptors,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def taken(given: Sequence[socket.socket | int], **variables: str) -> dict[str, Any]:
    done = child(given, **variables)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def listening() -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]


def ports(given: Sequence[socket.socket]) -> list[int]:
    return [one.getsockname()[1] for one in given]


def test_sockets_come_by_their_names(listening: list[socket.socket]) -> None:
    found = taken(listening, LISTEN_FDNAMES="smtp:smtps:smtp")
    one, two, three = ports(listening)
    assert found["sockets"] == {"smtp": [one, three], "smtps": [two]}
    assert found["blocking"] == [False] * 3
    assert found["inheritable"] == [False] * 3


def test_the_variables_are_gone_so_that_no_child_believes_them(listening: list[socket.socket]) -> None:
    found = taken(listening[:1], LISTEN_FDNAMES="smtp", LISTEN_PIDFDID="1")
    assert found["left"] == []
    assert found["again"] == {}


@pytest.mark.parametrize(
    "variables", [{"LISTEN_PID": "1"}, {"LISTEN_PID": ""}, {"LISTEN_FDS": "0"}, {"LISTEN_FDS": ""}]
)
def test_what_is_for_another_process_is_not_touched(
    listening: list[socket.socket], variables: dict[str, str]
) -> None:
    found = taken(listening[:1], LISTEN_FDNAMES="smtp", **variables)
    assert (found["sockets"], found["left"]) == ({}, [])


@pytest.mark.parametrize("names", ["", "unknown", "mailgate.socket", "http", "SMTP"])
def test_a_socket_of_no_known_name_says_which_names_there_are(
    listening: list[socket.socket], names: str
) -> None:
    done = child(listening[:1], LISTEN_FDNAMES=names)
    assert done.returncode == 1
    assert f"inherited socket {names or 'unknown'!r}" in done.stderr
    assert "FileDescriptorName=smtp " in done.stderr
    assert "FileDescriptorName=smtps" in done.stderr


def test_fewer_names_than_sockets(listening: list[socket.socket]) -> None:
    assert "inherited socket 'unknown'" in child(listening[:2], LISTEN_FDNAMES="smtp").stderr


@pytest.mark.parametrize("count", ["x", "-1", "1.5", "²"])
def test_a_count_that_is_none(listening: list[socket.socket], count: str) -> None:
    assert child(listening[:1], LISTEN_FDNAMES="smtp", LISTEN_FDS=count).stderr.startswith("LISTEN_FDS: ")


def not_listening() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made


def unix(folder: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(folder / "s"))
    made.listen()
    return made


def test_sockets_that_are_of_no_use(tmp_path: Path) -> None:
    cases = [
        (not_listening(), "not a listening socket"),
        (socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "not a TCP socket"),
        (unix(tmp_path), "not a TCP socket"),
    ]
    for given, words in cases:
        with given:
            done = child([given], LISTEN_FDNAMES="smtp")
        assert done.returncode == 1
        assert done.stderr.startswith(f"inherited socket 'smtp' (descriptor 3): {words}"), done.stderr


def test_a_file_is_no_socket(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert "(descriptor 3): not a socket: " in child([file.fileno()], LISTEN_FDNAMES="smtps").stderr


def test_a_descriptor_that_is_not_there(listening: list[socket.socket]) -> None:
    done = child(listening[:1], LISTEN_FDNAMES="smtp:smtp", LISTEN_FDS="2")
    assert "(descriptor 4): not a socket: Bad file descriptor" in done.stderr


def test_systemd_opens_the_socket_and_the_first_client_is_served() -> None:
    """The client connects before our process exists; it waits in the backlog and loses nothing."""
    program = shutil.which("systemd-socket-activate")
    require_peer("systemd-socket-activate", bool(program))
    port = free_port()
    environment = ["--setenv=PATH", f"--setenv=PYTHONPATH={os.pathsep.join(sys.path)}"]
    command = [str(program), f"--listen=127.0.0.1:{port}", "--fdname=smtp", *environment]
    with subprocess.Popen(
        [*command, sys.executable, "-c", CHILD, "answer"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        text=True,
    ) as process:
        try:
            with _connected(port) as client:
                client.settimeout(30)
                assert client.recv(100) == b"220 hello\r\n"
            assert process.stdout
            found = json.loads(process.stdout.read())
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert found["sockets"] == {"smtp": [port]}


def _connected(port: int) -> socket.socket:
    until = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
