"""The stand-in for tests, the demo and the page: a workspace, its HTTP routes, people's actions, faults, inspection.

It knows nothing about the app except its request URL.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from bot.sandbox.slack.delivery import Sender
from bot.sandbox.slack.faults import SlackFault, SlackFaults
from bot.sandbox.slack.model import Channel, Message, User, UserGroup
from bot.sandbox.slack.responses import ResponseUrlRoute
from bot.sandbox.slack.seed import seed
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.user_actions import UserActions
from bot.sandbox.slack.views import View
from bot.sandbox.slack.web_api import PostingRate, WebApi
from bot.sandbox.slack.workspace import ApiCall, Workspace

_T = TypeVar("_T")


class SlackSandbox(UserActions):
    """One workspace with one installed app.

    `clock` (monotonic seconds) expires trigger ids and response URLs; pass one to expire them without waiting.
    With `socket_mode` it delivers to the connected Socket Mode client instead of `request_url`.
    `setup` mounts the routes; after the server starts, set `origin` (`http://host:port`).
    """

    def __init__(
        self,
        *,
        bot_token: str,
        signing_secret: str,
        app_token: str | None = None,
        request_url: str | None = None,
        socket_mode: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        workspace = Workspace(clock)
        super().__init__(workspace, Sender(signing_secret), self._response_address)
        seed(workspace)
        self.origin = ""
        self._prefix = ""
        self._faults = SlackFaults()
        self.sockets = SocketMode(workspace, self._socket_address)
        self._web_api = WebApi(
            workspace,
            self._faults,
            bot_token=bot_token,
            app_token=app_token,
            clock=clock,
            open_socket=self.sockets.open,
        )
        self._responses = ResponseUrlRoute(workspace, self._faults)
        self.request_url = request_url
        self.socket_mode = socket_mode

    # -- mounting ---------------------------------------------------------------------------------------------

    def setup(self, app: web.Application, prefix: str) -> None:
        """Mount every route under `prefix`; close connections when the server stops."""
        self._prefix = prefix.rstrip("/")
        app.router.add_route("GET", f"{self._prefix}/api/{{method}}", self._web_api.handle)
        app.router.add_route("POST", f"{self._prefix}/api/{{method}}", self._web_api.handle)
        app.router.add_post(f"{self._prefix}/response/{{token}}", self._responses.handle)
        app.router.add_get(f"{self._prefix}/socket", self.sockets.handle)
        app.on_shutdown.append(self._shut_down)

    @property
    def api_url(self) -> str:
        """The API address for an app, with a final slash."""
        return f"{self.origin}{self._prefix}/api/"

    @property
    def request_url(self) -> str | None:
        """The address to which interactions, commands and events are POSTed."""
        return self.sender.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.sender.request_url = url

    @property
    def socket_mode(self) -> bool:
        """Whether deliveries go through the socket."""
        return self.sender.socket is not None

    @socket_mode.setter
    def socket_mode(self, on: bool) -> None:
        self.sender.socket = self.sockets if on else None

    # -- people and places ------------------------------------------------------------------------------------

    @property
    def bot(self) -> User:
        """The app's own bot user."""
        return self.workspace.bot

    def user(self, who: User | str) -> User:
        """Return a user by name or id; tests may change the fields. KeyError when there is none."""
        return self.workspace.user(who)

    def group(self, which: UserGroup | str) -> UserGroup:
        """Return a user group by handle or id; tests may change the fields."""
        return self.workspace.group(which)

    def channel(self, which: Channel | str) -> Channel:
        """Return a channel by name or id; tests may change the fields."""
        return self.workspace.channel(which)

    # -- inspection -------------------------------------------------------------------------------------------

    def messages(self, channel: Channel | str) -> list[Message]:
        """Return a channel's messages, oldest first, without replies and deleted ones."""
        return [message for message in self.workspace.channel(channel).top_level() if not message.tombstone]

    def thread(self, channel: Channel | str, ts: str) -> list[Message]:
        """Return the replies to a message, oldest first."""
        return self.workspace.channel(channel).replies(ts)

    def ephemerals(self, user: User | str) -> list[Message]:
        """Return the ephemeral messages to this person, oldest first."""
        reader = self.workspace.user(user).id
        return [message for message in self.workspace.ephemerals if message.reader == reader]

    def open_views(self, user: User | str) -> list[View]:
        """Return a person's open modals; the last one is on top."""
        return self.workspace.views.opened_by(self.workspace.user(user).id)

    def home(self, user: User | str) -> View | None:
        """Return a person's Home tab, once published."""
        return self.workspace.views.home(self.workspace.user(user).id)

    def unread(self) -> list[Message]:
        """Return the app's messages, ephemeral ones too, that are not marked as read."""
        posted = [message for channel in self.workspace.channels.values() for message in channel.messages]
        return [message for message in [*posted, *self.workspace.ephemerals] if not (message.read or message.tombstone)]

    def mark_read(self, *messages: Message) -> None:
        """Mark messages as read."""
        for message in messages:
            message.read = True

    @property
    def journal(self) -> list[ApiCall]:
        """Every call received, oldest first."""
        return self.workspace.journal

    @property
    def unexpected(self) -> list[str]:
        """What no correct app does: unknown methods or arguments, answers that Slack cannot use."""
        return self.workspace.unexpected

    def calls(self, method: str) -> list[ApiCall]:
        """Return the calls of one method."""
        return [call for call in self.workspace.journal if call.method == method]

    async def changed(self, predicate: Callable[[], _T], timeout: float = 5.0) -> _T:  # noqa: ASYNC109 - as changes.py
        """Wait until `predicate` is true and return its result; checked after every change, without polling."""
        try:
            return await self.workspace.changes.wait_for(predicate, timeout)
        except TimeoutError:
            last = [f"{call.method} {call.error or call.status}" for call in self.workspace.journal[-5:]]
            raise TimeoutError(f"still not true after {timeout} s; last calls: {', '.join(last) or 'none'}") from None

    # -- faults -----------------------------------------------------------------------------------------------

    def fail(
        self,
        method: str,
        kind: str,
        *,
        times: int | None = 1,
        after: int = 0,
        seconds: float = 0.0,
        retry_after: int | str = 1,
    ) -> None:
        """Plan a fault for a method, `response_url` or `*`; `faults` lists the kinds, `PlannedFault` the parameters."""
        self._faults.planned.append(SlackFault(method, kind, times, after, seconds, str(retry_after)))
        self.workspace.touch("fault")

    def clear_faults(self, kind: str | None = None) -> None:
        """Drop all planned faults, or those of one kind."""
        self._faults.clear(kind)
        self.workspace.touch("fault")

    def archive(self, channel: Channel | str, archived: bool = True) -> None:
        """Archive or unarchive a channel."""
        self.workspace.channel(channel).is_archived = archived
        self.workspace.touch("channel")

    def delete_message(self, channel: Channel | str, ts: str) -> None:
        """Delete a message as the workspace's owner. KeyError when there is none."""
        message = self.workspace.channel(channel).find(ts)
        if message is None or message.tombstone:
            raise KeyError("no such message")
        self.workspace.remove(message)

    @property
    def pending_faults(self) -> list[SlackFault]:
        """The planned faults that still wait for a call."""
        return list(self._faults.planned)

    @property
    def pace(self) -> PostingRate:
        """The posting rate of a channel; set `per_second` to enforce it."""
        return self._web_api.pace

    def _response_address(self, token: str) -> str:
        return f"{self.origin}{self._prefix}/response/{token}"

    def _socket_address(self, ticket: str) -> str:
        return f"{self.origin.replace('http', 'ws', 1)}{self._prefix}/socket?ticket={ticket}"

    async def _shut_down(self, app: web.Application) -> None:
        self.workspace.changes.end()
        await self.sockets.close()
        await self.sender.close()
