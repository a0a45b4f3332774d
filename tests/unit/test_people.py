"""Who may decide at the moment of the request: entitled with a standing, or refused with the reason."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.people import Person, SlackProfile, entitle
from bot.domain.policy import Policy, Principals
from bot.domain.refusal import Reason, Refused
from tests.builders import ALICE, BOB, CAROL, DAVE, TEAM, policy, profile

GROUP, LEAD_GROUP = "S0REVIEW", "S0LEADS"
NOBODY: dict[str, frozenset[str]] = {}


def refused(given: SlackProfile | None, *, clicked_in: str = TEAM, team: str = TEAM) -> Refused:
    outcome = entitle(given, clicked_in, team, policy(leads=(ALICE,)), NOBODY)
    assert isinstance(outcome, Refused), outcome
    return outcome


INACTIVE = "This account is deactivated, so it cannot decide."
STRANGER = "Only members of this workspace can decide; your account belongs to another."
REFUSALS: list[tuple[dict[str, Any], Reason, str]] = [
    ({"deleted": True}, Reason.DEACTIVATED, INACTIVE),
    ({"is_bot": True}, Reason.BOT, "Bots cannot decide."),
    ({"is_guest": True}, Reason.GUEST, "Guest accounts cannot decide."),
    ({"is_stranger": True}, Reason.OTHER_WORKSPACE, STRANGER),
    ({"team_id": "T0OTHER"}, Reason.OTHER_WORKSPACE, STRANGER),
    ({"deleted": True, "is_bot": True, "is_guest": True}, Reason.DEACTIVATED, INACTIVE),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason", "sentence"), REFUSALS)
@pytest.mark.parametrize("user", [ALICE, BOB], ids=["lead", "reviewer"])
def test_accounts_that_never_count(user: str, changes: dict[str, Any], reason: Reason, sentence: str) -> None:
    """Even when REVIEWERS or LEADS names them."""
    assert refused(profile(user, **changes)) == Refused(reason, sentence)


def test_who_slack_does_not_know_cannot_decide() -> None:
    """No profile, no decision."""
    assert refused(None) == Refused(Reason.UNKNOWN_PERSON, "Slack does not know this account, so it cannot decide.")


def test_a_click_from_another_workspace_does_not_count() -> None:
    """Our member's id in a request from elsewhere is not our member."""
    assert refused(profile(BOB), clicked_in="T0OTHER").reason is Reason.OTHER_WORKSPACE


def test_nobody_is_a_member_before_slack_has_said_who_we_are() -> None:
    """Our own workspace unknown: fail closed, whatever the request claims."""
    assert refused(profile(BOB), team="").reason is Reason.OTHER_WORKSPACE
    assert refused(profile(BOB), team="", clicked_in="").reason is Reason.OTHER_WORKSPACE


def test_who_is_on_no_list_is_no_reviewer() -> None:
    """Membership of the workspace is not enough."""
    sentence = "You are not on the list of reviewers, so no decision was recorded."
    assert refused(profile(DAVE)) == Refused(Reason.NOT_A_REVIEWER, sentence)


def test_a_name_that_only_begins_alike_is_another_person() -> None:
    """Ids are compared whole."""
    assert refused(profile("U0ALIC")).reason is Reason.NOT_A_REVIEWER
    assert refused(profile("u0alice")).reason is Reason.NOT_A_REVIEWER


def under(**lists: tuple[str, ...]) -> Policy:
    return policy(reviewers=lists.get("reviewers", ()), leads=lists.get("leads"))


ENTITLED = [
    (under(reviewers=(BOB,)), NOBODY, False),
    (under(reviewers=(GROUP,)), {GROUP: frozenset({BOB})}, False),
    (under(reviewers=(BOB,), leads=(CAROL,)), NOBODY, False),
    (under(reviewers=(BOB,), leads=(BOB,)), NOBODY, True),
    (under(reviewers=(CAROL,), leads=(BOB,)), NOBODY, True),
    (under(reviewers=(CAROL,), leads=(LEAD_GROUP,)), {LEAD_GROUP: frozenset({BOB})}, True),
    (under(reviewers=(GROUP,), leads=(LEAD_GROUP,)), {GROUP: frozenset({BOB}), LEAD_GROUP: frozenset()}, False),
]


@pytest.mark.parametrize(("rules", "members", "lead"), ENTITLED)
def test_who_is_entitled(rules: Policy, members: dict[str, frozenset[str]], lead: bool) -> None:
    """By id or by group; a lead is a reviewer too, and only LEADS makes one."""
    within = frozenset(group for group, ids in members.items() if BOB in ids)
    expected = Person(BOB, "Bob", "bob@example.org", lead, member_of=within)
    assert entitle(profile(BOB), TEAM, TEAM, rules, members) == expected


@pytest.mark.parametrize("email", ["bob@example.org", "Bob@Example.ORG"])
def test_an_address_is_a_name_too(email: str) -> None:
    """Reviewers and leads may be named by the e-mail address of their Slack profile, in any case."""
    person = entitle(profile(BOB), TEAM, TEAM, under(reviewers=(CAROL,), leads=(email,)), NOBODY)
    assert isinstance(person, Person)
    assert person.lead


def test_whom_a_named_group_holds_may_decide() -> None:
    """Members of the policy's own groups are reviewers, though no lead."""
    rules = replace(under(reviewers=(CAROL,)), named={"python": Principals.of((GROUP,))})
    person = entitle(profile(BOB), TEAM, TEAM, rules, {GROUP: frozenset({BOB})})
    assert isinstance(person, Person)
    assert (person.lead, person.among(rules.named["python"])) == (False, True)


def test_leaving_the_group_ends_the_standing() -> None:
    """Only current members count."""
    left = entitle(profile(BOB), TEAM, TEAM, under(reviewers=(GROUP,)), {GROUP: frozenset({ALICE})})
    assert isinstance(left, Refused)


def test_lists_are_sorted_by_what_each_name_is() -> None:
    """Users, enterprise users, groups and tokens; the groups of both lists must be known to judge a person."""
    sorted_names = Principals.of(("U1", "W2", "S3", "token:ci"))
    assert sorted_names == Principals(frozenset({"U1", "W2"}), frozenset({"S3"}), frozenset({"ci"}))
    assert policy(reviewers=("U1", GROUP), leads=(LEAD_GROUP,)).groups == {GROUP, LEAD_GROUP}
    assert policy(reviewers=("U1",)).groups == frozenset()
