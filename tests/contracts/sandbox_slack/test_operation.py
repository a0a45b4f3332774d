"""Ordered failures, pace, people, waiting, the control routes and the server."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from tests.contracts.sandbox_slack.kit import (
    REVIEW,
    SECRET,
    TOKEN,
    App,
    Clock,
    Json,
    actions,
    button,
    post,
    refused,
    section,
)


async def test_ordered_failures_happen_as_ordered(
    slack: SlackSandbox, server: SandboxServer, http: aiohttp.ClientSession
) -> None:
    """Rate limits, server errors and Slack errors hit only the calls they were planned for."""
    slack.fail("auth.test", "ratelimited", after=1, retry_after=7)
    slack.fail("auth.test", "http502")
    slack.fail("auth.test", "invalid_auth", times=2)
    url, headers = server.slack_api_url + "auth.test", {"Authorization": f"Bearer {TOKEN}"}
    answers = [await http.post(url, headers=headers) for _ in range(5)]
    assert [answer.status for answer in answers] == [502, 429, 200, 200, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert answers[0].content_type == "text/html"
    assert [(await answer.json())["ok"] for answer in answers[2:]] == [False, False, True]
    assert [call.error for call in slack.calls("auth.test")] == [
        "http502",
        "ratelimited",
        "invalid_auth",
        "invalid_auth",
        None,
    ]


@pytest.mark.parametrize(("kind", "posted"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_connection_drops_before_or_after_the_work(
    slack: SlackSandbox, client: AsyncWebClient, kind: str, posted: int
) -> None:
    """A dropped call gets no answer, whether or not its work was done."""
    slack.fail("chat.postMessage", kind)
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=slack.channel(REVIEW).id, text="hi")
    assert len(slack.messages(REVIEW)) == posted


async def test_a_channel_is_posted_to_at_slacks_pace(slack: SlackSandbox, client: AsyncWebClient, clock: Clock) -> None:
    """Once switched on, posting is limited to one per second and channel after a short burst."""
    slack.pace.per_second, slack.pace.burst = 1.0, 2
    await post(slack, client)
    await post(slack, client)
    with pytest.raises(SlackApiError) as caught:
        await post(slack, client)
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "1")
    await client.chat_postMessage(channel=slack.channel("incidents").id, text="elsewhere")
    clock.now += 1
    await post(slack, client)


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("alice", {"deleted": False, "is_bot": False, "is_restricted": False}),
        ("gus", {"is_restricted": True}),
        ("dora", {"deleted": True}),
        ("robo", {"is_bot": True}),
        ("stan", {"is_stranger": True, "team_id": "T0ELSEWHERE"}),
    ],
)
async def test_people_are_told_as_slack_tells_them(
    slack: SlackSandbox, client: AsyncWebClient, name: str, marks: Json
) -> None:
    """users.info shows the kind of user."""
    user = (await client.users_info(user=slack.user(name).id))["user"]
    assert marks.items() <= user.items()
    assert await refused(client.users_info(user="U0NOBODY")) == "user_not_found"


async def test_people_are_found_by_their_address(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """users.lookupByEmail finds members and guests, in any case, but no deactivated ones; it has a scope of its own."""
    for name in ("alice", "gus"):
        found = (await client.users_lookupByEmail(email=f"{name.capitalize()}@Example.com"))["user"]
        assert found == (await client.users_info(user=slack.user(name).id))["user"]
    for address in ("dora@example.com", "nobody@example.com"):
        assert await refused(client.users_lookupByEmail(email=address)) == "users_not_found"
    slack.workspace.scopes.remove("users:read.email")
    assert await refused(client.users_lookupByEmail(email="alice@example.com")) == "missing_scope"


async def test_user_groups_tell_their_members(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Members can change; a disabled group is listed only on request."""
    leads = slack.group("leads")
    assert (await client.usergroups_users_list(usergroup=leads.id))["users"] == [slack.user("carol").id]
    leads.members.append(slack.user("bob").id)
    assert len((await client.usergroups_users_list(usergroup=leads.id))["users"]) == 2
    leads.disabled = True
    assert await refused(client.usergroups_users_list(usergroup=leads.id)) == "no_such_subteam"
    assert [group["handle"] for group in (await client.usergroups_list())["usergroups"]] == ["reviewers"]
    everyone = [user["name"] async for page in await client.users_list(limit=3) for user in page["members"]]
    assert len(everyone) == len(set(everyone)) == 10


async def test_waiting_ends_with_the_change(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """`changed` returns the predicate's result once it is true; its timeout error names the last calls."""
    waiting = asyncio.create_task(slack.changed(lambda: slack.messages(REVIEW)))
    card = await post(slack, client)
    assert await waiting == [card]
    with pytest.raises(TimeoutError, match=r"chat\.postMessage"):
        await slack.changed(lambda: False, timeout=0.01)


async def test_another_process_acts_through_the_control_routes(
    slack: SlackSandbox, server: SandboxServer, client: AsyncWebClient, app: App, http: aiohttp.ClientSession
) -> None:
    """The control routes show the state, carry out people's actions and explain what is impossible."""

    @app.bolt.action("approve")
    async def approve(ack: Any) -> None:
        await ack()

    card = await post(slack, client, actions(button()))
    control = f"{server.origin}/slack/control"
    state = await (await http.get(f"{control}/state")).json()
    assert state["channels"][0]["messages"][0]["ts"] == card.ts
    assert SECRET not in json.dumps(state)
    assert TOKEN not in json.dumps(state)
    act: Json = {"user": "alice", "channel": "vuln-review", "ts": card.ts, "text": "Approve"}
    assert (await (await http.post(f"{control}/click", json=act)).json())["status"] == 200
    for body, status in [
        ({**act, "text": "Explode"}, 409),
        ({**act, "user": "nobody"}, 404),
        ({**act, "colour": "red"}, 400),
        ({**act, "ts": 1}, 400),
        ({}, 400),
    ]:
        assert (await http.post(f"{control}/click", json=body)).status == status
    foreign = await http.post(f"{control}/click", json=act, headers={"Origin": "https://example.com"})
    assert foreign.status == 403


async def test_a_person_breaks_and_mends_things_from_the_page(
    slack: SlackSandbox, server: SandboxServer, http: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    """Clearing one kind of fault leaves the others; a message is deleted, a channel archived and unarchived."""

    async def acts(name: str, **args: object) -> int:
        return (await http.post(f"{server.origin}/slack/control/{name}", json=args)).status

    card = await post(slack, client, actions(button()))
    assert await acts("fail", method="*", kind="http503") == 200
    slack.fail("chat.update", "ratelimited", times=None)
    assert await acts("clear_faults", kind="http503") == 200
    assert [fault.kind for fault in slack.pending_faults] == ["ratelimited"]
    assert await acts("delete_message", channel="vuln-review", ts=card.ts) == 200
    assert await acts("delete_message", channel="vuln-review", ts=card.ts) == 404
    assert slack.messages(REVIEW) == []
    assert await acts("archive", channel="vuln-review", archived=True) == 200
    assert await refused(client.chat_postMessage(channel=slack.channel(REVIEW).id, text="hi")) == "is_archived"
    assert await acts("archive", channel="vuln-review", archived=False) == 200
    await post(slack, client)


async def test_a_home_tab_is_opened(slack: SlackSandbox, client: AsyncWebClient, app: App) -> None:
    """The app learns who opened it, and from the second time on gets the view that it published."""
    heard: list[Json] = []

    @app.bolt.event("app_home_opened")
    async def opened(event: Json, client: AsyncWebClient) -> None:
        heard.append(event)
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [section("hi")]})

    for _ in range(2):
        assert (await slack.open_home("alice")).ok
        await slack.changed(lambda: slack.home("alice"))
    assert [event["user"] for event in heard] == [slack.user("alice").id] * 2
    assert ["view" in event for event in heard] == [False, True]


async def test_changes_are_streamed(slack: SlackSandbox, server: SandboxServer, http: aiohttp.ClientSession) -> None:
    """A reader of the stream gets the changes since its last one."""
    since = str(slack.workspace.changes.revision)
    await slack.say("alice", REVIEW, "hello")
    url = f"{server.origin}/slack/control/changes"
    async with http.get(url, headers={"Last-Event-ID": since}) as stream:
        assert await stream.content.readuntil(b"\n\n") == b": connected\n\n"
        assert (await stream.content.readuntil(b"\n\n")).endswith(b"data: message\n\n")


async def test_slack_comes_back_where_it_was(slack: SlackSandbox) -> None:
    """A server that is stopped and started again has the same address and state."""
    server = SandboxServer(slack)
    async with server:
        before = server.slack_api_url
        await slack.say("alice", REVIEW, "hello")
    async with server, aiohttp.ClientSession() as http:
        client = AsyncWebClient(token=TOKEN, base_url=server.slack_api_url, session=http)
        history = await client.conversations_history(channel=slack.channel(REVIEW).id)
    assert server.slack_api_url == before
    assert [message["text"] for message in history["messages"]] == ["hello"]
