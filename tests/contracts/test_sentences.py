"""Sentences are for people: no product code compares one, so that each may be reworded."""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SQL_METHODS = {
    "is_distinct_from", "is_not_distinct_from", "is_", "is_not", "in_", "not_in", "like", "ilike", "not_like",
    "startswith", "endswith", "contains", "icontains", "istartswith", "iendswith", "fullmatch", "match", "find",
}  # fmt: skip
"""Methods that compare, of SQLAlchemy's columns and of strings."""
SQL = re.compile(r"(?:=|<>|\bIN|\bDISTINCT FROM|\bI?LIKE)\s*\(?\s*'([^']*)'", re.IGNORECASE)


def is_sentence(value: object) -> bool:
    """Words for people: a space in it and a full stop at the end."""
    return isinstance(value, str) and " " in value.strip() and value.rstrip().endswith(".")


def value_of(node: ast.expr, names: Mapping[str, Any]) -> object:
    """The value of a literal, a constant or an attribute of a constant; None for anything else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=base, attr=attribute):
            return getattr(value_of(base, names), attribute, None)
        case ast.JoinedStr(values=parts):
            return "".join(str(value_of(part, names) or "") for part in parts)
        case ast.FormattedValue(value=value):
            return value_of(value, names)
    return None


def compared_in(node: ast.AST) -> list[ast.expr]:
    """The expressions that a piece of code compares with something."""
    match node:
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.Call(func=ast.Attribute(attr=method, value=value), args=arguments) if method in SQL_METHODS:
            return [value, *arguments]
        case ast.MatchValue(value=value):
            return [value]
        case ast.Dict(keys=keys):
            return [key for key in keys if key is not None]
    return []


def comparisons(tree: ast.Module, names: Mapping[str, Any]) -> Iterator[str]:
    """The source of each comparison with a sentence."""
    for node in ast.walk(tree):
        operands = compared_in(node)
        inside = [part for each in operands if isinstance(each, ast.Tuple | ast.List | ast.Set) for part in each.elts]
        if any(is_sentence(value_of(each, names)) for each in (*operands, *inside)):
            yield ast.unparse(node)
        if isinstance(node, ast.Constant | ast.JoinedStr):
            query = value_of(node, names)
            if isinstance(query, str) and any(map(is_sentence, SQL.findall(query))):
                yield ast.unparse(node)


def product() -> Iterator[tuple[str, Path]]:
    """Each module of the product, its name and its file. Migrations are left out: they read what old releases wrote."""
    for folder in ("bot", "handlers", "storage"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[:2] != ("bot", "samples") and parts != ("bot", "__main__"):
                yield ".".join(parts).removesuffix(".__init__"), path


def test_no_code_compares_a_sentence() -> None:
    """Not with `==`, `in` or `match`, not as the key of a dictionary, and not in SQL."""
    found = [
        f"{path.relative_to(ROOT)}: {comparison}"
        for module, path in product()
        for comparison in comparisons(ast.parse(path.read_text("utf-8")), vars(importlib.import_module(module)))
    ]
    assert found == []


class Settled:
    notes = "Withdrawn by the person."


@pytest.mark.parametrize(
    "code",
    [
        'note == "It is done."', 'note != NOTE', 'settled.notes == it.notes', '"It is done." in note',
        'note in ("It is done.", "x")', 'column.is_distinct_from(it.notes)', 'column.in_([NOTE])',
        '{"It is done.": 1}[note]', 'text("SELECT 1 FROM t WHERE note = \'It is done.\'")',
        'text(f"UPDATE t SET a = 1 WHERE note <> \'{NOTE}\'")', "match note:\n  case \'It is done.\': pass",
    ],
)  # fmt: skip
def test_a_comparison_is_found(code: str) -> None:
    """In each form that it can have."""
    assert list(comparisons(ast.parse(code), {"NOTE": "It is done.", "it": Settled}))


@pytest.mark.parametrize(
    "code",
    ['note = "It is done."', 'name == "approve"', 'a == "."', 'say("It is done.")', "note == other", "f(x)[NOTE]"],
)
def test_what_compares_no_sentence_is_left_alone(code: str) -> None:
    """A sentence may be said, kept and passed on."""
    assert not list(comparisons(ast.parse(code), {"NOTE": "It is done.", "it": Settled}))
