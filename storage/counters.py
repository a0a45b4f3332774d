"""Moves the changes that triggers wrote to `hitl_changes` into the counters and the live feed.

Only one transaction does so at a time, so events get their `seq` in the order in which their causes were committed.
"""

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import statistics
from storage.tables import AWAITING_SQL, feed_head, hitl_changes

AT_ONCE = 5_000

# The day "-infinity" stands for all days together.
FOLD = f"""
WITH taken AS (
    DELETE FROM hitl_changes
    WHERE id IN (SELECT id FROM hitl_changes ORDER BY id LIMIT {AT_ONCE})
    RETURNING *
), made AS (
    SELECT t.id AS change_id, t.told, d.*, r.created_at AS arrived_at, r.status,
        CASE WHEN c.apv_id IS NULL THEN r.wargame_verdict ELSE c.content ->> 'wargame_verdict' END AS verdict
    FROM taken AS t
    JOIN hitl_decisions AS d ON d.id = t.decision_id
    JOIN apv_reviews AS r ON r.id = d.apv_id
    LEFT JOIN apv_contents AS c ON c.apv_id = d.apv_id AND c.version = d.version
), closing AS (
    SELECT (extract(epoch FROM m.created_at - m.arrived_at) * 1000000)::bigint AS micros FROM made AS m
    WHERE isfinite(m.arrived_at) AND isfinite(m.created_at) AND (m.closing
        -- Rows of other programs have no `closing`: the last decision on a closed review is the one that closed it.
        OR (m.closing IS NULL AND m.decision <> 'escalate' AND NOT ({AWAITING_SQL.replace("status", "m.status")})
            AND NOT EXISTS (
                SELECT FROM hitl_decisions AS l WHERE l.apv_id = m.apv_id AND l.decision <> 'escalate'
                    AND (l.created_at, l.id) > (m.created_at, m.id))))
), reviews_counted AS (
    INSERT INTO hitl_review_counts AS k (status, severity, adopted, number)
    SELECT status, severity, adopted, sum(number) FROM (
        SELECT status, severity, adopted, number FROM taken WHERE status IS NOT NULL
        UNION ALL SELECT was_status, was_severity, was_adopted, -number FROM taken WHERE was_status IS NOT NULL
    ) AS counted GROUP BY status, severity, adopted HAVING sum(number) <> 0
    ON CONFLICT (status, severity, adopted) DO UPDATE SET number = k.number + excluded.number
), decisions_counted AS (
    INSERT INTO hitl_decision_counts AS k (day, decision, agrees, number)
    SELECT days.day, decision, coalesce((decision = 'approve') = (verdict = 'success'), false), count(*)
    FROM made CROSS JOIN LATERAL (VALUES ('-infinity'::date), ((created_at AT TIME ZONE 'UTC')::date)) AS days(day)
    GROUP BY 1, 2, 3
    ON CONFLICT (day, decision, agrees) DO UPDATE SET number = k.number + excluded.number
), times_counted AS (
    INSERT INTO hitl_review_times AS k (level, prefix, number, total)
    SELECT level, micros >> (8 * level), count(*), sum(micros) FROM closing CROSS JOIN generate_series(0, 7) AS level
    GROUP BY 1, 2
    ON CONFLICT (level, prefix) DO UPDATE SET number = k.number + excluded.number, total = k.total + excluded.total
), events AS (
    SELECT t.id, 0 AS part, 'apvs' AS channel, t.told AS type, jsonb_build_object(
        'apv_id', r.id, 'apv_code', r.apv_code, 'severity', r.severity, 'cve_id', r.cve_id,
        'package_name', r.package_name) AS payload
    FROM taken AS t JOIN apv_reviews AS r ON r.id = t.apv_id WHERE t.told = 'new_apv'
    UNION ALL
    SELECT t.id, 0, 'apvs', t.told, jsonb_build_object(
        'apv_id', r.id, 'apv_code', r.apv_code, 'status', r.status, 'version', r.version,
        'pr_number', r.pr_number, 'pr_url', r.pr_url, 'pr_checks', r.pull ->> 'checks')
    FROM taken AS t JOIN apv_reviews AS r ON r.id = t.apv_id
    WHERE t.told = 'apv_updated'
        -- A decision has an event of its own.
        AND NOT EXISTS (SELECT FROM hitl_decisions AS d WHERE d.apv_id = t.apv_id AND d.created_at = t.at)
    UNION ALL
    SELECT m.change_id, parts.part, parts.channel, parts.type, jsonb_build_object(
        'decision_id', m.id, 'apv_id', m.apv_id, 'apv_code', m.apv_code, 'decision', m.decision,
        'reviewer_name', m.reviewer_name, 'action_taken', m.action_taken)
    FROM made AS m
    CROSS JOIN (VALUES (0, 'decisions', 'decision_made'), (1, 'stats', 'stats_update')) AS parts(part, channel, type)
    WHERE m.told IS NOT NULL
), told AS (
    INSERT INTO feed_events (seq, channel, type, payload)
    SELECT head.seq + row_number() OVER (ORDER BY id, part), channel, type, payload
    FROM events CROSS JOIN feed_head AS head
    RETURNING seq
), moved AS (
    UPDATE feed_head SET seq = told.seq FROM (SELECT max(seq) AS seq FROM told) AS told WHERE told.seq IS NOT NULL
)
SELECT count(*) FROM taken
"""  # noqa: S608 - of constants

# A statement does not see the counts that it writes itself, so a second one fills them in.
TELL_NUMBERS = f"""
UPDATE feed_events SET payload = jsonb_build_object(
    'pending_reviews', (SELECT coalesce(sum(number), 0) FROM hitl_review_counts WHERE {AWAITING_SQL}),
    'total_decisions', (SELECT coalesce(sum(number), 0) FROM hitl_decision_counts WHERE day = '-infinity'),
    'decisions_today', (SELECT coalesce(sum(number), 0) FROM hitl_decision_counts
        WHERE day = (CAST(:now AS timestamptz) AT TIME ZONE 'UTC')::date))
WHERE seq > :before AND type = 'stats_update'
"""  # noqa: S608 - of constants

ANY = select(select(hitl_changes.c.id).exists())
HEAD = select(feed_head.c.seq).with_for_update()


async def waiting(tx: AsyncConnection) -> bool:
    """Whether any change is still uncounted."""
    there: bool = (await tx.execute(ANY)).scalar_one()
    return there


async def fold(tx: AsyncConnection, now: object) -> int:
    """Count the oldest changes, at most AT_ONCE, and write their feed events; returns the number of changes."""
    # The lock keeps two folds from giving out the same seq. The statements below see all that the previous fold wrote.
    before = (await tx.execute(HEAD)).scalar_one()
    folded: int = (await tx.execute(text(FOLD))).scalar_one()
    if folded:
        await statistics.keep_median(tx)
        await tx.execute(text(TELL_NUMBERS), {"before": before, "now": now})
    return folded
