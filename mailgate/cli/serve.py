"""`mailgate serve`: every role in one process, until SIGTERM or Ctrl-C; then a drain that loses nothing."""

import argparse
import asyncio
import signal
from collections.abc import Sequence

import structlog

from gateway_core.errors import SettingsError
from gateway_core.process import Process
from mailgate import embedded as embedded_default
from mailgate import jobs
from mailgate.checks import Intake
from mailgate.cli import opening, running
from mailgate.outbound import Outbound
from mailgate.settings import Settings
from mailgate.smtp.listener import Listener
from mailgate.smtp.processes import Processes

ROLES = frozenset({"smtp", "http", "imap", "worker", "link"})

log = structlog.get_logger(__name__)


def serve(arguments: argparse.Namespace) -> int:
    _check_roles(arguments.role)
    chosen, embedded = opening.read_settings(arguments)
    outbound = Outbound(chosen)  # before anything is made: wrong settings are better known now
    opening.prepare_database(chosen, embedded=embedded)
    process = Process(chosen.database.url)
    try:
        made = embedded and embedded_default.make(process.gateway, chosen.data)
        state = opening.intake_of(chosen, process.gateway)
        jobs.declare(process.queue, state, outbound)
        running.runner().run(_serve(state, process, embedded=embedded, made=made))
    finally:
        outbound.close()  # first: the process waits for its jobs
        process.stop()
    return 0


def _check_roles(role: str | None) -> None:
    named = set(role.split(",")) if role else set(ROLES)
    if named - ROLES:
        raise SettingsError(
            f"--role: {', '.join(sorted(named - ROLES))}: known roles are {', '.join(sorted(ROLES))}"
        )
    if role and named < ROLES - {"imap"}:
        raise SettingsError("--role: this version runs all roles in one process; leave --role out")


async def _serve(state: Intake, process: Process, *, embedded: bool, made: bool) -> None:
    from mailgate.http.app import create_app  # noqa: PLC0415 - FastAPI takes half a second to import
    from mailgate.http.server import Server  # noqa: PLC0415

    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    listener = _listener(state, process)
    app = create_app(state, process=process, embedded=embedded, listener_draining=stopping.is_set)
    http = Server(app, state.settings.http.listen)
    await listener.start()
    try:
        await http.start()
        process.start()
        running.calm_collector()
        log.info("serving", smtp=_shown(listener.addresses), http=http.port)
        if embedded:
            print(_what_to_try(state.settings, made=made), flush=True)
        await stopping.wait()
        log.info("draining")
    finally:
        await listener.drain()
        await http.stop()


def _listener(state: Intake, process: Process) -> Listener | Processes:
    if state.settings.smtp.processes == 1:
        return Listener(state)
    return Processes(state, process, loopback_only=opening.listens_on_loopback(state.settings))


def _shown(places: Sequence[tuple[str, int]]) -> str:
    """As `smtp.listen` has them."""
    return ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in places)


def _what_to_try(chosen: Settings, *, made: bool) -> str:
    host, _, port = chosen.smtp.listen[0].rpartition(":")
    domain, pages = chosen.mail.domains[0], f"http://{chosen.http.listen}"
    if "public_url" in chosen.http.model_fields_set:
        pages = chosen.http.public_url.rstrip("/")
    key = (
        f"\n  An API key for the demo account:  {(chosen.data / 'demo-key').read_text().strip()}"
        if made
        else ""
    )
    return f"""
mailgate is running. Text a phone by mail: set {host}:{port} as outgoing server and write to
07700900123@{domain}, or paste this line:

  python3 -c "import smtplib; smtplib.SMTP('{host}', {port}).sendmail('me@example.com', \
['07700900123@{domain}'], 'From: me@example.com\\nSubject: hello\\n\\nHello from my mail')"

  The phone that gets it:           {pages}/phones/447700900123
  Receipts and answers as mail:     {pages}/outbox{key}

Ctrl-C stops it; nothing accepted is lost."""
