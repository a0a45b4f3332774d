"""The formats of input, and the reader of each. A new format is one file and one line here."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from bot.domain.apv import Submission
from bot.intake import apv_json, pip_audit, trivy


class Parse(Protocol):
    """A format's reader."""

    def __call__(self, document: object, *, default_repository: str) -> list[Submission]:
        """Raises `NotAccepted` with every fault."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One format: how to recognise and read it."""

    name: str
    title: str
    recognises: Callable[[object], bool]
    parse: Parse


FORMATS: Final = {
    f.name: f
    for f in (
        Format("apv", "APV JSON (one or a list)", apv_json.recognises, apv_json.parse_any),
        Format("pip-audit", "a pip-audit JSON report", pip_audit.recognises, pip_audit.parse),
        Format("trivy", "a Trivy JSON report", trivy.recognises, trivy.parse),
    )
}


class UnknownInput(ValueError):
    """Not JSON, or JSON in no known format. The text says what was found and what was expected."""


def read(
    content: str | bytes,
    format: str = "auto",  # noqa: A002 - the word of the command line
    *,
    default_repository: str,
) -> list[Submission]:
    """All submissions in a file's content, in order. `format` is a key of `FORMATS` or `auto`.

    Raises `UnknownInput`, or `NotAccepted` with every fault.
    """
    if format != "auto" and format not in FORMATS:
        raise UnknownInput(f"unknown format; choose one of {', '.join(('auto', *FORMATS))}")
    document = _json(content)
    recognised = [f for f in FORMATS.values() if f.recognises(document)]
    chosen = FORMATS[format] if format != "auto" else next(iter(recognised), None)
    if chosen is None:
        understood = ", ".join(f.title for f in FORMATS.values())
        raise UnknownInput(f"found {_described(document)}; expected one of: {understood}")
    if recognised and chosen not in recognised:
        # Read as another scanner's, a report would have no findings and look clean.
        found = recognised[0]
        raise UnknownInput(f"found {found.title}, not {chosen.title}; choose the format {found.name}")
    return chosen.parse(document, default_repository=default_repository)


def _json(content: str | bytes) -> object:
    """The JSON value; bytes may be UTF-8, UTF-16 or UTF-32, with or without a byte order mark."""
    try:
        if isinstance(content, str):
            content = content.removeprefix("\ufeff")
        return json.loads(content, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise UnknownInput(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise UnknownInput(f"not text: the byte at offset {error.start} is not {error.encoding}") from None
    except RecursionError:
        raise UnknownInput("cannot be read: lists and objects are nested too deeply") from None
    except ValueError:
        # int() refuses more than 4,300 digits, because it takes quadratic time.
        raise UnknownInput("cannot be read: it contains NaN, an infinity or a number of thousands of digits") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _described(document: object) -> str:
    if isinstance(document, dict):
        keys = [key for key in document if key.isprintable() and len(key) <= 40][:6]
        return f"a JSON object with the keys {', '.join(keys)}" if keys else "a JSON object without known keys"
    if isinstance(document, list):
        return f"a list of {len(document):,} items that starts with {_kind(document[0])}"
    return _kind(document)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a truth value", str: "a string", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object of another kind")
