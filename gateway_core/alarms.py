"""Alarms: what an account's own people should know before its users notice."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from gateway_core import money, notices
from gateway_core.accounts import Account
from gateway_core.notices import Notice
from gateway_core.storage.ids import Ids


def owe_credit_alarms(
    conn: Connection,
    ids: Ids,
    accounts: Sequence[Account],
    before: Mapping[int, int],
    after: Mapping[int, int],
) -> None:
    """One alarm for each crossing of credit_alarm, to each of alarm_to. `before` and `after` are what may be spent."""
    owed = []
    for account in {account.id: account for account in accounts}.values():
        level = account.terms.credit_alarm
        if level is None or not account.terms.alarm_to:
            continue
        least = level + account.credit_limit
        if after[account.id] <= least < before[account.id]:
            balance = money.show(after[account.id] - account.credit_limit, account.currency)
            facts = {"account": account.name, "balance": balance, "currency": account.currency}
            key = f"credit:{account.id}:{ids.new()}"
            owed += [
                Notice(account.id, f"{key}:{address}", "alarm", facts, f"mailto:{address}")
                for address in account.terms.alarm_to
            ]
    notices.owe(conn, ids, owed)
