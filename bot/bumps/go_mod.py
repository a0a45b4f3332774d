"""Versions in `go.mod`: required modules, in a block or on a line."""

import re

from bot.bumps.pin import Pin, Skipped

_LINE = re.compile(
    r"^(?P<keyword>require|replace|exclude|retract|tool)?[ \t]*(?P<rest>[^\n/]*(?:/(?!/)[^\n/]*)*)", re.MULTILINE
)
_REQUIRED = re.compile(r'"?(?P<module>[^\s"]+)"?[ \t]+v(?P<version>\d[\w.-]*)(?:\+incompatible)?[ \t\r]*')
_MAJOR = re.compile(r"(?:/|\.)v(\d+)$")


def pins(text: str, package: str) -> list[Pin | Skipped]:
    """Where the file requires the module; `v` and `+incompatible` stay."""
    found: list[Pin | Skipped] = []
    block = ""
    for line in _LINE.finditer(text):
        keyword, rest = line["keyword"] or block, line["rest"].rstrip()
        if rest == "(":
            block = keyword
        elif rest == ")":
            block = ""
        elif keyword == "replace" and re.match(rf'"?{re.escape(package)}"?(?:\s|$)', rest):
            found.append(Skipped(f"replaces {package} by another module"))
        elif keyword == "require" and (module := _REQUIRED.fullmatch(line["rest"])) and module["module"] == package:
            found.append(Pin(line.start("rest") + module.start("version"), module["version"]))
    return found


def fault(package: str, new: str) -> str | None:
    """Why the module cannot have this version: from 2 on the major version is part of the module's name."""
    named = _MAJOR.search(package)
    major = int(new.partition(".")[0]) if new.partition(".")[0].isdigit() else 0
    other = named is not None and int(named[1]) != major
    return f"{new} is a version of another module, not of {package}" if other else None
