"""What is wrong with a valid policy: quorums that nobody can reach, and groups without members.

`size` returns how many people a Slack user group has; None when unknown.
"""

from collections.abc import Callable, Iterator, Sequence

from bot.domain.extra_rules import BUILT_IN_EXTRA
from bot.domain.policy import Policy, Principals
from bot.domain.quorum import whom

Size = Callable[[str], int | None]


def problems(
    policy: Policy, size: Size = lambda _group: None, *, machines: int = 0, open_api: bool = False
) -> list[str]:
    """Why some reviews could not be decided under this policy, one sentence per reason.

    `machines` is the number of API tokens with the scope `decide` and without an owner. Their approvals count only
    beyond the people that are needed. `open_api`: the API asks for no token, so anybody who calls it may decide.
    """
    return [*_people(policy, size), *_quorums(policy, size, machines, open_api=open_api)]


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


def _quorums(policy: Policy, size: Size, machines: int, *, open_api: bool) -> Iterator[str]:
    """Check every severity, every route that requires more groups, and every rule."""
    people = None if open_api else _count([policy.deciders], size)
    for severity, rule in policy.rules.items():
        yield from _too_few(f"severity.{severity}", rule.approvals, rule.people, people, machines)
        yield from _unmet(policy, f"severity.{severity}.groups", rule.groups, size)
    for index, route in enumerate(policy.routes, 1):
        yield from _unmet(policy, f"route.{index}.groups", route.groups, size)
    for extra in policy.extra:
        # The file cannot change the built-in rule, so that is only a warning (`bot.policies.doubts`).
        if extra not in BUILT_IN_EXTRA:
            yield from _too_few(f"rule {extra.name}", extra.approvals, extra.humans, people, machines)
            yield from _unmet(policy, f"rule {extra.name}: groups", extra.groups, size)


def _too_few(place: str, approvals: int, humans: int, people: int | None, machines: int) -> Iterator[str]:
    """Says if too few may approve to reach the quorum. Machines count only beyond the people needed."""
    if people is None:
        return
    if people < humans:
        wanted = f"{approvals} approvals" if humans == approvals else f"{humans} approvals by people"
        yield f"{place}: needs {wanted}, but at most {_people_words(people)} may approve"
    elif (most := people + min(machines, approvals - humans)) < approvals:
        yield f"{place}: needs {approvals} approvals, but at most {most} are possible"


def _people_words(number: int) -> str:
    return "one person" if number == 1 else f"{number} people"


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
