"""Nothing grows without bound: each table's document row says what happens to its rows."""

import re
from pathlib import Path

from storage.pruning import PASSING
from storage.tables import metadata

SAID = Path(__file__).parents[2] / "docs" / "reliability.md"
QUEUE = {"pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"}


def rows() -> dict[str, str]:
    """The document's row for each table."""
    section = SAID.read_text("utf-8").partition("## What grows")[2]
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))


def test_every_table_is_bounded_or_the_record() -> None:
    """docs/reliability.md has a row for each table and no other row."""
    assert rows().keys() == metadata.tables.keys() | QUEUE


def test_what_passes_is_said_to_pass() -> None:
    """The document names the days that the worker keeps."""
    for what in PASSING:
        assert re.search(rf"\b{what.kept.days} days?\b", rows()[what.table]), what.table
