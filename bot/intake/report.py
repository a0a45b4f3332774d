"""Turns the findings of any scanner into submissions, one for each package, version and advisory.

Only a report's reader (one file per tool) knows the tool's JSON.
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
    """One vulnerability of one package, at `loc` in a report. `apv` has more fields by their APV JSON names."""

    loc: Loc
    ecosystem: str
    package: str
    version: str | None
    ids: tuple[str, ...]
    """The tool's own id first, then its aliases."""
    apv: dict[str, object]
    extra: dict[str, object] = field(default_factory=dict)
    """Values for which APV JSON has no field."""
    found_in: tuple[str, ...] = ()
    """The files or images with the finding."""


def validated(adapter: TypeAdapter[T], document: object, loc: Loc = ()) -> T:
    """The document as the tool's model. Raises `NotAccepted` with every place that the tool would not write."""
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        raise NotAccepted(model_faults(error, loc)) from None


def submissions(findings: Iterable[Finding], *, scanner: str, default_repository: str) -> list[Submission]:
    """One submission per package, version and advisory, in the report's order. Raises `NotAccepted`.

    Of duplicate findings the first counts, and the submission keeps the places of all.
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
    """All distinct ids: CVE ids first, each kind in alphabetical order. The first one names the advisory.

    So two tools that put different ids of one advisory first give it the same name.
    """
    given = dict.fromkeys(name.strip() for name in ids)
    return sorted(given, key=lambda name: (CVE_ID.fullmatch(name) is None, name))


def fixed_version(installed: str | None, candidates: list[str]) -> str | None:
    """The smallest fixed version above the installed one by PEP 440; the first one if they do not follow it."""
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
    """The text cut to the stored length, so that a long description does not refuse a report."""
    return text[:TEXT_LIMIT] if text else None
