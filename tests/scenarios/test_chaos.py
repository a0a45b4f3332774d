"""The short form of `make chaos`: each kind of fault once; all records agree afterwards."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.plan import SHORT, stories
from tests.chaos.run import fault_run


@pytest.mark.long
async def test_nothing_is_lost_and_nothing_done_twice() -> None:
    """Acknowledged clicks, recorded decisions and side effects match, whatever crashed in between."""
    # Not pytest's own folder: its path is too long for PostgreSQL's socket.
    with TemporaryDirectory(prefix="apv-chaos-", ignore_cleanup_errors=True) as folder:
        verdict = await fault_run(
            stories(1, 12),
            iter(SHORT),
            least=len(SHORT),
            patience=0.5,
            replicas=1,
            folder=Path(folder),
            say=print,
        )
    assert (verdict.books.lost, verdict.books.duplicated, verdict.surprises) == ([], [], [])
    assert verdict.run.kills == 3
    assert verdict.books.decisions >= 12
