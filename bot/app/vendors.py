"""Slack and GitHub as the settings name them: their clients, and what each last answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import structlog
from pydantic import SecretStr

from bot import metrics
from bot.config import LOOPBACK, ConfigurationError, Settings
from bot.integrations.errors import Permanent, VendorError
from bot.integrations.github.client import AppInstallation, GitHubClient
from bot.integrations.slack.client import Identity, SlackClient
from bot.integrations.slack.errors import TokenRefused

log = structlog.get_logger(__name__)

SLACK_TIMEOUT = aiohttp.ClientTimeout(total=10)
PROBE_SECONDS = 30.0
RETRY_SECONDS = 1.0


def secret(value: SecretStr | None) -> str:
    """The secret itself, empty when it is not set."""
    return value.get_secret_value() if value else ""


def slack_session() -> aiohttp.ClientSession:
    """The HTTP session for everything that goes to Slack."""
    return aiohttp.ClientSession(timeout=SLACK_TIMEOUT, trust_env=True)


def slack_client(settings: Settings, session: aiohttp.ClientSession) -> SlackClient:
    """The client of these settings; it counts Slack's errors."""
    token, url = secret(settings.slack_bot_token), settings.slack_api_url
    return SlackClient(token, url, session, lambda method, error: metrics.SLACK_ERRORS.labels(method, error).inc())


@asynccontextmanager
async def slack_for_a_command(settings: Settings) -> AsyncIterator[SlackClient]:
    """A client with a session of its own."""
    async with slack_session() as session:
        yield slack_client(settings, session)


def web_origin(api_url: str) -> str:
    """The origin of GitHub's pages, from that of its API."""
    parts = urlsplit(api_url)
    return "https://github.com" if parts.hostname == "api.github.com" else f"{parts.scheme}://{parts.netloc}"


def github_client(settings: Settings) -> GitHubClient | None:
    """The client of these settings; None without GitHub. Raises ConfigurationError for an unusable key."""
    if not settings.opens_pulls:
        return None
    credentials: str | AppInstallation = secret(settings.github_token)
    if not credentials:
        credentials = AppInstallation(
            app_id=settings.github_app_id or "",
            installation_id=settings.github_installation_id or 0,
            private_key=private_key(secret(settings.github_app_private_key)),
        )
    # GitHub asks its clients for one write a second at most; a server on this machine does not.
    local = urlsplit(settings.github_api_url).hostname in LOOPBACK
    try:
        return GitHubClient(
            credentials,
            repository=settings.default_repository,
            api_url=settings.github_api_url,
            seconds_between_writes=0.0 if local else 1.0,
        )
    except Permanent:
        raise ConfigurationError("GITHUB_APP_PRIVATE_KEY: must be a private key in PEM form") from None


def private_key(given: str) -> str:
    """The App's key as PEM text, read from its file when `given` is a path; raises ConfigurationError."""
    if given.lstrip().startswith("-----BEGIN"):
        return given
    try:
        return Path(given).read_text("utf-8")
    except (OSError, ValueError):
        raise ConfigurationError("GITHUB_APP_PRIVATE_KEY: must be PEM text or the path of a readable file") from None


@dataclass
class SlackState:
    """What Slack last said of our token: who we are, and whether it is accepted."""

    socket_awaited: bool
    """Clicks come over a socket that has not connected yet."""
    word: str = "unanswered"
    identity: Identity | None = None

    def shown(self) -> str:
        """The word for readiness. Before the first socket, Slack cannot reach us."""
        return "unanswered" if self.word == "ok" and self.socket_awaited else self.word

    def team(self) -> str:
        """Our workspace; empty until Slack has said which it is."""
        return self.identity.team_id if self.identity else ""

    def on_socket(self, connected: bool) -> None:
        """The socket has come up or gone down."""
        self.socket_awaited = self.socket_awaited and not connected
        log.debug("slack.socket", connected=connected)

    async def watch(self, slack: SlackClient) -> None:
        """Learn who we are, and notice when the token is no longer accepted. Runs until cancelled."""
        while True:
            try:
                self.identity = await slack.identity()
                self._becomes("ok")
            except TokenRefused:
                self._becomes("refused")
            except VendorError as error:
                # Once Slack has answered, jobs wait out an outage; the process stays ready.
                log.warning("slack.unreachable", error=error.code)
            await asyncio.sleep(PROBE_SECONDS if self.word == "ok" else RETRY_SECONDS)

    def _becomes(self, word: str) -> None:
        if word != self.word:
            log.info("slack.state", state=word)
            self.word = word


@dataclass
class GitHubState:
    """Whether GitHub answered the last time we asked."""

    word: str = "not_configured"

    async def watch(self, github: GitHubClient) -> None:
        """Ask again and again. Runs until cancelled."""
        while True:
            try:
                await github.check()
                self.word = "ok"
            except VendorError as error:
                self.word = "unreachable"
                metrics.GITHUB_ERRORS.labels("check", error.code).inc()
                log.warning("github.unreachable", error=error.code)
            await asyncio.sleep(PROBE_SECONDS)
