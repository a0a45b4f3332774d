"""Votes, escalations and machines that another program forges in the tables complete no quorum."""

from dataclasses import replace

from bot.domain.apv import Severity
from bot.domain.decisions import Decision
from bot.domain.policy import Rule
from bot.domain.review import Choice, Outcome, Repeated, Review, Status
from bot.domain.tokens import ApiToken
from bot.service import decisions, pulls
from bot.service.decisions import Asker
from bot.service.gate import Gate
from bot.service.people import ApiCaller
from storage.database import Database
from tests.builders import ALICE, BOB, CAROL, WHY, apv, click, gate, now_of, policy, push, run, submit

VOTE = f"""
UPDATE apv_reviews SET votes = jsonb_build_array(jsonb_build_object(
    'person', '{BOB}', 'name', 'Bob', 'at', now(), 'lead_after_escalation', false, 'human', true))
"""
DECISION = f"""
INSERT INTO hitl_decisions (
    id, apv_id, apv_code, decision, reviewer_name, reviewer_key, source, digest, version)
SELECT gen_random_uuid(), id, apv_code, 'approve', 'Bob', '{BOB}', 'slack', digest, version FROM apv_reviews
"""


async def pushes(opened: Gate, review: Review) -> bool:
    return await pulls.begin_push(opened, push(await now_of(opened, review))) is not None


async def test_a_forged_vote_with_its_decision_completes_no_quorum(database: Database) -> None:
    """The tables accept a decision that nobody made; the record does not tell of it, so nothing is pushed."""
    opened = gate(database)
    review = (await submit(opened, apv(severity=Severity.CRITICAL))).review
    await run(database, VOTE, DECISION)
    await click(opened, ALICE, review)
    assert not await pushes(opened, review)


async def test_a_machine_stays_a_machine_whatever_its_vote_says(database: Database) -> None:
    """Two people are needed; a token whose vote was made a person's is none of them."""
    tokens = tuple(ApiToken(f"ci{n}", None, frozenset({"decide"}), f"{n:064x}") for n in range(2))
    needs = {severity: Rule(approvals=3, humans=2, minutes=600) for severity in Severity}
    opened = gate(database, rules=replace(policy(), rules=needs, tokens=tokens))
    review = (await submit(opened)).review

    async def calls(token: str) -> Outcome | Repeated:
        approval = Decision(choice=Choice.APPROVE, justification=WHY, digest=review.digest)
        return await decisions.decide(opened, Asker(ApiCaller(token, token), "api"), review.id, approval)

    await calls("ci0")
    await run(database, "UPDATE apv_reviews SET votes = jsonb_set(votes, '{0,human}', 'true')")
    await calls("ci1")
    await click(opened, ALICE, review)
    assert (await now_of(opened, review)).status is Status.PENDING
    assert not await pushes(opened, review)


async def test_an_escalation_that_is_erased_from_the_row_still_needs_a_lead(database: Database) -> None:
    """The record tells of it, so what others approve is not pushed."""
    opened = gate(database, rules=policy(leads=(CAROL,)))
    review = (await submit(opened)).review
    await click(opened, BOB, review, Choice.ESCALATE)
    erased = "escalated_at = NULL, escalated_by = NULL, escalated_by_name = NULL"
    await run(database, f"UPDATE apv_reviews SET status = 'pending', {erased}")
    await click(opened, ALICE, review)
    assert not await pushes(opened, review)
