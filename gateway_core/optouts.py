"""Opt-outs: handsets that must not be texted, by whom they said it to.

Scopes: `account:ID` where a dedicated number was told, and its account texts no more; `number:E.164` where a shared one
was, and no account texts from it; `all` where an operator says so. A row is never deleted: when the handset returns it
is not active any more, so that every decision can be explained afterwards.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core import words as words_of
from gateway_core.accounts import Terms
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.prepared import Parameters, PreparedLists

# What stops, whoever asks: CTIA Messaging Principles §5.1.3; the lists of AWS End User Messaging and of the FCC
# (47 CFR 64.1200(a)(10): stop, quit, end, revoke, opt out, cancel, unsubscribe); ARRET is asked for in Canada.
STOP = frozenset(
    {
        *("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "UNSUB", "CANCEL", "END", "QUIT", "REVOKE", "REMOVE"),
        *("OPTOUT", "OPT OUT", "ARRET", "ARRÊT"),
    }
)
# What returns. YES is no such word: it is the commonest answer to a question.
START = frozenset({"START", "UNSTOP", "OPTIN", "OPT IN", "SUBSCRIBE"})
ALL = "all"


def is_stop(text: str, terms: Terms | None = None) -> bool:
    """Whether this is a STOP and nothing else: "please do not stop" is a reply."""
    return _is_one(text, STOP, terms.stop_words if terms else ())


def is_start(text: str, terms: Terms | None = None) -> bool:
    return _is_one(text, START, terms.start_words if terms else ())


def _is_one(text: str, words: Collection[str], more: Iterable[str]) -> bool:
    said = words_of.normal(text[:200])  # a word, perhaps between smileys; no need to look at a novel
    return bool(said) and (said in words or any(said == words_of.normal(word) for word in more))


def scope(number: str, account_id: int, *, shared: bool) -> str:
    """Whose texts a STOP ends that was said to this number."""
    return f"number:{number}" if shared else f"account:{account_id}"


def scopes(account_id: int, sender_id: str) -> tuple[str, str, str]:
    """The scopes that forbid a text of this account with this sender ID."""
    return ALL, f"account:{account_id}", f"number:{sender_id}"


# --- queries ------------------------------------------------------------------------------------------------

_o = tables.opt_out.c
_MOST_AT_ONCE = 1000  # values in one IN: databases bound how many parameters a statement has


def _of(handsets: Parameters) -> Any:
    return select(_o.handset, _o.scope).where(_o.handset.in_(handsets), _o.active)


_ACTIVE = PreparedLists(_of)


class Text(NamedTuple):
    """A text that may be forbidden."""

    account_id: int
    sender_id: str
    to: str


def forbidden(conn: Connection, texts: Collection[Text]) -> set[Text]:
    """Those to handsets that have opted out of them. One statement, however many they are (up to 1000)."""
    handsets = sorted({text.to for text in texts})
    found: set[tuple[str, str]] = set()
    for start in range(0, len(handsets), _MOST_AT_ONCE):
        found.update(_ACTIVE.rows(conn, handsets[start : start + _MOST_AT_ONCE]))
    if not found:
        return set()
    return {
        text
        for text in texts
        if any((text.to, scope) in found for scope in scopes(text.account_id, text.sender_id))
    }


def load_scopes(conn: Connection) -> frozenset[str]:
    """The scopes that ever had an opt-out: who has none of his own needs not be looked up."""
    found: set[str] = set()
    last: str | None = ""
    # From one to the next by the index: DISTINCT would read every row, and there may be millions.
    while (last := conn.execute(select(func.min(_o.scope)).where(_o.scope > last)).scalar()) is not None:
        found.add(last)
    return frozenset(found)


class Said(NamedTuple):
    """What somebody said of a handset: that it must not be texted any more, or may be again."""

    handset: str
    scope: str
    active: bool
    source: str  # handset, carrier, operator, account
    words: str = ""


def say(conn: Connection, ids: Ids, said: Sequence[Said]) -> list[bool]:
    """Write it, in order; whether each changed anything. A second STOP changes nothing.

    A handset's START ends its own STOP and its carrier's, not what an operator or an account forbade.
    """
    if not said:
        return []
    known = _locked(conn, {one.handset for one in said})
    return [_say(conn, ids, one, known) for one in said]


class _Row(NamedTuple):
    active: bool
    source: str


def _locked(conn: Connection, handsets: Collection[str]) -> dict[tuple[str, str], _Row]:
    rows = conn.execute(
        select(_o.handset, _o.scope, _o.active, _o.source)
        .where(_o.handset.in_(sorted(handsets)))
        .order_by(_o.id)
        .with_for_update()
    )
    return {(row.handset, row.scope): _Row(row.active, row.source) for row in rows}


_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_BINDING = frozenset({"operator", "account"})  # who forbids what no handset allows again


def _say(conn: Connection, ids: Ids, one: Said, known: dict[tuple[str, str], _Row]) -> bool:
    at, key = clock.now(), (one.handset, one.scope)
    was = known.get(key, _Row(active=False, source=""))
    overruled = was.active and was.source in _BINDING and one.source not in _BINDING
    # What a handset has said already, an operator may say too: then a START of the handset does not end it.
    binds = one.active and one.source in _BINDING and was.source not in _BINDING
    if overruled or (was.active == one.active and not binds):
        return False
    changed = {"active": one.active, "source": one.source, "words": one.words[:500], "changed_at": at}
    row = {"id": ids.new(), "handset": one.handset, "scope": one.scope, "since_at": at, **changed}
    if one.active and not was.active:
        changed["since_at"] = at
    # Somebody else's process may have inserted it since it was looked for.
    conn.execute(
        _INSERT[conn.dialect.name](tables.opt_out)
        .values(**row)
        .on_conflict_do_update(index_elements=[_o.handset, _o.scope], set_=changed)
    )
    known[key] = _Row(one.active, one.source)
    return True


def page(
    conn: Connection, wanted: str | None = None, handset: str | None = None, most: int = 1000
) -> list[Any]:
    """Rows, those that changed last first; of one scope or one handset where it is named."""
    conditions = [column == value for column, value in ((_o.scope, wanted), (_o.handset, handset)) if value]
    found = select(tables.opt_out).where(*conditions).order_by(_o.changed_at.desc(), _o.id.desc()).limit(most)
    return list(conn.execute(found).mappings())
