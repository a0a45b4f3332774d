"""What a policy approves automatically, without a person; nothing unless its file switches that on."""

from datetime import datetime

from bot.domain.apv import Apv
from bot.domain.decisions import approved
from bot.domain.policy import Policy
from bot.domain.review import Accepted, Review, Status


def judged(came: Accepted, apv: Apv, policy: Policy, *, opens_pulls: bool, now: datetime) -> Accepted:
    """A review that has just come or changed, also approved where the policy says so."""
    automatic = approved_by_policy(came.review, apv, policy, opens_pulls=opens_pulls, now=now)
    return Accepted(automatic.review, (*came.events, *automatic.events)) if automatic else came


def approved_by_policy(
    review: Review, apv: Apv, policy: Policy, *, opens_pulls: bool, now: datetime
) -> Accepted | None:
    """The review approved by the policy; None leaves it to people."""
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
        # Known to be exploited, or of a severity that nobody stated: that is for people to read.
        and not apv.kev
        and not apv.severity_assumed
        and apv.validation_passed is not False
        and apv.patch_strategy in auto.strategies
        and apv.wargame_verdict in auto.verdicts
        and (apv.wargame_confidence or 0.0) >= auto.confidence
    )
