"""Every table of the core. Who has read this file knows the product.

Times are milliseconds since 1970 UTC (`*_at`, `*_by`). Money is an integer of 1/10,000 of the currency unit.
Ids are made in Python, time-ordered (storage.ids), so that no statement needs RETURNING.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)
Id = BigInteger().with_variant(
    Integer, "sqlite"
)  # INTEGER PRIMARY KEY is SQLite's own row id: no second index


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=False)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _int(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _later(name: str, kind: Any, default: str) -> Column[Any]:
    """Of a column that came later: what the rows before it have, and rows that do not name it."""
    return Column(name, kind, nullable=False, server_default=text(default))


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


# --- what an operator sets while running (mailgate apply) -------------------------------------------------

revision = Table(  # one row, raised by every change below: processes reload when it moves
    "revision", metadata, _id(), _int("value")
)

account = Table(
    "account",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("billing"),
    _text("currency"),
    _int("balance"),
    _int("credit_limit"),
    Column("terms", JSON, nullable=False),  # accounts.Terms: everything of an account but its money
    _at("created_at"),
)

api_key = Table(
    "api_key",
    metadata,
    _id(),
    _ref("account_id", "account"),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of a random key: no need for a slow hash
    _at("created_at"),
)

number = Table(
    "number",
    metadata,
    _id(),
    Column("msisdn", Text, nullable=False, unique=True),
    _ref("account_id", "account", nullable=True),  # NULL: shared, the keyword picks the account
    Column("forward_to", JSON, nullable=False),
    _later("pool", Boolean, "true"),  # texts of its account may go out with it when no sender ID is asked for
)

keyword = Table(
    "keyword",
    metadata,
    _id(),
    _ref("number_id", "number"),
    _text("word"),  # upper case, perhaps several words; * is for what begins with no other
    _ref("account_id", "account"),
    Column("forward_to", JSON, nullable=False),
    UniqueConstraint("number_id", "word"),
)

route = Table(
    "route",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("carrier"),
    Column("settings", JSON, nullable=False),
    Column("prefixes", JSON, nullable=False),
    _int("priority"),
    _int("weight"),
    _int("segments_per_second"),
    _text("resend"),
    _flag("paused"),
    _later("accounts", JSON, "'[]'"),  # names of accounts that may use it; none: all
    _later("sender_ids", JSON, "'[]'"),  # sender IDs or kinds of them that it takes; none: all
    _later("costs", JSON, "'{}'"),  # what a segment costs the operator (1/10,000), by prefix
)

sender_id_rule = Table(  # which sender IDs a destination takes; the longest prefix counts
    "sender_id_rule",
    metadata,
    _id(),
    Column("prefix", Text, nullable=False, unique=True),
    Column(
        "allowed", JSON, nullable=False
    ),  # sender IDs, or kinds: alphanumeric, short, long; none: no texts
    _text("instead"),  # the sender ID that goes out for one that is not allowed; "": that one is refused
)

price = Table(
    "price",
    metadata,
    _id(),
    _text("prefix"),
    _text("currency"),
    _int("per_segment"),
    UniqueConstraint("prefix", "currency"),
)

# --- processes --------------------------------------------------------------------------------------------

owner = Table(  # one row a process; its lease is judged by the database's clock
    "owner",
    metadata,
    _id(),
    Column("node", Integer, nullable=False, unique=True),  # part of every id that the process makes
    _text("host"),
    _int("pid"),
    _at("started_at"),
    _at("lease_until"),
)

# --- in, from people --------------------------------------------------------------------------------------

submission = Table(
    "submission",
    metadata,
    _id(),
    _ref("account_id", "account"),
    _text("text"),
    _text("client_ref", nullable=True),
    Column("origin", JSON, nullable=False),  # opaque to the core; comes back on every notice
    _at("created_at"),
    _later("sender", Text, "''"),  # who of the account submitted it; opaque to the core
    _later("digest", Text, "''"),  # which digest tells of it, with the other parts of its mail; "": none
    _partial("submission_digest_idx", "digest", where="digest <> ''"),
)

message = Table(
    "message",
    metadata,
    _id(),
    _ref("submission_id", "submission"),
    _ref("account_id", "account"),
    _ref("route_id", "route"),
    _text("to"),  # E.164 with +
    _text("sender_id"),
    _text("encoding"),
    _int("segments"),
    _int("concat_ref"),  # the same for all segments and all attempts (3GPP TS 23.040 9.2.3.24.1)
    _int("price"),
    _text("state"),
    _text("reason"),
    _at("due_at", nullable=True),  # when the state machine looks at it next; what for depends on the state
    _at("expires_at"),
    _at("final_by"),  # validity and receipt grace over: UNKNOWN at the latest
    _int("fence"),  # raised by every claim; an attempt and its answer name the fence they belong to
    _ref("owner_id", "owner", nullable=True),
    _int("retries"),
    _int("resends"),  # of an UNCERTAIN submit; the route's budget bounds it
    _flag("possible_duplicate"),
    _flag("notify"),  # the account is owed notices of it, as far as its terms say so
    _flag("flash"),  # class 0: shown at once, not stored (3GPP TS 23.038 §4)
    _flag("urgent"),  # claimed before everything else that waits on its route
    _later("service", Boolean, "false"),  # a text that we owe a handset: it passes an opt-out
    _later(
        "receipts", Text, "''"
    ),  # of which ends: notices.WANTED, or digest; "": as the account says when it ends
    _later("warn", Boolean, "false"),  # whether a delay is told of
    _at("created_at"),
    _at("state_at"),
    Index(None, "submission_id"),
    Index(None, "account_id", "id"),
    Index(None, "account_id", "to", "id"),
    _partial("message_queued_idx", "route_id", "due_at", "id", where="state = 'QUEUED'"),
    _partial("message_urgent_idx", "route_id", "due_at", "id", where="state = 'QUEUED' AND urgent = true"),
    _partial(
        "message_due_idx",
        "state",
        "due_at",
        where="state IN ('HELD', 'CLAIMED', 'SUBMITTING', 'UNCERTAIN', 'SUBMITTED')",
    ),
    _partial("message_expiry_idx", "expires_at", where="state IN ('HELD', 'QUEUED')"),
)

# Word for word the conditions of its indexes: SQLite uses a partial index only where it finds them.
QUEUED = message.c.state == literal_column("'QUEUED'")
URGENT, ORDINARY = (message.c.urgent == literal_column(value) for value in ("true", "false"))
EXPIRABLE = message.c.state.in_([literal_column(f"'{state}'") for state in ("HELD", "QUEUED")])
WAITING = message.c.state.in_(
    [literal_column(f"'{s}'") for s in ("HELD", "CLAIMED", "SUBMITTING", "UNCERTAIN", "SUBMITTED")]
)

accepted_key = Table(  # idempotency: one row a recipient that was accepted under this key
    "accepted_key",
    metadata,
    _text("key"),  # Idempotency-Key or Message-ID, without quotes and <>
    _text("recipient"),
    _ref("account_id", "account"),
    _text("mail_digest"),  # of From, Date, Subject and text; "" when it came by HTTP
    _text("request_digest"),  # of the HTTP request; "" when it came by mail
    _text("text_digest"),
    _ref("message_id", "message"),
    _at("created_at"),
    PrimaryKeyConstraint("key", "mail_digest", "recipient", "account_id"),
    Index(None, "created_at"),
    sqlite_with_rowid=False,
)

event = Table(  # the trail: one row a move, never changed
    "event",
    metadata,
    _id(),
    _ref("message_id", "message"),
    _at("at"),
    _text("actor"),
    _text("old"),
    _text("new"),
    _text("reason"),
    Index(None, "message_id"),
)

refusal = Table(  # what was not accepted; the same refusal of the same day is one row with a count
    "refusal",
    metadata,
    _id(),
    _text("day"),  # YYYY-MM-DD, UTC
    _text("door"),
    _text("code"),
    _text("account"),
    _text("sender"),
    _text("peer"),
    _text("recipient"),
    _text("words"),
    _int("count"),
    _at("first_at"),
    _at("last_at"),
    UniqueConstraint("day", "door", "code", "sender", "peer", "recipient"),
)

ledger_entry = Table(  # append-only; the sum of an account's entries is its balance
    "ledger_entry",
    metadata,
    _id(),
    _ref("account_id", "account"),
    _ref("message_id", "message", nullable=True),
    _text("kind"),  # opening, credit, submit, refund, correction
    _int("amount"),
    _text("note"),
    _at("at"),
    _text("key", nullable=True),  # of a top-up: a repeat under it is not entered again
    Index(None, "account_id", "at"),
    UniqueConstraint("message_id", "kind"),  # charged once, given back once
    _partial("ledger_entry_key_idx", "account_id", "key", where="key IS NOT NULL", unique=True),
)

statement = Table(  # what an account was told of a month that is over; never changed
    "statement",
    metadata,
    _id(),
    _ref("account_id", "account"),
    _text("month"),  # YYYY-MM, in the account's time zone
    Column("facts", JSON, nullable=False),
    _at("created_at"),
    UniqueConstraint("account_id", "month"),
)

spent = Table(  # what was taken under a spending cap; refunds do not give it back
    "spent",
    metadata,
    _text("key"),  # opaque to the core: who spends
    _text("day"),  # YYYY-MM-DD, in whatever time zone the submitter counts
    _int("amount"),
    PrimaryKeyConstraint("day", "key"),  # the day first: old rows are found without a second index
    sqlite_with_rowid=False,
)

rate = Table(  # a limit of segments a minute: when what was taken is paid off (GCRA, ITU-T I.371 annex A)
    "rate",
    metadata,
    _ref("account_id", "account"),
    _text("key"),  # whose limit it is
    _int("free_at"),  # microseconds since 1970
    PrimaryKeyConstraint("account_id", "key"),
    Index(None, "free_at"),
    sqlite_with_rowid=False,
)

opt_out = (
    Table(  # handsets that must not be texted; a row stays when they return, so that it can be explained
        "opt_out",
        metadata,
        _id(),
        _text("handset"),
        _text("scope"),  # account:ID, number:E.164 of a shared one, or all
        _flag("active"),
        _text("source"),  # handset, carrier, operator, account
        _text("words"),  # what was said
        _at("since_at"),
        _at("changed_at"),
        UniqueConstraint("handset", "scope"),
        Index(None, "changed_at"),
        Index(None, "scope"),
    )
)

# --- out, to the network ----------------------------------------------------------------------------------

attempt = Table(  # one submit of one segment, journalled before the bytes are written
    "attempt",
    metadata,
    _id(),  # also the client reference that the carrier gets
    _ref("message_id", "message"),
    _ref("route_id", "route"),
    _ref("owner_id", "owner"),
    _int("fence"),
    _int("segment"),
    _at("written_at"),
    _at("answered_at", nullable=True),
    _text("outcome", nullable=True),  # accepted, rejected, retry, throttled; NULL: not answered
    _text("words"),
    _text("carrier_ref", nullable=True),  # the carrier's id of this segment, normalised
    _text("receipt", nullable=True),  # state of the newest receipt that counts
    Index(None, "message_id"),
    _partial("attempt_carrier_ref_idx", "carrier_ref", "route_id", where="carrier_ref IS NOT NULL"),
)

# --- in, from the network ---------------------------------------------------------------------------------

receipt = Table(  # one DLR as it came, stored before it is acknowledged
    "receipt",
    metadata,
    _id(),
    _ref("route_id", "route"),
    _text("carrier_ref"),
    _text("state"),
    _text("words"),
    _at("done_at"),
    _at("received_at"),
    _int("repeats"),
    _later("raw_ref", Text, "''"),  # the carrier's id as it came; carrier_ref is its normal form
    Column("echoed_ref", BigInteger),  # ours, where the carrier echoes it
    _later("handset", Text, "''"),  # whom the carrier says it is of
    _later("inferred", Boolean, "false"),  # matched without an id, because nothing else fitted
    _ref("attempt_id", "attempt", nullable=True),
    _at("due_at", nullable=True),  # unmatched: when to look again
    UniqueConstraint("carrier_ref", "route_id", "state", "done_at"),
    _partial("receipt_unmatched_idx", "due_at", where="attempt_id IS NULL AND due_at IS NOT NULL"),
)

mo = Table(
    "mo",
    metadata,
    _id(),
    _ref("route_id", "route"),
    _text("carrier_ref"),  # the carrier's id, or ours: a repeat is stored once
    _text("handset"),
    _text("number"),
    _text("text"),
    _ref("account_id", "account", nullable=True),  # NULL: the number is nobody's
    _ref("message_id", "message", nullable=True),  # the text that it answers, where there is one
    _at("received_at"),
    UniqueConstraint("route_id", "carrier_ref"),
    Index(None, "account_id", "id"),
)

conversation = Table(  # who wrote last, so that a reply finds its mailbox
    "conversation",
    metadata,
    _id(),
    _ref("account_id", "account"),
    _text("number"),
    _text("handset"),
    _ref("message_id", "message", nullable=True),  # the newest text to the handset
    _at("changed_at"),
    _later("sender", Text, "''"),  # of that text's submission
    _at("shared_at", nullable=True),  # when another sender than this one wrote last
    UniqueConstraint("handset", "number"),
)

# --- out, to people ---------------------------------------------------------------------------------------

notice = Table(  # what an account is owed; an actor of another package turns it into mail or a request
    "notice",
    metadata,
    _id(),
    _ref("account_id", "account", nullable=True),  # NULL: to the operator
    Column("event_key", Text, nullable=False, unique=True),  # one notice an event, however often it is seen
    # receipt, delay, digest, reply, gathered (replies of an hour), remark, preview, refusal, alarm, statement, forward,
    # bounce; text: what we owe a handset
    _text("kind"),
    _text("target"),  # "": who submitted it (the origin); else an address of forward_to or replies_to
    _ref("message_id", "message", nullable=True),
    _ref("mo_id", "mo", nullable=True),
    Column("facts", JSON, nullable=False),
    _text("state"),  # DUE, DONE, DEAD
    _at("due_at"),
    _int("tries"),
    _text("words"),
    _at("created_at"),
    _at("tried_at", nullable=True),  # first
    _later("mailed_to", Text, "''"),  # the first of its addressees, once it is gone
    _partial("notice_due_idx", "due_at", "id", where="state = 'DUE'"),
    Index(None, "message_id"),
)

progress = Table(  # how far periodic work has got that looks at each message once
    "progress",
    metadata,
    Column("name", Text, primary_key=True),
    _int("message_id"),  # the last one that was looked at
    sqlite_with_rowid=False,
)

# --- the simulated carrier's handsets ---------------------------------------------------------------------

phone_segment = Table(  # all that reached or left a simulated phone, in order, nothing merged
    "phone_segment",
    metadata,
    _id(),
    _text("phone"),
    _text("direction"),  # in, out: as the phone sees it
    _text("peer"),
    _text("text"),
    _text("encoding"),
    _int("ref"),
    _int("number"),
    _int("total"),
    _flag("possible_duplicate"),
    _flag("flash"),
    _at("at"),
    _text("carrier_ref"),
    _at("receipt_at", nullable=True),  # a DLR that the simulated carrier still owes
    _text("receipt_state"),
    _int("receipts_left"),
    _ref("route_id", "route", nullable=True),
    Index(None, "phone", "id"),
    _partial("phone_segment_receipt_idx", "receipt_at", where="receipt_at IS NOT NULL"),
)
