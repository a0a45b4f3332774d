"""Everything that the digest covers except the diff, as titled texts."""

import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from bot.blocks import patch, words
from bot.blocks.characters import fact, name, visible
from bot.domain.apv import Apv
from bot.domain.review import Dossier

Fact: TypeAlias = str | float | bool | None


def texts(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """Each title with its text, whole and untrusted; hidden characters are shown."""
    apv, review = dossier.apv, dossier.review
    files = [*patch.listed(review.files or ()), *patch.warnings(apv, review)]
    told = (
        ("Advisory", _facts(_advisory(apv))),
        ("Description", visible(apv.cve_description or "")),
        ("Package", _facts(_package(apv))),
        ("Confirmation", _facts(_confirmation(apv))),
        ("Vulnerable code", visible(apv.vulnerable_code_signature or "")),
        ("Affected files", _lines(apv.affected_files)),
        ("Patch", _facts(_patch(apv))),
        ("What the patch does", visible(apv.patch_description or "")),
        ("Files of the patch", "\n".join(files)),
        ("Validation warnings", _lines(apv.validation_warnings)),
        ("Wargame", _facts(_wargame(apv))),
        ("Wargame evidence", visible(_pretty(apv))),
        ("References", _lines(apv.references)),
        ("Content", _facts({"Version": review.version, "Digest": review.digest})),
    )
    yield from ((title, text) for title, text in told if text)


def _advisory(apv: Apv) -> Mapping[str, Fact]:
    return {
        "CVE": apv.cve_id,
        "Aliases": " ".join(apv.aliases),
        "Title": apv.cve_title,
        "Severity": apv.severity.value + (" (assumed)" if apv.severity_assumed else ""),
        "CVSS": apv.cvss_score,
        "CVSS vector": apv.cvss_vector,
        "EPSS": apv.epss_score,
        "EPSS percentile": apv.epss_percentile,
        "Known exploited (CISA KEV)": apv.kev,
        "CWE": " ".join(apv.cwe_ids),
    }


def _package(apv: Apv) -> Mapping[str, Fact]:
    return {
        "Name": apv.package_name,
        "Ecosystem": apv.package_ecosystem,
        "Version": apv.package_version,
        "Fixed in": apv.fixed_version,
        "purl": apv.purl,
        "Repository": apv.repository,
        "Base branch": apv.base_ref or ("the repository's default branch" if apv.repository else None),
    }


def _confirmation(apv: Apv) -> Mapping[str, Fact]:
    return {
        "Confirmed": apv.confirmed,
        "Confidence": apv.confirmation_confidence,
        "Score": apv.confirmation_score,
        "Static confidence": apv.static_confidence,
        "Dynamic confidence": apv.dynamic_confidence,
        "False positive probability": apv.false_positive_probability,
        "Type of vulnerable code": apv.vulnerable_code_type,
    }


def _patch(apv: Apv) -> Mapping[str, Fact]:
    return {
        "Strategy": f"{words.STRATEGY[apv.patch_strategy]} ({apv.patch_strategy.value})",
        "Diff": f"{len(apv.patch_diff):,} characters, under View diff" if apv.patch_diff else "none",
        "Confidence": apv.patch_confidence,
        "Risk": apv.patch_risk_level,
        "Validation passed": apv.validation_passed,
        "Validation confidence": apv.validation_confidence,
    }


def _wargame(apv: Apv) -> Mapping[str, Fact]:
    return {
        "Verdict": apv.wargame_verdict.value if apv.wargame_verdict else "not run",
        "Confidence": apv.wargame_confidence,
        "Run": apv.wargame_run_url,
    }


def _facts(facts: Mapping[str, Fact]) -> str:
    return "\n".join(f"{what}: {_fact(value)}" for what, value in facts.items() if value not in (None, ""))


def _fact(value: Fact) -> str:
    """One line, so that no value can look like the next fact."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return fact(str(value))


def _lines(values: tuple[str, ...]) -> str:
    return "\n".join(name(value) for value in values)


def _pretty(apv: Apv) -> str:
    evidence = apv.wargame_evidence
    return "" if evidence is None else json.dumps(evidence, indent=2, ensure_ascii=False)
