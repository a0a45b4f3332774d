"""The job that makes the diff of a version bump, from the repository's own manifests."""

import asyncio

from bot import metrics
from bot.bumps.draft import CannotBump, draft, wanted
from bot.integrations.errors import Permanent, VendorError
from bot.integrations.git.diffs import diff_between
from bot.jobs import MakeBump
from bot.service import bumps
from bot.tasks.github import GitHubDesk


async def make_bump(desk: GitHubDesk, job: MakeBump) -> None:
    """Runs twice: it only reads, and a content that has changed since, by an earlier run too, is left alone."""
    apv = await bumps.wanted(desk.gate, job.review_id, job.digest)
    if apv is None:
        return
    try:
        asked = wanted(apv)
        files = await desk.github.read_files(
            apv.repository, apv.base_ref, lambda paths: asked.manifests(paths, apv.affected_files)
        )
        made = draft(asked, {path: file.content for path, file in files.chosen.items()}, files.paths)
    except CannotBump as refusal:
        await bumps.not_made(desk.gate, job.review_id, job.digest, refusal.reason)
        return
    except VendorError as error:
        metrics.GITHUB_ERRORS.labels("make_bump", error.code).inc()
        if not isinstance(error, Permanent):
            raise
        await bumps.not_made(desk.gate, job.review_id, job.digest, error.reason)
        return
    before = {path: files.chosen[path] for path in made.files}
    diff = await asyncio.to_thread(diff_between, before, made.files)
    await bumps.made(desk.gate, job.review_id, job.digest, bumps.Draft(diff, made.description))
