"""What each command of `apv-bot` does, but for serving: each opens what it needs and prints what happened."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import make_url

from bot.app.opening import database, fault_lines, gate, take
from bot.app.process import Bot, CannotListen, Role
from bot.config import Settings
from bot.domain.faults import NotAccepted
from bot.intake.faults import InvalidApv
from bot.intake.formats import UnknownInput
from bot.service import audit as trail
from bot.service import jobs
from bot.service.errors import database_is_away, outage
from migrations import schema
from storage.jobs import Unfinished

MASK = "********"
USER_IN_URL = re.compile(r"^(\w+://)[^/]*@")
"""An address may hold a password too."""


class Failure(Exception):
    """The command could not do what it was asked to; the message is for the terminal."""


async def serve(settings: Settings, role: Role) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings.require_to_serve()
    bot = Bot(settings, role)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, bot.stop.set)
    try:
        await bot.run()
    except CannotListen as error:
        raise Failure(str(error)) from None


def secrets(settings: Settings) -> list[str]:
    """Every secret of the settings, for the log's redaction."""
    values = [getattr(settings, name) for name in Settings.model_fields]
    found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    found += [token.rpartition(":")[2] for token in settings.api_tokens]
    if settings.database_url is not None:
        # A driver's error may name the password without the rest of the URL.
        found.append(make_url(settings.database_url.get_secret_value()).password or "")
    return found


def outage_line(error: BaseException) -> str | None:
    """What to say on the terminal of a database that is away or behind; None for anything else."""
    if database_is_away(error):
        return "DATABASE_URL: the database does not answer, or does not let us in"
    sentence = outage(error)
    return sentence and f"DATABASE_URL: {sentence[0].lower()}{sentence[1:]}"


async def migrate(settings: Settings) -> None:
    """Bring the database to this release's schema."""
    async with database(settings) as opened:
        before, after = await schema.upgrade(opened.engine)
    print(f"The database is at {after}." if before == after else f"Migrated from {before or 'nothing'} to {after}.")


async def submit(settings: Settings, files: Sequence[Path], form: str) -> None:
    """Submit every APV and every finding in the files; a file with a fault is not stored at all."""
    faulty = False
    async with gate(settings) as opened:
        for path in files:
            try:
                said = await take(opened, _content(path), form)
            except UnknownInput as error:
                print(f"{path}: {error}", file=sys.stderr)
                faulty = True
            except (InvalidApv, NotAccepted) as error:
                for line in fault_lines(error):
                    print(f"{path}: {line}", file=sys.stderr)
                faulty = True
            else:
                print(f"{path}: {said[0]}", *(f"  {line}" for line in said[1:]), sep="\n")
    if faulty:
        raise Failure("Nothing was stored of the files named above.")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if str(path) != "-" else sys.stdin.buffer.read()
    except OSError as error:
        raise UnknownInput(error.strerror or "cannot be read") from None


async def jobs_list(settings: Settings) -> None:
    """A line for each job that is not done."""
    async with gate(settings) as opened:
        rows = await jobs.unfinished(opened)
    table(
        ("id", "task", "state", "attempts", "apv_code", "error"),
        [(str(j.id), j.task, j.state, str(j.attempts), j.apv_code or "-", j.error or "-") for j in rows],
    )


async def jobs_show(settings: Settings, job_id: int) -> None:
    """All that is known of one job."""
    async with gate(settings) as opened:
        rows = [job for job in await jobs.unfinished(opened) if job.id == job_id]
    if not rows:
        raise Failure(f"There is no unfinished job {job_id}.")
    job = rows[0]
    for name, value in (
        ("id", job.id), ("task", job.task), ("state", job.state), ("attempts", job.attempts),
        ("apv_code", job.apv_code or "-"), ("error", job.error or "-"),
    ):  # fmt: skip
        print(f"{name:9} {value}")


async def jobs_settle(settings: Settings, ids: Sequence[int] | None, verb: str) -> None:
    """Retry or discard held jobs."""
    async with gate(settings) as opened:
        done: list[Unfinished] = await (jobs.retry if verb == "retried" else jobs.discard)(
            opened, ids, actor="operator"
        )
    missing = sorted(set(ids or ()) - {job.id for job in done})
    for job in done:
        print(f"{verb} {job.id} {job.task} {job.apv_code or ''}".rstrip())
    if missing:
        raise Failure(f"Not held, so left alone: {', '.join(map(str, missing))}.")
    if not done:
        print("No job is held.")


async def audit_export(settings: Settings) -> None:
    """Every audit entry as a line of JSON on standard output."""
    async with gate(settings) as opened:
        async for row in trail.export(opened):
            print(json.dumps(row, ensure_ascii=False))


async def audit_verify(settings: Settings) -> None:
    """Check every review's chain; fails when an entry is missing or was changed."""
    async with gate(settings) as opened:
        verdict = await trail.verify(opened)
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    print(f"{verdict.entries} entries of {verdict.reviews} reviews read, {len(verdict.faults)} faults")
    if verdict.faults:
        raise Failure("The audit log is not intact.")


def config_show(settings: Settings) -> None:
    """Every setting in force, secrets masked."""
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) or (name == "api_tokens" and value):
            value = MASK
        elif isinstance(value, tuple):
            value = ",".join(value)
        elif isinstance(value, str):
            value = USER_IN_URL.sub(rf"\1{MASK}@", value)
        print(f"{name.upper()}={'' if value is None else value}")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under a head, each column as wide as it must be."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
