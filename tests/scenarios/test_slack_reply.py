"""A private reply goes to Slack or to the configured stand-in, once, and never fails its sender."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from bot.integrations.slack.answers import PrivateReplies
from bot.integrations.slack.client import SlackClient

SECRET_TEXT = "nothing was recorded"


@dataclass
class Slack:
    """What reached the stand-in, by path, and where else the session was about to go."""

    received: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Addresses outside the stand-in: called, noted, and stopped before anything is sent."""
    status: int = 200
    location: str = ""
    held: asyncio.Event | None = None
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.received.append((request.path, await request.json()))
        if self.held is not None:
            await self.held.wait()
        if self.location:
            raise web.HTTPTemporaryRedirect(self.location)
        return web.json_response({"ok": True}, status=self.status)

    async def watch(
        self, _session: aiohttp.ClientSession, _context: object, params: aiohttp.TraceRequestStartParams
    ) -> None:
        if not str(params.url).startswith(self.url):
            self.left.append(str(params.url))
            raise aiohttp.ClientConnectionError("this test stays on loopback")


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    slack = Slack()
    app = web.Application()
    app.router.add_post("/{path:.*}", slack.handle)
    async with TestServer(app) as server:
        slack.url = str(server.make_url("/"))
        yield slack
        if slack.held is not None:
            slack.held.set()


@pytest.fixture
async def http(slack: Slack) -> AsyncIterator[aiohttp.ClientSession]:
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(slack.watch)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        yield session


@pytest.fixture
def replies(slack: Slack, http: aiohttp.ClientSession) -> PrivateReplies:
    client = SlackClient("xoxb-a-token", slack.url + "api/", http, lambda _method, _code: None)
    return PrivateReplies(http, client, slack.url + "api/")


async def test_a_reply_is_ephemeral_and_leaves_the_message_alone(slack: Slack, replies: PrivateReplies) -> None:
    """The stand-in's own response URLs are used, with a body that only the clicker sees."""
    block = {"type": "section", "text": {"type": "plain_text", "text": "no"}}
    assert await replies.tell(
        response_url=slack.url + "actions/1", channel="C1", user="U1", text=SECRET_TEXT, blocks=[block]
    )
    body = {"response_type": "ephemeral", "replace_original": False, "text": SECRET_TEXT, "blocks": [block]}
    assert slack.received == [("/actions/1", body)]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/actions/T1/2/3",
        "https://hooks.slack.com:443/commands/T1/2/3",
        "https://HOOKS.slack.com/services/T1",
    ],
)
async def test_slacks_own_response_urls_are_used(slack: Slack, replies: PrivateReplies, url: str) -> None:
    """https, hooks.slack.com, port 443."""
    await replies.tell(response_url=url, channel="C1", user="U1", text=SECRET_TEXT)
    assert len(slack.left) == 1
    assert slack.received == []


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com@evil.example/",
        "https://user:password@hooks.slack.com/",
        "https://@hooks.slack.com/",
        "https://hooks.slack.com.evil.example/",
        "https://evil.example/hooks.slack.com",
        "https://evil.example/?https://hooks.slack.com/",
        "https://evil.example#hooks.slack.com",
        "https://hooks.slack.com./",
        "https://hooks.slack.com:8443/",
        "https://hooks.slack.com:80/",
        "https://hooks.slack.com:0x1bb/",
        "http://hooks.slack.com/",
        "ftp://hooks.slack.com/",
        "//hooks.slack.com/",
        "https:hooks.slack.com/",
        "https:///hooks.slack.com/",
        "https://hooks.slack.com\\@evil.example/",
        "https://hooks.slack.com\n.evil.example/",
        "https://slack.com/",
        "https://xhooks.slack.com/",
        "https://[::1/",
        "http://127.0.0.1:1/",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "not an address",
    ],
)
async def test_any_other_address_is_never_called(slack: Slack, replies: PrivateReplies, url: str) -> None:
    """A payload cannot make the bot call a host of its choice; the person gets the reply in the channel."""
    assert await replies.tell(response_url=url, channel="C1", user="U1", text=SECRET_TEXT)
    assert slack.left == []
    [(path, body)] = slack.received
    assert path == "/api/chat.postEphemeral"
    assert (body["channel"], body["user"], body["text"]) == ("C1", "U1", SECRET_TEXT)


async def test_the_stand_ins_origin_is_whole(slack: Slack, replies: PrivateReplies) -> None:
    """Another port, scheme or user info on the stand-in's host is another origin."""
    host = slack.url.removeprefix("http://").removesuffix("/")
    for url in (f"https://{host}/a", f"http://user@{host}/a", f"http://{host}1/a", f"http://{host.split(':')[0]}/a"):
        await replies.tell(response_url=url, channel=None, user="U1", text=SECRET_TEXT)
    assert slack.left == []
    assert slack.received == []


async def test_slack_com_itself_is_no_place_for_replies(slack: Slack, http: aiohttp.ClientSession) -> None:
    """With the real API configured only hooks.slack.com is called."""
    client = SlackClient("xoxb-a-token", slack.url + "api/", http, lambda _method, _code: None)
    replies = PrivateReplies(http, client, "https://slack.com/api/")
    for url in ("https://slack.com/api/chat.postMessage", slack.url + "actions/1"):
        await replies.tell(response_url=url, channel=None, user="U1", text=SECRET_TEXT)
    assert slack.left == []
    assert slack.received == []


async def test_a_redirect_is_not_followed(slack: Slack, replies: PrivateReplies) -> None:
    """An address that was not checked gets nothing."""
    slack.location = slack.url + "elsewhere"
    assert not await replies.tell(response_url=slack.url + "actions/1", channel="C1", user="U1", text=SECRET_TEXT)
    assert [path for path, _ in slack.received] == ["/actions/1"]


async def test_without_an_address_the_channel_is_used_and_without_both_nothing(
    slack: Slack, replies: PrivateReplies
) -> None:
    """A click from a modal has no response URL; a payload may have neither."""
    assert await replies.tell(response_url=None, channel="C1", user="U1", text=SECRET_TEXT)
    assert [path for path, _ in slack.received] == ["/api/chat.postEphemeral"]
    assert not await replies.tell(response_url="", channel=None, user="U1", text=SECRET_TEXT)
    assert len(slack.received) == 1


@pytest.mark.parametrize("path", ["actions/1", None])
async def test_a_reply_that_fails_is_logged_without_its_text_and_not_repeated(
    slack: Slack, replies: PrivateReplies, path: str | None
) -> None:
    """Nothing depends on a private reply: not the click, not a retry."""
    slack.status = 500
    url = path and slack.url + path
    with capture_logs() as lines:
        assert not await replies.tell(response_url=url, channel="C1", user="U1", text=SECRET_TEXT)
    assert [line["event"] for line in lines] == ["slack.reply_failed"]
    assert SECRET_TEXT not in str(lines)
    assert len(slack.received) == 1


@pytest.mark.parametrize("path", ["actions/1", None])
async def test_a_reply_that_hangs_is_given_up(slack: Slack, replies: PrivateReplies, path: str | None) -> None:
    """A slow Slack does not use up the 3 s of a click."""
    slack.held = asyncio.Event()
    url = path and slack.url + path
    with capture_logs() as lines:
        assert not await replies.tell(response_url=url, channel="C1", user="U1", text=SECRET_TEXT)
    assert [line["reason"] for line in lines] == ["timeout"]
