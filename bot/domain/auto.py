"""Automatic approval by the policy, without a person; off unless the policy file enables it."""

from datetime import datetime

from bot.domain.apv import Apv
from bot.domain.decisions import approved
from bot.domain.policy import Policy
from bot.domain.review import Accepted, Review, Status


def judged(came: Accepted, apv: Apv, policy: Policy, *, opens_pulls: bool, now: datetime) -> Accepted:
    """Approve a review that has just arrived or changed, if the policy does so automatically."""
    automatic = approved_by_policy(came.review, apv, policy, opens_pulls=opens_pulls, now=now)
    return Accepted(automatic.review, (*came.events, *automatic.events)) if automatic else came


def approved_by_policy(
    review: Review, apv: Apv, policy: Policy, *, opens_pulls: bool, now: datetime
) -> Accepted | None:
    """The review approved by the policy; None: people decide."""
    if review.status is not Status.PENDING or not _covered(apv, policy) or policy.frozen(review, now):
        return None
    sentence = f"{review.code} was approved by policy {policy.digest[:8]}, without a person."
    return approved(review, sentence, opens_pulls=opens_pulls, now=now)


def _covered(apv: Apv, policy: Policy) -> bool:
    auto = policy.auto
    return (
        auto.enabled
        and auto.scope.covers(apv)
        and apv.has_patch
        # A known exploited vulnerability, or one without a stated severity, is left to people.
        and not apv.kev
        and not apv.severity_assumed
        and apv.validation_passed is not False
        and apv.patch_strategy in auto.strategies
        and apv.wargame_verdict in auto.verdicts
        and (apv.wargame_confidence or 0.0) >= auto.confidence
    )
