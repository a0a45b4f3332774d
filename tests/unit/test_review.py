"""The rules of a review: who may decide what in which state, with which sentence, and what can never happen."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain import claims, contents, decisions
from bot.domain.apv import Severity
from bot.domain.decisions import Decision
from bot.domain.events import Event, Kind
from bot.domain.people import Person, entitle
from bot.domain.policy import Policy, Rule
from bot.domain.refusal import Reason, Refused
from bot.domain.review import AWAITING, Accepted, Choice, Hold, Outcome, Review, Status, Vote
from tests.builders import ALICE, BOB, CAROL, DAVE, DIGEST, NOW, TEAM, WHY, decide, person, policy, profile, review

APPROVE, REJECT, MODIFY, ESCALATE = Choice.APPROVE, Choice.REJECT, Choice.MODIFY, Choice.ESCALATE
CLOSED = [s for s in Status if s not in AWAITING]
LATER = NOW + timedelta(minutes=5)
LED = policy(leads=(CAROL,))
"""LEADS names Carol."""


def decided(
    on: Review, by: Person, choice: Choice, under: Policy | None = None, *, digest: str | None = DIGEST
) -> Outcome:
    decision = Decision(choice=choice, justification=WHY, digest=digest)
    return decide(on, by, decision, under or policy(), opens_pulls=True, now=LATER)


def becomes(outcome: Outcome) -> Review:
    assert isinstance(outcome, Accepted), outcome
    return outcome.review


def refusal(outcome: Outcome) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome


def escalated(by: str = BOB, *votes: Vote, **changes: object) -> Review:
    who = person(by)
    return review(
        status=Status.ESCALATED, escalated_by=by, escalated_by_name=who.name, escalated_at=NOW, votes=votes, **changes
    )


def vote(of: str, *, after: bool = False) -> Vote:
    return Vote(of, person(of).name, NOW, lead_after_escalation=after)


# Who may do what while a decision is awaited: LEADS, who, whether Bob has escalated, choice, what comes of it.
PENDING, RAISED = False, True
MAY = [
    (None, ALICE, PENDING, APPROVE, Status.APPROVED),
    (None, ALICE, PENDING, REJECT, Status.REJECTED),
    (None, ALICE, PENDING, MODIFY, Status.CHANGES_REQUESTED),
    (None, ALICE, PENDING, ESCALATE, Status.ESCALATED),
    (None, ALICE, RAISED, APPROVE, Status.APPROVED),
    (None, ALICE, RAISED, REJECT, Status.REJECTED),
    (None, ALICE, RAISED, MODIFY, Status.CHANGES_REQUESTED),
    (None, ALICE, RAISED, ESCALATE, Reason.ALREADY_ESCALATED),
    (None, BOB, RAISED, APPROVE, Reason.NOT_A_LEAD),
    (None, BOB, RAISED, REJECT, Reason.NOT_A_LEAD),
    (None, BOB, RAISED, MODIFY, Reason.NOT_A_LEAD),
    (None, BOB, RAISED, ESCALATE, Reason.ALREADY_ESCALATED),
    ((CAROL,), ALICE, PENDING, APPROVE, Status.APPROVED),
    ((CAROL,), CAROL, PENDING, APPROVE, Status.APPROVED),
    ((CAROL,), ALICE, PENDING, REJECT, Status.REJECTED),
    ((CAROL,), CAROL, PENDING, ESCALATE, Status.ESCALATED),
    ((CAROL,), CAROL, RAISED, APPROVE, Status.APPROVED),
    ((CAROL,), CAROL, RAISED, REJECT, Status.REJECTED),
    ((CAROL,), CAROL, RAISED, MODIFY, Status.CHANGES_REQUESTED),
    ((CAROL,), CAROL, RAISED, ESCALATE, Reason.ALREADY_ESCALATED),
    ((CAROL,), ALICE, RAISED, APPROVE, Reason.NOT_A_LEAD),
    ((CAROL,), ALICE, RAISED, REJECT, Reason.NOT_A_LEAD),
    ((CAROL,), ALICE, RAISED, MODIFY, Reason.NOT_A_LEAD),
    ((CAROL,), BOB, RAISED, APPROVE, Reason.NOT_A_LEAD),
    ((BOB,), BOB, RAISED, APPROVE, Status.APPROVED),
    ((BOB,), BOB, RAISED, REJECT, Status.REJECTED),
    ((BOB,), BOB, RAISED, MODIFY, Status.CHANGES_REQUESTED),
]


@pytest.mark.parametrize(("leads", "who", "raised", "choice", "expected"), MAY)
def test_who_may_decide_what(
    leads: tuple[str, ...] | None, who: str, raised: bool, choice: Choice, expected: Status | Reason
) -> None:
    """While pending every reviewer decides; once escalated only a lead, who is any other reviewer without LEADS."""
    by = person(who, lead=leads is not None and who in leads)
    outcome = decided(escalated(BOB) if raised else review(), by, choice, policy(leads=leads))
    assert (outcome.reason if isinstance(outcome, Refused) else outcome.review.status) == expected


@pytest.mark.parametrize("choice", [APPROVE, REJECT, MODIFY])
def test_a_machine_is_a_lead_only_by_name(choice: Choice) -> None:
    """Where no leads are named, any person but the escalator closes an escalation, and a machine does not."""
    machine = Person(key="token:ci", name="ci", email=None, lead=False, human=False)
    assert refusal(decided(escalated(BOB), machine, choice)).reason is Reason.NOT_A_LEAD
    outcome = decided(escalated(BOB), replace(machine, lead=True), choice, policy(leads=("token:ci",)))
    if choice is APPROVE:
        assert refusal(outcome).reason is Reason.MACHINE, "only a person's approval counts"
    else:
        assert isinstance(outcome, Accepted)


@pytest.mark.parametrize("choice", Choice)
@pytest.mark.parametrize("status", CLOSED)
def test_a_closed_review_takes_no_decision(status: Status, choice: Choice) -> None:
    """Nobody can decide it any more."""
    for by in (person(ALICE), person(CAROL, lead=True)):
        assert refusal(decided(review(status=status), by, choice, LED)).reason is Reason.CLOSED


@pytest.mark.parametrize("choice", Choice)
@pytest.mark.parametrize("on", [review(), escalated(BOB)], ids=["pending", "escalated"])
def test_a_decision_on_other_content_is_stale(on: Review, choice: Choice) -> None:
    """The person saw other content than the current one, so nothing is decided."""
    for by in (person(ALICE), person(CAROL, lead=True)):
        assert refusal(decided(on, by, choice, LED, digest="e2" * 32)).reason is Reason.STALE


def test_a_decision_without_a_digest_is_for_what_is_in_force() -> None:
    """A program may leave the digest out."""
    assert becomes(decided(review(), person(ALICE), APPROVE, digest=None)).status is Status.APPROVED


@pytest.mark.parametrize("status", CLOSED)
def test_a_closed_review_says_closed_before_stale(status: Status) -> None:
    """Reading the new content would not help."""
    outcome = decided(review(status=status), person(ALICE), APPROVE, digest="e2" * 32)
    assert refusal(outcome).reason is Reason.CLOSED


OWN = [
    ALICE,
    "u0alice",
    "alice@example.org",
    "ALICE@Example.Org",
]


@pytest.mark.parametrize("reporter", OWN)
@pytest.mark.parametrize("on", [review(), escalated(BOB)], ids=["pending", "escalated"])
def test_nobody_approves_what_they_reported(on: Review, reporter: str) -> None:
    """Matched by Slack id and e-mail, without case; a lead is no exception."""
    for by in (person(ALICE), person(ALICE, lead=True)):
        under = policy(leads=(ALICE,)) if by.lead else policy()
        assert refusal(decided(replace(on, reporter=reporter), by, APPROVE, under)).reason is Reason.OWN_REPORT


@pytest.mark.parametrize("reporter", ["ci-bot", "CI-Bot", "token:ci-bot"])
def test_a_token_does_not_approve_what_it_reported(reporter: str) -> None:
    """A token is known by its name, with or without the prefix of its key; nor does its owner approve that."""
    token = Person(key="token:ci-bot", name="ci-bot", email=None, lead=False, human=False)
    owner = replace(person(ALICE), tokens=frozenset({"ci-bot", "other"}))
    for by in (token, owner):
        assert refusal(decided(review(reporter=reporter), by, APPROVE)).reason is Reason.OWN_REPORT


@pytest.mark.parametrize(("choice", "status"), [(REJECT, "rejected"), (MODIFY, "changes_requested")])
def test_a_reporter_may_stop_their_own_report(choice: Choice, status: str) -> None:
    """Only approving needs somebody else."""
    assert becomes(decided(review(reporter=ALICE), person(ALICE), choice)).status == status


@pytest.mark.parametrize("reporter", [None, "", "alice", "U0ALICE2", BOB])
def test_others_are_not_the_reporter(reporter: str | None) -> None:
    """A similar name keeps nobody from approving."""
    assert becomes(decided(review(reporter=reporter), person(ALICE), APPROVE)).status is Status.APPROVED


def critical(**changes: object) -> Review:
    return review(severity=Severity.CRITICAL, **changes)


def test_critical_needs_two_people() -> None:
    """The first approval is counted, the second closes the vote."""
    first = becomes(decided(critical(), person(ALICE), APPROVE))
    assert (first.status, first.closed_at) == (Status.PENDING, None)
    second = becomes(decided(first, person(BOB), APPROVE))
    assert (second.status, second.closed_at) == (Status.APPROVED, LATER)
    assert [v.person for v in second.votes] == [ALICE, BOB]


def test_each_person_counts_once() -> None:
    """A second approval of the same person is refused, and one of two stays one of two."""
    first = becomes(decided(critical(), person(ALICE), APPROVE))
    again = refusal(decided(first, person(ALICE), APPROVE))
    assert again.reason is Reason.ALREADY_VOTED


def test_whoever_approved_may_still_reject_or_escalate() -> None:
    """A person may change their mind after approving."""
    first = becomes(decided(critical(), person(ALICE), APPROVE))
    assert becomes(decided(first, person(ALICE), REJECT)).status is Status.REJECTED
    assert becomes(decided(first, person(ALICE), ESCALATE)).status is Status.ESCALATED


@pytest.mark.parametrize("severity", Severity)
def test_how_many_approvals_each_severity_needs(severity: Severity) -> None:
    """Built in: two for critical, one for the rest; a justification for none."""
    needed = 2 if severity is Severity.CRITICAL else 1
    assert decisions.tally(review(severity=severity), policy()).needed == needed
    bare = Decision(choice=APPROVE)
    outcome = decide(review(severity=severity), person(ALICE), bare, policy(), opens_pulls=True, now=NOW)
    assert len(becomes(outcome).votes) == 1


def test_the_escalators_earlier_approval_does_not_count() -> None:
    """Bob approved and then escalated: the lead's approval is the first that counts, not the second."""
    one = becomes(decided(critical(), person(BOB), APPROVE, LED))
    raised = becomes(decided(one, person(BOB), ESCALATE, LED))
    count = decisions.tally(raised, LED)
    assert (count.have, count.lead_missing) == (0, True)
    closing = becomes(decided(raised, person(CAROL, lead=True), APPROVE, LED))
    assert closing.status is Status.ESCALATED
    assert decisions.tally(closing, LED).sentence == "1 of 2 approvals"


def test_earlier_approvals_of_others_count() -> None:
    """Alice approved, Bob escalated: with the lead's there are two."""
    one = becomes(decided(critical(), person(ALICE), APPROVE, LED))
    raised = becomes(decided(one, person(BOB), ESCALATE, LED))
    assert decisions.tally(raised, LED).sentence == "1 of 2 approvals; a lead is still needed"
    assert becomes(decided(raised, person(CAROL, lead=True), APPROVE, LED)).status is Status.APPROVED


def test_a_lead_who_approved_before_votes_again_after() -> None:
    """The escalation asks for a vote given after it, and one person still counts once."""
    one = becomes(decided(critical(), person(CAROL, lead=True), APPROVE, LED))
    raised = becomes(decided(one, person(BOB), ESCALATE, LED))
    again = becomes(decided(raised, person(CAROL, lead=True), APPROVE, LED))
    assert again.status is Status.ESCALATED
    assert again.votes == (Vote(CAROL, "Carol", LATER, lead_after_escalation=True),)
    assert decisions.tally(again, LED).sentence == "1 of 2 approvals"
    assert refusal(decided(again, person(CAROL, lead=True), APPROVE, LED)).reason is Reason.ALREADY_VOTED


def test_enough_approvals_do_not_close_an_escalation_without_a_lead() -> None:
    """Two others had approved before a third person escalated: a lead's vote is still asked for."""
    before = (vote(ALICE), vote(DAVE))
    raised = escalated(BOB, *before, severity=Severity.CRITICAL)
    assert not decisions.tally(raised, LED).met
    assert becomes(decided(raised, person(CAROL, lead=True), APPROVE, LED)).status is Status.APPROVED


def test_a_named_lead_closes_their_own_escalation() -> None:
    """LEADS names Carol, so her vote after her own escalation counts."""
    raised = becomes(decided(review(), person(CAROL, lead=True), ESCALATE, LED))
    assert becomes(decided(raised, person(CAROL, lead=True), APPROVE, LED)).status is Status.APPROVED


def test_a_single_reviewer_cannot_close_their_escalation_without_leads() -> None:
    """With LEADS unset the one who escalated is nobody's lead."""
    raised = becomes(decided(review(), person(ALICE), ESCALATE))
    assert refusal(decided(raised, person(ALICE), APPROVE)).reason is Reason.NOT_A_LEAD


def revised(on: Review, digest: str = "e2" * 32) -> Review:
    return contents.revise(replace(on, digest=digest, version=on.version + 1)).review


def test_changed_content_voids_the_votes() -> None:
    """Both approvals are needed again, from any two people."""
    one = becomes(decided(critical(), person(ALICE), APPROVE))
    changed = revised(one)
    assert (changed.status, changed.votes) == (Status.PENDING, ())
    again = becomes(decided(changed, person(ALICE), APPROVE, digest="e2" * 32))
    assert again.status is Status.PENDING


def test_changed_content_leaves_an_escalation_standing() -> None:
    """It still needs a lead, whose earlier vote is void too."""
    raised = becomes(decided(critical(), person(BOB), ESCALATE, LED))
    voted = becomes(decided(raised, person(CAROL, lead=True), APPROVE, LED))
    changed = revised(voted)
    assert (changed.status, changed.votes, changed.escalated_by) == (Status.ESCALATED, (), BOB)
    assert decisions.tally(changed, LED).sentence == "0 of 2 approvals; a lead is still needed"


@pytest.mark.parametrize("how", [APPROVE, MODIFY])
def test_an_escalation_that_was_closed_is_over(how: Choice) -> None:
    """After a lead closed it, changed content is pending for everyone and needs no lead."""
    closed = becomes(decided(escalated(BOB), person(CAROL, lead=True), how, LED))
    changed = revised(closed)
    assert (changed.status, changed.escalated_by, changed.escalated_at) == (Status.PENDING, None, None)
    outcome = decided(changed, person(BOB), APPROVE, LED, digest="e2" * 32)
    assert becomes(outcome).status is Status.APPROVED


TAKES = {Status.PENDING, Status.ESCALATED, Status.CHANGES_REQUESTED, Status.APPROVED}


@pytest.mark.parametrize("status", Status)
def test_where_changed_content_goes(status: Status) -> None:
    """It revises the review until a push or the end of the review; after that it opens a new one."""
    assert contents.takes_new_content(review(status=status)) is (status in TAKES)
    pushed = review(status=status, pr_branch="apv/x")
    assert contents.takes_new_content(pushed) is (status in TAKES - {Status.APPROVED})


def happened(outcome: Outcome) -> tuple[Event, ...]:
    assert isinstance(outcome, Accepted)
    return outcome.events


CODE = "APV-2026-0007"
TOLD: list[tuple[Outcome, Kind, str]] = [
    (
        decided(review(), person(ALICE), APPROVE),
        Kind.APPROVED,
        f"Alice approved {CODE}: 1 of 1 approval. The pull request is being opened.",
    ),
    (
        decided(review(has_patch=False), person(ALICE), APPROVE),
        Kind.APPROVED,
        f"Alice approved {CODE}: 1 of 1 approval. It has no patch, so there is no pull request to open.",
    ),
    (
        decide(review(), person(ALICE), Decision(choice=APPROVE), policy(), opens_pulls=False, now=LATER),
        Kind.APPROVED,
        f"Alice approved {CODE}: 1 of 1 approval. GitHub is not set up here, so there is no pull request to open.",
    ),
    (decided(critical(), person(ALICE), APPROVE), Kind.APPROVAL_RECORDED, f"Alice approved {CODE}: 1 of 2 approvals."),
    (
        decided(escalated(BOB, severity=Severity.CRITICAL), person(CAROL, lead=True), APPROVE, LED),
        Kind.APPROVAL_RECORDED,
        f"Carol approved {CODE}: 1 of 2 approvals.",
    ),
    (decided(review(), person(ALICE), REJECT), Kind.REJECTED, f"Alice rejected {CODE}: {WHY}"),
    (decided(review(), person(ALICE), MODIFY), Kind.CHANGES_REQUESTED, f"Alice asked for changes to {CODE}: {WHY}"),
    (decided(review(), person(ALICE), ESCALATE), Kind.ESCALATED, f"Alice escalated {CODE}: {WHY}"),
    (
        decide(
            review(),
            person(ALICE),
            Decision(choice=REJECT, category="Wrong fix", justification=f"  {WHY}\n"),
            policy(),
            opens_pulls=True,
            now=LATER,
        ),
        Kind.REJECTED,
        f"Alice rejected {CODE}: Wrong fix. {WHY}",
    ),
    (claims.claim(review(), person(ALICE)), Kind.CLAIMED, f"Alice claimed {CODE}."),
    (
        contents.revise(review(version=2, votes=(vote(ALICE),))),
        Kind.REVISED,
        f"{CODE} changed and is now version 2. Earlier approvals are void; please look again: Alice.",
    ),
    (
        decisions.withdraw(review(severity=Severity.CRITICAL, votes=(vote(ALICE),)), person(ALICE), policy()),
        Kind.VOTE_WITHDRAWN,
        f"Alice withdrew their approval of {CODE}: 0 of 2 approvals.",
    ),
    (contents.revise(review(version=3)), Kind.REVISED, f"{CODE} changed and is now version 3."),
]


@pytest.mark.parametrize(("outcome", "kind", "sentence"), TOLD, ids=[s for _, _, s in TOLD])
def test_what_happened_tells_itself(outcome: Outcome, kind: Kind, sentence: str) -> None:
    """One event and one sentence, which card, thread and log all print."""
    (event,) = happened(outcome)
    assert (event.kind, event.sentence) == (kind, sentence)


def test_only_a_patch_that_can_be_opened_opens_one() -> None:
    """With a patch and GitHub; the note on the card says what is missing else."""
    opened = decided(review(), person(ALICE), APPROVE)
    bare = decided(review(has_patch=False), person(ALICE), APPROVE)
    assert (becomes(opened).hold, becomes(bare).hold) == (None, Hold.NOTHING_TO_OPEN)
    assert becomes(opened).note is None
    assert becomes(bare).note == "It has no patch, so there is no pull request to open."


SAID: list[tuple[Outcome, Reason, str]] = [
    (
        decided(review(version=2), person(ALICE), APPROVE, digest="e2" * 32),
        Reason.STALE,
        f"{CODE} changed after this was shown (now version 2). Read it and decide again.",
    ),
    (
        decided(escalated(BOB), person(ALICE), ESCALATE),
        Reason.ALREADY_ESCALATED,
        f"{CODE} was already escalated by Bob.",
    ),
    (
        decided(escalated(BOB), person(BOB), APPROVE),
        Reason.NOT_A_LEAD,
        f"{CODE} is escalated: only a lead can close it now.",
    ),
    (
        decided(review(reporter=ALICE), person(ALICE), APPROVE),
        Reason.OWN_REPORT,
        f"You reported {CODE}, so somebody else must approve it.",
    ),
    (
        decided(critical(votes=(vote(ALICE),)), person(ALICE), APPROVE),
        Reason.ALREADY_VOTED,
        f"Your approval of {CODE} is already recorded: 1 of 2 approvals.",
    ),
    (
        decide(
            review(),
            person(ALICE),
            Decision(choice=REJECT, justification=" short \n"),
            policy(),
            opens_pulls=True,
            now=LATER,
        ),
        Reason.JUSTIFICATION,
        "The justification needs 10 to 3000 characters; this one has 5.",
    ),
    (
        claims.claim(review(claimed_by=ALICE, claimed_by_name="Alice"), person(ALICE)),
        Reason.CLAIMED,
        f"You have already claimed {CODE}.",
    ),
    (
        claims.claim(review(claimed_by=BOB, claimed_by_name="Bob"), person(ALICE)),
        Reason.CLAIMED,
        f"Bob has already claimed {CODE}.",
    ),
    *(
        (
            decided(review(status=status), person(ALICE), APPROVE),
            Reason.CLOSED,
            f"{CODE} is {words}: no decision is needed.",
        )
        for status, words in {
            Status.APPROVED: "already approved",
            Status.PR_OPEN: "already approved, and its pull request is open",
            Status.MERGED: "already merged",
            Status.PR_CLOSED: "closed, as its pull request was",
            Status.REJECTED: "already rejected",
            Status.CHANGES_REQUESTED: "waiting for changed content",
            Status.WITHDRAWN: "withdrawn",
            Status.EXPIRED: "expired",
        }.items()
    ),
]


@pytest.mark.parametrize(("outcome", "reason", "sentence"), SAID, ids=[s for _, _, s in SAID])
def test_a_refusal_says_why(outcome: Outcome, reason: Reason, sentence: str) -> None:
    """The exact sentence, which only the one who asked will see."""
    assert outcome == Refused(reason, sentence)


LENGTHS = [(9, False), (10, True), (3000, True), (3001, False)]


@pytest.mark.parametrize(("length", "accepted"), LENGTHS)
@pytest.mark.parametrize("choice", [REJECT, MODIFY, ESCALATE])
def test_a_justification_has_ten_to_three_thousand_characters(choice: Choice, length: int, accepted: bool) -> None:
    """Counted without the white space around it."""
    decision = Decision(choice=choice, justification=f" {'x' * length}\n\t")
    outcome = decide(review(), person(ALICE), decision, policy(), opens_pulls=True, now=NOW)
    assert isinstance(outcome, Accepted) is accepted


def test_the_older_body_may_say_anything_or_nothing() -> None:
    """Its comment is not measured."""
    decision = Decision(choice=REJECT, any_length=True)
    outcome = decide(review(), person(ALICE), decision, policy(), opens_pulls=True, now=NOW)
    assert becomes(outcome).status is Status.REJECTED


def test_a_policy_may_ask_why_of_those_who_approve() -> None:
    """Built in, it does not."""
    strict = replace(policy(), rules={s: Rule(approvals=1, minutes=60, justification=True) for s in Severity})
    bare = Decision(choice=APPROVE)
    refused = decide(review(), person(ALICE), bare, strict, opens_pulls=True, now=NOW)
    assert refusal(refused).reason is Reason.JUSTIFICATION
    assert becomes(decided(review(), person(ALICE), APPROVE, strict)).status is Status.APPROVED


@pytest.mark.parametrize("choice", Choice)
@pytest.mark.parametrize("on", [review(), escalated(BOB), review(status=Status.MERGED)])
def test_being_asked_why_is_judged_like_the_decision(on: Review, choice: Choice) -> None:
    """A person who would be refused is not asked for a justification; the others are, and nothing changes yet."""
    asked = decisions.consider(on, person(BOB), Decision(choice=choice, digest=DIGEST), policy(), now=LATER)
    made = decided(on, person(BOB), choice)
    if isinstance(made, Refused):
        assert asked == made
    else:
        assert asked is None


@pytest.mark.parametrize("status", Status)
def test_claiming(status: Status) -> None:
    """An entitled person may claim an open review once; others may still decide."""
    outcome = claims.claim(review(status=status), person(ALICE))
    if status not in AWAITING:
        assert refusal(outcome).reason is Reason.CLOSED
        return
    claimed = becomes(outcome)
    assert (claimed.claimed_by, claimed.claimed_by_name, claimed.status) == (ALICE, "Alice", status)
    assert refusal(claims.claim(claimed, person(BOB))).reason is Reason.CLAIMED
    assert isinstance(decided(claimed, person(BOB), REJECT), Accepted)


@pytest.mark.parametrize("status", Status)
def test_an_approval_is_withdrawn(status: Status) -> None:
    """By the person who gave it, while the review is open; other approvals stay, and the person may vote again."""
    voted = review(severity=Severity.CRITICAL, status=status, votes=(vote(ALICE), vote(BOB)))
    outcome = decisions.withdraw(voted, person(ALICE), policy())
    if status not in AWAITING:
        assert refusal(outcome).reason is Reason.CLOSED
        return
    left = becomes(outcome)
    assert left == replace(voted, votes=(vote(BOB),))
    again = decisions.withdraw(left, person(ALICE), policy())
    assert refusal(again) == Refused(Reason.NOT_VOTED, f"You have no approval of {CODE} to withdraw.")
    if status is Status.PENDING:
        assert becomes(decided(left, person(ALICE), APPROVE)).status is Status.APPROVED


# What no sequence can bring about: an approval without its quorum.

DIGESTS = [c * 64 for c in "abc"]
PEOPLE = [ALICE, BOB, CAROL, DAVE]
"""Dave is entitled to nothing; all the others are reviewers."""
REPORTERS = [None, "nightly", ALICE, "BOB@example.ORG", "u0carol"]


class Gatekeeping(RuleBasedStateMachine):
    """Any people act in any order; a ledger separate from the rules records what each approval is based on."""

    shown = Bundle("shown")

    def __init__(self) -> None:
        super().__init__()
        self.review = review()
        self.policy = policy()
        self.ledger: list[tuple[str, bool]] = []
        """Accepted approvals of the content in force: who, and whether while escalated."""
        self.escalator: str | None = None

    @initialize(
        target=shown,
        severity=st.sampled_from([Severity.CRITICAL, Severity.HIGH]),
        leads=st.sampled_from([None, (CAROL,), (BOB, CAROL)]),
        reporter=st.sampled_from(REPORTERS),
        digest=st.sampled_from(DIGESTS),
    )
    def report(self, severity: Severity, leads: tuple[str, ...] | None, reporter: str | None, digest: str) -> str:
        self.policy = policy(leads=leads)
        self.review = review(severity=severity, reporter=reporter, digest=digest)
        return digest

    @rule(target=shown, digest=st.sampled_from(DIGESTS), reporter=st.sampled_from(REPORTERS))
    def change(self, digest: str, reporter: str | None) -> str:
        if digest == self.review.digest:
            return digest
        if not contents.takes_new_content(self.review):
            self.review = review(severity=self.review.severity, digest=digest, reporter=reporter)
            self.escalator = None
        else:
            was = self.review.status
            new = replace(self.review, digest=digest, reporter=reporter, version=self.review.version + 1)
            self.review = contents.revise(new).review
            if was is not Status.ESCALATED:
                self.escalator = None
        self.ledger.clear()
        return digest

    @rule(who=st.sampled_from(PEOPLE), choice=st.sampled_from(Choice), digest=shown)
    def decide(self, who: str, choice: Choice, digest: str) -> None:
        self._click(who, choice, digest)

    @rule(who=st.sampled_from(PEOPLE))
    def approve_what_is_in_force(self, who: str) -> None:
        self._click(who, APPROVE, self.review.digest)

    def _click(self, who: str, choice: Choice, digest: str) -> None:
        by = entitle(profile(who), TEAM, TEAM, self.policy, {})
        if isinstance(by, Refused):
            return
        raised = self.review.status is Status.ESCALATED
        outcome = decided(self.review, by, choice, self.policy, digest=digest)
        if isinstance(outcome, Refused):
            return
        assert digest == self.review.digest, "a decision on other content was accepted"
        self.review = outcome.review
        if choice is APPROVE:
            self.ledger.append((who, raised))
        elif choice is ESCALATE:
            self.escalator = who

    @rule(who=st.sampled_from([ALICE, BOB, CAROL]))
    def withdraw(self, who: str) -> None:
        outcome = decisions.withdraw(self.review, person(who), self.policy)
        if isinstance(outcome, Refused):
            return
        self.review = outcome.review
        self.ledger = [(voter, raised) for voter, raised in self.ledger if voter != who]

    @precondition(lambda self: self.review.status is Status.APPROVED)
    @rule()
    def push(self) -> None:
        self.review = replace(self.review, status=Status.PR_OPEN, pr_branch="apv/x")

    @invariant()
    def an_approval_rests_on_its_quorum(self) -> None:
        if self.review.status not in {Status.APPROVED, Status.PR_OPEN}:
            return
        counted = {who for who, raised in self.ledger if raised or who != self.escalator}
        assert len(counted) >= self.policy.rules[self.review.severity].approvals
        assert counted <= {ALICE, BOB, CAROL}
        assert not any(_is(who, self.review.reporter) for who, _ in self.ledger)
        if self.escalator is not None:
            leads = {ALICE, BOB, CAROL} - {self.escalator}
            if self.policy.leads is not None:
                leads = set(self.policy.leads.users)
            assert any(raised and who in leads for who, raised in self.ledger)

    @invariant()
    def nobody_counts_twice(self) -> None:
        people = [v.person for v in self.review.votes]
        assert len(people) == len(set(people))

    @invariant()
    def a_lead_is_asked_for_only_while_escalated(self) -> None:
        if self.review.status in AWAITING:
            count = decisions.tally(self.review, self.policy)
            assert not count.met
            assert not count.lead_missing or self.review.status is Status.ESCALATED


def _is(who: str, reporter: str | None) -> bool:
    names: Sequence[str] = (who, f"{who.removeprefix('U0')}@example.org")
    return reporter is not None and reporter.lower() in {n.lower() for n in names}


TestNoSequenceApprovesWithoutItsQuorum = pytest.mark.long(Gatekeeping.TestCase)
TestNoSequenceApprovesWithoutItsQuorum.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)
