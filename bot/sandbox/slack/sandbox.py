"""The sandbox as its users see it: a workspace, its doors over HTTP, acts of people, ordered faults, what to look at.

It knows nothing of any app: it learns one request URL and otherwise only answers.
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

    `clock` (seconds, monotonic) ends trigger ids and response URLs; give one to let them expire without waiting.
    `socket_mode` True sends everything through the connected Socket Mode client instead of to `request_url`.
    `setup` mounts the routes; whoever starts the server then sets `origin` (`http://host:port`).
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
        """Mount every route under `prefix` and close what is open when the server stops."""
        self._prefix = prefix.rstrip("/")
        app.router.add_route("GET", f"{self._prefix}/api/{{method}}", self._web_api.handle)
        app.router.add_route("POST", f"{self._prefix}/api/{{method}}", self._web_api.handle)
        app.router.add_post(f"{self._prefix}/response/{{token}}", self._responses.handle)
        app.router.add_get(f"{self._prefix}/socket", self.sockets.handle)
        app.on_shutdown.append(self._shut_down)

    @property
    def api_url(self) -> str:
        """What an app takes as Slack's address, with the slash at its end."""
        return f"{self.origin}{self._prefix}/api/"

    @property
    def request_url(self) -> str | None:
        """Where interactions, commands and events are POSTed."""
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
        """Somebody by name or id; change their fields at will. KeyError when there is nobody."""
        return self.workspace.user(who)

    def group(self, which: UserGroup | str) -> UserGroup:
        """A user group by handle or id; change its fields at will."""
        return self.workspace.group(which)

    def channel(self, which: Channel | str) -> Channel:
        """A channel by name or id; change its fields at will."""
        return self.workspace.channel(which)

    # -- looking ----------------------------------------------------------------------------------------------

    def messages(self, channel: Channel | str) -> list[Message]:
        """What stands in a channel, oldest first, without replies and deleted ones."""
        return [message for message in self.workspace.channel(channel).top_level() if not message.tombstone]

    def thread(self, channel: Channel | str, ts: str) -> list[Message]:
        """The replies to a message, oldest first."""
        return self.workspace.channel(channel).replies(ts)

    def ephemerals(self, user: User | str) -> list[Message]:
        """What only this person was shown, oldest first."""
        reader = self.workspace.user(user).id
        return [message for message in self.workspace.ephemerals if message.reader == reader]

    def open_views(self, user: User | str) -> list[View]:
        """A person's open modals; the last one is on top."""
        return self.workspace.views.opened_by(self.workspace.user(user).id)

    def home(self, user: User | str) -> View | None:
        """A person's Home tab, once published."""
        return self.workspace.views.home(self.workspace.user(user).id)

    def unread(self) -> list[Message]:
        """Everything the app posted, ephemeral messages too, that `mark_read` was not told of."""
        posted = [message for channel in self.workspace.channels.values() for message in channel.messages]
        return [message for message in [*posted, *self.workspace.ephemerals] if not (message.read or message.tombstone)]

    def mark_read(self, *messages: Message) -> None:
        """Note that these were looked at."""
        for message in messages:
            message.read = True

    @property
    def journal(self) -> list[ApiCall]:
        """Every call that came in, oldest first."""
        return self.workspace.journal

    @property
    def unexpected(self) -> list[str]:
        """What no well-behaved app does: unknown methods or arguments, answers that Slack cannot use."""
        return self.workspace.unexpected

    def calls(self, method: str) -> list[ApiCall]:
        """The journal of one method."""
        return [call for call in self.workspace.journal if call.method == method]

    async def changed(self, predicate: Callable[[], _T], timeout: float = 5.0) -> _T:  # noqa: ASYNC109 - as changes.py
        """Wait until `predicate` is true and give what it gave; asked after every change, never by the clock."""
        try:
            return await self.workspace.changes.wait_for(predicate, timeout)
        except TimeoutError:
            last = [f"{call.method} {call.error or call.status}" for call in self.workspace.journal[-5:]]
            raise TimeoutError(
                f"not true within {timeout} s; the last calls were: {', '.join(last) or 'none'}"
            ) from None

    # -- trouble ----------------------------------------------------------------------------------------------

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
        """Order a failure of a method, of `response_url` or of `*`; see `faults` for the kinds.

        `times` None: until `clear_faults`. `after`: so many calls go through first. `seconds`: of `slow`.
        """
        self._faults.planned.append(SlackFault(method, kind, times, after, seconds, str(retry_after)))
        self.workspace.touch("fault")

    def clear_faults(self, kind: str | None = None) -> None:
        """Let everything work again, or no longer fail in this way."""
        self._faults.clear(kind)
        self.workspace.touch("fault")

    def archive(self, channel: Channel | str, archived: bool = True) -> None:
        """Archive a channel, or bring it back."""
        self.workspace.channel(channel).is_archived = archived
        self.workspace.touch("channel")

    def delete_message(self, channel: Channel | str, ts: str) -> None:
        """Delete a message, as the workspace's owner may. KeyError when there is none."""
        message = self.workspace.channel(channel).find(ts)
        if message is None or message.tombstone:
            raise KeyError("there is no such message")
        self.workspace.remove(message)

    @property
    def pending_faults(self) -> list[SlackFault]:
        """Ordered failures that still wait for a call."""
        return list(self._faults.planned)

    @property
    def pace(self) -> PostingRate:
        """How fast a channel may be posted to; set `per_second` to enforce it."""
        return self._web_api.pace

    def _response_address(self, token: str) -> str:
        return f"{self.origin}{self._prefix}/response/{token}"

    def _socket_address(self, ticket: str) -> str:
        return f"{self.origin.replace('http', 'ws', 1)}{self._prefix}/socket?ticket={ticket}"

    async def _shut_down(self, app: web.Application) -> None:
        self.workspace.changes.end()
        await self.sockets.close()
        await self.sender.close()
