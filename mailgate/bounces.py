"""Mail of ours that came back to its signed return path: what that says, and where no more is mailed because of it.

The path says which notice it was, so the words of the bounce need not. An address that is dead gets nothing for a week,
or until somebody mails us from there. What cannot be read goes to the operator, as it came.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Any, NamedTuple

import structlog
from flufl.bounce import all_failures
from sqlalchemy import Connection, Row, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core import directory, notices
from gateway_core.errors import NotKept
from gateway_core.gateway import Gateway
from gateway_core.jobs.queue import NOTICES
from gateway_core.notices import Ended, Notice
from gateway_core.storage import clock, ids, tables
from mailgate import headers, trust
from mailgate.tables import dead_address

REST_DAYS = 7
_NEWS_DAYS = 14
_MOST_ASKED = 10
_AGAIN_SECONDS = 30
_MOST_PARTS = 50
DEAD, LATER, REFUSED, ANSWER, UNREADABLE = "dead", "later", "refused", "answer", "unreadable"
# Status codes that blame the mail, its sender or a moment, not the mailbox (RFC 3463 §3): no reason to stop.
_NOT_DEAD = ("1.7", "1.8", "2.2", "2.3", "2.4", "3.", "4.7", "5.", "6.", "7.")

log = structlog.get_logger(__name__)
_d, _n = dead_address.c, tables.notice.c


class Returned(NamedTuple):
    """What a mail to a return path of ours says; `words` are of the server that says it, `of` whom it names."""

    kind: str
    words: str = ""
    of: frozenset[str] = frozenset()  # addresses in normal form


def read(raw: bytes) -> Returned:
    """DEAD: no mail arrives there. LATER: one is late. REFUSED: that mail was not taken. ANSWER: of a machine."""
    mail = message_from_bytes(raw)
    groups = list(_groups(mail))
    if groups:
        return _of_report(groups)
    temporary, permanent = all_failures(mail)
    failed = {one.decode("latin-1") for one in permanent}
    failed |= set(str(mail.get("X-Failed-Recipients", "")).replace(",", " ").split())  # Exim's, and Gmail's
    if failed:
        return Returned(
            DEAD, headers.line(str(mail.get("Subject", ""))), frozenset(map(trust.normal, failed))
        )
    if temporary:
        return Returned(LATER)
    answers = str(mail.get("Auto-Submitted", "no")).strip().lower().startswith("auto-replied")
    whole = mail.get_content_type() != "multipart/report"  # else it was cut on its way
    return Returned(ANSWER if answers and whole else UNREADABLE)


def _groups(mail: "Message[str, str]") -> Iterator[Any]:
    """The groups of fields about recipients, of every delivery report in it (RFC 3464 §2.1)."""
    for number, part in enumerate(mail.walk()):
        if number == _MOST_PARTS:
            return
        payload = part.get_payload()
        if part.get_content_type() == "message/delivery-status" and isinstance(payload, list):
            yield from (group for group in payload if "Action" in group)


def _of_report(groups: Sequence[Any]) -> Returned:
    failed = [group for group in groups if _first(group, "Action").startswith("failed")]
    if not failed:
        return Returned(LATER)
    status = _first(failed[0], "Status")
    words = headers.line(str(failed[0].get("Diagnostic-Code", "")).partition(";")[2] or status)
    of = frozenset(
        trust.normal(str(group.get("Final-Recipient", "")).partition(";")[2].strip(" \t<>"))
        for group in failed
    )
    # What failed for a time only, as while a network is down, is no reason to stop either.
    is_dead = status.startswith("5.") and not status[2:].startswith(_NOT_DEAD)
    return Returned(DEAD if is_dead else REFUSED, words, of)


def _first(group: Any, name: str) -> str:
    """The first word of a field, without parameters and comments."""
    return re.split(r"[\s;(]", str(group.get(name, "")).strip().lower(), maxsplit=1)[0]


# --- what is made of one ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Taken:
    gateway: Gateway
    notice: Row[Any]  # the bounce
    about: int  # the notice that came back
    returned: Returned


def take(gateway: Gateway, notice: Row[Any]) -> Ended:
    """A notice of kind `bounce`: note it, tell who should know. What became of the notice."""
    returned = _read(notice)
    unit = _Taken(gateway, notice, notice.facts["about"], returned)
    try:
        words = gateway.writer.put(_take, unit).result()
    except NotKept:
        words = None
    if words is None:  # the database is busy, or we do not know yet that the mail has gone
        return Ended(notice.id, "DUE", clock.now() + _AGAIN_SECONDS * clock.SECOND)
    gateway.queue.hint(NOTICES)
    return Ended(notice.id, "DONE", clock.now(), words)


def _read(notice: Row[Any]) -> Returned:
    try:
        returned = read(notice.facts["raw"].encode("latin-1"))
        # A report has the null sender (RFC 3464 §2): one that names itself stops nobody's mail.
        return Returned(UNREADABLE) if returned.kind == DEAD and notice.facts["mail_from"] else returned
    except Exception:  # whatever anybody sends here: the operator sees it
        log.warning("a bounce cannot be read", notice=notice.id, exc_info=True)
        return Returned(UNREADABLE)


def _take(conn: Connection, units: Sequence[_Taken]) -> list[str | None]:
    """Fold."""
    return [_note(conn, unit) for unit in units]


def _note(conn: Connection, unit: _Taken) -> str | None:
    """None: to be asked again."""
    kind, words, of = unit.returned
    about = conn.execute(select(tables.notice).where(_n.id == unit.about)).one_or_none()
    name = ids.show("n", unit.about)
    if kind == LATER:
        return f"{name} is late"
    if kind == ANSWER:
        return f"an automatic answer to {name}"
    if kind == DEAD and about is not None and about.state == "DUE" and unit.notice.tries < _MOST_ASKED:
        return None
    if kind == DEAD and about is not None and _is_news(about) and trust.normal(about.mailed_to) in of:
        _stop(conn, unit, about)
        return f"{name} came back: {words}"
    notices.owe(conn, unit.gateway.ids, [_forwarded(unit.notice)])
    return f"{name} was refused: {words}" if words else "forwarded to the operator"


def _is_news(about: Row[Any]) -> bool:
    """Servers give up within days. The path stands in every copy of the mail, and must not stop it for ever."""
    return bool(about.created_at > clock.now() - _NEWS_DAYS * clock.DAY)


def _forwarded(notice: Row[Any]) -> Notice:
    facts = {name: notice.facts[name] for name in ("raw", "for", "mail_from")}
    return Notice(None, f"forward:{notice.id}", "forward", facts)


def _upsert(dialect: Any) -> Any:
    statement = dialect.insert(dead_address)
    new = statement.excluded
    changed = {name: new[name] for name in ("notice_id", "words", "since_at", "until_at")}
    return statement.on_conflict_do_update(
        index_elements=[_d.address], set_=changed, where=_d.until_at <= bindparam("now")
    )


_STOP = {"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}


def _stop(conn: Connection, unit: _Taken, about: Row[Any]) -> None:
    """Nothing more to that address for a while; its account's people hear of it, once."""
    now, address = clock.now(), trust.normal(about.mailed_to)
    row = {
        "address": address,
        "notice_id": about.id,
        "words": unit.returned.words,
        "since_at": now,
        "until_at": now + REST_DAYS * clock.DAY,
    }
    if conn.execute(_STOP[conn.dialect.name], {**row, "now": now}).rowcount != 1:
        return  # it rests already
    directory.raise_revision(conn)  # so that every process knows whom to listen for
    account = unit.gateway.snapshot.accounts.get(about.account_id)
    people = account.terms.alarm_to if account else ()
    targets = [f"mailto:{one}" for one in people if trust.normal(one) != address] or [""]
    facts = {
        "about": "bounced",
        "account": account.name if account else "",
        "mailbox": about.mailed_to,
        "words": unit.returned.words,
        "until": row["until_at"],
    }
    key = f"bounced:{address}:{now // (REST_DAYS * clock.DAY)}"  # once a week, however often it revives
    owed = [Notice(about.account_id, f"{key}:{to}", "alarm", facts, to) for to in targets]
    notices.owe(conn, unit.gateway.ids, owed)


# --- dead addresses ---------------------------------------------------------------------------------------


def dead(conn: Connection, addresses: Collection[str]) -> dict[str, str]:
    """Those of these addresses, in normal form, to which nothing is mailed now: why."""
    if not addresses:
        return {}
    wanted = select(_d.address, _d.words).where(_d.address.in_(list(addresses)), _d.until_at > clock.now())
    return {row.address: row.words for row in conn.execute(wanted)}


def page(conn: Connection) -> Sequence[Row[Any]]:
    return conn.execute(select(dead_address).order_by(_d.since_at.desc(), _d.address)).all()


def revive(conn: Connection, units: Sequence[str]) -> list[bool]:
    """Fold: mail goes to these addresses, in normal form, again. Whether each was dead."""
    gone = [conn.execute(delete(dead_address).where(_d.address == unit)).rowcount == 1 for unit in units]
    if any(gone):
        directory.raise_revision(conn)
    return gone
