"""When a review's next timed action is due, and how many reminders and steps were posted.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("apv_reviews", sa.Column("clock_at", sa.DateTime(timezone=True)))
    op.add_column("apv_reviews", sa.Column("reminders_told", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("apv_reviews", sa.Column("steps_told", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_apv_reviews_clock",
        "apv_reviews",
        ["clock_at"],
        postgresql_where=sa.text("status IN ('pending', 'escalated')"),
    )


def downgrade() -> None:
    op.drop_index("ix_apv_reviews_clock", "apv_reviews")
    for column in ("steps_told", "reminders_told", "clock_at"):
        op.drop_column("apv_reviews", column)
