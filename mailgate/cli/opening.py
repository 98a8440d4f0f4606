"""What every command needs first: settings, the database at the right version, a gateway."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Engine

from gateway_core.errors import SettingsError
from gateway_core.gateway import Gateway
from gateway_core.process import opened
from gateway_core.storage import schema
from gateway_core.storage.engine import database_url, open_engine
from mailgate import secret, settings
from mailgate.checks import Intake
from mailgate.settings import Settings
from mailgate.trust import Book

_LOOPBACK = ("127.", "[::1]", "localhost:", "::1:")


@dataclass(frozen=True, slots=True)
class Opened:
    settings: Settings
    embedded: bool
    gateway: Gateway


def read_settings(arguments: argparse.Namespace) -> tuple[Settings, bool]:
    """(settings, whether this is the embedded default)."""
    return settings.load(arguments.config), settings.is_embedded_default(arguments.config)


def database(url: str) -> Engine:
    """For writing. Raises SettingsError when its folder can be neither found nor made."""
    try:
        return open_engine(url, writes=True)
    except OSError as error:
        raise SettingsError(f"database.url: {url}: {error.strerror or error}") from None


def prepare_database(chosen: Settings, *, embedded: bool) -> None:
    """The embedded default migrates by itself; elsewhere an old database is an error that names the command."""
    engine = database(chosen.database.url)
    try:
        if embedded:
            schema.migrate(engine)
        else:
            schema.require_current(engine)
    finally:
        engine.dispose()


def has_database(chosen: Settings) -> bool:
    """False when it is SQLite and the file is not there: then nothing is made just by looking."""
    parsed = database_url(chosen.database.url)
    return (
        parsed.get_backend_name() != "sqlite"
        or (chosen.data / str(parsed.database).rpartition("/")[2]).exists()
    )


@contextlib.contextmanager
def gateway(arguments: argparse.Namespace) -> Iterator[Opened]:
    """For commands on a database that must be there. Raises SettingsError."""
    chosen, embedded = read_settings(arguments)
    if not has_database(chosen):
        raise SettingsError(
            f"database.url: {chosen.database.url} does not exist yet; run mailgate serve or migrate"
        )
    prepare_database(chosen, embedded=embedded)
    with opened(chosen.database.url) as open_gateway:
        yield Opened(chosen, embedded, open_gateway)


def intake_of(chosen: Settings, open_gateway: Gateway, *, make_secret: bool = True) -> Intake:
    secrets = secret.load(chosen, make=make_secret)
    book = Book(open_gateway, loopback_only=listens_on_loopback(chosen))
    return Intake(open_gateway, chosen, book, secrets, secret.loop_token(secrets[0]))


def listens_on_loopback(chosen: Settings) -> bool:
    """Whether nobody but this machine can come in, neither at a socket nor through a balancer."""
    if chosen.smtp.proxy_protocol_from or os.environ.get("LISTEN_FDS"):
        return False
    listening = (*chosen.smtp.listen, *chosen.smtp.listen_tls, chosen.http.listen)
    return all(listen.startswith(_LOOPBACK) for listen in listening)
