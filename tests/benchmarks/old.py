"""A database that has been in use for months: old messages, with all that such a message leaves behind.

Each is one submission, one message that was DELIVERED, its five events, its attempt with a receipt, its charge; one in
ten was answered and reported by mail; the keys are those of the last seven days. Rows are made by the database itself.
The simulated carrier's handsets stay empty: a real carrier's are not in our tables.
"""

from sqlalchemy import Engine

from gateway_core.storage import clock, ids

HANDSETS = 100_000
DAYS = 60  # over which they came
_KEPT_DAYS = 7  # of the keys (keys.forget)
_NUMBER = "'+447700900900'"

# Of message i: when it came, its id (storage.ids; a table has at most five rows of each), and its handset.
_AT = "({began} + i * {step})"
_ID = f"(({_AT} - {ids.EPOCH}) * 4194304)"  # << 22
_HANDSET = f"('+4479' || (10001000 + (i * 7919) % {HANDSETS}))"
_DIGEST = "'6f1ed002ab5595859014ebf0951522d9a1b2c3d4e5f60718293a4b5c6d7e8f90'"

# table: columns and what they hold, for each i
_ROWS: dict[str, dict[str, str]] = {
    "submission": {
        "id": _ID,
        "account_id": "1",
        "text": "'disk 93% full on host ' || i",
        "client_ref": "NULL",
        "origin": """'{{"mail_from": "alice@acme.example"}}'""",
        "created_at": _AT,
        "sender": "'alice@acme.example'",
    },
    "message": {
        "id": f"{_ID} + 1",
        "submission_id": _ID,
        "account_id": "1",
        "route_id": "1",
        '"to"': _HANDSET,
        "sender_id": _NUMBER,
        "encoding": "'GSM7'",
        "segments": "1",
        "concat_ref": "i % 255 + 1",
        "price": "500",
        "state": "'DELIVERED'",
        "reason": "''",
        "due_at": "NULL",
        "expires_at": f"{_AT} + 172800000",
        "final_by": f"{_AT} + 432000000",
        "fence": "1",
        "owner_id": "NULL",
        "retries": "0",
        "resends": "0",
        "possible_duplicate": "false",
        "notify": "true",
        "flash": "false",
        "urgent": "false",
        "created_at": _AT,
        "state_at": f"{_AT} + 3000",
    },
    "accepted_key": {
        "key": "((i * 2654435761) % 4294967296) || '.' || i || '@acme.example'",
        "recipient": _HANDSET,
        "account_id": "1",
        "mail_digest": _DIGEST,
        "request_digest": "''",
        "text_digest": _DIGEST,
        "message_id": f"{_ID} + 1",
        "created_at": _AT,
    },
    **{
        f"event {number}": {
            "id": f"{_ID} + {number}",
            "message_id": f"{_ID} + 1",
            "at": f"{_AT} + {number}",
            "actor": f"'{actor}'",
            "old": f"'{old}'",
            "new": f"'{new}'",
            "reason": "''",
        }
        for number, (actor, old, new) in enumerate(
            [
                ("submit", "", "QUEUED"),
                ("dispatch", "QUEUED", "CLAIMED"),
                ("dispatch", "CLAIMED", "SUBMITTING"),
                ("dispatch", "SUBMITTING", "SUBMITTED"),
                ("receipts", "SUBMITTED", "DELIVERED"),
            ]
        )
    },
    "ledger_entry": {
        "id": _ID,
        "account_id": "1",
        "message_id": f"{_ID} + 1",
        "kind": "'submit'",
        "amount": "-500",
        "note": "''",
        "at": _AT,
    },
    "attempt": {
        "id": f"{_ID} + 2",
        "message_id": f"{_ID} + 1",
        "route_id": "1",
        "owner_id": "1",
        "fence": "1",
        "segment": "1",
        "written_at": _AT,
        "answered_at": f"{_AT} + 40",
        "outcome": "'accepted'",
        "words": "''",
        "carrier_ref": "'c' || (i * 2654435761) % 4294967296",
        "receipt": "'DELIVERED'",
    },
    "receipt": {
        "id": f"{_ID} + 3",
        "route_id": "1",
        "carrier_ref": "'c' || (i * 2654435761) % 4294967296",
        "state": "'DELIVERED'",
        "words": "''",
        "done_at": f"{_AT} + 3000",
        "received_at": f"{_AT} + 3001",
        "repeats": "0",
        "attempt_id": f"{_ID} + 2",
        "due_at": "NULL",
    },
    "mo": {
        "id": f"{_ID} + 4",
        "route_id": "1",
        "carrier_ref": "'mo' || i",
        "handset": _HANDSET,
        "number": _NUMBER,
        "text": "'on my way'",
        "account_id": "1",
        "message_id": f"{_ID} + 1",
        "received_at": f"{_AT} + 60000",
    },
    "notice": {
        "id": f"{_ID} + 5",
        "account_id": "1",
        "event_key": "'reply:' || i",
        "kind": "'reply'",
        "target": "''",
        "message_id": f"{_ID} + 1",
        "mo_id": f"{_ID} + 4",
        "facts": "'{{}}'",
        "state": "'DONE'",
        "due_at": _AT,
        "tries": "1",
        "words": "''",
        "created_at": _AT,
    },
    "conversation": {
        "id": _ID,
        "account_id": "1",
        "number": _NUMBER,
        "handset": _HANDSET,
        "message_id": f"{_ID} + 1",
        "changed_at": _AT,
    },
}
_ONLY = {"mo": "i % 10 = 0", "notice": "i % 10 = 0", "conversation": f"i >= {{count}} - {HANDSETS}"}
_SERIES = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) SELECT i FROM n)",
    "postgresql": "generate_series(CAST(0 AS bigint), {count} - 1)",
}
_BEFORE = {
    "sqlite": ["PRAGMA synchronous=OFF", "PRAGMA foreign_keys=OFF", "PRAGMA cache_size=-2000000"],
    "postgresql": ["SET session_replication_role = replica", "SET synchronous_commit = off"],
}


def fill(engine: Engine, count: int) -> None:
    """Add so many old messages to a database that has account 1, route 1 and owner 1. The newest is a minute old."""
    step = DAYS * clock.DAY // count
    now = clock.now() - clock.MINUTE
    known = {"count": count, "step": step, "began": now - count * step}
    recent = f"{_AT} > {now - _KEPT_DAYS * clock.DAY}"
    dialect = engine.dialect.name
    conn = engine.raw_connection()  # each statement commits: no transaction of tens of millions of rows
    if dialect == "postgresql":
        conn.driver_connection.autocommit = True
    cursor = conn.cursor()
    for statement in _BEFORE[dialect]:
        cursor.execute(statement)
    for name, row in _ROWS.items():
        only = _ONLY.get(name, recent if name == "accepted_key" else "i >= 0")
        columns, values = ", ".join(row), ", ".join(row.values())
        source = f"{_SERIES[dialect]} AS s" + ("(i)" if dialect == "postgresql" else "")
        statement = f"INSERT INTO {name.split()[0]} ({columns}) SELECT {values} FROM {source} WHERE {only}"
        cursor.execute(statement.format(**known))
    cursor.execute(f"UPDATE account SET balance = balance - {500 * count} WHERE id = 1")
    if dialect == "postgresql":
        cursor.execute("VACUUM ANALYZE")  # as its own daemon would have, by and by
    conn.invalidate()  # what was set above is for this connection alone
