"""The job that mails notices: claims what is due, composes, sends, and notes what became of each."""

from collections.abc import Sequence
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from gateway_core import notices, owed
from gateway_core.jobs.queue import NOTICES, EmbeddedQueue
from gateway_core.notices import Ended
from gateway_core.storage import clock
from mailgate import compose, outbound, pace
from mailgate.checks import Intake
from mailgate.compose import Outgoing

_BATCH = 100
_LONGEST_WAIT_SECONDS = 3600

MAILED = Counter("mailgate_notices", "Notices by what became of them", ["state"])
log = structlog.get_logger(__name__)


def declare(queue: EmbeddedQueue, state: Intake) -> None:
    queue.declare(NOTICES, lambda _argument: mail_notices(state))


def mail_notices(state: Intake) -> None:
    """Until none is due. Two of these at once share the work: each notice is leased to one of them."""
    writer = state.gateway.writer
    while _any_due(state) and (claimed := writer.put(notices.claim, _BATCH).result()):
        for ended in _mail(state, claimed):
            writer.put(notices.end, ended)
            MAILED.labels(ended.state).inc()


def _any_due(state: Intake) -> bool:
    """A look that costs no commit: most hints come for texts that nobody is owed a notice of."""
    with state.gateway.reader.connect() as conn:
        return notices.any_due(conn)


def _mail(state: Intake, claimed: Sequence[Row[Any]]) -> list[Ended]:
    ended, mails, composed = [], [], []
    with state.gateway.reader.connect() as conn:
        for notice in claimed:
            if notice.kind == "text":
                ended.append(owed.text(state.gateway, notice))
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
    going = _paced(state, list(zip(composed, mails, strict=True)))
    results = outbound.send(state.settings, [mail for _, mail in going]) if going else []
    return ended + [_ended(state, notice, sent) for (notice, _), sent in zip(going, results, strict=True)]


def _paced(state: Intake, made: list[tuple[Row[Any], Outgoing]]) -> list[tuple[Row[Any], Outgoing]]:
    """Without the answers that are too many for this hour: those are done, and owed together with others."""
    writer = state.gateway.writer
    asked = [pace.ask(state, notice, mail.to[0]) for notice, mail in made]
    turns = [writer.put(pace.take, ask) if ask else None for ask in asked]
    going = [one for one, turn in zip(made, turns, strict=True) if turn is None or turn.result()]
    MAILED.labels("GATHERED").inc(len(made) - len(going))
    return going


def _ended(state: Intake, notice: Row[Any], sent: outbound.Sent) -> Ended:
    now = clock.now()
    if sent.gone:
        if sent.words:
            log.warning("notice not taken for everybody", notice=notice.id, words=sent.words)
        return Ended(notice.id, "DONE", now, sent.words)
    too_old = now - notice.created_at > state.settings.outbound.retry_age_hours * 60 * clock.MINUTE
    if not sent.retry or too_old:
        log.warning("notice given up", notice=notice.id, words=sent.words)
        return Ended(notice.id, "DEAD", now, sent.words)
    wait = min(_LONGEST_WAIT_SECONDS, 15 * 2 ** min(notice.tries, 10))
    return Ended(notice.id, "DUE", now + wait * clock.SECOND, sent.words)
