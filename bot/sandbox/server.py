"""Serves the stand-ins on one loopback port: Slack under `/slack`, GitHub under `/github`, their page at `/`."""

from types import TracebackType
from typing import Self

from aiohttp import web

from bot.sandbox import page
from bot.sandbox.github import GitHubSandbox
from bot.sandbox.github.control import GitHubControl
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.control import SlackControl
from bot.sandbox.submit import SubmitForm, SubmitRoutes


class SandboxServer:
    """An async context manager that can be entered again. Port 0 takes any free port, and later starts reuse it.

    It listens on loopback only, because the stand-ins protect nothing.
    """

    def __init__(self, slack: SlackSandbox, github: GitHubSandbox | None = None, *, port: int = 0) -> None:
        self.slack = slack
        self._github = github
        self._port = port
        self._submit = SubmitRoutes()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        self.slack.setup(app, "/slack")
        SlackControl(self.slack).setup(app, "/slack")
        if self._github is not None:
            GitHubControl(self._github).setup(app, "/github")
            self._github.setup(app, "/github")
        self._submit.setup(app)
        page.setup(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.slack.origin = self.origin
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def offer(self, form: SubmitForm) -> None:
        """Let the page submit things to the app."""
        self._submit.form = form

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:<port>`, once started."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def slack_api_url(self) -> str:
        """The value for an app's SLACK_API_URL."""
        return f"{self.origin}/slack/api/"

    @property
    def github_api_url(self) -> str:
        """The value for an app's GITHUB_API_URL."""
        return f"{self.origin}/github"
