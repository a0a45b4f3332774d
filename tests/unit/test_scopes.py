"""What the patterns of a policy match: paths as in gitignore, packages as their ecosystem names them."""

import subprocess
from pathlib import Path

import pytest

from bot.domain.apv import Severity
from bot.domain.extra_rules import BUILT_IN_EXTRA
from bot.domain.scopes import Scope, covers_all, either, glob, package_glob, path_glob
from bot.domain.versions import may_be_major
from tests.builders import review

PATTERNS = [
    ".github/**", ".gitlab-ci.yml", "**/CODEOWNERS", "**/Dockerfile*", "/Makefile", "src/*.py",
    "src/**/test_*.py", "docs/",
    "a/**", "**", "*.lock", "ci", "ci/deploy", "f?o", "[a-c]x", "[!a-c]x", "we[]]rd", "a\\*b", "**/x/**/y",
    "a**b", "/docs/*",
]  # fmt: skip
PATHS = [
    ".github/actions/setup/action.yml", ".github", "x/.github/y", ".gitlab-ci.yml", "sub/.gitlab-ci.yml", "CODEOWNERS",
    "docs/CODEOWNERS", "a/b/CODEOWNERS", "Dockerfile", "deploy/Dockerfile.prod", "Makefile", "sub/Makefile", "src/a.py",
    "src/b/a.py", "src/test_a.py", "src/b/c/test_a.py", "docs/index.md", "x/docs/index.md", "a/b", "a/b/c", "uv.lock",
    "app/uv.lock", "ci/deploy/run", "x/ci/run", "ci", "foo", "fo", "f/o", "ax", "dx", "q/ax", "we]rd", "a*b",
    "axb", "x/y",
    "q/x/z/y", "q/x/y/z", "a/xb",
]  # fmt: skip


def test_paths_match_as_git_reads_them(tmp_path: Path) -> None:
    """`git check-ignore` is asked with each pattern about each path."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for number, pattern in enumerate(PATTERNS):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}/.gitignore").write_text(f"{pattern}\n")
    asked = subprocess.run(
        ["git", "-C", tmp_path, "check-ignore", "--no-index", "--stdin"], capture_output=True, text=True, check=False,
        input="\n".join(f"{number}/{path}" for number in range(len(PATTERNS)) for path in PATHS),
    )  # fmt: skip
    compiled = [path_glob((pattern,)) for pattern in PATTERNS]
    ours = [f"{number}/{path}" for number, each in enumerate(compiled) for path in PATHS if each.matches(path)]
    assert ours == asked.stdout.split()


def test_paths_match_without_case_and_name_their_pattern() -> None:
    """A file system that folds case would run the same file."""
    found = path_glob(("ci/**", ".github/**"))
    assert found.found(".GitHub/Workflows/ci.yml") == ".github/**"
    assert found.found("Jenkinsfile") is None


RUNS_BEFORE_MERGE = [
    ".github/actions/setup/action.yml", ".github/workflows/ci.yml", ".GitHub/CODEOWNERS", ".gitlab-ci.yml",
    ".circleci/config.yml", "Jenkinsfile", "docs/CODEOWNERS", "sub/.gitattributes", ".gitmodules", "conftest.py",
    "tests/conftest.py", "Dockerfile", "deploy/dockerfile.prod", ".pre-commit-config.yaml",
]  # fmt: skip


@pytest.mark.parametrize("path", RUNS_BEFORE_MERGE)
def test_the_built_in_rule_knows_what_runs_before_a_merge(path: str) -> None:
    """Whatever runs before anyone merges, or decides who may."""
    (rule,) = BUILT_IN_EXTRA
    assert rule.condition.paths.matches(path)
    assert not rule.condition.paths.matches("requirements.txt")


MAJOR = [
    ("3.1.2", "3.1.3", False), ("3.1.2", "4.0.0", True), ("v1.2.0", "v1.9", False), ("v1.2.0", "v2.0.0", True),
    ("1", "1.5", False), ("0.3.1", "0.3.9", False), ("0.3.1", "0.4.0", True), ("0.9", "1.0", True),
    ("0.0.1", "0.0.2", True), ("0", "0.1", True), ("1.2rc1", "1.2", False), ("1.1.1k", "1.1.1w", False),
    ("31.1-jre", "32.0-jre", True), ("2.0", "1!2.0", True), ("1:2.0", "1:2.1-3", False), ("2024.1", "2025.1", True),
    ("v0.0.0-20230101", "v0.0.0-20240101", True), (None, "2.0", True), ("2.0", None, True), ("2.0", "", True),
    ("latest", "3.0", True), (">=2,<3", "2.5", True), ("2.0", "2.1, 3.0", True), ("2.0", "2.1 || 3.0", True),
    ("9" * 30, "9" * 30, True), ("\u0661.2", "\u0661.3", True),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "major"), MAJOR)
def test_a_major_bump_is_one_that_may_break_its_users(old: str | None, new: str | None, major: bool) -> None:
    """The first number, below 1.0 the leftmost that is not zero; what cannot be told counts as major."""
    assert may_be_major(old, new) is major


def scope(*packages: str, severities: str = "", ecosystems: str = "") -> Scope:
    return Scope(
        severities=frozenset(Severity(name) for name in severities.split()),
        ecosystems=frozenset(ecosystems.split()),
        packages=glob(packages),
        normalised=package_glob(packages),
    )


def test_a_package_of_pypi_matches_under_any_of_its_spellings() -> None:
    """PEP 503 makes one name of them; in other ecosystems they are different packages."""
    rule = scope("Flask_SQLAlchemy*")
    for ecosystem, matches in (("PyPI", True), ("npm", False)):
        on = review(package_name="flask.sqlalchemy-lite", package_ecosystem=ecosystem)
        assert rule.covers(on, Severity.HIGH) is matches


CONTAINED = [
    (scope(), scope("a"), True), (scope("a"), scope(), False), (scope("*"), scope(), True),
    (scope("a*"), scope("ab"), True),
    (scope("a*"), scope("a-*"), True), (scope("a-*"), scope("a*"), False), (scope("A*"), scope("ab?"), True),
    (scope("a?"), scope("a*"), False), (scope("a?"), scope("a?"), True), (scope("*b*"), scope("[abc]x"), False),
    (scope("a", "b*"), scope("bc", "a"), True), (scope("a", "b*"), scope("bc", "c"), False),
    (scope(severities="critical high"), scope(severities="high"), True), (scope(severities="high"), scope(), False),
    (scope(severities="critical high medium low"), scope(), True),
    (scope(ecosystems="npm"), scope("a", ecosystems="npm"), True),
    (scope("a", ecosystems="npm"), scope("a"), False),
]  # fmt: skip


@pytest.mark.parametrize(("outer", "inner", "contains"), CONTAINED)
def test_one_scope_contains_another_only_if_it_certainly_does(outer: Scope, inner: Scope, contains: bool) -> None:
    """Every condition is as wide; a wildcard covers what it surely matches."""
    assert outer.contains(inner) is contains


def test_no_patterns_cover_only_themselves() -> None:
    assert covers_all(glob(()), glob(("a",)))
    assert not covers_all(glob(("a",)), glob(()))
    assert either(["a", "b", "c", "d", "e"]) == "a, b, c or 2 more"
