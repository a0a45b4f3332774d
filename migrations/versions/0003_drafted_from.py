"""Where the bot made the diff of a version bump: the digest of what was submitted.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "apv_reviews",
        sa.Column("drafted_from", sa.Text(), comment="The digest of what was submitted, where the bot made the diff."),
    )


def downgrade() -> None:
    op.drop_column("apv_reviews", "drafted_from")
