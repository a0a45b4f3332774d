"""Versions in npm's `package.json`: in every table of dependencies, in overrides and in resolutions."""

import json
import re
from collections.abc import Iterator

from bot.bumps.pin import Pin, Skipped

_TABLES = frozenset({"dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "overrides",
                     "resolutions"})  # fmt: skip
_VERSION = re.compile(r"(?P<operator>[\^~=]?)v?(?P<version>\d+\.\d+\.\d+[\w.+-]*)")
_TOKEN = re.compile(r'[ \t\r\n]*(?:(?P<string>"(?:\\.|[^"\\])*")|(?P<mark>[\[\]{},:])|(?P<scalar>[^\s\[\]{},:"]+))')


def pins(text: str, package: str) -> list[Pin | Skipped]:
    """Where the file pins the package, also under another name (`npm:…`)."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return [Skipped("is not valid JSON")] if f'"{package}"' in text else []
    found = (_pin(path, start, value, package) for path, start, value in _strings(text))
    return [one for one in found if one]


def _pin(path: tuple[str, ...], start: int, value: str, package: str) -> Pin | Skipped | None:
    if len(path) < 2 or not _TABLES & set(path[:-1]):
        return None
    alias = f"npm:{package}@"
    if value.startswith(alias):
        start, value = start + len(alias), value.removeprefix(alias)
    elif not (path[-1] == package or ("resolutions" in path and path[-1].endswith(f"/{package}"))):
        return None
    version = _VERSION.fullmatch(value)
    if version is None:
        if re.search(r"[:/]", value):
            return Skipped(f"takes {package} from a URL ({value[:80]})")
        return Skipped(f"gives a range for {package} ({value[:80]}), not a pin")
    return Pin(start + version.start("version"), version["version"], floor=version["operator"] in {"^", "~"})


def _strings(text: str) -> Iterator[tuple[tuple[str, ...], int, str]]:
    """Every string value without escapes: its keys from the root, where its text begins, its text."""
    keys: list[str] = []
    objects: list[bool] = []
    key: str | None = None
    for token in _TOKEN.finditer(text):
        match token["mark"]:
            case "{" | "[":
                objects.append(token["mark"] == "{")
                keys.append(key or "")
                key = None
            case "}" | "]":
                objects.pop()
                keys.pop()
                key = None
            case ",":
                key = None
            case None if token["string"] is not None:
                if objects and objects[-1] and key is None:
                    key = json.loads(token["string"])
                elif "\\" not in token["string"]:
                    path = (*keys[1:], key or "")
                    yield path, token.start("string") + 1, token["string"][1:-1]
