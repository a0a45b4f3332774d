"""Authors of the content in force, guards on contents and policies, and inserted rows that start as new reviews.

Revision: 0012, after 0011.
"""

from migrations.scripts import run_script

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE apv_reviews ADD COLUMN authors jsonb NOT NULL DEFAULT '[]';
ALTER TABLE apv_contents ADD COLUMN authors jsonb NOT NULL DEFAULT '[]';
UPDATE apv_reviews SET authors = jsonb_build_array(reporter) WHERE reporter <> '';
UPDATE apv_contents AS c SET authors = r.authors FROM apv_reviews AS r WHERE r.id = c.apv_id AND r.authors <> '[]';
CREATE TABLE push_pause (
    single boolean NOT NULL DEFAULT true,
    since timestamptz NOT NULL,
    paused_by text NOT NULL,
    why text NOT NULL,
    CONSTRAINT pk_push_pause PRIMARY KEY (single),
    CONSTRAINT ck_push_pause_single CHECK (single)
);
COMMENT ON TABLE push_pause IS 'A row while nothing may reach GitHub.';
"""

# Every inserted row begins as a new review. The bot then gives it a digest and, unless the row has one, a deadline.
# Not ENABLE ALWAYS: replication and pg_restore --disable-triggers must copy decided reviews as they are.
STARTS_NEW = """
CREATE FUNCTION apv_reviews_start_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.status := 'pending';
    NEW.identity := NULL; NEW.digest := NULL; NEW.drafted_from := NULL;
    NEW.version := 1; NEW.revision := 0; NEW.priority := 0;
    NEW.votes := '[]'; NEW.authors := '[]';
    NEW.escalated_by := NULL; NEW.escalated_by_name := NULL; NEW.escalated_at := NULL;
    NEW.claimed_by := NULL; NEW.claimed_by_name := NULL;
    NEW.snoozed_until := NULL; NEW.snooze_reason := NULL;
    NEW.asked_at := NULL; NEW.breached_at := NULL; NEW.closed_at := NULL; NEW.clock_at := NULL;
    NEW.reminders_told := 0; NEW.steps_told := 0;
    NEW.pr_number := NULL; NEW.pr_url := NULL; NEW.pr_branch := NULL;
    NEW.pull := NULL; NEW.pull_seen_at := NULL; NEW.pull_polled_at := NULL;
    NEW.hold := NULL; NEW.note := NULL;
    NEW.audit_seq := 0; NEW.audit_head := '';
    RETURN NEW;
END $$;

CREATE TRIGGER apv_reviews_start_new BEFORE INSERT ON apv_reviews
    FOR EACH ROW EXECUTE FUNCTION apv_reviews_start_new();
"""

GUARDS = """
CREATE TRIGGER apv_contents_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON apv_contents
    FOR EACH STATEMENT EXECUTE FUNCTION apv_refuse();
CREATE TRIGGER policies_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policies
    FOR EACH STATEMENT EXECUTE FUNCTION apv_refuse();

-- Also where session_replication_role is replica.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
ALTER TABLE hitl_decisions ENABLE ALWAYS TRIGGER hitl_decisions_keep;
ALTER TABLE hitl_decisions ENABLE ALWAYS TRIGGER hitl_decisions_outcome_only;
ALTER TABLE apv_contents ENABLE ALWAYS TRIGGER apv_contents_append_only;
ALTER TABLE policies ENABLE ALWAYS TRIGGER policies_append_only;
"""

# An approval can be withdrawn or voided once, and stays so. The moment is that of its outcome.
OUTCOME = """
CREATE OR REPLACE FUNCTION hitl_decisions_outcome_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept hitl_decisions := NEW;
BEGIN
    kept.action_taken := OLD.action_taken;
    kept.outcome_notes := OLD.outcome_notes;
    kept.action_completed_at := OLD.action_completed_at;
    IF OLD.withdrawn_at IS NULL AND NEW.decision = 'approve' AND NEW.withdrawn_at = NEW.action_completed_at
        {changed} THEN
        kept.withdrawn_at := NULL;
    END IF;
    IF kept IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'hitl_decisions: only action_taken, outcome_notes and action_completed_at may change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

BACK = """
ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only;
ALTER TABLE hitl_decisions ENABLE TRIGGER hitl_decisions_keep;
ALTER TABLE hitl_decisions ENABLE TRIGGER hitl_decisions_outcome_only;
DROP TRIGGER policies_append_only ON policies;
DROP TRIGGER apv_contents_append_only ON apv_contents;
DROP TRIGGER apv_reviews_start_new ON apv_reviews;
DROP FUNCTION apv_reviews_start_new;
DROP TABLE push_pause;
ALTER TABLE apv_contents DROP COLUMN authors;
ALTER TABLE apv_reviews DROP COLUMN authors;
"""


def upgrade() -> None:
    """Add the columns and the guards."""
    run_script(COLUMNS + STARTS_NEW + GUARDS + OUTCOME.format(changed=""))


def downgrade() -> None:
    """Take them back."""
    run_script(BACK + OUTCOME.format(changed="AND NEW.action_completed_at IS DISTINCT FROM OLD.action_completed_at"))
