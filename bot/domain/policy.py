"""The policy as values: what each severity needs, who counts, where messages go. Parsed elsewhere.

It is asked at every click, so it only compares what is in memory.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from bot.domain.apv import PatchStrategy, Severity, WargameVerdict
from bot.domain.pull import MergeMode

REVIEWERS, LEADS = "reviewers", "leads"
"""The two groups that every policy has."""


class Matter(Protocol):
    """What a policy looks at to tell one review from another; an APV and a review both have it."""

    @property
    def severity(self) -> Severity: ...  # noqa: D102
    @property
    def package_name(self) -> str: ...  # noqa: D102
    @property
    def package_ecosystem(self) -> str: ...  # noqa: D102
    @property
    def repository(self) -> str: ...  # noqa: D102


class Preset(StrEnum):
    """How a deadline comes about."""

    FIXED = "fixed"
    """So many minutes after arrival."""
    BOD_26_04 = "bod-26-04"
    """CISA's binding operational directive, by exploitation, exposure, automation and impact."""


class MergeMethod(StrEnum):
    """GitHub's three ways to merge."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


@dataclass(frozen=True, slots=True)
class Principals:
    """Slack user ids (`U...`, `W...`), user-group ids (`S...`), API token names, and e-mail addresses (case-folded)."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: tuple[str, ...]) -> "Principals":
        """Sort a list such as `("U1", "S2", "token:ci", "ann@example.org")` by what each name is."""
        tokens = frozenset(n.removeprefix("token:") for n in names if n.startswith("token:"))
        emails = frozenset(n.casefold() for n in names if "@" in n)
        rest = frozenset(n for n in names if "@" not in n and not n.startswith("token:"))
        groups = frozenset(n for n in rest if n.startswith("S"))
        return cls(users=rest - groups, groups=groups, tokens=tokens, emails=emails)

    def hold(self, key: str, email: str | None, member_of: frozenset[str]) -> bool:
        """Whether a person is among them: `key` as in `Person`, `member_of` the ids of the user groups they are in."""
        kind, named, token = key.partition(":")
        if named:
            return kind == "token" and token in self.tokens
        known = email is not None and email.casefold() in self.emails
        return key in self.users or known or not self.groups.isdisjoint(member_of)

    def __or__(self, other: "Principals") -> "Principals":
        return Principals(
            users=self.users | other.users,
            groups=self.groups | other.groups,
            tokens=self.tokens | other.tokens,
            emails=self.emails | other.emails,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All of them as they are written in a file, in order."""
        tokens = (f"token:{token}" for token in self.tokens)
        return tuple(sorted((*self.users, *self.groups, *self.emails, *tokens)))

    def __bool__(self) -> bool:
        return bool(self.users or self.groups or self.tokens or self.emails)


@dataclass(frozen=True, slots=True)
class Reminders:
    """Words in the thread while nobody decides: the first after so many minutes, each wait `backoff` times the last."""

    after: int
    backoff: float = 2.0
    at_most: int = 3


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Whom to tell so many minutes before the deadline. `names`: as written, principals and groups of the policy."""

    before: int
    to: Principals
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one severity needs: distinct approvals, from whom, why, and in how many minutes."""

    approvals: int
    minutes: int
    justification: bool = False
    groups: tuple[tuple[str, ...], ...] = ()
    """Each must be met: somebody of one of its groups is among those who approve. Names, as in `Policy.named`."""
    deadline: Preset = Preset.FIXED
    reminders: Reminders | None = None
    escalation: tuple[EscalationStep, ...] = ()
    """The longest before the deadline first."""
    expires: int | None = None
    """Minutes after the deadline at which a review that nobody decided expires; None: never."""


@dataclass(frozen=True, slots=True)
class Glob:
    """Shell-style patterns (`*`, `?`, `[a-z]`), compared without case; none match anything."""

    patterns: tuple[str, ...] = ()
    compiled: re.Pattern[str] | None = None

    def matches(self, text: str) -> bool:
        """Whether any pattern covers the whole of `text`."""
        return self.compiled is None or self.compiled.fullmatch(text.casefold()) is not None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which reviews something is for: all conditions must hold, one that is empty always does."""

    severities: frozenset[Severity] = frozenset()
    ecosystems: frozenset[str] = frozenset()
    """Case-folded."""
    packages: Glob = Glob()
    repositories: Glob = Glob()

    def covers(self, matter: Matter) -> bool:
        """Whether this review is meant."""
        return (
            (not self.severities or matter.severity in self.severities)
            and (not self.ecosystems or matter.package_ecosystem.casefold() in self.ecosystems)
            and self.packages.matches(matter.package_name)
            and self.repositories.matches(matter.repository)
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Where the reviews of a scope go, and which groups must be among those who approve them, beside the rule's."""

    scope: Scope
    channel: str | None = None
    incident_channel: str | None = None
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class MachineAccount:
    """A reporter that is no person, and whose owners may not approve what it proposed."""

    account: str
    owners: Principals


WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which nothing of its scope is approved: once, or every week (`weekly`), in UTC."""

    name: str
    scope: Scope
    begins: datetime
    ends: datetime
    weekly: bool = False

    def until(self, now: datetime) -> datetime | None:
        """When the window that `now` lies in ends; None when it lies in none."""
        weeks = (now - self.begins) // WEEK if self.weekly else 0
        return self.ends + weeks * WEEK if self.begins <= now - weeks * WEEK < self.ends else None


@dataclass(frozen=True, slots=True)
class AutoApproval:
    """What needs nobody's approval; nothing while `enabled` is false, and never what is known to be exploited."""

    enabled: bool = False
    scope: Scope = Scope()
    strategies: frozenset[PatchStrategy] = frozenset({PatchStrategy.VERSION_BUMP})
    verdicts: frozenset[WargameVerdict] = frozenset({WargameVerdict.SUCCESS})
    confidence: float = 0.9
    """The wargame's least confidence, 0-1."""


@dataclass(frozen=True, slots=True)
class PullRules:
    """What a pull request gets, and whether the bot merges it."""

    labels: tuple[str, ...] = ("security",)
    """Beside `severity: <severity>`, which every one has."""
    reviewers: tuple[str, ...] = ()
    """GitHub logins."""
    team_reviewers: tuple[str, ...] = ()
    """Team names (slugs) of the repository's organisation."""
    draft: bool = False
    merge: MergeMode = MergeMode.NEVER
    merge_method: MergeMethod = MergeMethod.SQUASH
    allow_workflows: bool = False
    """Whether a patch may touch `.github/workflows`."""
    max_files: int = 100
    """Files that a patch may touch."""
    max_bytes: int = 1_048_576
    """Of the diff."""


BUILT_IN_RULES: Mapping[Severity, Rule] = {
    Severity.CRITICAL: Rule(approvals=2, minutes=240),
    Severity.HIGH: Rule(approvals=1, minutes=1_440),
    Severity.MEDIUM: Rule(approvals=1, minutes=10_080),
    Severity.LOW: Rule(approvals=1, minutes=43_200),
}
"""The contract's numbers; the built-in file says the same, which a test holds."""


@dataclass(frozen=True)
class Policy:
    """Who may decide, how many must, how soon, and which channels hear of it."""

    reviewers: Principals
    review_channel: str
    incident_channel: str
    leads: Principals | None = None
    """None: any reviewer but the one who escalated may close an escalation."""
    rules: Mapping[Severity, Rule] = field(default_factory=lambda: BUILT_IN_RULES)
    named: Mapping[str, Principals] = field(default_factory=dict)
    """The groups that the policy names, without `reviewers` and `leads`. Their members are reviewers."""
    routes: tuple[Route, ...] = ()
    """The first that covers a review counts."""
    machines: tuple[MachineAccount, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    auto: AutoApproval = AutoApproval()
    pull_request: PullRules = PullRules()
    digest: str = ""
    """SHA-256 hex of the file's text; empty for a policy that came from no file."""

    @cached_property
    def groups(self) -> frozenset[str]:
        """Every user group whose members must be known to judge a person."""
        owners = (machine.owners for machine in self.machines)
        return frozenset[str]().union(*(p.groups for p in (self.deciders, *owners)))

    @cached_property
    def deciders(self) -> Principals:
        """Everybody who may decide anything: reviewers, leads, and the members of every named group."""
        found = self.reviewers | (self.leads or Principals())
        for principals in self.named.values():
            found = found | principals
        return found

    @cached_property
    def asked_for(self) -> tuple[str, ...]:
        """The names of all groups that some quorum asks for, so that a vote can say for which of them it stands."""
        clauses = [
            *(c for rule in self.rules.values() for c in rule.groups),
            *(c for r in self.routes for c in r.groups),
        ]
        return tuple(sorted({name for clause in clauses for name in clause}))

    def members(self, name: str) -> Principals:
        """Who a group's name stands for, `reviewers` and `leads` too."""
        if name == LEADS:
            return self.leads or self.reviewers
        return self.reviewers if name == REVIEWERS else self.named[name]

    def route(self, matter: Matter) -> Route | None:
        """The first route that covers a review; None leaves it to the two channels of the settings."""
        return next((route for route in self.routes if route.scope.covers(matter)), None)

    def channel_for(self, matter: Matter) -> str:
        """Where its card goes."""
        route = self.route(matter)
        return (route and route.channel) or self.review_channel

    def incident_channel_for(self, matter: Matter) -> str:
        """Where its alerts go."""
        route = self.route(matter)
        return (route and route.incident_channel) or self.incident_channel

    def groups_for(self, matter: Matter) -> tuple[tuple[str, ...], ...]:
        """The groups that must be among those who approve: the severity's rule and the route's, each once."""
        route = self.route(matter)
        return tuple(dict.fromkeys((*self.rules[matter.severity].groups, *(route.groups if route else ()))))

    def frozen(self, matter: Matter, now: datetime) -> tuple[Freeze, datetime] | None:
        """The freeze window in force for a review, with its end; the one that ends last."""
        ends = [(freeze, end) for freeze in self.freezes if freeze.scope.covers(matter) and (end := freeze.until(now))]
        return max(ends, key=lambda found: found[1], default=None)

    def frozen_words(self, matter: Matter, now: datetime) -> str | None:
        """Why a review cannot be approved now, as a sentence; None when it can."""
        if (found := self.frozen(matter, now)) is None:
            return None
        freeze, end = found
        return f"Approvals are frozen until {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({freeze.name})."

    def owners_of(self, reporter: str | None) -> Principals:
        """The owners of the machine account that reported; nobody when it is none."""
        found = Principals()
        for machine in self.machines:
            if reporter and machine.account.casefold() == reporter.casefold():
                found = found | machine.owners
        return found

    @property
    def asks_why(self) -> bool:
        """Whether any severity wants a justification of those who approve."""
        return any(rule.justification for rule in self.rules.values())
