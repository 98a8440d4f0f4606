"""The command line: parses, runs one command, turns errors into one line. Exit codes: 0 done, 1 refused or
failed, 2 wrong use.
"""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from gateway_core.errors import GatewayError

_CONFIG = "settings file (default: the embedded default, data under ./var)"


def main(argv: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # a text may hold what the terminal has no letter for
    os.umask(0o077)  # databases, mails and secrets are nobody else's to read
    try:
        code = _run(arguments)
    except GatewayError as error:
        print(f"mailgate: {error}", file=sys.stderr)
        code = 1
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _run(arguments: argparse.Namespace) -> int:
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - heavy, and not needed for --help

    from mailgate.cli import logs  # noqa: PLC0415

    logs.to_stderr()
    command = getattr(importlib.import_module(f"mailgate.cli.{arguments.module}"), arguments.function)
    try:
        return int(command(arguments))
    except DBAPIError as error:
        words = " ".join(str(error.orig).split())
        print(f"mailgate: database.url: {words}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mailgate", description="An email-to-SMS bridge: mail a number, the phone gets a text."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    serve = _add(commands, "serve", "run every role in one process", "serve", "serve")
    serve.add_argument("--role", metavar="ROLES", help="of smtp,http,imap,worker,link; default: all")
    _add(commands, "check", "validate settings and rows, connect to everything", "check", "check")
    _add(commands, "migrate", "bring the database to this version", "rows", "migrate")

    apply = _add(commands, "apply", "create or update rows from TOML, all or nothing", "rows", "apply_file")
    apply.add_argument("file", metavar="FILE")
    apply.add_argument("--dry-run", action="store_true", help="say what would change, change nothing")

    _explain(commands)
    _messages(commands)
    _accounts(commands)
    _routes(commands)
    _optouts(commands)
    _notices(commands)
    _legacy(commands)
    refusals = _add(commands, "refusals", "what was not accepted, newest first", "messages", "refusals")
    refusals.add_argument("--limit", type=_positive, default=100)
    _json(refusals)
    return parser


def _explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    explain = _add(
        commands, "explain", "what would become of each mail, without doing it", "explain", "explain"
    )
    explain.add_argument("files", metavar="FILE", nargs="+", help="a mail, or a folder of mails")
    explain.add_argument(
        "--from", dest="mail_from", metavar="ADDR", help="envelope sender (default: the From)"
    )
    explain.add_argument(
        "--to", metavar="ADDR", action="append", default=[], help="envelope recipient; may repeat"
    )
    explain.add_argument("--ip", default="127.0.0.1", help="where the mail comes from (default: 127.0.0.1)")
    _json(explain)
    whocan = _add(commands, "whocan", "may this sender text this number?", "explain", "whocan")
    whocan.add_argument("--from", dest="mail_from", metavar="ADDR", required=True)
    whocan.add_argument("--ip", required=True)
    whocan.add_argument("--to", metavar="NUMBER", required=True)
    _json(whocan)


def _messages(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    message = commands.add_parser("message", help="list, show, cancel messages")
    actions = message.add_subparsers(title="actions", metavar="ACTION", required=True)
    listed = _add(actions, "list", "newest first", "messages", "list_messages")
    listed.add_argument("--account", metavar="NAME")
    listed.add_argument("--state", type=str.upper)
    listed.add_argument("--to", metavar="NUMBER", help="in E.164: +447700900123")
    listed.add_argument("--limit", type=_positive, default=50)
    _json(listed)
    show = _add(actions, "show", "one message with its trail", "messages", "show_message")
    show.add_argument(
        "id", metavar="ID", help="a message id, the submission id of the 250 line, or a Message-ID"
    )
    _json(show)
    cancel = _add(actions, "cancel", "take back what no carrier has yet", "messages", "cancel_message")
    cancel.add_argument("id", metavar="ID")


def _accounts(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    account = commands.add_parser("account", help="list, show, credit accounts")
    actions = account.add_subparsers(title="actions", metavar="ACTION", required=True)
    _json(_add(actions, "list", "all accounts", "accounts", "list_accounts"))
    show = _add(actions, "show", "one account, its terms and rules", "accounts", "show_account")
    show.add_argument("name", metavar="NAME")
    _json(show)
    statement = _add(
        actions, "statement", "a month's money; default: the last one made", "accounts", "show_statement"
    )
    statement.add_argument("name", metavar="NAME")
    statement.add_argument("month", metavar="YYYY-MM", nargs="?")
    statement.add_argument("--csv", action="store_true", help="as CSV")
    _json(statement)
    credit = _add(actions, "credit", "top up, or take back with a minus", "accounts", "credit_account")
    credit.add_argument("name", metavar="NAME")
    credit.add_argument("amount", metavar="AMOUNT", help="such as 25.00")
    credit.add_argument("--note", default="", metavar="TEXT")
    credit.add_argument("--key", default="", metavar="KEY", help="a repeat under it is not entered again")


def _optouts(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    optout = commands.add_parser("optout", help="list, add, remove handsets that must not be texted")
    actions = optout.add_subparsers(title="actions", metavar="ACTION", required=True)
    listed = _add(actions, "list", "those that changed last first", "optouts", "list_optouts")
    listed.add_argument("handset", metavar="NUMBER", nargs="?", help="in E.164: +447700900123; default: all")
    _scope(listed)
    _json(listed)
    for action, words in (("add", "text it no more"), ("remove", "it may be texted again")):
        one = _add(actions, action, words, "optouts", f"{action}_optout")
        one.add_argument("handset", metavar="NUMBER", help="in E.164: +447700900123")
        one.add_argument("--note", default="", metavar="TEXT", help="why; kept with it")
        _scope(one)


def _scope(command: argparse.ArgumentParser) -> None:
    whose = command.add_mutually_exclusive_group()
    whose.add_argument("--account", metavar="NAME", help="of this account only")
    whose.add_argument("--number", metavar="SHARED", help="of texts from this shared number")


def _notices(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    notice = commands.add_parser("notice", help="list what is owed by mail, and what became of it")
    actions = notice.add_subparsers(title="actions", metavar="ACTION", required=True)
    listed = _add(actions, "list", "newest first", "notices", "list_notices")
    listed.add_argument("--state", choices=("DUE", "DONE", "DEAD"), type=str.upper)
    listed.add_argument("--limit", type=_positive, default=50)
    _json(listed)
    bounce = commands.add_parser("bounce", help="list, remove addresses whose mail comes back")
    actions = bounce.add_subparsers(title="actions", metavar="ACTION", required=True)
    _json(_add(actions, "list", "newest first", "notices", "list_bounces"))
    remove = _add(actions, "remove", "mail there again", "notices", "remove_bounce")
    remove.add_argument("address", metavar="ADDR")


def _routes(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    route = commands.add_parser("route", help="list, pause, resume routes")
    actions = route.add_subparsers(title="actions", metavar="ACTION", required=True)
    _json(_add(actions, "list", "all routes, with what waits on each", "routes", "list_routes"))
    for action, words in (("pause", "hold what is for it"), ("resume", "let it go again")):
        one = _add(actions, action, words, "routes", f"{action}_route")
        one.add_argument("name", metavar="NAME")


def _legacy(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    legacy = commands.add_parser("legacy", help="list, show first contacts of devices with a legacy profile")
    actions = legacy.add_subparsers(title="actions", metavar="ACTION", required=True)
    _json(_add(actions, "list", "newest first", "legacy", "list_contacts"))
    show = _add(actions, "show", "what one device said", "legacy", "show_contact")
    show.add_argument("peer", metavar="PEER", help="its IP address")
    _json(show)


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    words: str,
    module: str,
    function: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=words)
    parser.add_argument("--config", metavar="FILE", help=_CONFIG)
    parser.set_defaults(module=module, function=function)
    return parser


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
