"""Reviews, decisions, the audit log, and the triggers that protect recorded decisions.

Revision: 0001, the first.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Triggers hold for every role, including superusers; no privilege bypasses them.
GUARDS = """
CREATE FUNCTION apv_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION apv_refuse();

CREATE TRIGGER hitl_decisions_keep BEFORE DELETE OR TRUNCATE ON hitl_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION apv_refuse();

CREATE FUNCTION hitl_decisions_outcome_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept hitl_decisions := NEW;
BEGIN
    kept.action_taken := OLD.action_taken;
    kept.outcome_notes := OLD.outcome_notes;
    kept.action_completed_at := OLD.action_completed_at;
    IF kept IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'hitl_decisions: only action_taken, outcome_notes and action_completed_at may change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER hitl_decisions_outcome_only BEFORE UPDATE ON hitl_decisions
    FOR EACH ROW EXECUTE FUNCTION hitl_decisions_outcome_only();
"""


def upgrade() -> None:
    """Make the tables and their guards."""
    op.create_table(
        "apv_code_years",
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_apv_code_years")),
    )
    op.create_table(
        "apv_reviews",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("apv_code", sa.Text(), nullable=False),
        sa.Column("cve_id", sa.Text(), nullable=True),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("package_name", sa.Text(), nullable=False),
        sa.Column("package_version", sa.Text(), nullable=True),
        sa.Column("patch_strategy", sa.Text(), server_default="manual", nullable=False),
        sa.Column("patch_content", sa.Text(), nullable=True),
        sa.Column("wargame_verdict", sa.Text(), nullable=True),
        sa.Column("wargame_confidence", sa.Float(), nullable=True),
        sa.Column("wargame_evidence", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("confirmation_score", sa.Float(), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("package_ecosystem", sa.Text(), server_default="", nullable=False),
        sa.Column("repository", sa.Text(), server_default="", nullable=False),
        sa.Column("base_ref", sa.Text(), nullable=True),
        sa.Column("reporter", sa.Text(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("votes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("escalated_by", sa.Text(), nullable=True),
        sa.Column("escalated_by_name", sa.Text(), nullable=True),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_by_name", sa.Text(), nullable=True),
        sa.Column("pr_number", sa.Integer(), nullable=True),
        sa.Column("pr_url", sa.Text(), nullable=True),
        sa.Column("pr_branch", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("audit_seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column("audit_head", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("severity IN ('critical', 'high', 'medium', 'low')", name=op.f("ck_apv_reviews_severity")),
        sa.CheckConstraint(
            "patch_strategy IN ('version_bump', 'code_rewrite', 'config_change', 'manual')",
            name=op.f("ck_apv_reviews_patch_strategy"),
        ),
        sa.CheckConstraint(
            "wargame_verdict IN ('success', 'partial', 'failure', 'inconclusive')",
            name=op.f("ck_apv_reviews_wargame_verdict"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'escalated', 'approved', 'pr_open', 'merged', 'pr_closed', 'rejected', 'changes_requested', 'withdrawn', 'expired')",
            name=op.f("ck_apv_reviews_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_apv_reviews")),
        sa.UniqueConstraint("apv_code", name=op.f("uq_apv_reviews_apv_code")),
    )
    op.create_index(
        "ix_apv_reviews_claimed_by",
        "apv_reviews",
        ["claimed_by"],
        unique=False,
        postgresql_where=sa.text("status IN ('escalated', 'pending')"),
    )
    op.create_index(
        "ix_apv_reviews_due",
        "apv_reviews",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("breached_at IS NULL AND status IN ('escalated', 'pending')"),
    )
    op.create_index(
        "ix_apv_reviews_identity", "apv_reviews", ["identity", sa.literal_column("created_at DESC")], unique=False
    )
    op.create_index(
        "ix_apv_reviews_queue",
        "apv_reviews",
        [sa.literal_column("priority DESC"), "due_at", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('escalated', 'pending')"),
    )
    op.create_index(
        "ix_apv_reviews_unadopted",
        "apv_reviews",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("digest IS NULL"),
    )
    op.create_table(
        "slack_deliveries",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_slack_deliveries")),
        comment="The signature or event id of each request that had an effect: the same one again has none.",
    )
    op.create_index("ix_slack_deliveries_received_at", "slack_deliveries", ["received_at"], unique=False)
    op.create_table(
        "apv_contents",
        sa.Column("apv_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["apv_id"], ["apv_reviews.id"], name=op.f("fk_apv_contents_apv_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("apv_id", "version", name=op.f("pk_apv_contents")),
        comment="Each content that was ever shown, so that a decision's digest can be opened years later.",
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("apv_id", sa.Uuid(), nullable=True),
        sa.Column("apv_code", sa.Text(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("previous", sa.Text(), server_default="", nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["apv_id"], ["apv_reviews.id"], name=op.f("fk_audit_log_apv_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("position", name=op.f("uq_audit_log_position")),
    )
    op.create_index("ix_audit_log_apv_id", "audit_log", ["apv_id", "seq"], unique=False)
    op.create_table(
        "hitl_decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("apv_id", sa.Uuid(), nullable=False),
        sa.Column("apv_code", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reviewer_name", sa.Text(), nullable=False),
        sa.Column("reviewer_email", sa.Text(), nullable=True),
        sa.Column("action_taken", sa.Text(), nullable=True),
        sa.Column("comments", sa.Text(), server_default="", nullable=False),
        sa.Column("confidence_override", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("reviewer_key", sa.Text(), nullable=False),
        sa.Column("reviewer_verified", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("modifications", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("outcome_notes", sa.Text(), nullable=True),
        sa.Column("action_completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["apv_id"], ["apv_reviews.id"], name=op.f("fk_hitl_decisions_apv_id"), ondelete="RESTRICT"
        ),
        sa.CheckConstraint(
            "decision IN ('approve', 'reject', 'modify', 'escalate')", name=op.f("ck_hitl_decisions_decision")
        ),
        sa.CheckConstraint(
            "action_taken IN ('pr_opened', 'pr_merged', 'pr_closed', 'changes_requested', 'escalated', 'recorded', 'failed')",
            name=op.f("ck_hitl_decisions_action_taken"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hitl_decisions")),
    )
    op.create_index("ix_hitl_decisions_apv_id", "hitl_decisions", ["apv_id", "created_at"], unique=False)
    op.create_table(
        "slack_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ts", sa.Text(), nullable=True),
        sa.Column("thread_ts", sa.Text(), nullable=True),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rendered_revision", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["review_id"], ["apv_reviews.id"], name=op.f("fk_slack_messages_review_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slack_messages")),
    )
    op.create_index("ix_slack_messages_review_id", "slack_messages", ["review_id", "kind"], unique=False)
    run_script(GUARDS)


def downgrade() -> None:
    """Drop all of it."""
    op.drop_index("ix_slack_messages_review_id", table_name="slack_messages")
    op.drop_table("slack_messages")
    op.drop_index("ix_hitl_decisions_apv_id", table_name="hitl_decisions")
    op.drop_table("hitl_decisions")
    op.drop_index("ix_audit_log_apv_id", table_name="audit_log")
    op.drop_table("audit_log")
    op.drop_table("apv_contents")
    op.drop_index("ix_slack_deliveries_received_at", table_name="slack_deliveries")
    op.drop_table("slack_deliveries")
    op.drop_index("ix_apv_reviews_unadopted", table_name="apv_reviews", postgresql_where=sa.text("digest IS NULL"))
    op.drop_index(
        "ix_apv_reviews_queue", table_name="apv_reviews", postgresql_where=sa.text("status IN ('escalated', 'pending')")
    )
    op.drop_index("ix_apv_reviews_identity", table_name="apv_reviews")
    op.drop_index(
        "ix_apv_reviews_due",
        table_name="apv_reviews",
        postgresql_where=sa.text("breached_at IS NULL AND status IN ('escalated', 'pending')"),
    )
    op.drop_index(
        "ix_apv_reviews_claimed_by",
        table_name="apv_reviews",
        postgresql_where=sa.text("status IN ('escalated', 'pending')"),
    )
    op.drop_table("apv_reviews")
    op.drop_table("apv_code_years")
    op.execute("DROP FUNCTION apv_refuse, hitl_decisions_outcome_only")
