"""The embedded default: what a newcomer needs in order to text a simulated phone, and nothing that costs money."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, insert, select

from gateway_core.gateway import Gateway
from gateway_core.storage import tables
from gateway_core.storage.ids import Ids
from mailgate import apply, rows, secret, trust
from mailgate import tables as mail_tables

ACCOUNT = "demo"
NUMBER = "+447700900900"  # of Ofcom's numbers for drama: nobody's


def document(api_key: str) -> rows.Document:
    return rows.Document.model_validate(
        {
            "account": [
                {
                    "name": ACCOUNT,
                    "currency": "GBP",
                    "opening_credit": "100.00",
                    "region": "GB",
                    "receipts": "all",
                    "test": True,
                    "api_keys": [api_key],
                }
            ],
            "number": [{"msisdn": NUMBER, "account": ACCOUNT}],
            "route": [{"name": "sim", "carrier": "simulator"}],
            "price": [{"prefix": "*", "per_segment": "0.05", "currency": "GBP"}],
        }
    )


def make(gateway: Gateway, data: Path) -> bool:
    """Make the demo account when the database has no account at all. Returns whether it did.

    The API key is in the file `demo-key` beside the database before the row exists, so that it is never lost.
    """
    if gateway.snapshot.accounts:
        return False
    key = secret.keep(data / "demo-key", secrets.token_hex(20))
    made = gateway.writer.put(_write, (gateway.ids, document(key))).result()
    gateway.directory.refresh()
    return made


def _write(conn: Connection, units: Sequence[tuple[Ids, rows.Document]]) -> list[bool]:
    results = []
    for ids, wanted in units:
        if conn.execute(select(tables.account.c.id).limit(1)).first():
            results.append(False)
            continue
        apply.apply(conn, ids, wanted)
        account_id = conn.execute(
            select(tables.account.c.id).where(tables.account.c.name == ACCOUNT)
        ).scalar_one()
        rule = {
            "id": ids.new(),
            "account_id": account_id,
            "address": trust.ANYBODY,
            "ips": list(trust.LOOPBACK),
            "accept": "ip",
            "monitoring": False,
            "lists": False,
        }
        conn.execute(insert(mail_tables.sender), rule)
        results.append(True)
    return results
