"""A bump, and what a reader of manifests finds: the place of a version, or the reason to skip it.

Each kind of manifest has one file with one function, `pins(text, package)`. `raised` changes all kinds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.bumps.versions import is_version, rises, same

SAFE_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")
"""A fixed version comes from a report, so it must not be able to end a string, a line or a tag in a file."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One version in a manifest, from character `start` on."""

    start: int
    version: str
    floor: bool = False
    """The lowest of a range of compatible versions (`^4.17.0`). The installed version may be higher."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a version stays as it is; the reason continues a sentence that begins with the file's path."""

    reason: str


@dataclass(frozen=True, slots=True)
class Bump:
    """Raise `package` from `old` (None: any version) to `new`."""

    package: str
    old: str | None
    new: str


def raised(text: str, found: Sequence[Pin | Skipped], bump: Bump) -> str | Skipped | None:
    """The text with every pin raised; None when it does not name the package.

    All pins of a file change, or none: the file is skipped when one of them cannot be raised.
    """
    if not found:
        return None
    places = []
    for one in found:
        if isinstance(one, Skipped):
            return one
        if one.floor and bump.old is not None and is_version(bump.old) and rises(bump.old, one.version):
            return Skipped(f"asks for {bump.package} {one.version} or higher, which is above {bump.old}")
        if not one.floor and bump.old is not None and not (same(one.version, bump.old) or same(one.version, bump.new)):
            return Skipped(f"pins {bump.package} {one.version}, not {bump.old}")
        if not same(one.version, bump.new):
            if not rises(one.version, bump.new):
                return Skipped(f"pins {bump.package} {one.version}, which is not below {bump.new}")
            places.append(one)
    if not places:
        return Skipped(f"has {bump.package} {bump.new} already")
    for place in sorted(places, key=lambda one: one.start, reverse=True):
        text = text[: place.start] + bump.new + text[place.start + len(place.version) :]
    return text
