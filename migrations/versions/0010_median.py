"""The median time to a decision, stored with the number of times it was computed from.

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hitl_review_median",
        sa.Column("one", sa.Boolean(), primary_key=True, server_default=sa.true()),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("micros", sa.Numeric(), nullable=False),
        sa.CheckConstraint("one", name="only_one"),
        comment="One row: the median of hitl_review_times when it counted this many, kept by whoever counts.",
    )


def downgrade() -> None:
    op.drop_table("hitl_review_median")
