"""What may be queued: each job survives the way through the queue, and has its place and its key."""

from itertools import pairwise
from typing import get_args
from uuid import UUID

import pytest
from pydantic import ValidationError

from bot.domain.apv import Severity
from bot.jobs import (
    ADAPTERS,
    AlertIncident,
    AnswerPull,
    Job,
    MakeBump,
    MoveCard,
    OpenPull,
    ReadBase,
    ReplyInThread,
    SyncCard,
    WatchPull,
    parse,
    payload,
    priority,
)

ONE, TWO = UUID(int=1), UUID(int=2)
JOBS: list[Job] = [
    SyncCard(ONE, 3),
    ReplyInThread(ONE, TWO),
    AlertIncident(ONE, TWO),
    OpenPull(ONE, "d1" * 32),
    WatchPull(ONE, "opened"),
    AnswerPull(ONE, TWO),
    MakeBump(ONE, "d1" * 32),
    ReadBase(ONE, 1),
    MoveCard(ONE, 3),
]


def test_every_kind_of_job_is_tried_here() -> None:
    """A new one has to be added, and can be read back from the queue."""
    assert {type(job) for job in JOBS} == set(get_args(Job))
    assert set(ADAPTERS) == {job.task for job in JOBS}


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.task)
def test_a_job_is_read_as_it_was_written(job: Job) -> None:
    """Through the bytes that the queue keeps."""
    assert parse(job.task, payload(job)) == job


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.task)
def test_the_queue_keeps_ids_only(job: Job) -> None:
    """State is read when the job runs, so a payload stays small whatever the APV holds."""
    assert len(payload(job)) < 200


@pytest.mark.parametrize("raw", [None, b"", b"{}", b"[]", b'{"review_id":"no"}', b"\xff"])
def test_a_payload_of_no_release_is_a_fault(raw: bytes | None) -> None:
    """It is never taken for another job."""
    for job in JOBS:
        with pytest.raises(ValidationError):
            parse(job.task, raw)


def test_a_task_of_no_release_is_a_fault() -> None:
    """A queue that a newer release filled."""
    with pytest.raises(KeyError):
        parse("slack.dance", b"{}")


def test_worse_comes_first_whatever_it_does() -> None:
    """Every job of a critical review before every job of a high one, and so on down."""
    for worse, milder in pairwise(Severity):
        assert min(priority(job, worse) for job in JOBS) > max(priority(job, milder) for job in JOBS)


def test_people_hear_of_it_before_the_rest() -> None:
    """For one review: the alert, then what the card shows, the card, its base, then replies and GitHub."""
    order = sorted(JOBS, key=lambda job: -priority(job, Severity.HIGH))
    assert [job.task for job in order[:6]] == [
        "slack.alert",
        "github.bump",
        "slack.card",
        "github.base",
        "slack.reply",
        "github.pull",
    ]


def test_what_is_one_effect_has_one_key() -> None:
    """One card per revision, one reply and one alert per entry, one move, pull request and base per version."""
    others: list[Job] = [
        SyncCard(ONE, 4), SyncCard(TWO, 3), MoveCard(ONE, 4), ReplyInThread(ONE, ONE), AlertIncident(ONE, ONE),
        OpenPull(ONE, "d1" * 32, 2), OpenPull(TWO, "d1" * 32),
        ReadBase(ONE, 2),
    ]  # fmt: skip
    assert len({job.key for job in [*JOBS, *others]}) == len(JOBS) + len(others)
    assert ReplyInThread(ONE, TWO).key == ReplyInThread(TWO, TWO).key
