"""A mail server that hangs: texts go on, the end is quick, and nothing is given up for having waited long."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ALICE, World, mail, settings_for, world
from outbound_support import silent
from sqlalchemy import select

from gateway_core.storage import clock, tables
from mailgate.jobs import _ended
from mailgate.outbound import Sent

PHONE = "+447700900123"


def claimed(w: World) -> int:
    """Reports that are on their way."""
    with w.gateway.reader.connect() as conn:
        return len(conn.execute(select(tables.notice.c.id).where(tables.notice.c.tries > 0)).all())


def test_texts_do_not_wait_for_it(tmp_path: Path) -> None:
    with silent() as port:
        with world(tmp_path, outbound={"smarthost": f"smtp://127.0.0.1:{port}"}) as w:
            for number in range(6):  # each report comes at another moment
                w.send(
                    mail(f"text {number}", message_id=f"{number}@acme.example"), "447700900123@sms.localhost"
                )
                wait_for(lambda number=number: f"text {number}" in w.texts(PHONE), 5)
            assert claimed(w) >= 1
            ending = time.monotonic()
        assert time.monotonic() - ending < 20  # hung mail is cut off, and due again


@pytest.mark.parametrize(
    ("tried_at", "ends"), [(None, "DUE"), (-1 * clock.DAY, "DUE"), (-3 * clock.DAY, "DEAD")]
)
def test_it_is_tried_for_its_time_from_its_first_try(tmp_path: Path, tried_at: int | None, ends: str) -> None:
    """Not from when it was made: a digest waits for days, and a gateway may have been down."""
    refused, now = Sent(gone=False, retry=True, words="451 greylisted"), clock.now()
    notice: Any = SimpleNamespace(
        id=1, created_at=now - 10 * clock.DAY, tried_at=tried_at and now + tried_at, tries=0
    )
    state: Any = SimpleNamespace(settings=settings_for(tmp_path))
    assert _ended(state, notice, ALICE, refused).state == ends
