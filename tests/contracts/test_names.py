"""One word for one thing: a type name stands in one module, except for the few listed here."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST = 15
SHARED = {
    "Action": "what a decision led to; and an element of Slack's payload",
    "Channel": "a Slack channel in a policy file; and in Slack's payload",
    "Choice": "what a reviewer decides; and an option of Slack's payload",
    "Context": "what the functions of a folder work with; one for each folder",
    "Decision": "the domain's; and its JSON",
    "Input": "an input block; and its value in Slack's payload",
    "Message": "what is drawn for Slack; and its row in the database",
    "Review": "the domain's; and its JSON",
    "Statistics": "the numbers; and their JSON",
    "Submission": "an APV that arrives; and a submitted modal in Slack's payload",
    "View": "a modal that is drawn; and in Slack's payload",
}
"""Each name that stands in two modules or more, and why: a name is the platform's, or the JSON of the thing itself."""
TO_RENAME = {
    "Approval", "Block", "Change", "Event", "Fault", "Finding", "Format", "Id", "Kind", "Loc", "Path", "SlackUser",
    "Text", "Vulnerability",
}  # fmt: skip
"""Names that still stand for different things. This set only gets smaller."""


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
    new = {name: paths for name, paths in sorted(shared.items()) if name not in SHARED.keys() | TO_RENAME}
    gone = sorted(SHARED.keys() - shared.keys())
    assert not new, "one name for two things; rename one:\n" + "\n".join(f"{n}: {', '.join(p)}" for n, p in new.items())
    assert not gone, f"no longer in two modules; remove from the list: {', '.join(gone)}"


def test_few_names_are_shared() -> None:
    """The list stays short, and each name on it has its reason."""
    assert len(SHARED) <= MOST
    assert all(SHARED.values())
    assert not SHARED.keys() & TO_RENAME
