"""Raises a version in a repository's manifests and describes the change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.bumps.kinds import ECOSYSTEMS, Ecosystem
from bot.bumps.pin import SAFE_VERSION, Bump, Skipped, raised
from bot.bumps.versions import is_version, rises, same
from bot.domain.apv import Apv

MOST_MANIFESTS = 100
"""Files to read for one bump at most: each is a request to GitHub."""
MOST_BYTES = 1 << 20
"""Bytes. No person writes a longer manifest."""
MOST_NAMED = 5
"""Files to name in one sentence; the others are only counted."""


class CannotBump(Exception):
    """No diff can be made; the message is a sentence part that says why."""


@dataclass(frozen=True, slots=True)
class Bumped:
    """The changed files, and a description for the people who decide."""

    files: Mapping[str, bytes]
    description: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A bump to look for, and the ecosystem that knows the files."""

    ecosystem: Ecosystem
    bump: Bump

    def manifests(self, paths: Sequence[str], likely: Sequence[str]) -> list[str]:
        """The files to read. If `likely` files (named by the report) are manifests, only those.

        Raises CannotBump when there are no files or too many.
        """
        known = [path for path in paths if self.ecosystem.reader(path)]
        chosen = [path for path in known if path in set(likely)] or known
        if not chosen:
            raise CannotBump("the repository has no manifest of this ecosystem with versions in plain text")
        if len(chosen) > MOST_MANIFESTS:
            raise CannotBump(f"{len(chosen):,} files may pin it, but at most {MOST_MANIFESTS} are read")
        return chosen


def wanted(apv: Apv) -> Wanted:
    """The bump that the report asks for. Raises CannotBump when no repository could have it."""
    ecosystem = ECOSYSTEMS.get(apv.package_ecosystem.casefold())
    if ecosystem is None:
        named = f"{apv.package_ecosystem} packages" if apv.package_ecosystem else "packages without an ecosystem"
        raise CannotBump(f"the bot cannot bump {named}")
    new, old = (apv.fixed_version or "").strip(), (apv.package_version or "").strip() or None
    if not (SAFE_VERSION.fullmatch(new) and is_version(new)):
        raise CannotBump("the fixed version is not one plain version")
    new = new.removeprefix("v")
    if old and is_version(old) and not rises(old, new):
        raise CannotBump(f"{new} is {'already installed' if same(old, new) else f'below {old}'}")
    if fault := ecosystem.fault(apv.package_name, new):
        raise CannotBump(fault)
    return Wanted(ecosystem, Bump(apv.package_name, old, new))


def draft(asked: Wanted, manifests: Mapping[str, bytes], paths: Sequence[str]) -> Bumped:
    """Raise the version in `manifests`. `paths` are all files of the repository. Raises CannotBump."""
    changed: dict[str, bytes] = {}
    left: list[str] = []
    for path, content in sorted(manifests.items()):
        match _raised(asked, path, content):
            case bytes() as new:
                changed[path] = new
            case Skipped(reason=reason):
                left.append(f"{path} {reason}")
            case None:
                pass
    bump, everything = asked.bump, frozenset(paths)
    if not changed:
        raise CannotBump(_listed(left, "; ") or _nowhere(asked, list(manifests), everything))
    stale = dict.fromkeys(lock for path in changed for lock in asked.ecosystem.stale(path, everything))
    told = [f"apv-bot made this diff: {bump.package} {bump.new} in {_listed(list(changed))}."]
    if left:
        told.append(f"Unchanged: {_listed(left, '; ')}.")
    if stale:
        told.append(f"Before merging, update {_listed(list(stale))} with the package manager.")
    return Bumped(changed, " ".join(told))


def _raised(asked: Wanted, path: str, content: bytes) -> bytes | Skipped | None:
    read = asked.ecosystem.reader(path)
    assert read is not None, "only manifests are given"
    if len(content) > MOST_BYTES:
        return Skipped("is larger than 1 MiB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Skipped("is not UTF-8")
    result = raised(text, read(text, asked.bump.package), asked.bump)
    return result.encode() if isinstance(result, str) else result


def _nowhere(asked: Wanted, manifests: list[str], paths: frozenset[str]) -> str:
    locks = {lock for path in manifests for lock in asked.ecosystem.stale(path, paths)}
    beside = f"; only the package manager can change {_listed(sorted(locks))}" if locks else ""
    return f"{asked.bump.package} is not pinned in {_listed(manifests)}{beside}"


def _listed(parts: Sequence[str], between: str = ", ") -> str:
    more = f"{between}and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else ""
    return between.join(parts[:MOST_NAMED]) + more
