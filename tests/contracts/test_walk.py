"""The walk through the code in `docs/architecture.md` is true."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/architecture.md").read_text("utf-8")
STOPS = re.findall(r"^\d\. \*\*\[`(?P<file>[^`]+)`\]\([^)]+\)\*\*, `(?P<function>\w+)`", DOCUMENT, re.MULTILINE)


def called_names(path: Path, function: str) -> set[str]:
    """The names that a function of a file calls, itself or through functions of the same file."""
    tree = ast.parse(path.read_text("utf-8"))
    functions = {n.name: n for n in tree.body if isinstance(n, ast.AsyncFunctionDef | ast.FunctionDef)}
    seen: set[str] = set()
    waiting = [function]
    while waiting:
        for node in ast.walk(functions[waiting.pop()]):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
            if name is not None and name not in seen:
                seen.add(name)
                if name in functions:
                    waiting.append(name)
    return seen


def test_the_walk_has_four_stops_that_exist() -> None:
    """Each named file holds the named function."""
    assert len(STOPS) == 4
    for file, function in STOPS:
        assert re.search(rf"^(async )?def {function}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), file


def test_each_stop_leads_to_the_next() -> None:
    """The handler calls the service, and the service the rule; the job is what the queue names."""
    (handler, start), (service, decide), (_rule, _), (_task, _) = STOPS
    assert {"decisions", "decide", "ack"} <= called_names(ROOT / handler, start)
    assert {"rules", "commits", "write"} <= called_names(ROOT / service, decide)
    assert "github_tasks.open_pull" in (ROOT / "bot/app/wiring.py").read_text("utf-8")


def test_the_handler_acknowledges_last() -> None:
    """Commit, then acknowledge: nothing follows the ack."""
    file, function = STOPS[0]
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    (node,) = (n for n in tree.body if isinstance(n, ast.AsyncFunctionDef) and n.name == function)
    assert ast.unparse(node.body[-1]) == "await ack()"
    assert ast.unparse(node).count("await ack()") == 1
