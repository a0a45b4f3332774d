"""The job that makes the diff of a version bump, from the repository's own manifests."""

import asyncio

from bot import metrics
from bot.bumps.draft import CannotBump, draft, wanted
from bot.integrations.errors import Permanent, VendorError
from bot.integrations.git.diffs import diff_between
from bot.jobs import MakeBump
from bot.service import bumps
from bot.tasks.github import Context


async def make_bump(context: Context, job: MakeBump) -> None:
    """Idempotent: it only reads GitHub, and does not touch content that has changed since, also by an earlier run."""
    apv = await bumps.wanted(context.gate, job)
    if apv is None:
        return
    try:
        asked = wanted(apv)
        files = await context.github.read_files(
            apv.repository, apv.base_ref, lambda paths: asked.manifests(paths, apv.affected_files)
        )
        made = draft(asked, {path: file.content for path, file in files.chosen.items()}, files.paths)
    except CannotBump as refusal:
        await bumps.record_no_diff(context.gate, job, str(refusal))
        return
    except VendorError as error:
        metrics.GITHUB_ERRORS.labels("make_bump", error.code).inc()
        if not isinstance(error, Permanent):
            raise
        await bumps.record_no_diff(context.gate, job, error.reason)
        return
    before = {path: files.chosen[path] for path in made.files}
    diff = await asyncio.to_thread(diff_between, before, made.files)
    await bumps.record_diff(context.gate, job, diff, made.description)
