"""Answers about people and groups are cached for 60 s, requested once, and never guessed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.people import DirectoryUnavailable, SlackProfile
from bot.integrations.slack.client import SlackClient
from bot.integrations.slack.people import SlackDirectory

Json = dict[str, object]


@dataclass
class Slack:
    """People and groups as Slack holds them, how often each was asked for, and what is wrong with it."""

    users: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    error: str | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Clear: questions are taken and not answered until it is set."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the client has seen a call fail."""

    def on_error(self, _method: str, _code: str) -> None:
        self.failed.set()

    async def users_info(self, request: web.Request) -> web.Response:
        key = request.query["user"]
        user = self.users.get(key)
        return await self._answer(key, {"ok": True, "user": user} if user else _error("user_not_found"))

    async def users_lookup(self, request: web.Request) -> web.Response:
        key = request.query["email"]
        user = next((user for user in self.users.values() if _address(user) == key), None)
        return await self._answer(key, {"ok": True, "user": user} if user else _error("users_not_found"))

    async def group_users(self, request: web.Request) -> web.Response:
        key = request.query["usergroup"]
        members = self.groups.get(key)
        known: Json = {"ok": True, "users": list(members or [])}
        return await self._answer(key, known if members is not None else _error("no_such_subteam"))

    async def _answer(self, key: str, body: Json) -> web.Response:
        self.asked[key] += 1
        self.arrived.set()
        await self.gate.wait()
        return web.json_response(_error(self.error) if self.error else body)


def _address(user: Json) -> object:
    profile = user["profile"]
    return profile.get("email") if isinstance(profile, dict) and not user.get("deleted") else None


def _error(code: str) -> Json:
    return {"ok": False, "error": code}


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def slack() -> Slack:
    slack = Slack()
    slack.gate.set()
    return slack


@pytest.fixture
def clock() -> Clock:
    return Clock()


Directories = Callable[..., SlackDirectory]


@pytest.fixture
async def directories(slack: Slack, clock: Clock) -> AsyncIterator[Directories]:
    """Makes directories over one client; `patience` and `capacity` can be given."""
    app = web.Application()
    app.router.add_get("/api/users.info", slack.users_info)
    app.router.add_get("/api/users.lookupByEmail", slack.users_lookup)
    app.router.add_get("/api/usergroups.users.list", slack.group_users)
    made: list[SlackDirectory] = []
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        client = SlackClient("xoxb-a-token", str(server.make_url("/api/")), http, slack.on_error)

        def make(patience: float = 30.0, capacity: int = 10_000) -> SlackDirectory:
            made.append(SlackDirectory(client, lambda: "T1", clock, patience=patience, capacity=capacity))
            return made[-1]

        yield make
        for directory in made:
            await directory.aclose()
        slack.gate.set()


@pytest.fixture
def directory(directories: Directories) -> SlackDirectory:
    return directories()


def person(user_id: str, **more: object) -> Json:
    profile = {"real_name": "A. Reviewer", "display_name": "rev", "email": "rev@example.org"}
    return {"id": user_id, "team_id": "T1", "name": "rev", "profile": profile} | more


async def test_a_profile_says_what_a_decision_needs(slack: Slack, directory: SlackDirectory) -> None:
    """Name and e-mail are the profile's; every reason not to count is kept apart."""
    slack.users = {
        "U1": person("U1"),
        "U2": person("U2", deleted=True, team_id="T2", is_stranger=True, profile={}),
        "U3": person("U3", is_bot=True),
        "U4": person("U4", is_restricted=True),
        "U5": person("U5", is_ultra_restricted=True),
        "USLACKBOT": person("USLACKBOT", is_bot=False),
    }
    assert await directory.profile("U1") == SlackProfile("U1", "T1", "A. Reviewer", "rev@example.org", "rev")
    assert await directory.profile("U2") == SlackProfile("U2", "T2", "rev", None, "rev", deleted=True, is_stranger=True)
    for bot in ("U3", "USLACKBOT"):
        profile = await directory.profile(bot)
        assert profile is not None
        assert profile.is_bot
    for guest in ("U4", "U5"):
        profile = await directory.profile(guest)
        assert profile is not None
        assert profile.is_guest


async def test_nobody_is_nobody_and_an_unknown_group_is_empty(slack: Slack, directory: SlackDirectory) -> None:
    """That Slack knows no such user or group is an answer, not an outage."""
    assert await directory.profile("U404") is None
    assert await directory.group("S404") == frozenset()
    slack.error = "user_not_visible"
    assert await directory.profile("U405") is None


async def test_an_answer_is_used_for_less_than_60_s_even_if_slack_is_down(
    slack: Slack, directory: SlackDirectory, clock: Clock
) -> None:
    """The cache survives an outage of a minute; after that nobody is known."""
    slack.groups["S1"] = ["U1"]
    assert await directory.group("S1") == {"U1"}
    slack.error = "internal_error"
    clock.now += 59.9
    assert await directory.group("S1") == {"U1"}
    clock.now += 0.1
    with pytest.raises(DirectoryUnavailable):
        await directory.group("S1")


@pytest.mark.parametrize("error", ["fatal_error", "ratelimited", "token_revoked", "missing_scope", "new_error"])
async def test_no_failure_of_slack_is_taken_for_an_answer(slack: Slack, directory: SlackDirectory, error: str) -> None:
    """The directory fails closed: unknown is neither nobody nor an empty group."""
    slack.error = error
    with pytest.raises(DirectoryUnavailable):
        await directory.profile("U1")
    with pytest.raises(DirectoryUnavailable):
        await directory.group("S1")


async def test_a_change_of_membership_is_seen_within_60_s(
    slack: Slack, directory: SlackDirectory, clock: Clock
) -> None:
    """A person who was removed from a group cannot decide a minute later."""
    slack.groups["S1"] = ["U1", "U2"]
    assert await directory.group("S1") == {"U1", "U2"}
    slack.groups["S1"] = ["U2"]
    clock.now += 60
    assert await directory.group("S1") == {"U2"}


async def test_an_answer_in_use_is_refreshed_in_the_background(
    slack: Slack, directory: SlackDirectory, clock: Clock
) -> None:
    """After 30 s the caller still gets the old answer at once, and a later one the new."""
    slack.groups["S1"] = ["U1"]
    await directory.group("S1")
    slack.groups["S1"] = ["U2"]
    clock.now += 29.9
    assert await directory.group("S1") == {"U1"}
    assert slack.asked["S1"] == 1
    clock.now += 0.1
    assert await directory.group("S1") == {"U1"}
    async with asyncio.timeout(60):
        while await directory.group("S1") != {"U2"}:  # noqa: ASYNC110 - a refresh tells nobody that it is done
            await asyncio.sleep(0)
    assert slack.asked["S1"] == 2
    clock.now += 59  # counted from the refresh, not from the first answer
    assert await directory.group("S1") == {"U2"}


async def test_a_refresh_that_fails_is_not_repeated_at_once(
    slack: Slack, directory: SlackDirectory, clock: Clock
) -> None:
    """A busy channel does not use up Slack's 20 calls per minute while Slack is down."""
    slack.groups = {"S1": ["U1"], "S2": []}
    await directory.group("S1")
    slack.error = "internal_error"
    clock.now += 30
    await directory.group("S1")
    await asyncio.wait_for(slack.failed.wait(), 10)
    slack.error = None
    clock.now += 4.9
    for _ in range(10):
        assert await directory.group("S1") == {"U1"}
        directory.forget("S2")
        await directory.group("S2")  # a request of S1's would have gone out before this one
    assert slack.asked["S1"] == 2
    clock.now += 0.1
    slack.arrived.clear()
    await directory.group("S1")
    await asyncio.wait_for(slack.arrived.wait(), 60)
    assert slack.asked["S1"] == 3


async def test_many_questions_about_one_person_are_one_request(slack: Slack, directory: SlackDirectory) -> None:
    """Slack is asked once per key, however many people click at once."""
    slack.users["U1"] = person("U1")
    slack.gate.clear()
    questions = [asyncio.create_task(directory.profile("U1")) for _ in range(50)]
    await asyncio.wait_for(slack.arrived.wait(), 60)
    slack.gate.set()
    profiles = await asyncio.gather(*questions)
    assert {profile.user_id for profile in profiles if profile} == {"U1"}
    assert slack.asked["U1"] == 1


async def test_what_is_expected_is_asked_side_by_side(slack: Slack, directory: SlackDirectory) -> None:
    """With an empty cache a click asks all questions at once; what is cached is not asked."""
    slack.users["U1"] = person("U1")
    slack.gate.clear()
    directory.expect("U1", ["S1", "S2"])
    async with asyncio.timeout(60):
        while len(slack.asked) < 3:
            await slack.arrived.wait()
            slack.arrived.clear()
    slack.gate.set()
    assert await directory.profile("U1") is not None
    for group in ("S1", "S2"):
        assert await directory.group(group) == frozenset()
    directory.expect("U1", ["S1", "S2"])
    await directory.aclose()
    assert slack.asked == {"U1": 1, "S1": 1, "S2": 1}


async def test_a_slow_slack_refuses_this_lookup_and_helps_the_next(slack: Slack, directories: Directories) -> None:
    """A lookup is bounded; the answer that comes later is not thrown away."""
    directory = directories(patience=0.05)
    slack.users["U1"] = person("U1")
    slack.gate.clear()
    with pytest.raises(DirectoryUnavailable):
        await directory.profile("U1")
    slack.gate.set()
    async with asyncio.timeout(60):
        while True:
            try:
                profile = await directory.profile("U1")
                break
            except DirectoryUnavailable:
                continue
    assert profile is not None
    assert slack.asked["U1"] == 1


async def test_what_slack_reports_as_changed_is_asked_again(slack: Slack, directory: SlackDirectory) -> None:
    """Slack's own change events beat the 60 s."""
    slack.users["U1"] = person("U1")
    slack.groups["S1"] = ["U1"]
    await directory.profile("U1")
    await directory.group("S1")
    slack.users["U1"] = person("U1", deleted=True)
    slack.groups["S1"] = []
    directory.forget("U1")
    directory.forget("S1")
    profile = await directory.profile("U1")
    assert profile is not None
    assert profile.deleted
    assert await directory.group("S1") == frozenset()


async def test_a_person_is_found_by_their_address(slack: Slack, directory: SlackDirectory, clock: Clock) -> None:
    """The same profile as by their id, asked for once in 60 s; that Slack knows none is an answer too."""
    slack.users["U1"] = person("U1")
    for _ in range(3):
        assert await directory.by_email("rev@example.org") == await directory.profile("U1")
        assert await directory.by_email("nobody@example.org") is None
    assert (slack.asked["rev@example.org"], slack.asked["nobody@example.org"]) == (1, 1)
    clock.now += 60
    slack.users["U1"] = person("U1", deleted=True)
    assert await directory.by_email("rev@example.org") is None


async def test_a_change_of_a_person_is_one_of_their_address(slack: Slack, directory: SlackDirectory) -> None:
    """Also where nobody had the address before; the addresses of others stay."""
    slack.users = {"U1": person("U1"), "U2": person("U2", profile={"email": "two@example.org"})}
    for address in ("rev@example.org", "new@example.org", "two@example.org"):
        await directory.by_email(address)
    slack.users["U1"] = person("U1", profile={"email": "new@example.org"})
    directory.forget("U1")
    assert await directory.by_email("rev@example.org") is None
    found = await directory.by_email("new@example.org")
    assert found is not None
    assert found.user_id == "U1"
    assert await directory.by_email("two@example.org") is not None
    assert slack.asked["two@example.org"] == 1


async def test_an_address_without_an_answer_is_nobody_known(slack: Slack, directory: SlackDirectory) -> None:
    """A missing scope or an outage is no answer: nothing may be recorded."""
    for error in ("missing_scope", "internal_error", "ratelimited"):
        slack.error = error
        with pytest.raises(DirectoryUnavailable):
            await directory.by_email("rev@example.org")


async def test_an_answer_under_way_when_the_change_is_reported_is_not_kept(
    slack: Slack, directory: SlackDirectory
) -> None:
    """An answer that Slack made before the change must not be believed after it."""
    slack.groups["S1"] = ["U1"]
    slack.gate.clear()
    early = asyncio.create_task(directory.group("S1"))
    await asyncio.wait_for(slack.arrived.wait(), 60)
    slack.groups["S1"] = ["U2"]
    directory.forget("S1")
    slack.gate.set()
    assert await early == {"U1"}
    assert await directory.group("S1") == {"U2"}


async def test_the_memory_is_bounded_and_the_oldest_answer_goes_first(slack: Slack, directories: Directories) -> None:
    """Clicking strangers cannot fill the memory."""
    directory = directories(capacity=2)
    for user_id in ("U1", "U2", "U3"):
        slack.users[user_id] = person(user_id)
        await directory.profile(user_id)
    await directory.profile("U3")
    await directory.profile("U2")
    assert slack.asked == {"U1": 1, "U2": 1, "U3": 1}
    await directory.profile("U1")
    assert slack.asked["U1"] == 2


async def test_closing_ends_the_questions_under_way(slack: Slack, directories: Directories) -> None:
    """A shutdown does not wait for Slack."""
    directory = directories(patience=0.05)
    slack.gate.clear()
    with pytest.raises(DirectoryUnavailable):
        await directory.group("S1")
    await asyncio.wait_for(directory.aclose(), 10)
