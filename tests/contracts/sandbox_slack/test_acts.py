"""What people do reaches a Bolt app as Slack sends it, and its answers are carried out."""

from typing import Any

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import CannotActError, NotSubmittedError, SlackSandbox
from tests.contracts.sandbox_slack.kit import (
    REVIEW,
    SECRET,
    App,
    Json,
    actions,
    button,
    confirm,
    listening,
    modal,
    open_modal,
    options,
    plain,
    post,
    reject_by_modal,
    text_input,
)


async def test_a_click_reaches_bolt_signed_and_in_slacks_shape(
    slack: SlackSandbox, client: AsyncWebClient, app: App
) -> None:
    """A click arrives with a valid signature and every field that Slack sends."""
    seen: list[Json] = []

    @app.bolt.action("approve")
    async def approve(ack: Any, body: Json) -> None:
        seen.append(body)
        await ack()

    card = await post(slack, client, actions(button(value="id:digest", confirm=confirm()), block_id="decide"))
    delivery = await slack.click("alice", REVIEW, card.ts, text="Approve")
    headers, raw = app.requests[0]
    assert SignatureVerifier(SECRET).is_valid_request(raw, headers)
    assert (delivery.status, delivery.body, delivery.ok) == (200, "", True)
    payload = seen[0]
    alice = slack.user("alice")
    assert payload["user"] == {"id": alice.id, "username": "alice", "name": "alice", "team_id": "T0SANDBOX"}
    assert payload["container"]["message_ts"] == payload["message"]["ts"] == card.ts
    assert payload["channel"] == {"id": card.channel, "name": "vuln-review"}
    action = payload["actions"][0]
    assert (action["action_id"], action["block_id"], action["value"]) == ("approve", "decide", "id:digest")
    assert {"api_app_id", "team", "token", "trigger_id", "response_url", "state"} <= payload.keys()


async def test_only_what_is_there_can_be_clicked(slack: SlackSandbox, client: AsyncWebClient, app: App) -> None:
    """A button that is gone cannot be clicked, except in the older copy that a slow client still shows."""

    @app.bolt.action("approve")
    async def approve(ack: Any) -> None:
        await ack()

    card = await post(slack, client, actions(button()))
    older = card.blocks
    await client.chat_update(channel=card.channel, ts=card.ts, text="closed")
    with pytest.raises(CannotActError, match="there are: none"):
        await slack.click("alice", REVIEW, card.ts, text="Approve")
    assert (await slack.click("alice", REVIEW, card.ts, text="Approve", blocks=older)).ok
    assert b"Approve" in app.requests[0][1]


async def test_who_backs_out_of_a_confirm_dialog_sends_nothing(
    slack: SlackSandbox, client: AsyncWebClient, app: App
) -> None:
    """Denying a confirm dialog delivers nothing; a button without one cannot be denied."""
    card = await post(slack, client, actions(button(confirm=confirm()), button("Reject", "reject")))
    delivery = await slack.click("alice", REVIEW, card.ts, text="Approve", confirm=False)
    assert (delivery.sent, app.requests) == (False, [])
    with pytest.raises(CannotActError):
        await slack.click("alice", REVIEW, card.ts, text="Reject", confirm=False)


async def test_a_private_channel_is_seen_from_inside(slack: SlackSandbox, client: AsyncWebClient, app: App) -> None:
    """A person outside a private channel cannot click there, and no app learns its name."""
    names: list[str] = []

    @app.bolt.action("approve")
    async def approve(ack: Any, body: Json) -> None:
        names.append(body["channel"]["name"])
        await ack()

    inside = slack.workspace.add_channel("inside", [slack.user("alice")], is_private=True)
    posted = await client.chat_postMessage(channel=inside.id, text="x", blocks=[actions(button())])
    await slack.click("alice", inside, posted["ts"], action_id="approve")
    with pytest.raises(CannotActError):
        await slack.click("bob", inside, posted["ts"], action_id="approve")
    assert names == ["privategroup"]


async def test_a_modal_is_filled_in_corrected_and_closed(slack: SlackSandbox, client: AsyncWebClient, app: App) -> None:
    """Inline errors keep the modal open with what was typed; an empty answer closes it."""
    submitted = reject_by_modal(app)
    view_id = await open_modal(slack, client)
    view = slack.open_views("alice")[0]
    assert view.labels == ["Reason", "Justification"]
    await slack.submit_view("alice", view_id, {"Reason": "Duplicate", "Justification": "just because"})
    assert view.errors == {"why": "Say why."}
    await slack.submit_view("alice", view_id, {"text": "it breaks the build"})
    assert slack.open_views("alice") == []
    values = submitted[1]["state"]["values"]
    assert values["reason"]["reason"] == {"type": "static_select", "selected_option": options("Duplicate")[0]}
    assert values["why"]["text"] == {"type": "plain_text_input", "value": "it breaks the build"}
    assert (submitted[1]["private_metadata"], submitted[1]["root_view_id"]) == ("r1", view_id)


async def test_the_client_keeps_back_what_is_incomplete(slack: SlackSandbox, client: AsyncWebClient, app: App) -> None:
    """Slack's client never sends a missing or too short value; a custom client may."""
    submitted = reject_by_modal(app)
    view_id = await open_modal(slack, client)
    with pytest.raises(NotSubmittedError) as kept:
        await slack.submit_view("alice", view_id, {"Justification": "x"})
    assert kept.value.errors.keys() == {"reason", "why"}
    assert submitted == []
    with pytest.raises(CannotActError, match="no option"):
        await slack.submit_view("alice", view_id, {"Reason": "Unheard of"})
    await slack.submit_view("alice", view_id, enforce=False)
    assert submitted[0]["state"]["values"]["reason"]["reason"]["selected_option"] is None


@pytest.mark.parametrize(
    ("answer", "titles"),
    [
        ({"response_action": "update", "view": modal(title=plain("Second"))}, ["Second"]),
        ({"response_action": "push", "view": modal(title=plain("Second"))}, ["Reject", "Second"]),
        ({"response_action": "clear"}, []),
    ],
)
async def test_a_submission_can_update_push_or_clear(
    slack: SlackSandbox, client: AsyncWebClient, app: App, answer: Json, titles: list[str]
) -> None:
    """The app's response_action is carried out on the stack of modals."""
    reject_by_modal(app, answer)
    view_id = await open_modal(slack, client)
    await slack.submit_view("alice", view_id, {"Reason": "Duplicate", "Justification": "because of this"})
    assert [view.title for view in slack.open_views("alice")] == titles


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"elsewhere": "no such block"}},
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "shout"},
    ],
)
async def test_an_answer_that_slack_cannot_use_is_noticed(
    slack: SlackSandbox, client: AsyncWebClient, app: App, answer: Json
) -> None:
    """An invalid answer leaves the modal open with an error and is recorded in `unexpected`."""
    reject_by_modal(app)
    view_id = await open_modal(slack, client)

    async def answer_badly(request: web.Request) -> web.Response:
        return web.json_response(answer)

    async with listening(answer_badly) as url:
        slack.request_url = url
        await slack.submit_view("alice", view_id, {"Reason": "Duplicate", "Justification": "because of this"})
    assert slack.open_views("alice")[0].trouble
    assert slack.unexpected[0].startswith("answer to view_submission")


async def test_buttons_inside_a_modal_work(slack: SlackSandbox, client: AsyncWebClient, app: App) -> None:
    """A click in a modal carries the view and what was entered, and its trigger can push."""
    bodies: list[Json] = []

    @app.bolt.action("more")
    async def more(ack: Any, body: Json, client: AsyncWebClient) -> None:
        bodies.append(body)
        await client.views_push(trigger_id=body["trigger_id"], view=modal(title=plain("More")))
        await ack()

    trigger = slack.workspace.triggers.give(slack.user("alice").id)
    opened = await client.views_open(trigger_id=trigger, view=modal(actions(button("More", "more")), text_input()))
    await slack.click_in_view("alice", opened["view"]["id"], text="More")
    assert bodies[0]["container"] == {"type": "view", "view_id": opened["view"]["id"]}
    assert [view.title for view in slack.open_views("alice")] == ["Reject", "More"]
    with pytest.raises(CannotActError):
        await slack.click_in_view("bob", opened["view"]["id"], text="More")


async def test_the_app_hears_of_a_closed_view_if_it_asked_to(
    slack: SlackSandbox, client: AsyncWebClient, app: App
) -> None:
    """view_closed is sent for notify_on_close and only then."""
    closed: list[Json] = []

    @app.bolt.view_closed("reject")
    async def on_close(ack: Any, body: Json) -> None:
        closed.append(body)
        await ack()

    for notify in (False, True):
        trigger = slack.workspace.triggers.give(slack.user("alice").id)
        opened = await client.views_open(trigger_id=trigger, view=modal(notify_on_close=notify))
        assert (await slack.close_view("alice", opened["view"]["id"])).sent is notify
    assert [body["is_cleared"] for body in closed] == [False]


async def test_a_command_is_answered_where_slack_shows_it(slack: SlackSandbox, app: App) -> None:
    """An answer is private unless it says in_channel."""

    @app.bolt.command("/apv")
    async def apv(ack: Any, command: Json) -> None:
        await ack(text=f"you said {command['text']}", response_type=command["text"])

    await slack.slash("alice", REVIEW, "/apv", "ephemeral")
    await slack.slash("alice", REVIEW, "/apv", "in_channel")
    assert [message.text for message in slack.ephemerals("alice")] == ["you said ephemeral"]
    assert [message.text for message in slack.messages(REVIEW)] == ["you said in_channel"]
