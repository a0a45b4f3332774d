"""Which files pin the packages of each ecosystem, and which lock files a change makes stale."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from bot.bumps import cargo_toml, dockerfile, go_mod, package_json, pom_xml, pyproject, requirements
from bot.bumps.pin import Pin, Skipped
from bot.domain.manifests import FOREIGN

Reader = Callable[[str, str], list[Pin | Skipped]]
"""Takes a manifest's text and a package, and returns every place of its version."""


@dataclass(frozen=True, slots=True)
class Ecosystem:
    """One package manager's files."""

    manifests: tuple[tuple[re.Pattern[str], Reader], ...]
    """By the file's name."""
    locks: frozenset[str] = frozenset()
    fault: Callable[[str, str], str | None] = lambda package, new: None
    """Why a package cannot have a version."""

    def reader(self, path: str) -> Reader | None:
        """The reader of this file; None when it is not a manifest or belongs to somebody else's package."""
        parts = PurePosixPath(path).parts
        if FOREIGN & set(parts[:-1]):
            return None
        # `requirements/base.txt` is as common as `requirements-base.txt`.
        names = {parts[-1], "/".join(parts[-2:])}
        return next((read for name, read in self.manifests if any(name.fullmatch(n) for n in names)), None)

    def stale(self, manifest: str, paths: frozenset[str]) -> list[str]:
        """The lock files in the folder of a manifest or above it: a workspace has one lock file at its root."""
        folders = PurePosixPath(manifest).parents
        return sorted(path for folder in folders for name in self.locks if (path := str(folder / name)) in paths)


_PYTHON = Ecosystem(
    (
        (re.compile(r"(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.txt|requirements/.*\.txt"),
         requirements.pins),
        (re.compile(r"pyproject\.toml"), pyproject.pins),
    ),
    frozenset({"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml"}),
)  # fmt: skip
_NPM = Ecosystem(
    ((re.compile(r"package\.json"), package_json.pins),),
    frozenset({"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"}),
)
_GO = Ecosystem(((re.compile(r"go\.mod"), go_mod.pins),), frozenset({"go.sum"}), go_mod.fault)
_RUST = Ecosystem(((re.compile(r"Cargo\.toml"), cargo_toml.pins),), frozenset({"Cargo.lock"}))
_MAVEN = Ecosystem(((re.compile(r"pom\.xml"), pom_xml.pins),))
_DOCKER = Ecosystem(
    ((re.compile(r"(?:Dockerfile|Containerfile)(?:\..+)?|.+\.(?:dockerfile|containerfile)", re.IGNORECASE),
      dockerfile.pins),)
)  # fmt: skip

ECOSYSTEMS = {
    name: ecosystem
    for names, ecosystem in (
        ("pypi pip python poetry uv", _PYTHON),
        ("npm yarn pnpm javascript", _NPM),
        ("go golang gomod", _GO),
        ("crates.io cargo rust", _RUST),
        ("maven", _MAVEN),
        ("docker oci container", _DOCKER),
    )
    for name in names.split()
}
"""By the names in reports, in lower case: those of OSV, of package URLs and of scanners."""
