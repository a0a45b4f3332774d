"""Opens the service without a server, for the commands and the demo."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bot.app.policy_watch import policy_source
from bot.app.process import utc_now
from bot.app.vendors import secret
from bot.config import Settings
from bot.domain.faults import NotAccepted
from bot.domain.people import DirectoryUnavailable, SlackProfile
from bot.intake.formats import UnknownInput, read
from bot.integrations.git.changes import read_all
from bot.service import submissions
from bot.service.gate import Gate
from bot.service.submissions import Submitter
from migrations import schema
from storage import embedded
from storage.database import Database


class NobodyKnown:
    """The directory of a command that judges nobody's rights."""

    async def profile(self, user_id: str) -> SlackProfile | None:
        """Never known."""
        raise DirectoryUnavailable

    async def by_email(self, address: str) -> SlackProfile | None:
        """Never known."""
        raise DirectoryUnavailable

    async def group(self, group_id: str) -> frozenset[str]:
        """Never known."""
        raise DirectoryUnavailable

    def expect(self, person: str, groups: Iterable[str]) -> None:
        """Nobody is asked."""

    def forget(self, changed_id: str) -> None:
        """Nothing is remembered."""


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings; the embedded one is started, migrated and stopped again."""
    server = None if settings.database_url else await embedded.start(settings.apv_bot_home)
    opened = Database(server.url if server else secret(settings.database_url))
    try:
        if server is not None:
            await schema.upgrade(opened.engine)
        yield opened
    finally:
        await opened.close()
        if server is not None:
            await server.stop()


@asynccontextmanager
async def gate(settings: Settings) -> AsyncIterator[Gate]:
    """The service on that database, for work without Slack."""
    policy = policy_source(settings).current()
    async with database(settings) as opened:
        yield Gate(
            database=opened,
            directory=NobodyKnown(),
            policy=lambda: policy,
            team_id=lambda: "",
            opens_pulls=settings.opens_pulls,
            default_repository=settings.default_repository,
            repositories=settings.repositories,
            now=utc_now,
            read_changes=read_all,
        )


async def take(opened: Gate, content: bytes, form: str = "auto") -> list[str]:
    """Submit everything in a file; returns a line with the count, and a line for each review.

    Raises UnknownInput or NotAccepted; nothing is stored then.
    """
    found = read(content, form, default_repository=opened.default_repository)
    receipts = await submissions.submit(opened, found, Submitter("apv-bot submit", source="cli"))
    said = [f"{len(receipts)} read, {sum(receipt.created for receipt in receipts)} new"]
    for receipt in receipts:
        dossier = receipt.dossier
        state = "new" if receipt.created else dossier.review.status.value
        what = f"{dossier.apv.package_name} {dossier.apv.package_version or ''}".strip()
        said.append(f"{dossier.review.code}  {dossier.apv.severity:8}  {what}  {dossier.apv.advisory}  ({state})")
    return said


def fault_lines(error: UnknownInput | NotAccepted) -> list[str]:
    """Every fault: where it is, and what."""
    return [str(fault) for fault in error.faults] if isinstance(error, NotAccepted) else [str(error)]
