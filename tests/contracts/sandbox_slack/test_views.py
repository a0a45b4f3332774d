"""Views open by triggers, stack, change and are refused as with Slack."""

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from tests.contracts.sandbox_slack.kit import (
    Clock,
    Json,
    modal,
    plain,
    refused,
    section,
    text_input,
)


async def test_a_trigger_opens_one_view(slack: SlackSandbox, client: AsyncWebClient, clock: Clock) -> None:
    """A trigger id works once, for three seconds, and a refused view does not use it up."""
    trigger = slack.workspace.triggers.give(slack.user("alice").id)
    broken = client.views_open(trigger_id=trigger, view=modal(title=plain("x" * 25)))
    assert await refused(broken) == "invalid_arguments"
    await client.views_open(trigger_id=trigger, view=modal())
    assert await refused(client.views_open(trigger_id=trigger, view=modal())) == "exchanged_trigger_id"
    late = slack.workspace.triggers.give(slack.user("alice").id)
    clock.now += 3.1
    assert await refused(client.views_open(trigger_id=late, view=modal())) == "expired_trigger_id"
    assert await refused(client.views_open(trigger_id="1.2.3", view=modal())) == "invalid_trigger_id"
    assert [view.title for view in slack.open_views("alice")] == ["Reject"]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ({**modal(), "submit": plain("x" * 25)}, "less than 25"),
        ({key: value for key, value in modal().items() if key != "submit"}, "submit"),
        ({key: value for key, value in modal().items() if key != "title"}, "title"),
        ({**modal(), "blocks": []}, "no fewer than 1"),
        ({**modal(), "blocks": [section()] * 101}, "no more than 100"),
        ({**modal(), "private_metadata": "x" * 3_001}, "less than 3001"),
        ({**modal(), "callback_id": "x" * 256}, "less than 256"),
        ({**modal(), "colour": "red"}, "additional property"),
        (modal(text_input(), text_input()), "already exists"),
        (modal({"type": "markdown", "text": "x"}), "unsupported type"),
        ({"type": "home", "blocks": [section()]}, "must be modal"),
    ],
)
async def test_views_that_slack_refuses_are_refused(
    slack: SlackSandbox, client: AsyncWebClient, view: Json, words: str
) -> None:
    """A modal with a fault is invalid_arguments, says where, and is not shown."""
    trigger = slack.workspace.triggers.give(slack.user("alice").id)
    with pytest.raises(SlackApiError) as caught:
        await client.views_open(trigger_id=trigger, view=view)
    assert caught.value.response["error"] == "invalid_arguments"
    assert words in " ".join(caught.value.response["response_metadata"]["messages"])
    assert slack.open_views("alice") == []


async def test_a_view_that_is_too_large_is_refused(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Past 250 kB a modal is view_too_large."""
    trigger = slack.workspace.triggers.give(slack.user("alice").id)
    large = modal(*[section("x" * 3_000)] * 90)
    assert await refused(client.views_open(trigger_id=trigger, view=large)) == "view_too_large"


async def test_a_view_is_updated_only_as_it_was_seen(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """An old hash is refused, a current one is taken, and a closed view is not found."""
    trigger = slack.workspace.triggers.give(slack.user("alice").id)
    opened = (await client.views_open(trigger_id=trigger, view=modal(external_id="one")))["view"]
    newer = modal(title=plain("Newer"))
    await client.views_update(view_id=opened["id"], view=newer, hash=opened["hash"])
    stale = client.views_update(view_id=opened["id"], view=newer, hash=opened["hash"])
    assert await refused(stale) == "hash_conflict"
    assert slack.open_views("alice")[0].title == "Newer"
    await slack.close_view("alice", opened["id"])
    assert await refused(client.views_update(view_id=opened["id"], view=newer)) == "not_found"


async def test_a_stack_is_three_views_high(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """views.push works twice on one modal; external ids are unique among what is open."""
    alice = slack.user("alice").id
    view = await client.views_open(trigger_id=slack.workspace.triggers.give(alice), view=modal(external_id="a"))
    twin = client.views_open(trigger_id=slack.workspace.triggers.give(alice), view=modal(external_id="a"))
    assert await refused(twin) == "duplicate_external_id"
    for _ in range(2):
        trigger = slack.workspace.triggers.give(alice, view["view"]["id"])
        pushed = await client.views_push(trigger_id=trigger, view=modal())
    assert pushed["view"]["root_view_id"] == view["view"]["id"]
    trigger = slack.workspace.triggers.give(alice, pushed["view"]["id"])
    assert await refused(client.views_push(trigger_id=trigger, view=modal())) == "push_limit_reached"


async def test_a_home_tab_is_published_per_person(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """views.publish shows a Home tab to one person, and takes no modal."""
    alice = slack.user("alice").id
    await client.views_publish(user_id=alice, view={"type": "home", "blocks": [section("welcome")]})
    home = slack.home("alice")
    assert home is not None
    assert "welcome" in home.words
    assert slack.home("bob") is None
    assert await refused(client.views_publish(user_id=alice, view=modal())) == "invalid_arguments"
