"""The Home tab shows the numbers, the person's claims and the most urgent reviews."""

from tests.harness import CRITICAL, HIGH, World, sample


async def opened_by(world: World, name: str) -> str:
    assert (await world.slack.open_home(name)).ok
    home = world.slack.home(name)
    assert home is not None
    return home.words


async def test_it_shows_what_is_mine_and_what_is_urgent(world: World) -> None:
    """The person's claims come before the queue, most urgent first; every opening renders it again."""
    assert "No open reviews are claimed by you." in await opened_by(world, "alice")
    high = await world.submit(sample(HIGH))
    critical = await world.submit(sample(CRITICAL))
    await world.hears(critical.code)
    await world.alice.claims(high)
    await high.thread_reads("Alice claimed")
    seen = await opened_by(world, "alice")
    mine, urgent = seen.split("Most urgent")
    assert "2 awaiting a decision" in mine
    assert high.code in mine
    assert critical.code not in mine
    assert urgent.index(critical.code) < urgent.index(high.code)
    assert "No open reviews are claimed by you." in await opened_by(world, "bob")


async def test_only_the_home_tab_is_drawn(world: World) -> None:
    """Opening the app's messages renders no Home tab; a malformed user id is refused."""
    opened = {"type": "app_home_opened", "user": world.alice.id}
    assert (await world.slack.send_event({**opened, "tab": "messages"})).ok
    assert world.slack.home("alice") is None
    assert (await world.slack.send_event({**opened, "user": "no id", "tab": "home"})).status == 400


async def test_a_home_tab_that_slack_does_not_take_is_no_harm(world: World) -> None:
    """If Slack fails, the event is still acknowledged, and opening the tab again shows it."""
    world.slack.fail("views.publish", "http502")
    assert (await world.slack.open_home("alice")).ok
    assert world.slack.home("alice") is None
    assert "Most urgent" in await opened_by(world, "alice")
