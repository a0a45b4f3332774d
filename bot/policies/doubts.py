"""What a valid policy allows but is probably a mistake. Each is a warning, not a fault."""

from collections.abc import Iterator

from bot.domain.apv import PatchStrategy, Severity, WargameVerdict
from bot.domain.extra_rules import BUILT_IN_EXTRA, ExtraRule
from bot.domain.policy import LEADS, AutoApproval, Policy
from bot.domain.quorum import demand

FAILED = {WargameVerdict.FAILURE: "whose wargame failed", WargameVerdict.PARTIAL: "that stops only part of the attack"}
OPAQUE = frozenset({PatchStrategy.CODE_REWRITE, PatchStrategy.CONFIG_CHANGE, PatchStrategy.MANUAL})


def warnings(policy: Policy) -> list[str]:
    """One sentence per warning, with its place in the file."""
    return [
        *_leads(policy),
        *_routes(policy),
        *_rules(policy),
        *_steps(policy),
        *automatic(policy.auto),
        *_alone(policy),
    ]


def _leads(policy: Policy) -> Iterator[str]:
    if policy.leads is None and LEADS in policy.asked_for:
        yield (
            "groups: `leads` is required but no lead is named, so any reviewer counts as one; "
            "name leads under [people] or in LEADS"
        )


def _routes(policy: Policy) -> Iterator[str]:
    for index, route in enumerate(policy.routes, 1):
        earlier = enumerate(policy.routes[: index - 1], 1)
        if hiding := next((n for n, other in earlier if other.scope.contains(route.scope)), None):
            same = policy.routes[hiding - 1].scope == route.scope
            how = "has the same conditions" if same else "matches everything that it matches"
            lost = " and its groups need not approve" if route.groups else ""
            yield f"route.{index}: route.{hiding} {how}, so this route never applies{lost}; remove one or move it up"
            continue
        if route.groups and route.scope.packages:
            yield (
                f"route.{index}.groups: `package` is the vulnerable package as the report names it, not what the patch "
                "touches: a patch to the same files for another package does not need these groups; to protect files, "
                "use [[rule]] with `paths`"
            )
        taking = [
            n
            for n, other in enumerate(policy.routes[: index - 1], 1)
            if other.scope.may_meet(route.scope) and not set(route.groups) <= set(other.groups)
        ]
        if taking:
            yield (
                f"route.{index}.groups: where route.{taking[0]} also matches, it applies alone, and these groups need "
                "not approve; use [[rule]]: all rules that hold add up"
            )


def _rules(policy: Policy) -> Iterator[str]:
    own = [rule for rule in policy.extra if rule not in BUILT_IN_EXTRA]
    for rule in own:
        others = [other for other in policy.extra if other is not rule and _covers(other, rule)]
        # Of two that ask for the same under the same conditions, the first stays.
        hiding = [other for other in others if not _covers(rule, other) or _before(policy, other, rule)]
        if hiding:
            yield f"rule {rule.name}: adds nothing, because rule {hiding[0].name} asks for as much wherever it holds"
        elif all(_within(rule, *asked) for asked in _quorums(policy, rule)):
            yield f"rule {rule.name}: adds nothing, because each severity needs {demand(rule)} already"
        elif rule.groups and rule.condition.scope.packages and not rule.condition.paths:
            yield (
                f"rule {rule.name}: `package` is the vulnerable package as the report names it, not what the patch "
                "touches; to protect files, use `paths`"
            )


def _covers(other: ExtraRule, rule: ExtraRule) -> bool:
    return other.condition.contains(rule.condition) and rule.asks_no_more_than(other)


def _before(policy: Policy, one: ExtraRule, other: ExtraRule) -> bool:
    return policy.extra.index(one) < policy.extra.index(other)


def _quorums(policy: Policy, rule: ExtraRule) -> list[tuple[int, int]]:
    """The approvals, and the people among them, of each severity that the rule is about."""
    wanted = rule.condition.scope.severities
    asked = [each for severity, each in policy.rules.items() if not wanted or severity in wanted]
    return [(each.approvals, each.people) for each in asked]


def _within(rule: ExtraRule, approvals: int, humans: int) -> bool:
    return rule.approvals <= approvals and rule.humans <= humans and not rule.groups and not rule.justification


def _steps(policy: Policy) -> Iterator[str]:
    for severity, rule in policy.rules.items():
        late = [step.before for step in rule.escalation if step.before >= rule.minutes]
        if late and rule.deadline.value == "fixed":
            yield f"severity.{severity}.escalation: {late[0]} minutes before the deadline is earlier than the arrival"


def automatic(auto: AutoApproval) -> Iterator[str]:
    """What is approved without a person on weak or no evidence, and what the file asks for but never is approved."""
    if not auto.enabled:
        return
    if not auto.submitters:
        yield "auto_approval.submitter: names nobody, so nothing is approved automatically; name a token or a principal"
    if Severity.CRITICAL in auto.scope.severities:
        yield "auto_approval.severity: critical is never approved automatically; take it out"
    for verdict in sorted(auto.verdicts & FAILED.keys()):
        yield f"auto_approval.verdict: `{verdict}` approves a patch {FAILED[verdict]}, without a person"
    if WargameVerdict.INCONCLUSIVE in auto.verdicts:
        yield "auto_approval.verdict: `inconclusive` approves a patch that no test has shown to work, without a person"
    if not auto.confidence:
        yield "auto_approval.confidence: 0 approves a patch whose wargame is sure of nothing, without a person"
    for strategy in sorted(auto.strategies & OPAQUE):
        yield f"auto_approval.strategy: `{strategy}` approves a patch to any files, without a person"


def _alone(policy: Policy) -> Iterator[str]:
    """Too few people for the built-in rule: patches to which it applies can only be rejected."""
    deciders = policy.deciders
    if not deciders.groups and len(deciders.users | deciders.emails) < 2:
        yield "rule runs before merge: needs 2 people, but at most one person may approve; name another reviewer"
