"""The live feed, the counters behind the statistics, and the indexes that recognise repeated requests.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Triggers also count what other programs write. They only append: if every click updated a counter, clicks could only
# commit one at a time. storage.counters adds what they append to the counters.
TRIGGERS = """
CREATE FUNCTION hitl_reviews_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO hitl_changes (status, severity, adopted, number)
        SELECT status, severity, digest IS NOT NULL, count(*) FROM changed GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO hitl_changes (status, severity, adopted, number)
        SELECT status, severity, digest IS NOT NULL, -count(*) FROM changed GROUP BY 1, 2, 3;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER hitl_reviews_inserted AFTER INSERT ON apv_reviews REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION hitl_reviews_counted();

CREATE TRIGGER hitl_reviews_deleted AFTER DELETE ON apv_reviews REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION hitl_reviews_counted();

CREATE FUNCTION hitl_review_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hitl_changes (
        apv_id, at, told, was_status, was_severity, was_adopted, status, severity, adopted, number, closed_before)
    VALUES (
        NEW.id, NEW.updated_at,
        CASE WHEN NEW.revision = OLD.revision THEN NULL WHEN NEW.revision = 1 THEN 'new_apv' ELSE 'apv_updated' END,
        OLD.status, OLD.severity, OLD.digest IS NOT NULL, NEW.status, NEW.severity, NEW.digest IS NOT NULL, 1,
        CASE WHEN NEW.closed_at IS NULL THEN OLD.closed_at END);
    RETURN NULL;
END $$;

CREATE TRIGGER hitl_review_changed AFTER UPDATE ON apv_reviews FOR EACH ROW
    WHEN (OLD.revision <> NEW.revision OR OLD.status <> NEW.status OR OLD.severity <> NEW.severity
        OR (OLD.digest IS NULL) <> (NEW.digest IS NULL))
    EXECUTE FUNCTION hitl_review_changed();

CREATE FUNCTION hitl_decisions_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hitl_changes (apv_id, at, told, decision_id)
    SELECT apv_id, created_at, 'decision_made', id FROM made;
    RETURN NULL;
END $$;

CREATE TRIGGER hitl_decisions_made AFTER INSERT ON hitl_decisions REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION hitl_decisions_made();
"""

# Existing rows are counted without feed events.
THERE_ALREADY = """
INSERT INTO hitl_changes (status, severity, adopted, number)
SELECT status, severity, digest IS NOT NULL, count(*) FROM apv_reviews GROUP BY 1, 2, 3;

INSERT INTO hitl_changes (apv_id, at, decision_id) SELECT apv_id, created_at, id FROM hitl_decisions;

INSERT INTO feed_head (seq) VALUES (0);
"""


def upgrade() -> None:
    """Create the tables and triggers, and count existing rows."""
    op.create_table(
        "hitl_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("apv_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("was_status", sa.Text(), nullable=True),
        sa.Column("was_severity", sa.Text(), nullable=True),
        sa.Column("was_adopted", sa.Boolean(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("adopted", sa.Boolean(), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("closed_before", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hitl_changes")),
        comment="What triggers saw change and nobody has counted and told of yet.",
    )
    op.create_table(
        "hitl_review_counts",
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("status", "severity", "adopted", name=op.f("pk_hitl_review_counts")),
    )
    op.create_table(
        "hitl_decision_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "decision", "agrees", name=op.f("pk_hitl_decision_counts")),
        comment="Decisions by day in UTC. The day before all others holds their sum.",
    )
    op.create_table(
        "hitl_review_times",
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("prefix", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("level", "prefix", name=op.f("pk_hitl_review_times")),
        comment="Microseconds to the closing decision; each level counts those that agree but for 8 bits more.",
    )
    op.create_table(
        "feed_head",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        comment="One row: the seq given last. Locked by whoever gives the next.",
    )
    op.create_table(
        "feed_events",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_feed_events")),
    )
    op.create_index("ix_feed_events_at", "feed_events", ["at"], unique=False)
    for name in ("request", "idempotency_key"):
        op.create_index(
            f"ix_hitl_decisions_{name}",
            "hitl_decisions",
            [sa.literal_column(f"(metadata ->> '{name}'::text)"), "created_at"],
            unique=False,
            postgresql_where=sa.text(f"metadata ? '{name}'::text"),
        )
    run_script(TRIGGERS + THERE_ALREADY)


def downgrade() -> None:
    """Drop all of it."""
    op.execute("DROP TRIGGER hitl_decisions_made ON hitl_decisions")
    for name in ("hitl_review_changed", "hitl_reviews_deleted", "hitl_reviews_inserted"):
        op.execute(f"DROP TRIGGER {name} ON apv_reviews")
    op.execute("DROP FUNCTION hitl_decisions_made, hitl_review_changed, hitl_reviews_counted")
    for name in ("idempotency_key", "request"):
        op.drop_index(f"ix_hitl_decisions_{name}", table_name="hitl_decisions")
    for table in (
        "feed_events", "feed_head", "hitl_review_times", "hitl_decision_counts", "hitl_review_counts", "hitl_changes",
    ):  # fmt: skip
        op.drop_table(table)
