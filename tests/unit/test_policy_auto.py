"""Approval without a person: whose submissions, of what, and what always leaves it to people."""

from dataclasses import replace

import pytest

from bot.bumps.kinds import ECOSYSTEMS
from bot.domain.apv import Apv, PatchStrategy, Severity, WargameVerdict
from bot.domain.auto import Origin, approved_by_policy
from bot.domain.manifests import LOCKS, only_pins
from bot.domain.patch import ChangeKind, FileChange
from bot.domain.review import Review
from bot.policies.reading import Around, read
from tests.builders import ALICE, BOB, NOW, apv, review

AROUND = Around((ALICE, BOB), (), "C0REVIEW", "C0INCIDENT")
AUTO = '[auto_approval]\nenabled = true\nsubmitter = ["nightly*", "Renovate"]\nseverity = ["low", "medium", "high"]\n'
GOOD = apv(severity=Severity.LOW, wargame_verdict=WargameVerdict.SUCCESS, wargame_confidence=0.95)
SUBMITTED = Origin("nightly-scan")


def files(*paths: str) -> tuple[FileChange, ...]:
    return tuple(FileChange(p, ChangeKind.CHANGED, old_mode="100644", insertions=1, deletions=1) for p in paths)


def bump(**changes: object) -> Review:
    fields = {
        "severity": Severity.LOW, "package_name": "jinja2", "package_ecosystem": "PyPI", "repository": "sample/shop",
        "package_version": "3.1.2", "fixed_version": "3.1.3", "patch_strategy": PatchStrategy.VERSION_BUMP,
        "files": files("requirements.txt", "app/uv.lock"),
    }  # fmt: skip
    return review(**{**fields, **changes})


def automatic(on: Review, text: str = "", origin: Origin = SUBMITTED, given: Apv = GOOD) -> bool:
    policy = read(AUTO + text, AROUND)
    return approved_by_policy(on, given, policy, origin, opens_pulls=True, now=NOW) is not None


@pytest.mark.parametrize("submitter", ["nightly-scan", "token:nightly", "renovate", "token:RENOVATE"])
def test_a_named_submitter_is_approved_automatically(submitter: str) -> None:
    """By the name of its token, with or without the prefix, in any case."""
    assert automatic(bump(), origin=Origin(submitter))


@pytest.mark.parametrize("submitter", [None, "", "somebody", "token:my-nightly", "renovate2"])
def test_nobody_elses_submission_is(submitter: str | None) -> None:
    """Whatever it says of its reporter: only who submitted it counts."""
    assert not automatic(bump(reporter="nightly-scan"), origin=Origin(submitter))


def test_an_objection_before_leaves_it_to_people() -> None:
    assert not automatic(bump(), origin=replace(SUBMITTED, objected=True))


PEOPLE = [
    ({"cvss_severity": Severity.CRITICAL}, ""),
    ({"kev": True}, ""),
    ({"files": files("requirements.txt", ".github/workflows/ci.yml")}, ""),
    ({"files": files("requirements.txt", "src/app.py")}, ""),
    ({"files": files("setup.py")}, ""),
    ({"files": files("Dockerfile")}, ""),
    ({"files": files("node_modules/x/package.json")}, ""),
    ({"files": None}, ""),
    ({"files": ()}, ""),
    ({"files": (FileChange("uv.lock", ChangeKind.CHANGED, binary=True),)}, ""),
    ({"files": (FileChange("uv.lock", ChangeKind.CHANGED, old_mode="100644", new_mode="100755"),)}, ""),
    ({"files": (FileChange("uv.lock", ChangeKind.RENAMED, was="run.py"),)}, ""),
    ({"files": (FileChange("uv.lock", ChangeKind.ADDED),)}, ""),
    ({}, "[[rule]]\nmin_files = 2\napprovals = 1"),
    ({}, "[[rule]]\njustification = true"),
]


@pytest.mark.parametrize(("changes", "text"), PEOPLE)
def test_what_is_left_to_people(changes: dict[str, object], text: str) -> None:
    """Critical by anything that is said of it, known to be exploited, more than pins, or under any rule."""
    assert automatic(bump())
    assert not automatic(bump(**changes), text)


def test_critical_by_its_vector_stays_with_people_where_rules_go_by_the_stated_severity() -> None:
    under = read(f'severity_from = "stated"\n{AUTO}', AROUND)
    on = bump(cvss_severity=Severity.CRITICAL)
    assert approved_by_policy(on, GOOD, under, SUBMITTED, opens_pulls=True, now=NOW) is None


def test_other_strategies_may_touch_what_they_must() -> None:
    """A policy that names them is warned of; the bound on files is one of version bumps."""
    code = replace(GOOD, patch_strategy=PatchStrategy.CODE_REWRITE)
    on = bump(files=files("src/app.py"), patch_strategy=PatchStrategy.CODE_REWRITE)
    assert automatic(on, 'strategy = ["code_rewrite"]', given=code)


def test_every_lock_file_that_the_bot_knows_is_one() -> None:
    """Except the binary one, whose content nobody can read."""
    known = {name for ecosystem in ECOSYSTEMS.values() for name in ecosystem.locks}
    assert known - LOCKS == {"bun.lockb"}


MANIFESTS = ["requirements.txt", "requirements-dev.txt", "requirements/base.txt", "pyproject.toml", "web/package.json",
             "go.mod", "Cargo.toml", "pom.xml", "constraints.txt"]  # fmt: skip


@pytest.mark.parametrize("path", MANIFESTS)
def test_every_manifest_that_the_bot_pins_is_one(path: str) -> None:
    """Except those that run commands."""
    assert any(ecosystem.reader(path) for ecosystem in ECOSYSTEMS.values())
    assert only_pins(files(path))
    assert not only_pins(files(f"{path}.bak"))
