"""Idempotency: the same request twice is one text. Message-IDs and Idempotency-Keys share one space.

The key is stored in the accepting transaction, with accepted recipients only. Rules (CONTRACT, HTTP):
- by mail, the same Message-ID counts as a repeat with the same From, Date, Subject and text; else it is new;
- by HTTP, the same key with another body is refused (KeyReused);
- across the two doors, the same text to the same recipient is a repeat.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from gateway_core.errors import KeyReused
from gateway_core.messages import State
from gateway_core.storage import clock, tables

KEPT_DAYS = 7
_LONGEST = 255
_MOST_AT_ONCE = 1000  # values in one IN: databases bound how many parameters a statement has


@dataclass(frozen=True, slots=True)
class Key:
    """`mail_digest` is of From, Date, Subject and text, "" by HTTP; `request_digest` of the body, "" by mail."""

    value: str
    text_digest: str
    mail_digest: str = ""
    request_digest: str = ""
    lives_ms: int = KEPT_DAYS * clock.DAY


@dataclass(frozen=True, slots=True)
class First:
    """The message that was accepted under a key before."""

    message_id: int
    submission_id: int
    state: State
    segments: int
    encoding: str
    price: int


@dataclass(frozen=True, slots=True)
class _Stored:
    recipient: str
    mail_digest: str
    request_digest: str
    text_digest: str
    created_at: int
    first: First


_k, _m = tables.accepted_key.c, tables.message.c
_SELECT = (
    select(
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
    )
    .join_from(tables.accepted_key, tables.message, _k.message_id == _m.id)
    .where(_k.key.in_(bindparam("keys", expanding=True)))
)
# A mail asks for its own digest and recipients only: one fixed Message-ID may have thousands of rows under it.
_SELECT_MAIL = _SELECT.where(
    _k.mail_digest.in_(bindparam("digests", expanding=True)),
    _k.recipient.in_(bindparam("recipients", expanding=True)),
)
_DELETE = delete(tables.accepted_key).where(
    _k.key == bindparam("old_key"),
    _k.recipient == bindparam("old_recipient"),
    _k.account_id == bindparam("old_account"),
    _k.mail_digest == bindparam("old_digest"),
)


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
        self._stored: dict[tuple[str, int], list[_Stored]] = {}
        self._new: list[dict[str, Any]] = []
        self._now = clock.now()
        mail = [(key, recipients) for key, recipients in asked if key.mail_digest]
        http = sorted({key.value for key, _ in asked if not key.mail_digest})
        values = sorted({key.value for key, _ in mail})
        digests = sorted({key.mail_digest for key, _ in mail} | {""})
        every = sorted({recipient for _, recipients in mail for recipient in recipients})
        for start in range(0, len(every), _MOST_AT_ONCE):
            some = every[start : start + _MOST_AT_ONCE]
            self._read(conn.execute(_SELECT_MAIL, {"keys": values, "digests": digests, "recipients": some}))
        if http:
            self._read(conn.execute(_SELECT, {"keys": http}))

    def _read(self, rows: Iterable[Any]) -> None:
        for row in rows:
            first = First(row.id, row.submission_id, State(row.state), row.segments, row.encoding, row.price)
            stored = _Stored(
                row.recipient, row.mail_digest, row.request_digest, row.text_digest, row.created_at, first
            )
            self._stored.setdefault((row.key, row.account_id), []).append(stored)

    def repeats(self, account_id: int, key: Key | None, recipients: Sequence[str]) -> dict[str, First]:
        """The recipients that were accepted under this key before. Raises KeyReused."""
        if key is None:
            return {}
        stored = [
            one
            for one in self._stored.get((key.value, account_id), [])
            if one.created_at > self._now - key.lives_ms
        ]
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

    def add(self, account_id: int, key: Key | None, recipient: str, message: dict[str, Any]) -> None:
        """A recipient that this fold accepts."""
        if key is None:
            return
        first = First(
            message["id"],
            message["submission_id"],
            State(message["state"]),
            message["segments"],
            message["encoding"],
            message["price"],
        )
        stored = _Stored(recipient, key.mail_digest, key.request_digest, key.text_digest, self._now, first)
        self._stored.setdefault((key.value, account_id), []).append(stored)
        self._new.append(
            {
                "key": key.value,
                "recipient": recipient,
                "account_id": account_id,
                "mail_digest": key.mail_digest,
                "request_digest": key.request_digest,
                "text_digest": key.text_digest,
                "message_id": message["id"],
                "created_at": self._now,
            }
        )

    def write(self, conn: Connection) -> None:
        """Insert what was added, over what has outlived its key."""
        outlived = [row for row in self._new if self._was_stored(row)]
        for row in outlived:
            conn.execute(
                _DELETE,
                {
                    "old_key": row["key"],
                    "old_recipient": row["recipient"],
                    "old_account": row["account_id"],
                    "old_digest": row["mail_digest"],
                },
            )
        if self._new:
            conn.execute(insert(tables.accepted_key), self._new)

    def _was_stored(self, row: dict[str, Any]) -> bool:
        same = self._stored.get((row["key"], row["account_id"]), [])
        return any(
            one.recipient == row["recipient"]
            and one.mail_digest == row["mail_digest"]
            and one.first.message_id != row["message_id"]
            for one in same
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
