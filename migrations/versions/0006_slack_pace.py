"""The rate limit of each Slack channel, and the lane in which a Slack job waits for it.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FILL = """
INSERT INTO slack_pace (channel) VALUES ('chat.update');
INSERT INTO slack_pace (channel) SELECT DISTINCT channel FROM slack_messages ON CONFLICT DO NOTHING;
"""

LANES = """
ALTER TABLE pgqueuer ADD COLUMN lane text;
UPDATE pgqueuer SET lane = 'chat.update:update' WHERE entrypoint IN ('slack.card', 'slack.reply');
CREATE INDEX pgqueuer_lane_idx ON pgqueuer (lane, priority DESC, id) WHERE status = 'queued' AND lane IS NOT NULL;
UPDATE pgqueuer SET status = 'queued', queue_manager_id = NULL, slot = NULL
    WHERE status = 'picked' AND lane IS NOT NULL;
CREATE UNIQUE INDEX pgqueuer_picked_lane_idx ON pgqueuer (lane) WHERE status = 'picked' AND lane IS NOT NULL;
"""


def upgrade() -> None:
    """Make the table and the lanes."""
    op.create_table(
        "slack_pace",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_slack_pace")),
        comment="How fast each channel may be posted to; `chat.update` is the limit for changing messages.",
    )
    run_script(FILL + LANES)
    op.create_foreign_key(op.f("fk_slack_messages_channel"), "slack_messages", "slack_pace", ["channel"], ["channel"])


def downgrade() -> None:
    """Drop both."""
    op.drop_constraint(op.f("fk_slack_messages_channel"), "slack_messages", type_="foreignkey")
    op.execute("ALTER TABLE pgqueuer DROP COLUMN lane")
    op.drop_table("slack_pace")
