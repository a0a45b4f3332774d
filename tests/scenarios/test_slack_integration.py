"""The Slack client against a strict Slack: nothing is posted twice, nobody is guessed, every failure has its class."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.people import DirectoryUnavailable
from bot.integrations.errors import Permanent
from bot.integrations.slack.answers import PrivateReplies
from bot.integrations.slack.client import Posted, SlackClient
from bot.integrations.slack.errors import (
    Ambiguous,
    ChannelUnavailable,
    ContentRefused,
    MessageGone,
    TokenRefused,
    TriggerExpired,
)
from bot.integrations.slack.people import SlackDirectory
from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import Channel, SlackSandbox

BOT_TOKEN = "xoxb-a-token"
BUTTON = {
    "type": "actions",
    "elements": [
        {"type": "button", "action_id": "approve", "text": {"type": "plain_text", "text": "Approve"}, "value": "1"}
    ],
}
MODAL = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Reject"},
    "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "Why?"}}],
}
TEXT = {"type": "section", "text": {"type": "plain_text", "text": "APV-2026-000001"}}


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    slack = SlackSandbox(bot_token=BOT_TOKEN, signing_secret="a signing secret")
    async with SandboxServer(slack):
        yield slack
    assert slack.unexpected == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture
def errors() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def client(slack: SlackSandbox, http: aiohttp.ClientSession, errors: list[tuple[str, str]]) -> SlackClient:
    return SlackClient(BOT_TOKEN, slack.api_url, http, lambda method, code: errors.append((method, code)))


@pytest.fixture
def channel(slack: SlackSandbox) -> Channel:
    return slack.channel("vuln-review")


@dataclass
class Asked:
    """What the stand-in sends to the request URL; every request is acknowledged."""

    url: str = ""
    payload: dict[str, object] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.Response:
        self.payload = json.loads((await request.post())["payload"])  # type: ignore[arg-type]  # a form field, no file
        return web.Response()


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    asked = Asked()
    app = web.Application()
    app.router.add_post("/", asked.handle)
    async with TestServer(app) as server:
        asked.url = str(server.make_url("/"))
        yield asked


@dataclass
class Outbox:
    """Deliver a message like a job that may run twice: look for it first, except at the first try."""

    client: SlackClient
    channel: str
    thread_ts: str | None = None
    since: float | None = None

    async def deliver(self, outbox_id: UUID, now: float) -> str:
        if self.since is not None:
            found = await self.client.find(self.channel, outbox_id, self.since, self.thread_ts)
            if found is not None:
                return found
        else:
            self.since = now
        posted = await self.client.post(self.channel, "a card", [TEXT], outbox_id=outbox_id, thread_ts=self.thread_ts)
        return posted.ts


def by_others(slack: SlackSandbox, channel: Channel, number: int, thread_ts: str | None) -> None:
    """Fill a channel with messages of others and of the bot."""
    for turn in range(number):
        author = slack.bot if turn % 2 else slack.user("alice")
        metadata = {"event_type": "apv_review", "event_payload": {"outbox_id": str(uuid4())}}
        slack.workspace.post(channel, author, f"message {turn}", [], metadata=metadata, thread_ts=thread_ts)


async def test_the_client_knows_whose_token_it_has(slack: SlackSandbox, client: SlackClient) -> None:
    """auth.test names the workspace and the bot."""
    me = await client.identity()
    assert (me.team_id, me.user_id, me.bot_id) == (slack.workspace.team_id, slack.bot.id, slack.bot.bot_id)
    assert me.team == "Sandbox"


async def test_a_refused_token_is_told_apart(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    """Readiness depends on it, and no retry can help."""
    for token in ("xoxb-another", ""):
        with pytest.raises(TokenRefused):
            await SlackClient(token, slack.api_url, http, lambda _method, _code: None).identity()


async def test_a_post_links_mentions_and_unfurls_nothing(
    slack: SlackSandbox, client: SlackClient, channel: Channel
) -> None:
    """What an APV says can call nobody and load nothing, and the message can be found again by its outbox id."""
    outbox_id = uuid4()
    posted = await client.post(channel.id, "a card", [TEXT], outbox_id=outbox_id)
    [message] = slack.messages(channel)
    assert posted == Posted(channel=channel.id, ts=message.ts)
    assert message.metadata == {"event_type": "apv_review", "event_payload": {"outbox_id": str(outbox_id)}}
    [call] = slack.calls("chat.postMessage")
    sent = {name: call.args[name] for name in ("link_names", "parse", "unfurl_links", "unfurl_media", "client_msg_id")}
    assert sent == {
        "link_names": False,
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
        "client_msg_id": str(outbox_id),
    }


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "http502", "fatal_error"])
@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_message_is_posted_once_although_its_outcome_was_unknown(
    slack: SlackSandbox, client: SlackClient, channel: Channel, kind: str, in_thread: bool
) -> None:
    """Whether the connection dropped before or after the work, one message stands there."""
    parent = slack.workspace.post(channel, slack.bot, "the card", []).ts if in_thread else None
    outbox, outbox_id = Outbox(client, channel.id, parent), uuid4()
    now = float((await slack.say("alice", channel, "now")).ts)
    slack.fail("chat.postMessage", kind)
    with pytest.raises(Ambiguous):
        await outbox.deliver(outbox_id, now)
    ts = await outbox.deliver(outbox_id, now)
    assert await outbox.deliver(outbox_id, now) == ts
    posted = slack.thread(channel, parent) if parent else slack.messages(channel)
    assert [message.ts for message in posted if message.words == "APV-2026-000001"] == [ts]


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_message_is_found_over_many_pages(
    slack: SlackSandbox, client: SlackClient, channel: Channel, in_thread: bool
) -> None:
    """A busy channel does not hide what was posted."""
    parent = slack.workspace.post(channel, slack.bot, "the card", []).ts if in_thread else None
    by_others(slack, channel, 250, parent)
    outbox_id = uuid4()
    posted = await client.post(channel.id, "a card", None, outbox_id=outbox_id, thread_ts=parent)
    by_others(slack, channel, 250, parent)
    since = float(channel.messages[0].ts)
    assert await client.find(channel.id, outbox_id, since, parent) == posted.ts
    assert await client.find(channel.id, uuid4(), since, parent) is None
    method = "conversations.replies" if in_thread else "conversations.history"
    assert len(slack.calls(method)) == 2 + 3


async def test_only_what_the_bot_posted_since_the_attempt_is_found(
    slack: SlackSandbox, client: SlackClient, channel: Channel
) -> None:
    """A member's message that carries the same metadata, and history before the attempt, are not the bot's post."""
    outbox_id = uuid4()
    metadata = {"event_type": "apv_review", "event_payload": {"outbox_id": str(outbox_id)}}
    forged = slack.workspace.post(channel, slack.user("robo"), "a card", [], metadata=metadata)
    assert await client.find(channel.id, outbox_id, float(forged.ts)) is None
    own = await client.post(channel.id, "a card", None, outbox_id=outbox_id)
    assert await client.find(channel.id, outbox_id, float(own.ts)) == own.ts
    assert await client.find(channel.id, outbox_id, float(own.ts) + 4) == own.ts  # Slack's clock may be behind
    assert await client.find(channel.id, outbox_id, float(own.ts) + 6) is None


async def test_nothing_is_found_in_a_thread_that_is_gone(
    slack: SlackSandbox, client: SlackClient, channel: Channel
) -> None:
    """A reply to a deleted card was not posted, and cannot be."""
    card = await client.post(channel.id, "a card", None, outbox_id=uuid4())
    slack.workspace.remove(slack.messages(channel)[0])
    outbox_id = uuid4()
    assert await client.find(channel.id, outbox_id, float(card.ts), card.ts) is None
    with pytest.raises(MessageGone):
        await client.post(channel.id, "a reply", None, outbox_id=outbox_id, thread_ts=card.ts)


async def test_a_card_changes_in_place_until_it_is_gone(
    slack: SlackSandbox, client: SlackClient, channel: Channel
) -> None:
    """Updating keeps the metadata; a deleted card asks for a new one."""
    card = await client.post(channel.id, "a card", [BUTTON], outbox_id=uuid4())
    await client.update(card.channel, card.ts, "closed", [TEXT])
    [message] = slack.messages(channel)
    assert (message.text, message.buttons, message.updates) == ("closed", [], 1)
    assert message.metadata is not None
    slack.workspace.remove(message)
    with pytest.raises(MessageGone):
        await client.update(card.channel, card.ts, "closed", [TEXT])


async def test_a_channel_that_cannot_be_written_to_is_told_apart(
    slack: SlackSandbox, client: SlackClient, errors: list[tuple[str, str]]
) -> None:
    """Not a member of a public channel: join. Private, archived, unknown: the fallback."""
    public = slack.workspace.add_channel("public", [], bot_joined=False)
    with pytest.raises(ChannelUnavailable) as caught:
        await client.post(public.id, "a card", None, outbox_id=uuid4())
    assert caught.value.code == "not_in_channel"
    await client.join(public.id)
    await client.post(public.id, "a card", None, outbox_id=uuid4())
    public.is_archived = True
    private = slack.workspace.add_channel("private", [], is_private=True, bot_joined=False)
    for where in (public.id, private.id, "C0NOWHERE"):
        with pytest.raises(ChannelUnavailable):
            await client.post(where, "a card", None, outbox_id=uuid4())
    with pytest.raises(ChannelUnavailable):
        await client.join(private.id)
    assert [code for _, code in errors] == [
        "not_in_channel",
        "is_archived",
        "channel_not_found",
        "channel_not_found",
        "channel_not_found",
    ]


async def test_content_that_slack_refuses_is_our_mistake(client: SlackClient, channel: Channel) -> None:
    """A caller can use a shorter form."""
    too_long = {"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}
    with pytest.raises(ContentRefused):
        await client.post(channel.id, "a card", [too_long], outbox_id=uuid4())


async def test_an_ephemeral_message_is_for_members_only(
    slack: SlackSandbox, client: SlackClient, channel: Channel
) -> None:
    """Nobody else sees it; a person outside the channel cannot get it."""
    alice = slack.user("alice")
    await client.ephemeral(channel.id, alice.id, "only you see this")
    assert [message.text for message in slack.ephemerals(alice)] == ["only you see this"]
    channel.members.discard(alice.id)
    with pytest.raises(Permanent) as caught:
        await client.ephemeral(channel.id, alice.id, "only you see this")
    assert caught.value.code == "user_not_in_channel"


async def test_the_directory_knows_who_counts(slack: SlackSandbox, client: SlackClient) -> None:
    """Guests, bots, deactivated people and strangers are distinguished from reviewers."""
    directory = SlackDirectory(client, lambda: slack.workspace.team_id)
    alice = await directory.profile(slack.user("alice").id)
    assert alice is not None
    assert (alice.team_id, alice.email) == (slack.workspace.team_id, slack.user("alice").email)
    assert not (alice.deleted or alice.is_bot or alice.is_guest or alice.is_stranger)
    seen = {name: await directory.profile(slack.user(name).id) for name in ("gus", "robo", "dora", "stan")}
    assert seen["gus"] and seen["gus"].is_guest
    assert seen["robo"] and seen["robo"].is_bot
    assert seen["dora"] and seen["dora"].deleted
    assert seen["stan"] and seen["stan"].is_stranger
    assert seen["stan"].team_id != slack.workspace.team_id
    assert await directory.profile("U0NOBODY") is None


async def test_leaving_a_group_is_seen_within_60_s_and_an_outage_is_not_an_answer(
    slack: SlackSandbox, client: SlackClient
) -> None:
    """Membership is cached for a minute; then Slack must confirm it, otherwise nobody is a member."""
    now = 1000.0
    directory = SlackDirectory(client, lambda: slack.workspace.team_id, lambda: now, patience=10)
    group, carol = slack.group("leads"), slack.user("carol").id
    assert await directory.group(group.id) == {carol}
    group.members.clear()
    now += 60
    assert await directory.group(group.id) == frozenset()
    group.members.append(carol)
    group.disabled = True
    now += 60
    assert await directory.group(group.id) == frozenset()
    now += 60
    slack.fail("usergroups.users.list", "http503")
    with pytest.raises(DirectoryUnavailable):
        await directory.group(group.id)
    await directory.aclose()


async def click(slack: SlackSandbox, client: SlackClient, channel: Channel, asked: Asked) -> None:
    """Post a card and let alice press its button."""
    card = await client.post(channel.id, "a card", [BUTTON], outbox_id=uuid4())
    slack.request_url = asked.url
    delivery = await slack.click("alice", channel, card.ts, text="Approve")
    assert delivery.ok


async def test_a_click_opens_one_modal(
    slack: SlackSandbox, client: SlackClient, channel: Channel, asked: Asked
) -> None:
    """A trigger id works once."""
    await click(slack, client, channel, asked)
    trigger_id = str(asked.payload["trigger_id"])
    await client.open_view(trigger_id, MODAL)
    [shown] = slack.open_views("alice")
    with pytest.raises(TriggerExpired):
        await client.open_view(trigger_id, MODAL)
    assert slack.open_views("alice") == [shown]


async def test_a_click_is_answered_to_the_clicker_alone(
    slack: SlackSandbox, client: SlackClient, http: aiohttp.ClientSession, channel: Channel, asked: Asked
) -> None:
    """The payload's own address is used while it works; nothing is tried again once it does not."""
    replies = PrivateReplies(http, client, slack.api_url)
    await click(slack, client, channel, asked)
    url = str(asked.payload["response_url"])
    user = slack.user("alice").id
    assert await replies.tell(response_url=url, channel=channel.id, user=user, text="not yours to approve")
    assert [message.text for message in slack.ephemerals("alice")] == ["not yours to approve"]
    assert slack.ephemerals("bob") == []
    assert [message.text for message in slack.messages(channel)] == ["a card"]
    slack.fail("response_url", "http500")
    assert not await replies.tell(response_url=url, channel=channel.id, user=user, text="not yours to approve")
    assert len(slack.ephemerals("alice")) == 1
