"""A real PostgreSQL: Debian's server in a directory of its own, on a free loopback port, stopped by its pid."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from peers_support import require_peer

from gateway_core.storage import tables
from gateway_core.storage.engine import open_engine

_CLEAN = """
DO $$ DECLARE found text; BEGIN
  SET session_replication_role = replica;  -- in any order, whatever refers to whom
  FOR found IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE 'DELETE FROM ' || found;
  END LOOP;
END $$"""


def binaries() -> Path | None:
    """The newest server's programs; None where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@dataclass
class Postgres:
    """A running server."""

    port: int
    pid: int
    directory: Path
    free: list[str] = field(default_factory=list)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres") -> None:
        where = f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"
        with psycopg.connect(where, autocommit=True) as conn:
            conn.execute(statement)  # type: ignore[call-overload]

    def empty(self) -> str:
        """The URL of a new database without tables."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def prepared(self) -> str:
        """The URL of a database with the core's tables, empty. `give_back` it: to make one takes half a second."""
        if self.free:
            return self.free.pop()
        url = self.empty()
        engine = open_engine(url, writes=True)
        tables.metadata.create_all(engine)
        engine.dispose()
        return url

    def give_back(self, url: str) -> None:
        name = url.rpartition("/")[2]
        gone = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        self.run(gone)
        self.run(_CLEAN, name)
        self.free.append(url)

    def drop(self, url: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")


def _as_unprivileged(*command: str) -> list[str]:
    """The server refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.getuid() == 0 else list(command)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(programs: Path, directory: Path) -> Postgres:
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(directory, account.pw_uid, account.pw_gid)
    data, port = directory / "data", _free_port()
    initdb = [
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    subprocess.run(_as_unprivileged(*initdb, "--locale=C"), check=True, capture_output=True, cwd=directory)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=on"
    start = [
        str(programs / "pg_ctl"),
        "-D",
        str(data),
        "-o",
        options,
        "-l",
        str(directory / "log"),
        "-w",
        "start",
    ]
    subprocess.run(_as_unprivileged(*start), check=True, capture_output=True, cwd=directory)
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    return Postgres(port, pid, directory)


def _wait_until_gone(pid: int) -> None:
    """Until the server has ended; it is no child of ours."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select  # noqa: PLC0415

    select.select([handle], [], [], 20)
    os.close(handle)


@contextmanager
def server(programs: Path) -> Iterator[Postgres]:
    """A server for as long as it is needed."""
    directory = Path(tempfile.mkdtemp(prefix="mailgate-postgres-"))
    try:
        started = _start(programs, directory)
        try:
            yield started
        finally:
            os.kill(started.pid, signal.SIGINT)  # fast shutdown
            _wait_until_gone(started.pid)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this run of the suite. Skips where it is not installed; fails with CI=true."""
    programs = binaries()
    require_peer("PostgreSQL", programs is not None)
    assert programs is not None
    with server(programs) as started:
        yield started
