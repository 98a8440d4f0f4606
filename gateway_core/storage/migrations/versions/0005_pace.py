"""How many answers of a handset a mailbox was mailed, and what is gathered for it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _id(name: str, *, nullable: bool = False) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, autoincrement=False, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "reply_pace",
        _id("account_id"),
        sa.Column("handset", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        _id("gathered_id", nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("reply_pace_account_id_fkey")),
        sa.ForeignKeyConstraint(["gathered_id"], ["notice.id"], name=op.f("reply_pace_gathered_id_fkey")),
        sa.PrimaryKeyConstraint("account_id", "handset", "mailbox", name=op.f("reply_pace_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reply_turn",
        _id("notice_id"),
        _id("account_id"),
        sa.Column("handset", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _id("gathered_id", nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("reply_turn_notice_id_fkey")),
        sa.ForeignKeyConstraint(["gathered_id"], ["notice.id"], name=op.f("reply_turn_gathered_id_fkey")),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("reply_turn_pkey")),
    )
    columns = ["account_id", "handset", "mailbox", "at"]
    op.create_index(op.f("reply_turn_account_id_handset_mailbox_at_idx"), "reply_turn", columns)
    op.create_index("reply_turn_gathered_idx", "reply_turn", ["gathered_id"])
