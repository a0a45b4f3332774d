"""Pins in `pyproject.toml`: requirements in any list of dependencies, and Poetry's own tables."""

import re
import tomllib

from bot.bumps.pin import Pin, Skipped
from bot.bumps.requirements import normal, requirement
from bot.bumps.toml_strings import TomlString, strings

_LISTS = frozenset({"dependencies", "optional-dependencies", "dependency-groups", "dev-dependencies", "requires",
                    "constraint-dependencies", "override-dependencies", "extra-dependencies"})  # fmt: skip
_POETRY = re.compile(r"(?P<operator>\^|~=?|={0,3})[ \t]*(?P<version>\d[\w.!+-]*)")


def pins(text: str, package: str) -> list[Pin | Skipped]:
    """Where the file pins the package."""
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return [Skipped("is not valid TOML")] if package in text else []
    found = (_poetry(one, package) if one.path[:2] == ("tool", "poetry") else _listed(one, package)
             for one in strings(text))  # fmt: skip
    return [one for one in found if one]


def _listed(one: TomlString, package: str) -> Pin | Skipped | None:
    return requirement(one.text, one.start, package) if _LISTS & set(one.path) else None


def _poetry(one: TomlString, package: str) -> Pin | Skipped | None:
    """`name = "^1.2"` or `name = { version = "^1.2" }` below a table of dependencies."""
    inner = one.path[-1] in {"version", "git", "url", "path"} and one.path[-2] not in _LISTS
    table, name = (one.path[-3], one.path[-2]) if inner else (one.path[-2], one.path[-1])
    if table not in _LISTS or normal(name) != normal(package):
        return None
    if inner and one.path[-1] != "version":
        return Skipped(f"takes {package} from a URL")
    version = _POETRY.fullmatch(one.text)
    if version is None:
        return Skipped(f"gives a range for {package} ({one.text}), not a pin")
    return Pin(one.start + version.start("version"), version["version"], floor=version["operator"] in {"^", "~"})
