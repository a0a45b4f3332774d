"""The tables, with every constraint named. `migrations/` builds the same; a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from bot.domain.apv import PatchStrategy, Severity, WargameVerdict
from bot.domain.review import AWAITING, Action, Choice, Hold, Status

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TIME = DateTime(timezone=True)


def _one_of(
    column: str, values: type[Severity | Status | Hold | Choice | Action | PatchStrategy | WargameVerdict]
) -> str:
    return f"{column} IN ({', '.join(repr(v.value) for v in values)})"


LIVE = AWAITING | {Status.APPROVED, Status.PR_OPEN, Status.CHANGES_REQUESTED}
UNREAD_SQL = f"files IS NULL AND status IN ({', '.join(repr(s.value) for s in sorted(LIVE))})"
"""Nobody has read the patch, and its card or its pull request will still be drawn."""
AWAITING_SQL = f"status IN ({', '.join(repr(s.value) for s in sorted(AWAITING))})"
UNTOLD_SQL = "(breached_at IS NULL OR breached_at < due_at)"
"""The current deadline has not been announced as missed (an earlier one may have been)."""

apv_reviews = Table(
    "apv_reviews",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("apv_code", Text, nullable=False, unique=True),
    Column("cve_id", Text),
    Column("severity", Text, CheckConstraint(_one_of("severity", Severity), name="severity"), nullable=False),
    Column("package_name", Text, nullable=False),
    Column("package_version", Text),
    Column(
        "patch_strategy",
        Text,
        CheckConstraint(_one_of("patch_strategy", PatchStrategy), name="patch_strategy"),
        nullable=False,
        server_default=PatchStrategy.MANUAL.value,
    ),
    Column("patch_content", Text),
    Column(
        "wargame_verdict", Text, CheckConstraint(_one_of("wargame_verdict", WargameVerdict), name="wargame_verdict")
    ),
    Column("wargame_confidence", Float),
    Column("wargame_evidence", JSONB(none_as_null=True)),
    Column("confirmation_score", Float),
    Column(
        "status",
        Text,
        CheckConstraint(_one_of("status", Status), name="status"),
        nullable=False,
        server_default=Status.PENDING.value,
    ),
    Column("created_at", TIME, nullable=False, server_default=func.now()),
    Column("updated_at", TIME, nullable=False, server_default=func.now()),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    # Other programs insert only the columns above; every column below has a default.
    Column("package_ecosystem", Text, nullable=False, server_default=""),
    Column("repository", Text, nullable=False, server_default=""),
    Column("base_ref", Text),
    Column("reporter", Text),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Column("identity", Text),
    Column("digest", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    Column("due_at", TIME),
    Column("asked_at", TIME),
    Column("breached_at", TIME),
    Column("closed_at", TIME),
    Column("votes", JSONB, nullable=False, server_default=text("'[]'")),
    Column("authors", JSONB, nullable=False, server_default=text("'[]'")),
    Column("escalated_by", Text),
    Column("escalated_by_name", Text),
    Column("escalated_at", TIME),
    Column("claimed_by", Text),
    Column("claimed_by_name", Text),
    Column("snoozed_until", TIME),
    Column("snooze_reason", Text),
    Column("pr_number", Integer),
    Column("pr_url", Text),
    Column("pr_branch", Text),
    Column("hold", Text, CheckConstraint(_one_of("hold", Hold), name="hold")),
    Column("note", Text),
    Column("pull", JSONB(none_as_null=True)),
    Column("pull_seen_at", TIME),
    Column("pull_polled_at", TIME),
    Column("drafted_from", Text, comment="The digest of what was submitted, where the bot made the diff."),
    Column("files", JSONB(none_as_null=True), comment="What git reads in the patch; JSON null: it cannot."),
    Column("clock_at", TIME),
    Column("reminders_told", Integer, nullable=False, server_default="0"),
    Column("steps_told", Integer, nullable=False, server_default="0"),
    Column("audit_seq", Integer, nullable=False, server_default="0"),
    Column("audit_head", Text, nullable=False, server_default=""),
)
Index("ix_apv_reviews_identity", apv_reviews.c.identity, apv_reviews.c.created_at.desc())
Index(
    "ix_apv_reviews_queue",
    apv_reviews.c.priority.desc(),
    apv_reviews.c.due_at,
    apv_reviews.c.created_at,
    apv_reviews.c.id,
    postgresql_where=text(AWAITING_SQL),
)
Index("ix_apv_reviews_due", apv_reviews.c.due_at, postgresql_where=text(f"{UNTOLD_SQL} AND {AWAITING_SQL}"))
Index("ix_apv_reviews_clock", apv_reviews.c.clock_at, postgresql_where=text(AWAITING_SQL))
Index("ix_apv_reviews_unadopted", apv_reviews.c.created_at, postgresql_where=text("digest IS NULL"))
Index("ix_apv_reviews_unread", apv_reviews.c.created_at, postgresql_where=text(UNREAD_SQL))
Index("ix_apv_reviews_claimed_by", apv_reviews.c.claimed_by, postgresql_where=text(AWAITING_SQL))
Index(
    "ix_apv_reviews_pull",
    func.lower(apv_reviews.c.repository),
    apv_reviews.c.pr_number,
    postgresql_where=text("pr_number IS NOT NULL"),
)
Index("ix_apv_reviews_pr_branch", apv_reviews.c.pr_branch, postgresql_where=text("pr_number IS NOT NULL"))
Index("ix_apv_reviews_open_pulls", apv_reviews.c.pull_polled_at, postgresql_where=text("status = 'pr_open'"))

apv_contents = Table(
    "apv_contents",
    metadata,
    Column("apv_id", Uuid, ForeignKey("apv_reviews.id", ondelete="RESTRICT"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=func.now()),
    Column("authors", JSONB, nullable=False, server_default=text("'[]'")),
    comment="Each content that was ever shown, so that a decision's digest can be opened years later.",
)

apv_bases = Table(
    "apv_bases",
    metadata,
    Column("apv_id", Uuid, ForeignKey("apv_reviews.id", ondelete="RESTRICT"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("commit", Text, nullable=False),
    Column("files", JSONB, nullable=False),
    Column("read_at", TIME, nullable=False),
    comment="The files that each shown patch touches, as the base branch had them: mode and blob, or null.",
)

apv_code_years = Table(
    "apv_code_years", metadata, Column("year", Integer, primary_key=True), Column("last", Integer, nullable=False)
)

hitl_decisions = Table(
    "hitl_decisions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("apv_id", Uuid, ForeignKey("apv_reviews.id", ondelete="RESTRICT"), nullable=False),
    Column("apv_code", Text, nullable=False),
    Column("decision", Text, CheckConstraint(_one_of("decision", Choice), name="decision"), nullable=False),
    Column("reviewer_name", Text, nullable=False),
    Column("reviewer_email", Text),
    Column("action_taken", Text, CheckConstraint(_one_of("action_taken", Action), name="action_taken")),
    Column("comments", Text, nullable=False, server_default=""),
    Column("confidence_override", Float),
    Column("created_at", TIME, nullable=False, server_default=func.now()),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    Column("reviewer_key", Text, nullable=False),
    Column("reviewer_verified", Boolean, nullable=False, server_default=true()),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("modifications", JSONB(none_as_null=True)),
    Column("outcome_notes", Text),
    Column("action_completed_at", TIME),
    Column("withdrawn_at", TIME),
    # Null: another program wrote the row.
    Column("closing", Boolean),
)
Index("ix_hitl_decisions_apv_id", hitl_decisions.c.apv_id, hitl_decisions.c.created_at)
# How a repeated API request is recognised: by a hash of its content, or by its idempotency key.
for _name in ("request", "idempotency_key"):
    Index(
        f"ix_hitl_decisions_{_name}",
        text(f"(metadata ->> '{_name}'::text)"),
        hitl_decisions.c.created_at,
        postgresql_where=text(f"metadata ? '{_name}'::text"),
    )

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("position", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("at", TIME, nullable=False),
    Column("apv_id", Uuid, ForeignKey("apv_reviews.id", ondelete="RESTRICT")),
    Column("apv_code", Text),
    Column("seq", Integer),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    Column("previous", Text, nullable=False, server_default=""),
    Column("hash", Text, nullable=False),
)
Index("ix_audit_log_apv_id", audit_log.c.apv_id, audit_log.c.seq)

policies = Table(
    "policies",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("content", Text, nullable=False),
    Column("recorded_at", TIME, nullable=False, server_default=func.now()),
    comment="Each policy file that was ever in force, so that a digest in the audit log can be opened.",
)

policy_in_force = Table(
    "policy_in_force",
    metadata,
    Column("single", Boolean, CheckConstraint("single", name="single"), primary_key=True, server_default=true()),
    Column("digest", Text, nullable=False, server_default=""),
    Column("broken", Text, nullable=False, server_default=""),
    Column("audit_seq", Integer, nullable=False, server_default="0"),
    Column("audit_head", Text, nullable=False, server_default=""),
    comment="One row, locked by whoever changes the policy: it is told once, by one replica.",
)

push_pause = Table(
    "push_pause",
    metadata,
    Column("single", Boolean, CheckConstraint("single", name="single"), primary_key=True, server_default=true()),
    Column("since", TIME, nullable=False),
    Column("paused_by", Text, nullable=False),
    Column("why", Text, nullable=False),
    comment="A row while nothing may reach GitHub.",
)

slack_pace = Table(
    "slack_pace",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("next_at", TIME, nullable=False, server_default=func.now()),
    Column("paused_until", TIME, nullable=False, server_default=func.now()),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("refused", Text),
    Column("refused_at", TIME),
    comment="How fast each channel may be posted to; `chat.update` is the limit for changing messages.",
)

slack_messages = Table(
    "slack_messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    # Null: an announcement without a review.
    Column("review_id", Uuid, ForeignKey("apv_reviews.id", ondelete="RESTRICT")),
    Column("channel", Text, ForeignKey("slack_pace.channel"), nullable=False),
    Column("ts", Text),
    Column("thread_ts", Text),
    Column("attempted_at", TIME),
    Column("rendered_revision", Integer, nullable=False, server_default="-1"),
    Column("gone", Boolean, nullable=False, server_default=false()),
    Column("created_at", TIME, nullable=False, server_default=func.now()),
)
Index("ix_slack_messages_review_id", slack_messages.c.review_id, slack_messages.c.kind)

slack_deliveries = Table(
    "slack_deliveries",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("received_at", TIME, nullable=False, server_default=func.now()),
    comment="The signature or event id of each request that had an effect: the same one again has none.",
)
Index("ix_slack_deliveries_received_at", slack_deliveries.c.received_at)

github_deliveries = Table(
    "github_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("received_at", TIME, nullable=False, server_default=func.now()),
    comment="The X-GitHub-Delivery of each webhook that had its effect: the same one again has none.",
)
Index("ix_github_deliveries_received_at", github_deliveries.c.received_at)

hitl_changes = Table(
    "hitl_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("apv_id", Uuid),
    Column("at", TIME),
    Column("told", Text),
    Column("decision_id", Uuid),
    Column("was_status", Text),
    Column("was_severity", Text),
    Column("was_adopted", Boolean),
    Column("status", Text),
    Column("severity", Text),
    Column("adopted", Boolean),
    Column("number", BigInteger),
    # For releases before revision 0011, which may still run beside this one; replaced by `hitl_decisions.closing`.
    Column("closed_before", TIME),
    comment="What triggers saw change and nobody has counted and told of yet.",
)

hitl_review_counts = Table(
    "hitl_review_counts",
    metadata,
    Column("status", Text, primary_key=True),
    Column("severity", Text, primary_key=True),
    Column("adopted", Boolean, primary_key=True),
    Column("number", BigInteger, nullable=False),
)

hitl_decision_counts = Table(
    "hitl_decision_counts",
    metadata,
    Column("day", Date, primary_key=True),
    Column("decision", Text, primary_key=True),
    Column("agrees", Boolean, primary_key=True),
    Column("number", BigInteger, nullable=False),
    comment="Decisions by day in UTC. The day before all others holds their sum.",
)

hitl_review_times = Table(
    "hitl_review_times",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("prefix", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("total", Numeric, nullable=False),
    comment="Microseconds to the closing decision; each level counts those that agree but for 8 bits more.",
)

hitl_review_median = Table(
    "hitl_review_median",
    metadata,
    Column("one", Boolean, CheckConstraint("one", name="only_one"), primary_key=True, server_default=true()),
    Column("number", BigInteger, nullable=False),
    Column("micros", Numeric, nullable=False),
    comment="One row: the median of hitl_review_times when it counted this many, kept by whoever counts.",
)

feed_head = Table(
    "feed_head",
    metadata,
    Column("seq", BigInteger, nullable=False),
    comment="One row: the seq given last. Locked by whoever gives the next.",
)

feed_events = Table(
    "feed_events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", TIME, nullable=False, server_default=func.now()),
    Column("channel", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
)
Index("ix_feed_events_at", feed_events.c.at)
