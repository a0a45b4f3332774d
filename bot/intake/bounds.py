"""The bounds of every JSON value that is stored: sizes, depth, characters, numbers.

PostgreSQL stores neither NUL nor lone surrogates, and `jsonb` neither NaN nor infinities.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field, ValidationError

from bot.domain.apv import Json
from bot.domain.faults import FAULT_LIMIT, Fault, Loc

TEXT_LIMIT: Final = 64 * 1024
"""Characters (not bytes) in one string, except `patch_diff`."""
DIFF_LIMIT: Final = 1024 * 1024
"""Characters in `patch_diff`."""
ITEM_LIMIT: Final = 1_000
"""Items in a list, keys in an object."""
DEPTH_LIMIT: Final = 32
"""Levels of lists and objects."""
SIZE_LIMIT: Final = 1024 * 1024
"""Characters and values in one list or object, including everything inside it."""
NUMBER_LIMIT: Final = 1e308
"""A larger integer has no floating-point value, which other readers of the JSON need."""

# faults_in() checks sizes before a model sees a value. Here they only inform readers of the schema.
BoundedText = Annotated[str, Field(json_schema_extra={"maxLength": TEXT_LIMIT})]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Walk:
    """Looks at every value once, and stops when a bound is exceeded."""

    def __init__(self, text_limit: int) -> None:
        self.text_limit = text_limit
        self.size = 0
        self.faults: list[Fault] = []

    def look(self, value: object, loc: Loc, depth: int) -> None:
        self.size += 1
        if value is None or isinstance(value, bool):
            return
        if isinstance(value, str):
            self.text(value, loc, self.text_limit)
        elif isinstance(value, (int, float)):
            self.number(value, loc)
        elif isinstance(value, (list, dict)):
            self.container(value, loc, depth)
        else:
            self.fault("json_type", loc, "must be a JSON value")

    def text(self, value: str, loc: Loc, limit: int, has: str = "must have") -> None:
        self.size += len(value)
        if len(value) > limit:
            self.fault("string_too_long", loc, f"{has} at most {limit:,} characters")
        if "\0" in value:
            self.fault("string_nul", loc, "must not contain a NUL character")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                self.fault("string_unicode", loc, "must not contain half of a surrogate pair")

    def number(self, value: float, loc: Loc) -> None:
        if isinstance(value, float) and not math.isfinite(value):
            self.fault("finite_number", loc, "must be a finite number, not NaN or infinity")
        elif abs(value) > NUMBER_LIMIT:
            self.fault("number_too_large", loc, "must be between -1e308 and 1e308")

    def container(self, value: list[object] | dict[object, object], loc: Loc, depth: int) -> None:
        if depth >= DEPTH_LIMIT:
            self.fault("too_deep", loc, f"must have at most {DEPTH_LIMIT} levels of lists and objects")
        elif len(value) > ITEM_LIMIT:
            self.fault("too_long", loc, f"must have at most {ITEM_LIMIT:,} items")
        elif isinstance(value, list):
            for position, item in enumerate(value):
                if not self.enough:
                    self.look(item, (*loc, position), depth + 1)
        else:
            for key, item in value.items():
                if not self.enough:
                    self.key(key, (*loc, _shown(key)))
                    self.look(item, (*loc, _shown(key)), depth + 1)

    def key(self, key: object, loc: Loc) -> None:
        if isinstance(key, str):
            self.text(key, loc, TEXT_LIMIT, "must have a key of")
        else:
            self.fault("json_type", loc, "must have a string as its key")

    @property
    def enough(self) -> bool:
        return self.size > SIZE_LIMIT or len(self.faults) >= FAULT_LIMIT

    def fault(self, kind: str, loc: Loc, msg: str) -> None:
        self.faults.append(Fault(kind, loc, msg))


def _shown(key: object) -> str:
    """An object's key as part of a `Loc`: the key itself only if it is short and printable."""
    return key if isinstance(key, str) and len(key) <= 64 and key.isprintable() else "(unprintable key)"


def model_faults(error: ValidationError, loc: Loc = (), known: Sequence[Fault] = ()) -> list[Fault]:
    """What a model refused in the value at `loc`, without the places that have a fault in `known`."""
    found = error.errors(include_url=False, include_input=False)
    faults = (Fault(e["type"], (*loc, *e["loc"]), e["msg"]) for e in found)
    places = {fault.loc for fault in known}
    return [fault for fault in faults if fault.loc not in places]


def faults_in(value: object, loc: Loc, *, text_limit: int = TEXT_LIMIT) -> list[Fault]:
    """Every reason why the `value` at `loc` cannot be stored. Accepts any Python object."""
    walk = _Walk(text_limit)
    walk.look(value, loc, depth=0)
    if isinstance(value, (list, dict)) and walk.size > SIZE_LIMIT:
        walk.fault("too_large", loc, f"must have at most {SIZE_LIMIT:,} characters and values in all")
    return walk.faults


def as_stored(value: Json) -> Json:
    """The same value with the numbers that `jsonb` returns, so that the digest stays the same.

    `jsonb` stores decimals, not floats: it returns 1e16 as an integer and -0.0 as 0.0.
    """
    if isinstance(value, float):
        return int(value) if abs(value) >= 1e16 else value + 0.0
    if isinstance(value, Mapping):
        return {key: as_stored(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_stored(item) for item in value]
    return value
