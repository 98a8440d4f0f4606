"""Forgotten devices: which profile a peer has, and what the first session of each one looked like."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core.gateway import Gateway
from gateway_core.storage import clock
from gateway_core.storage.ids import Ids
from mailgate import tables
from mailgate.settings import LegacySettings, Settings
from mailgate.trust import inside

LONGEST = 65_536  # characters of a transcript
MOST = 1000  # transcripts; the oldest go

_c = tables.first_contact.c


@dataclass(frozen=True, slots=True)
class FirstContact:
    """What a device and mailgate said to each other, as printable text."""

    ids: Ids
    peer: str
    profile: str
    transcript: str


def profile_for(settings: Settings, ip: str) -> tuple[str, LegacySettings] | None:
    """Name and switches of the first profile whose networks hold this peer."""
    for name, profile in settings.legacy.items():
        if inside(ip, profile.ips):
            return name, profile
    return None


def keep(gateway: Gateway, peer: str, profile: str, transcript: str) -> None:
    """Store a first contact, soon. When the database cannot write it is lost, and the next one is the first."""
    gateway.writer.put(record, FirstContact(gateway.ids, peer, profile, transcript))


_INSERTS = {  # a peer that is there stays as it is: only its first contact counts
    name: dialect.insert(tables.first_contact).on_conflict_do_nothing(index_elements=["peer"])
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}


def record(conn: Connection, units: Sequence[FirstContact]) -> list[None]:
    """Fold: store what is new, and let the oldest go beyond MOST."""
    at = clock.now()
    rows = [
        {
            "id": unit.ids.new(),
            "peer": unit.peer,
            "profile": unit.profile,
            "at": at,
            "transcript": unit.transcript[:LONGEST].replace("\0", "").encode("utf-8", "replace").decode(),
        }
        for unit in sorted(units, key=lambda unit: unit.peer)
    ]
    if conn.execute(_INSERTS[conn.dialect.name], rows).rowcount:
        too_many = select(_c.id).order_by(_c.id.desc()).offset(MOST)
        conn.execute(delete(tables.first_contact).where(_c.id.in_(too_many)))
    return [None] * len(units)


def newest(conn: Connection) -> list[RowMapping]:
    """All first contacts without their transcripts, newest first."""
    return list(conn.execute(select(_c.peer, _c.profile, _c.at).order_by(_c.id.desc())).mappings())


def of_peer(conn: Connection, peer: str) -> RowMapping | None:
    return conn.execute(select(tables.first_contact).where(_c.peer == peer)).mappings().one_or_none()
