"""Asks Slack who people are and which user groups they are in, and caches the answers for at most 60 s.

Fails closed: without a cached answer, and without an answer from Slack in time, it raises DirectoryUnavailable.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.domain.people import DirectoryUnavailable, SlackProfile
from bot.integrations.errors import Permanent, VendorError
from bot.integrations.slack.client import Member, SlackClient

BELIEVED = 60.0
"""Seconds from the question for which an answer is valid: the promised limit."""

REFRESHED = 30.0
"""Age in seconds from which using an answer also refreshes it in the background."""

_PAUSE = 5.0
"""Seconds between failing background attempts: usergroups.users.list allows about 20 calls per minute."""

_NO_SUCH_USER = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
_NO_SUCH_GROUP = frozenset({"no_such_subteam", "subteam_disabled", "plan_upgrade_required"})

_SLACKBOT = "USLACKBOT"
"""Slack's own bot; users.info says `is_bot` false of it."""

_T = TypeVar("_T")


class SlackDirectory:
    """The Directory (`bot.domain.people`) that asks Slack.

    `team_id` returns our workspace; `clock` is monotonic, in seconds; `patience` limits one lookup, in seconds;
    `capacity` limits the cached people, and the cached groups.
    """

    def __init__(
        self,
        client: SlackClient,
        team_id: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
        *,
        patience: float = 1.2,
        capacity: int = 10_000,
    ) -> None:
        self._client = client
        self._team_id = team_id
        self._people = _Beliefs(self._ask_profile, clock, patience, capacity)
        self._addresses = _Beliefs(self._ask_address, clock, patience, capacity)
        self._groups = _Beliefs(self._ask_group, clock, patience, capacity)

    async def profile(self, user_id: str) -> SlackProfile | None:
        """The person, or None when Slack does not know them; raises DirectoryUnavailable."""
        return await self._people.get(user_id)

    async def by_email(self, address: str) -> SlackProfile | None:
        """The person with this address (lower case), or None when Slack knows none; raises DirectoryUnavailable."""
        return await self._addresses.get(address)

    async def group(self, group_id: str) -> frozenset[str]:
        """The user ids in a user group, empty if it is unknown or disabled; raises DirectoryUnavailable."""
        return await self._groups.get(group_id)

    def expect(self, person: str, groups: Iterable[str]) -> None:
        """Start to ask for what is not cached; `profile`, `by_email` and `group` wait for the answers."""
        (self._addresses if "@" in person else self._people).expect(person)
        for group_id in groups:
            self._groups.expect(group_id)

    def forget(self, changed_id: str) -> None:
        """Drop the cached answer for a user or user group that has changed."""
        self._people.forget(changed_id)
        self._addresses.forget_where(lambda person: person is None or person.user_id == changed_id)
        self._groups.forget(changed_id)

    async def aclose(self) -> None:
        """Stop every open question."""
        await self._people.aclose()
        await self._addresses.aclose()
        await self._groups.aclose()

    async def _ask_profile(self, user_id: str) -> SlackProfile | None:
        return await self._known(self._client.user(user_id))

    async def _ask_address(self, address: str) -> SlackProfile | None:
        return await self._known(self._client.user_by_email(address))

    async def _known(self, asked: Awaitable[Member]) -> SlackProfile | None:
        try:
            user = await asked
        except Permanent as failure:
            if failure.code in _NO_SUCH_USER:
                return None
            raise
        return _profile(user, self._team_id())

    async def _ask_group(self, group_id: str) -> frozenset[str]:
        try:
            return await self._client.group_members(group_id)
        except Permanent as failure:
            if failure.code in _NO_SUCH_GROUP:
                return frozenset()
            raise


def _profile(user: Member, own_team: str) -> SlackProfile:
    """The part of a user that a decision needs. Slack documents `team_id` as always present; if absent, it is ours."""
    profile = user.profile
    return SlackProfile(
        user_id=user.id,
        team_id=user.team_id or own_team,
        name=profile.real_name or user.real_name or profile.display_name or user.name or user.id,
        email=profile.email or None,
        handle=user.name or "",
        deleted=user.deleted,
        is_bot=user.is_bot or user.is_workflow_bot or user.is_connector_bot or user.id == _SLACKBOT,
        is_guest=user.is_restricted or user.is_ultra_restricted,
        is_stranger=user.is_stranger,
    )


@dataclass(slots=True)
class _Answer(Generic[_T]):
    value: _T
    asked_at: float
    refresh_at: float


class _Beliefs(Generic[_T]):
    """Answers by key, each valid for BELIEVED seconds from its question; one question per key at a time."""

    def __init__(
        self, ask: Callable[[str], Awaitable[_T]], clock: Callable[[], float], patience: float, capacity: int
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._patience = patience
        self._capacity = capacity
        self._answers: dict[str, _Answer[_T]] = {}
        self._asking: dict[str, asyncio.Task[_T]] = {}
        self._tasks: set[asyncio.Task[_T]] = set()

    def expect(self, key: str) -> None:
        if self._believed(key) is None:
            self._question(key)

    async def get(self, key: str) -> _T:
        answer = self._believed(key)
        if answer is not None:
            if self._clock() >= answer.refresh_at:
                self._question(key)
            return answer.value
        try:
            # The question continues when this caller gives up: the next caller may find the answer.
            return await asyncio.wait_for(asyncio.shield(self._question(key)), self._patience)
        except (VendorError, TimeoutError):
            pass
        raise DirectoryUnavailable("Slack did not answer")

    def forget(self, key: str) -> None:
        self._answers.pop(key, None)
        # An open question may get an answer from before the change: it is not cached.
        self._asking.pop(key, None)

    def forget_where(self, concerned: Callable[[_T], bool]) -> None:
        for key in [*self._asking, *(key for key, answer in self._answers.items() if concerned(answer.value))]:
            self.forget(key)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _believed(self, key: str) -> _Answer[_T] | None:
        answer = self._answers.get(key)
        return answer if answer is not None and self._clock() - answer.asked_at < BELIEVED else None

    def _question(self, key: str) -> asyncio.Task[_T]:
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask_and_remember(key))
            self._asking[key] = task
            self._tasks.add(task)
            task.add_done_callback(self._asked)
        return task

    def _asked(self, task: asyncio.Task[_T]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieve it, because nobody waits for a background question

    async def _ask_and_remember(self, key: str) -> _T:
        this = asyncio.current_task()
        asked_at = self._clock()
        try:
            value = await self._ask(key)
        except VendorError:
            if (answer := self._answers.get(key)) is not None:
                answer.refresh_at = self._clock() + _PAUSE
            raise
        else:
            if self._asking.get(key) is this:
                self._remember(key, _Answer(value, asked_at, asked_at + REFRESHED))
            return value
        finally:
            if self._asking.get(key) is this:
                del self._asking[key]

    def _remember(self, key: str, answer: _Answer[_T]) -> None:
        self._answers.pop(key, None)
        self._answers[key] = answer
        if len(self._answers) > self._capacity:
            del self._answers[next(iter(self._answers))]
