"""Every string value of a TOML document with its keys and its place, so that its text can be replaced.

Only for documents that `tomllib` has accepted: it checks nothing.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

_SKIP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TomlString:
    """One string value: its keys from the root without array indices, where its text begins, and the text."""

    path: Keys
    start: int
    text: str


def strings(document: str) -> Iterator[TomlString]:
    """All single-line strings without escapes, in order."""
    table: Keys = ()
    at = _after(_SKIP, document, 0)
    while at < len(document):
        if document[at] == "[":
            depth = 2 if document.startswith("[[", at) else 1
            table, at = _key(document, at + depth)
            at += depth
        else:
            key, at = _key(document, at)
            at = yield from _value(document, _after(_BLANK, document, at + 1), table + key)
        at = _after(_SKIP, document, at)


def _value(document: str, at: int, path: Keys) -> Generator[TomlString, None, int]:
    """The strings of one value; returns where it ends."""
    if quoted := _STRING.match(document, at):
        if not quoted[0].startswith(('"""', "'''")) and "\\" not in quoted[0]:
            yield TomlString(path, at + 1, quoted[0][1:-1])
        return quoted.end()
    if document[at] not in "[{":
        return _after(_SCALAR, document, at)
    end = "]" if document[at] == "[" else "}"
    at = _after(_SKIP, document, at + 1)
    while document[at] != end:
        inner = path
        if end == "}":
            key, at = _key(document, at)
            inner, at = path + key, _after(_SKIP, document, at + 1)
        at = yield from _value(document, at, inner)
        at = _after(_SKIP, document, at)
        if document[at] == ",":
            at = _after(_SKIP, document, at + 1)
    return at + 1


def _key(document: str, at: int) -> tuple[Keys, int]:
    """A key, dotted or not, and where it ends with the blanks after it."""
    parts: list[str] = []
    while True:
        at = _after(_BLANK, document, at)
        found = _STRING.match(document, at) or _BARE.match(document, at)
        assert found is not None, "the document was parsed before"
        parts.append(found[0].strip("\"'"))
        at = _after(_BLANK, document, found.end())
        if document[at] != ".":
            return tuple(parts), at
        at += 1


def _after(pattern: re.Pattern[str], document: str, at: int) -> int:
    found = pattern.match(document, at)
    return found.end() if found else at
