"""What git reads in each patch: which files it changes, and how.

Revision: 0013, after 0012.
"""

from migrations.scripts import run_script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE apv_reviews ADD COLUMN files jsonb;
COMMENT ON COLUMN apv_reviews.files IS 'What git reads in the patch; JSON null: it cannot.';
CREATE INDEX ix_apv_reviews_unread ON apv_reviews (created_at)
    WHERE files IS NULL AND status IN ('approved', 'changes_requested', 'escalated', 'pending', 'pr_open');
"""


def upgrade() -> None:
    """Add the column; the sweep fills it for open reviews."""
    run_script(UP)


def downgrade() -> None:
    """Drop the column and its index."""
    run_script("ALTER TABLE apv_reviews DROP COLUMN files")
