"""Pins in pip's requirements files: `name==1.2`, extras, markers and comments stay."""

import re

from bot.bumps.pin import Pin, Skipped

_NAME = re.compile(r"[ \t]*(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)[ \t]*(?P<extras>\[[^\]\n]*\])?[ \t]*")
_EXACT = re.compile(
    r"\(?[ \t]*(?:===?|~=)[ \t]*(?P<version>[A-Za-z0-9](?:[\w.!+-]*[A-Za-z0-9])?)(?P<more>\.\*|[ \t]*,)?"
)
_LINE = re.compile(r"(?:[^\\\n]|\\(?:\r?\n|.))+")
"""A logical line; a backslash at the end of a line continues it."""


def pins(text: str, package: str) -> list[Pin | Skipped]:
    """Where the file pins the package; names are compared as pip does (PEP 503)."""
    return [found for line in _LINE.finditer(text) if (found := requirement(line[0], line.start(), package))]


def requirement(line: str, at: int, package: str) -> Pin | Skipped | None:
    """The pin in one requirement (PEP 508) at `at`; None when it is for another package."""
    name = _NAME.match(line)
    if name is None or normal(name["name"]) != normal(package):
        return None
    rest = line[name.end() :]
    if rest.startswith("@"):
        return Skipped(f"takes {package} from a URL")
    if "--hash" in rest:
        return Skipped(f"pins {package} with hashes, which only the package index can give")
    exact = _EXACT.match(rest)
    if exact is None or exact["more"]:
        asked = re.split(r"[;#\\]|\s-", rest)[0].strip()
        return Skipped(f"gives a range for {package} ({asked}), not a pin" if asked else f"does not pin {package}")
    return Pin(at + name.end() + exact.start("version"), exact["version"])


def normal(name: str) -> str:
    """A Python package's name in the form that indexes compare (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
