"""One word for one thing: a type name stands in one module, except for the few listed here."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST = 15
SHARED = {
    "Action": "what a decision led to; an element of Slack's payload",
    "Choice": "what a reviewer decides; an option of Slack's payload",
    "Context": "what the functions of a folder work with, one for each folder; a Slack block",
    "Decision": "the domain's; its JSON",
    "Input": "an input block; its value in Slack's payload",
    "Message": "what is drawn for Slack; its row in the database",
    "Review": "the domain's; its JSON",
    "Statistics": "the numbers; their JSON",
    "Submission": "an APV that arrives; a submitted modal of Slack's payload",
    "View": "a modal that is drawn; a modal of Slack's payload",
}
"""Each name that stands in two modules or more, and what it is there: the platform's name, or the JSON of the thing."""


def modules() -> list[Path]:
    """The modules of the product, without the stand-ins and the samples."""
    found = [path for folder in ("bot", "handlers", "storage") for path in (ROOT / folder).rglob("*.py")]
    apart = [ROOT / "bot/sandbox", ROOT / "bot/samples"]
    return [path for path in found if not any(folder in path.parents for folder in apart)]


def types_of(tree: ast.Module) -> set[str]:
    """The public types that a module defines: classes, type aliases, and what is assigned to a name like a type's."""
    names = set()
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) if name[0].isupper() and not name.isupper():
                names.add(name)
    return {name for name in names if not name.startswith("_")}


def test_a_type_name_stands_in_one_module() -> None:
    """A name in two modules is listed above; a name that no longer is leaves the list."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for name in types_of(ast.parse(path.read_text("utf-8"))):
            places[name].append(path.relative_to(ROOT).as_posix())
    shared = {name: sorted(paths) for name, paths in places.items() if len(paths) > 1}
    new = {name: paths for name, paths in sorted(shared.items()) if name not in SHARED}
    gone = sorted(SHARED.keys() - shared.keys())
    assert not new, "one name for two things; rename one:\n" + "\n".join(f"{n}: {', '.join(p)}" for n, p in new.items())
    assert not gone, f"no longer in two modules; remove from the list: {', '.join(gone)}"


def test_few_names_are_shared() -> None:
    """The list stays short, and each name on it has its reason."""
    assert len(SHARED) <= MOST
    assert all(SHARED.values())
