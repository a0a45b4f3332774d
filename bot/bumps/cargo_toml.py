"""Versions in `Cargo.toml`: plain, in a table, under another name, for one target, for the whole workspace."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from bot.bumps.pin import Pin, Skipped
from bot.bumps.toml_strings import Keys, TomlString, strings

_TABLES = frozenset({"dependencies", "dev-dependencies", "build-dependencies"})
_VERSION = re.compile(r"(?P<operator>[\^~=]?)[ \t]*(?P<version>\d[\w.+-]*)")


def pins(text: str, package: str) -> list[Pin | Skipped]:
    """Where the file pins the crate; one inherited from the workspace is pinned in the workspace's own file."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return [Skipped("is not valid TOML")] if package in text else []
    found = (_pin(document, one, package) for one in strings(text))
    return [one for one in found if one]


def _pin(document: Mapping[str, Any], one: TomlString, package: str) -> Pin | Skipped | None:
    short = one.path[-2:-1] != () and one.path[-2] in _TABLES
    if not short and (one.path[-1] not in {"version", "git", "path"} or not _TABLES & set(one.path[-3:-2])):
        return None
    name = one.path[-1] if short else _crate(document, one.path[:-1])
    if _normal(name) != _normal(package):
        return None
    if not short and one.path[-1] != "version":
        return Skipped(f"takes {package} from {'a repository' if one.path[-1] == 'git' else 'a folder'}")
    version = _VERSION.fullmatch(one.text)
    if version is None:
        return Skipped(f"gives a range for {package} ({one.text}), not a pin")
    return Pin(one.start + version.start("version"), version["version"], floor=version["operator"] != "=")


def _crate(document: Mapping[str, Any], path: Keys) -> str:
    """The crate behind a key: `package = "…"` gives it another name."""
    table: Any = document
    for key in path:
        table = table.get(key) if isinstance(table, Mapping) else None
    return str(table.get("package", path[-1])) if isinstance(table, Mapping) else path[-1]


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")
