"""Messages that are shown at once, and messages that go first."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, name in (("message", "flash"), ("message", "urgent"), ("phone_segment", "flash")):
        op.add_column(table, sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "message_urgent_idx",
        "message",
        ["route_id", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'QUEUED' AND urgent = true"),
        postgresql_where=sa.text("state = 'QUEUED' AND urgent = true"),
    )
