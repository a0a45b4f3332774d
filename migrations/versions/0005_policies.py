"""Policies: every text that was in force, the current one, and messages without a review.

Revision: 0005, after 0004.
"""

from alembic import op

from migrations.scripts import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

POLICIES = """
CREATE TABLE policies (
    digest text NOT NULL,
    content text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_policies PRIMARY KEY (digest)
);
COMMENT ON TABLE policies IS 'Each policy file that was ever in force, so that a digest in the audit log can be opened.';

CREATE TABLE policy_in_force (
    single boolean NOT NULL DEFAULT true,
    digest text NOT NULL DEFAULT '',
    broken text NOT NULL DEFAULT '',
    audit_seq integer NOT NULL DEFAULT 0,
    audit_head text NOT NULL DEFAULT '',
    CONSTRAINT pk_policy_in_force PRIMARY KEY (single),
    CONSTRAINT ck_policy_in_force_single CHECK (single)
);
COMMENT ON TABLE policy_in_force IS 'One row, locked by whoever changes the policy: it is told once, by one replica.';

ALTER TABLE slack_messages ALTER COLUMN review_id DROP NOT NULL;
"""


def upgrade() -> None:
    run_script(POLICIES)


def downgrade() -> None:
    op.drop_table("policy_in_force")
    op.drop_table("policies")
    op.execute("DELETE FROM slack_messages WHERE review_id IS NULL")
    op.alter_column("slack_messages", "review_id", nullable=False)
