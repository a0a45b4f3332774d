"""Tokens, arguments, channels and messages: the stand-in answers the official SDK as Slack does."""

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from tests.contracts.sandbox_slack.kit import (
    APP_TOKEN,
    REVIEW,
    TOKEN,
    post,
    refused,
    section,
)


async def test_a_token_is_recognised(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """auth.test identifies the token."""
    me = await client.auth_test()
    assert (me["team_id"], me["user_id"], me["bot_id"]) == ("T0SANDBOX", slack.bot.id, slack.bot.bot_id)
    assert "chat:write" in me.headers["X-OAuth-Scopes"]


@pytest.mark.parametrize(("token", "code"), [("xoxb-other", "invalid_auth"), (APP_TOKEN, "not_allowed_token_type")])
async def test_a_foreign_token_is_refused(client: AsyncWebClient, token: str, code: str) -> None:
    """Only the bot token works for the bot's methods."""
    client.token = token
    assert await refused(client.auth_test()) == code


async def test_a_call_without_token_is_refused(server: SandboxServer, http: aiohttp.ClientSession) -> None:
    """No token at all has its own error, and a token in the form counts as one."""
    url = server.slack_api_url + "auth.test"
    assert (await (await http.post(url)).json())["error"] == "not_authed"
    assert (await (await http.post(url, data={"token": TOKEN})).json())["ok"] is True


async def test_what_no_client_should_send_is_remembered(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Unknown methods, unknown arguments and missing ones are recorded in `unexpected`."""
    assert await refused(client.api_call("chat.shout")) == "unknown_method"
    await client.auth_test(colour="blue")
    assert await refused(client.api_call("chat.postMessage", json={"text": "to nobody"})) == "invalid_arguments"
    assert slack.unexpected == [
        "chat.shout: unknown method",
        "auth.test: unknown argument colour",
        "chat.postMessage: missing argument channel",
    ]


async def test_a_missing_scope_is_refused(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Without its scope a method is refused, and the answer names the scope."""
    slack.workspace.scopes.discard("usergroups:read")
    with pytest.raises(SlackApiError) as caught:
        await client.usergroups_list()
    assert (caught.value.response["error"], caught.value.response["needed"]) == ("missing_scope", "usergroups:read")


async def test_the_bot_posts_only_where_it_may(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Unknown, foreign private, unjoined and archived channels are refused, each with Slack's own word."""
    add = slack.workspace.add_channel
    secret, elsewhere = add("secret", is_private=True, bot_joined=False), add("elsewhere", bot_joined=False)
    over = add("over", is_archived=True)
    for channel, code in [
        ("C0NOWHERE", "channel_not_found"),
        (secret.id, "channel_not_found"),
        (elsewhere.id, "not_in_channel"),
        (over.id, "is_archived"),
    ]:
        assert await refused(client.chat_postMessage(channel=channel, text="hi")) == code


async def test_the_bot_joins_public_channels_only(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """conversations.join makes an unjoined public channel writable and refuses a private one."""
    channel = slack.workspace.add_channel("elsewhere", bot_joined=False)
    await client.conversations_join(channel=channel.id)
    await client.chat_postMessage(channel=channel.id, text="hi")
    inside = slack.workspace.add_channel("inside", is_private=True)
    assert await refused(client.conversations_join(channel=inside.id)) == "method_not_supported_for_channel_type"
    info = await client.conversations_info(channel=channel.id)
    assert info["channel"]["is_member"] is True
    names = [each["name"] for each in (await client.conversations_list(types="public_channel"))["channels"]]
    assert names == ["vuln-review", "incidents", "elsewhere"]


async def test_a_posted_message_is_found_again_by_its_metadata(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """History contains full metadata only on request."""
    metadata = {"event_type": "apv_review", "event_payload": {"outbox_id": "1"}}
    message = await post(slack, client, section("*hi* <!channel>"), metadata=metadata)
    full = await client.conversations_history(channel=message.channel, include_all_metadata=True)
    brief = await client.conversations_history(channel=message.channel)
    assert full["messages"][0]["metadata"] == metadata
    assert brief["messages"][0]["metadata"] == {"event_type": "apv_review"}
    assert full["messages"][0]["blocks"][0]["text"]["text"] == "*hi* <!channel>"
    assert full["messages"][0]["blocks"][0]["block_id"]


@pytest.mark.parametrize("metadata", ["none", {"event_type": "x"}, {"event_type": "", "event_payload": {}}])
async def test_malformed_metadata_is_refused(slack: SlackSandbox, client: AsyncWebClient, metadata: object) -> None:
    """Metadata is an event type and a payload, or it is refused."""
    call = client.chat_postMessage(channel=slack.channel(REVIEW).id, text="hi", metadata=metadata)  # type: ignore[arg-type]  # on purpose
    assert await refused(call) == "invalid_metadata_format"


async def test_history_comes_in_pages_newest_first(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Following the cursor returns every message once; `oldest` excludes its own timestamp unless inclusive."""
    posted = [(await post(slack, client)).ts for _ in range(5)]
    channel = slack.channel(REVIEW).id
    pages = [
        [message["ts"] for message in page["messages"]]
        async for page in await client.conversations_history(channel=channel, limit=2)
    ]
    assert pages == [
        [posted[4], posted[3]],
        [posted[2], posted[1]],
        [posted[0]],
    ]
    later = await client.conversations_history(channel=channel, oldest=posted[2])
    from_there = await client.conversations_history(channel=channel, oldest=posted[2], inclusive=True)
    assert (len(later["messages"]), len(from_there["messages"])) == (2, 3)
    assert await refused(client.conversations_history(channel=channel, cursor="nonsense")) == "invalid_cursor"


async def test_replies_stay_in_their_thread(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """conversations.replies lists a reply after its message and counts it; the channel does not show it."""
    card = await post(slack, client)
    reply = await client.chat_postMessage(channel=card.channel, text="approved", thread_ts=card.ts)
    told = (await client.conversations_replies(channel=card.channel, ts=card.ts))["messages"]
    assert [message["ts"] for message in told] == [card.ts, reply["ts"]]
    assert told[0]["reply_count"] == 1
    assert len((await client.conversations_history(channel=card.channel))["messages"]) == 1
    assert [message.text for message in slack.thread(REVIEW, card.ts)] == ["approved"]
    lost = client.chat_postMessage(channel=card.channel, text="?", thread_ts="1.000001")
    assert await refused(lost) == "thread_not_found"


async def test_an_update_keeps_or_drops_blocks_as_slack_does(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """New blocks replace the old ones; a text alone removes them and marks the message as edited."""
    card = await post(slack, client, section("one"), metadata={"event_type": "a", "event_payload": {}})
    # not chat_update: the SDK warns of a missing text
    await client.api_call("chat.update", json={"channel": card.channel, "ts": card.ts, "blocks": [section("two")]})
    assert (card.words, card.text, card.edited) == ("two", "a card", None)
    await client.chat_update(channel=card.channel, ts=card.ts, text="three")
    assert (card.words, card.blocks, card.updates) == ("three", [], 2)
    assert card.edited is not None
    assert card.metadata == {"event_type": "a", "event_payload": {}}


async def test_only_its_own_messages_can_be_changed(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """An update of a person's message, of a missing one, or with too long a text is refused."""
    theirs = await slack.say("alice", REVIEW, "hello")
    card = await post(slack, client)
    channel = card.channel
    assert await refused(client.chat_update(channel=channel, ts=theirs.ts, text="x")) == "cant_update_message"
    assert await refused(client.chat_delete(channel=channel, ts=theirs.ts)) == "cant_delete_message"
    assert await refused(client.chat_update(channel=channel, ts="1.000001", text="x")) == "message_not_found"
    assert await refused(client.chat_update(channel=channel, ts=card.ts, text="x" * 4_001)) == "msg_too_long"
    assert await refused(client.api_call("chat.postMessage", json={"channel": channel, "text": " "})) == "no_text"


async def test_a_deleted_message_is_gone_but_its_thread_is_not(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Deleting a message with replies leaves a tombstone that takes no update."""
    card = await post(slack, client)
    await client.chat_postMessage(channel=card.channel, text="reply", thread_ts=card.ts)
    await client.chat_delete(channel=card.channel, ts=card.ts)
    assert slack.messages(REVIEW) == []
    told = (await client.conversations_replies(channel=card.channel, ts=card.ts))["messages"]
    assert [message.get("subtype") for message in told] == ["tombstone", None]
    assert await refused(client.chat_update(channel=card.channel, ts=card.ts, text="x")) == "message_not_found"


async def test_a_permalink_names_channel_and_message(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """chat.getPermalink gives an address on the workspace's site."""
    card = await post(slack, client)
    link = (await client.chat_getPermalink(channel=card.channel, message_ts=card.ts))["permalink"]
    assert link == f"https://sandbox.slack.com/archives/{card.channel}/p{card.ts.replace('.', '')}"


async def test_an_ephemeral_message_is_seen_by_one_person(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Only its reader sees it, it is not in the history, and it cannot be updated."""
    alice, channel = slack.user("alice"), slack.channel(REVIEW)
    answer = await client.chat_postEphemeral(channel=channel.id, user=alice.id, text="not you")
    assert [message.words for message in slack.ephemerals("alice")] == ["not you"]
    assert slack.ephemerals("bob") == []
    assert (await client.conversations_history(channel=channel.id))["messages"] == []
    update = client.chat_update(channel=channel.id, ts=answer["message_ts"], text="x")
    assert await refused(update) == "message_not_found"
    absent = client.chat_postEphemeral(channel=slack.channel("incidents").id, user=slack.user("olga").id, text="x")
    assert await refused(absent) == "user_not_in_channel"


async def test_what_nobody_looked_at_is_unread(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Everything posted, ephemeral too, is unread until marked; what people write is not."""
    await slack.say("alice", REVIEW, "hello")
    card = await post(slack, client)
    await client.chat_postEphemeral(channel=card.channel, user=slack.user("bob").id, text="psst")
    assert [message.text for message in slack.unread()] == ["a card", "psst"]
    slack.mark_read(*slack.unread())
    assert slack.unread() == []
