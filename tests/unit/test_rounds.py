"""Simultaneous requests begin one by one, one in each round of the event loop."""

import asyncio

from handlers.slack.route import Rounds


async def test_one_begins_in_each_round() -> None:
    """In order of arrival, and other tasks run in between."""
    rounds, seen = Rounds(), list[str]()

    async def request(name: str) -> None:
        await rounds.mine()
        seen.append(name)

    async def commit() -> None:
        for _ in range(3):
            seen.append("step")
            await asyncio.sleep(0)

    await asyncio.gather(*(request(name) for name in "abc"), commit())
    assert [name for name in seen if name != "step"] == ["a", "b", "c"]
    assert seen.index("b") - seen.index("a") > 1
    assert seen.index("c") - seen.index("b") > 1


async def test_whoever_gives_up_stops_nobody() -> None:
    """Neither the requests behind it nor later ones."""
    rounds = Rounds()
    waiting = [asyncio.create_task(rounds.mine()) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    waiting[2].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert [task.cancelled() for task in waiting] == [False, True, True, False]
    await rounds.mine()
    await rounds.mine()
