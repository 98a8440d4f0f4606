"""The rows that mail needs and the core does not; the same metadata, migrations and writer."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from gateway_core.storage.tables import Id, metadata

sender = Table(  # an address that may submit for an account, and where its mail may come from
    "sender",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, ForeignKey("account.id"), nullable=False),
    Column("address", Text, nullable=False),  # alice@acme.example, @acme.example, or * (embedded default)
    Column("ips", JSON, nullable=False),
    Column("accept", Text, nullable=False),
    Column("monitoring", Boolean, nullable=False),
    Column("lists", Boolean, nullable=False),
    Column("password_hash", Text, nullable=True),  # argon2id, with accept = "auth"
    Column("secret_hash", Text, nullable=True),  # likewise, with accept = "secret"
    Column("destinations", JSON, nullable=False, server_default='["*"]'),  # besides those of the account
    Column("sender_ids", JSON, nullable=False, server_default="[]"),  # that it may show; none: the account's
    Column("hours", Text, nullable=False, server_default=""),  # when it may text; "": always
    Column("daily_spend", BigInteger, nullable=True),  # 1/10,000 of the currency unit; NULL: no cap
    Column("recipients", Text, nullable=False, server_default="envelope"),  # body, subject: of sms@domain
    Column("receipts", Text, nullable=False, server_default=""),  # of the account's term; "": as that says
    UniqueConstraint("address"),
    Index(None, "account_id"),
)

reply_pace = Table(  # one row a handset and mailbox that its answers are mailed to: held while one is decided
    "reply_pace",
    metadata,
    Column("account_id", Id, ForeignKey("account.id"), nullable=False),
    Column("handset", Text, nullable=False),
    Column("mailbox", Text, nullable=False),  # as addresses are compared
    Column("most", BigInteger, nullable=False),  # replies_per_hour when it was last too much
    Column("until", BigInteger, nullable=False),  # one mail an hour until then; 0: never was too much
    Column("gathered_id", Id, ForeignKey("notice.id"), nullable=True),  # the notice that gathers, or did
    PrimaryKeyConstraint("account_id", "handset", "mailbox"),
    sqlite_with_rowid=False,
)

reply_turn = Table(  # what was decided of one answer, once, however often its notice is tried
    "reply_turn",
    metadata,
    Column("notice_id", Id, ForeignKey("notice.id"), primary_key=True, autoincrement=False),
    Column("account_id", Id, nullable=False),
    Column("handset", Text, nullable=False),
    Column("mailbox", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("gathered_id", Id, ForeignKey("notice.id"), nullable=True),  # NULL: mailed by itself
    Index(None, "account_id", "handset", "mailbox", "at"),
    Index("reply_turn_gathered_idx", "gathered_id"),
)

dead_address = Table(  # mail to it came back: none goes there until then, or until its owner mails us
    "dead_address",
    metadata,
    Column("address", Text, primary_key=True),  # as addresses are compared
    Column("notice_id", Id, ForeignKey("notice.id"), nullable=False),  # the mail that came back
    Column("words", Text, nullable=False),  # what its server said
    Column("since_at", BigInteger, nullable=False),
    Column("until_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

contact = Table(  # a name for one or several numbers: oncall@domain
    "contact",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, ForeignKey("account.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("numbers", JSON, nullable=False),
    UniqueConstraint("account_id", "name"),
)

first_contact = Table(  # the first session of a device with a legacy profile
    "first_contact",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("peer", Text, nullable=False),  # IP address
    Column("profile", Text, nullable=False),
    Column("at", BigInteger, nullable=False),  # milliseconds since 1970, like all times
    Column("transcript", Text, nullable=False),  # at most legacy.LONGEST characters, passwords left out
    UniqueConstraint("peer"),
)
