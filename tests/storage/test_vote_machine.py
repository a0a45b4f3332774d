"""Whatever is pushed is in force, was shown, and was approved by enough distinct people, none of whom is behind it.

Hypothesis plays people, tokens, an operator and a program with access to the tables, in any order, and keeps its own
account of who saw and approved what.
"""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from bot.domain.apv import Severity, Submission, digest
from bot.domain.decisions import Decision
from bot.domain.policy import MachineAccount, Policy, Principals, Rule
from bot.domain.review import AWAITING, Accepted, Choice, Review, Status
from bot.domain.tokens import ApiToken
from bot.service import audit, decisions, emergency, pulls, queries, submissions
from bot.service.decisions import Asker
from bot.service.gate import Gate
from bot.service.people import ApiCaller, TokenOwner
from bot.service.submissions import Submitter
from storage.database import Database
from tests.builders import ALICE, BOB, CAROL, DAVE, PATCH, WHY, Workspace, apv, asker, gate, profile, push, run

T = TypeVar("T")

PEOPLE = (ALICE, BOB, CAROL, DAVE)
GROUP = "S0REVIEW"
OWNED = {"ann": ALICE, "ben": BOB}
MACHINE = "ci"
NEEDS = {Severity.CRITICAL: (2, 2), Severity.HIGH: (1, 1), Severity.MEDIUM: (2, 1), Severity.LOW: (1, 1)}
"""Approvals, and how many of them must be people's."""
RULES = Policy(
    reviewers=Principals.of((GROUP,)),
    leads=Principals.of((CAROL,)),
    review_channel="C0REVIEW",
    incident_channel="C0INCIDENT",
    rules={severity: Rule(approvals=n, humans=humans, minutes=600) for severity, (n, humans) in NEEDS.items()},
    machines=(MachineAccount("patch-bot", Principals.of((DAVE,))),),
    tokens=tuple(
        ApiToken(name, owner, frozenset({"submit", "decide"}), f"{number:064x}")
        for number, (name, owner) in enumerate({**OWNED, MACHINE: None}.items())
    ),
)
PATCHES = (PATCH, PATCH.replace("3.1.3", "3.1.4"))
SUBMITTERS: dict[str, tuple[Submitter, str]] = {
    "alice": (Submitter(ALICE), ALICE),
    "bob": (Submitter(BOB), BOB),
    "ann": (Submitter("ann", ("token:ann", ALICE)), ALICE),
    "patch-bot": (Submitter("patch-bot"), DAVE),
    "scanner": (Submitter("scanner"), "nobody"),
}
"""Who submits, and the person behind it."""
REPORTERS: dict[str | None, str] = {
    None: "nobody", "Bob <bob+scan@example.org>": BOB, "<@U0CAROL>": CAROL, "b\u00f6b@example.org": "nobody",
}  # fmt: skip
SWAPS = (
    "patch_content = patch_content || E'\\n'",
    "repository = 'sample/other'",
    "wargame_verdict = 'success'",
    "votes = '[]'",
    "status = 'approved', closed_at = now()",
    "authors = '[]'",
    f"patch_content = '{PATCHES[1]}', digest = '{{digest}}'",
    "severity = 'low'",
)
REPORTS = st.tuples(
    st.sampled_from(sorted(SUBMITTERS)), st.sampled_from(list(REPORTERS)), st.sampled_from(Severity), st.integers(0, 1)
)
NUMBERS = count()
EXAMPLES = int(os.environ.get("VOTE_MACHINE_EXAMPLES", "100"))


@dataclass
class Account:
    """What the machine itself knows of one review."""

    approvals: dict[str, str] = field(default_factory=dict)
    """By voter: the digest that they approved, of the version in force."""
    behind: set[str] = field(default_factory=set)
    version: int = 0
    patch: str | None = None
    swapped: bool = False


class Voting(RuleBasedStateMachine):
    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        super().__init__()
        self.runner = runner
        self.people = Workspace(groups={GROUP: frozenset(PEOPLE[:3])})
        self.gate: Gate = gate(database, rules=RULES, people=self.people, repositories=frozenset({"sample/shop"}))
        self.package = f"package-{next(NUMBERS)}"
        self.accounts: dict[UUID, Account] = {}
        self.newest: Review | None = None

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def entitled(self) -> set[str]:
        return {p for p in self.people.groups[GROUP] | {CAROL} if not self.people.people[p].deleted}

    @initialize(report=REPORTS)
    def begin(self, report: tuple[str, str | None, Severity, int]) -> None:
        self.submit(report)

    @rule(report=REPORTS)
    def submit(self, report: tuple[str, str | None, Severity, int]) -> None:
        """Submit the APV, for the first time, again, or changed."""
        by, reporter, severity, patch = report
        content = apv(package_name=self.package, severity=severity, patch_diff=PATCHES[patch], reporter=reporter)
        submitter, person = SUBMITTERS[by]
        (receipt,) = self.do(submissions.submit(self.gate, [Submission(content)], submitter))
        review = receipt.dossier.review
        account = self.accounts.setdefault(review.id, Account())
        if review.version != account.version:
            stands = account.patch == PATCHES[patch]
            account.behind = (account.behind if stands else set()) | {person, REPORTERS[reporter]}
            account.version, account.patch, account.approvals, account.swapped = (
                review.version,
                PATCHES[patch],
                {},
                False,
            )
        self.newest = review

    def judged(self, who: Asker, key: str, choice: Choice, on: Review) -> None:
        decision = Decision(choice=choice, justification=WHY, digest=on.digest, version=on.version)
        before = self.entitled() | {f"token:{MACHINE}"}
        outcome = self.do(decisions.decide(self.gate, who, on.id, decision))
        account = self.accounts[on.id]
        if not isinstance(outcome, Accepted):
            return
        assert key in before, "somebody who may not decide decided"
        assert not account.swapped, "content that nobody was shown was decided on"
        if choice is Choice.APPROVE:
            assert key not in account.behind, "somebody approved what they are behind"
            account.approvals[key] = on.digest
        # Whoever may no longer vote when somebody completes the quorum counts no longer.
        left = {vote.person for vote in outcome.review.votes}
        account.approvals = {voter: seen for voter, seen in account.approvals.items() if voter in left}
        if outcome.review.status is Status.APPROVED:
            assert left <= before, "a quorum with somebody who may not vote"

    @rule(
        report=REPORTS,
        voters=st.permutations([*PEOPLE, *OWNED, MACHINE]),
        most=st.integers(1, 7),
        leaves=st.none() | st.sampled_from(PEOPLE),
    )
    def approve(
        self, report: tuple[str, str | None, Severity, int], voters: list[str], most: int, leaves: str | None
    ) -> None:
        """Some people and tokens try to approve what they were shown; one of them may have left after the first vote.

        Where nothing waits, something is submitted first.
        """
        self.everybody_is_back()
        if self.now().status not in AWAITING:
            self.submit(report)
        for number, voter in enumerate(voters[:most]):
            self.vote(voter, Choice.APPROVE)
            if number == 0 and leaves:
                self.deactivate(leaves, True)

    def now(self) -> Review:
        assert self.newest is not None
        dossier = self.do(queries.get(self.gate, self.newest.id))
        assert dossier is not None
        return dossier.review

    @rule(voter=st.sampled_from([*PEOPLE, *OWNED, MACHINE]), choice=st.sampled_from(Choice))
    def vote(self, voter: str, choice: Choice) -> None:
        """Somebody decides in Slack, or over the API with a token of their own or of nobody."""
        assert self.newest is not None
        if voter in PEOPLE:
            self.judged(asker(voter), voter, choice, self.newest)
        elif owner := OWNED.get(voter):
            self.judged(Asker(TokenOwner(voter, owner), "api"), owner, choice, self.newest)
        else:
            self.judged(Asker(ApiCaller(voter, voter), "api"), f"token:{voter}", choice, self.newest)

    @rule()
    def look(self) -> None:
        """The card is drawn again: people now see what stands there."""
        assert self.newest is not None
        dossier = self.do(queries.get(self.gate, self.newest.id))
        assert dossier is not None
        self.newest = dossier.review
        account = self.accounts[dossier.review.id]
        if dossier.review.version != account.version and dossier.review.digest == digest(dossier.apv):
            # The bot made a new version of what somebody swapped.
            account.version, account.approvals, account.swapped = dossier.review.version, {}, False
            account.patch = dossier.apv.patch_diff

    @rule(who=st.sampled_from(PEOPLE))
    def withdraw(self, who: str) -> None:
        assert self.newest is not None
        if isinstance(self.do(decisions.withdraw(self.gate, asker(who), self.newest.id)), Accepted):
            self.accounts[self.newest.id].approvals.pop(who, None)

    @rule(who=st.sampled_from(PEOPLE))
    def reopen(self, who: str) -> None:
        assert self.newest is not None
        if isinstance(self.do(decisions.reopen(self.gate, asker(who), self.newest.id, WHY)), Accepted):
            assert who == CAROL
            self.accounts[self.newest.id].approvals.clear()

    @rule(who=st.sampled_from(PEOPLE), deleted=st.booleans())
    def deactivate(self, who: str, deleted: bool) -> None:
        self.people.people[who] = profile(who, deleted=deleted)

    @rule(who=st.sampled_from(PEOPLE), member=st.booleans())
    def regroup(self, who: str, member: bool) -> None:
        left = self.people.groups[GROUP] - {who}
        self.people.groups[GROUP] = left | {who} if member else left

    @rule()
    def everybody_is_back(self) -> None:
        self.people.groups[GROUP] = frozenset(PEOPLE[:3])
        for who in PEOPLE:
            self.deactivate(who, False)

    @rule(who=st.sampled_from([*PEOPLE, f"token:{MACHINE}"]))
    def void(self, who: str) -> None:
        done = self.do(emergency.void_votes(self.gate, who, "Their laptop was stolen", "operator"))
        assert self.newest is not None
        if self.newest.code in done.codes:
            self.accounts[self.newest.id].approvals.pop(who, None)

    @rule(swap=st.sampled_from(SWAPS))
    def swap(self, swap: str) -> None:
        """Another program writes into the row."""
        assert self.newest is not None
        forged = digest(apv(package_name=self.package, patch_diff=PATCHES[1]))
        statement = f"UPDATE apv_reviews SET {swap.format(digest=forged)} WHERE id = '{self.newest.id}'"
        before = self.do(queries.get(self.gate, self.newest.id))
        self.do(run(self.gate.database, statement))
        after = self.do(queries.get(self.gate, self.newest.id))
        assert before is not None
        assert after is not None
        changed = before.apv != after.apv or before.review.authors != after.review.authors
        self.accounts[self.newest.id].swapped |= changed

    @rule()
    def push(self) -> None:
        """The worker pushes what is approved; this is the law."""
        for review_id, account in self.accounts.items():
            dossier = self.do(queries.get(self.gate, review_id))
            assert dossier is not None
            try:
                pushed = self.do(pulls.begin_push(self.gate, push(dossier.review)))
            except pulls.NotAllowed:
                continue
            if pushed is None:
                continue
            content = pushed.dossier.apv
            approvals, humans = NEEDS[content.severity]
            voters = {approval.reviewer_key for approval in pushed.approvals}
            people = {voter for voter in voters if voter in PEOPLE}
            assert not account.swapped, "swapped content was pushed"
            assert pushed.dossier.review.version == account.version
            assert all(account.approvals.get(voter) == digest(content) for voter in voters), "not what they approved"
            assert len(people) >= humans
            assert len(people) + min(len(voters - people), approvals - humans) >= approvals
            assert people.isdisjoint(account.behind), "pushed with the approval of somebody behind it"

    def teardown(self) -> None:
        self.push()


def test_whatever_is_pushed_was_approved_by_people_who_may(database_url: str) -> None:
    """In any order of submissions, votes from Slack and tokens, departures, voids and writes of other programs."""
    with asyncio.Runner() as runner:
        database = Database(database_url)
        try:
            run_state_machine_as_test(
                lambda: Voting(runner, database),  # type: ignore[arg-type] # hypothesis calls it, type or not
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=20,
                    deadline=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
            assert runner.run(audit.verify(gate(database))).faults == ()
        finally:
            runner.run(database.close())
