"""The rules that a policy file brings: groups in a quorum, machine accounts, freezes, and approval without a person."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.apv import Apv, PatchStrategy, Severity, WargameVerdict
from bot.domain.auto import Origin, approved_by_policy
from bot.domain.decisions import Decision, tally
from bot.domain.explanation import explain
from bot.domain.patch import ChangeKind, FileChange
from bot.domain.people import Person
from bot.domain.policy import Policy
from bot.domain.quorum import Tally
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted, Choice, Outcome, Review, Status
from bot.policies.check import problems
from bot.policies.doubts import warnings
from bot.policies.reading import Around, read
from tests.builders import ALICE, BOB, CAROL, DAVE, DIGEST, NOW, apv, decide, person, review

AROUND = Around((ALICE, BOB, CAROL), (), "C0REVIEW", "C0INCIDENT")
GROUPS = (
    f'[groups]\npython = ["{ALICE}", "S0PY"]\nruby = ["bob@example.org"]\n[people]\nleads = ["{CAROL}", "token:ci"]\n'
)


def policy(text: str, *, groups: bool = True) -> Policy:
    return read((GROUPS if groups else "") + text, AROUND)


def approve(on: Review, by: Person, under: Policy) -> Outcome:
    decision = Decision(choice=Choice.APPROVE, digest=DIGEST)
    return decide(on, by, decision, under, opens_pulls=True, now=NOW)


def approved(under: Policy, *people: Person) -> Review:
    on = review()
    for one in people:
        outcome = approve(on, one, under)
        assert isinstance(outcome, Accepted), outcome
        on = outcome.review
    return on


TALLIES = [
    (Tally(1, 2), "1 of 2 approvals", False),
    (Tally(1, 1), "1 of 1 approval", True),
    (Tally(1, 2, lead_missing=True), "1 of 2 approvals; a lead is still needed", False),
    (Tally(1, 1, missing=(("python",),)), "1 of 1 approval; a member of python is still needed", False),
    (Tally(1, 1, missing=(("python", "ruby"),)), "1 of 1 approval; a member of python or ruby is still needed", False),
    (Tally(0, 1, missing=(("ruby", "leads"),)), "0 of 1 approval; a member of ruby or a lead is still needed", False),
    (Tally(1, 2, True, (("leads",),)), "1 of 2 approvals; a lead is still needed", False),
    (
        Tally(1, 2, True, (("python",), ("ruby",))),
        "1 of 2 approvals; a lead, a member of python and a member of ruby are still needed",
        False,
    ),
]


@pytest.mark.parametrize(("count", "sentence", "met"), TALLIES)
def test_a_tally_explains_itself(count: Tally, sentence: str, met: bool) -> None:
    """How many, of how many, and who is still needed."""
    assert (count.sentence, count.met) == (sentence, met)


MACHINE_LEAD = Person("token:ci", "ci", None, lead=True, human=False)
BOTH, EITHER = '[severity.high]\ngroups = ["python", "ruby"]', '[severity.high]\ngroups = [["python", "ruby"]]'
QUORUMS = [
    (BOTH, [person(ALICE)], "1 of 1 approval; a member of ruby is still needed"),
    (BOTH, [person(ALICE), person(BOB)], None),
    (EITHER, [person(CAROL)], "1 of 1 approval; a member of python or ruby is still needed"),
    (EITHER, [person(BOB)], None),
    ('[severity.high]\ngroups = ["leads"]', [person(ALICE)], "1 of 1 approval; a lead is still needed"),
    ('[severity.high]\ngroups = ["leads"]', [person(CAROL, lead=True)], None),
    ('[severity.high]\nhumans = 0\ngroups = ["leads"]', [MACHINE_LEAD], None),
    ('[severity.high]\ngroups = ["python"]', [replace(person(DAVE), member_of=frozenset({"S0PY"}))], None),
    ('[severity.high]\ngroups = ["python"]', [Person("claimed:S0PY", "S0PY", None, lead=False)],
     "1 of 1 approval; a member of python is still needed"),
    ("[severity.high]\napprovals = 2", [person(ALICE)], "1 of 2 approvals"),
    ('[[route]]\npackage = ["other"]\ngroups = ["python"]\n[[route]]\ngroups = ["ruby"]', [person(ALICE)],
     "1 of 1 approval; a member of ruby is still needed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "people", "waits"), QUORUMS)
def test_a_quorum_asks_for_groups(text: str, people: list[Person], waits: str | None) -> None:
    """Every clause of severity and route, by id, user group, e-mail or token; a claimed name is none."""
    under = policy(text)
    on = approved(under, *people)
    if waits is None:
        assert on.status is Status.APPROVED
    else:
        assert (on.status, tally(on, under).sentence) == (Status.PENDING, waits)


def test_a_vote_stands_for_the_groups_of_its_time() -> None:
    """Leaving a group later takes nothing away; joining a required group lets the same person vote once more."""
    under = policy('[severity.high]\napprovals = 2\ngroups = ["python"]')
    on = approved(under, person(BOB))
    again = approve(on, person(BOB), under)
    assert isinstance(again, Refused)
    assert again.reason is Reason.ALREADY_VOTED
    joined = approve(on, replace(person(BOB), member_of=frozenset({"S0PY"})), under)
    assert isinstance(joined, Accepted)
    assert tally(joined.review, under) == Tally(1, 2, people=1, humans=2)


MACHINE = f'[[machine]]\naccount = "Renovate[bot]"\nowners = ["S0PY", "bob@example.org", "{ALICE}", "token:ci"]'
OWNERS = [
    (person(ALICE), True),
    (person(BOB), True),
    (replace(person(DAVE), member_of=frozenset({"S0PY"})), True),
    (MACHINE_LEAD, True),
    (Person("claimed:Bob@example.org", "Bob", "Bob@example.org", lead=False, verified=False), True),
    (Person("claimed:ann", "ann", None, lead=False, verified=False), False),
    (person(CAROL), False),
    (replace(person(CAROL), tokens=frozenset({"cd", "ci"})), True),
    (replace(person(CAROL), tokens=frozenset({"cd"})), False),
]


@pytest.mark.parametrize("reporter", ["renovate[bot]", "Renovate[bot]"])
@pytest.mark.parametrize(("who", "owns"), OWNERS)
def test_an_owner_does_not_approve_what_the_machine_proposed(who: Person, owns: bool, reporter: str) -> None:
    """By id, e-mail (claimed too), user group or token; they may reject it, and approve what others reported."""
    under = policy(MACHINE)
    outcome = approve(review(reporter=reporter), who, under)
    assert (isinstance(outcome, Refused) and outcome.reason is Reason.OWN_MACHINE) is owns
    assert isinstance(approve(review(reporter="nightly"), who, under), Accepted) is who.human
    rejection = Decision(choice=Choice.REJECT, justification="Not like this, please.", digest=DIGEST)
    assert isinstance(decide(review(reporter=reporter), who, rejection, under, opens_pulls=True, now=NOW), Accepted)


FREEZE = '[[freeze]]\nname = "Quiet"\nbegins = 2026-03-04T00:00:00Z\nends = 2026-03-05T00:00:00Z\nseverity = ["high"]'


def test_a_freeze_refuses_approvals_alone() -> None:
    """Within the window and its scope; with its name and end."""
    under = policy(FREEZE)
    refused = approve(review(), person(ALICE), under)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.FROZEN
    assert refused.sentence.startswith("Approvals are frozen until 2026-03-05 00:00 UTC (Quiet).")
    assert isinstance(approve(review(severity=Severity.LOW), person(ALICE), under), Accepted)
    decision = Decision(choice=Choice.APPROVE, digest=DIGEST)
    later = decide(review(), person(ALICE), decision, under, opens_pulls=True, now=NOW + timedelta(days=1))
    assert isinstance(later, Accepted)


AUTO = '[auto_approval]\nenabled = true\nsubmitter = ["scan*"]\nseverity = ["high"]'
GOOD = apv(wargame_verdict=WargameVerdict.SUCCESS, wargame_confidence=0.95)
NOT_AUTOMATIC: list[tuple[str, Mapping[str, object]]] = [
    ("", {}),
    (AUTO.replace("true", "false"), {}),
    (AUTO.replace("high", "low"), {}),
    (AUTO.replace("scan*", "nightly"), {}),
    (AUTO + '\npackage = ["flask"]', {}),
    (AUTO + "\n" + FREEZE, {}),
    (AUTO, {"kev": True}),
    (AUTO, {"severity_assumed": True}),
    (AUTO, {"patch_diff": None}),
    (AUTO, {"patch_strategy": PatchStrategy.CODE_REWRITE}),
    (AUTO, {"wargame_verdict": None}),
    (AUTO, {"wargame_verdict": WargameVerdict.PARTIAL}),
    (AUTO, {"wargame_confidence": 0.89}),
    (AUTO, {"wargame_confidence": None}),
    (AUTO, {"validation_passed": False}),
]


PINS = (FileChange("requirements.txt", ChangeKind.CHANGED, insertions=1, deletions=1),)
SCANNER = Origin("token:scanner")


def automatically(text: str, given: Apv, on: Review | None = None, origin: Origin = SCANNER) -> Accepted | None:
    """The outcome for a report of the token `scanner`, and its review."""
    names = {
        name: getattr(given, name) for name in ("package_name", "package_ecosystem", "repository", "patch_strategy")
    }
    on = replace(on or review(files=PINS, severity=given.severity), **names)
    return approved_by_policy(on, given, policy(text), origin, opens_pulls=True, now=NOW)


def test_what_a_policy_approves_by_itself() -> None:
    """Everything holds: approved, with the policy named in place of a person."""
    outcome = automatically(AUTO, GOOD)
    assert outcome is not None
    assert outcome.review.status is Status.APPROVED
    assert outcome.events[0].sentence.startswith(
        f"APV-2026-0007 was approved by policy {policy(AUTO).digest[:8]}, without a person"
    )


@pytest.mark.parametrize(("text", "changes"), NOT_AUTOMATIC)
def test_one_condition_that_fails_leaves_it_to_people(text: str, changes: dict[str, object]) -> None:
    """Off by default, and narrow when on."""
    assert automatically(text, replace(GOOD, **changes)) is None  # type: ignore[arg-type] # each names its field


def test_an_escalation_is_for_people() -> None:
    """A review that somebody escalated is not approved automatically when its content changes."""
    assert automatically(AUTO, GOOD, review(status=Status.ESCALATED, files=PINS)) is None


CHECKS = [
    ("", {}, []),
    ("[severity.low]\napprovals = 4", {}, ["severity.low: needs 4 approvals, but at most 3 people may approve"]),
    ('[groups]\nx = ["S0X"]\n[severity.low]\napprovals = 4', {}, []),
    ('[groups]\nx = ["S0X"]\n[severity.low]\napprovals = 6', {"S0X": 2},
     ["severity.low: needs 6 approvals, but at most 5 people may approve"]),
    ('[groups]\nx = ["S0X"]\n[severity.low]\ngroups = ["x"]', {"S0X": 0},
     ["groups.x: user group S0X has no members, or Slack does not know it",
      "severity.low.groups: needs a member of x, but there is nobody"]),
    ('[people]\nleads = ["S0X"]\n[[route]]\ngroups = ["leads"]', {"S0X": 0},
     ["people.leads: user group S0X has no members, or Slack does not know it",
      "route.1.groups: needs a lead, but there is nobody"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sizes", "found"), CHECKS)
def test_a_quorum_that_nobody_reaches_is_found(text: str, sizes: dict[str, int], found: list[str]) -> None:
    """Before the policy applies: too few people, an empty group."""
    assert problems(policy(text, groups=False), sizes.get) == found


def test_where_names_are_claimed_any_number_may_approve() -> None:
    """`API_AUTH=none` asks nobody who they are; a group still needs its members."""
    text = '[groups]\nx = ["S0X"]\n[severity.low]\napprovals = 4\ngroups = ["x"]'
    assert problems(policy(text, groups=False), {"S0X": 0}.get, open_api=True) == [
        "groups.x: user group S0X has no members, or Slack does not know it",
        "severity.low.groups: needs a member of x, but there is nobody",
    ]


def test_what_is_probably_not_meant_is_warned_of() -> None:
    """Leads required but not named; a route that never applies; an escalation before the APV arrives."""
    text = (
        '[severity.low]\ngroups = ["leads"]\nminutes = 60\n[[severity.low.escalation]]\nbefore = 90\nto = ["leads"]\n'
        '[[route]]\npackage = ["a"]\n[[route]]\npackage = ["a"]\n'
    )
    assert [line.partition(":")[0] for line in warnings(policy(text, groups=False))] == [
        "groups", "route.2", "severity.low.escalation",
    ]  # fmt: skip


def test_an_explanation_names_each_demand_and_its_place() -> None:
    """So the reader finds the line of the file."""
    under = policy(
        f'{BOTH}\njustification = true\n[[route]]\npackage = ["*"]\nchannel = "C0X"\ngroups = ["leads"]\n{MACHINE}'
    )
    said = [f"{what} {sentence}".strip() for what, sentence in explain(review(reporter="renovate[bot]"), under, NOW)]
    for line in (
        "needs 1 approval (severity.high.approvals)",
        "a member of python among them (severity.high.groups)",
        "a lead among them (route.1.groups)",
        "a justification with each approval (severity.high.justification)",
        "has 0 of 1 approval; a member of python, a member of ruby and a lead are still needed",
        "not by renovate[bot], who reported it",
        "S0PY, U0ALICE, bob@example.org, token:ci, who own that account (machine.1.owners)",
        "channel C0X (route.1.channel)",
        f"policy {under.digest}",
    ):
        assert line in said, said
