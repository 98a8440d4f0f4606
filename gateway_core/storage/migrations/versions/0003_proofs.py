"""What was spent under caps; how a sender proves who it is, and what it may do."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spent",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "key", name=op.f("spent_pkey")),
        sqlite_with_rowid=False,
    )
    op.add_column("sender", sa.Column("secret_hash", sa.Text(), nullable=True))
    op.add_column("sender", sa.Column("destinations", sa.JSON(), nullable=False, server_default='["*"]'))
    op.add_column("sender", sa.Column("sender_ids", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("sender", sa.Column("hours", sa.Text(), nullable=False, server_default=""))
    op.add_column("sender", sa.Column("daily_spend", sa.BigInteger(), nullable=True))
