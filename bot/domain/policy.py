"""The policy as values: what each severity needs, who counts, where messages go. Parsed elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.apv import Severity
from bot.domain.pull import MergeMode


@dataclass(frozen=True, slots=True)
class Rule:
    """What one severity needs: distinct approvals, a justification or not, and minutes to decide."""

    approvals: int
    minutes: int
    justification: bool = False


@dataclass(frozen=True, slots=True)
class Principals:
    """Slack user ids (`U...`, `W...`), user-group ids (`S...`) and API token names."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: tuple[str, ...]) -> "Principals":
        """Sort a list such as `("U1", "S2", "token:ci")` by what each name is."""
        tokens = frozenset(n.removeprefix("token:") for n in names if n.startswith("token:"))
        groups = frozenset(n for n in names if n.startswith("S"))
        users = frozenset(n for n in names if not n.startswith(("S", "token:")))
        return cls(users=users, groups=groups, tokens=tokens)


BUILT_IN_RULES: Mapping[Severity, Rule] = {
    Severity.CRITICAL: Rule(approvals=2, minutes=240),
    Severity.HIGH: Rule(approvals=1, minutes=1_440),
    Severity.MEDIUM: Rule(approvals=1, minutes=10_080),
    Severity.LOW: Rule(approvals=1, minutes=43_200),
}


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
    merge_method: str = "squash"
    """`merge`, `squash` or `rebase`."""
    allow_workflows: bool = False
    """Whether a patch may touch `.github/workflows`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may decide, how many must, how soon, and which channels hear of it."""

    reviewers: Principals
    review_channel: str
    incident_channel: str
    leads: Principals | None = None
    """None: any reviewer but the one who escalated may close an escalation."""
    rules: Mapping[Severity, Rule] = field(default_factory=lambda: BUILT_IN_RULES)
    pull_request: PullRules = PullRules()

    def groups(self) -> frozenset[str]:
        """Every user group whose members must be known to judge a person."""
        return self.reviewers.groups | (self.leads.groups if self.leads else frozenset())

    @property
    def asks_why(self) -> bool:
        """Whether any severity wants a justification of those who approve."""
        return any(rule.justification for rule in self.rules.values())
