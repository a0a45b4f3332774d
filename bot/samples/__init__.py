"""The sample repository and the APVs for it: what the demo submits. Data only; `README.md` here names the sources."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable


def repository_files() -> dict[str, bytes]:
    """The sample repository's files: content by path from its root, `/` between the parts."""
    return {path: file.read_bytes() for path, file in _walk(files(__name__) / "repository")}


def apvs() -> list[tuple[str, str]]:
    """The sample APVs as name and JSON text, in the order of their names."""
    return sorted((path, file.read_text("utf-8")) for path, file in _walk(files(__name__) / "apvs"))


def _walk(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        # pip compiles every installed .py file, the sample's too.
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{above}{entry.name}/")
        else:
            yield above + entry.name, entry
