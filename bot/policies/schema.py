"""The policy file's keys as models: what each accepts, its default and its meaning. Unknown keys are faults.

`bot.domain.policy` has the values. `docs/policy.md` has a row for each key, which a test checks.
"""

import re
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bot.domain.apv import PatchStrategy, Severity, WargameVerdict
from bot.domain.extra_rules import Condition, ExtraRule
from bot.domain.policy import AutoApproval, BaseMoved, Freeze, MergeMethod, Preset, PullRules, Reminders, SeverityFrom
from bot.domain.pull import MergeMode
from bot.domain.scopes import Scope, glob, package_glob, path_glob
from bot.policies.kinds import (
    Addressee,
    Approvals,
    Bool,
    GroupName,
    Groups,
    Humans,
    Int,
    Login,
    Minutes,
    Number,
    PathPattern,
    Pattern,
    PrincipalId,
    SlackChannel,
)


class Table(BaseModel):
    """A table of the file. An unknown key is a fault, because a misspelt rule would not apply."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, hide_input_in_errors=True)


class RemindersTable(Table):
    """`[severity.<name>.reminders]`."""

    after: Minutes = Field(description="Minutes after arrival until the first reminder in the thread")
    backoff: Number = Field(2.0, ge=1, le=10, description="Each wait is this many times as long as the one before")
    at_most: Int = Field(3, ge=1, le=20, description="The number of reminders; none comes after the deadline")

    def value(self) -> Reminders:
        """The value in the domain."""
        return Reminders(self.after, self.backoff, self.at_most)


class StepTable(Table):
    """One table of `[[severity.<name>.escalation]]`."""

    before: Minutes = Field(description="Minutes before the deadline at which these people are told")
    to: tuple[Addressee, ...] = Field(
        min_length=1, description="Whom to tell: groups of this file, user groups, user ids or e-mail addresses"
    )


class SeverityTable(Table):
    """`[severity.<name>]`. Missing keys have the values of the built-in policy."""

    approvals: Approvals = Field(1, description="How many distinct people or machines must approve")
    humans: Humans | None = Field(None, description="How many of them must be people; left out: all")
    groups: Groups = Field(
        (), description="The groups that must approve; a list inside the list means one of these groups"
    )
    justification: Bool = Field(False, description="Whether an approval needs a justification")
    deadline: Preset = Field(
        Preset.FIXED, description="`fixed`: `minutes` after arrival; `bod-26-04`: as CISA's directive says"
    )
    minutes: Minutes = Field(1_440, description="Minutes from arrival to the deadline")
    reminders: RemindersTable | None = Field(None, description="Reminders in the thread; none when left out")
    escalation: tuple[StepTable, ...] = Field((), max_length=10, description="Whom to tell before the deadline")
    expires: Minutes | None = Field(
        None, description="Minutes after the deadline at which an undecided review expires; left out: never"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.humans is not None and self.humans > self.approvals:
            raise ValueError(f"humans is {self.humans}, more than the {self.approvals} approvals it is a part of")
        return self


class SeveritiesTable(Table):
    """`[severity]`."""

    critical: SeverityTable = SeverityTable(approvals=2, minutes=240)
    high: SeverityTable = SeverityTable(minutes=1_440)
    medium: SeverityTable = SeverityTable(minutes=10_080)
    low: SeverityTable = SeverityTable(minutes=43_200)

    @model_validator(mode="before")
    @classmethod
    def _as_built_in(cls, given: object) -> object:
        """Fill in the built-in values that a severity's table does not name."""
        if not isinstance(given, dict):
            return given
        merged = dict(given)
        for name, field in cls.model_fields.items():
            if isinstance(merged.get(name), dict):
                merged[name] = {**field.default.model_dump(include={"approvals", "minutes"}), **merged[name]}
        return merged


class ScopedTable(Table):
    """The reviews that a table applies to: every given condition must hold."""

    severity: tuple[Severity, ...] = Field((), description="The severity is one of these")
    ecosystem: tuple[Pattern, ...] = Field((), description="The ecosystem is one of these (any case)")
    package: tuple[Pattern, ...] = Field((), description="The package's name matches one of these globs (any case)")
    repository: tuple[Pattern, ...] = Field((), description="`owner/name` matches one of these globs (any case)")

    def scope(self) -> Scope:
        """The value in the domain."""
        return Scope(
            severities=frozenset(self.severity),
            ecosystems=frozenset(name.casefold() for name in self.ecosystem),
            packages=glob(self.package),
            repositories=glob(self.repository),
            normalised=package_glob(self.package),
        )


class ExtraRuleTable(ScopedTable):
    """One table of `[[rule]]`."""

    name: str = Field("", max_length=60, description="The name that people see; left out: `rule.<number>`")
    strategy: tuple[PatchStrategy, ...] = Field((), description="The patch's strategy is one of these")
    reporter: tuple[Pattern, ...] = Field((), description="A reporter or submitter matches one of these globs")
    machine: Bool = Field(
        False,
        description="A reporter or submitter is a machine account, a token without an owner, or ends in `[bot]`",
    )
    paths: tuple[PathPattern, ...] = Field(
        (), max_length=200, description="The patch touches a path that matches one of these patterns"
    )
    min_files: Annotated[Int, Field(ge=1)] | None = Field(None, description="The patch changes at least so many files")
    min_changed_lines: Annotated[Int, Field(ge=1)] | None = Field(
        None, description="The patch adds and removes at least so many lines"
    )
    major: Bool = Field(False, description="The version bump goes to another major version")
    approvals: Approvals | None = Field(None, description="How many approvals are needed then")
    humans: Humans | None = Field(None, description="How many of them must be people; left out: all")
    groups: Groups = Field((), description="The groups that must approve then")
    justification: Bool = Field(False, description="Whether an approval needs a justification then")

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not (self.approvals or self.humans or self.groups or self.justification):
            raise ValueError("asks for nothing; give approvals, humans, groups or justification")
        if self.approvals is not None and self.humans is not None and self.humans > self.approvals:
            raise ValueError(f"humans is {self.humans}, more than the {self.approvals} approvals it is a part of")
        return self

    def value(self, number: int) -> ExtraRule:
        """The value in the domain; `number` counts the file's rules from 1."""
        condition = Condition(
            scope=self.scope(),
            strategies=frozenset(self.strategy),
            reporters=glob(self.reporter),
            machine=self.machine,
            paths=path_glob(self.paths),
            min_files=self.min_files or 0,
            min_changed_lines=self.min_changed_lines or 0,
            major=self.major,
        )
        approvals = self.approvals or self.humans or 0
        return ExtraRule(
            self.name or f"rule.{number}",
            condition,
            approvals,
            approvals if self.humans is None else self.humans,
            self.groups,
            self.justification,
        )


class RouteTable(ScopedTable):
    """One table of `[[route]]`."""

    channel: SlackChannel | None = Field(
        None, description="The channel for its cards; left out: `SLACK_REVIEW_CHANNEL`"
    )
    incident_channel: SlackChannel | None = Field(
        None, description="The channel for its alerts; left out: `SLACK_INCIDENT_CHANNEL`"
    )
    groups: Groups = Field((), description="The groups that must approve, in addition to those of the severity")


class MachineTable(Table):
    """One table of `[[machine]]`."""

    account: str = Field(min_length=1, max_length=200, description="The reporter's name, compared without case")
    owners: tuple[PrincipalId, ...] = Field(
        min_length=1, description="The people who may not approve what this account reported"
    )


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""The Monday that weekly times count from."""
WEEK_TIME = re.compile(rf"({'|'.join(DAYS)}) ([01]\d|2[0-3]):[0-5]\d")


def _moment(value: datetime | str) -> datetime | str:
    if isinstance(value, str) and WEEK_TIME.fullmatch(value):
        return value
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    raise ValueError("must be a date with time and offset such as 2026-12-20T00:00:00Z, or a time such as 'fri 16:00'")


Moment = Annotated[Annotated[datetime, Field(strict=True)] | str, AfterValidator(_moment)]


class FreezeTable(ScopedTable):
    """One table of `[[freeze]]`: `begins` and `ends` as dates with times, or both as times of the week."""

    name: str = Field(min_length=1, max_length=80, description="The name that people see")
    begins: Moment = Field(description="A date and time with its offset, or a UTC time of the week: `fri 16:00`")
    ends: Moment = Field(description="Like `begins`")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if isinstance(self.begins, str) is not isinstance(self.ends, str):
            raise ValueError("begins and ends must both be dates with times, or both times of the week")
        if isinstance(self.begins, datetime) and isinstance(self.ends, datetime) and self.ends <= self.begins:
            raise ValueError("ends must be after begins")
        return self

    def value(self) -> Freeze:
        """The value in the domain."""
        if isinstance(self.begins, datetime) and isinstance(self.ends, datetime):
            return Freeze(self.name, self.scope(), self.begins, self.ends)
        begins, ends = _of_week(str(self.begins)), _of_week(str(self.ends))
        if ends <= begins:
            ends += timedelta(days=7)
        return Freeze(self.name, self.scope(), begins, ends, weekly=True)


def _of_week(text: str) -> datetime:
    day, clock = text.split()
    at = time.fromisoformat(clock)
    return MONDAY + timedelta(days=DAYS.index(day), hours=at.hour, minutes=at.minute)


class AutoApprovalTable(ScopedTable):
    """`[auto_approval]`."""

    enabled: Bool = Field(False, description="Whether anything is approved without a person")
    submitter: tuple[Pattern, ...] = Field(
        (), description="The submitting token, or other principal, matches one of these globs (any case)"
    )
    strategy: tuple[PatchStrategy, ...] = Field(
        (PatchStrategy.VERSION_BUMP,), min_length=1, description="The patch's strategy is one of these"
    )
    verdict: tuple[WargameVerdict, ...] = Field(
        (WargameVerdict.SUCCESS,), min_length=1, description="The wargame's verdict is one of these"
    )
    confidence: Number = Field(0.9, ge=0, le=1, description="The lowest wargame confidence that is enough")

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if self.enabled and not self.severity:
            raise ValueError("`severity` is required when it is enabled")
        return self

    def value(self) -> AutoApproval:
        """The value in the domain."""
        return AutoApproval(
            self.enabled,
            self.scope(),
            # A pattern that everybody matches names nobody.
            glob([pattern for pattern in self.submitter if pattern.strip("*?")]),
            frozenset(self.strategy),
            frozenset(self.verdict),
            self.confidence,
        )


class PullRequestTable(Table):
    """`[pull_request]`."""

    labels: tuple[Annotated[str, Field(min_length=1, max_length=50)], ...] = Field(
        ("security",), max_length=20, description="Labels, in addition to `severity: <severity>`"
    )
    reviewers: tuple[Login, ...] = Field((), max_length=15, description="GitHub logins that are asked for a review")
    team_reviewers: tuple[Login, ...] = Field(
        (), max_length=15, description="Slugs of GitHub teams that are asked for a review"
    )
    draft: Bool = Field(False, description="Whether the pull request is opened as a draft")
    merge: MergeMode = Field(
        MergeMode.NEVER,
        description="`never`; `when-green`: the bot merges when all checks have passed; `auto`: GitHub's auto-merge",
    )
    merge_method: MergeMethod = Field(MergeMethod.SQUASH, description="`merge`, `squash` or `rebase`")
    allow_workflows: Bool = Field(False, description="Whether a patch may change files below `.github/workflows`")
    max_files: Int = Field(100, ge=1, le=3_000, description="The most files that a patch may change")
    max_bytes: Int = Field(1_048_576, ge=1, le=1_048_576, description="The most bytes of a diff")
    base_moved: BaseMoved = Field(
        BaseMoved.ASK,
        description="When the base has moved in the patch's files: `ask` shows the review again, `apply` pushes",
    )

    def value(self) -> PullRules:
        """The value in the domain."""
        return PullRules(**self.model_dump())


class PeopleTable(Table):
    """`[people]`."""

    reviewers: tuple[PrincipalId, ...] | None = Field(
        None, min_length=1, description="The people who may decide; left out: the setting `REVIEWERS`"
    )
    leads: tuple[PrincipalId, ...] | None = Field(
        None, min_length=1, description="The people who may close an escalated review; left out: the setting `LEADS`"
    )

    readers: tuple[PrincipalId, ...] | None = Field(
        None, min_length=1, description="Who may read reviews and diffs in Slack; left out: full members"
    )

    @model_validator(mode="after")
    def _no_tokens(self) -> Self:
        if any(name.startswith("token:") for name in self.reviewers or ()):
            raise ValueError("reviewers: token:<name> belongs in leads; what a token may decide is in its scope")
        if any(name.startswith("token:") for name in self.readers or ()):
            raise ValueError("readers: a token does not read in Slack; what it may read over the API is in its scope")
        return self


class PolicyFile(Table):
    """The whole file."""

    severity_from: SeverityFrom = Field(
        SeverityFrom.STRICTEST,
        description="`strictest`: rules go by the highest of the stated severity, the CVSS vector's, and high for what "
        "is in KEV; `stated`: by the stated one",
    )
    people: PeopleTable = PeopleTable()
    groups: dict[GroupName, Annotated[tuple[PrincipalId, ...], Field(min_length=1)]] = Field(
        {}, max_length=100, description="Groups by name; their members may decide"
    )
    severity: SeveritiesTable = SeveritiesTable()
    route: tuple[RouteTable, ...] = Field((), max_length=500, description="The first that covers a review counts")
    rule: tuple[ExtraRuleTable, ...] = Field((), max_length=200, description="All that hold add up")
    machine: tuple[MachineTable, ...] = Field((), max_length=500, description="Accounts that are no people")
    freeze: tuple[FreezeTable, ...] = Field((), max_length=100, description="Times in which nothing is approved")
    auto_approval: AutoApprovalTable = AutoApprovalTable()
    pull_request: PullRequestTable = PullRequestTable()
