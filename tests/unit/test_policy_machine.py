"""Whatever a policy asks for, and however it changes meanwhile: nothing is approved without it."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.domain import review as rules
from bot.domain.access import Person
from bot.domain.apv import WargameVerdict
from bot.domain.auto import approved_by_policy
from bot.domain.outcome import Accepted
from bot.domain.policy import Policy
from bot.domain.review import Choice, Decision, Status
from bot.policies.reading import Around, read
from tests.builders import ALICE, BOB, CAROL, DAVE, NOW, WHY, apv, person, review

PEOPLE = (ALICE, BOB, CAROL, DAVE)
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
groups = {groups}
[[route]]
groups = {more}
[[machine]]
account = "Renovate[Bot]"
owners = ["S0OPS"]
"""
CLAUSES = st.sampled_from([[], [["python"]], [["ops"]], [["python", "ops"]], [["leads"]], [["python"], ["ops"]]])
POLICIES = st.builds(
    lambda approvals, groups, more, frozen: read(
        TEXT.format(alice=ALICE, bob=BOB, carol=CAROL, dave=DAVE, approvals=approvals, groups=groups, more=more)
        + (FREEZE if frozen else ""),
        Around((), (), "C1", "C2"),
    ),
    st.integers(1, 3),
    CLAUSES,
    CLAUSES,
    st.booleans(),
)


class Governing(RuleBasedStateMachine):
    """People decide, groups and policy change, time goes by; a ledger kept apart says what an approval rests on."""

    policy: Policy
    now: datetime

    @initialize(policy=POLICIES, reporter=st.sampled_from([None, ALICE, MACHINE, "bob@example.org"]))
    def begin(self, policy: Policy, reporter: str | None) -> None:
        self.policy, self.now = policy, NOW
        self.review = review(reporter=reporter)
        self.within: dict[str, frozenset[str]] = dict.fromkeys(PEOPLE, frozenset())
        self.ledger: list[tuple[str, frozenset[str], bool]] = []
        """Accepted approvals: who, the user groups that they were in, and whether it was frozen then."""
        self.closed_under: Policy | None = None

    @rule(policy=POLICIES)
    def change_the_policy(self, policy: Policy) -> None:
        self.policy = policy

    @rule()
    def change_the_content(self) -> None:
        if rules.takes_new_content(self.review):
            self.review = rules.revise(replace(self.review, version=self.review.version + 1)).review
            self.ledger.clear()
            self.closed_under = None

    @rule(
        who=st.sampled_from(PEOPLE),
        choice=st.sampled_from([Choice.APPROVE] * 5 + [Choice.ESCALATE]),
        within=st.sampled_from([frozenset(), frozenset({"S0PY"}), frozenset({"S0OPS"})]),
        hours=st.sampled_from([0, 0, 6]),
    )
    def decide(self, who: str, choice: Choice, within: frozenset[str], hours: int) -> None:
        self.within[who] = within
        self.now += timedelta(hours=hours)
        by: Person = replace(person(who, lead=who == CAROL), member_of=self.within[who])
        decision = Decision(choice=choice, justification=WHY, digest=self.review.digest)
        outcome = rules.decide(self.review, by, decision, self.policy, opens_pulls=True, now=self.now)
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

    @rule()
    def the_policy_alone_approves_nothing_that_it_does_not_name(self) -> None:
        reported = apv(wargame_verdict=WargameVerdict.SUCCESS, wargame_confidence=1.0)
        assert approved_by_policy(self.review, reported, self.policy, opens_pulls=True, now=self.now) is None

    @invariant()
    def an_approval_rests_on_what_the_policy_asked_for(self) -> None:
        if self.closed_under is None:
            assert self.review.status is not Status.APPROVED
            return
        counted = [entry for entry in self.ledger if entry[0] != self.review.escalated_by or entry[0] == CAROL]
        asked = self.closed_under
        assert len({who for who, _, _ in counted}) >= asked.rules[self.review.severity].approvals
        assert not any(frozen for _, _, frozen in self.ledger)
        stands_for = {
            "python": any("S0PY" in within for _, within, _ in counted),
            "ops": any("S0OPS" in within or who == BOB for who, within, _ in counted),
            "leads": any(who == CAROL for who, _, _ in counted),
        }
        for clause in asked.groups_for(self.review):
            assert any(stands_for[name] for name in clause), clause
        reporter = self.review.reporter
        assert not any(reporter in {who, person(who).email} for who, _, _ in self.ledger)


TestNothingIsApprovedWithoutWhatThePolicyAsksFor = Governing.TestCase
TestNothingIsApprovedWithoutWhatThePolicyAsksFor.settings = settings(
    max_examples=250, stateful_step_count=20, deadline=None
)
