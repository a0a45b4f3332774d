"""Deliveries, retries, response URLs and Socket Mode."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from tests.contracts.sandbox_slack.kit import (
    APP_TOKEN,
    REVIEW,
    TOKEN,
    App,
    Clock,
    Json,
    actions,
    button,
    listening,
    open_modal,
    post,
    refused,
    reject_by_modal,
    response_url,
)


async def test_a_failed_event_is_sent_again_three_times(slack: SlackSandbox) -> None:
    """Retries carry their number and reason and the same event_id; X-Slack-No-Retry stops them."""
    seen: list[tuple[str, str, str]] = []
    headers: dict[str, str] = {}

    async def fail(request: web.Request) -> web.Response:
        number = request.headers.get("X-Slack-Retry-Num", "0")
        reason = request.headers.get("X-Slack-Retry-Reason", "")
        seen.append((number, reason, (await request.json())["event_id"]))
        return web.Response(status=500, headers=headers)

    async with listening(fail) as url:
        slack.request_url = url
        delivery = await slack.send_event({"type": "app_home_opened"})
        assert [(number, reason) for number, reason, _ in seen] == [
            ("0", ""),
            ("1", "http_error"),
            ("2", "http_error"),
            ("3", "http_error"),
        ]
        assert len({event_id for *_, event_id in seen}) == 1
        assert delivery.status == 500
        headers["X-Slack-No-Retry"] = "1"
        seen.clear()
        await slack.send_event({"type": "app_home_opened"})
        assert len(seen) == 1


async def test_an_event_reaches_its_listener(slack: SlackSandbox, app: App) -> None:
    """Bolt takes the events as Slack's."""
    heard: list[str] = []

    @app.bolt.event("app_mention")
    async def mention(event: Json) -> None:
        heard.append(event["text"])

    alice = slack.user("alice").id
    delivery = await slack.send_event(
        {"type": "app_mention", "user": alice, "text": "hello", "channel": "C1", "ts": "1.2"}
    )
    assert (delivery.status, heard) == (200, ["hello"])


async def test_a_delivery_can_be_repeated_to_the_byte(slack: SlackSandbox, client: AsyncWebClient, app: App) -> None:
    """redeliver sends the same body under the same signature."""
    card = await post(slack, client, actions(button()))
    await slack.redeliver(await slack.click("alice", REVIEW, card.ts, text="Approve"))
    (first_headers, first), (second_headers, second) = app.requests
    assert first == second
    assert first_headers["X-Slack-Signature"] == second_headers["X-Slack-Signature"]


async def test_anything_can_be_sent_raw(slack: SlackSandbox, app: App) -> None:
    """Unsigned input is sent as it is; `sign` makes it Slack's."""
    assert (await slack.deliver(b"{", {"Content-Type": "text/plain"})).status != 200
    body = json.dumps({"type": "url_verification", "challenge": "c"}).encode()
    headers = {"Content-Type": "application/json", **slack.sender.sign(body)}
    assert (await slack.deliver(body, headers)).body == {"challenge": "c"}


async def test_an_app_that_is_slow_or_away_is_given_up(slack: SlackSandbox) -> None:
    """No answer within the limit is timed_out; no server is status 0."""
    release = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    slack.sender.time_limit = 0.05
    async with listening(never) as url:
        slack.request_url = url
        delivery = await slack.slash("alice", REVIEW, "/apv", "")
        release.set()
    assert (delivery.status, delivery.timed_out, delivery.ok) == (0, True, False)
    slack.sender.time_limit = 60.0
    gone = await slack.slash("alice", REVIEW, "/apv", "")
    assert (gone.status, gone.timed_out) == (0, False)


async def test_a_response_url_takes_five_posts(
    slack: SlackSandbox, server: SandboxServer, http: aiohttp.ClientSession
) -> None:
    """The sixth post is used_url; only the person sees the responses."""
    url = response_url(slack, server)
    for _ in range(5):
        assert (await http.post(url, json={"text": "hi"})).status == 200
    sixth = await http.post(url, json={"text": "hi"})
    assert (sixth.status, (await sixth.json())["error"]) == (404, "used_url")
    assert len(slack.ephemerals("alice")) == 5


async def test_a_response_url_lives_thirty_minutes(
    slack: SlackSandbox, server: SandboxServer, http: aiohttp.ClientSession, clock: Clock
) -> None:
    """After half an hour, or with a made-up token, it is expired_url."""
    url = response_url(slack, server)
    clock.now += 30 * 60 + 1
    for late in (url, url + "x"):
        assert (await (await http.post(late, json={"text": "hi"})).json())["error"] == "expired_url"


async def test_a_response_replaces_or_deletes_its_original(
    slack: SlackSandbox, client: AsyncWebClient, server: SandboxServer, http: aiohttp.ClientSession
) -> None:
    """replace_original changes the clicked message, delete_original removes it, in_channel posts."""
    card = await post(slack, client, actions(button()))
    url = response_url(slack, server, card.ts)
    await http.post(url, json={"text": "new", "replace_original": True})
    assert card.text == "new"
    await http.post(url, json={"text": "all", "response_type": "in_channel"})
    await http.post(url, json={"delete_original": True})
    assert [message.text for message in slack.messages(REVIEW)] == ["all"]
    bad = await http.post(url, json={"text": "x", "blocks": [{"type": "carousel"}]})
    assert (bad.status, (await bad.json())["error"]) == (400, "invalid_blocks")


async def test_everything_works_over_a_socket(
    slack: SlackSandbox, client: AsyncWebClient, app: App, socket: AsyncSocketModeHandler
) -> None:
    """Clicks, submissions with inline errors and commands are sent as envelopes; their acks are the answers."""
    reject_by_modal(app)

    @app.bolt.command("/apv")
    async def apv(ack: Any) -> None:
        await ack("the queue")

    view_id = await open_modal(slack, client)
    filled = {"Reason": "Duplicate", "Justification": "just because"}
    assert (await slack.submit_view("alice", view_id, filled)).status == 200
    assert slack.open_views("alice")[0].errors == {"why": "Say why."}
    await slack.slash("alice", REVIEW, "/apv")
    assert [message.text for message in slack.ephemerals("alice")] == ["the queue"]
    assert app.requests == []


async def test_a_client_told_to_reconnect_takes_a_new_ticket(
    slack: SlackSandbox, socket: AsyncSocketModeHandler
) -> None:
    """A disconnect message makes the official client ask apps.connections.open again."""
    await slack.sockets.disconnect()
    await slack.changed(lambda: len(slack.calls("apps.connections.open")) >= 2 and slack.sockets.connections)


async def test_a_socket_ticket_is_spent_by_its_first_use(slack: SlackSandbox, server: SandboxServer) -> None:
    """The second handshake on one URL fails, also when the first one did; a bot token gets no ticket."""
    async with aiohttp.ClientSession() as http:
        app_client = AsyncWebClient(token=APP_TOKEN, base_url=server.slack_api_url, session=http)
        url = (await app_client.apps_connections_open(app_token=APP_TOKEN))["url"]
        slack.sockets.refuse_handshakes = 1
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(url)
        assert await refused(app_client.apps_connections_open(app_token=TOKEN)) == "not_allowed_token_type"


async def test_an_unacknowledged_envelope_times_out(slack: SlackSandbox, server: SandboxServer) -> None:
    """A silent client times out like a slow server; without a client nothing is delivered."""
    slack.socket_mode = True
    slack.sender.time_limit = 0.05
    assert (await slack.slash("alice", REVIEW, "/apv")).status == 0
    async with aiohttp.ClientSession() as http, http.ws_connect(slack.sockets.open()) as mute:
        assert (await mute.receive_json())["type"] == "hello"
        assert (await slack.slash("alice", REVIEW, "/apv")).timed_out
