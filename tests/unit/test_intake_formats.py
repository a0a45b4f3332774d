"""Every format is recognised; unknown input gets a sentence."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.faults import NotAccepted
from bot.intake.formats import FORMATS, UnknownInput, read

DATA = Path(os.environ.get("APV_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")

APV = {"cve_id": "CVE-2024-12345", "severity": "high", "package_name": "leftpad", "package_ecosystem": "npm"}
PIP_AUDIT = {"dependencies": [{"name": "flask", "version": "0.5", "vulns": [{"id": "PYSEC-2019-179"}]}], "fixes": []}
TRIVY = {
    "SchemaVersion": 2,
    "Results": [{"Target": "x", "Type": "npm", "Vulnerabilities": [{"VulnerabilityID": "GHSA-x", "PkgName": "a"}]}],
}


def sentence(content: str | bytes, format_name: str = "auto") -> str:
    with pytest.raises(UnknownInput) as refused:
        read(content, format_name, default_repository="")
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("apv", APV),
        ("apv", [APV]),
        ("pip-audit", PIP_AUDIT),
        ("pip-audit", PIP_AUDIT["dependencies"]),
        ("trivy", TRIVY),
        ("trivy", TRIVY["Results"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_recognised(name: str, document: object, encoding: str) -> None:
    """Every format is recognised by its shape, in every encoding of JSON files, and may also be named."""
    content = json.dumps(document).encode(encoding)
    found = read(content, default_repository="acme/shop")
    assert len(found) == 1
    assert found == read(content, name, default_repository="acme/shop")
    assert found == read(content.decode(encoding), default_repository="acme/shop")
    assert found == read("\ufeff" + json.dumps(document), default_repository="acme/shop")


def test_names_of_formats() -> None:
    """The names are those of the command line."""
    assert list(FORMATS) == ["apv", "pip-audit", "trivy"]


def test_apv_with_a_fault_is_still_an_apv() -> None:
    """Input that looks like APVs gets faults, not a sentence about its format."""
    with pytest.raises(NotAccepted):
        read(json.dumps([APV, 3]), default_repository="")
    with pytest.raises(NotAccepted):
        read("{}", "apv", default_repository="")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"matches": [], "source": {}}', "found a JSON object with the keys matches, source"),
        ('{"\\u202e": 1}', "found a JSON object without known keys"),
        ("[1, 2]", "found a list of 2 items that starts with a number"),
        ("null", "found null"),
        ('"x"', "found a string"),
    ],
)
def test_not_understood(content: str, found: str) -> None:
    """JSON in no known format is described, and the known formats are named."""
    understood = "APV JSON (one or a list), a pip-audit JSON report, a Trivy JSON report"
    assert sentence(content) == f"{found}; expected one of: {understood}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1, column 1"),
        ('{\n  "a": 1,\n}', "line 3, column 1"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "infinity"),
        ('{"a": ' + "9" * 5000 + "}", "thousands of digits"),
        ("[" * 200_000, "nested too deeply"),
        (b'{"a": "\xff"}', "the byte at offset 7"),
    ],
)
def test_not_json(content: str | bytes, said: str) -> None:
    """The sentence names the place where the input is not JSON."""
    assert said in sentence(content)


def test_no_such_format() -> None:
    """An unknown format names the known ones."""
    assert sentence("{}", "grype") == "unknown format; choose one of auto, apv, pip-audit, trivy"


@given(st.text() | st.binary() | st.text(alphabet='[]{}",:0n \\u'))
def test_any_content_is_read_or_refused(content: str | bytes) -> None:
    """No content raises another exception."""
    try:
        read(content, default_repository="")
    except (UnknownInput, NotAccepted) as refused:
        assert str(refused)


@pytest.mark.skipif(
    not (DATA / "scanners").is_dir(), reason="no folder of real reports (APV_TEST_DATA, ../shared/data)"
)
@pytest.mark.parametrize("tool", ["grype", "npm-audit", "osv-scanner"])
def test_other_tools_are_not_mistaken(tool: str) -> None:
    """A real report of an unknown tool is refused, not half read."""
    (report, *_) = sorted((DATA / "scanners").glob(f"{tool}-*.json"))
    assert sentence(report.read_bytes()).startswith("found a JSON object with the keys ")
