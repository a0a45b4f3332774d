"""The files that a version bump may change: manifests and lock files that hold data, not code."""

import re
from collections.abc import Sequence

from bot.domain.patch import ChangeKind, FileChange, oddities

MANIFEST = re.compile(
    r"(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.txt|requirements/[^/]*\.txt"
    r"|pyproject\.toml|Pipfile|package\.json|go\.mod|Cargo\.toml|pom\.xml|composer\.json"
)
"""By the file's name, or its folder's name and its own. Dockerfiles, `setup.py` and Gemfiles are left out: they run."""

LOCKS = frozenset({
    "poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock",
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock",
    "go.sum", "Cargo.lock", "composer.lock", "Gemfile.lock",
    "packages.lock.json", "mix.lock", "pubspec.lock", "Package.resolved", "gradle.lockfile",
})  # fmt: skip
"""GitHub's dependency graph reads them (docs.github.com, "Supported package ecosystems"), or Linguist knows them as
generated (github-linguist, lib/linguist/generated.rb); `pylock.toml` is PEP 751's."""

FOREIGN = frozenset({"node_modules", "vendor", "third_party", "site-packages", ".venv", ".git"})
"""Folders with copies of other people's packages."""


def only_pins(files: Sequence[FileChange] | None) -> bool:
    """Whether a patch only changes the text of manifests and lock files; False when git cannot read it."""
    return all(_is_pin(file) for file in files) if files else False


def _is_pin(file: FileChange) -> bool:
    *folders, name = file.path.split("/")
    known = name in LOCKS or any(MANIFEST.fullmatch(n) for n in (name, "/".join((*folders[-1:], name))))
    plain = file.kind is ChangeKind.CHANGED and not oddities(file)
    return known and plain and FOREIGN.isdisjoint(folders)
