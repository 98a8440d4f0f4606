"""`mailgate check`: settings, database, every row, the ledger, the smarthost; a table, exit 0 or 1."""

import argparse
import contextlib
import datetime as dt
import ipaddress
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from gateway_core import ledger, notices
from gateway_core.carriers import CARRIERS
from gateway_core.directory import Snapshot
from gateway_core.errors import GatewayError
from gateway_core.gateway import Gateway
from gateway_core.routing import Route
from mailgate import outbound, secret, trust
from mailgate.cli import gaps, opening, printing
from mailgate.outbound import MX, Outbound, Times, Unreachable
from mailgate.settings import LegacySettings, Settings, explain
from mailgate.smtp.tls import Certificates
from mailgate.trust import Rule, Rules

_SOON = dt.timedelta(days=14)  # a renewal that runs by itself is late by then


@dataclass(frozen=True, slots=True)
class Found:
    """One line of the table. `good` None: worth knowing, no fault."""

    what: str
    good: bool | None
    words: str


def check(arguments: argparse.Namespace) -> int:
    found: list[Found] = []
    try:
        chosen, embedded = opening.read_settings(arguments)
        source = "embedded default" if embedded else arguments.config or os.environ["MAILGATE_CONFIG"]
        found.append(Found("settings", True, source))
        found += _database(arguments, chosen, embedded=embedded)
    except GatewayError as error:
        found.append(Found("settings", False, str(error)))
    marks = {True: "ok", False: "FAULT", None: "note"}
    printing.table(("check", "", "found"), [(line.what, marks[line.good], line.words) for line in found])
    return 1 if any(line.good is False for line in found) else 0


def _database(arguments: argparse.Namespace, chosen: Settings, *, embedded: bool) -> list[Found]:
    found = [_tried("secrets", lambda: f"{len(secret.load(chosen, make=False))} in use")]
    found += [_certificate(chosen), *(_legacy(name, one) for name, one in chosen.legacy.items())]
    found += _outbound(chosen)
    if embedded and not opening.has_database(chosen):
        return [*found, _could_be_made(chosen)]
    try:
        with opening.gateway(arguments) as opened:
            found.append(Found("database", True, chosen.database.url.rpartition("@")[2]))
            found += _rows(opened.gateway, chosen)
    except GatewayError as error:
        found.append(Found("database", False, str(error)))
    except DBAPIError as error:
        found.append(Found("database", False, "database.url: " + " ".join(str(error.orig).split())))
    return found


def _could_be_made(chosen: Settings) -> Found:
    folder = chosen.data.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if os.access(there, os.W_OK | os.X_OK) and there.is_dir():
        return Found("database", None, "not there yet; serve makes it")
    return Found("database", False, f"database.url: nothing can be made in {there}")


def _rows(gateway: Gateway, chosen: Settings) -> list[Found]:
    snapshot = gateway.snapshot
    found = [Found("accounts", bool(snapshot.accounts) or None, f"{len(snapshot.accounts)}")]
    found += [_route(route) for route in snapshot.routes] or [
        Found("routes", None, "none: nothing can be texted")
    ]
    found += _accounts(snapshot)
    found += [Found(what, None, words) for what, words in gaps.find(snapshot)]
    with gateway.reader.connect() as conn:
        wrong = ledger.disagreements(conn)
        dead = notices.count_dead(conn)
        rules = trust.load(conn, snapshot, loopback_only=opening.listens_on_loopback(chosen))
    found += [
        Found("ledger", False, f"{name}: balance {held}, entries {summed}") for name, held, summed in wrong
    ]
    if not wrong:
        found.append(Found("ledger", True, "every balance is the sum of its entries"))
    if dead:
        found.append(
            Found(
                "notices",
                None,
                f"{dead} were given up: their mail was refused or could not be sent (notice list --state DEAD)",
            )
        )
    return [*found, *_senders(rules, chosen)]


def _senders(rules: Rules, chosen: Settings) -> list[Found]:
    count = len(rules.by_address)
    words = f"{count} rule{'' if count == 1 else 's'}"
    if trust.ANYBODY in rules.by_address:
        words += "; anybody on this machine may text (embedded default)"
    found = [Found("senders", bool(rules.by_address) or None, words)]
    if rules.has_logins and not chosen.smtp.tls_certificate:
        found.append(
            Found("logins", False, "smtp.tls_certificate: a login needs TLS, so nobody can log in without it")
        )
    return found + [Found(f"sender {rule.address}", None, words) for rule, words in _weak(rules, chosen)]


_SHARED = 1024  # addresses; a network of more is rarely one company's


def _weak(rules: Rules, chosen: Settings) -> Iterator[tuple[Rule, str]]:
    """Rules that a stranger may get past, or that nobody can fulfil."""
    for rule in rules.by_address.values():
        if rule.accept == "spf":
            yield (
                rule,
                "spf: whoever sends through the same provider passes; dmarc or ip-and-dmarc is stronger",
            )
        if rule.accept == "secret" and not chosen.smtp.tls_certificate:
            yield rule, "secret: without smtp.tls_certificate it crosses the network in the clear"
        if "ip" in rule.accept.split("-") and rule.accept != "ip-and-dmarc" and rule.address != trust.ANYBODY:
            wide = [text for text in rule.ips if _is_wide(text)]
            whole = "for a whole domain, " if rule.address.startswith("@") else ""
            if wide:
                yield rule, f"ip: {whole}{', '.join(wide)}: everybody in there may write in its name"


def _is_wide(text: str) -> bool:
    """A network of the Internet that is more than one company's, such as a shared provider's."""
    network = ipaddress.ip_network(text)
    if network.is_private or network.is_loopback:
        return False
    return network.num_addresses > (_SHARED if network.version == 4 else 1 << 80)


def _route(route: Route) -> Found:
    name = f"route {route.name}"
    if route.carrier not in CARRIERS:
        return Found(name, False, f"carrier: {route.carrier} is not known")
    model = CARRIERS[route.carrier].settings_model
    try:
        model.model_validate(route.settings)
    except ValidationError as error:
        return Found(name, False, f"settings: {explain(error, model)}")
    return Found(name, True, route.carrier + (", paused" if route.paused else ""))


def _accounts(snapshot: Snapshot) -> list[Found]:
    """What would make every text of an account fail."""
    found = []
    for account in snapshot.accounts.values():
        name = f"account {account.name}"
        if not account.terms.sender_id and not snapshot.default_number(account.id):
            found.append(
                Found(name, False, "sender_id: neither a sender ID nor a number: its texts are refused")
            )
        if account.terms.sender_id and account.terms.sender_id not in snapshot.numbers:
            found.append(Found(name, None, f"sender_id: to {account.terms.sender_id} no answer can come"))
        if not any(price.currency == account.currency for price in snapshot.prices):
            found.append(Found(name, False, f"no price in {account.currency}: its texts are refused"))
    return found


def _certificate(chosen: Settings) -> Found:
    smtp = chosen.smtp
    if not smtp.tls_certificate:
        return Found("certificate", None, "none: TLS is not offered, and nobody can log in")
    try:
        not_after = Certificates(smtp.tls_certificate, smtp.tls_key).not_after
    except GatewayError as error:
        return Found("certificate", False, str(error))
    left = not_after - dt.datetime.now(dt.UTC)
    if left < dt.timedelta():
        return Found("certificate", False, f"smtp.tls_certificate: expired on {not_after:%Y-%m-%d}")
    return Found(
        "certificate", None if left < _SOON else True, f"expires on {not_after:%Y-%m-%d}, in {left.days} days"
    )


def _legacy(name: str, profile: LegacySettings) -> Found:
    switches = [key for key, value in profile if value is True]
    switches += [f"charset {profile.charset}"] if profile.charset else []
    words = ", ".join(switches) or "nothing is switched on"
    return Found(f"legacy {name}", bool(switches) or None, f"{', '.join(profile.ips)}: {words}")


def _tried(what: str, work: Callable[[], str]) -> Found:
    try:
        return Found(what, True, work())
    except GatewayError as error:
        return Found(what, False, str(error))


def _outbound(chosen: Settings) -> list[Found]:
    """Where mail goes, and whether it is signed."""
    settings = chosen.outbound
    try:
        door = Outbound(chosen, times=Times(connect=10, command=10))
    except GatewayError as error:
        return [Found("smarthost", False, str(error))]
    with contextlib.closing(door):
        return [_smarthost(chosen, door), *([_signatures(chosen)] if settings.dkim_key else [])]


def _smarthost(chosen: Settings, door: Outbound) -> Found:
    if not chosen.outbound.smarthost:
        return Found("smarthost", None, f"none: mail is kept in {outbound.outbox(chosen)}")
    if chosen.outbound.smarthost == MX:
        return Found("smarthost", None, "mx: none, mail goes straight to the servers of each domain")
    try:
        where = door.reach()
    except Unreachable as error:
        return Found("smarthost", False, f"outbound.smarthost: takes no mail: {error}")
    except OSError as error:
        return Found("smarthost", False, f"outbound.smarthost: no connection: {error.strerror or error}")
    return Found("smarthost", True, f"{where} answers")


def _signatures(chosen: Settings) -> Found:
    settings, domain = chosen.outbound, chosen.outbound.dkim_domain
    words = f"as {domain}; the public key belongs at {settings.dkim_selector}._domainkey.{domain}"
    reports = settings.from_address.rpartition("@")[2].lower()
    authors = {"outbound.from_address": reports, "mail.domains": chosen.mail.domains[0]}
    outside = [name for name, author in authors.items() if not f".{author}".endswith(f".{domain}")]
    if not outside:
        return Found("signatures", True, words)
    return Found("signatures", None, f"{words}; mail from {' and '.join(outside)} is outside, and not signed")
