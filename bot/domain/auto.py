"""What a policy approves by itself, without a person; nothing unless its file switches that on."""

from dataclasses import replace
from datetime import datetime

from bot.domain.apv import Apv
from bot.domain.events import Approved
from bot.domain.policy import Policy
from bot.domain.refusal import Accepted
from bot.domain.review import Review, Status, nothing_to_open


def approved_by_policy(
    review: Review, apv: Apv, policy: Policy, *, opens_pulls: bool, now: datetime
) -> Accepted | None:
    """A review that has just come or changed, approved if the policy says so; None leaves it to people."""
    if review.status is not Status.PENDING or not _covered(apv, policy) or policy.frozen(review, now):
        return None
    follows = "The pull request is being opened." if opens_pulls else nothing_to_open(review)
    sentence = f"{review.code} was approved by policy {policy.digest[:8]}, without a person. {follows}"
    note = None if opens_pulls else nothing_to_open(review)
    approved = replace(review, status=Status.APPROVED, closed_at=now, note=note)
    return Accepted(approved, (Approved(sentence, opens_pull=opens_pulls),), sentence)


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
