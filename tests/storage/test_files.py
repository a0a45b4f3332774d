"""What git reads in a patch is kept with the review, whichever way the patch came in."""

from collections.abc import Collection
from dataclasses import replace

from bot.domain.patch import ChangeKind, FileChange, Readings
from bot.jobs import MakeBump
from bot.service import bumps, patches, upkeep
from storage.database import Database
from tests.builders import PATCH, adopt, apv, gate, now_of, queued, rows, run, submit

READ = (FileChange("requirements.txt", ChangeKind.CHANGED, insertions=1, deletions=1),)
MOVED = "diff --git a/x.py b/conftest.py\nsimilarity index 100%\ncopy from x.py\ncopy to conftest.py\n"


async def read(opened: object) -> int:
    """Read what nobody has read, as the sweep does."""
    return await upkeep.handle_all(opened, patches.unread, patches.read)  # type: ignore[arg-type] # a gate


async def test_a_submitted_patch_is_read(database: Database) -> None:
    """New content is read anew; what git cannot read, and what is no patch, are told apart."""
    opened = gate(database)
    first = (await submit(opened)).review
    assert first.files == READ
    await submit(opened, apv(patch_diff=MOVED))
    assert (await now_of(opened, first)).files == (FileChange("conftest.py", ChangeKind.COPIED, "x.py"),)
    assert (await submit(opened, apv(patch_diff="no patch", package_name="a"))).review.files is None
    assert (await submit(opened, apv(patch_diff=None, fixed_version=None, package_name="b"))).review.files == ()
    assert await read(opened) == 0


async def test_the_bots_own_diff_is_read(database: Database) -> None:
    """The diff of a version bump is content like any other."""
    opened = gate(database)
    review = (await submit(opened, apv(patch_diff=None))).review
    await bumps.record_diff(opened, MakeBump(review.id, review.digest, 1), PATCH, "Bumped.")
    assert (await now_of(opened, review)).files == READ


async def test_the_patch_of_another_program_is_read(database: Database) -> None:
    """When its row is taken in."""
    opened = gate(database)
    async with database.transaction() as tx:
        await tx.exec_driver_sql(
            "INSERT INTO apv_reviews (apv_code, severity, package_name, patch_content) VALUES ($1, $2, $3, $4)",
            ("APV-2026-0500", "high", "jinja2", PATCH),
        )
    assert await adopt(opened) == 1
    (row,) = await rows(database, "SELECT files FROM apv_reviews")
    assert [file["path"] for file in row["files"]] == ["requirements.txt"]


async def test_what_an_earlier_release_stored_is_read_by_the_sweep(database: Database) -> None:
    """Once, with the card drawn again, also where nothing can be read; of closed reviews, only those with a pull."""
    opened = gate(database)
    patched = (await submit(opened)).review
    garbled = (await submit(opened, apv(patch_diff="no patch", package_name="a"))).review
    closed = (await submit(opened, apv(package_name="b"))).review
    opened_pull = (await submit(opened, apv(package_name="c"))).review
    await run(
        database,
        "UPDATE apv_reviews SET files = NULL",
        f"UPDATE apv_reviews SET status = 'rejected' WHERE id = '{closed.id}'",
        f"UPDATE apv_reviews SET status = 'pr_open' WHERE id = '{opened_pull.id}'",
        "DELETE FROM pgqueuer",
    )
    assert (await now_of(opened, patched)).files is None
    assert await read(opened) == 3
    after = await now_of(opened, patched)
    assert (after.files, after.revision) == (READ, patched.revision + 1)
    assert (await now_of(opened, garbled)).revision == garbled.revision + 1
    assert await queued(database) == ["slack.card"] * 3
    assert (await now_of(opened, closed)).files is None
    assert await read(opened) == 0


async def test_a_machine_without_git_leaves_the_reading_to_another(database: Database) -> None:
    """The submission is stored; whoever has git reads it in the next sweep."""
    opened = gate(database)

    async def nothing(_: Collection[str]) -> Readings:
        return {}

    review = (await submit(replace(opened, read_changes=nothing))).review
    assert review.files is None
    assert await read(replace(opened, read_changes=nothing)) == 0
    assert await read(opened) == 1
    assert (await now_of(opened, review)).files == READ


async def test_a_reading_of_a_later_release_makes_the_review_unreadable(database: Database) -> None:
    """Nobody decides on a patch whose files this release cannot name."""
    opened = gate(database)
    review = (await submit(opened)).review
    await run(database, """UPDATE apv_reviews SET files = '[{"path": "x", "kind": "teleported"}]'""")
    assert (await now_of(opened, review)).unreadable == ("files",)
