"""The import contracts of pyproject.toml hold and leave no package out."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def imported(path: Path) -> set[str]:
    """The first parts of what a module imports; two of them for our own packages."""
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names.add(node.module or "")
    return {".".join(name.split(".")[:2]) if name.startswith("bot.") else name.split(".")[0] for name in names}


def test_the_contracts_hold() -> None:
    """No module breaks a contract."""
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


def test_every_package_has_its_contract() -> None:
    """Each package names its importers, except the domain, which every package may import."""
    parts = {
        f"bot.{path.stem}"
        for path in (ROOT / "bot").iterdir()
        if path.stem != "__init__" and (path.suffix == ".py" or (path / "__init__.py").is_file())
    }
    protected = {name for contract in CONTRACTS for name in contract.get("protected_modules", [])}
    assert protected == (parts - {"bot.domain"}) | {"handlers", "storage", "migrations"}


@pytest.mark.parametrize("path", sorted((ROOT / "bot/domain").glob("*.py")), ids=lambda path: path.stem)
def test_the_domain_is_the_standard_library_alone(path: Path) -> None:
    """A rule is a function of values: it imports no vendor and no other package of ours, and awaits nothing."""
    foreign = imported(path) - {"bot.domain"} - sys.stdlib_module_names
    assert foreign == set()
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    waiting = [n for n in tree if isinstance(n, ast.AsyncFor | ast.AsyncWith | ast.Await)]
    assert waiting == []


BREACHES = {
    "bot/domain/rogue.py": ["bot.service.gate", "sqlalchemy", "time"],
    "bot/blocks/rogue.py": ["storage.reviews"],
    "bot/service/rogue.py": ["bot.tasks.executor", "bot.integrations.git"],
    "bot/tasks/rogue.py": ["bot.sandbox.slack", "github"],
    "bot/sandbox/rogue.py": ["bot.domain.apv"],
    "handlers/rogue.py": ["storage.reviews", "bot.tasks.slack", "bot.integrations.git", "sqlalchemy"],
    "storage/rogue.py": ["bot.service.gate"],
}


def test_a_breach_is_found(tmp_path: Path) -> None:
    """A forbidden import anywhere fails the check, which names it."""
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for name in ("bot", "handlers", "storage", "migrations"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path, names in BREACHES.items():
        (tmp_path / path).write_text("".join(f"import {name}\n" for name in names), "utf-8")
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    for path, names in BREACHES.items():
        rogue = path.removesuffix(".py").replace("/", ".")
        for name in names:
            assert f"{rogue} -> {name} " in result.stdout
