"""`mailgate account list|show|credit`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from gateway_core import ledger, money
from gateway_core.accounts import Account
from gateway_core.errors import SettingsError
from gateway_core.gateway import Gateway
from gateway_core.storage.ids import Ids
from mailgate import tables
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


@dataclass(frozen=True, slots=True)
class _Credit:
    ids: Ids
    entry: ledger.Entry


def credit_account(arguments: argparse.Namespace) -> int:
    try:
        amount = money.parse(arguments.amount)
    except ValueError as error:
        raise SettingsError(f"AMOUNT: {error}") from None
    with opening.gateway(arguments) as opened:
        account = _account(opened.gateway, arguments.name)
        entry = ledger.Entry(account.id, "credit", amount, arguments.note)
        balance = opened.gateway.writer.put(_credit, _Credit(opened.gateway.ids, entry)).result()
    if balance is None:
        raise SettingsError(f"AMOUNT: {account.name} has not that much left to take back")
    print(f"{account.name} has {money.show(balance, account.currency)} {account.currency}")
    return 0


def _credit(conn: Connection, units: Sequence[_Credit]) -> list[int | None]:
    """Fold: write the entry, unless it would take more than there is. Returns the balance after it."""
    results: list[int | None] = []
    for unit in units:
        spendable = ledger.lock(conn, [unit.entry.account_id])[unit.entry.account_id]
        if spendable + unit.entry.amount < 0:
            results.append(None)
            continue
        ledger.record(conn, unit.ids, [unit.entry])
        results.append(ledger.balance(conn, unit.entry.account_id))
    return results


def _account(gateway: Gateway, name: str) -> Account:
    account = gateway.snapshot.account(name)
    if account is None:
        known = ", ".join(sorted(account.name for account in gateway.snapshot.accounts.values()))
        raise SettingsError(f"there is no account {name!r}; known: {known or 'none'}")
    return account
