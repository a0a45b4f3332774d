"""Statistics over all reviews and decisions, read from counters, so the cost does not grow with the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Severity
from bot.domain.review import AWAITING, Choice, Status

# The counters plus the changes not counted yet: exact at any time.
NUMBERS = """
SELECT status, severity, adopted, sum(number)::bigint AS number FROM (
    SELECT status, severity, adopted, number FROM hitl_review_counts
    UNION ALL SELECT status, severity, adopted, number FROM hitl_changes WHERE status IS NOT NULL
    UNION ALL SELECT was_status, was_severity, was_adopted, -number FROM hitl_changes WHERE was_status IS NOT NULL
) AS counted GROUP BY status, severity, adopted
"""
DECISIONS = """
SELECT day = '-infinity' AS ever, day, decision, agrees, number FROM hitl_decision_counts
WHERE day = '-infinity' OR day BETWEEN :monday AND :today
"""
TIMES = """
SELECT counted.*, m.micros AS median,
    (SELECT min(prefix) FROM hitl_review_times WHERE level = 0) AS least,
    (SELECT max(prefix) FROM hitl_review_times WHERE level = 0) AS most
FROM (SELECT sum(number)::bigint AS number, sum(total) AS total FROM hitl_review_times WHERE level = 7) AS counted
LEFT JOIN hitl_review_median AS m ON m.number = counted.number
"""
# Walks down the levels to the lower of the two middle values, then to the next one; reads at most 256 rows per level.
WALK = """
WITH RECURSIVE counted AS (
    SELECT sum(number)::bigint AS number FROM hitl_review_times WHERE level = 7 {if_}
), walk(level, prefix, rank, number) AS (
    SELECT 8, 0::bigint, (number - 1) / 2, 0::bigint FROM counted
    UNION ALL
    SELECT w.level - 1, child.prefix, (w.rank - child.before)::bigint, child.number
    FROM walk AS w CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT t.prefix, t.number, sum(t.number) OVER (ORDER BY t.prefix) - t.number AS before
            FROM hitl_review_times AS t
            WHERE t.level = w.level - 1
                AND t.prefix >= CASE w.level WHEN 8 THEN -9223372036854775808 ELSE w.prefix << 8 END
                AND t.prefix <= CASE w.level WHEN 8 THEN 9223372036854775807 ELSE (w.prefix << 8) + 255 END
        ) AS siblings WHERE before <= w.rank AND w.rank < before + number
    ) AS child
    WHERE w.level > 0
)
SELECT counted.number, CASE
    WHEN counted.number % 2 = 1 OR rank + 1 < walk.number THEN prefix
    ELSE (prefix
        + (SELECT min(t.prefix) FROM hitl_review_times AS t WHERE t.level = 0 AND t.prefix > walk.prefix)) / 2.0
    END AS micros
FROM walk CROSS JOIN counted WHERE level = 0
"""
MEDIAN = WALK.format(if_="")
NEW = "HAVING sum(number) IS DISTINCT FROM (SELECT number FROM hitl_review_median)"
KEEP_MEDIAN = f"""
INSERT INTO hitl_review_median (number, micros) {WALK.format(if_=NEW)}
ON CONFLICT (one) DO UPDATE SET number = excluded.number, micros = excluded.micros
"""


@dataclass(frozen=True, slots=True)
class ReviewNumbers:
    """The number of reviews by status, severity, and whether the bot has adopted the row."""

    of: Mapping[tuple[Status, Severity, bool], int]

    def count(
        self, statuses: frozenset[Status] | None = None, severity: Severity | None = None, *, taken_in: bool = False
    ) -> int:
        """The number with these statuses and this severity; `taken_in` leaves out rows not adopted yet."""
        return sum(
            number
            for (status, rated, adopted), number in self.of.items()
            if (statuses is None or status in statuses)
            and (severity is None or rated is severity)
            and (adopted or not taken_in)
        )

    def waiting(self) -> dict[Severity, int]:
        """Reviews that await a decision, by severity, worst first."""
        return {severity: self.count(AWAITING, severity) for severity in Severity}


@dataclass(frozen=True, slots=True)
class DecisionNumbers:
    """The number of decisions; day and week (from Monday) are in UTC. `agreeing`: those that agree with the wargame."""

    of: Mapping[Choice, int]
    agreeing: int
    today: int
    this_week: int

    @property
    def total(self) -> int:
        """All decisions."""
        return sum(self.of.values())


@dataclass(frozen=True, slots=True)
class ReviewTimes:
    """Seconds from a review's creation to the decision that closed it; zero when none was closed."""

    average: float = 0.0
    median: float = 0.0
    fastest: float = 0.0
    slowest: float = 0.0


async def reviews(tx: AsyncConnection) -> ReviewNumbers:
    """The current numbers of reviews."""
    rows = (await tx.execute(text(NUMBERS))).all()
    return ReviewNumbers({(Status(r.status), Severity(r.severity), r.adopted): r.number for r in rows})


async def decisions(tx: AsyncConnection, now: datetime) -> DecisionNumbers:
    """The decisions counted so far (`storage.counters`)."""
    today: date = now.date()
    monday = today - timedelta(days=today.weekday())
    rows = (await tx.execute(text(DECISIONS), {"today": today, "monday": monday})).all()
    ever = [row for row in rows if row.ever]
    return DecisionNumbers(
        {choice: sum(r.number for r in ever if r.decision == choice.value) for choice in Choice},
        agreeing=sum(r.number for r in ever if r.agrees),
        today=sum(r.number for r in rows if not r.ever and r.day == today),
        this_week=sum(r.number for r in rows if not r.ever),
    )


async def times(tx: AsyncConnection) -> ReviewTimes:
    """The times of the decisions counted so far."""
    row = (await tx.execute(text(TIMES))).one()
    if not row.number:
        return ReviewTimes()
    # An older release may have counted without storing a median.
    median = (await tx.execute(text(MEDIAN))).one().micros if row.median is None else row.median
    seconds = (row.total / row.number, median, row.least, row.most)
    return ReviewTimes(*(round(float(micros) / 1e6, 6) for micros in seconds))


async def keep_median(tx: AsyncConnection) -> None:
    """Store the median again if any decision was counted since."""
    await tx.execute(text(KEEP_MEDIAN))
