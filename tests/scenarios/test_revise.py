"""Submitting again: the same content changes nothing, changed content voids the votes."""

from tests.harness import CRITICAL, World, sample

WHY = "This needs somebody who knows the vendor."


async def answer(world: World, apv: dict[str, object]) -> tuple[int, dict[str, object]]:
    async with world.http.post(f"{world.url}/hitl/reviews", json=apv) as response:
        return response.status, await response.json()


async def test_the_same_content_changes_nothing(world: World) -> None:
    """200, the same review, no second card and no update of it, in every status."""
    card = await world.submit()
    before = await world.review(card)
    status, same = await answer(world, sample("requests-cve-2023-32681"))
    assert (status, same | {"waiting_since": 0}) == (200, before | {"waiting_since": 0})
    await world.alice.approves(card)
    await world.pull(card)
    await world.settle()
    updates, opened = card.message.updates, await world.review(card)
    status, again = await answer(world, sample("requests-cve-2023-32681"))
    assert (status, again["status"], again["apv_id"]) == (200, "pr_open", opened["apv_id"])
    await world.settle()
    assert card.message.updates == updates
    assert len(world.cards()) == 1
    await card.thread_reads("Alice approved", "Pull request #1")


async def test_changed_content_voids_the_votes(world: World) -> None:
    """The card shows the new version and digest without votes, the thread says why; voters vote again."""
    apv = sample(CRITICAL)
    card = await world.submit(apv)
    await world.hears(card.code)
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals")
    first = await world.review(card)
    status, changed = await answer(world, {**apv, "patch_description": "Pin 5.4 and say why."})
    assert status == 200
    assert (changed["apv_id"], changed["version"], changed["status"]) == (first["apv_id"], 2, "pending")
    assert changed["digest"] != first["digest"]
    await card.shows("0 of 2 approvals", "version 2", str(changed["digest"])[:16], "Pin 5.4 and say why.")
    assert first["digest"][:8] not in card.words
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals")
    await world.bob.approves(card)
    pull = await world.pull(card)
    assert pull.head_ref == f"apv/{card.code}-{str(changed['digest'])[:8]}"
    await card.thread_reads(
        "1 of 2 approvals",
        f"{card.code} changed and is now version 2. Earlier approvals are void; please look again: Alice.\n"
        f"<@{world.alice.id}>",
        "1 of 2 approvals",
        "2 of 2 approvals",
        "Pull request #1",
    )
    assert [d["version"] for d in await world.decisions(card)] == [1, 2, 2]
    assert [d["action_taken"] for d in await world.decisions(card)] == ["recorded", "pr_opened", "pr_opened"]
    assert len(world.cards()) == 1


async def test_an_escalated_review_stays_escalated(world: World) -> None:
    """Changed content voids the votes, not the escalation: a lead is still needed."""
    apv = sample(CRITICAL)
    card = await world.submit(apv)
    await world.hears("New critical APV")
    await world.bob.approves(card)
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await world.submit(apv, fixed_version="5.4.1")
    await card.shows("version 2", "escalated", "0 of 2 approvals; a lead is still needed")
    assert (await world.review(card))["status"] == "escalated"
    await world.bob.approves(card)
    await world.bob.is_told("only a lead can close it now")
    await card.thread_reads("1 of 2 approvals", WHY, "is now version 2")


async def test_once_a_pull_request_is_open_a_new_review_follows(world: World) -> None:
    """The old review and its pull request do not change; the new review names it and has its own card."""
    card = await world.submit()
    await world.alice.approves(card)
    await world.pull(card)
    await card.thread_reads("Alice approved", "Pull request #1")
    status, followed = await answer(world, {**sample("requests-cve-2023-32681"), "patch_description": "Another."})
    assert status == 201
    assert followed["apv_code"] != card.code
    assert followed["metadata"] == {"follows": card.code}
    again = await world.submit(patch_description="Another.")
    assert again.code == followed["apv_code"]
    assert (await world.review(card))["status"] == "pr_open"
    assert [pull.state for pull in world.github.pulls()] == ["open"]


async def test_new_content_during_a_push_is_a_new_review(world: World) -> None:
    """A push and changed content cannot conflict: the branch has the approved content, the new one needs new votes."""
    card = await world.submit()
    digest = (await world.review(card))["digest"]
    world.github.fail("git/create-tree", "slow", seconds=0.5)
    await world.alice.approves(card)
    await world.until(lambda: not world.github.faults.planned, lambda: "nothing is being pushed")
    status, followed = await answer(world, {**sample("requests-cve-2023-32681"), "patch_description": "Another."})
    assert (status, followed["metadata"]) == (201, {"follows": card.code})
    assert (await world.pull(card)).head_ref == f"apv/{card.code}-{digest[:8]}"
    await card.thread_reads("Alice approved", "Pull request #1")
    await world.card(str(followed["apv_code"]))
    await world.settle()
    assert len(world.github.pulls()) == 1


async def test_after_a_rejection_a_new_review_follows(world: World) -> None:
    """Changed content after a rejection is a new review; unchanged content stays rejected."""
    card = await world.submit()
    await world.alice.rejects(card, "It breaks the import.")
    await card.thread_reads("It breaks the import.")
    status, same = await answer(world, sample("requests-cve-2023-32681"))
    assert (status, same["status"]) == (200, "rejected")
    status, followed = await answer(world, {**sample("requests-cve-2023-32681"), "apv_code": card.code, "kev": True})
    assert status == 201
    assert followed["metadata"] == {"follows": card.code}
    await (await world.submit(kev=True)).shows("0 of 1 approval")


async def test_a_new_version_keeps_its_claim_and_deadline(world: World) -> None:
    """Changed content is the same report: claim and deadline stay."""
    card = await world.submit()
    await world.alice.claims(card)
    due = (await world.review(card))["due_at"]
    await world.submit(patch_description="Another way to say it.")
    await card.shows("version 2", "Claimed by")
    assert (await world.review(card))["due_at"] == due
    await card.thread_reads("Alice claimed", "is now version 2.")
