"""Idempotency: the same request twice is one text. Message-IDs and Idempotency-Keys share one space.

The key is stored in the accepting transaction, with accepted recipients only. Rules (CONTRACT, HTTP):
- by mail, the same Message-ID counts as a repeat with the same From, Date, Subject and text; else it is new;
- by HTTP, the same key with another body is refused (KeyReused);
- across the two doors, the same text to the same recipient is a repeat.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, literal_column, select

from gateway_core.errors import KeyReused
from gateway_core.messages import State
from gateway_core.storage import clock, tables
from gateway_core.storage.prepared import Parameters, Prepared, PreparedLists, Values

KEPT_DAYS = 7
_LONGEST = 255
_MOST_AT_ONCE = 1000  # values in one IN: databases bound how many parameters a statement has


class Key(NamedTuple):
    """`mail_digest` is of From, Date, Subject and text, "" by HTTP; `request_digest` of the body, "" by mail."""

    value: str
    text_digest: str
    mail_digest: str = ""
    request_digest: str = ""
    lives_ms: int = KEPT_DAYS * clock.DAY


class First(NamedTuple):
    """The message that was accepted under a key before."""

    message_id: int
    submission_id: int
    state: State
    segments: int
    encoding: str
    price: int


class _Stored(NamedTuple):
    recipient: str
    mail_digest: str
    request_digest: str
    text_digest: str
    created_at: int
    first: First
    is_stored: bool = False  # by an earlier fold


_k, _m = tables.accepted_key.c, tables.message.c
_FOUND = select(
    _k.key,
    _k.account_id,
    _k.recipient,
    _k.mail_digest,
    _k.request_digest,
    _k.text_digest,
    _k.created_at,
    _m.id,
    _m.submission_id,
    _m.state,
    _m.segments,
    _m.encoding,
    _m.price,
).join_from(tables.accepted_key, tables.message, _k.message_id == _m.id)


def _of_mails(keys: Parameters, digests: Parameters, recipients: Parameters) -> Any:
    """A mail asks for its own digest and recipients only: one fixed Message-ID may have thousands of rows under it."""
    return _FOUND.where(
        _k.key.in_(keys),
        _k.mail_digest.in_([*digests, literal_column("''")]),
        _k.recipient.in_(recipients),
    )


_SELECT_MAIL = PreparedLists(_of_mails, lists=3)
_SELECT_HTTP = PreparedLists(lambda keys: _FOUND.where(_k.key.in_(keys)))
_DELETE = delete(tables.accepted_key).where(
    _k.key == bindparam("old_key"),
    _k.recipient == bindparam("old_recipient"),
    _k.account_id == bindparam("old_account"),
    _k.mail_digest == bindparam("old_digest"),
)
_COLUMNS = (
    *("key", "recipient", "account_id", "mail_digest", "request_digest", "text_digest"),
    *("message_id", "created_at"),
)
_INSERT = Prepared(insert(tables.accepted_key), *_COLUMNS)


def digest(*parts: str) -> str:
    """Of a text, or of several that belong together; the same at every door."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def normal(value: str) -> str:
    """The one form of a key: without quotes and <>; a very long one by its digest."""
    bare = value.strip().strip('"<>').strip()
    return (
        bare
        if len(bare) <= _LONGEST
        else "sha256:" + hashlib.sha256(bare.encode("utf-8", "replace")).hexdigest()
    )


class Known:
    """The keys that one fold meets: stored ones, and those that it adds itself."""

    def __init__(self, conn: Connection, asked: Sequence[tuple[Key, Sequence[str]]]) -> None:
        """`asked`: each key with the recipients that come under it."""
        self._found: dict[tuple[str, int], list[_Stored]] = {}
        self._new: list[Values] = []
        self._now = clock.now()
        mail = [(key, recipients) for key, recipients in asked if key.mail_digest]
        http = sorted({key.value for key, _ in asked if not key.mail_digest})
        values = sorted({key.value for key, _ in mail})
        digests = sorted({key.mail_digest for key, _ in mail})
        every = sorted({recipient for _, recipients in mail for recipient in recipients})
        for start in range(0, len(every), _MOST_AT_ONCE):
            self._read(_SELECT_MAIL.rows(conn, values, digests, every[start : start + _MOST_AT_ONCE]))
        if http:
            self._read(_SELECT_HTTP.rows(conn, http))
        self._any_stored = bool(self._found)

    def _read(self, rows: Iterable[Values]) -> None:
        for row in rows:
            value, account_id, recipient, mail_digest, request_digest, text_digest, created_at = row[:7]
            message_id, submission_id, state, segments, encoding, price = row[7:]
            first = First(message_id, submission_id, State(state), segments, encoding, price)
            stored = _Stored(
                recipient, mail_digest, request_digest, text_digest, created_at, first, is_stored=True
            )
            self._found.setdefault((value, account_id), []).append(stored)

    def repeats(self, account_id: int, key: Key | None, recipients: Sequence[str]) -> dict[str, First]:
        """The recipients that were accepted under this key before. Raises KeyReused."""
        known = self._found.get((key.value, account_id)) if key else None
        if key is None or known is None:
            return {}
        stored = [one for one in known if one.created_at > self._now - key.lives_ms]
        if key.request_digest and any(one.request_digest not in {"", key.request_digest} for one in stored):
            raise KeyReused("this key was used for another request")
        found = {
            one.recipient: one.first for one in stored if one.recipient in recipients and _same(key, one)
        }
        if key.request_digest and any(
            one.recipient in recipients and one.recipient not in found for one in stored
        ):
            raise KeyReused("this key was used for another text")
        return found

    def add(self, account_id: int, key: Key | None, recipient: str, first: First) -> None:
        """A recipient that this fold accepts."""
        if key is None:
            return
        value, text_digest, mail_digest, request_digest, _ = key
        stored = _Stored(recipient, mail_digest, request_digest, text_digest, self._now, first)
        self._found.setdefault((value, account_id), []).append(stored)
        self._new.append(
            (
                *(value, recipient, account_id, mail_digest, request_digest, text_digest),
                *(first.message_id, self._now),
            )
        )

    def write(self, conn: Connection) -> None:
        """Insert what was added, over what has outlived its key."""
        if self._any_stored:
            for row in self._new:
                self._delete_outlived(conn, row)
        _INSERT.many(conn, self._new)

    def _delete_outlived(self, conn: Connection, row: Values) -> None:
        """The one stored before has the same place, and may name the same message: a duplicate of it that came after
        the end of its key.
        """
        value, recipient, account_id, mail_digest, *_ = row
        if any(
            one.is_stored and one.recipient == recipient and one.mail_digest == mail_digest
            for one in self._found[value, account_id]
        ):
            conn.execute(
                _DELETE,
                {
                    "old_key": value,
                    "old_recipient": recipient,
                    "old_account": account_id,
                    "old_digest": mail_digest,
                },
            )


def _same(key: Key, stored: _Stored) -> bool:
    if key.mail_digest and stored.mail_digest:
        return key.mail_digest == stored.mail_digest
    return key.text_digest == stored.text_digest


def forget(conn: Connection, units: Sequence[int]) -> list[int]:
    """Fold: keys older than their life are deleted, a bounded number at a time. Returns how many."""
    counts = []
    for most in units:
        old = select(_k.key).where(_k.created_at < clock.now() - KEPT_DAYS * clock.DAY).limit(most)
        counts.append(
            conn.execute(
                delete(tables.accepted_key).where(
                    _k.key.in_(old), _k.created_at < clock.now() - KEPT_DAYS * clock.DAY
                )
            ).rowcount
        )
    return counts
