"""Compares versions of any ecosystem: by PEP 440 where both follow it, otherwise part by part."""

import re
from itertools import zip_longest

from packaging.version import InvalidVersion, Version

_PARTS = re.compile(r"\d+|[a-z]+")
_BEFORE = frozenset({"a", "alpha", "b", "beta", "canary", "cr", "dev", "m", "milestone", "next", "pre", "preview",
                     "rc", "snapshot"})  # fmt: skip
"""A version with one of these words comes before the version without it."""


def is_version(text: str) -> bool:
    """Whether the text begins like a version, not like a range or a name."""
    return re.match(r"v?\d", text) is not None


def same(one: str, other: str) -> bool:
    """Whether two spellings mean one version: `1.0` and `1.0.0`, `v1.2` and `1.2`."""
    return one == other or _compare(one, other) == 0


def rises(old: str, new: str) -> bool:
    """Whether `new` is higher than `old`."""
    return _compare(old, new) < 0


def _compare(one: str, other: str) -> int:
    """Below 0 when `one` is lower, 0 when they are the same."""
    try:
        first, second = Version(one), Version(other)
    except InvalidVersion:
        pairs = zip_longest(*(_PARTS.findall(text.lower().removeprefix("v")) for text in (one, other)), fillvalue="")
        return next((order for pair in pairs if (order := _order(*pair))), 0)
    return (first > second) - (first < second)


def _order(one: str, other: str) -> int:
    """Compare two parts. A number is higher than a word; no part ("") is higher than `rc` and similar words."""
    if one.isdigit() and other.isdigit():
        return int(one) - int(other)
    first, second = _class(one), _class(other)
    if first == second and one and other:
        return (one > other) - (one < other)
    return first - second


def _class(part: str) -> int:
    if part.strip("0").isdigit():
        return 2
    return 0 if part in _BEFORE else 1
