"""What a digest covers, when two reports are the same, and what a score or a severity means."""

import re
from dataclasses import fields, replace
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.apv import (
    CODE_PATTERN,
    Apv,
    PatchStrategy,
    Severity,
    WargameVerdict,
    content,
    digest,
    identity,
    priority,
    severity_of_score,
)

FULL = Apv(
    severity=Severity.HIGH,
    package_name="jinja2",
    package_ecosystem="PyPI",
    package_version="3.1.2",
    repository="sample/shop",
    base_ref="main",
    reporter="nightly-scan",
    severity_assumed=True,
    cve_id="CVE-2024-22195",
    aliases=("GHSA-h5c8-rqwp-cp95", "PYSEC-2024-1"),
    cve_title="Attributes of the xmlattr filter may be injected",
    cve_description="Keys with spaces become attributes.",
    cvss_score=5.4,
    cvss_vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N",
    epss_score=0.1,
    epss_percentile=0.2,
    kev=True,
    cwe_ids=("CWE-79",),
    purl="pkg:pypi/jinja2@3.1.2",
    fixed_version="3.1.3",
    references=("https://example.org/advisory",),
    vulnerable_code_signature="do_xmlattr",
    vulnerable_code_type="function",
    affected_files=("src/jinja2/filters.py",),
    confirmed=True,
    confirmation_confidence=0.3,
    confirmation_score=0.4,
    static_confidence=0.5,
    dynamic_confidence=0.6,
    false_positive_probability=0.7,
    patch_strategy=PatchStrategy.VERSION_BUMP,
    patch_description="Raise the pin.",
    patch_diff="--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1 @@\n-jinja2==3.1.2\n+jinja2==3.1.3\n",
    patch_confidence=0.8,
    patch_risk_level="low",
    validation_passed=True,
    validation_confidence=0.9,
    validation_warnings=("no tests touch it",),
    wargame_verdict=WargameVerdict.SUCCESS,
    wargame_confidence=0.95,
    wargame_run_url="https://example.org/run/1",
    wargame_evidence={"attempts": 3, "log": ["refused"]},
)
FIELDS = [f.name for f in fields(Apv)]


def with_(name: str, value: Any) -> Apv:
    """The example with one field changed."""
    changes: dict[str, Any] = {name: value}
    return replace(FULL, **changes)


def other(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case Enum():
            return next(member for member in type(value) if member is not value)
        case bool():
            return not value
        case float():
            return value + 0.01
        case str():
            return value + " "
        case tuple():
            return (*value, "another")
        case dict():
            return {**value, "attempts": 4}
    raise AssertionError(value)


@pytest.mark.parametrize("name", FIELDS)
def test_the_example_says_something_in_every_field(name: str) -> None:
    """A new field of Apv must be added here, and then the tests below cover it."""
    assert getattr(FULL, name) not in (None, "", (), False, PatchStrategy.MANUAL)


@pytest.mark.parametrize("name", [n for n in FIELDS if n != "reporter"])
def test_every_field_that_a_reviewer_judges_changes_the_digest(name: str) -> None:
    """To another value, and to None where None is allowed."""
    changed = {digest(with_(name, other(getattr(FULL, name))))}
    default = next(f for f in fields(Apv) if f.name == name).default
    if isinstance(default, str | bool | tuple | None):
        changed.add(digest(with_(name, default)))
    assert digest(FULL) not in changed


def test_the_reporter_does_not_change_the_digest() -> None:
    """The reporter is not part of the content."""
    assert digest(replace(FULL, reporter="somebody-else")) == digest(FULL) == digest(replace(FULL, reporter=None))
    assert set(content(FULL)) == set(FIELDS) - {"reporter"}


def test_a_digest_is_64_lower_case_hex_digits() -> None:
    """SHA-256, as the contract shows it."""
    assert re.fullmatch(r"[0-9a-f]{64}", digest(FULL))


def test_the_digest_never_changes_between_releases() -> None:
    """The same APV always has the same digest, so an old decision still points at its content."""
    assert digest(FULL) == KNOWN


KNOWN = "d3bd9258719425807ae449b18647e6a4383ccc8e89bddb9ba0a1f1ca40511010"  # pragma: allowlist secret


def test_the_order_of_evidence_keys_does_not_matter() -> None:
    """The database stores them in its own order."""
    turned = replace(FULL, wargame_evidence={"log": ["refused"], "attempts": 3})
    assert digest(turned) == digest(FULL)


@given(a=st.text(max_size=5), b=st.text(max_size=5), c=st.text(max_size=5), d=st.text(max_size=5))
def test_text_does_not_move_from_one_field_to_the_next(a: str, b: str, c: str, d: str) -> None:
    """Equal digests only for equal fields."""
    one, two = replace(FULL, cve_title=a, patch_description=b), replace(FULL, cve_title=c, patch_description=d)
    assert (digest(one) == digest(two)) is ((a, b) == (c, d))


SAME_THING = {"repository", "package_ecosystem", "package_name", "package_version", "cve_id"}


@pytest.mark.parametrize("name", [n for n in FIELDS if n != "severity_assumed"])
def test_what_makes_two_reports_one(name: str) -> None:
    """Repository, ecosystem, package, version and the advisory; all else is content."""
    changed = with_(name, other(getattr(FULL, name)))
    assert (identity(changed) != identity(FULL)) is (name in SAME_THING)


def test_without_a_cve_the_first_alias_names_the_advisory() -> None:
    """And only the first."""
    bare = replace(FULL, cve_id=None)
    assert bare.advisory == "GHSA-h5c8-rqwp-cp95"
    assert identity(replace(bare, aliases=bare.aliases[:1])) == identity(bare)
    assert identity(replace(bare, aliases=bare.aliases[::-1])) != identity(bare)
    assert identity(replace(FULL, aliases=())) == identity(FULL)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [("repository", "Sample/Shop"), ("package_ecosystem", "pypi"), ("cve_id", "cve-2024-22195")],
)
def test_what_owners_compare_without_case_is_compared_so(name: str, spelled: str) -> None:
    """Two spellings of one name do not make two reviews."""
    assert identity(with_(name, spelled)) == identity(FULL)


def test_parts_of_an_identity_do_not_run_together() -> None:
    """`ab` 1 is not `a` b1."""
    one, two = ("ab", "1"), ("a", "b1")
    assert identity(replace(FULL, package_name=one[0], package_version=one[1])) != identity(
        replace(FULL, package_name=two[0], package_version=two[1])
    )


SCORES = [
    (10.0, "critical"), (9.0, "critical"), (8.9, "high"), (7.0, "high"), (6.9, "medium"), (4.0, "medium"),
    (3.9, "low"), (0.1, "low"), (0.0, "low"),
]  # fmt: skip


@pytest.mark.parametrize(("score", "severity"), SCORES)
def test_severity_of_a_score(score: float, severity: str) -> None:
    """CVSS v3.1's qualitative scale, at its edges."""
    assert severity_of_score(score) == severity


def test_priority_is_by_severity_and_ten_is_most_urgent() -> None:
    """Worse is more urgent even against a known exploited one of the next lower severity."""
    known = [priority(replace(FULL, severity=s, kev=kev)) for s in Severity for kev in (True, False, None)]
    assert known == sorted(known, reverse=True)
    assert (known[0], known[-1]) == (10, 1)


@pytest.mark.parametrize("code", ["APV-2026-0001", "APV-2026-1", "APV-1999-123456789"])
def test_what_a_code_looks_like(code: str) -> None:
    """A year and a number."""
    assert CODE_PATTERN.fullmatch(code)


@pytest.mark.parametrize("code", ["apv-2026-1", "APV-26-1", "APV-2026-", "APV-2026-1234567890", "APV-2026-1\n", "X"])
def test_what_no_code_looks_like(code: str) -> None:
    """Nothing else is one."""
    assert not CODE_PATTERN.fullmatch(code)
