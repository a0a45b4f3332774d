"""Which reviews a table of the policy applies to: patterns for names and paths, and conditions made of them."""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.apv import Severity

PYPI = frozenset({"pypi", "pip"})
"""Ecosystems whose package names are equal when they differ only in `-`, `_` and `.` (PEP 503)."""


class Subject(Protocol):
    """The fields, besides the severity, that conditions compare; both an APV and a review have them."""

    @property
    def package_name(self) -> str: ...  # noqa: D102
    @property
    def package_ecosystem(self) -> str: ...  # noqa: D102
    @property
    def repository(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Glob:
    """Patterns, compared without case; no patterns match everything."""

    patterns: tuple[str, ...] = ()
    compiled: re.Pattern[str] | None = None

    def matches(self, text: str) -> bool:
        """Whether any pattern matches all of `text`."""
        return self.compiled is None or self.compiled.fullmatch(text.casefold()) is not None

    def found(self, text: str) -> str | None:
        """The first pattern that matches all of `text`."""
        match = self.compiled.fullmatch(text.casefold()) if self.compiled else None
        return self.patterns[match.lastindex - 1] if match and match.lastindex else None

    def __bool__(self) -> bool:
        return bool(self.patterns)


ANY = Glob()
"""Matches everything."""


def glob(patterns: Sequence[str], translated: Callable[[str], str] = fnmatch.translate) -> Glob:
    """Compile patterns once; every click uses them. By default shell-style ones: `*`, `?`, `[a-z]`."""
    compiled = "|".join(f"({translated(pattern.casefold())})" for pattern in patterns)
    return Glob(tuple(patterns), re.compile(compiled) if patterns else None)


def path_glob(patterns: Sequence[str]) -> Glob:
    """Compile patterns for paths, as gitignore(5) reads them."""
    return glob(patterns, _path_regex)


def package_glob(patterns: Sequence[str]) -> Glob:
    """Compile patterns for names that PEP 503 has normalised."""
    return glob(patterns, lambda pattern: fnmatch.translate(_pep_503(pattern)))


def _pep_503(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name)


_PIECE = re.compile(
    r"\\(?P<escaped>.)|(?P<stars>\*+)|(?P<one>\?)|\[(?P<not>[!^]?)(?P<any>\]?[^\]]*)\]|(?P<plain>.)", re.S
)


def _path_regex(pattern: str) -> str:
    """gitignore(5): without a slash at any depth, else from the root; a folder's pattern covers all that is in it."""
    folders = pattern.strip("/").split("/")
    regex = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    for folder in folders[:-1]:
        regex += "(?:.*/)?" if folder == "**" else f"{_name_regex(folder)}/"
    regex += ".+" if folders[-1] == "**" else _name_regex(folders[-1])
    return f"(?s:{regex}{'/.*' if pattern.endswith('/') else '(?:/.*)?'})"


def _name_regex(name: str) -> str:
    regex = ""
    for piece in _PIECE.finditer(name):
        if piece["stars"]:
            regex += "[^/]*"
        elif piece["one"]:
            regex += "[^/]"
        elif piece["any"]:
            inside = re.sub(r"([\\\[\]&~|^])", r"\\\1", piece["any"])
            regex += f"(?!/)[{'^' if piece['not'] else ''}{inside}]"
        else:
            regex += re.escape(piece["escaped"] or piece["plain"] or piece[0])
    return regex


@dataclass(frozen=True, slots=True)
class Scope:
    """A condition on reviews: all its fields must match; an empty field matches everything."""

    severities: frozenset[Severity] = frozenset()
    ecosystems: frozenset[str] = frozenset()
    """Case-folded."""
    packages: Glob = ANY
    repositories: Glob = ANY
    normalised: Glob = ANY
    """`packages` for names that PEP 503 has normalised."""

    def covers(self, subject: Subject, severity: Severity) -> bool:
        """Whether the review matches; `severity` is the one that rules go by."""
        return (
            (not self.severities or severity in self.severities)
            and (not self.ecosystems or subject.package_ecosystem.casefold() in self.ecosystems)
            and self._names(subject)
            and self.repositories.matches(subject.repository)
        )

    def _names(self, subject: Subject) -> bool:
        if self.packages.matches(subject.package_name):
            return True
        normal = subject.package_ecosystem.casefold() in PYPI and bool(self.normalised)
        return normal and self.normalised.matches(_pep_503(subject.package_name))

    @property
    def words(self) -> tuple[str, ...]:
        """Its conditions in words, such as `package matches django*`."""
        severities = [severity for severity in Severity if severity in self.severities]
        return tuple(
            f"{what} {either(names)}"
            for what, names in (
                ("severity is", severities),
                ("ecosystem is", sorted(self.ecosystems)),
                ("package matches", self.packages.patterns),
                ("repository matches", self.repositories.patterns),
            )
            if names
        )

    def may_meet(self, other: "Scope") -> bool:
        """Whether a review may match both; True if that cannot be decided."""
        severities, ecosystems = self.severities & other.severities, self.ecosystems & other.ecosystems
        return not (
            (self.severities and other.severities and not severities)
            or (self.ecosystems and other.ecosystems and not ecosystems)
            or _apart(self.packages, other.packages)
            or _apart(self.repositories, other.repositories)
        )

    def contains(self, other: "Scope") -> bool:
        """Whether it certainly matches every review that `other` matches."""
        return (
            _within(other.severities, self.severities, frozenset(Severity))
            and _within(other.ecosystems, self.ecosystems)
            and covers_all(self.packages, other.packages)
            and covers_all(self.repositories, other.repositories)
        )


EVERY_REVIEW = Scope()


def _apart(one: Glob, other: Glob) -> bool:
    """Whether both are lists of plain names with none in common."""
    if not one or not other or any(_WILD.search(pattern) for pattern in (*one.patterns, *other.patterns)):
        return False
    return {name.casefold() for name in one.patterns}.isdisjoint(name.casefold() for name in other.patterns)


def either(names: Sequence[str], most: int = 3, last: str = "or") -> str:
    """For example `a, b or c`, or `a, b, c or 4 more`."""
    shown = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return f" {last} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _within(inner: frozenset[str], outer: frozenset[str], everything: frozenset[str] = frozenset()) -> bool:
    """Whether a condition allows no more than another; an empty one allows everything."""
    return not outer or outer == everything or (bool(inner) and inner <= outer)


_WILD = re.compile(r"\[[^\]]*\]|[*?]")


def covers_all(outer: Glob, inner: Glob) -> bool:
    """Whether the outer patterns certainly match everything that the inner ones match."""
    if not outer or "*" in outer.patterns:
        return True
    wanted = {pattern.casefold() for pattern in outer.patterns}
    # A star takes anything, so a pattern of stars and letters matches what it matches with a stand-in for wildcards.
    stars = glob([pattern for pattern in outer.patterns if not re.search(r"[?\[\\]", pattern)])
    return bool(inner) and all(
        pattern.casefold() in wanted or (bool(stars) and stars.matches(_WILD.sub("\0", pattern)))
        for pattern in inner.patterns
    )
