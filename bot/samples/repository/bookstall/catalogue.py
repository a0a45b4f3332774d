"""The catalogue: a YAML list of books, uploaded by each shop."""

from pathlib import Path

import yaml


def load(path: Path) -> list:
    with path.open() as file:
        books = yaml.load(file, Loader=yaml.FullLoader)
    return sorted(books, key=lambda book: book["title"])
