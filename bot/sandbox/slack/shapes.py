"""Composable shapes of JSON values; the error messages are Slack's own.

A shape adds its errors to `Problems` and never raises. It refuses unknown fields of an object.
"""

import re
from collections.abc import Callable, Mapping

Shape = Callable[[object, str, "Problems"], None]
"""Checks one value found at a JSON pointer."""


class Problems:
    """The errors found, each with its JSON pointer."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Add one error."""
        self.found.append(f"{what} [json-pointer:{where or '/'}]")


def text(most: int, least: int = 1) -> Shape:
    """A string of `least` to `most` characters."""

    def rule(value: object, where: str, problems: Problems) -> None:
        if not isinstance(value, str):
            problems.add(where, "must be a string")
        elif len(value) < least:
            problems.add(where, f"must be more than {least - 1} characters")
        elif len(value) > most:
            problems.add(where, f"must be less than {most + 1} characters")

    return rule


def url(most: int) -> Shape:
    """A web address of at most `most` characters."""

    def rule(value: object, where: str, problems: Problems) -> None:
        text(most)(value, where, problems)
        if isinstance(value, str) and not re.fullmatch(r"(https?://|mailto:|slack://)\S+", value):
            problems.add(where, "invalid url")

    return rule


def matching(pattern: str, what: str) -> Shape:
    """A string that fully matches a regular expression."""

    def rule(value: object, where: str, problems: Problems) -> None:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            problems.add(where, f"must be {what}")

    return rule


def integer(least: int, most: int) -> Shape:
    """A whole number from `least` to `most`."""

    def rule(value: object, where: str, problems: Problems) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            problems.add(where, "must be an integer")
        elif not least <= value <= most:
            problems.add(where, f"must be between {least} and {most}")

    return rule


def boolean(value: object, where: str, problems: Problems) -> None:
    """True or false, not 1 or "true"."""
    if not isinstance(value, bool):
        problems.add(where, "must be a boolean")


def one_of(*choices: str) -> Shape:
    """One of these words."""

    def rule(value: object, where: str, problems: Problems) -> None:
        if value not in choices:
            problems.add(where, f"must be a valid enum value: {', '.join(choices)}")

    return rule


def array(item: Shape, most: int, least: int = 1) -> Shape:
    """A list of `least` to `most` items of one shape."""

    def rule(value: object, where: str, problems: Problems) -> None:
        if not isinstance(value, list):
            problems.add(where, "must be an array")
            return
        if len(value) < least:
            problems.add(where, f"no fewer than {least} items allowed")
        if len(value) > most:
            problems.add(where, f"no more than {most} items allowed")
        for position, each in enumerate(value):
            item(each, f"{where}/{position}", problems)

    return rule


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with exactly these fields; null does not count as missing."""
    rules = {**required, **(optional or {})}

    def rule(value: object, where: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.add(where, "must be an object")
            return
        for name in required:
            if name not in value:
                problems.add(where, f"missing required field: {name}")
        for name, inner in value.items():
            if name in rules:
                rules[name](inner, f"{where}/{name}", problems)
            else:
                problems.add(where, f"invalid additional property: {name}")

    return rule


def variant(table: Mapping[str, Shape]) -> Shape:
    """An object whose `type` chooses its shape."""

    def rule(value: object, where: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.add(where, "must be an object")
            return
        kind = value.get("type")
        chosen = table.get(kind) if isinstance(kind, str) else None
        if chosen is None:
            problems.add(f"{where}/type", f"unsupported type: {kind}")
        else:
            chosen(value, where, problems)

    return rule


def every(*rules: Shape) -> Shape:
    """A value that fits all of these shapes."""

    def rule(value: object, where: str, problems: Problems) -> None:
        for each in rules:
            each(value, where, problems)

    return rule


def exactly_one(*names: str) -> Shape:
    """An object with exactly one of these fields."""

    def rule(value: object, where: str, problems: Problems) -> None:
        if isinstance(value, dict) and sum(name in value for name in names) != 1:
            problems.add(where, f"must define exactly one of: {', '.join(names)}")

    return rule


def at_least_one(*names: str) -> Shape:
    """An object with at least one of these fields."""

    def rule(value: object, where: str, problems: Problems) -> None:
        if isinstance(value, dict) and not any(name in value for name in names):
            problems.add(where, f"must define one of: {', '.join(names)}")

    return rule
