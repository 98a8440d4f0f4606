"""The job that mails notices: claims what is due, composes, sends, and notes what became of each."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from gateway_core import notices, owed
from gateway_core.jobs.queue import NOTICES, EmbeddedQueue
from gateway_core.notices import Ended
from gateway_core.storage import clock
from mailgate import bounces, compose, pace, trust
from mailgate.checks import Intake
from mailgate.outbound import Outbound, Sent
from mailgate.outgoing import Outgoing

_BATCH = 100
_AT_ONCE = 2  # a slow mail server must leave threads for texts
_BUSY = 100  # submits a second
_REST, _LONGEST_REST_SECONDS = 4, 1.0  # so many times as long as it worked
_LONGEST_WAIT_SECONDS = 3600

_NO_MAIL = {"text": owed.text, "bounce": bounces.take}  # what a notice of these kinds becomes instead
MAILED = Counter("mailgate_notices", "Notices by what became of them", ["state"])
log = structlog.get_logger(__name__)


def declare(queue: EmbeddedQueue, state: Intake, outbound: Outbound) -> None:
    running = threading.BoundedSemaphore(_AT_ONCE)

    def run(_argument: int) -> None:
        if running.acquire(
            blocking=False
        ):  # else those who run look again before they end, or the next sweep does
            try:
                mail_notices(state, outbound)
            finally:
                running.release()

    queue.declare(NOTICES, run)


def mail_notices(state: Intake, outbound: Outbound) -> None:
    """Until none is due. Two of these at once share the work: each notice is leased to one of them."""
    gateway, writer = state.gateway, state.gateway.writer
    while not outbound.closed and _any_due(state) and (claimed := writer.put(notices.claim, _BATCH).result()):
        began, submits = time.monotonic(), gateway.submits
        for ended in _mail(state, outbound, claimed):
            writer.put(notices.end, ended)
            MAILED.labels(ended.state).inc()
        _give_way(time.monotonic() - began, gateway.submits - submits)


def _give_way(seconds: float, submits: int) -> None:
    """Where texts come in at the same time, mail about texts rests: a text must not wait for its own receipt."""
    if submits > _BUSY * seconds:
        time.sleep(min(_REST * seconds, _LONGEST_REST_SECONDS))


def _any_due(state: Intake) -> bool:
    """A look that costs no commit: most hints come for texts that nobody is owed a notice of."""
    with state.gateway.reader.connect() as conn:
        return notices.any_due(conn)


def _mail(state: Intake, outbound: Outbound, claimed: Sequence[Row[Any]]) -> list[Ended]:
    ended, mails, composed = [], [], []
    with state.gateway.reader.connect() as conn:
        for notice in claimed:
            if notice.kind in _NO_MAIL:
                ended.append(_NO_MAIL[notice.kind](state.gateway, notice))
                continue
            try:
                mail = compose.compose(state, conn, notice)
            except SQLAlchemyError:  # says nothing about the notice: it is tried again when its lease is over
                raise
            except Exception:
                log.exception("notice cannot be composed", notice=notice.id)
                ended.append(Ended(notice.id, "DEAD", clock.now(), "it cannot be composed"))
                continue
            if mail is None:
                ended.append(Ended(notice.id, "DONE", clock.now(), "nobody to tell by mail"))
            else:
                mails.append(mail)
                composed.append(notice)
    living, stopped = _living(state, list(zip(composed, mails, strict=True)))
    ended += stopped
    going = _paced(state, living)
    results = outbound.send([mail for _, mail in going]) if going else []
    return ended + [
        _ended(state, notice, mail.to[0], sent) for (notice, mail), sent in zip(going, results, strict=True)
    ]


def _living(
    state: Intake, made: list[tuple[Row[Any], Outgoing]]
) -> tuple[list[tuple[Row[Any], Outgoing]], list[Ended]]:
    """Each to those of its addressees to whom mail arrives; what is left for nobody has ended."""
    if state.book.dead.isdisjoint(trust.normal(to) for _, mail in made for to in mail.to):
        return made, []
    with state.gateway.reader.connect() as conn:
        dead = bounces.dead(conn, {trust.normal(to) for _, mail in made for to in mail.to})
    living, stopped = [], []
    for notice, mail in made:
        to = tuple(one for one in mail.to if trust.normal(one) not in dead)
        if to:
            living.append((notice, replace(mail, to=to)))
        else:
            words = f"mail to {mail.to[0]} comes back: {dead[trust.normal(mail.to[0])]}"
            stopped.append(Ended(notice.id, "DEAD", clock.now(), words))
    return living, stopped


def _paced(state: Intake, made: list[tuple[Row[Any], Outgoing]]) -> list[tuple[Row[Any], Outgoing]]:
    """Without the answers that are too many for this hour: those are done, and owed together with others."""
    writer = state.gateway.writer
    asked = [pace.ask(state, notice, mail.to[0]) for notice, mail in made]
    turns = [writer.put(pace.take, ask) if ask else None for ask in asked]
    going = [one for one, turn in zip(made, turns, strict=True) if turn is None or turn.result()]
    MAILED.labels("GATHERED").inc(len(made) - len(going))
    return going


def _ended(state: Intake, notice: Row[Any], to: str, sent: Sent) -> Ended:
    now = clock.now()
    if sent.gone:
        if sent.words:
            log.warning("notice not taken for everybody", notice=notice.id, words=sent.words)
        return Ended(notice.id, "DONE", now, sent.words, to)
    too_old = now - (notice.tried_at or now) > state.settings.outbound.retry_age_hours * 60 * clock.MINUTE
    if not sent.retry or too_old:
        log.warning("notice given up", notice=notice.id, words=sent.words)
        return Ended(notice.id, "DEAD", now, sent.words)
    wait = min(_LONGEST_WAIT_SECONDS, 15 * 2 ** min(notice.tries, 10))
    return Ended(notice.id, "DUE", now + wait * clock.SECOND, sent.words)
