"""`mailgate explain` and `mailgate whocan`: the same checks as the listener's, and nothing done."""

import argparse
import contextlib
import ipaddress
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway_core.errors import SettingsError
from gateway_core.process import opened
from mailgate import embedded as embedded_default
from mailgate import explain as explaining
from mailgate.checks import Intake
from mailgate.cli import opening, printing


def explain(arguments: argparse.Namespace) -> int:
    _check_ip(arguments.ip)
    code = 0
    with _judge(arguments) as state:
        for name, path in _mails(arguments.files):
            try:
                raw = path.read_bytes()
            except OSError as error:
                printing.complain(f"{name}: {error.strerror or error}")
                code = 1
                continue
            found = explaining.explain(state, raw, arguments.mail_from, arguments.to, arguments.ip)
            _show({"file": name, **found}, as_json=arguments.json)
    return code


def whocan(arguments: argparse.Namespace) -> int:
    _check_ip(arguments.ip)
    with _judge(arguments) as state:
        found = explaining.whocan(state, arguments.mail_from, arguments.ip, arguments.to)
    if arguments.json:
        printing.as_json(found)
    else:
        _print_checks(found["checks"])
    if found["outcome"] == "refused":
        printing.complain(found["reason"])
        return 1
    if not arguments.json:
        print(
            f"{arguments.mail_from} may text {found['to']} for {found['account']}, by route {found['route']}"
        )
    return 0


@contextlib.contextmanager
def _judge(arguments: argparse.Namespace) -> Iterator[Intake]:
    """The real database; without one, the embedded default as if it had just been made, and gone afterwards."""
    chosen, embedded = opening.read_settings(arguments)
    if opening.has_database(chosen):
        with opening.gateway(arguments) as there:
            yield opening.intake_of(there.settings, there.gateway, make_secret=False)
        return
    if not embedded:
        raise SettingsError(f"database.url: {chosen.database.url} does not exist yet; run mailgate migrate")
    with tempfile.TemporaryDirectory() as folder:
        database = chosen.database.model_copy(update={"url": f"sqlite:///{folder}/mailgate.db"})
        passing = chosen.model_copy(update={"database": database})
        opening.prepare_database(passing, embedded=True)
        with opened(database.url) as gateway:
            embedded_default.make(gateway, Path(folder))
            yield opening.intake_of(passing, gateway)


def _mails(files: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """(name to show, path): a file as it was typed, a folder's files by the path found."""
    for name in files:
        path = Path(name)
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                if found.is_file():
                    yield str(found), found
        else:
            yield name, path


def _check_ip(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise SettingsError(f"--ip: {text!r} is not an IP address") from None


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        printing.as_json(found)
        return
    print(f"{found['file']}: {found['outcome']}{': ' if found['reason'] else ''}{found['reason']}")
    _print_checks(found["checks"])
    print(f"  from     {found['from']}\n  subject  {found['subject']}")
    for recipient in found["recipients"]:
        print(
            f"  to       {recipient['to']}: {recipient['outcome']} {recipient['reason'] or recipient['route'] or ''}"
        )
    print(f"  text     {_size(found)}")
    for line in found["text"].splitlines():
        print(f"  | {line}")
    for removed in found["removed"]:
        lines = (" ".join(line.split()) for line in removed["text"].splitlines())
        print(f"  cut ({removed['why']}): {' / '.join(filter(None, lines))[:100]}")
    print()


def _size(found: dict[str, Any]) -> str:
    count = found["segments"]
    if not count:
        return "none"
    segments = "1 segment" if count == 1 else f"{count} segments"
    return f"{segments}, {found['encoding']}, price {found['price'] or '-'}"


def _print_checks(checks: Sequence[dict[str, str]]) -> None:
    for check in checks:
        print(f"  {check['verdict']:8} {check['name']}{': ' if check['detail'] else ''}{check['detail']}")
