"""Jobs while Slack refuses, fails or limits calls, and what an operator does about held jobs."""

import asyncio
import re
from pathlib import Path

import pytest

from bot.cli import jobs
from bot.cli.running import Failure
from tests import harness
from tests.harness import CRITICAL, HIGH, World, sample


async def jobs_list(world: World, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The lines of `apv-bot jobs list`, as columns: id, task, state, attempts, code, error."""
    capsys.readouterr()
    await jobs.show_all(world.settings)
    head, *lines = re.split(r"^(?=id  +task)|\n", capsys.readouterr().out.strip())[1:]
    assert head.split() == ["id", "task", "state", "attempts", "apv_code", "error"]
    return [line.split(maxsplit=5) for line in lines]


@pytest.mark.parametrize(
    "failure",
    ["ratelimited", "http500", "http502", "http503", "drop_before", "drop_after", "fatal_error", "internal_error"],
)
async def test_a_failure_that_may_pass_is_tried_again(world: World, failure: str) -> None:
    """The card is posted later, once, without an announcement, also if the failed call had posted it."""
    world.slack.fail("chat.postMessage", failure, retry_after=1)
    card = await world.submit()
    await world.settle()
    assert len(world.slack.calls("chat.postMessage")) == (1 if failure == "drop_after" else 2)
    assert card.thread == []
    assert await world.audit(card) == ["review.submitted"]
    assert world.slack.messages("incidents") == []


async def test_a_card_is_clicked_before_the_bot_knows_that_it_is_there(world: World) -> None:
    """Slack posted the card, but the answer was lost: once found, it is updated with everything since."""
    world.slack.fail("chat.postMessage", "drop_after")
    card = await world.card((await world.post_apv(sample(HIGH)))["apv_code"])
    await world.alice.rejects(card, "This is not reachable from our code.")
    await card.shows("Rejected")
    await world.settle()
    assert len(world.slack.calls("chat.postMessage")) == 2  # the card and the reply
    await card.thread_reads("Alice rejected")


async def test_slack_says_how_long_to_wait(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Retry-After applies to the whole channel, at most a day; meanwhile `jobs list` shows why."""
    world.slack.fail("chat.postMessage", "ratelimited", retry_after="1e300")
    code = (await world.post_apv(sample(HIGH)))["apv_code"]

    async def waits() -> bool:
        return [line[1:] for line in await jobs_list(world, capsys)] == [
            ["slack.card", "queued", "1", code, "Slack's rate limit is reached."]
        ]

    await world.until_async(waits, lambda: "the job does not wait")
    paused = "SELECT channel, extract(epoch FROM paused_until - now()) / 3600 AS hours FROM slack_pace"
    (channel,) = await world.rows(f"{paused} WHERE paused_until > now()")
    assert channel["channel"] == world.slack.channel("vuln-review").id
    assert 23 < channel["hours"] <= 24
    assert len(world.slack.calls("chat.postMessage")) == 1
    await world.rows("UPDATE slack_pace SET paused_until = now(), next_at = now() RETURNING 1")
    await world.card(code)


async def test_a_job_outlives_its_database(world: World) -> None:
    """The database restarts during a call to Slack: the job succeeds, without an announcement."""
    world.slack.fail("chat.postMessage", "slow", seconds=1)
    code = (await world.post_apv(sample(HIGH)))["apv_code"]
    await world.until(lambda: not world.slack.pending_faults, lambda: "nobody posts")
    async with world.database_away():
        await world.until(lambda: world.has_card(code), lambda: "no card")
        await world.parts_are(database="unreachable")
    await world.settle()
    card = await world.card(code)
    assert await world.audit(card) == ["review.submitted"]
    assert await world.rows("SELECT * FROM pgqueuer") == []


async def test_a_failure_that_no_retry_can_help_is_held_at_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in the audit log, the incident channel and `jobs list`; `jobs retry` succeeds once the cause is fixed."""
    card = await world.submit()
    world.slack.fail("chat.update", "cant_update_message", times=None)
    await world.alice.claims(card)
    alert = await world.hears(f"The job slack.card of {card.code} is held")
    assert "Slack does not allow changes to this message." in alert.words
    await card.told_in_thread("is held")
    await world.settle()
    held = await jobs_list(world, capsys)
    assert held[0][1:] == [
        "slack.card", "held", "0", card.code, "Slack does not allow changes to this message.",
    ]  # fmt: skip
    assert "job.held" in await world.audit(card)
    assert "Claimed by" not in card.words

    world.slack.clear_faults()
    await jobs.retry(world.settings, [int(line[0]) for line in held])
    await card.shows("Claimed by")
    await world.settle()
    assert await jobs_list(world, capsys) == []
    assert (await world.audit(card)).count("job.retried") == len(held)


async def test_a_held_job_that_is_discarded_is_gone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It is in the audit log, and the next change still updates the card."""
    card = await world.submit()
    # Once for the card's own job, once for the thread's, which would have painted it too.
    world.slack.fail("chat.update", "cant_update_message", times=2)
    await world.alice.claims(card)
    await world.hears("is held")
    await card.told_in_thread("is held")
    await world.settle()
    ((number, *_),) = await jobs_list(world, capsys)
    await jobs.discard(world.settings, [int(number)])
    assert f"discarded {number} slack.card {card.code}\n" in capsys.readouterr().out
    assert await jobs_list(world, capsys) == []
    assert "job.discarded" in await world.audit(card)
    with pytest.raises(Failure, match=f"Not held, so not changed: {number}"):
        await jobs.retry(world.settings, [int(number)])
    await world.alice.approves(card)
    await world.pull(card)
    await card.shows("Pull request open")
    await card.told_in_thread("Pull request #1 is open")


async def test_a_held_alert_brings_no_other(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Without permission to post, the alert jobs are held too, and no further jobs follow."""
    world.slack.fail("chat.postMessage", "missing_scope", times=None)
    code = (await world.post_apv(sample(CRITICAL)))["apv_code"]
    await world.settle()
    held = await jobs_list(world, capsys)
    assert {(line[2], line[4]) for line in held} == {("held", code)}
    assert all("reinstall it from the manifest" in line[5] for line in held)
    assert sorted(line[1] for line in held) == [
        "slack.alert",
        "slack.alert",
        "slack.alert",
        "slack.card",
        "slack.reply",
    ]
    world.slack.clear_faults()
    await jobs.retry(world.settings, every=True)
    card = await world.card(code)
    await world.settle()
    assert await jobs_list(world, capsys) == []
    await world.hears("New critical APV")
    for _ in range(2):
        await world.hears("is held")
    await card.thread_reads("is held")


async def test_a_job_that_kills_its_workers_is_held(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job is held after three crashes and announced; `jobs retry` gives it three more tries."""
    async with harness.world(database_url, tmp_path, role="web") as world:
        code = (await world.post_apv(sample(HIGH)))["apv_code"]
        await world.rows(
            "INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority) "
            "SELECT id, 'picked', entrypoint, priority FROM pgqueuer, generate_series(1, 3) "
            "WHERE entrypoint = 'slack.card' RETURNING 1"
        )
        async with world.another_bot("worker"):
            await world.hears("The job crashed its worker 3 times.")
            await world.settle()
            (line,) = await jobs_list(world, capsys)
            assert line[1:5] == ["slack.card", "held", "0", code]
            await jobs.retry(world.settings, every=True)
            await world.settle()
            assert await jobs_list(world, capsys) == []
            card = await world.card(code)
            await card.thread_reads("is held")


@pytest.mark.long
async def test_retries_of_a_burst_lose_nothing(world: World) -> None:
    """Slack accepts one post per second and limits the rest: in the end each card exists once."""
    world.slack.fail("chat.postMessage", "ratelimited", times=6, retry_after=1)
    apvs = [sample(HIGH) | {"package_name": f"package-{n}"} for n in range(6)]
    codes = await asyncio.gather(*map(world.post_apv, apvs))
    for code in codes:
        await world.card(code["apv_code"])
    await world.settle()
    assert len(world.cards()) == len(codes)
