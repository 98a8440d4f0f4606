"""What the submitter of a text is told of it, how far delay warnings have got, and what mail back needs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("receipts", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("message", sa.Column("warn", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("submission", sa.Column("digest", sa.Text(), nullable=False, server_default=sa.text("''")))
    some = sa.text("digest <> ''")
    op.create_index(
        "submission_digest_idx", "submission", ["digest"], sqlite_where=some, postgresql_where=some
    )
    op.add_column("sender", sa.Column("receipts", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("notice", sa.Column("mailed_to", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("notice", sa.Column("tried_at", sa.BigInteger()))
    op.create_table(
        "progress",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("progress_pkey")),
        sqlite_with_rowid=False,
    )
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "dead_address",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("notice_id", kind, autoincrement=False, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("dead_address_notice_id_fkey")),
        sa.PrimaryKeyConstraint("address", name=op.f("dead_address_pkey")),
        sqlite_with_rowid=False,
    )
