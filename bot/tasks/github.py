"""The GitHub jobs: open a pull request, check it, merge it, comment on it."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import structlog

from bot import metrics
from bot.blocks import pull_request
from bot.domain.policy import PullRules
from bot.domain.pull import Step
from bot.domain.review import Choice, Dossier
from bot.integrations.errors import Permanent, Retry, Stopped, VendorError
from bot.integrations.git.patches import PathPolicy
from bot.integrations.github.bases import NotAsShown
from bot.integrations.github.client import GitHubClient, PullAddress, PullRequest
from bot.jobs import AnswerPull, OpenPull, ReadBase, WatchPull
from bot.service import audit, bases, pulls, queries
from bot.service.gate import Gate
from bot.service.pulls import Push

log = structlog.get_logger(__name__)

T = TypeVar("T")

OPENING_SECONDS = 5.0
"""Retry interval while an earlier pull request is still being opened."""
PAUSED_SECONDS = 10.0
"""Retry interval while pushes are paused."""


@dataclass(frozen=True, slots=True)
class Context:
    """The dependencies of the GitHub jobs."""

    gate: Gate
    github: GitHubClient


async def open_pull(context: Context, job: OpenPull) -> None:
    """Idempotent: branch, commit and pull request have deterministic names and are reused if they exist."""
    try:
        push = await pulls.begin_push(context.gate, job)
    except pulls.PushesPaused as paused:
        raise _stopped(paused) from None
    except pulls.Unread:
        raise Retry("git did not read the patch", code="git_failed") from None
    except pulls.NotAllowed:
        raise Permanent("The repository is not in GITHUB_REPO_ALLOWLIST", code="not_allowed") from None
    if push is None:
        return
    request = _request(push, context.gate.policy().pull_request)
    try:
        pull = await _counted("open_pull", context.github.open_pull(request))
    except NotAsShown as moved:
        await bases.ask_again(context.gate, job, moved.base, moved.paths)
        return
    await pulls.opened(context.gate, job.review_id, pull)


def _request(push: Push, rules: PullRules) -> PullRequest:
    apv, review = push.dossier.apv, push.dossier.review
    owner = apv.repository.partition("/")[0]
    return PullRequest(
        repository=apv.repository,
        base_ref=apv.base_ref,
        branch=push.branch,
        title=pull_request.title(apv),
        body=pull_request.body(push.dossier, push.approvals),
        commit_message=pull_request.commit_message(push.dossier),
        committed_at=review.closed_at or review.created_at,
        diff=apv.patch_diff or "",
        labels=(*rules.labels, *pull_request.labels(apv)),
        reviewers=(*rules.reviewers, *(f"{owner}/{team}" for team in rules.team_reviewers)),
        draft=rules.draft,
        approved=pull_request.approved(review, push.approvals),
        approvals=pull_request.check(review, push.approvals),
        policy=_paths(rules),
        shown=push.shown,
        base_moved=rules.base_moved,
    )


def _paths(rules: PullRules) -> PathPolicy:
    return PathPolicy(allow_workflows=rules.allow_workflows, max_files=rules.max_files, max_diff_bytes=rules.max_bytes)


async def read_base(context: Context, job: ReadBase) -> None:
    """Idempotent: the first base that is read before anybody approved is kept, and no other.

    If the base cannot be read, nobody is told: the push then decides whether people must vote again.
    """
    apv = await bases.wanted(context.gate, job)
    if apv is None:
        return
    paths = _paths(context.gate.policy().pull_request)
    try:
        base = await _counted(
            "read_base", context.github.read_base(apv.repository, apv.base_ref, apv.patch_diff or "", paths)
        )
    except Permanent as error:
        log.info("base.not_read", code=error.code)
        return
    await bases.keep(context.gate, job, base)


def _stopped(paused: pulls.PushesPaused) -> Stopped:
    return Stopped(f"Pushes are paused: {paused}", code="pushes_paused", after=PAUSED_SECONDS)


async def watch_pull(context: Context, job: WatchPull) -> None:
    """Idempotent: it records the current state, and a merge is bound to the approved commit."""
    dossier = await queries.get(context.gate, job.review_id)
    address = _address(dossier)
    if dossier is None or address is None:
        return
    began = await pulls.begin_look(context.gate, job.review_id, job.asked)
    if began is not None and (step := await _look(context, job.review_id, address)) is not None:
        await _take(context, dossier, address, step)


async def answer_pull(context: Context, job: AnswerPull) -> None:
    """Idempotent: a comment contains the audit entry's id and is found by it; closing twice changes nothing."""
    entry = await audit.entry(context.gate, job.entry_id)
    if entry is None:
        return
    await _check_pause(context)
    sentence, close = entry.sentence, entry.detail.get("decision") == Choice.REJECT.value
    earlier = await pulls.earlier_open(context.gate, job.review_id)
    if earlier is None:
        raise Retry("An earlier pull request is still being opened", code="pull_opening", after=OPENING_SECONDS)
    for review_id in earlier:
        address = _address(await queries.get(context.gate, review_id))
        if address is None:
            continue
        if close:
            await pulls.record_closing(context.gate, review_id, sentence)
        body, mark = pull_request.answer(sentence, job.entry_id, close=close)
        try:
            await _counted("answer", context.github.answer(address, body, mark, close=close))
        except Permanent as error:
            await pulls.record_lost(context.gate, review_id, error.reason)
        await _look(context, review_id, address)


async def _look(context: Context, review_id: UUID, address: PullAddress) -> Step | None:
    """Record the pull request's current state; returns the bot's next step."""
    began = await pulls.begin_look(context.gate, review_id, None)
    assert began is not None, "a look that nobody asked for is never superseded"
    try:
        seen = await _counted("look", context.github.look(address))
    except Permanent as error:
        # Holding the job would announce it again with each poll.
        await pulls.record_lost(context.gate, review_id, error.reason)
        return None
    mode = context.gate.policy().pull_request.merge
    return await pulls.record_look(context.gate, review_id, seen, began=began, mode=mode)


async def _take(context: Context, dossier: Dossier, address: PullAddress, step: Step) -> None:
    """Do the step that the policy allows, then record the result."""
    review = dossier.review
    head = review.pull.approved_head if review.pull else None
    assert head is not None, "a step is for a commit that was approved"
    method, refusal = context.gate.policy().pull_request.merge_method, None
    await _check_pause(context)
    try:
        match step:
            case Step.MERGE:
                await _counted("merge", context.github.merge(address, head, method))
            case Step.ARM:
                await _counted("arm", context.github.arm(address, head, method))
            case Step.DISARM:
                await _counted("disarm", context.github.disarm(address))
    except Permanent as error:
        refusal = error.reason
    await pulls.record_step(context.gate, review.id, step, refusal)
    await _look(context, review.id, address)


async def _check_pause(context: Context) -> None:
    """Raise Stopped while pushes are paused."""
    try:
        await pulls.check_pause(context.gate)
    except pulls.PushesPaused as paused:
        raise _stopped(paused) from None


def _address(dossier: Dossier | None) -> PullAddress | None:
    if dossier is None or dossier.review.pr_number is None:
        return None
    return PullAddress(dossier.apv.repository, dossier.review.pr_number, dossier.review.pr_branch or "")


async def _counted(operation: str, call: Awaitable[T]) -> T:
    try:
        return await call
    except VendorError as error:
        metrics.GITHUB_ERRORS.labels(operation, error.code).inc()
        raise
