"""The digest of the submitted content, if the bot made the diff of a version bump.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "apv_reviews",
        sa.Column("drafted_from", sa.Text(), comment="The digest of what was submitted, where the bot made the diff."),
    )


def downgrade() -> None:
    op.drop_column("apv_reviews", "drafted_from")
