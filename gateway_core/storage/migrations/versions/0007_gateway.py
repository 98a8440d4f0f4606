"""Statements, rates, opt-outs, rules of sender IDs; what routes, receipts and conversations need to be told apart."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NO, _YES, _EMPTY = sa.text("false"), sa.text("true"), sa.text("''")
_LATER: tuple[tuple[str, str, sa.types.TypeEngine[Any], sa.TextClause], ...] = (
    ("number", "pool", sa.Boolean(), _YES),
    ("route", "accounts", sa.JSON(), sa.text("'[]'")),
    ("route", "sender_ids", sa.JSON(), sa.text("'[]'")),
    ("route", "costs", sa.JSON(), sa.text("'{}'")),
    ("submission", "sender", sa.Text(), _EMPTY),
    ("message", "service", sa.Boolean(), _NO),
    ("receipt", "raw_ref", sa.Text(), _EMPTY),
    ("receipt", "handset", sa.Text(), _EMPTY),
    ("receipt", "inferred", sa.Boolean(), _NO),
    ("conversation", "sender", sa.Text(), _EMPTY),
)


def _id(name: str) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, autoincrement=False, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _at(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    for table, name, kind, before in _LATER:
        op.add_column(table, sa.Column(name, kind, nullable=False, server_default=before))
    op.add_column("receipt", sa.Column("echoed_ref", sa.BigInteger()))
    op.add_column("conversation", sa.Column("shared_at", sa.BigInteger()))
    op.execute("UPDATE receipt SET raw_ref = carrier_ref")
    _ledger()
    _tables()


def _ledger() -> None:
    op.add_column("ledger_entry", sa.Column("key", sa.Text()))
    op.create_index(
        "ledger_entry_key_idx",
        "ledger_entry",
        ["account_id", "key"],
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.drop_index("ledger_entry_account_id_idx", "ledger_entry")
    op.create_index(op.f("ledger_entry_account_id_at_idx"), "ledger_entry", ["account_id", "at"])


def _tables() -> None:
    op.create_table(
        "sender_id_rule",
        _id("id"),
        _text("prefix"),
        sa.Column("allowed", sa.JSON(), nullable=False),
        _text("instead"),
        sa.PrimaryKeyConstraint("id", name=op.f("sender_id_rule_pkey")),
        sa.UniqueConstraint("prefix", name=op.f("sender_id_rule_prefix_key")),
    )
    op.create_table(
        "statement",
        _id("id"),
        _id("account_id"),
        _text("month"),
        sa.Column("facts", sa.JSON(), nullable=False),
        _at("created_at"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("statement_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("statement_pkey")),
        sa.UniqueConstraint("account_id", "month", name=op.f("statement_account_id_month_key")),
    )
    op.create_table(
        "rate",
        _id("account_id"),
        _text("key"),
        _at("free_at"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("rate_account_id_fkey")),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("rate_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("rate_free_at_idx"), "rate", ["free_at"])
    op.create_table(
        "opt_out",
        _id("id"),
        _text("handset"),
        _text("scope"),
        sa.Column("active", sa.Boolean(), nullable=False),
        _text("source"),
        _text("words"),
        _at("since_at"),
        _at("changed_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("opt_out_pkey")),
        sa.UniqueConstraint("handset", "scope", name=op.f("opt_out_handset_scope_key")),
    )
    op.create_index(op.f("opt_out_changed_at_idx"), "opt_out", ["changed_at"])
    op.create_index(op.f("opt_out_scope_idx"), "opt_out", ["scope"])
