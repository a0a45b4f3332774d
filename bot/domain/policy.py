"""The policy as values: what each severity needs, who may decide, where messages go. `bot.policies` parses it.

Every click evaluates it, so it only compares values in memory.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from bot.domain.apv import PatchStrategy, Severity, WargameVerdict
from bot.domain.extra_rules import BUILT_IN_EXTRA, Condition, ExtraRule, Needs, RuleHit
from bot.domain.pull import MergeMode
from bot.domain.review import Review
from bot.domain.scopes import ANY, EVERY_REVIEW, Glob, Scope
from bot.domain.spelling import same, uncased
from bot.domain.tokens import ApiToken

REVIEWERS, LEADS = "reviewers", "leads"
"""The two groups that every policy has."""


class Preset(StrEnum):
    """How the deadline is computed."""

    FIXED = "fixed"
    """`Rule.minutes` after arrival."""
    BOD_26_04 = "bod-26-04"
    """By CISA's Binding Operational Directive 26-04 (`bot.domain.bod_26_04`)."""


class SeverityFrom(StrEnum):
    """The severity that rules go by."""

    STRICTEST = "strictest"
    """The highest of the stated one, the CVSS vector's, and high for what is known to be exploited."""
    STATED = "stated"


class BaseMoved(StrEnum):
    """What to do when the base has moved in the files of an approved patch."""

    ASK = "ask"
    """Show the review again as a new version."""
    APPLY = "apply"


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
        """Parse names such as `("U1", "S2", "token:ci", "ann@example.org")`."""
        tokens = frozenset(n.removeprefix("token:") for n in names if n.startswith("token:"))
        emails = frozenset(uncased(n) for n in names if "@" in n)
        rest = frozenset(n for n in names if "@" not in n and not n.startswith("token:"))
        groups = frozenset(n for n in rest if n.startswith("S"))
        return cls(users=rest - groups, groups=groups, tokens=tokens, emails=emails)

    def hold(self, key: str, email: str | None, member_of: frozenset[str]) -> bool:
        """Whether they include a person; `key` as in `Person`, `member_of` are the ids of the person's user groups."""
        kind, named, token = key.partition(":")
        if named:
            return kind == "token" and token in self.tokens
        known = email is not None and uncased(email) in self.emails
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
        """All of them as written in a policy file, sorted."""
        tokens = (f"token:{token}" for token in self.tokens)
        return tuple(sorted((*self.users, *self.groups, *self.emails, *tokens)))

    def __bool__(self) -> bool:
        return bool(self.users or self.groups or self.tokens or self.emails)


@dataclass(frozen=True, slots=True)
class Reminders:
    """Reminders in the thread: the first after `after` minutes, each further wait `backoff` times the previous one."""

    after: int
    backoff: float = 2.0
    at_most: int = 3


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Whom to notify `before` minutes before the deadline. `names`: the same people as written in the file."""

    before: int
    to: Principals
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one severity needs: how many approvals, from which groups, with a justification or not, and by when."""

    approvals: int
    minutes: int
    justification: bool = False
    groups: tuple[tuple[str, ...], ...] = ()
    """For each entry, at least one approver must be a member of one of its groups. Names as in `Policy.named`."""
    deadline: Preset = Preset.FIXED
    reminders: Reminders | None = None
    escalation: tuple[EscalationStep, ...] = ()
    """Earliest first."""
    humans: int | None = None
    """How many of the approvals must be people's; None: all."""
    expires: int | None = None
    """An undecided review expires this many minutes after its deadline; None: never."""

    @property
    def people(self) -> int:
        """How many of the approvals must be people's."""
        return self.approvals if self.humans is None else self.humans


@dataclass(frozen=True, slots=True)
class Route:
    """The channels for the reviews of a scope, and the groups that must approve them in addition to the rule's."""

    scope: Scope
    channel: str | None = None
    incident_channel: str | None = None
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class MachineAccount:
    """A reporter that is not a person; its owners may not approve what it reported."""

    account: str
    owners: Principals


WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Freeze:
    """A window in which nothing in its scope can be approved: once, or every week (`weekly`), in UTC."""

    name: str
    scope: Scope
    begins: datetime
    ends: datetime
    weekly: bool = False

    def until(self, now: datetime) -> datetime | None:
        """The end of the window that contains `now`; None outside of any window."""
        weeks = (now - self.begins) // WEEK if self.weekly else 0
        return self.ends + weeks * WEEK if self.begins <= now - weeks * WEEK < self.ends else None


@dataclass(frozen=True, slots=True)
class AutoApproval:
    """What the policy approves automatically: nothing while `enabled` is false, and never a known exploited one."""

    enabled: bool = False
    scope: Scope = EVERY_REVIEW
    submitters: Glob = ANY
    """The submitters whose content may be approved; without a pattern nothing is approved automatically."""
    strategies: frozenset[PatchStrategy] = frozenset({PatchStrategy.VERSION_BUMP})
    verdicts: frozenset[WargameVerdict] = frozenset({WargameVerdict.SUCCESS})
    confidence: float = 0.9
    """The minimum wargame confidence, 0-1."""


@dataclass(frozen=True, slots=True)
class PullRules:
    """How pull requests are opened, and whether the bot merges them."""

    labels: tuple[str, ...] = ("security",)
    """In addition to `severity: <severity>`, which every pull request gets."""
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
    """The number of files that a patch may touch."""
    max_bytes: int = 1_048_576
    """The size limit of the diff."""
    base_moved: BaseMoved = BaseMoved.ASK


BUILT_IN_RULES: Mapping[Severity, Rule] = {
    Severity.CRITICAL: Rule(approvals=2, minutes=240),
    Severity.HIGH: Rule(approvals=1, minutes=1_440),
    Severity.MEDIUM: Rule(approvals=1, minutes=10_080),
    Severity.LOW: Rule(approvals=1, minutes=43_200),
}
"""The numbers of the contract; a test checks that the built-in file has the same."""


@dataclass(frozen=True)
class Policy:
    """Who may decide, how many approvals are needed, how soon, and which channels get the messages."""

    reviewers: Principals
    review_channel: str
    incident_channel: str
    leads: Principals | None = None
    """None: any reviewer except the one who escalated may close an escalation."""
    readers: Principals | None = None
    """Who may read reviews in Slack besides those who decide; None: every full member of the workspace."""
    rules: Mapping[Severity, Rule] = field(default_factory=lambda: BUILT_IN_RULES)
    named: Mapping[str, Principals] = field(default_factory=dict)
    """The policy's other groups, without `reviewers` and `leads`. Their members are reviewers too."""
    routes: tuple[Route, ...] = ()
    """The first that matches a review applies."""
    extra: tuple[ExtraRule, ...] = BUILT_IN_EXTRA
    """All that hold add up."""
    severity_from: SeverityFrom = SeverityFrom.STRICTEST
    machines: tuple[MachineAccount, ...] = ()
    tokens: tuple[ApiToken, ...] = ()
    """The API tokens of the settings."""
    freezes: tuple[Freeze, ...] = ()
    auto: AutoApproval = AutoApproval()
    pull_request: PullRules = PullRules()
    digest: str = ""
    """SHA-256 hex of the file's text; empty without a file."""

    @cached_property
    def groups(self) -> frozenset[str]:
        """All user groups that the policy names; their members are needed to judge a person."""
        owners = (machine.owners for machine in self.machines)
        return frozenset[str]().union(*(p.groups for p in (self.deciders, self.readers or Principals(), *owners)))

    @cached_property
    def deciders(self) -> Principals:
        """Everybody who may decide anything: reviewers, leads, and the members of every named group."""
        found = self.reviewers | (self.leads or Principals())
        for principals in self.named.values():
            found = found | principals
        return found

    @cached_property
    def asked_for(self) -> tuple[str, ...]:
        """The names of all groups that a quorum requires; a vote records which of them its voter belongs to."""
        clauses = [
            *(c for rule in self.rules.values() for c in rule.groups),
            *(c for r in self.routes for c in r.groups),
            *(c for rule in self.extra for c in rule.groups),
        ]
        return tuple(sorted({name for clause in clauses for name in clause}))

    def members(self, name: str) -> Principals:
        """The principals of a group by its name, including `reviewers` and `leads`."""
        if name == LEADS:
            return self.leads or self.reviewers
        return self.reviewers if name == REVIEWERS else self.named[name]

    def applied(self, stated: Severity, strictest: Severity) -> Severity:
        """Which of the two severities the rules go by."""
        return strictest if self.severity_from is SeverityFrom.STRICTEST else stated

    def severity_of(self, review: Review) -> Severity:
        """The severity that rules go by for this review."""
        return self.applied(review.severity, review.strictest)

    def severity_words(self, review: Review) -> str | None:
        """Why rules go by another severity than the stated one; None when they do not."""
        if (severity := self.severity_of(review)) is review.severity:
            return None
        why = "its CVSS vector says so" if review.cvss_severity is severity else "it is known to be exploited (KEV)"
        return f"Judged by the rules for {severity.value}, stated as {review.severity.value}: {why}"

    def rule_for(self, review: Review) -> Rule:
        """What the review's severity needs."""
        return self.rules[self.severity_of(review)]

    def route(self, review: Review) -> Route | None:
        """The first route that matches a review; None: the two channels of the settings apply."""
        severity = self.severity_of(review)
        return next((route for route in self.routes if route.scope.covers(review, severity)), None)

    def channel_for(self, review: Review) -> str:
        """The channel for a review's card."""
        route = self.route(review)
        return (route and route.channel) or self.review_channel

    def incident_channel_for(self, review: Review) -> str:
        """The channel for a review's alerts."""
        route = self.route(review)
        return (route and route.incident_channel) or self.incident_channel

    def needs(self, review: Review) -> Needs:
        """What the severity, the route and every rule that holds need together."""
        base, route = self.rule_for(review), self.route(review)
        groups = tuple(dict.fromkeys((*base.groups, *(route.groups if route else ()))))
        asked = ExtraRule("", Condition(), base.approvals, base.people, groups, base.justification)
        held = tuple(RuleHit(rule, why, more=not rule.asks_no_more_than(asked)) for rule, why in self._holding(review))
        rules = (asked, *(one.rule for one in held))
        return Needs(
            approvals=max(rule.approvals for rule in rules),
            humans=max(rule.humans for rule in rules),
            groups=tuple(dict.fromkeys(clause for rule in rules for clause in rule.groups)),
            justification=any(rule.justification for rule in rules),
            held=held,
        )

    def _holding(self, review: Review) -> Iterator[tuple[ExtraRule, str]]:
        severity, by_machine = self.severity_of(review), self.by_machine(review)
        for rule in self.extra:
            if (why := rule.condition.why(review, severity, by_machine=by_machine)) is not None:
                yield rule, why

    def by_machine(self, review: Review) -> bool:
        """Whether an author is a machine: an account of `[[machine]]`, a token without an owner, or a `…[bot]`."""
        owned = {f"token:{uncased(token.name)}" for token in self.tokens if token.owner is not None}
        names = {uncased(author) for author in review.written_by} - owned
        return same((machine.account for machine in self.machines), review.written_by) or any(
            name.endswith("[bot]") or name.startswith("token:") for name in names
        )

    def frozen(self, review: Review, now: datetime) -> tuple[Freeze, datetime] | None:
        """The active freeze window of a review and its end; of several, the one that ends last."""
        severity = self.severity_of(review)
        covering = (freeze for freeze in self.freezes if freeze.scope.covers(review, severity))
        ends = [(freeze, end) for freeze in covering if (end := freeze.until(now))]
        return max(ends, key=lambda found: found[1], default=None)

    def frozen_words(self, review: Review, now: datetime) -> str | None:
        """Why a review cannot be approved now, as a sentence; None when it can."""
        if (found := self.frozen(review, now)) is None:
            return None
        freeze, end = found
        return f"Approvals are frozen until {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({freeze.name})."

    def owners_of(self, authors: Iterable[str]) -> Principals:
        """The owners of those authors that are machine accounts."""
        names, found = tuple(authors), Principals()
        for machine in self.machines:
            if same((machine.account,), names):
                found = found | machine.owners
        return found

    def tokens_of(self, user_id: str, email: str | None) -> frozenset[str]:
        """The names of the API tokens that a person owns."""
        own = {user_id, uncased(email or user_id)}
        return frozenset(token.name for token in self.tokens if token.owner in own)

    def machines_at(self, now: datetime) -> frozenset[str]:
        """The names of the machines' API tokens that may decide at this time."""
        return frozenset(
            token.name
            for token in self.tokens
            if token.owner is None and "decide" in token.scopes and (token.ends_at is None or now < token.ends_at)
        )

    @property
    def asks_why(self) -> bool:
        """Whether any severity or rule requires a justification for an approval."""
        return any(rule.justification for rule in self.rules.values()) or any(rule.justification for rule in self.extra)
