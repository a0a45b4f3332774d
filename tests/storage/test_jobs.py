"""The queue: which jobs are added, in which order they run, and what an operator does with held jobs."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest
from pgqueuer.queries import Queries
from sqlalchemy import text

from bot.domain.apv import Severity
from bot.domain.review import Review
from bot.jobs import AlertIncident, Job, OpenPull, ReplyInThread, SyncCard, parse, payload, priority
from bot.service import audit
from bot.service import jobs as operator
from bot.service.gate import Gate
from storage import jobs
from storage.database import Database
from storage.embedded import plain
from storage.jobs import TransactionDriver, Unfinished
from tests.builders import ALICE, click, gate, log, rows, run, submit

REVIEW = UUID(int=1)


async def put(database: Database, *wanted: tuple[Job, Severity]) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue(tx, wanted)


async def unfinished(database: Database) -> list[Unfinished]:
    async with database.transaction() as tx:
        return await jobs.unfinished(tx)


async def held(opened: Gate) -> tuple[Review, list[Unfinished]]:
    """An approved review whose jobs are all held except its card, which is queued."""
    review = (await submit(opened)).review
    await run(opened.database, "DELETE FROM pgqueuer")
    await click(opened, ALICE, review)
    await run(
        opened.database,
        "UPDATE pgqueuer SET status = 'failed', attempts = 8, created = now() - interval '2 days', "
        """headers = '{"error": "Slack is away."}' WHERE entrypoint <> 'slack.card'""",
    )
    return review, await operator.unfinished(opened)


async def test_worse_runs_first_whenever_it_came(database: Database) -> None:
    """A critical job goes first even if thousands wait; equal jobs keep their order."""
    low = [SyncCard(UUID(int=n), 1) for n in range(3)]
    await put(database, *[(job, Severity.LOW) for job in low])
    await put(database, (SyncCard(REVIEW, 2), Severity.CRITICAL), (AlertIncident(REVIEW, REVIEW), Severity.CRITICAL))
    await put(database, (ReplyInThread(REVIEW, REVIEW), Severity.HIGH))
    assert [job.task for job in await unfinished(database)] == [
        "slack.alert", "slack.card", "slack.reply", "slack.card", "slack.card", "slack.card",
    ]  # fmt: skip
    payloads = await rows(database, "SELECT entrypoint, payload FROM pgqueuer ORDER BY priority DESC, id")
    assert [parse(p["entrypoint"], p["payload"]) for p in payloads][3:] == low


async def test_the_same_job_waits_once(database: Database) -> None:
    """Adding a job with the same key again changes nothing, in one call or in the next."""
    card: tuple[Job, Severity] = (SyncCard(REVIEW, 1), Severity.LOW)
    await put(database, card, card)
    await put(database, card, (SyncCard(REVIEW, 2), Severity.LOW))
    assert len(await unfinished(database)) == 2


async def test_nothing_to_queue_is_nothing(database: Database) -> None:
    """No statement is sent."""
    await put(database)
    assert await unfinished(database) == []


async def test_unfinished_jobs_say_what_they_are_about(database: Database) -> None:
    """Each has the code of its review, and held ones their reason."""
    opened = gate(database)
    review, found = await held(opened)
    assert {(j.task, j.state, j.attempts, j.review_id, j.apv_code, j.error) for j in found} == {
        ("slack.card", "queued", 0, review.id, review.code, None),
        ("slack.reply", "held", 8, review.id, review.code, "Slack is away."),
        ("github.pull", "held", 8, review.id, review.code, "Slack is away."),
    }


async def test_a_job_in_hand_is_running(database: Database) -> None:
    """Neither queued nor held."""
    await put(database, (OpenPull(REVIEW, "d1"), Severity.LOW))
    await run(database, "UPDATE pgqueuer SET status = 'picked'")
    assert [job.state for job in await unfinished(database)] == ["running"]


async def test_retrying_starts_held_jobs_anew(database: Database) -> None:
    """With all their attempts and all their time; queued jobs are left alone."""
    opened = gate(database)
    review, before = await held(opened)
    retried = await operator.retry(opened, None, "ops")
    assert {job.task for job in retried} == {"slack.reply", "github.pull"}
    assert {(job.id, job.state, job.attempts) for job in await operator.unfinished(opened)} == {
        (job.id, "queued", 0) for job in before
    }
    waited = "SELECT count(*) FROM pgqueuer WHERE created < now() - interval '1 hour'"
    assert (await rows(database, waited))[0]["count"] == 0
    assert (await log(database, review))[-2:] == ["job.retried", "job.retried"]
    assert (await audit.verify(opened)).faults == ()


async def test_discarding_gives_held_jobs_up(database: Database) -> None:
    """Only the named ones that are held; the log says who did it."""
    opened = gate(database)
    review, before = await held(opened)
    ids = {job.task: job.id for job in before}
    given_up = await operator.discard(opened, [ids["slack.reply"], ids["slack.card"], 999_999], "ops")
    assert [job.task for job in given_up] == ["slack.reply"]
    assert {job.task for job in await operator.unfinished(opened)} == {"slack.card", "github.pull"}
    (entry,) = await rows(database, "SELECT * FROM audit_log WHERE kind = 'job.discarded'")
    assert (entry["actor"], entry["source"], entry["sentence"]) == (
        "ops", "cli", "The job slack.reply was discarded.",
    )  # fmt: skip
    assert entry["apv_code"] == review.code


@pytest.mark.parametrize("settle", [operator.retry, operator.discard])
async def test_doing_it_again_finds_nothing(database: Database, settle: object) -> None:
    """Jobs that are no longer held are not changed."""
    opened = gate(database)
    review, _ = await held(opened)
    act = operator.retry if settle is operator.retry else operator.discard
    assert len(await act(opened, None, "ops")) == 2
    entries = await log(database, review)
    assert await act(opened, None, "ops") == []
    assert await act(opened, [], "ops") == []
    assert await log(database, review) == entries


async def test_a_held_job_without_a_review_can_be_settled_too(database: Database) -> None:
    """Without a review there is no log to write to."""
    opened = gate(database)
    await put(database, (SyncCard(REVIEW, 1), Severity.LOW))
    await run(database, "UPDATE pgqueuer SET status = 'failed'")
    assert [job.apv_code for job in await operator.retry(opened, None, "ops")] == [None]
    assert [job.state for job in await unfinished(database)] == ["queued"]


async def test_the_queues_load(database: Database) -> None:
    """The number of jobs of each kind, and the age of the oldest due job."""
    await put(database, *[(SyncCard(REVIEW, n), Severity.LOW) for n in range(3)])
    await put(database, (OpenPull(REVIEW, "d1"), Severity.LOW))
    await run(
        database,
        "UPDATE pgqueuer SET status = 'failed' WHERE entrypoint = 'github.pull'",
        "UPDATE pgqueuer SET execute_after = now() - interval '1 hour' WHERE id = (SELECT min(id) FROM pgqueuer)",
    )
    async with database.transaction() as tx:
        load = await jobs.job_load(tx)
    assert load.jobs == {("slack.card", "queued"): 3, ("github.pull", "held"): 1}
    assert load.lag_seconds >= 3600


async def test_a_job_that_waits_for_its_next_try_is_not_late(database: Database) -> None:
    """It is not due yet."""
    await put(database, (SyncCard(REVIEW, 1), Severity.LOW))
    await run(database, "UPDATE pgqueuer SET execute_after = now() + interval '1 hour'")
    async with database.transaction() as tx:
        assert (await jobs.job_load(tx)).lag_seconds == 0


async def test_a_job_that_is_taken_back_is_gone(database: Database) -> None:
    """A queued or held job is removed; a running one checks for itself."""
    another = OpenPull(REVIEW, "another", 9)
    for number, (state, left) in enumerate((("queued", 0), ("failed", 0), ("picked", 1))):
        job = OpenPull(REVIEW, state, number)
        await put(database, (job, Severity.LOW), (another, Severity.LOW))
        async with database.transaction() as tx:
            status = {"state": state, "key": job.key}
            await tx.execute(
                text("UPDATE pgqueuer SET status = CAST(:state AS pgqueuer_status) WHERE dedupe_key = :key"), status
            )
            await jobs.drop(tx, job)
        query = "SELECT 1 FROM pgqueuer WHERE dedupe_key = :key"
        assert len(await rows(database, query, key=job.key)) == left
    assert len(await rows(database, "SELECT 1 FROM pgqueuer WHERE dedupe_key = :key", key=another.key)) == 1


async def test_workers_are_woken_once_the_job_is_committed(database: Database) -> None:
    """The notification comes after the commit, so its receiver finds the job; a rollback sends none."""
    heard: asyncio.Queue[int] = asyncio.Queue()
    listener = await asyncpg.connect(plain(database.engine.url.render_as_string(hide_password=False)))
    await listener.add_listener("ch_pgqueuer", lambda *_: heard.put_nowait(1))
    with pytest.raises(LookupError):
        async with database.transaction() as tx:
            await jobs.enqueue(tx, [(SyncCard(uuid4(), 1), Severity.HIGH)])
            raise LookupError
    async with database.transaction() as tx:
        await jobs.enqueue(tx, [(SyncCard(uuid4(), 1), Severity.HIGH)])
        assert heard.empty()
    async with asyncio.timeout(60):
        await heard.get()
    assert len(await unfinished(database)) == 1
    await listener.close()


async def test_a_job_is_queued_as_the_queue_itself_would(database: Database) -> None:
    """The rows and log entries are those that PgQueuer writes; a second job with the same key is left out."""
    job = SyncCard(REVIEW, 1)
    columns = "entrypoint, priority, payload, dedupe_key, status, queue_manager_id, attempts, slot"

    async def written() -> list[list[object]]:
        found = [
            await rows(database, f"SELECT {columns}, execute_after - created AS wait FROM pgqueuer ORDER BY id"),
            await rows(database, "SELECT status, entrypoint, priority, traceback, aggregated FROM pgqueuer_log"),
        ]
        await run(database, "DELETE FROM pgqueuer", "DELETE FROM pgqueuer_log")
        return [list(map(dict, table)) for table in found]

    for _ in range(2):
        await put(database, (job, Severity.HIGH))
    ours = await written()
    async with database.transaction() as tx:
        for _ in range(2):
            await Queries(TransactionDriver(tx)).enqueue(  # type: ignore[arg-type] # it uses fetch and execute alone
                [job.task], [payload(job)], [priority(job, Severity.HIGH)], dedupe_key=[job.key], on_conflict="skip"
            )
    assert ours == await written()
    assert [len(table) for table in ours] == [1, 1]
