"""Voters who may no longer vote, votes that operators void, rejected reviews that leads reopen, and pauses."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.apv import Severity
from bot.domain.decisions import Decision
from bot.domain.people import DirectoryUnavailable
from bot.domain.policy import MachineAccount, Principals
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted, Choice, Review, Status
from bot.service import audit, decisions, emergency, pulls
from bot.service.decisions import Asker
from bot.service.gate import Gate
from bot.service.people import TokenOwner
from storage.database import Database
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    WHY,
    Clock,
    Workspace,
    apv,
    asker,
    click,
    gate,
    log,
    now_of,
    policy,
    profile,
    push,
    queued,
    rows,
    submit,
)  # fmt: skip

CRITICAL = apv(severity=Severity.CRITICAL)


async def withdrawn(database: Database) -> list[tuple[str, bool]]:
    """Each approval's voter, and whether it no longer counts."""
    made = await rows(database, "SELECT * FROM hitl_decisions WHERE decision = 'approve' ORDER BY reviewer_key")
    return [(row["reviewer_key"], row["withdrawn_at"] is not None) for row in made]


LEFT = {
    "deactivated": {"deleted": True},
    "made a guest": {"is_guest": True},
    "moved to another workspace": {"team_id": "T0OTHER"},
}


@pytest.mark.parametrize("change", LEFT.values(), ids=LEFT)
async def test_nobody_completes_a_quorum_with_somebody_who_has_left(
    database: Database, change: dict[str, object]
) -> None:
    """Their vote is void, that is told, and one more person is needed."""
    people = Workspace()
    opened = gate(database, people=people)
    review = (await submit(opened, CRITICAL)).review
    await click(opened, ALICE, review)
    people.people[ALICE] = profile(ALICE, **change)
    outcome = await click(opened, BOB, review)
    assert isinstance(outcome, Accepted)
    now = await now_of(opened, review)
    assert (now.status, [vote.person for vote in now.votes]) == (Status.PENDING, [BOB])
    assert await withdrawn(database) == [(ALICE, True), (BOB, False)]
    assert (await log(database, review))[-2:] == ["decision.voided", "decision.approve"]
    assert "slack.alert" in await queued(database)
    await click(opened, CAROL, review)
    assert (await now_of(opened, review)).status is Status.APPROVED
    begun = await pulls.begin_push(opened, push(await now_of(opened, review)))
    assert begun is not None
    assert [approval.reviewer_name for approval in begun.approvals] == ["Bob", "Carol"]


async def test_somebody_who_is_taken_off_the_list_counts_no_longer(database: Database) -> None:
    """The policy has changed since they voted."""
    rules = [policy()]
    opened = replace(gate(database), policy=lambda: rules[0])
    review = (await submit(opened, CRITICAL)).review
    await click(opened, ALICE, review)
    rules[0] = policy(reviewers=(BOB, CAROL))
    await click(opened, BOB, review)
    assert [vote.person for vote in (await now_of(opened, review)).votes] == [BOB]


async def test_a_voter_whose_account_turns_out_to_have_reported_it_counts_no_longer(database: Database) -> None:
    """The policy names the owner of the machine account only after their vote."""
    rules = [policy()]
    opened = replace(gate(database), policy=lambda: rules[0])
    review = (await submit(opened, CRITICAL, by="patch-bot")).review
    await click(opened, ALICE, review)
    rules[0] = replace(policy(), machines=(MachineAccount("patch-bot", Principals.of((ALICE,))),))
    await click(opened, BOB, review)
    assert [vote.person for vote in (await now_of(opened, review)).votes] == [BOB]


async def test_without_an_answer_about_an_earlier_voter_nothing_is_recorded(database: Database) -> None:
    """Slack answers for the one who clicks, but not for the other voter."""

    class Half(Workspace):
        async def profile(self, user_id: str) -> object:  # type: ignore[override] # raises, or what its base returns
            if user_id == ALICE and self.away:
                raise DirectoryUnavailable
            return self.people.get(user_id)

    people = Half()
    opened = gate(database, people=people)
    review = (await submit(opened, CRITICAL)).review
    await click(opened, ALICE, review)
    people.away = True
    with pytest.raises(DirectoryUnavailable):
        await click(opened, BOB, review)
    assert [vote.person for vote in (await now_of(opened, review)).votes] == [ALICE]
    assert await log(database, review) == ["review.submitted", "decision.approve"]


async def test_two_who_complete_a_quorum_at_once_are_counted_once_each(database: Database) -> None:
    """Each is judged on the votes that stand when its turn comes."""
    opened = gate(database)
    review = (await submit(opened, CRITICAL)).review
    await click(opened, ALICE, review)
    outcomes = await asyncio.gather(*[click(opened, user, review) for user in (BOB, CAROL)])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted", "Refused"]
    assert len((await now_of(opened, review)).votes) == 2


async def void(opened: Gate, principal: str) -> tuple[list[str], list[str]]:
    done = await emergency.void_votes(opened, principal, "The account was taken over", "operator")
    return [*done.codes], [*done.too_late]


@pytest.mark.parametrize("principal", [ALICE, "Alice@Example.org"])
async def test_all_votes_of_a_person_are_voided(database: Database, principal: str) -> None:
    """On open reviews, and on approved ones whose push has not begun; what has begun is named."""
    opened = gate(database)
    open_, approved, pushed, other = [
        (await submit(opened, replace(CRITICAL if n == 0 else apv(), package_name=f"p{n}"))).review for n in range(4)
    ]
    for review in (open_, approved, pushed):
        await click(opened, ALICE, review)
    await click(opened, BOB, other)
    await pulls.begin_push(opened, push(pushed))
    assert await void(opened, principal) == ([open_.code, approved.code], [pushed.code])
    for review in (open_, approved):
        now = await now_of(opened, review)
        assert (now.status, now.votes, now.closed_at) == (Status.PENDING, (), None)
        assert (await log(database, review))[-1] == "decision.voided"
        assert await pulls.begin_push(opened, push(now)) is None
    assert (await now_of(opened, pushed)).status is Status.APPROVED
    assert len((await now_of(opened, other)).votes) == 1
    assert await void(opened, principal) == ([], [pushed.code])
    await click(opened, BOB, approved)
    assert await pulls.begin_push(opened, push(await now_of(opened, approved))) is not None
    assert (await audit.verify(opened)).faults == ()


async def test_addresses_that_differ_in_another_letter_than_an_ascii_one_are_two_people(database: Database) -> None:
    """Contract, section 6. The database's locale must not make them one."""
    people = Workspace()
    opened = gate(database, people=people)
    for user, email in ((ALICE, "\u00c9lise@example.org"), (BOB, "\u00e9lise@example.org")):
        people.people[user] = profile(user, email=email)
    review = (await submit(opened, CRITICAL)).review
    await click(opened, ALICE, review)
    assert await void(opened, "\u00e9lise@Example.org") == ([], [])
    assert await void(opened, "\u00c9LISE@example.org") == ([review.code], [])


async def test_void_votes_of_an_escalated_review_leave_it_escalated(database: Database) -> None:
    """A lead is still needed."""
    opened = gate(database, rules=policy(leads=(CAROL,)))
    review = (await submit(opened)).review
    await click(opened, ALICE, review, Choice.ESCALATE)
    await click(opened, CAROL, review)
    assert (await now_of(opened, review)).status is Status.APPROVED
    await void(opened, CAROL)
    assert (await now_of(opened, review)).status is Status.ESCALATED


LED = policy(leads=(CAROL,))


async def rejected(opened: Gate) -> Review:
    review = (await submit(opened, CRITICAL)).review
    await click(opened, ALICE, review)
    await click(opened, BOB, review, Choice.REJECT)
    return review


async def test_a_lead_reopens_what_was_rejected(database: Database) -> None:
    """It is voted on again from the beginning: former approvals are void, and the deadline starts again."""
    opened = gate(database, rules=LED)
    review = await rejected(opened)
    outcome = await decisions.reopen(opened, asker(CAROL), review.id, WHY)
    assert isinstance(outcome, Accepted)
    now = await now_of(opened, review)
    assert (now.status, now.votes, now.closed_at, now.version) == (Status.PENDING, (), None, review.version)
    assert (now.asked_at, now.due_at) == (opened.now(), opened.now() + timedelta(minutes=240))
    assert await withdrawn(database) == [(ALICE, True)]
    for user in (ALICE, BOB):
        assert isinstance(await click(opened, user, now), Accepted)
    assert await pulls.begin_push(opened, push(await now_of(opened, review))) is not None


async def test_only_a_lead_reopens_and_only_what_was_rejected(database: Database) -> None:
    """With a reason, and not where a later review of the same APV took its place."""
    clock = Clock()
    opened = gate(database, rules=LED, clock=clock)
    review = await rejected(opened)
    for who, why, reason in (
        (ALICE, WHY, Reason.NOT_A_LEAD),
        (DAVE, WHY, Reason.NOT_A_REVIEWER),
        (CAROL, "no", Reason.JUSTIFICATION),
    ):
        outcome = await decisions.reopen(opened, asker(who), review.id, why)
        assert isinstance(outcome, Refused)
        assert outcome.reason is reason
    clock.advance(minutes=1)
    later = (await submit(opened, replace(CRITICAL, cve_title="Changed"))).review
    for on, reason in ((later, Reason.NOT_REJECTED), (review, Reason.CLOSED)):
        outcome = await decisions.reopen(opened, asker(CAROL), on.id, WHY)
        assert isinstance(outcome, Refused)
        assert outcome.reason is reason


async def test_while_pushes_are_paused_nothing_is_pushed(database: Database) -> None:
    """Approvals are still recorded, and the push follows once pushes go on; both are in the audit log and told."""
    opened = gate(database)
    review = (await submit(opened)).review
    assert await emergency.pause_pushes(opened, "Token leaked", "operator")
    assert not await emergency.pause_pushes(opened, "Again", "operator"), "already paused"
    await click(opened, ALICE, review)
    with pytest.raises(pulls.PushesPaused, match="Token leaked"):
        await pulls.begin_push(opened, push(review))
    assert (await now_of(opened, review)).pr_branch is None
    assert await emergency.resume_pushes(opened, "Rotated", "operator")
    assert not await emergency.resume_pushes(opened, "Again", "operator")
    assert await pulls.begin_push(opened, push(review)) is not None
    told = await rows(database, "SELECT kind FROM audit_log WHERE apv_id IS NULL ORDER BY seq")
    assert [row["kind"] for row in told] == ["pushes.paused", "pushes.resumed"]
    assert (await queued(database)).count("slack.alert") == 2
    assert (await audit.verify(opened)).faults == ()


async def test_a_row_names_a_repository_that_is_not_allowed(database: Database) -> None:
    """Another program inserted it; nothing is pushed there, whoever approved it."""
    opened = gate(database, repositories=frozenset({"sample/other"}))
    review = (await submit(replace(opened, repositories=frozenset()))).review
    await click(opened, ALICE, review)
    with pytest.raises(pulls.NotAllowed):
        await pulls.begin_push(opened, push(review))


AUTHORS = [
    ({"cve_title": "Worse than it looked"}, (ALICE, BOB)),
    ({"patch_diff": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"}, (BOB,)),
    ({"patch_diff": None}, (BOB,)),
]


@pytest.mark.parametrize(("change", "barred"), AUTHORS)
async def test_every_author_of_the_content_in_force_is_barred(
    database: Database, change: dict[str, str | None], barred: tuple[str, ...]
) -> None:
    """Somebody else's resubmission frees nobody whose patch or evidence still stands."""
    opened = gate(database)
    await submit(opened, by=ALICE)
    review = (await submit(opened, apv(**change), by=BOB)).review
    for user in barred:
        outcome = await click(opened, user, review)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.OWN_REPORT
    anybody = next(user for user in (ALICE, CAROL) if user not in barred)
    assert isinstance(await click(opened, anybody, review), Accepted)


async def test_the_reporter_and_the_submitter_are_barred(database: Database) -> None:
    """A report in somebody else's name makes its submitter no stranger to it."""
    opened = gate(database)
    review = (await submit(opened, apv(reporter="bob@example.org"), by=ALICE)).review
    assert review.authors == ("bob@example.org", ALICE)
    for user in (ALICE, BOB):
        outcome = await click(opened, user, review)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.OWN_REPORT
    assert isinstance(await click(opened, CAROL, review), Accepted)


EVIL = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


async def test_the_author_of_content_that_comes_back_is_barred(database: Database) -> None:
    """Others submitted something else, then the same patch again: whoever wrote it first is still behind it."""
    opened = gate(database)
    await submit(opened, by=ALICE)
    await submit(opened, apv(patch_diff=EVIL), by="scan")
    review = (await submit(opened, by="scan")).review
    outcome = await click(opened, ALICE, review)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.OWN_REPORT


@pytest.mark.parametrize("closed_by", [Choice.REJECT, Choice.APPROVE])
async def test_the_author_of_a_patch_is_barred_in_the_review_that_follows(
    database: Database, closed_by: Choice
) -> None:
    """A scanner tells the same patch again under another title, after the first review was rejected or pushed."""
    opened = gate(database, clock=(clock := Clock()))
    first = (await submit(opened, by=ALICE)).review
    await click(opened, BOB, first, closed_by)
    await pulls.begin_push(opened, push(first))
    clock.advance(minutes=1)
    review = (await submit(opened, apv(cve_title="Told again"), by="scan")).review
    assert review.code != first.code
    outcome = await click(opened, ALICE, review)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.OWN_REPORT


async def test_voiding_a_token_voids_what_its_owner_approved_with_it(database: Database) -> None:
    """The vote is recorded as the owner's, and an operator knows the name of the token that leaked."""
    opened = gate(database)
    review = (await submit(opened, CRITICAL)).review
    caller = Asker(TokenOwner("alice-ci", ALICE), "api", request={"token": "alice-ci"})
    approval = Decision(choice=Choice.APPROVE, justification=WHY, digest=review.digest)
    assert isinstance(await decisions.decide(opened, caller, review.id, approval), Accepted)
    assert await void(opened, "token:alice-ci") == ([review.code], [])
    assert (await now_of(opened, review)).votes == ()


async def test_a_reopened_review_is_due_by_the_severity_that_rules_go_by(database: Database) -> None:
    """Stated low with a critical vector: four hours, as when it arrived."""
    opened = gate(database, rules=LED)
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    review = (await submit(opened, apv(severity=Severity.LOW, cvss_vector=vector))).review
    await click(opened, ALICE, review, Choice.REJECT)
    await decisions.reopen(opened, asker(CAROL), review.id, WHY)
    assert (await now_of(opened, review)).due_at == review.due_at
