"""pip-audit's JSON report (`pip-audit -f json`) becomes one submission for each vulnerability of each dependency.

The report has no severities, so `medium` is assumed. pip-audit did not audit skipped dependencies; they are ignored.
"""

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, TypeAdapter

from bot.domain.apv import Severity, Submission
from bot.domain.faults import Loc
from bot.intake.report import Finding, cut, fixed_version, submissions, validated


class Vulnerability(BaseModel):
    """Older releases write no `aliases`. `description` needs `--desc`."""

    id: str
    aliases: list[str] | None = None
    fix_versions: list[str] | None = None
    description: str | None = None


class Dependency(BaseModel):
    """One audited or (with a `skip_reason`) skipped package."""

    name: str
    version: str | None = None
    vulns: list[Vulnerability] | None = None
    skip_reason: str | None = None


DEPENDENCIES: Final = TypeAdapter(list[Dependency])


def recognises(document: object) -> bool:
    """Whether this is a report: an object with `dependencies`, or the bare list of older releases."""
    if isinstance(document, dict):
        document = document.get("dependencies")
        if document == []:
            return True
    return isinstance(document, list) and any(
        isinstance(d, dict) and "name" in d and d.keys() & {"vulns", "skip_reason"} for d in document
    )


def parse(document: object, *, default_repository: str) -> list[Submission]:
    """The report's findings, one for each package, version and advisory. Raises `NotAccepted`."""
    loc: Loc = ()
    if isinstance(document, dict):
        loc, document = ("dependencies",), document.get("dependencies")
    dependencies = validated(DEPENDENCIES, document, loc)
    return submissions(_findings(dependencies, loc), scanner="pip-audit", default_repository=default_repository)


def _findings(dependencies: list[Dependency], loc: Loc) -> Iterator[Finding]:
    for i, dependency in enumerate(dependencies):
        for j, vulnerability in enumerate(dependency.vulns or ()):
            fixes = vulnerability.fix_versions or []
            yield Finding(
                loc=(*loc, i, "vulns", j),
                ecosystem="PyPI",
                package=dependency.name,
                version=dependency.version,
                ids=(vulnerability.id, *(vulnerability.aliases or ())),
                apv={
                    "severity": Severity.MEDIUM,
                    "severity_assumed": True,
                    "cve_description": cut(vulnerability.description),
                    "fixed_version": fixed_version(dependency.version, fixes),
                },
                extra={"fix_versions": fixes},
            )
