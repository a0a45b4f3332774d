"""Finds the line of a key in a TOML text for the messages of faults. tomllib reads the values."""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*(\[{1,2})\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")

KeyPath = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line, from 1, of `path`, such as `("route", 1, "channel")`, or of the longest beginning that is found."""
    places = _places(text)
    for length in range(len(path), 0, -1):
        if (line := places.get(tuple(path[:length]))) is not None:
            return line
    return None


def _places(text: str) -> dict[KeyPath, int]:
    found: dict[KeyPath, int] = {}
    arrays: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _within_arrays(_parts(header[2]), arrays)
            if header[1] == "[[":
                arrays[table] = arrays.get(table, -1) + 1
                found.setdefault(table, number)
                table = (*table, arrays[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            names = _parts(key[1])
            for length in range(1, len(names) + 1):
                found.setdefault((*table, *names[:length]), number)
    return found


def _within_arrays(names: KeyPath, arrays: dict[KeyPath, int]) -> KeyPath:
    """The path of a header with its array indices: `route.groups` belongs to the last `[[route]]`."""
    path: KeyPath = ()
    for place, name in enumerate(names):
        path = (*path, name)
        if path in arrays and place + 1 < len(names):
            path = (*path, arrays[path])
    return path


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
