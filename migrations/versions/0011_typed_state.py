"""State that used to be parsed from sentences: why a review is on hold, which decision closed it, which was withdrawn.

Revision: 0011, after 0010.
"""

from migrations.scripts import run_script

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE apv_reviews
    ADD COLUMN hold text CONSTRAINT ck_apv_reviews_hold
        CHECK (hold IN ('drafting', 'no_draft', 'nothing_to_open', 'pull_failed')),
    ADD COLUMN asked_at timestamptz;
ALTER TABLE hitl_decisions ADD COLUMN withdrawn_at timestamptz, ADD COLUMN closing boolean;
"""
DUE = """
DROP INDEX ix_apv_reviews_due;
CREATE INDEX ix_apv_reviews_due ON apv_reviews (due_at) WHERE {untold} AND status IN ('escalated', 'pending');
"""

# An approval can be withdrawn once, and stays withdrawn.
GUARD = """
CREATE OR REPLACE FUNCTION hitl_decisions_outcome_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept hitl_decisions := NEW;
BEGIN
    kept.action_taken := OLD.action_taken;
    kept.outcome_notes := OLD.outcome_notes;
    kept.action_completed_at := OLD.action_completed_at;
    {withdrawn}
    IF kept IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'hitl_decisions: only action_taken, outcome_notes and action_completed_at may change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""
WITHDRAWN = """
    IF OLD.withdrawn_at IS NULL AND NEW.decision = 'approve' AND NEW.withdrawn_at = NEW.action_completed_at
        AND NEW.action_completed_at IS DISTINCT FROM OLD.action_completed_at THEN
        kept.withdrawn_at := NULL;
    END IF;
"""

# Earlier releases wrote these sentences. A decision's audit entry says whether it closed the review.
FILL = """
UPDATE apv_reviews SET hold = CASE
    WHEN note = 'The diff of this version bump is being made. It will be shown here, as a new version to decide on.'
        THEN 'drafting'
    WHEN note LIKE 'No diff could be made for this version bump: %' THEN 'no_draft'
    WHEN status = 'approved' AND note IN (
        'It has no patch, so there is no pull request to open.',
        'GitHub is not set up here, so there is no pull request to open.') THEN 'nothing_to_open'
    WHEN status = 'approved' THEN 'pull_failed'
END
WHERE note IS NOT NULL AND status <> 'pr_closed';

ALTER TABLE hitl_decisions DISABLE TRIGGER hitl_decisions_outcome_only;
UPDATE hitl_decisions AS d SET
    closing = l.kind IN ('review.approved', 'review.rejected', 'review.changes_requested'),
    withdrawn_at = CASE WHEN d.outcome_notes = 'Withdrawn by the person who gave it.' THEN d.action_completed_at END
FROM audit_log AS l
WHERE l.apv_id = d.apv_id AND l.detail ->> 'decision_id' = d.id::text;
ALTER TABLE hitl_decisions ENABLE TRIGGER hitl_decisions_outcome_only;
"""


def upgrade() -> None:
    """Add the columns, fill them, and find overdue reviews by the deadline in force."""
    untold = "(breached_at IS NULL OR breached_at < due_at)"
    run_script(COLUMNS + GUARD.format(withdrawn=WITHDRAWN) + FILL + DUE.format(untold=untold))


def downgrade() -> None:
    """Drop the columns, and find overdue reviews as before."""
    run_script(DUE.format(untold="breached_at IS NULL") + GUARD.format(withdrawn=""))
    run_script("ALTER TABLE hitl_decisions DROP COLUMN closing, DROP COLUMN withdrawn_at")
    run_script("ALTER TABLE apv_reviews DROP COLUMN asked_at, DROP COLUMN hold")
