"""The jobs that speak to GitHub: open a pull request, look what has become of it, merge it, answer on it."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from bot import metrics
from bot.blocks import pull_request
from bot.domain.pull import Step
from bot.domain.review import Choice
from bot.integrations.errors import Permanent, Retry, VendorError
from bot.integrations.git.patches import PathPolicy
from bot.integrations.github.client import GitHubClient, PullAddress, PullRequest
from bot.jobs import AnswerPull, OpenPull, WatchPull
from bot.service import outcomes, pulls
from bot.service.gate import Gate
from storage import audit, reviews
from storage.reviews import Stored

T = TypeVar("T")

OPENING_SECONDS = 5.0
"""Between two looks whether a pull request that is to be answered on is there."""


@dataclass(frozen=True, slots=True)
class GitHubDesk:
    """What the GitHub jobs work with."""

    gate: Gate
    github: GitHubClient


async def open_pull(desk: GitHubDesk, job: OpenPull) -> None:
    """Runs twice: branch, commit and pull request have names that follow from the content, and are adopted if there."""
    async with desk.gate.database.transaction() as tx:
        stored = await reviews.get(tx, job.review_id)
        approvals = await reviews.approvals(tx, job.review_id, job.digest)
    if stored is None:
        return
    apv, review = stored.dossier.apv, stored.dossier.review
    branch = pull_request.branch(review.code, job.digest)
    if not await outcomes.begin_push(desk.gate, job.review_id, job.digest, branch):
        return
    owner, _, name = apv.repository.partition("/")
    rules = desk.gate.policy().pull_request
    request = PullRequest(
        owner=owner,
        name=name,
        base_ref=apv.base_ref,
        branch=branch,
        title=pull_request.title(apv),
        body=pull_request.body(stored.dossier, approvals),
        commit_message=pull_request.commit_message(stored.dossier),
        committed_at=review.closed_at or review.created_at,
        diff=apv.patch_diff or "",
        labels=(*rules.labels, *pull_request.labels(apv)),
        reviewers=(*rules.reviewers, *(f"{owner}/{team}" for team in rules.team_reviewers)),
        draft=rules.draft,
        approved=pull_request.approved(review, len(approvals)),
        policy=PathPolicy(
            allow_workflows=rules.allow_workflows, max_files=rules.max_files, max_diff_bytes=rules.max_bytes
        ),
    )
    opened = await _counted("open_pull", desk.github.open_pull(request))
    await outcomes.pull_opened(
        desk.gate,
        job.review_id,
        outcomes.Pull(
            number=opened.number,
            url=opened.url,
            branch=opened.branch,
            base=opened.base,
            approved_head=opened.approved_head,
            head_sha=opened.head_sha,
            files=opened.files,
            insertions=opened.insertions,
            deletions=opened.deletions,
            state=opened.state,
            notes=opened.notes,
        ),
    )


async def watch_pull(desk: GitHubDesk, job: WatchPull) -> None:
    """Runs twice: it writes down what GitHub shows now, and a merge is bound to the approved commit."""
    stored = await _stored(desk, job.review_id)
    address = _address(stored)
    if stored is None or address is None:
        return
    began = await pulls.begin_look(desk.gate, job.review_id, job.asked)
    if began is not None and (step := await _look(desk, job.review_id, address)) is not None:
        await _take(desk, stored, address, step)


async def answer_pull(desk: GitHubDesk, job: AnswerPull) -> None:
    """Runs twice: a comment is found again by the audit entry's id in it, and what is closed stays closed."""
    async with desk.gate.database.transaction() as tx:
        entry = await audit.entry(tx, job.entry_id)
    if entry is None:
        return
    sentence, close = entry["sentence"], entry["detail"].get("decision") == Choice.REJECT.value
    earlier = await pulls.earlier_open(desk.gate, job.review_id)
    if earlier is None:
        raise Retry("An earlier pull request is still being opened", code="pull_opening", after=OPENING_SECONDS)
    for review_id in earlier:
        address = _address(await _stored(desk, review_id))
        if address is None:
            continue
        if close:
            await pulls.closing(desk.gate, review_id, sentence)
        body, mark = pull_request.answer(sentence, job.entry_id, close=close)
        try:
            await _counted("answer", desk.github.answer(address, body, mark, close=close))
        except Permanent as error:
            await pulls.lost(desk.gate, review_id, error.reason)
        await _look(desk, review_id, address)


async def _look(desk: GitHubDesk, review_id: UUID, address: PullAddress) -> Step | None:
    """Write down how the pull request is now; what the bot is to do next with it."""
    began = await pulls.begin_look(desk.gate, review_id, None)
    assert began is not None, "a look that nobody asked for is never superseded"
    try:
        seen = await _counted("look", desk.github.look(address))
    except Permanent as error:
        # Held, it would be looked at again and again, and told of each time.
        await pulls.lost(desk.gate, review_id, error.reason)
        return None
    mode = desk.gate.policy().pull_request.merge
    return await pulls.saw(desk.gate, review_id, seen, began=began, mode=mode)


async def _take(desk: GitHubDesk, stored: Stored, address: PullAddress, step: Step) -> None:
    """Do what the policy lets the bot do, and look what came of it."""
    review = stored.dossier.review
    head = review.pull.approved_head if review.pull else None
    assert head is not None, "a step is for a commit that was approved"
    method, refusal = desk.gate.policy().pull_request.merge_method, None
    try:
        match step:
            case Step.MERGE:
                await _counted("merge", desk.github.merge(address, head, method))
            case Step.ARM:
                await _counted("arm", desk.github.arm(address, head, method))
            case Step.DISARM:
                await _counted("disarm", desk.github.disarm(address))
    except Permanent as error:
        refusal = error.reason
    await pulls.stepped(desk.gate, review.id, step, refusal)
    await _look(desk, review.id, address)


async def _stored(desk: GitHubDesk, review_id: UUID) -> Stored | None:
    async with desk.gate.database.transaction() as tx:
        return await reviews.get(tx, review_id)


def _address(stored: Stored | None) -> PullAddress | None:
    review = stored.dossier.review if stored else None
    if stored is None or review is None or review.pr_number is None:
        return None
    owner, _, name = stored.dossier.apv.repository.partition("/")
    return PullAddress(owner, name, review.pr_number, review.pr_branch or "")


async def _counted(operation: str, call: Awaitable[T]) -> T:
    try:
        return await call
    except VendorError as error:
        metrics.GITHUB_ERRORS.labels(operation, error.code).inc()
        raise
