"""What is wrong with a valid policy: quorums that nobody can reach, and rules that never apply.

`size` returns how many people a Slack user group has; None when unknown.
"""

from collections.abc import Callable, Iterator, Sequence

from bot.domain.policy import LEADS, Policy, Principals
from bot.domain.quorum import whom

Size = Callable[[str], int | None]


def problems(policy: Policy, size: Size = lambda _group: None, *, tokens: int = 0) -> list[str]:
    """Why some reviews could not be decided under this policy, one sentence per reason.

    `tokens` is the number of API tokens with the scope `decide`: each counts as a person.
    """
    return [*_people(policy, size), *_quorums(policy, size, tokens)]


def warnings(policy: Policy) -> list[str]:
    """What is allowed but probably a mistake."""
    found = []
    if policy.leads is None and LEADS in policy.asked_for:
        found.append(
            "groups: `leads` is required but no lead is named, so any reviewer counts as one; "
            "name leads under [people] or in LEADS"
        )
    for index, route in enumerate(policy.routes, 1):
        shadow = next((n for n, other in enumerate(policy.routes[: index - 1], 1) if other.scope == route.scope), None)
        if shadow:
            found.append(
                f"route.{index}: route.{shadow} has the same conditions, so this route never applies; remove one"
            )
    for severity, rule in policy.rules.items():
        late = [step.before for step in rule.escalation if step.before >= rule.minutes]
        if late and rule.deadline.value == "fixed":
            found.append(
                f"severity.{severity}.escalation: {late[0]} minutes before the deadline is earlier than the arrival"
            )
    return found


def _people(policy: Policy, size: Size) -> Iterator[str]:
    if not policy.reviewers:
        yield "people.reviewers: nobody may decide; name somebody here or in REVIEWERS"
    named = {"people.reviewers": policy.reviewers, **{f"groups.{name}": p for name, p in policy.named.items()}}
    if policy.leads is not None:
        named["people.leads"] = policy.leads
    for place, principals in named.items():
        for group in sorted(principals.groups):
            if size(group) == 0:
                yield f"{place}: user group {group} has no members, or Slack does not know it"


def _quorums(policy: Policy, size: Size, tokens: int) -> Iterator[str]:
    """Check every severity, and every route that requires more groups."""
    people = _count([policy.deciders], size)
    for severity, rule in policy.rules.items():
        if people is not None and people + tokens < rule.approvals:
            may = "one person" if people + tokens == 1 else f"{people + tokens} people"
            yield f"severity.{severity}: needs {rule.approvals} approvals, but at most {may} may approve"
        yield from _unmet(policy, f"severity.{severity}.groups", rule.groups, size)
    for index, route in enumerate(policy.routes, 1):
        yield from _unmet(policy, f"route.{index}.groups", route.groups, size)


def _unmet(policy: Policy, place: str, clauses: Sequence[Sequence[str]], size: Size) -> Iterator[str]:
    for clause in clauses:
        if _count([policy.members(name) for name in clause], size) == 0:
            yield f"{place}: needs {whom(tuple(clause))}, but there is nobody"


def _count(lists: Sequence[Principals], size: Size) -> int | None:
    """The highest possible number of people; None when a group's size is unknown."""
    total = 0
    for principals in lists:
        total += len(principals.users) + len(principals.emails)
        for group in principals.groups:
            members = size(group)
            if members is None:
                return None
            total += members
    return total
