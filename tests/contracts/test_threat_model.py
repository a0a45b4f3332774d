"""Every control in docs/threat-model.md names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

MODEL = Path("docs/threat-model.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", MODEL)))
FILES = {path.name: path for path in Path("tests").rglob("test_*.py")}
ATTACKERS = re.findall(r"^### (.+)$", MODEL, re.MULTILINE)


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda name: name or "all")
def test_a_control_names_a_test_that_exists(file: str, test: str) -> None:
    """A test that was renamed or removed leaves no control without one."""
    assert file in FILES
    defined = {n.name for n in ast.walk(ast.parse(FILES[file].read_text("utf-8"))) if hasattr(n, "name")}
    assert not test or test in defined


def test_every_attacker_is_played() -> None:
    """One scenario at least for each."""
    played = ast.parse(FILES["test_attackers.py"].read_text("utf-8")).body
    tests = [node for node in played if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")]
    assert len(tests) >= len(ATTACKERS)


def test_every_row_of_a_control_has_a_test() -> None:
    """No control is only a claim."""
    rows = [line for line in MODEL.split("## Attackers")[1].splitlines() if line.startswith("| ")]
    controls = [row for row in rows if not row.startswith(("| what they try", "| ---"))]
    assert [row for row in controls if "`test_" not in row.split("|")[3]] == []
