"""Automatic approval by the policy, without a person; off unless the policy file enables it."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.apv import Apv, PatchStrategy, Severity
from bot.domain.decisions import approved
from bot.domain.manifests import only_pins
from bot.domain.policy import Policy
from bot.domain.review import Accepted, Review, Status


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the content came from, and whether a person objected to this APV.

    `submitter`: the submitting principal, None when unknown. `objected`: a person rejected or escalated the APV or
    asked for changes, in any version or earlier review.
    """

    submitter: str | None
    objected: bool = False


UNKNOWN = Origin(None)


def judged(came: Accepted, apv: Apv, policy: Policy, origin: Origin, *, opens_pulls: bool, now: datetime) -> Accepted:
    """Approve a review that has just arrived or changed, if the policy does so automatically."""
    automatic = approved_by_policy(came.review, apv, policy, origin, opens_pulls=opens_pulls, now=now)
    return Accepted(automatic.review, (*came.events, *automatic.events)) if automatic else came


def approved_by_policy(
    review: Review, apv: Apv, policy: Policy, origin: Origin, *, opens_pulls: bool, now: datetime
) -> Accepted | None:
    """The review approved by the policy; None: people decide."""
    if review.status is not Status.PENDING or not _covered(review, apv, policy, origin) or policy.frozen(review, now):
        return None
    sentence = f"{review.code} was approved by policy {policy.digest[:8]}, without a person."
    return approved(review, sentence, opens_pulls=opens_pulls, now=now)


def _covered(review: Review, apv: Apv, policy: Policy, origin: Origin) -> bool:
    auto = policy.auto
    return (
        auto.enabled
        and _submitted_by(origin, policy)
        and not origin.objected
        and auto.scope.covers(review, policy.severity_of(review))
        and review.strictest is not Severity.CRITICAL
        # A rule that holds leaves the decision to people.
        and not policy.needs(review).held
        and apv.has_patch
        # A known exploited vulnerability, or one without a stated severity, is left to people.
        and not review.kev
        and not apv.kev
        and not apv.severity_assumed
        and apv.validation_passed is not False
        and apv.patch_strategy in auto.strategies
        and (apv.patch_strategy is not PatchStrategy.VERSION_BUMP or only_pins(review.files))
        and apv.wargame_verdict in auto.verdicts
        and (apv.wargame_confidence or 0.0) >= auto.confidence
    )


def _submitted_by(origin: Origin, policy: Policy) -> bool:
    named, who = policy.auto.submitters, origin.submitter
    return bool(named) and who is not None and (named.matches(who) or named.matches(who.removeprefix("token:")))
