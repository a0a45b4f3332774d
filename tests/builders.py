"""What the tests of the domain, the service and the storage share: people, reviews, and a gate on a database."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bot.domain import decisions as rules
from bot.domain.apv import Apv, PatchStrategy, Severity, Submission
from bot.domain.decisions import Decision
from bot.domain.people import DirectoryUnavailable, Person, SlackProfile
from bot.domain.policy import Policy, Principals
from bot.domain.review import AskFirst, Choice, Dossier, Outcome, Repeated, Review, Status, Vote
from bot.integrations.git.changes import read_all
from bot.jobs import OpenPull
from bot.service import adoption, deadlines, decisions, queries, submissions, upkeep
from bot.service.decisions import Asker
from bot.service.gate import Gate
from bot.service.people import SlackUser
from bot.service.submissions import Submitter
from storage.database import Database

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TEAM = "T0HOME"
ALICE, BOB, CAROL, DAVE = "U0ALICE", "U0BOB", "U0CAROL", "U0DAVE"
REVIEWERS = (ALICE, BOB, CAROL)
"""Dave is a member of the workspace and not a reviewer."""
WHY = "The pin is exact and the tests pass."
DIGEST = "d1" * 32
APPROVAL = Decision(choice=Choice.APPROVE, justification=WHY, digest=DIGEST)
PATCH = "--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1 @@\n-jinja2==3.1.2\n+jinja2==3.1.3\n"


def policy(*, reviewers: tuple[str, ...] = REVIEWERS, leads: tuple[str, ...] | None = None) -> Policy:
    """The built-in rules for these people; `leads` None is LEADS left unset."""
    return Policy(
        reviewers=Principals.of(reviewers),
        leads=None if leads is None else Principals.of(leads),
        review_channel="C0REVIEW",
        incident_channel="C0INCIDENT",
    )


def person(key: str, *, lead: bool = False) -> Person:
    name = key.removeprefix("U0").capitalize()
    return Person(key=key, name=name, email=f"{name.lower()}@example.org", lead=lead)


def profile(user_id: str, **changes: Any) -> SlackProfile:
    known = person(user_id)
    return replace(SlackProfile(user_id, TEAM, known.name, known.email), **changes)


def still_here(vote: Vote) -> Person:
    """Every earlier voter may still vote."""
    return person(vote.person, lead=vote.lead_after_escalation)


def decide(
    on: Review, by: Person, decision: Decision, under: Policy, *, opens_pulls: bool = True, now: datetime = NOW
) -> Outcome:
    """The rule, where every earlier voter may still vote."""
    outcome = rules.decide(on, by, decision, under, opens_pulls=opens_pulls, now=now, voters=still_here)
    assert not isinstance(outcome, AskFirst)
    return outcome


def review(**changes: Any) -> Review:
    """A new review of high severity, as a decision locks it."""
    fresh = Review(
        id=UUID(int=7),
        code="APV-2026-0007",
        status=Status.PENDING,
        version=1,
        revision=1,
        digest=DIGEST,
        severity=Severity.HIGH,
        has_patch=True,
        created_at=NOW,
        reporter="nightly-scan",
        due_at=NOW + timedelta(days=1),
    )
    return replace(fresh, **changes)


def apv(**changes: Any) -> Apv:
    """A report of high severity with a patch; ids and versions come from a real advisory."""
    reported = Apv(
        severity=Severity.HIGH,
        package_name="jinja2",
        package_ecosystem="PyPI",
        package_version="3.1.2",
        fixed_version="3.1.3",
        repository="sample/shop",
        cve_id="CVE-2024-22195",
        aliases=("GHSA-h5c8-rqwp-cp95",),
        cve_title="Attributes of the xmlattr filter may be injected",
        cvss_score=5.4,
        patch_strategy=PatchStrategy.VERSION_BUMP,
        patch_diff=PATCH,
    )
    return replace(reported, **changes)


@dataclass
class Workspace:
    """A directory of people and groups that a test may change at any time."""

    people: dict[str, SlackProfile] = field(
        default_factory=lambda: {user: profile(user) for user in (ALICE, BOB, CAROL, DAVE)}
    )
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    away: bool = False

    async def profile(self, user_id: str) -> SlackProfile | None:
        if self.away:
            raise DirectoryUnavailable
        return self.people.get(user_id)

    async def by_email(self, address: str) -> SlackProfile | None:
        if self.away:
            raise DirectoryUnavailable
        return next((p for p in self.people.values() if p.email == address), None)

    async def group(self, group_id: str) -> frozenset[str]:
        return self.groups.get(group_id, frozenset())

    def expect(self, person: str, groups: Iterable[str]) -> None:
        """Everything is known."""

    def forget(self, changed_id: str) -> None:
        """Nothing is remembered."""


@dataclass
class Clock:
    """Stands still until a test moves it."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **spans: float) -> None:
        self.at += timedelta(**spans)


def gate(
    database: Database,
    *,
    rules: Policy | None = None,
    people: Workspace | None = None,
    clock: Clock | None = None,
    opens_pulls: bool = True,
    repositories: frozenset[str] = frozenset(),
) -> Gate:
    """The gate as the bot puts it together, with more patience than a person has: no test measures time."""
    chosen = rules or policy()
    return Gate(
        database=database,
        directory=people or Workspace(),
        policy=lambda: chosen,
        team_id=lambda: TEAM,
        opens_pulls=opens_pulls,
        default_repository="sample/shop",
        repositories=repositories,
        now=clock or Clock(),
        read_changes=read_all,
        patience=60.0,
    )


async def submit(opened: Gate, reported: Apv | None = None, *, code: str | None = None, by: str = "scan") -> Dossier:
    """Submit one APV and return its review."""
    (receipt,) = await submissions.submit(opened, [Submission(reported or apv(), code)], Submitter(by))
    return receipt.dossier


async def click(
    opened: Gate,
    user_id: str,
    on: Review,
    choice: Choice = Choice.APPROVE,
    *,
    seen: bool = True,
    delivery: bytes | None = None,
) -> Outcome | Repeated:
    """One person decides in Slack; `seen` False leaves out the digest of what they were shown."""
    decision = Decision(choice=choice, justification=WHY, digest=on.digest if seen else None)
    return await decisions.decide(opened, asker(user_id, delivery), on.id, decision)


def asker(user_id: str, delivery: bytes | None = None) -> Asker:
    return Asker(SlackUser(user_id, TEAM), "slack", delivery)


def push(of: Review) -> OpenPull:
    """The job that opens a review's pull request."""
    return OpenPull(of.id, of.digest, of.version)


async def adopt(opened: Gate) -> int:
    """Take in what other programs inserted, as the sweep does; the number of rows."""
    return await upkeep.handle_all(opened, adoption.waiting, adoption.adopt)


async def miss(opened: Gate) -> int:
    """Tell of missed deadlines, as the sweep does; the number of reviews."""
    return await upkeep.handle_all(opened, deadlines.overdue, deadlines.miss)


async def rows(database: Database, query: str, **values: object) -> list[Mapping[str, Any]]:
    """The committed rows that a query finds."""
    async with database.transaction() as tx:
        return [dict(row) for row in (await tx.execute(text(query), values)).mappings()]


async def run(database: Database, *statements: str) -> None:
    """Run statements as another program would."""
    async with database.transaction() as tx:
        for statement in statements:
            await tx.execute(text(statement))


async def now_of(opened: Gate, found: Review) -> Review:
    """The review as it is now."""
    dossier = await queries.get(opened, found.id)
    assert dossier is not None
    return dossier.review


TABLES = (
    "apv_reviews", "apv_contents", "apv_bases", "apv_code_years", "hitl_decisions", "audit_log", "slack_deliveries",
    "slack_messages", "pgqueuer", "pgqueuer_log",
)  # fmt: skip


async def everything(database: Database) -> dict[str, list[str]]:
    """Every row of every table that our transactions write, to compare before and after."""
    found = {}
    for table in TABLES:
        found[table] = [
            row["row"] for row in await rows(database, f"SELECT to_jsonb(t)::text AS row FROM {table} t ORDER BY 1")
        ]
    return found


async def blocked(database: Database, number: int) -> None:
    """Return when this number of connections wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(60):
        while (await rows(database, query))[0]["count"] < number:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


async def queued(database: Database) -> list[str]:
    """The queued tasks, in the order in which they were queued."""
    return [row["entrypoint"] for row in await rows(database, "SELECT entrypoint FROM pgqueuer ORDER BY id")]


async def log(database: Database, found: Review) -> list[str]:
    """The kinds of a review's audit entries, oldest first."""
    query = "SELECT kind FROM audit_log WHERE apv_id = :id ORDER BY seq"
    return [row["kind"] for row in await rows(database, query, id=found.id)]
