"""No statement of the running core reads a whole table that grows: SQLite says so itself."""

import re
from pathlib import Path
from typing import Any

import time_machine
from core_support import OURS, PHONE, SIM, World, world
from sqlalchemy import event

from gateway_core import cancel, claims, keys, limits, notices, sweeper
from gateway_core.keys import Key
from gateway_core.messages import Actor, State
from gateway_core.sms import DLR, MO, DlrState
from gateway_core.storage import clock, schema, tables
from gateway_core.storage.engine import open_engine

GROWS = (
    "message|submission|attempt|receipt|notice|mo|conversation|event|ledger_entry|accepted_key|phone_segment"
    "|opt_out|rate|spent"
)
SCAN = re.compile(rf"SCAN ({GROWS})\b")


def work(core: World) -> None:
    """Everything that the core does again and again."""
    for key in (Key("mail", "t", mail_digest="m"), Key("http", "t", request_digest="r")):
        core.submit(key=key)
        core.submit(key=key)
    uncertain = core.accept("+447700900001")
    later = core.accept(send_at=clock.now() + clock.DAY)
    core.accept(urgent=True)
    core.dispatch()
    core.deliver(DLR("nobody", DlrState.DELIVERED, 1), MO("mo", PHONE, OURS, "yes"))
    core.until(uncertain, State.UNCERTAIN)
    cancel.cancel(core.gateway, later, Actor.ACCOUNT).result(10)
    core.terms(
        segments_per_minute=100,
        handset_segments_per_day=100,
        duplicate_window_minutes=10,
        refunds="undelivered",
        statement_to=["books@acme.example"],
    )
    pool = {"id": 9, "msisdn": "+447700900909", "account_id": 1, "forward_to": [], "pool": True}
    core.add(tables.number, pool)
    core.submit(sender="ann")
    core.submit(sender="bob")
    core.until(core.accept("+447700900004"))  # undelivered, and given back
    core.deliver(MO("stop", "+447700900124", OURS, "stop"), MO("start", "+447700900124", OURS, "start"))
    core.deliver(DLR("nobody's", DlrState.DELIVERED, 1, handset=PHONE))
    sweeper.make_statements(core.gateway)
    core.process._sweep()
    with time_machine.travel(clock.now() / 1000 + 3600):
        core.sweep()
    core.gateway.writer.put(keys.forget, 10).result(10)
    core.gateway.writer.put(limits.forget, 10).result(10)
    core.gateway.writer.put(notices.claim, 10).result(10)
    core.process._beat()


def test_a_claim_reads_the_queue_by_its_index_and_sorts_nothing(tmp_path: Path) -> None:
    """Of two that fit as well SQLite takes the one that was made last, so they are made as migrations make them."""
    values = {"route": SIM, "now": clock.now(), "most": 10}
    engine = open_engine(f"sqlite:///{tmp_path}/core.db", writes=True)
    schema.migrate(engine)
    with engine.connect() as conn:
        for statement, index in (
            (claims._DUE_URGENT, "message_urgent_idx"),
            (claims._DUE_ORDINARY, "message_queued_idx"),
            (claims._ANY_URGENT._statement, "message_urgent_idx"),
        ):
            compiled = statement.compile(conn, compile_kwargs={"render_postcompile": True})
            plan = [
                row[3]
                for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", _in_order(compiled, values))
            ]
            assert any(f"INDEX {index} (route_id=? AND due_at<?)" in step for step in plan), plan
            assert not any("TEMP B-TREE" in step for step in plan), plan
    engine.dispose()


def _in_order(compiled: Any, values: dict[str, int]) -> tuple[Any, ...]:
    return tuple(values.get(name, 1) for name in compiled.positiontup)


def test_nothing_that_grows_is_read_whole(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def note(
        _conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
    ) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen[statement] = parameters[0] if executemany else parameters

    with world(f"sqlite:///{tmp_path}/core.db") as core:
        for engine in (core.gateway.writer._engine, core.gateway.reader):
            event.listen(engine, "before_cursor_execute", note)
        work(core)
        assert len(seen) > 30
        raw = core.gateway.reader.raw_connection()
        scans = {}
        for statement, parameters in seen.items():
            plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]  # type: ignore[attr-defined]
            if any(SCAN.search(step) for step in plan):
                scans[re.sub(r"\s+", " ", statement)] = plan
        raw.close()
    assert scans == {}
