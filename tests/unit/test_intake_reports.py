"""Scanner reports: each tool's documented JSON, small and written here, and real ones if they are available."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.apv import PatchStrategy, Severity, Submission, identity
from bot.domain.faults import NotAccepted
from bot.intake import pip_audit, trivy
from bot.intake.bounds import ITEM_LIMIT, TEXT_LIMIT
from bot.intake.formats import read
from bot.intake.report import fixed_version
from bot.intake.trivy_ecosystems import ecosystem

DATA = Path(os.environ.get("APV_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "scanners").is_dir(), reason="no folder of real reports (APV_TEST_DATA, ../shared/data)"
)

V2 = "AV:N/AC:M/Au:N/C:N/I:N/A:P"
V3_HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
V3_MEDIUM = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:N/I:N/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"


def by_advisory(submissions: list[Submission]) -> dict[str, Submission]:
    return {submission.apv.advisory: submission for submission in submissions}


# --- pip-audit


def dependency(name: str = "flask", version: str = "0.5", *vulns: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": version, "vulns": list(vulns)}


def vulnerability(name: str = "PYSEC-2019-179", *aliases: str, fixes: tuple[str, ...] = ("1.0",)) -> dict[str, Any]:
    return {"id": name, "fix_versions": list(fixes), "aliases": list(aliases), "description": "Uses much memory."}


def audit(*dependencies: dict[str, Any]) -> list[Submission]:
    return pip_audit.parse({"dependencies": list(dependencies), "fixes": []}, default_repository="acme/shop")


def test_pip_audit_finding() -> None:
    """A finding is a version bump of assumed medium severity, named by its CVE id, in the default repository."""
    (submission,) = audit(
        dependency("flask", "0.5", vulnerability("PYSEC-2019-179", "BIT-flask-1", "CVE-2019-1010083"))
    )
    apv = submission.apv
    assert (apv.cve_id, apv.aliases) == ("CVE-2019-1010083", ("BIT-flask-1", "PYSEC-2019-179"))
    assert (apv.package_ecosystem, apv.package_name, apv.package_version) == ("PyPI", "flask", "0.5")
    assert (apv.severity, apv.severity_assumed) == (Severity.MEDIUM, True)
    assert (apv.fixed_version, apv.patch_strategy, apv.has_patch) == ("1.0", PatchStrategy.VERSION_BUMP, False)
    assert (apv.repository, apv.cve_description) == ("acme/shop", "Uses much memory.")
    assert submission.metadata == {"scanner": "pip-audit", "fix_versions": ["1.0"]}


def test_pip_audit_without_fix_is_manual() -> None:
    """Without a known fixed version the strategy is manual."""
    (submission,) = audit(dependency("lxml", "4.6.4", vulnerability(fixes=())))
    assert (submission.apv.fixed_version, submission.apv.patch_strategy) == (None, PatchStrategy.MANUAL)


def test_pip_audit_older_list() -> None:
    """The bare list of older releases, without aliases and descriptions, is read as well."""
    bare = [dependency("flask", "0.5", {"id": "PYSEC-2019-179", "fix_versions": ["1.0"]}), dependency("jinja2", "3.0")]
    (submission,) = pip_audit.parse(bare, default_repository="")
    assert (submission.apv.cve_id, submission.apv.aliases) == (None, ("PYSEC-2019-179",))


def test_pip_audit_passes_over_what_was_skipped() -> None:
    """A dependency that was not audited has no finding."""
    assert audit({"name": "mine", "skip_reason": "not found"}, dependency("jinja2", "3.1.2")) == []


def test_pip_audit_tells_one_advisory_once() -> None:
    """One advisory of one release is one review, whatever its id and however often it is reported."""
    pysec = vulnerability("PYSEC-2019-179", "CVE-2019-1010083")
    ghsa = vulnerability("GHSA-x", "CVE-2019-1010083", fixes=())
    submissions = audit(dependency("flask", "0.5", pysec, ghsa), dependency("flask", "0.5", pysec))
    assert [(s.apv.cve_id, s.apv.fixed_version) for s in submissions] == [("CVE-2019-1010083", "1.0")]


def test_pip_audit_order_of_ids_does_not_matter() -> None:
    """The same advisory, led by another of its ids, is the same APV."""
    (one,) = audit(dependency("flask", "0.5", vulnerability("PYSEC-2019-179", "GHSA-x")))
    (other,) = audit(dependency("flask", "0.5", vulnerability("GHSA-x", "PYSEC-2019-179")))
    assert identity(one.apv) == identity(other.apv)


def test_pip_audit_faults_name_the_place() -> None:
    """Every place that pip-audit would not write is a fault."""
    broken = [dependency("flask", "0.5", {"fix_versions": "1.0"}), {"name": 7, "vulns": []}]
    with pytest.raises(NotAccepted) as refused:
        pip_audit.parse({"dependencies": broken}, default_repository="")
    assert {(fault.type, fault.loc) for fault in refused.value.faults} == {
        ("missing", ("dependencies", 0, "vulns", 0, "id")),
        ("list_type", ("dependencies", 0, "vulns", 0, "fix_versions")),
        ("string_type", ("dependencies", 1, "name")),
    }


def test_content_that_cannot_be_stored_names_the_finding() -> None:
    """The limits of an APV also apply to reports."""
    with pytest.raises(NotAccepted) as refused:
        audit(dependency("fla\0sk", "0.5", vulnerability()))
    assert refused.value.faults[0].loc == ("dependencies", 0, "vulns", 0, "package_name")


def test_long_description_is_cut() -> None:
    """A long text does not refuse a report."""
    (submission,) = audit(dependency("flask", "0.5", vulnerability() | {"description": "x" * (TEXT_LIMIT + 1)}))
    assert submission.apv.cve_description == "x" * TEXT_LIMIT


@pytest.mark.parametrize(
    ("installed", "candidates", "chosen"),
    [
        ("3.2.9", ["2.2.25", "3.1.14", "3.2.10"], "3.2.10"),
        ("3.2.9", ["4.0", "3.2.10", "3.10"], "3.2.10"),
        ("3.2.9", ["2.2.25"], "2.2.25"),
        ("3.2.9", ["master", "3.3"], "3.3"),
        ("v1.9.0", ["v1.10.0", "v1.9.5"], "v1.9.5"),
        ("2:1.0~rc1", ["2:1.0", "2:1.1"], "2:1.0"),
        (None, ["2.0", "1.0"], "2.0"),
        ("1.0", [], None),
    ],
)
def test_fixed_version(installed: str | None, candidates: list[str], chosen: str | None) -> None:
    """The smallest version above the installed one if they can be compared, otherwise the first."""
    assert fixed_version(installed, candidates) == chosen


# --- Trivy


def detected(name: str = "CVE-2021-23337", **more: Any) -> dict[str, Any]:
    least = {"VulnerabilityID": name, "PkgName": "lodash", "InstalledVersion": "4.17.20", "Severity": "HIGH"}
    return least | more


def result(*vulnerabilities: dict[str, Any], **more: Any) -> dict[str, Any]:
    return (
        {"Target": "package-lock.json", "Class": "lang-pkgs", "Type": "npm"}
        | more
        | {"Vulnerabilities": list(vulnerabilities)}
    )


def scan(*results: dict[str, Any]) -> list[Submission]:
    report = {"SchemaVersion": 2, "ArtifactName": ".", "ArtifactType": "filesystem", "Results": list(results)}
    return trivy.parse(report, default_repository="acme/shop")


def scanned(**more: Any) -> Submission:
    (submission,) = scan(result(detected(**more)))
    return submission


def test_trivy_finding() -> None:
    """A finding keeps what the report says of it."""
    submission = scanned(
        FixedVersion="4.17.21",
        Status="fixed",
        PkgIdentifier={"PURL": "pkg:npm/lodash@4.17.20", "UID": "1"},
        SeveritySource="ghsa",
        PrimaryURL="https://avd.example/cve-2021-23337",
        Title="Command injection",
        Description="Template settings run commands.",
        CweIDs=["CWE-94"],
        CVSS={"ghsa": {"V3Vector": V3_HIGH, "V3Score": 7.5}},
        References=["https://a.example", "https://avd.example/cve-2021-23337", "https://b.example"],
    )
    apv = submission.apv
    assert (apv.cve_id, apv.aliases, apv.severity, apv.severity_assumed) == ("CVE-2021-23337", (), "high", False)
    assert (apv.package_ecosystem, apv.package_name, apv.package_version) == ("npm", "lodash", "4.17.20")
    assert (apv.fixed_version, apv.patch_strategy, apv.has_patch) == ("4.17.21", PatchStrategy.VERSION_BUMP, False)
    assert (apv.cvss_vector, apv.cvss_score, apv.cwe_ids) == (V3_HIGH, 7.5, ("CWE-94",))
    assert (apv.cve_title, apv.cve_description) == ("Command injection", "Template settings run commands.")
    assert apv.references == ("https://avd.example/cve-2021-23337", "https://a.example", "https://b.example")
    assert (apv.purl, apv.repository) == ("pkg:npm/lodash@4.17.20", "acme/shop")
    assert submission.metadata == {
        "scanner": "trivy",
        "found_in": ["package-lock.json"],
        "fix_versions": ["4.17.21"],
        "status": "fixed",
        "severity_source": "ghsa",
    }


def test_trivy_reads_only_vulnerabilities() -> None:
    """Misconfigurations, secrets, licences and suppressed findings do not become reviews."""
    others = {
        "Misconfigurations": [{"ID": "DS002", "Severity": "HIGH"}],
        "Secrets": [{"RuleID": "aws-access-key-id", "Severity": "CRITICAL"}],
        "Licenses": [{"Name": "GPL-3.0", "PkgName": "bash", "Severity": "HIGH"}],
        "ExperimentalModifiedFindings": [{"Type": "vulnerability", "Finding": detected("CVE-2017-16137")}],
    }
    assert [s.apv.cve_id for s in scan(result(**others), result(detected(), **others))] == ["CVE-2021-23337"]


@pytest.mark.parametrize("report", [{"SchemaVersion": 2}, {"SchemaVersion": 2, "Results": None}, [], [{"Target": "x"}]])
def test_trivy_without_findings(report: object) -> None:
    """A clean report has no reviews."""
    assert read(json.dumps(report), default_repository="") == []


@pytest.mark.parametrize("severity", [{"Severity": "UNKNOWN"}, {"Severity": ""}, {"Severity": None}])
def test_trivy_unknown_severity_is_assumed(severity: dict[str, Any]) -> None:
    """A finding without a severity is medium by assumption, whatever its score."""
    apv = scanned(**severity, CVSS={"nvd": {"V3Vector": V3_HIGH}}).apv
    assert (apv.severity, apv.severity_assumed, apv.cvss_score) == (Severity.MEDIUM, True, 7.5)


def test_trivy_other_advisory_ids_are_aliases() -> None:
    """An id that is not a CVE id also names the advisory."""
    apv = scanned(name="GHSA-35jh-r3h4-6jhm").apv
    assert (apv.cve_id, apv.aliases, apv.advisory) == (None, ("GHSA-35jh-r3h4-6jhm",), "GHSA-35jh-r3h4-6jhm")


@pytest.mark.parametrize(
    ("fixed", "chosen", "strategy"),
    [
        ("3.1.0, 2.6.9", "3.1.0", PatchStrategy.VERSION_BUMP),
        ("2.6.9, 3.1.0, 3.2.7", "3.1.0", PatchStrategy.VERSION_BUMP),
        (">=3.4.11", "3.4.11", PatchStrategy.VERSION_BUMP),
        ("~> 2.3.3, >= 3.0.5", "3.0.5", PatchStrategy.VERSION_BUMP),
        ("", None, PatchStrategy.MANUAL),
        (None, None, PatchStrategy.MANUAL),
    ],
)
def test_trivy_fixed_versions(fixed: str | None, chosen: str | None, strategy: PatchStrategy) -> None:
    """The next fixed version above the installed one is proposed; without any the strategy is manual."""
    apv = scanned(InstalledVersion="3.0.1", FixedVersion=fixed).apv
    assert (apv.fixed_version, apv.patch_strategy) == (chosen, strategy)


@pytest.mark.parametrize(
    ("source", "cvss", "chosen"),
    [
        ("ghsa", {"nvd": {"V3Vector": V3_MEDIUM}, "ghsa": {"V3Vector": V3_HIGH}}, V3_HIGH),
        (None, {"redhat": {"V3Vector": V3_HIGH}, "nvd": {"V3Vector": V3_MEDIUM}}, V3_MEDIUM),
        (None, {"nvd": {"V2Vector": V2}, "redhat": {"V3Vector": V3_HIGH}}, V3_HIGH),
        (None, {"nvd": {"V40Vector": V4, "V3Vector": V3_HIGH}}, V3_HIGH),
        (None, {"ghsa": {"V40Vector": V4}, "nvd": {"V2Vector": V2}}, V4),
        (None, {"bitnami": {"V3Vector": V3_HIGH}}, V3_HIGH),
        (None, {"nvd": {"V3Vector": "CVSS:3.1/broken"}, "bitnami": {"V2Vector": V2}}, V2),
        (None, {"nvd": None}, None),
        (None, None, None),
    ],
)
def test_trivy_vector(source: str | None, cvss: object, chosen: str | None) -> None:
    """The vector shown is a valid one: of the severity's source first, and version 3 before 4 before 2."""
    assert scanned(SeveritySource=source, CVSS=cvss).apv.cvss_vector == chosen


def test_trivy_tells_one_advisory_once() -> None:
    """One vulnerability of one release is one review that names every place it was found in."""
    submissions = scan(
        result(detected(), detected("CVE-2020-8203"), Target="a/package-lock.json"),
        result(detected(), Target="b/package-lock.json"),
        result(detected(InstalledVersion="4.17.19"), Target="c/package-lock.json"),
    )
    assert [(s.apv.cve_id, s.apv.package_version, s.metadata["found_in"]) for s in submissions] == [
        ("CVE-2021-23337", "4.17.20", ["a/package-lock.json", "b/package-lock.json"]),
        ("CVE-2020-8203", "4.17.20", ["a/package-lock.json"]),
        ("CVE-2021-23337", "4.17.19", ["c/package-lock.json"]),
    ]


def test_trivy_first_schema() -> None:
    """The bare list of schema version 1 is read, with and without types."""
    report = [
        {"Target": "php-app/composer.lock", "Vulnerabilities": None},
        {"Target": "node-app/package-lock.json", "Vulnerabilities": [detected()]},
        {"Target": "ci-test (alpine 3.7.1)", "Vulnerabilities": [detected("CVE-2018-16840", PkgName="curl")]},
    ]
    found = [(s.apv.package_name, s.apv.package_ecosystem) for s in trivy.parse(report, default_repository="")]
    assert found == [("lodash", "npm"), ("curl", "Alpine")]


@pytest.mark.parametrize("key", ["Resources", "Findings", "Vulnerabilities"])
def test_trivy_kubernetes(key: str) -> None:
    """A cluster's report is read, under each name that its resources have had."""
    report = {"ClusterName": "prod", key: [{"Kind": "Pod", "Name": "web", "Results": [result(detected())]}]}
    assert [s.apv.cve_id for s in read(json.dumps(report), default_repository="")] == ["CVE-2021-23337"]


@pytest.mark.parametrize(
    ("kind", "purl", "target", "expected"),
    [
        ("pip", "", "", "PyPI"),
        ("uv", "", "", "PyPI"),
        ("pnpm", "", "", "npm"),
        ("gobinary", "", "", "Go"),
        ("cargo", "", "", "crates.io"),
        ("bundler", "", "", "RubyGems"),
        ("composer", "", "", "Packagist"),
        ("jar", "", "", "Maven"),
        ("nuget", "", "", "NuGet"),
        ("debian", "", "", "Debian"),
        ("alpine", "", "", "Alpine"),
        ("redhat", "", "", "Red Hat"),
        ("wordpress", "", "", "wordpress"),
        ("", "pkg:gem/rails@7.0", "", "RubyGems"),
        ("", "", "registry.example/web:1 (debian 12.1)", "Debian"),
        ("", "", "app/Cargo.lock", "crates.io"),
        ("", "", "somewhere", "generic"),
    ],
)
def test_ecosystems(kind: str, purl: str, target: str, expected: str) -> None:
    """An ecosystem has its OSV name; one that OSV does not know keeps Trivy's."""
    assert ecosystem(kind, purl, target) == expected


def test_trivy_faults_name_the_place() -> None:
    """Every place that Trivy would not write is a fault."""
    with pytest.raises(NotAccepted) as refused:
        scan(result(detected(PkgName=7), {"VulnerabilityID": "CVE-2021-23337"}), result(Target=1))
    assert {fault.loc for fault in refused.value.faults} == {
        ("Results", 0, "Vulnerabilities", 0, "PkgName"),
        ("Results", 0, "Vulnerabilities", 1, "PkgName"),
        ("Results", 1, "Target"),
    }


def test_trivy_long_lists_are_cut() -> None:
    """More references than an APV may have do not refuse a report."""
    assert len(scanned(References=[f"https://{n}.example" for n in range(ITEM_LIMIT * 2)]).apv.references) == ITEM_LIMIT


# --- any report at all

PIP_AUDIT_KEYS = ("dependencies", "name", "version", "vulns", "id", "aliases", "fix_versions")
TRIVY_KEYS = ("Results", "Target", "Type", "Vulnerabilities", "VulnerabilityID", "PkgName", "Severity", "CVSS", "nvd")
TOOL_KEYS = st.sampled_from([*PIP_AUDIT_KEYS, *TRIVY_KEYS, "V3Vector", "SchemaVersion"])
TOOL_JSON = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([V2, V3_HIGH, "CVE-2021-23337"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TOOL_KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)


@given(TOOL_JSON | st.dictionaries(TOOL_KEYS, TOOL_JSON), st.sampled_from([pip_audit.parse, trivy.parse]))
def test_any_json_is_read_or_refused(document: object, parse: Any) -> None:
    """A reader accepts a JSON value or refuses it with faults; nothing else happens."""
    try:
        parse(document, default_repository="")
    except NotAccepted as refused:
        assert refused.faults


# --- real reports


@needs_data
def test_real_pip_audit_report() -> None:
    """pip-audit's real report is read whole: every vulnerability of every audited dependency."""
    content = (DATA / "scanners" / "pip-audit-many.json").read_bytes()
    told = {
        (dependency["name"], found["id"])
        for dependency in json.loads(content)["dependencies"]
        for found in dependency.get("vulns", [])
    }
    submissions = read(content, default_repository="acme/shop")
    assert {(s.apv.package_name, s.apv.advisory) for s in submissions} == told
    assert all(s.apv.severity_assumed and s.apv.package_ecosystem == "PyPI" for s in submissions)
    assert by_advisory(submissions)["PYSEC-2021-439"].apv.fixed_version == "3.2.10"


@needs_data
@pytest.mark.parametrize(("name", "count"), [("trivy-0-findings.json", 0), ("trivy-5-findings.json", 5)])
def test_real_trivy_report(name: str, count: int) -> None:
    """Trivy's real reports are read whole, each finding with a fixed version as a version bump."""
    submissions = read((DATA / "scanners" / name).read_bytes(), default_repository="acme/shop")
    assert len(submissions) == count
    assert {s.apv.package_ecosystem for s in submissions} <= {"Alpine", "Maven"}
    assert all(s.apv.patch_strategy is PatchStrategy.VERSION_BUMP and s.apv.cve_id for s in submissions)
