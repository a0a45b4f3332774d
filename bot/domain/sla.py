"""When a review must be decided."""

from datetime import datetime, timedelta

from bot.domain.policy import Rule


def due_at(created_at: datetime, rule: Rule) -> datetime:
    """The deadline: minutes to decide, counted from arrival."""
    return created_at + timedelta(minutes=rule.minutes)
