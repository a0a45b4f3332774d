"""One person in many spellings, and people who only look alike."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.people import Person, SlackProfile, entitle
from bot.domain.policy import MachineAccount, Policy, Principals
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted, Outcome
from bot.domain.tokens import ApiToken
from tests.builders import APPROVAL, TEAM, decide, policy, review

REPORTERS = Path("../shared/data/cases/reporters.json")
ALICE = Person("U01ALICE000", "Alice", "alice@example.com", lead=False, handle="alice")

HERS = (
    "alice+scan@example.com", "Alice <alice@example.com>", "mailto:alice@example.com", "alice@example.com.",
    "\u200balice@example.com", "<@U01ALICE000>", "<@U01ALICE000|alice>", "@alice", "@Alice", "ALICE@EXAMPLE.COM",
    "u01alice000", "alice\ufe0f@example.com", "al\u00adice@example.com", " alice@example.com\t", "<alice@example.com>",
    "bob@example.com, alice@example.com", '"Alice, of course" <Alice+x@Example.com>', "mailto:alice@example.com?cc=x",
    "alice@example.com\U000e0101", "U01ALICE000\u200d", "<mailto:alice@example.com|alice@example.com>",
    "Alice `alice@example.com`", "*alice@example.com*", "alice@example.com!", "reporter=alice@example.com",
)  # fmt: skip
NOT_HERS = (
    "al\u0131ce@example.com", "alice@example.org", "malice@example.com", "alice", "@alicea", "U01ALICE0001", "bob",
    "alice@example.com.evil.org", "Alice", "\uff41lice@example.com", "token:alice", "+alice@example.com", "",
)  # fmt: skip


def approves(person: Person, under: Policy, **of: object) -> Outcome:
    return decide(review(**of), person, APPROVAL, under)


@pytest.mark.parametrize("reporter", HERS, ids=ascii)
def test_nobody_approves_what_they_reported_in_any_spelling(reporter: str) -> None:
    """Slack id, mention, handle and address, whatever stands around them and whatever cannot be seen in them."""
    for of in ({"reporter": reporter}, {"reporter": "scan", "authors": ("scan", reporter)}):
        outcome = approves(ALICE, policy(), **of)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.OWN_REPORT


@pytest.mark.parametrize("reporter", NOT_HERS, ids=ascii)
def test_who_only_looks_alike_is_somebody_else(reporter: str) -> None:
    """Only ASCII letters match in any case: a dotless i, and another domain, are another person."""
    assert isinstance(approves(ALICE, policy(), reporter=reporter), Accepted)


def test_the_published_spellings_are_judged() -> None:
    """All but the last one are Alice."""
    if not REPORTERS.exists():
        pytest.skip("the published cases are not here")
    *hers, other = json.loads(REPORTERS.read_text("utf-8"))
    assert all(ALICE.wrote((name,)) for name in hers)
    assert not ALICE.wrote((other,))


def test_a_machine_account_is_found_in_any_spelling() -> None:
    """Its owner may not approve what it reported or submitted."""
    rules = Policy(
        reviewers=Principals.of(("U01ALICE000",)),
        review_channel="C1",
        incident_channel="C2",
        machines=(MachineAccount("Patch-Bot[bot]", Principals.of(("alice@example.com",))),),
    )
    for of in ({"reporter": "patch-bot[BOT]"}, {"reporter": "x", "authors": ("\u200bpatch-bot[bot]",)}):
        outcome = approves(ALICE, rules, **of)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.OWN_MACHINE


@pytest.mark.parametrize("owner", ["U01ALICE000", "alice@example.com"])
def test_the_owner_of_a_token_is_behind_what_it_submits(owner: str) -> None:
    """Named by Slack id or by address, and whoever the report names as its reporter."""
    rules = Policy(
        reviewers=Principals.of(("U01ALICE000",)),
        review_channel="C1",
        incident_channel="C2",
        tokens=(ApiToken("ci", owner, frozenset({"submit"}), "0" * 64),),
    )
    alice = entitle(SlackProfile("U01ALICE000", TEAM, "Alice", "alice@example.com"), TEAM, TEAM, rules, {})
    assert isinstance(alice, Person)
    for of in ({"reporter": "ci"}, {"reporter": "bob@example.com", "authors": ("bob@example.com", "token:ci")}):
        outcome = approves(alice, rules, **of)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.OWN_REPORT
    assert isinstance(approves(alice, rules, reporter="ci2"), Accepted)


@given(st.text(max_size=40))
def test_any_text_can_be_a_reporter(name: str) -> None:
    """Judging a name never fails, and a printable name is always itself."""
    assert Person(name, "X", None, lead=False).wrote((name,)) or not name.strip() or not name.isprintable()
