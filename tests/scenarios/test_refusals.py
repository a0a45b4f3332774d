"""People who may not decide get a private refusal, which is in the audit log; nothing else happens."""

import asyncio
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.delivery import TIME_LIMIT
from bot.service.gate import Gate
from tests import harness
from tests.harness import Card, Someone, World, sample

PEOPLE = {
    "olga": ("not_a_reviewer", "You are not on the list of reviewers"),
    "gus": ("guest", "Guest accounts cannot decide"),
    "dora": ("deactivated", "This account is deactivated"),
    "robo": ("bot", "Bots cannot decide"),
    "stan": ("other_workspace", "Only members of this workspace can decide"),
}
"""Everybody in the channel who is not a reviewer: the reason in the audit log, and the sentence."""

WHY = "This is long enough to be a reason."


async def refusals(world: World, card: Card) -> list[dict[str, Any]]:
    return await world.rows(
        "SELECT actor, detail ->> 'reason' AS reason, detail ->> 'asked' AS asked FROM audit_log"
        " WHERE apv_code = :code AND kind = 'decision.refused' ORDER BY seq",
        code=card.code,
    )


async def nothing_happened(world: World, card: Card) -> None:
    await world.settle()
    assert await world.decisions(card) == []
    assert (await world.review(card))["status"] == "pending"
    assert card.message.updates == 0
    assert card.thread == []
    assert len(world.slack.messages("vuln-review")) == 1
    assert world.slack.messages("incidents") == []


async def test_every_button_refuses_non_reviewers(world: World) -> None:
    """Outsider, guest, deactivated, bot and stranger are each told why, before any modal opens."""
    card = await world.submit()
    buttons = ("Approve", "Reject", "Escalate", "Claim")
    for name, (_, sentence) in PEOPLE.items():
        someone = Someone(world, name)
        for button in buttons:
            assert (await someone.clicks(button, card)).status == 200
            await someone.is_told(sentence)
        assert len(someone.told) == len(buttons)
        assert someone.views == []
    await nothing_happened(world, card)
    assert await refusals(world, card) == [
        {"actor": Someone(world, name).id, "reason": reason, "asked": button.lower()}
        for name, (reason, _) in PEOPLE.items()
        for button in buttons
    ]


async def test_a_modal_is_no_way_around_the_button(world: World) -> None:
    """The person is checked when they submit; the refusal is shown only in the modal."""
    card = await world.submit()
    for button in ("Reject", "Escalate"):
        view = await world.alice.opens(button, card)
        for name, (_, sentence) in PEOPLE.items():
            someone = Someone(world, name)
            delivery = await someone.fills(someone.takes_over(view), reason="Other", justification=WHY)
            assert delivery.ok
            assert sentence in "".join(view.errors.values())
            assert someone.told == []
    await nothing_happened(world, card)
    assert [row["reason"] for row in await refusals(world, card)] == [reason for reason, _ in PEOPLE.values()] * 2


async def test_every_command_refuses_non_reviewers(world: World) -> None:
    """Every command that changes something refuses like the button, in its ephemeral answer."""
    card = await world.submit()
    commands = {
        "claim": f"claim {card.code}",
        "unclaim": f"unclaim {card.code}",
        "reassign": f"reassign {card.code} <@{world.alice.id}>",
        "snooze": f"snooze {card.code} 1h {WHY}",
        "wake": f"wake {card.code}",
        "withdraw": f"withdraw {card.code}",
    }
    for name, (_, sentence) in PEOPLE.items():
        for typed in commands.values():
            assert sentence in await Someone(world, name).types(typed)
    await nothing_happened(world, card)
    assert await refusals(world, card) == [
        {"actor": Someone(world, name).id, "reason": reason, "asked": asked}
        for name, (reason, _) in PEOPLE.items()
        for asked in commands
    ]


@pytest.mark.parametrize("named", ["id", "email"])
async def test_nobody_approves_what_they_reported(world: World, named: str) -> None:
    """A reporter is known by Slack id and by e-mail, in any case; somebody else's approval counts."""
    reporter = getattr(world.slack.user("alice"), named)
    card = await world.submit(reporter=reporter.swapcase())
    await world.alice.approves(card)
    await world.alice.is_told(f"You reported {card.code}, so somebody else must approve it.")
    await nothing_happened(world, card)
    assert [row["reason"] for row in await refusals(world, card)] == ["own_report"]
    await world.bob.approves(card)
    await world.pull(card)
    await card.thread_reads("Bob approved", "Pull request #1")


async def test_a_reporter_may_reject_their_own(world: World) -> None:
    """The reporter may still reject."""
    card = await world.submit(reporter=world.alice.id)
    assert (await world.alice.rejects(card, WHY)).ok
    await card.shows("Rejected")
    await card.thread_reads(WHY)


async def test_a_former_group_member_is_refused(world: World) -> None:
    """A reviewer whose membership ends is refused from then on, also with a modal already open."""
    card = await world.submit()
    view = await world.alice.opens("Reject", card)
    await world.regroup("reviewers", "bob", "dan")
    await world.alice.fills(view, reason="Other", justification=WHY)
    assert "not on the list of reviewers" in "".join(view.errors.values())
    await world.alice.approves(card)
    await world.alice.is_told("You are not on the list of reviewers")
    await nothing_happened(world, card)


async def test_a_deactivated_account_is_refused(world: World) -> None:
    """An account that is deactivated no longer decides, though its group still lists it."""
    card = await world.submit()
    await world.alice.claims(card)
    await card.shows("Claimed by")
    await card.thread_reads("Alice claimed")
    await world.alice.becomes(deleted=True)
    await world.alice.approves(card)
    await world.alice.is_told("This account is deactivated")
    assert await world.decisions(card) == []


async def test_a_disabled_group_has_no_members(world: World) -> None:
    """Members of a disabled user group cannot decide."""
    card = await world.submit()
    world.slack.group("reviewers").disabled = True
    await world.alice.approves(card)
    await world.alice.is_told("You are not on the list of reviewers")
    await nothing_happened(world, card)


@pytest.mark.parametrize(
    ("method", "kind"),
    [("users.info", "drop_before"), ("users.info", "ratelimited"), ("usergroups.users.list", "http503")],
)
async def test_nothing_is_recorded_while_slack_does_not_answer(world: World, method: str, kind: str) -> None:
    """With an empty cache and Slack down, the person is told, Slack gets no acknowledgement, and later it works."""
    card = await world.submit()
    world.slack.fail(method, kind, times=None)
    for button in ("Approve", "Reject"):
        delivery = await world.alice.clicks(button, card)
        assert delivery.status == 503
        await world.alice.is_told("Nothing was recorded: Slack could not say who may decide.")
        assert world.alice.views == []
    assert "Nothing was recorded" in await world.alice.types(f"claim {card.code}")
    world.slack.clear_faults()
    await nothing_happened(world, card)
    assert await refusals(world, card) == []
    await world.alice.claims(card)
    await card.thread_reads("Alice claimed")


async def test_a_cached_profile_is_enough(world: World) -> None:
    """A reviewer who was looked up seconds before can decide while Slack is down."""
    card = await world.submit()
    await world.alice.claims(card)
    await card.thread_reads("Alice claimed")
    world.slack.fail("users.info", "http503", times=None)
    world.slack.fail("usergroups.users.list", "http503", times=None)
    assert (await world.alice.approves(card)).ok
    assert len(await world.decisions(card)) == 1
    await world.pull(card)
    await card.thread_reads("Alice claimed", "Alice approved", "Pull request #1")


async def test_a_modal_says_so_while_slack_cannot_be_asked(world: World) -> None:
    """If the person cannot be checked, the modal shows the sentence and can be submitted again."""
    card = await world.submit()
    view = await world.alice.opens("Reject", card)
    await world.regroup("reviewers", "alice")
    world.slack.fail("usergroups.users.list", "http503", times=None)
    await world.alice.fills(view, reason="Other", justification=WHY)
    assert "Nothing was recorded: Slack could not say who may decide." in "".join(view.errors.values())
    await nothing_happened(world, card)
    world.slack.clear_faults()
    await world.alice.fills(view)
    assert world.alice.views == []
    await card.shows("Rejected")
    await card.thread_reads(WHY)


async def test_nothing_is_recorded_while_the_database_is_away(world: World) -> None:
    """The person is told, Slack gets no acknowledgement, and the same click counts once the database is back."""
    card = await world.submit()
    view = await world.bob.opens("Reject", card)
    async with world.database_away():
        buttons = ("Approve", "Reject", "Escalate", "Claim", "View diff")
        asked = [world.alice.clicks(button, card) for button in buttons]
        typed = [world.slack.slash("alice", "vuln-review", "/apv", words) for words in (f"claim {card.code}", "queue")]
        sent = world.bob.fills(view, reason="Other", justification=WHY)
        answers = await asyncio.gather(*asked, *typed, sent)
    assert [answer.status for answer in answers] == [503] * 5 + [200] * 3
    away = "Nothing was recorded: the database is unavailable."
    assert len([words for words in world.alice.told if words.startswith(away)]) == 7
    assert away in "".join(view.errors.values())
    await nothing_happened(world, card)
    assert (await world.alice.approves(card)).ok
    await world.pull(card)
    await card.thread_reads("Alice approved", "Pull request #1")


async def test_a_click_is_answered_in_time(world: World) -> None:
    """A database that does not answer, then a Slack that does not: the bot gives up first, and tells the person.

    The lock is held until every click has its answer.
    """
    assert signature(Gate).parameters["patience"].default < TIME_LIMIT, "the bot gives up before Slack does"
    card = await world.submit()
    buttons = ("Approve", "Reject", "Claim", "View diff")
    await world.alice.opens("Escalate", card)
    world.slack.fail("users.info", "slow", seconds=4, times=None)
    async with world.database.transaction() as tx:
        await tx.execute(text("LOCK TABLE apv_reviews"))
        known = [world.alice.clicks(button, card) for button in buttons]
        unknown = [world.dan.clicks(button, card) for button in ("Approve", "Claim")]
        typed = world.slack.slash("alice", "vuln-review", "/apv", f"claim {card.code}")
        answers = await asyncio.gather(*known, *unknown, typed)
    assert [answer.status for answer in answers] == [503] * 6 + [200]
    late = [words for words in world.alice.told if words.startswith("Nothing was recorded: it took too long.")]
    assert len(late) == 5
    assert len([words for words in world.dan.told if "Slack could not say who may decide" in words]) == 2
    world.slack.clear_faults()
    await nothing_happened(world, card)


async def test_reviewers_may_be_named_one_by_one(database_url: str, tmp_path: Path) -> None:
    """A reviewer named by their own id needs no group."""
    stand_in = SlackSandbox(bot_token=harness.BOT_TOKEN, signing_secret="any")
    named = (stand_in.user("alice").id,)
    async with harness.world(database_url, tmp_path, reviewers=named, leads=named) as world:
        card = await world.submit()
        await world.bob.approves(card)
        await world.bob.is_told("You are not on the list of reviewers")
        await world.alice.approves(card)
        await world.pull(card)
        await card.thread_reads("Alice approved", "Pull request #1")


async def test_every_lead_is_a_reviewer(world: World) -> None:
    """Leads decide like reviewers, also where the reviewers' own group does not hold them."""
    card = await world.submit(sample("certifi-cve-2023-37920"))
    await world.regroup("reviewers", "alice")
    await world.carol.approves(card)
    await world.pull(card)
    await card.thread_reads("Carol approved", "Pull request #1")
