"""The plan of a run: which APVs, who decides what, and which trouble comes when. The seed determines all of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from tests.harness import HIGH, MANUAL, sample

WHY = "The fault run wants this decided so."


@dataclass(frozen=True, slots=True)
class Act:
    """One person's decision."""

    person: str
    button: str
    """Approve, Reject or Escalate."""


@dataclass(frozen=True, slots=True)
class Story:
    """One APV, and the decisions on it in order."""

    apv: dict[str, Any]
    acts: tuple[Act, ...]

    @property
    def package(self) -> str:
        """Its name, by which its review is known before it has a code."""
        name: str = self.apv["package_name"]
        return name

    @property
    def opens_pull(self) -> bool:
        """Whether it ends as a pull request."""
        return bool(self.apv.get("patch_diff")) and self.acts[-1].button == "Approve"


REVIEWERS = ("alice", "bob", "dan")
LEAD = "carol"
ENDINGS = {"approve": 50, "critical": 15, "reject": 20, "escalate": 8, "manual": 7}
"""How often each happens, in a hundred."""


def stories(seed: int, number: int) -> list[Story]:
    """This number of new APVs."""
    random = Random(seed)
    endings = random.choices(list(ENDINGS), list(ENDINGS.values()), k=number)
    return [_story(random, ending, n) for n, ending in enumerate(endings)]


def _story(random: Random, ending: str, n: int) -> Story:
    first, second = random.sample(REVIEWERS, 2)
    severity = "critical" if ending == "critical" else random.choice(["low", "medium", "high"])
    acts = {
        "critical": (Act(first, "Approve"), Act(second, "Approve")),
        "reject": (Act(first, "Reject"),),
        "escalate": (Act(first, "Escalate"), Act(LEAD, "Approve")),
    }.get(ending, (Act(first, "Approve"),))
    apv = sample(MANUAL if ending == "manual" else HIGH)
    return Story({**apv, "package_name": f"package-{n}", "severity": severity}, acts)


class Kind(StrEnum):
    """What goes wrong."""

    KILL_WEB = "kill web"
    KILL_WORKER = "kill worker"
    KILL_POSTGRES = "kill PostgreSQL"
    KILL_BACKEND = "kill a PostgreSQL backend"
    RESTART_POSTGRES = "restart PostgreSQL"
    RESTART_WEB = "restart web"
    RESTART_WORKER = "restart worker"
    SLACK = "Slack"
    GITHUB = "GitHub"


WEIGHTS = {
    Kind.KILL_WEB: 4,
    Kind.KILL_WORKER: 3,
    Kind.KILL_POSTGRES: 2,
    Kind.KILL_BACKEND: 1,
    Kind.RESTART_POSTGRES: 2,
    Kind.RESTART_WEB: 1,
    Kind.RESTART_WORKER: 1,
    Kind.SLACK: 10,
    Kind.GITHUB: 7,
}
SLACK_CALLS = ("chat.postMessage", "chat.postMessage", "chat.update", "conversations.history", "users.info", "*")
SLACK_FAILURES = ("ratelimited", "http500", "http503", "drop_before", "drop_after", "drop_after", "slow", "fatal_error")
GITHUB_CALLS = ("git/create-ref", "pulls/create", "git/create-commit", "git/get-tree", "pulls/list", "*")
GITHUB_FAILURES = (
    "500_before", "502_after", "502_after", "drop_before", "drop_after", "secondary_rate_limit", "slow",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong."""

    kind: Kind
    after: int
    """How many submissions and clicks are to be acknowledged before it, since the last one."""
    wait: float
    """And then so many seconds: a point in the middle of things."""
    down: float
    """Seconds that whatever was stopped stays away."""
    which: int
    """Chooses among the replicas."""
    call: str = ""
    failure: str = ""
    times: int = 1

    def __str__(self) -> str:
        return f"{self.kind}: {self.call} {self.failure} x{self.times}" if self.call else self.kind.value


SHORT = (
    Trouble(Kind.SLACK, after=1, wait=0.0, down=0.0, which=0, call="chat.postMessage", failure="drop_after", times=3),
    # What takes longest to mend comes early.
    Trouble(Kind.KILL_WORKER, after=3, wait=0.1, down=0.2, which=0),
    Trouble(Kind.GITHUB, after=0, wait=0.0, down=0.0, which=0, call="pulls/create", failure="502_after", times=2),
    Trouble(Kind.KILL_WEB, after=3, wait=0.1, down=0.2, which=0),
    Trouble(Kind.KILL_POSTGRES, after=5, wait=0.1, down=0.3, which=0),
    Trouble(Kind.SLACK, after=1, wait=0.0, down=0.0, which=0, call="chat.update", failure="ratelimited", times=2),
    Trouble(Kind.RESTART_WEB, after=2, wait=0.1, down=0.0, which=0),
)
"""The short form: each sort of trouble once."""


def troubles(seed: int) -> Iterator[Trouble]:
    """An endless series of troubles."""
    random = Random(f"trouble {seed}")
    while True:
        (kind,) = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        yield _trouble(random, kind)


def _trouble(random: Random, kind: Kind) -> Trouble:
    call = failure = ""
    if kind is Kind.SLACK:
        call, failure = random.choice(SLACK_CALLS), random.choice(SLACK_FAILURES)
    elif kind is Kind.GITHUB:
        call, failure = random.choice(GITHUB_CALLS), random.choice(GITHUB_FAILURES)
    return Trouble(
        kind,
        after=random.randrange(7),
        wait=random.uniform(0.0, 0.4),
        down=random.uniform(0.0, 1.0),
        which=random.randrange(1000),
        call=call,
        failure=failure,
        times=random.choice([1, 1, 2, 4]),
    )
