"""Explains what a review needs: each requirement of the policy with its key in the file."""

from collections.abc import Iterator
from datetime import UTC, datetime

from bot.domain.decisions import tally
from bot.domain.policy import Policy
from bot.domain.quorum import demand, whom
from bot.domain.review import AWAITING, Review, Status
from bot.domain.spelling import same


def explain(review: Review, policy: Policy, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield a name and a sentence for each rule of the policy that applies to this review."""
    rule, route, needs = policy.rule_for(review), policy.route(review), policy.needs(review)
    place = f"severity.{policy.severity_of(review)}"
    number = policy.routes.index(route) + 1 if route else 0
    yield (
        "review",
        f"{review.code}, {review.severity}, {review.status.value.replace('_', ' ')}, version {review.version}",
    )
    if stricter := policy.severity_words(review):
        yield "severity", f"{stricter} (severity_from)"
    yield "needs", f"{rule.approvals} approval{'s' if rule.approvals > 1 else ''} ({place}.approvals)"
    if rule.people < rule.approvals:
        yield "", f"{rule.people} of them by people ({place}.humans)"
    for clause in rule.groups:
        yield "", f"{whom(clause)} among them ({place}.groups)"
    for clause in route.groups if route else ():
        yield "", f"{whom(clause)} among them (route.{number}.groups)"
    if rule.justification:
        yield "", f"a justification with each approval ({place}.justification)"
    for held in needs.held:
        yield "", f"{demand(held.rule)}: {held.why} (rule {held.rule.name})"
    if needs.held:
        people = f", {needs.humans} of them by people" if needs.humans < needs.approvals else ""
        yield "", f"so {needs.approvals} approval{'s' if needs.approvals > 1 else ''} in all{people}"
    if review.status is Status.ESCALATED:
        yield "", f"a lead, because {review.escalated_by_name} escalated it"
    given = ", ".join(vote.name for vote in review.votes)
    yield "has", f"{tally(review, policy).sentence}{f': {given}' if given else ''}"
    yield from _kept_out(review, policy)
    if review.due_at is not None:
        yield (
            "deadline",
            f"{review.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({place}.deadline is {rule.deadline.value})",
        )
    if review.status in AWAITING and (frozen := policy.frozen_words(review, now)):
        yield "frozen", frozen
    chosen = f"route.{number}.channel" if route and route.channel else "SLACK_REVIEW_CHANNEL"
    yield "channel", f"{policy.channel_for(review)} ({chosen})"
    yield "decides", ", ".join(policy.deciders.names) or "nobody"
    yield "leads", ", ".join(policy.leads.names) if policy.leads else "any reviewer but the one who escalated"
    yield "policy", policy.digest


def _kept_out(review: Review, policy: Policy) -> Iterator[tuple[str, str]]:
    for author in dict.fromkeys(review.written_by):
        yield "not by", f"{author}, who {'reported' if author == review.reporter else 'submitted'} it"
        for index, machine in enumerate(policy.machines, 1):
            if same((machine.account,), (author,)):
                yield "", f"{', '.join(machine.owners.names)}, who own that account (machine.{index}.owners)"
