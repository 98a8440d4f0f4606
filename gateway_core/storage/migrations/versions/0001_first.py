"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("billing", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("credit_limit", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("account_pkey")),
        sa.UniqueConstraint("name", name=op.f("account_name_key")),
    )
    op.create_table(
        "owner",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("owner_pkey")),
        sa.UniqueConstraint("node", name=op.f("owner_node_key")),
    )
    op.create_table(
        "price",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("per_segment", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("price_pkey")),
        sa.UniqueConstraint("prefix", "currency", name=op.f("price_prefix_currency_key")),
    )
    op.create_table(
        "refusal",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("refusal_pkey")),
        sa.UniqueConstraint(
            "day",
            "door",
            "code",
            "sender",
            "peer",
            "recipient",
            name=op.f("refusal_day_door_code_sender_peer_recipient_key"),
        ),
    )
    op.create_table(
        "revision",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("revision_pkey")),
    )
    op.create_table(
        "route",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("prefixes", sa.JSON(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("segments_per_second", sa.BigInteger(), nullable=False),
        sa.Column("resend", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("route_pkey")),
        sa.UniqueConstraint("name", name=op.f("route_name_key")),
    )
    op.create_table(
        "api_key",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("api_key_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_key_pkey")),
        sa.UniqueConstraint("digest", name=op.f("api_key_digest_key")),
    )
    op.create_table(
        "contact",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("contact_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("contact_pkey")),
        sa.UniqueConstraint("account_id", "name", name=op.f("contact_account_id_name_key")),
    )
    op.create_table(
        "number",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("msisdn", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("forward_to", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("number_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("number_pkey")),
        sa.UniqueConstraint("msisdn", name=op.f("number_msisdn_key")),
    )
    op.create_table(
        "phone_segment",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("ref", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("possible_duplicate", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("carrier_ref", sa.Text(), nullable=False),
        sa.Column("receipt_at", sa.BigInteger(), nullable=True),
        sa.Column("receipt_state", sa.Text(), nullable=False),
        sa.Column("receipts_left", sa.BigInteger(), nullable=False),
        sa.Column("route_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["route_id"], ["route.id"], name=op.f("phone_segment_route_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("phone_segment_pkey")),
    )
    op.create_index(op.f("phone_segment_phone_id_idx"), "phone_segment", ["phone", "id"], unique=False)
    op.create_index(
        "phone_segment_receipt_idx",
        "phone_segment",
        ["receipt_at"],
        unique=False,
        sqlite_where=sa.text("receipt_at IS NOT NULL"),
        postgresql_where=sa.text("receipt_at IS NOT NULL"),
    )
    op.create_table(
        "sender",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("ips", sa.JSON(), nullable=False),
        sa.Column("accept", sa.Text(), nullable=False),
        sa.Column("monitoring", sa.Boolean(), nullable=False),
        sa.Column("lists", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("sender_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sender_pkey")),
        sa.UniqueConstraint("address", name=op.f("sender_address_key")),
    )
    op.create_index(op.f("sender_account_id_idx"), "sender", ["account_id"], unique=False)
    op.create_table(
        "submission",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("client_ref", sa.Text(), nullable=True),
        sa.Column("origin", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("submission_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("submission_pkey")),
    )
    op.create_table(
        "keyword",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("number_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("forward_to", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("keyword_account_id_fkey")),
        sa.ForeignKeyConstraint(["number_id"], ["number.id"], name=op.f("keyword_number_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("keyword_pkey")),
        sa.UniqueConstraint("number_id", "word", name=op.f("keyword_number_id_word_key")),
    )
    op.create_table(
        "message",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("submission_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("route_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("segments", sa.BigInteger(), nullable=False),
        sa.Column("concat_ref", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("final_by", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("retries", sa.BigInteger(), nullable=False),
        sa.Column("resends", sa.BigInteger(), nullable=False),
        sa.Column("possible_duplicate", sa.Boolean(), nullable=False),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("message_account_id_fkey")),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"], name=op.f("message_owner_id_fkey")),
        sa.ForeignKeyConstraint(["route_id"], ["route.id"], name=op.f("message_route_id_fkey")),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("message_submission_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("message_pkey")),
    )
    op.create_index(op.f("message_account_id_id_idx"), "message", ["account_id", "id"], unique=False)
    op.create_index(op.f("message_account_id_to_id_idx"), "message", ["account_id", "to", "id"], unique=False)
    op.create_index(
        "message_due_idx",
        "message",
        ["state", "due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('HELD', 'CLAIMED', 'SUBMITTING', 'UNCERTAIN', 'SUBMITTED')"),
        postgresql_where=sa.text("state IN ('HELD', 'CLAIMED', 'SUBMITTING', 'UNCERTAIN', 'SUBMITTED')"),
    )
    op.create_index(
        "message_expiry_idx",
        "message",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('HELD', 'QUEUED')"),
        postgresql_where=sa.text("state IN ('HELD', 'QUEUED')"),
    )
    op.create_index(
        "message_queued_idx",
        "message",
        ["route_id", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'QUEUED'"),
        postgresql_where=sa.text("state = 'QUEUED'"),
    )
    op.create_index(op.f("message_submission_id_idx"), "message", ["submission_id"], unique=False)
    op.create_table(
        "accepted_key",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mail_digest", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("text_digest", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("accepted_key_account_id_fkey")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("accepted_key_message_id_fkey")),
        sa.PrimaryKeyConstraint(
            "key", "mail_digest", "recipient", "account_id", name=op.f("accepted_key_pkey")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("accepted_key_created_at_idx"), "accepted_key", ["created_at"], unique=False)
    op.create_table(
        "attempt",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("route_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("carrier_ref", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("attempt_message_id_fkey")),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"], name=op.f("attempt_owner_id_fkey")),
        sa.ForeignKeyConstraint(["route_id"], ["route.id"], name=op.f("attempt_route_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("attempt_pkey")),
    )
    op.create_index(
        "attempt_carrier_ref_idx",
        "attempt",
        ["carrier_ref", "route_id"],
        unique=False,
        sqlite_where=sa.text("carrier_ref IS NOT NULL"),
        postgresql_where=sa.text("carrier_ref IS NOT NULL"),
    )
    op.create_index(op.f("attempt_message_id_idx"), "attempt", ["message_id"], unique=False)
    op.create_table(
        "conversation",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("handset", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("conversation_account_id_fkey")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("conversation_message_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("conversation_pkey")),
        sa.UniqueConstraint("handset", "number", name=op.f("conversation_handset_number_key")),
    )
    op.create_table(
        "event",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("event_message_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("event_pkey")),
    )
    op.create_index(op.f("event_message_id_idx"), "event", ["message_id"], unique=False)
    op.create_table(
        "ledger_entry",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("ledger_entry_account_id_fkey")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("ledger_entry_message_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("ledger_entry_pkey")),
        sa.UniqueConstraint("message_id", "kind", name=op.f("ledger_entry_message_id_kind_key")),
    )
    op.create_index(op.f("ledger_entry_account_id_idx"), "ledger_entry", ["account_id"], unique=False)
    op.create_table(
        "mo",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("route_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("carrier_ref", sa.Text(), nullable=False),
        sa.Column("handset", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("mo_account_id_fkey")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("mo_message_id_fkey")),
        sa.ForeignKeyConstraint(["route_id"], ["route.id"], name=op.f("mo_route_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("mo_pkey")),
        sa.UniqueConstraint("route_id", "carrier_ref", name=op.f("mo_route_id_carrier_ref_key")),
    )
    op.create_index(op.f("mo_account_id_id_idx"), "mo", ["account_id", "id"], unique=False)
    op.create_table(
        "notice",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("mo_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("notice_account_id_fkey")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("notice_message_id_fkey")),
        sa.ForeignKeyConstraint(["mo_id"], ["mo.id"], name=op.f("notice_mo_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("notice_pkey")),
        sa.UniqueConstraint("event_key", name=op.f("notice_event_key_key")),
    )
    op.create_index(
        "notice_due_idx",
        "notice",
        ["due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'DUE'"),
        postgresql_where=sa.text("state = 'DUE'"),
    )
    op.create_index(op.f("notice_message_id_idx"), "notice", ["message_id"], unique=False)
    op.create_table(
        "receipt",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("route_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("carrier_ref", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("repeats", sa.BigInteger(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("receipt_attempt_id_fkey")),
        sa.ForeignKeyConstraint(["route_id"], ["route.id"], name=op.f("receipt_route_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("receipt_pkey")),
        sa.UniqueConstraint(
            "carrier_ref",
            "route_id",
            "state",
            "done_at",
            name=op.f("receipt_carrier_ref_route_id_state_done_at_key"),
        ),
    )
    op.create_index(
        "receipt_unmatched_idx",
        "receipt",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("attempt_id IS NULL AND due_at IS NOT NULL"),
        postgresql_where=sa.text("attempt_id IS NULL AND due_at IS NOT NULL"),
    )
