"""What the tests of the Slack stand-in share: Block Kit in few words, a Bolt app, a clock, common steps."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import Message, SlackSandbox

TOKEN, APP_TOKEN, SECRET = "xoxb-sandbox", "xapp-sandbox", "signing-secret"
REVIEW = "#vuln-review"

Json = dict[str, Any]


class Clock:
    """A monotonic clock that moves only on command."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class App:
    """A Bolt app on aiohttp that keeps every request it was sent."""

    def __init__(self, bolt: AsyncApp) -> None:
        self.bolt = bolt
        self.requests: list[tuple[dict[str, str], bytes]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        return await to_aiohttp_response(await self.bolt.async_dispatch(await to_bolt_request(request)))


@contextlib.asynccontextmanager
async def listening(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve one route with aiohttp and return its address."""
    application = web.Application()
    application.router.add_post("/slack/events", handler)
    runner = web.AppRunner(application, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str = "hello") -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(text: str = "Approve", action_id: str = "approve", **more: object) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), **more}


def actions(*elements: Json, **more: object) -> Json:
    return {"type": "actions", "elements": list(elements), **more}


def text_input(block_id: str = "why", **element: object) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain("Justification"),
        "element": {"type": "plain_text_input", "action_id": "text", **element},
    }


def options(*texts: str) -> list[Json]:
    return [{"text": plain(text), "value": text.lower()} for text in texts]


def reasons(**more: object) -> Json:
    element = {"type": "static_select", "action_id": "reason", "options": options("Duplicate", "Breaks things"), **more}
    return {"type": "input", "block_id": "reason", "label": plain("Reason"), "element": element}


def modal(*blocks: Json, **more: object) -> Json:
    return {
        "type": "modal",
        "callback_id": "reject",
        "title": plain("Reject"),
        "submit": plain("Send"),
        "blocks": list(blocks) or [text_input()],
        **more,
    }


def confirm() -> Json:
    return {"title": plain("Sure?"), "text": plain("This counts."), "confirm": plain("Yes"), "deny": plain("No")}


async def refused(call: Awaitable[object]) -> str:
    """Return the error code of a refused call."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def post(slack: SlackSandbox, client: AsyncWebClient, *blocks: Json, **more: Any) -> Message:
    """Post to the review channel and return the sandbox's message."""
    channel = slack.channel(REVIEW)
    answer = await client.chat_postMessage(channel=channel.id, text="a card", blocks=list(blocks) or None, **more)
    message = channel.find(answer["ts"])
    assert message is not None
    return message


def reject_by_modal(app: App, answer: Json | None = None) -> list[Json]:
    """Make Reject open a modal that refuses vague reasons. Return the list of submitted states."""
    submitted: list[Json] = []

    @app.bolt.action("reject")
    async def reject(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await client.views_open(
            trigger_id=body["trigger_id"], view=modal(reasons(), text_input(min_length=3), private_metadata="r1")
        )
        await ack()

    @app.bolt.view("reject")
    async def submit(ack: Any, view: Json) -> None:
        submitted.append(view)
        if view["state"]["values"]["why"]["text"]["value"] == "just because":
            await ack(response_action="errors", errors={"why": "Say why."})
        else:
            await ack(**(answer or {}))

    return submitted


async def open_modal(slack: SlackSandbox, client: AsyncWebClient) -> str:
    """Click Reject as alice and return the id of the modal that opens."""
    card = await post(slack, client, actions(button("Reject", "reject")))
    assert (await slack.click("alice", REVIEW, card.ts, text="Reject")).ok
    return slack.open_views("alice")[0].id


def response_url(slack: SlackSandbox, server: SandboxServer, ts: str | None = None) -> str:
    token = slack.workspace.response_urls.give(slack.user("alice").id, slack.channel(REVIEW).id, ts)
    return f"{server.origin}/slack/response/{token}"
