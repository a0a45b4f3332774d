"""The samples are what they claim to be: real advisories, patches that apply, input that the bot accepts."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from bot.domain.apv import Apv, PatchStrategy, Severity, WargameVerdict, digest, identity
from bot.intake.formats import read
from bot.samples import apvs, repository_files
from bot.scores import base_score

DATA = Path(os.environ.get("APV_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")

APVS: dict[str, Apv] = {
    name.removesuffix(".json"): read(text, default_repository="acme/bookstall")[0].apv for name, text in apvs()
}
PATCHED = {name: apv for name, apv in APVS.items() if apv.patch_diff}

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(repository: Path, *arguments: str, patch: str = "") -> str:
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments]
    done = subprocess.run(
        command, cwd=repository, env=GIT_ENVIRONMENT, input=patch.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for path, content in repository_files().items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "The bookstall")
    return tmp_path


def test_mix_of_severities_and_strategies() -> None:
    """A newcomer sees every severity, every strategy and every kind of verdict."""
    severities = [apv.severity for apv in APVS.values()]
    assert len(APVS) >= 10
    assert severities.count(Severity.CRITICAL) >= 2
    assert set(severities) == set(Severity)
    assert {apv.patch_strategy for apv in APVS.values()} == set(PatchStrategy)
    assert {apv.wargame_verdict for apv in APVS.values()} == set(WargameVerdict)


def test_every_sample_is_its_own_review() -> None:
    """No two samples are the same APV."""
    assert len({identity(apv) for apv in APVS.values()}) == len(APVS)
    assert len({digest(apv) for apv in APVS.values()}) == len(APVS)


def test_only_the_manual_sample_has_no_patch() -> None:
    """A manual APV has no patch; every other one has."""
    assert {apv.patch_strategy for name, apv in APVS.items() if name not in PATCHED} == {PatchStrategy.MANUAL}
    assert PatchStrategy.MANUAL not in {apv.patch_strategy for apv in PATCHED.values()}


@pytest.mark.parametrize("name", PATCHED)
def test_patch_applies(repository: Path, name: str) -> None:
    """Each patch applies to the sample repository, touches the files it says and nothing else."""
    apv = PATCHED[name]
    git(repository, "apply", "--cached", patch=apv.patch_diff or "")
    assert tuple(git(repository, "diff", "--cached", "--name-only").splitlines()) == apv.affected_files


def test_all_patches_apply_together(repository: Path) -> None:
    """Approving every sample, in any order of names, leaves no pull request in conflict with a merged one."""
    for apv in reversed(PATCHED.values()):
        git(repository, "apply", "--index", patch=apv.patch_diff or "")
    for apv in PATCHED.values():
        git(repository, "apply", "--index", "--reverse", patch=apv.patch_diff or "")
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", APVS)
def test_pin_is_the_vulnerable_release(name: str) -> None:
    """The repository pins exactly the release each sample is about, and a bump pins the fixed one."""
    apv = APVS[name]
    files = {path: content.decode() for path, content in repository_files().items()}
    if apv.package_name == "pip":
        assert f"PIP_VERSION={apv.package_version}\n" in files["Dockerfile"]
        added = f"+ARG PIP_VERSION={apv.fixed_version}\n"
    else:
        assert f"\n{apv.package_name}=={apv.package_version}\n" in files["requirements.txt"]
        added = f"+{apv.package_name}=={apv.fixed_version}\n"
    if apv.patch_strategy is PatchStrategy.VERSION_BUMP:
        assert added in (apv.patch_diff or "")


@pytest.mark.parametrize("name", APVS)
def test_quoted_code_is_in_the_repository(name: str) -> None:
    """The vulnerable line a sample quotes is really there."""
    quoted = APVS[name].vulnerable_code_signature or ""
    assert any(quoted in content.decode() for content in repository_files().values())


@pytest.mark.parametrize("name", APVS)
def test_score_is_that_of_the_vector(name: str) -> None:
    """Each score is the base score of its vector."""
    apv = APVS[name]
    assert apv.cvss_score == (base_score(apv.cvss_vector) if apv.cvss_vector else None)


def test_readme_names_every_source() -> None:
    """Every sample's advisory, pin and fixed release are in the table of sources."""
    text = (Path(__file__).parents[2] / "bot" / "samples" / "README.md").read_text()
    for name, apv in APVS.items():
        pysec = next(alias for alias in apv.aliases if alias.startswith("PYSEC-"))
        row = re.search(rf"^\| `{name}` \| (.*)$", text, re.MULTILINE)
        assert row, name
        assert pysec in row[1]
        assert f"{apv.package_name} {apv.package_version} | {apv.fixed_version} | {apv.severity}" in row[1]


@pytest.mark.skipif(not (DATA / "osv").is_dir(), reason="no folder of OSV advisories (APV_TEST_DATA, ../shared/data)")
@pytest.mark.parametrize("name", APVS)
def test_facts_are_those_of_the_advisory(name: str) -> None:
    """Ids, affected and fixed versions, and the vector where the advisory has one, are the advisory's own."""
    apv = APVS[name]
    pysec = next(alias for alias in apv.aliases if alias.startswith("PYSEC-"))
    advisory = json.loads((DATA / "osv" / f"{pysec}.json").read_text())
    affected = advisory["affected"][0]
    fixed = {event["fixed"] for r in affected["ranges"] for event in r["events"] if "fixed" in event}
    assert {i for i in (apv.cve_id, *apv.aliases) if i} <= {advisory["id"], *advisory.get("aliases", [])}
    assert affected["package"]["name"] == apv.package_name
    assert apv.package_version in affected["versions"]
    assert apv.fixed_version in fixed
    if advisory.get("severity"):
        assert apv.cvss_vector == advisory["severity"][0]["score"]
