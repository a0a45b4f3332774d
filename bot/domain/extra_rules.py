"""The policy's `[[rule]]`: what a review needs in addition where the rule's conditions hold.

All rules that hold add up. A rule asks for more, never for less, so a condition that cannot be decided counts as met.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain.apv import PatchStrategy, Severity
from bot.domain.patch import FileChange, paths
from bot.domain.review import Review
from bot.domain.scopes import ANY, EVERY_REVIEW, Glob, Scope, covers_all, either, path_glob
from bot.domain.versions import may_be_major


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rule holds: all its fields must match; an empty field matches everything."""

    scope: Scope = EVERY_REVIEW
    strategies: frozenset[PatchStrategy] = frozenset()
    reporters: Glob = ANY
    """At least one author matches."""
    machine: bool = False
    """At least one author is a machine."""
    paths: Glob = ANY
    """At least one path that the patch touches matches, old or new."""
    min_files: int = 0
    min_changed_lines: int = 0
    major: bool = False
    """A version bump that may go to another major version."""

    def why(self, review: Review, severity: Severity, *, by_machine: bool) -> str | None:
        """Why it holds, in words; None when it does not. `severity` is the one that rules go by."""
        if not self.scope.covers(review, severity):
            return None
        answers = list(self.scope.words)
        for answer in self._answers(review, by_machine):
            if answer is None:
                return None
            answers.append(answer)
        return " and ".join(answers) or "every review"

    def _answers(self, review: Review, by_machine: bool) -> Iterator[str | None]:
        """For each condition: why it holds, or None."""
        if self.strategies:
            strategy = review.patch_strategy.value.replace("_", " ")
            yield f"strategy is {strategy}" if review.patch_strategy in self.strategies else None
        if self.reporters:
            yield self._by(review)
        if self.machine:
            yield "comes from a machine" if by_machine else None
        files = review.files if review.has_patch else ()
        if self.paths:
            yield self._touches(files)
        if self.min_files:
            yield self._spreads(files)
        if self.min_changed_lines:
            yield self._changes(files)
        if self.major:
            bump = review.patch_strategy is PatchStrategy.VERSION_BUMP
            other = bump and may_be_major(review.package_version, review.fixed_version)
            yield "may be another major version" if other else None

    def _by(self, review: Review) -> str | None:
        found = (self.reporters.found(name) for a in review.written_by for name in (a, a.removeprefix("token:")))
        pattern = next((one for one in found if one), None)
        return f"reporter matches {pattern}" if pattern else None

    def _touches(self, files: tuple[FileChange, ...] | None) -> str | None:
        if files is None:
            return "its paths cannot be read"
        found = {pattern for path in paths(files) if (pattern := self.paths.found(path))}
        listed = [f"`{pattern}`" for pattern in self.paths.patterns if pattern in found]
        return f"touches {either(listed, last='and')}" if listed else None

    def _spreads(self, files: tuple[FileChange, ...] | None) -> str | None:
        if files is None:
            return "changes an unknown number of files"
        return f"changes {len(files):,} file{'s' if len(files) > 1 else ''}" if len(files) >= self.min_files else None

    def _changes(self, files: tuple[FileChange, ...] | None) -> str | None:
        if files is None or any(file.binary for file in files):
            return "changes an unknown number of lines"
        lines = sum(file.insertions + file.deletions for file in files)
        return f"changes {lines:,} line{'s' if lines > 1 else ''}" if lines >= self.min_changed_lines else None

    def contains(self, other: "Condition") -> bool:
        """Whether it certainly holds wherever `other` does."""
        return (
            self.scope.contains(other.scope)
            and (not self.strategies or (bool(other.strategies) and other.strategies <= self.strategies))
            and covers_all(self.reporters, other.reporters)
            and (not self.paths or (bool(other.paths) and set(other.paths.patterns) <= set(self.paths.patterns)))
            and (not self.machine or other.machine)
            and (not self.major or other.major)
            and self.min_files <= other.min_files
            and self.min_changed_lines <= other.min_changed_lines
        )


@dataclass(frozen=True, slots=True)
class ExtraRule:
    """What is needed where the condition holds; 0 asks for nothing. `humans`: approvals that must be people's."""

    name: str
    condition: Condition
    approvals: int = 0
    humans: int = 0
    groups: tuple[tuple[str, ...], ...] = ()
    justification: bool = False

    def asks_no_more_than(self, other: "ExtraRule") -> bool:
        """Whether the other rule asks for at least as much."""
        return (
            self.approvals <= other.approvals
            and self.humans <= other.humans
            and set(self.groups) <= set(other.groups)
            and self.justification <= other.justification
        )


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that holds for a review, why, and whether it asks for more than severity and route do."""

    rule: ExtraRule
    why: str
    more: bool


@dataclass(frozen=True, slots=True)
class Needs:
    """What one review needs. `humans` of the `approvals` must be people's. `held`: the rules that hold for it."""

    approvals: int
    humans: int
    groups: tuple[tuple[str, ...], ...] = ()
    justification: bool = False
    held: tuple[RuleHit, ...] = ()

    @property
    def machines(self) -> int:
        """How many of the approvals may be machines'."""
        return self.approvals - self.humans


BUILT_IN_EXTRA = (
    ExtraRule(
        "runs before merge",
        Condition(
            paths=path_glob(
                (
                    ".github/**", ".gitlab-ci.yml", ".circleci/**", "Jenkinsfile", "**/CODEOWNERS", "**/.gitattributes",
                    ".gitmodules", "**/conftest.py", "**/Dockerfile*", ".pre-commit-config.yaml",
                )
            )
        ),
        approvals=2,
        humans=2,
    ),
)  # fmt: skip
"""In force under every file: what runs before anyone merges, or decides who may, needs two people (contract, 6)."""
