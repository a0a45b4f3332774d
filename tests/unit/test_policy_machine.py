"""No review is approved without what the policy asks for, whatever people, time and the policy do meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.domain import claims, contents, decisions
from bot.domain.apv import WargameVerdict
from bot.domain.auto import Origin, approved_by_policy
from bot.domain.decisions import Decision
from bot.domain.patch import ChangeKind, FileChange
from bot.domain.people import Person
from bot.domain.policy import Policy
from bot.domain.review import AWAITING, Accepted, Choice, Outcome, Review, Status
from bot.policies.reading import Around, read
from tests.builders import ALICE, BOB, CAROL, DAVE, NOW, WHY, apv, decide, person, review

PEOPLE = (ALICE, BOB, CAROL, DAVE)
TOKENS = ("token:ci", "token:cd")
MACHINE = "renovate[bot]"
QUIET = (NOW + timedelta(hours=10), NOW + timedelta(hours=20))
FREEZE = f'[[freeze]]\nname = "Quiet"\nbegins = {QUIET[0].isoformat()}\nends = {QUIET[1].isoformat()}\n'
TEXT = """
[people]
reviewers = ["{alice}", "{bob}", "{carol}", "{dave}"]
leads = ["{carol}"]
[groups]
python = ["S0PY"]
ops = ["S0OPS", "{bob}"]
[severity.high]
approvals = {approvals}
humans = {humans}
groups = {groups}
[[route]]
groups = {more}
[[rule]]
paths = ["src/**"]
approvals = 3
humans = 1
groups = {more}
[[rule]]
machine = true
humans = 2
[[machine]]
account = "Renovate[Bot]"
owners = ["S0OPS"]
"""
CODE = (FileChange("src/app.py", ChangeKind.CHANGED),)
FILES = st.sampled_from([(FileChange("a.txt", ChangeKind.CHANGED),), CODE, None])
"""Of a patch that no rule on paths is about, of one that a rule is, and of one that cannot be read."""
CLAUSES = st.sampled_from([[], [["python"]], [["ops"]], [["python", "ops"]], [["leads"]], [["python"], ["ops"]]])
POLICIES = st.builds(
    lambda approvals, machines, groups, more, frozen: read(
        TEXT.format(
            alice=ALICE,
            bob=BOB,
            carol=CAROL,
            dave=DAVE,
            approvals=approvals,
            humans=max(approvals - machines, 0),
            groups=groups,
            more=more,
        )
        + (FREEZE if frozen else ""),
        Around((), (), "C1", "C2"),
    ),
    st.integers(1, 3),
    st.integers(0, 2),
    CLAUSES,
    CLAUSES,
    st.booleans(),
)


TURNS: Mapping[str, Callable[[Review, Person, datetime], Outcome]] = {
    "claim": lambda review, who, _now: claims.claim(review, who),
    "unclaim": lambda review, who, _now: claims.unclaim(review, who),
    "reassign": lambda review, who, _now: claims.reassign(review, who, person(BOB)),
    "snooze": lambda review, who, now: claims.snooze(review, who, 2, "Waiting for the vendor.", now),
    "wake": lambda review, who, _now: claims.wake(review, who),
}
"""What people do with a review besides deciding it. None of it is a vote."""
WITHDRAW = "withdraw"


class Governing(RuleBasedStateMachine):
    """People decide, groups and policy change, time passes; a separate ledger records what an approval is based on."""

    policy: Policy
    now: datetime

    @initialize(policy=POLICIES, files=FILES, reporter=st.sampled_from([None, ALICE, MACHINE, "bob@example.org"]))
    def begin(self, policy: Policy, files: tuple[FileChange, ...] | None, reporter: str | None) -> None:
        self.policy, self.now = policy, NOW
        self.review = review(reporter=reporter, files=files)
        self.within: dict[str, frozenset[str]] = dict.fromkeys((*PEOPLE, *TOKENS), frozenset())
        self.ledger: list[tuple[str, frozenset[str], bool]] = []
        """Accepted approvals: who, the user groups that they were in, and whether it was frozen then."""
        self.closed_under: Policy | None = None

    @rule(policy=POLICIES)
    def change_the_policy(self, policy: Policy) -> None:
        self.policy = policy

    @rule()
    def change_the_content(self) -> None:
        if contents.takes_new_content(self.review):
            self.review = contents.revise(replace(self.review, version=self.review.version + 1)).review
            self.ledger.clear()
            self.closed_under = None

    @rule(
        who=st.sampled_from([*PEOPLE, *TOKENS]),
        what=st.sampled_from([*[Choice.APPROVE] * 8, Choice.ESCALATE, *[WITHDRAW] * 3, *TURNS]),
        within=st.sampled_from([frozenset(), frozenset({"S0PY"}), frozenset({"S0OPS"})]),
        hours=st.sampled_from([0, 0, 6]),
    )
    def act(self, who: str, what: Choice | str, within: frozenset[str], hours: int) -> None:
        # A token is in no user group of Slack's.
        self.within[who] = frozenset() if who in TOKENS else within
        self.now += timedelta(hours=hours)
        human = who not in TOKENS
        by: Person = replace(person(who, lead=who == CAROL), member_of=self.within[who], human=human)
        if isinstance(what, Choice):
            self.decide(who, by, what)
        elif what == WITHDRAW:
            self.withdraw(who, by)
        else:
            self.take_a_turn(by, TURNS[what])

    def decide(self, who: str, by: Person, choice: Choice) -> None:
        decision = Decision(choice=choice, justification=WHY, digest=self.review.digest)
        outcome = decide(self.review, by, decision, self.policy, opens_pulls=True, now=self.now)
        if not isinstance(outcome, Accepted):
            return
        self.review = outcome.review
        if choice is Choice.APPROVE:
            frozen = self.policy.frozen(self.review, self.now) is not None
            self.ledger.append((who, self.within[who], frozen))
            owner = self.review.reporter == MACHINE and "S0OPS" in self.within[who]
            assert not owner, "an owner approved what their machine proposed"
        if self.review.status is Status.APPROVED:
            self.closed_under = self.policy

    def withdraw(self, who: str, by: Person) -> None:
        outcome = decisions.withdraw(self.review, by, self.policy)
        if isinstance(outcome, Accepted):
            self.review = outcome.review
            self.ledger = [entry for entry in self.ledger if entry[0] != who]

    def take_a_turn(self, by: Person, turn: Callable[[Review, Person, datetime], Outcome]) -> None:
        outcome = turn(self.review, by, self.now)
        if isinstance(outcome, Accepted):
            assert (outcome.review.votes, outcome.review.status) == (self.review.votes, self.review.status)
            self.review = outcome.review

    @rule(seldom=st.integers(0, 19))
    def let_it_expire(self, seldom: int) -> None:
        if seldom == 0 and self.review.status in AWAITING:
            self.review = replace(self.review, status=Status.EXPIRED, closed_at=self.now)

    @rule()
    def the_policy_alone_approves_nothing_that_it_does_not_name(self) -> None:
        reported = apv(wargame_verdict=WargameVerdict.SUCCESS, wargame_confidence=1.0)
        origin = Origin("scanner")
        assert approved_by_policy(self.review, reported, self.policy, origin, opens_pulls=True, now=self.now) is None

    def asked_of(self, policy: Policy) -> tuple[int, int]:
        """The approvals, and the people among them, that the file's severity and rules ask for."""
        high, files = policy.rules[self.review.severity], self.review.files
        asked = [(high.approvals, high.humans or 0)]
        asked += [(3, 1)] if files is None or files == CODE else []
        asked += [(2, 2)] if files is None or self.review.reporter == MACHINE else []
        return max(approvals for approvals, _ in asked), max(people for _, people in asked)

    @invariant()
    def an_approval_rests_on_what_the_policy_asked_for(self) -> None:
        if self.closed_under is None:
            assert self.review.status is not Status.APPROVED
            return
        counted = [entry for entry in self.ledger if entry[0] != self.review.escalated_by or entry[0] == CAROL]
        asked = self.closed_under
        approvals, people = self.asked_of(asked)
        voted = {who for who, _, _ in counted}
        assert len(voted) >= approvals
        assert len(voted.difference(TOKENS)) >= people
        assert not any(frozen for _, _, frozen in self.ledger)
        stands_for = {
            "python": any("S0PY" in within for _, within, _ in counted),
            "ops": any("S0OPS" in within or who == BOB for who, within, _ in counted),
            "leads": any(who == CAROL for who, _, _ in counted),
        }
        for clause in asked.needs(self.review).groups:
            assert any(stands_for[name] for name in clause), clause
        reporter = self.review.reporter
        assert not any(reporter in {who, person(who).email} for who, _, _ in self.ledger)


TestNothingIsApprovedWithoutWhatThePolicyAsksFor = pytest.mark.long(Governing.TestCase)
TestNothingIsApprovedWithoutWhatThePolicyAsksFor.settings = settings(
    max_examples=150, stateful_step_count=20, deadline=None
)
