"""The state of pull requests, and the webhook deliveries already processed.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, their indexes and the deliveries."""
    op.add_column(
        "apv_reviews", sa.Column("pull", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.add_column("apv_reviews", sa.Column("pull_seen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("apv_reviews", sa.Column("pull_polled_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_apv_reviews_pull",
        "apv_reviews",
        [sa.literal_column("lower(repository)"), "pr_number"],
        unique=False,
        postgresql_where=sa.text("pr_number IS NOT NULL"),
    )
    op.create_index(
        "ix_apv_reviews_pr_branch",
        "apv_reviews",
        ["pr_branch"],
        unique=False,
        postgresql_where=sa.text("pr_number IS NOT NULL"),
    )
    op.create_index(
        "ix_apv_reviews_open_pulls",
        "apv_reviews",
        ["pull_polled_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pr_open'"),
    )
    op.create_table(
        "github_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_github_deliveries")),
        comment="The X-GitHub-Delivery of each webhook that had its effect: the same one again has none.",
    )
    op.create_index("ix_github_deliveries_received_at", "github_deliveries", ["received_at"], unique=False)


def downgrade() -> None:
    """Drop all of it."""
    op.drop_index("ix_github_deliveries_received_at", table_name="github_deliveries")
    op.drop_table("github_deliveries")
    op.drop_index("ix_apv_reviews_open_pulls", table_name="apv_reviews", postgresql_where=sa.text("status = 'pr_open'"))
    op.drop_index(
        "ix_apv_reviews_pr_branch", table_name="apv_reviews", postgresql_where=sa.text("pr_number IS NOT NULL")
    )
    op.drop_index("ix_apv_reviews_pull", table_name="apv_reviews", postgresql_where=sa.text("pr_number IS NOT NULL"))
    op.drop_column("apv_reviews", "pull_polled_at")
    op.drop_column("apv_reviews", "pull_seen_at")
    op.drop_column("apv_reviews", "pull")
