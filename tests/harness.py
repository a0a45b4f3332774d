"""The driver of the scenario tests: people, a channel, a repository, and the whole bot between real stand-ins.

Tests act like users. At the end of a test, an unread message, an unexpected request or an ERROR in the log fails it.
"""

import asyncio
import atexit
import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import aiohttp
import asyncpg
from pydantic import SecretStr
from sqlalchemy import make_url, text

from bot import samples
from bot.app.process import Bot, Role
from bot.cli.submit import submit
from bot.config import Settings
from bot.sandbox.github import GitHubSandbox, Pull
from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.model import Message
from bot.sandbox.slack.views import View
from storage import audit, embedded
from storage.database import CommitUnknown, Database
from tests.conftest import Errors

OWNER, NAME = "sample", "shop"
BOT_TOKEN, SIGNING_SECRET, GITHUB_TOKEN = (
    "xoxb-of-the-tests",
    "signing-secret-of-the-tests",
    "github-token-of-the-tests",
)
API_TOKEN = "api-token-of-the-tests"
APP_TOKEN = "xapp-of-the-tests"
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.05
"""Seconds between two looks: each look at the database takes time from what the test waits for."""
PATIENCE = 120.0
"""Seconds after which a test gives up; a busy machine may need many of them."""


@dataclass
class Clock:
    """The bot's clock: it runs, and a test may advance it."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, **spans: float) -> None:
        self.ahead += timedelta(**spans)


class Listening(Protocol):
    """A bot, in this process or in its own."""

    @property
    def port(self) -> int: ...


@dataclass(frozen=True)
class Nobody:
    """No bot runs yet."""

    port: int = 0


NOBODY = Nobody()


@dataclass
class Card:
    """A review's card as people see it now."""

    world: "World"
    code: str

    @property
    def message(self) -> Message:
        return self.world.find_card(self.code)

    @property
    def words(self) -> str:
        return self.message.words

    @property
    def buttons(self) -> list[str]:
        return self.message.buttons

    @property
    def thread(self) -> list[str]:
        replies = self.world.slack.thread(self.message.channel, self.message.ts)
        self.world.slack.mark_read(*replies)
        return [reply.words for reply in replies if reply.ts != self.message.ts]

    async def shows(self, *words: str) -> None:
        """Wait until the card shows all of these words."""
        wanted = [w.casefold() for w in words]
        await self.world.until(
            lambda: all(w in self.words.casefold() for w in wanted), lambda: f"{words} not on the card:\n{self.words}"
        )

    async def thread_reads(self, *words: str) -> None:
        """Wait for this number of replies, and check that each one, in order, has its words."""
        await self.world.until(lambda: len(self.thread) >= len(words), lambda: f"only {self.thread} in the thread")
        thread = self.thread
        assert len(thread) == len(words), thread
        for reply, wanted in zip(thread, words, strict=True):
            assert wanted in reply, thread

    async def told_in_thread(self, words: str) -> None:
        """Wait until a reply has these words."""
        await self.world.until(
            lambda: any(words in reply for reply in self.thread), lambda: f"{words!r} not in {self.thread}"
        )


@dataclass
class Someone:
    """A person of the workspace."""

    world: "World"
    name: str

    @property
    def id(self) -> str:
        return self.world.slack.user(self.name).id

    async def clicks(self, button: str, card: Card, **how: Any) -> Delivery:
        message = card.message
        return await self.world.slack.click(self.name, message.channel, message.ts, text=button, **how)

    async def approves(self, card: Card) -> Delivery:
        return await self.clicks("Approve", card)

    async def claims(self, card: Card) -> Delivery:
        return await self.clicks("Claim", card)

    async def opens(self, button: str, card: Card) -> View:
        """Click, and see the modal that it opens."""
        delivery = await self.clicks(button, card)
        assert delivery.ok, delivery
        await self.world.until(lambda: bool(self.views), lambda: f"no modal after {button}")
        return self.views[-1]

    async def fills(self, view: View, *, enforce: bool = True, **values: str) -> Delivery:
        """Fill in and submit: `reason=`, `justification=`."""
        entered = {name.capitalize(): value for name, value in values.items()}
        return await self.world.slack.submit_view(self.name, view.id, entered, enforce=enforce)

    def takes_over(self, view: View) -> View:
        """Make another person's open modal theirs, as a custom client could."""
        view.user = self.id
        return view

    async def rejects(self, card: Card, why: str, reason: str = "Other") -> Delivery:
        return await self.fills(await self.opens("Reject", card), reason=reason, justification=why)

    async def escalates(self, card: Card, why: str, reason: str = "Other") -> Delivery:
        return await self.fills(await self.opens("Escalate", card), reason=reason, justification=why)

    async def types(self, text_: str, channel: str = "vuln-review") -> str:
        """Type `/apv <text>`; returns what only they see."""
        before = len(self.world.slack.ephemerals(self.name))
        delivery = await self.world.slack.slash(self.name, channel, "/apv", text_)
        assert delivery.ok, delivery
        answers = self.world.slack.ephemerals(self.name)[before:]
        self.world.slack.mark_read(*answers)
        return "\n".join(answer.words for answer in answers)

    async def becomes(self, **fields: object) -> None:
        """Change their account and let Slack tell the bot."""
        user = self.world.slack.user(self.name)
        for field_, value in fields.items():
            setattr(user, field_, value)
        delivery = await self.world.slack.send_event({"type": "user_change", "user": user.as_json()})
        assert delivery.ok, delivery

    async def is_told(self, words: str) -> str:
        """Wait for an unread private message with these words; returns all of it."""

        def heard() -> Message | None:
            unread = [m for m in self.world.slack.ephemerals(self.name) if not m.read]
            return next((m for m in unread if words in m.words), None)

        await self.world.until(
            lambda: heard() is not None,
            lambda: (
                f"{self.name} was not told {words!r}, but {[m.words for m in self.world.slack.ephemerals(self.name)]}"
            ),
        )
        message = heard()
        assert message is not None
        self.world.slack.mark_read(message)
        return message.words

    @property
    def told(self) -> list[str]:
        """All private messages to them."""
        messages = self.world.slack.ephemerals(self.name)
        self.world.slack.mark_read(*messages)
        return [m.words for m in messages]

    @property
    def views(self) -> list[View]:
        return self.world.slack.open_views(self.name)


@dataclass
class World:
    """One workspace, one repository, one database, and any number of bots."""

    slack: SlackSandbox
    github: GitHubSandbox
    sandbox: SandboxServer
    database: Database
    settings: Settings
    clock: Clock
    bot: Listening
    http: aiohttp.ClientSession
    errors: Errors
    tolerated: set[str] = field(default_factory=set)
    """Words of the log errors and unread messages that this test expects."""

    def __getattr__(self, name: str) -> Someone:
        if any(user.name == name for user in self.slack.workspace.users.values()):
            return Someone(self, name)
        raise AttributeError(name)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.bot.port}"

    def talks_to(self, bot: Listening) -> None:
        """Send Slack's and the test's requests to this bot from now on."""
        self.bot = bot
        self.slack.request_url = f"{self.url}/slack/events"

    async def submit(self, apv: Mapping[str, object] | None = None, /, **changes: object) -> Card:
        """Submit an APV over the API; returns its card once it is posted and its base was asked for."""
        code = (await self.post_apv({**(apv or sample("requests-cve-2023-32681")), **changes}))["apv_code"]
        card = await self.card(code)
        await self.until_async(self._asked_for_bases, lambda: "no base was asked for")
        return card

    async def post_apv(self, apv: Mapping[str, object]) -> dict[str, Any]:
        async with self.http.post(f"{self.url}/hitl/reviews", json=apv) as answer:
            body: dict[str, Any] = await answer.json()
            assert answer.status in {200, 201}, body
            return body

    async def post_apvs(self, apvs: Sequence[Mapping[str, object]]) -> None:
        """A list, as a scanner sends it."""
        async with self.http.post(f"{self.url}/hitl/reviews", json=apvs) as answer:
            assert answer.status == 201, await answer.text()

    async def submit_file(self, path: Path) -> list[str]:
        """`apv-bot submit FILE`; returns the codes of all reviews in order."""
        await submit(self.settings, [path])
        return [row["apv_code"] for row in await self.rows("SELECT apv_code FROM apv_reviews ORDER BY apv_code")]

    async def card(self, code: str) -> Card:
        """The card of a review, once it is posted."""
        await self.until(lambda: self.has_card(code), lambda: f"no card for {code}")
        self.find_card(code)
        return Card(self, code)

    async def review(self, card: Card) -> dict[str, Any]:
        """The review as the API shows it."""
        async with self.http.get(f"{self.url}/hitl/reviews/{card.code}") as answer:
            body: dict[str, Any] = await answer.json()
            return body

    async def checks(self) -> dict[str, str]:
        """The state of each part in `/health/ready`."""
        async with self.http.get(f"{self.url}/health/ready") as answer:
            said: dict[str, str] = (await answer.json())["checks"]
            return said

    async def parts_are(self, **words: str) -> None:
        """Wait until `/health/ready` shows these states."""
        said: dict[str, str] = {}

        async def look() -> bool:
            said.update(await self.checks())
            return words.items() <= said.items()

        await self.until_async(look, lambda: f"{said} instead of {words}")

    def cards(self) -> list[Message]:
        return [m for m in self.slack.messages("vuln-review") if m.thread_ts in (None, m.ts)]

    def has_card(self, code: str) -> bool:
        return any(code in m.words for m in self.cards())

    def find_card(self, code: str) -> Message:
        found = [m for m in self.cards() if code in m.words]
        assert len(found) == 1, f"{len(found)} cards of {code}"
        self.slack.mark_read(found[0])
        return found[0]

    async def hears(self, words: str) -> Message:
        """Wait for an unread message with these words in the incident channel."""

        def heard() -> Message | None:
            unread = [m for m in self.slack.messages("incidents") if not m.read]
            return next((m for m in unread if words in m.words), None)

        await self.until(
            lambda: heard() is not None,
            lambda: f"#incidents heard {[m.words for m in self.slack.messages('incidents')]}, not {words!r}",
        )
        message = heard()
        assert message is not None
        self.slack.mark_read(message)
        return message

    async def regroup(self, handle: str, *names: str) -> None:
        """Change the members of a user group and let Slack tell the bot."""
        group = self.slack.group(handle)
        group.members = [self.slack.user(name).id for name in names]
        delivery = await self.slack.send_event({"type": "subteam_members_changed", "subteam_id": group.id})
        assert delivery.ok, delivery

    @asynccontextmanager
    async def database_away(self) -> AsyncIterator[None]:
        """Close all connections to the database and allow no new ones."""
        url = make_url(embedded.plain(self.settings.database_url.get_secret_value()))  # type: ignore[union-attr] # set
        server = await asyncpg.connect(url.set(database="postgres").render_as_string(hide_password=False))
        try:
            await server.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
            await server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", url.database
            )
            yield
        finally:
            await server.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true")
            await server.close()

    async def pull(self, card: Card) -> Pull:
        """The card's pull request, once it exists."""

        def opened() -> list[Pull]:
            return [p for p in self.github.pulls() if p.head_ref.startswith(f"apv/{card.code}-")]

        await self.until(lambda: bool(opened()), lambda: f"no pull request for {card.code}")
        assert len(opened()) == 1
        return opened()[0]

    async def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        async with self.database.transaction() as tx:
            return [dict(row) for row in (await tx.execute(text(sql), values)).mappings()]

    async def decisions(self, card: Card) -> list[dict[str, Any]]:
        return await self.rows(
            "SELECT * FROM hitl_decisions WHERE apv_code = :code ORDER BY created_at", code=card.code
        )

    async def audit(self, card: Card) -> list[str]:
        """The kinds of the review's audit entries, oldest first."""
        rows = await self.rows("SELECT kind FROM audit_log WHERE apv_code = :code ORDER BY seq", code=card.code)
        return [row["kind"] for row in rows]

    async def settle(self) -> None:
        """Wait until no job is queued or running."""
        await self.until_async(self._idle, lambda: "jobs are still under way")

    async def _idle(self) -> bool:
        due = "SELECT count(*) AS n FROM pgqueuer WHERE status IN ('queued', 'picked')"
        return bool((await self.rows(due))[0]["n"] == 0)

    async def _asked_for_bases(self) -> bool:
        """Whether every job that reads a base was tried: from then on it takes no answer meant for another job."""
        new = "SELECT 1 FROM pgqueuer WHERE entrypoint = 'github.base' AND (status = 'picked' OR attempts = 0)"
        return not await self.rows(new)

    async def until(self, holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        async def look() -> bool:
            return holds()

        await self.until_async(look, otherwise)

    async def until_async(self, holds: Callable[[], Awaitable[bool]], otherwise: Callable[[], str]) -> None:
        """Wait for a result of three servers and a queue that run concurrently."""
        pause = FIRST_PAUSE
        try:
            async with asyncio.timeout(PATIENCE):
                while not await holds():
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, LONGEST_PAUSE)
        except (TimeoutError, CommitUnknown):  # the latter where the time is up in the middle of a look
            raise AssertionError(otherwise()) from None

    async def broken_links(self) -> list[str]:
        """What is wrong with the audit log."""
        async with self.database.transaction() as tx:
            return [fault async for chain in audit.chains(tx) for fault in audit.broken_links(chain)]

    def check(self) -> None:
        """No message was posted twice or left unread, no request was unexpected, and nothing was logged as an error."""
        posted = [m for channel in self.slack.workspace.channels.values() for m in channel.messages if m.metadata]
        ids = Counter((m.channel, m.metadata["event_payload"]["outbox_id"]) for m in posted if m.metadata)
        assert not [once for once, times in ids.items() if times > 1], "a message was posted twice"
        unread = [m.words for m in self.slack.unread() if not self._tolerates(m.words)]
        assert not unread, f"unread: {unread}"
        assert not self.slack.unexpected, self.slack.unexpected
        assert not self.github.unexpected, self.github.unexpected
        surprising = [line for line in self.errors.lines if not self._tolerates(line)]
        assert not surprising, surprising

    def _tolerates(self, words: str) -> bool:
        return any(t in words for t in self.tolerated)

    @asynccontextmanager
    async def another_bot(self, role: Role = "all") -> AsyncIterator[Bot]:
        """One more bot on the same database."""
        async with running(Bot(self.settings, role, now=self.clock)) as bot:
            yield bot

    async def passes(self, **span: int) -> None:
        """Advance the clock, then start two more workers, which sweep at once."""
        self.clock.advance(**span)
        async with self.another_bot("worker"), self.another_bot("worker"):
            await self.settle()


def sample(name: str) -> dict[str, Any]:
    """One of the sample APVs, by its file's name."""
    found: dict[str, Any] = json.loads(dict(samples.apvs())[f"{name}.json"])
    return found


CRITICAL = "pyyaml-cve-2020-14343"
HIGH = "flask-cve-2023-30861"
MANUAL = "celery-cve-2021-23727"


@asynccontextmanager
async def running(bot: Bot) -> AsyncIterator[Bot]:
    """Run a bot; it listens inside the block."""
    serving = asyncio.create_task(bot.run())
    listening = asyncio.create_task(bot.listening.wait())
    await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    try:
        yield bot
    finally:
        bot.stop.set()
        await serving


def token_text(name: str) -> str:
    """The token of this name that a client sends."""
    return API_TOKEN if name == "scanner" else f"{name}-of-the-tests"


def api_token(name: str, scopes: str, owner: str = "", until: str = "") -> str:
    """One item of `API_TOKENS`; `scanner` is the one that the test's own client sends."""
    hashed = hashlib.sha256(token_text(name).encode()).hexdigest()
    return f"{name}{owner and f'@{owner}'}:{scopes}:{hashed}{until and f':{until}'}"


def slack_id(name: str) -> str:
    """The id of a person of the sandbox, which is the same in each one."""
    return SlackSandbox(bot_token=BOT_TOKEN, signing_secret=SIGNING_SECRET).user(name).id


def settings_for(slack: SlackSandbox, sandbox: SandboxServer, database_url: str, **changes: object) -> Settings:
    """What an operator would configure for this workspace and repository."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "database_url": SecretStr(database_url),
        "slack_bot_token": SecretStr(BOT_TOKEN),
        "slack_signing_secret": SecretStr(SIGNING_SECRET),
        "slack_api_url": sandbox.slack_api_url,
        "slack_review_channel": slack.channel("vuln-review").id,
        "slack_incident_channel": slack.channel("incidents").id,
        "reviewers": (slack.group("reviewers").id,),
        "leads": (slack.group("leads").id,),
        "github_token": SecretStr(GITHUB_TOKEN),
        "github_api_url": sandbox.github_api_url,
        "github_repo_owner": OWNER,
        "github_repo_name": NAME,
        "api_tokens": (api_token("scanner", "read+submit+decide"),),
        "rate_limit": "off",
        "slack_pace": "off",
    }
    return Settings(_env_file=None, **{**values, **changes})


@cache
def _sample_repository() -> Path:
    """The sample repository, made once: a copy costs a quarter of the dozen calls of git."""
    made = TemporaryDirectory(prefix="apv-bot-sample-")
    atexit.register(made.cleanup)
    GitHubSandbox(Path(made.name), token=GITHUB_TOKEN).create_repository(OWNER, NAME, samples.repository_files())
    return Path(made.name)


@asynccontextmanager
async def surroundings(
    database_url: str, folder: Path, *, github: type[GitHubSandbox] = GitHubSandbox, **changes: object
) -> AsyncIterator[World]:
    """Everything except the bot, checked at the end of the test; `changes` are settings of the bot."""
    slack = SlackSandbox(bot_token=BOT_TOKEN, signing_secret=SIGNING_SECRET, app_token=APP_TOKEN)
    shutil.copytree(_sample_repository(), folder / "github")
    # Slack's three seconds are for a machine that does nothing else; the bot's own limits stay as they are.
    slack.sender.time_limit = PATIENCE
    hub = github(folder / "github", token=GITHUB_TOKEN)
    hub.create_repository(OWNER, NAME, {})
    errors = Errors()
    logging.getLogger().addHandler(errors)
    try:
        async with SandboxServer(slack, hub) as sandbox:
            settings = settings_for(slack, sandbox, database_url, **changes)
            headers = {"Authorization": f"Bearer {API_TOKEN}"}
            database = Database(database_url)
            async with aiohttp.ClientSession(headers=headers) as http:
                made = World(slack, hub, sandbox, database, settings, Clock(), NOBODY, http, errors)
                yield made
            await database.close()
            made.check()
    finally:
        logging.getLogger().removeHandler(errors)


@asynccontextmanager
async def world(
    database_url: str,
    folder: Path,
    *,
    role: Role = "all",
    github: type[GitHubSandbox] = GitHubSandbox,
    **changes: object,
) -> AsyncIterator[World]:
    """Everything, with a running bot of this role, checked at the end of the test; `changes` are settings."""
    async with (
        surroundings(database_url, folder, github=github, **changes) as made,
        running(Bot(made.settings, role, now=made.clock)) as bot,
    ):
        made.talks_to(bot)
        await made.until(lambda: bot.slack.word == "ok", lambda: "Slack was not reached")
        yield made
        await made.settle()
        assert await made.broken_links() == []
