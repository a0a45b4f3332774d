"""A version bump without a diff: the bot makes the diff and shows it before anybody can approve it."""

from typing import Any

from tests.harness import World, sample

BARE: dict[str, Any] = {"patch_diff": None, "patch_description": None}


async def test_the_diff_is_shown_before_anyone_approves(world: World) -> None:
    """The card shows the diff of the repository's pin; the pull request contains exactly the approved diff."""
    card = await world.submit(**BARE)
    await card.shows("version 2", "-requests==2.30.0", "+requests==2.31.0", "apv-bot made this diff")
    review = await world.review(card)
    assert (review["version"], review["status"]) == (2, "pending")
    await world.alice.approves(card)
    pull = await world.pull(card)
    before, after = (world.github.file_at(ref, "requirements.txt") for ref in ("main", pull.head_ref))
    assert after == before.replace(b"requests==2.30.0\n", b"requests==2.31.0\n")
    assert world.github.diffstat(pull).strip().endswith("1 file changed, 1 insertion(+), 1 deletion(-)")
    assert pull.head_ref.endswith(review["digest"][:8])
    assert pull.title == "fix(deps): bump requests from 2.30.0 to 2.31.0 (CVE-2023-32681)"
    await card.thread_reads("has the diff of its version bump and is now version 2", "Alice approved", "Pull request")


async def test_a_lock_file_that_goes_stale_is_named_in_the_pull_request(world: World) -> None:
    """The bot cannot update a lock file, so the pull request says to do so."""
    files = {
        "pyproject.toml": b'[project]\nname = "shop"\ndependencies = ["attrs==22.1.0"]\n',
        "uv.lock": b"version = 1\n",
    }
    await world.github.push_commit("main", files)
    apv = {**BARE, "package_name": "attrs", "package_version": "22.1.0", "fixed_version": "22.2.0"}
    card = await world.submit({**sample("requests-cve-2023-32681"), "affected_files": []}, **apv)
    await card.shows("+dependencies", "update uv.lock with the package manager")
    await world.alice.approves(card)
    assert "update uv.lock with the package manager" in ((await world.pull(card)).body or "")
    await card.told_in_thread("Pull request")


async def test_a_pin_with_hashes_is_refused_on_the_card(world: World) -> None:
    """The card shows the reason; an approval is recorded and opens no pull request."""
    hashed = b"requests==2.30.0 --hash=sha256:00\n"
    await world.github.push_commit("main", {"requirements.txt": hashed})
    card = await world.submit(**BARE)
    await card.shows("No diff could be made", "requirements.txt pins requests with hashes")
    await world.alice.approves(card)
    await card.shows("It has no patch")
    await world.settle()
    assert world.github.pulls() == []
    await card.told_in_thread("Alice approved")


async def test_a_missing_branch_is_reported(world: World) -> None:
    """If GitHub refuses, no job is held; the card shows the reason in our words."""
    card = await world.submit(**BARE, base_ref="release/9")
    await card.shows("No diff could be made", "has no branch release/9")


async def test_an_outage_of_github_is_waited_out(world: World) -> None:
    """The card is posted at once and says what it waits for; the diff follows when GitHub answers again."""
    world.github.fail("repos/get-branch", "502_before", times=1)
    card = await world.submit(**BARE)
    await card.shows("is making the diff")
    await card.shows("+requests==2.31.0")
    assert len(world.cards()) == 1
    await card.told_in_thread("version 2")
