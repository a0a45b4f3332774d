"""Every key of the policy file with its default, as its document writes them: taken from the models themselves."""

from collections.abc import Iterator
from enum import Enum
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot.policies.schema import PolicyFile, SeveritiesTable


def keys(table: type[BaseModel] = PolicyFile, above: str = "") -> Iterator[tuple[str, str, str]]:
    """Key, default, description. `<severity>` stands for the four, `[]` for a table that may come several times."""
    for name, field in table.model_fields.items():
        inner = _table_in(field.annotation)
        if inner is SeveritiesTable:
            yield from keys(type(SeveritiesTable().high), f"{above}{name}.<severity>.")
        elif inner is not None:
            several = "[]" if field.default == () else ""
            yield from keys(inner, f"{above}{name}{several}.")
        elif name == "groups" and not above:
            yield "groups.<name>", "none", field.description or ""
        else:
            yield f"{above}{name}", default(field), field.description or ""


def _table_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _table_in(part))), None)


def default(field: FieldInfo) -> str:
    """As the file would say it; `required` and `none` in words."""
    if field.is_required():
        return "required"
    if field.default is None or field.default == ():
        return "none"
    return f"`{_toml(field.default)}`"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Enum():
            return f'"{value.value}"'
        case tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case str():
            return f'"{value}"'
        case _:
            return f"{value:_}" if isinstance(value, int) else str(value)
