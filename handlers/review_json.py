"""A review as the API shows it. The names of what was reported are those under which it is submitted."""

import math
from dataclasses import fields
from datetime import UTC, datetime

from bot.domain.apv import Apv, Json
from bot.domain.review import Dossier

REPORTED = tuple(f.name for f in fields(Apv))


def review_json(dossier: Dossier, now: datetime) -> dict[str, Json]:
    """Every name of the contract, and `severity_assumed`, without which a review sent back would be another content."""
    apv, review = dossier.apv, dossier.review
    waited = (review.closed_at or now) - review.created_at
    return {
        "apv_id": str(review.id),
        "apv_code": review.code,
        "priority": dossier.priority,
        "status": review.status,
        "version": review.version,
        "digest": review.digest,
        **{name: _finite(getattr(apv, name)) for name in REPORTED},
        "pr_number": review.pr_number,
        "pr_url": review.pr_url,
        "pr_branch": review.pr_branch,
        "pr_checks": review.pull.checks if review.pull else None,
        "due_at": utc(review.due_at),
        "waiting_since": round(waited.total_seconds() / 3600, 4),
        "created_at": utc(review.created_at),
        "updated_at": utc(dossier.updated_at),
        "metadata": dossier.metadata,
    }


def utc(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _finite(value: Json) -> Json:
    """Another program may have inserted NaN, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
