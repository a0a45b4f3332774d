"""`apv-bot jobs`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeAlias

import typer

from bot.app.opening import gate
from bot.cli.running import Failure, command, table
from bot.config import ConfigurationError, Settings
from bot.service import jobs
from bot.service.gate import Gate
from storage.jobs import Unfinished

commands = typer.Typer(name="jobs", help="Unfinished jobs: queued, running or held.", no_args_is_help=True)

COLUMNS = ("id", "task", "state", "attempts", "apv_code", "error")
JobId: TypeAlias = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The job's id from `jobs list`.")]
JobIds: TypeAlias = Annotated[
    list[int] | None, typer.Argument(min=1, max=2**63 - 1, help="Ids of held jobs from `jobs list`.")
]
All: TypeAlias = Annotated[bool, typer.Option("--all", help="Every held job.")]


@command(commands, "list")
async def show_all(settings: Settings) -> None:
    """List the unfinished jobs."""
    async with gate(settings) as opened:
        table(COLUMNS, [_cells(job) for job in await jobs.unfinished(opened)])


@command(commands, "show")
async def show(settings: Settings, job_id: JobId) -> None:
    """Show one job."""
    async with gate(settings) as opened:
        found = [job for job in await jobs.unfinished(opened) if job.id == job_id]
    if not found:
        raise Failure(f"No unfinished job {job_id}.")
    for name, value in zip(COLUMNS, _cells(found[0]), strict=True):
        print(f"{name:9} {value}")


def _cells(job: Unfinished) -> tuple[str, ...]:
    return str(job.id), job.task, job.state, str(job.attempts), job.apv_code or "-", job.error or "-"


@command(commands, "retry")
async def retry(settings: Settings, ids: JobIds = None, every: All = False) -> None:
    """Retry held jobs."""
    await _settle(settings, ids, every, jobs.retry, "retried")


@command(commands, "discard")
async def discard(settings: Settings, ids: JobIds = None, every: All = False) -> None:
    """Discard held jobs."""
    await _settle(settings, ids, every, jobs.discard, "discarded")


async def _settle(
    settings: Settings,
    ids: Sequence[int] | None,
    every: bool,
    act: Callable[[Gate, Sequence[int] | None, str], Awaitable[list[Unfinished]]],
    verb: str,
) -> None:
    if bool(ids) == every:
        raise ConfigurationError("name the jobs, or use --all")
    async with gate(settings) as opened:
        done = await act(opened, None if every else ids, "operator")
    for job in done:
        print(f"{verb} {job.id} {job.task} {job.apv_code or ''}".rstrip())
    if missing := sorted(set(ids or ()) - {job.id for job in done}):
        raise Failure(f"Not held, so not changed: {', '.join(map(str, missing))}.")
    if not done:
        print("No held jobs.")
