"""`mailgate account list|show|credit`."""

import argparse
from typing import Any

from sqlalchemy import Connection, select

from gateway_core import ledger, money, topups
from gateway_core import statements as core_statements
from gateway_core.accounts import Account
from gateway_core.errors import NoCredit, Refused, SettingsError
from gateway_core.gateway import Gateway
from gateway_core.topups import TopUp
from mailgate import statements, tables
from mailgate.cli import opening, printing


def list_accounts(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        accounts = sorted(opened.gateway.snapshot.accounts.values(), key=lambda account: account.name)
        shown = [_summary(conn, account) for account in accounts]
    if arguments.json:
        printing.as_json(shown)
    else:
        columns = ("name", "billing", "balance", "currency", "credit_limit")
        printing.table(columns, [[account[column] for column in columns] for account in shown])
    return 0


def _summary(conn: Connection, account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "billing": account.billing,
        "balance": money.show(ledger.balance(conn, account.id), account.currency),
        "currency": account.currency,
        "credit_limit": money.show(account.credit_limit, account.currency),
    }


def show_account(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        account = _account(opened.gateway, arguments.name)
        s = tables.sender.c
        rules = conn.execute(
            select(tables.sender).where(s.account_id == account.id).order_by(s.address)
        ).mappings()
        numbers = [n.msisdn for n in opened.gateway.snapshot.numbers.values() if n.account_id == account.id]
        shown = {
            **_summary(conn, account),
            **account.terms.model_dump(mode="json"),
            "numbers": numbers,
            "senders": [{"address": r["address"], "ips": r["ips"], "accept": r["accept"]} for r in rules],
        }
    if arguments.json:
        printing.as_json(shown)
    else:
        for name, value in shown.items():
            print(f"{name:24}{value if not isinstance(value, list) else ', '.join(map(str, value))}")
    return 0


def show_statement(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        account = _account(opened.gateway, arguments.name)
        found = core_statements.stored(conn, account.id, arguments.month)
    if not found:
        which = arguments.month or "any month"
        raise SettingsError(f"{arguments.name} has no statement of {which}; they are made on the 1st")
    if arguments.json:
        printing.as_json(found[0])
    else:
        print((statements.as_csv if arguments.csv else statements.as_words)(found[0]), end="")
    return 0


def credit_account(arguments: argparse.Namespace) -> int:
    try:
        amount = money.parse(arguments.amount)
    except ValueError as error:
        raise SettingsError(f"AMOUNT: {error}") from None
    with opening.gateway(arguments) as opened:
        account = _account(opened.gateway, arguments.name)
        unit = TopUp(opened.gateway.ids, account.id, amount, arguments.note, arguments.key)
        entered = opened.gateway.writer.put(topups.enter, unit).result()
    if isinstance(entered, NoCredit):
        raise SettingsError(f"AMOUNT: {account.name} has not that much left to take back")
    if isinstance(entered, Refused):
        raise SettingsError(f"--key: {entered}")
    again = ", as before: this key was entered already" if entered.repeat else ""
    print(f"{account.name} has {money.show(entered.balance, account.currency)} {account.currency}{again}")
    return 0


def _account(gateway: Gateway, name: str) -> Account:
    account = gateway.snapshot.account(name)
    if account is None:
        known = ", ".join(sorted(account.name for account in gateway.snapshot.accounts.values()))
        raise SettingsError(f"there is no account {name!r}; known: {known or 'none'}")
    return account
