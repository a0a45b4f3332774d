"""`/apv`: only the person who typed the command sees the answer."""

from pathlib import Path

from tests import harness
from tests.harness import CRITICAL, HIGH, World, sample

SUBCOMMANDS = (
    "queue [severity]",
    "show ID",
    "mine",
    "claim ID",
    "unclaim ID",
    "reassign ID @user",
    "wake ID",
    "withdraw ID",
    "stats",
    "help",
)


async def test_the_queue_lists_what_waits_most_urgent_first(world: World) -> None:
    """The whole queue or one severity, in any case, without decided reviews."""
    assert await world.olga.types("queue") == "No review awaits a decision."
    low = await world.submit(sample(HIGH), severity="low", package_name="late")
    high = await world.submit(sample(HIGH))
    critical = await world.submit(sample(CRITICAL))
    decided = await world.submit()
    await world.hears(critical.code)
    await world.alice.rejects(decided, "Not vulnerable here.")
    answer = await world.olga.types("queue")
    assert "3 reviews awaiting a decision" in answer
    assert answer.index(critical.code) < answer.index(high.code) < answer.index(low.code)
    assert decided.code not in answer
    only = await world.olga.types("  queue   HIGH ")
    assert "1 high review awaiting a decision" in only
    assert high.code in only
    assert critical.code not in only
    assert await world.olga.types("queue medium") == "No medium review awaits a decision."
    wrong = "There is no severity “urgent”. Severities are critical, high, medium, low."
    assert await world.olga.types("queue urgent") == wrong
    await decided.thread_reads("Not vulnerable here.")


async def test_show_is_a_private_copy_of_the_card(world: World) -> None:
    """By code in any case or by UUID: what the card shows, without the decision buttons."""
    card = await world.submit()
    review = await world.review(card)
    for name in (card.code, card.code.lower(), review["apv_id"], review["apv_id"].upper()):
        answer = await world.olga.types(f"show {name}")
        assert card.code in answer
        assert "requests 2.30.0 → 2.31.0" in answer
    private = world.slack.ephemerals("olga")[-1]
    assert private.buttons == ["View diff", "Details"]
    assert len(world.slack.messages("vuln-review")) == 1


async def test_show_says_what_it_cannot_find(world: World) -> None:
    """An unknown name is repeated, a missing one asked for; odd input does no harm."""
    assert "There is no review “APV-1999-0001”" in await world.alice.types("show APV-1999-0001")
    assert "Which one?" in await world.alice.types("show")
    assert "Which one?" in await world.alice.types("claim")
    assert "There is no review" in await world.alice.types("claim 00000000-0000-4000-8000-000000000000")
    for odd in ("\0", "x" * 4000, "'; DROP TABLE apv_reviews", "<!channel>", "%", "\u202e"):
        assert "There is no review" in await world.alice.types(f"show {odd}")
    assert "&lt;!channel" in world.slack.ephemerals("alice")[-3].words


async def test_mine_is_what_i_claimed(world: World) -> None:
    """Claimed by me and undecided; the command claims like the button does."""
    assert "No open reviews are claimed by you." in await world.alice.types("mine")
    mine, other, decided = (
        await world.submit(),
        await world.submit(sample(HIGH)),
        await world.submit(sample("pip-cve-2023-5752")),
    )
    assert await world.alice.types(f"claim {mine.code.lower()}") == f"You have claimed {mine.code}."
    await world.bob.claims(other)
    await world.alice.claims(decided)
    await world.bob.rejects(decided, "Not vulnerable here.")
    answer = await world.alice.types("mine")
    assert "1 review claimed by you" in answer
    assert mine.code in answer
    assert other.code not in answer
    await mine.shows(f"Claimed by <@{world.alice.id}>")
    await mine.thread_reads("Alice claimed")
    await other.thread_reads("Bob claimed")
    await decided.thread_reads("Alice claimed", "Not vulnerable here.")


async def test_a_long_list_is_counted_to_its_end(database_url: str, tmp_path: Path) -> None:
    """Reviews that do not fit into the answer are counted, in `queue` and in `mine`."""
    async with harness.world(database_url, tmp_path, role="web") as world:
        apvs = [{**sample(HIGH), "package_name": f"package-{number}"} for number in range(21)]
        async with world.http.post(f"{world.url}/hitl/reviews", json=apvs) as answer:
            assert answer.status == 201
        await world.rows("DELETE FROM pgqueuer RETURNING 1")  # nobody looks at their cards
        await world.rows("UPDATE apv_reviews SET claimed_by = :alice RETURNING 1", alice=world.alice.id)
        queue, mine = await world.alice.types("queue"), await world.alice.types("mine")
        assert "21 reviews awaiting a decision" in queue
        assert "21 reviews claimed by you" in mine
        assert "and 1 more" in queue
        assert "and 1 more" in mine


async def test_stats_count_what_waits_and_what_was_decided(world: World) -> None:
    """By severity, and by kind of decision."""
    await world.submit(sample(HIGH))
    decided = await world.submit()
    await world.alice.rejects(decided, "Not vulnerable here.")
    answer = await world.olga.types("stats")
    assert "1 awaiting a decision" in answer
    assert "1 high" in answer
    assert "1 decision, 1 today" in answer
    assert "1 rejected" in answer
    await decided.thread_reads("Not vulnerable here.")


async def test_help_names_every_subcommand(world: World) -> None:
    """`help` and an empty command list the commands; an unknown word is repeated as plain text above the list."""
    for typed in ("help", "", "HELP", "  "):
        answer = await world.olga.types(typed)
        assert all(f"/apv {known}" in answer for known in SUBCOMMANDS)
    unknown = await world.olga.types("approve <!here> @channel")
    assert "Unknown command `approve &lt;!here" in unknown
    assert "<!here>" not in unknown
    assert "/apv queue" in unknown


async def test_nothing_of_it_is_public(world: World) -> None:
    """Every answer is ephemeral; the channel holds the card alone."""
    card = await world.submit()
    for typed in ("queue", f"show {card.code}", "stats", "mine", "help", "", "nonsense", f"claim {card.code}"):
        await world.olga.types(typed)
    assert [message.ts for message in world.slack.messages("vuln-review")] == [card.message.ts]
    assert len(world.slack.ephemerals("olga")) == 8
