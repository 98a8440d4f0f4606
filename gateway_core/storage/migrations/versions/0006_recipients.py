"""Where the recipients of a sender's mails stand."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sender", sa.Column("recipients", sa.Text(), nullable=False, server_default="envelope"))
