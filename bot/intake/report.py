"""What every scanner report has in common: findings -> submissions, one for each package, version and advisory.

A report's reader (one file a tool) knows the tool's JSON; nothing here does.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from packaging.version import InvalidVersion, Version
from pydantic import TypeAdapter, ValidationError

from bot.domain.apv import Submission
from bot.domain.faults import Loc, NotAccepted
from bot.intake.apv_json import CVE_ID, all_or_faults, check
from bot.intake.bounds import ITEM_LIMIT, TEXT_LIMIT, model_faults

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One vulnerability of one package at `loc` of a report; `apv` are further fields by their APV JSON names."""

    loc: Loc
    ecosystem: str
    package: str
    version: str | None
    ids: tuple[str, ...]
    """The tool's own id first, then its aliases."""
    apv: dict[str, object]
    extra: dict[str, object] = field(default_factory=dict)
    """What the bot has no field for."""
    found_in: tuple[str, ...] = ()
    """The files or images it was found in."""


def validated(adapter: TypeAdapter[T], document: object, loc: Loc = ()) -> T:
    """The document as the tool's model. Raises `NotAccepted` with every place where it is not what the tool writes."""
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        raise NotAccepted(model_faults(error, loc)) from None


def submissions(findings: Iterable[Finding], *, scanner: str, default_repository: str) -> list[Submission]:
    """One submission a package, version and advisory, in the report's order. Raises `NotAccepted`.

    Of a finding told twice the first telling counts; where it was found is kept of all.
    """
    first: dict[tuple[str, str, str | None, str], Finding] = {}
    found_in: dict[tuple[str, str, str | None, str], dict[str, None]] = {}
    for finding in findings:
        key = (finding.ecosystem, finding.package, finding.version, advisory_ids(finding.ids)[0])
        first.setdefault(key, finding)
        found_in.setdefault(key, {}).update(dict.fromkeys(finding.found_in))
    return all_or_faults(
        check(_document(finding, scanner, list(found_in[key])), default_repository=default_repository, loc=finding.loc)
        for key, finding in first.items()
    )


def _document(finding: Finding, scanner: str, found_in: list[str]) -> dict[str, object]:
    ids = advisory_ids(finding.ids)
    is_cve = CVE_ID.fullmatch(ids[0]) is not None
    metadata = {"scanner": scanner, "found_in": found_in[:ITEM_LIMIT]} | finding.extra
    return finding.apv | {
        "cve_id": ids[0] if is_cve else None,
        "aliases": ids[1:] if is_cve else ids,
        "package_name": finding.package,
        "package_version": finding.version,
        "package_ecosystem": finding.ecosystem,
        "metadata": {name: value for name, value in metadata.items() if value},
    }


def advisory_ids(ids: tuple[str, ...]) -> list[str]:
    """All ids once, the one that names the advisory first: a CVE id if there is one, then in alphabetical order.

    So two tools that lead with different ids of one advisory name it alike.
    """
    given = dict.fromkeys(name.strip() for name in ids)
    return sorted(given, key=lambda name: (CVE_ID.fullmatch(name) is None, name))


def fixed_version(installed: str | None, candidates: list[str]) -> str | None:
    """The smallest fixed version above the installed one as PEP 440 compares them; the first where it cannot."""
    base = _version(installed or "")
    comparable = [(version, text) for text in candidates if (version := _version(text))]
    above = [pair for pair in comparable if base and pair[0] > base]
    if above:
        return min(above)[1]
    return candidates[0] if candidates else None


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def cut(text: str | None) -> str | None:
    """A tool's text no longer than what is stored: a long description is no reason to refuse a report."""
    return text[:TEXT_LIMIT] if text else None
