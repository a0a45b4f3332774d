"""The job that turns an approved patch into a pull request."""

from dataclasses import dataclass

from bot import metrics
from bot.blocks import pull_request
from bot.integrations.errors import VendorError
from bot.integrations.github import GitHubClient
from bot.integrations.github_pulls import PullRequest
from bot.jobs import OpenPull
from bot.service import outcomes
from bot.service.gate import Gate
from storage import reviews


@dataclass(frozen=True, slots=True)
class GitHubDesk:
    """What the GitHub job works with."""

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
        labels=pull_request.labels(apv),
    )
    try:
        opened = await desk.github.open_pull(request)
    except VendorError as error:
        metrics.GITHUB_ERRORS.labels("open_pull", error.code).inc()
        raise
    await outcomes.pull_opened(
        desk.gate,
        job.review_id,
        outcomes.Pull(
            number=opened.number,
            url=opened.url,
            branch=opened.branch,
            head_sha=opened.head_sha,
            files=opened.files,
            insertions=opened.insertions,
            deletions=opened.deletions,
            state=opened.state,
        ),
    )
