"""Until when a review is snoozed, and why.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("apv_reviews", sa.Column("snoozed_until", sa.DateTime(timezone=True)))
    op.add_column("apv_reviews", sa.Column("snooze_reason", sa.Text()))


def downgrade() -> None:
    for column in ("snooze_reason", "snoozed_until"):
        op.drop_column("apv_reviews", column)
