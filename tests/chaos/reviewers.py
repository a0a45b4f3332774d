"""The people: they submit, wait for the card, and click until it is acknowledged. They keep a ledger."""

import asyncio
import re
from collections import defaultdict
from dataclasses import dataclass, field

import aiohttp

from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.form import CannotActError
from bot.sandbox.slack.model import Message
from tests.chaos.plan import WHY, Act, Story
from tests.harness import World

CODE = re.compile(r"APV-\d{4}-\d+")
AGAIN_SECONDS = 0.3
"""What somebody waits before they click again."""
VERBS = {"Approve": "approve", "Reject": "reject", "Escalate": "escalate"}


@dataclass(frozen=True, slots=True)
class Click:
    """A decision that somebody wanted recorded."""

    code: str
    person: str
    """Their Slack id."""
    decision: str


@dataclass
class Board:
    """The review channel, each message read once: code to cards."""

    world: World
    cards: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    _read: int = 0

    def find(self, code: str) -> Message | None:
        """The first card of a review, once there is one."""
        messages = self.world.slack.channel("vuln-review").messages
        for message in messages[self._read :]:
            if message.thread_ts in (None, message.ts) and (found := CODE.search(message.words)):
                self.cards[found[0]].append(message)
        self._read = len(messages)
        return next(iter(self.cards.get(code, [])), None)


@dataclass
class Reviewers:
    """Everybody, each doing one thing at a time."""

    world: World
    board: Board
    codes: dict[str, str] = field(default_factory=dict)
    """The code of each submitted package."""
    acknowledged: set[Click] = field(default_factory=set)
    attempted: set[Click] = field(default_factory=set)
    refused: int = 0
    """Clicks that were not acknowledged, and so were repeated."""
    done: int = 0
    progress: int = 0
    """Submissions and clicks acknowledged so far."""
    _busy: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def live(self, story: Story) -> None:
        """Submit one APV and bring it to its end."""
        code = self.codes[story.package] = await self._submit(story)
        while self.board.find(code) is None:  # noqa: ASYNC110 - the stand-in's own event is told of every change
            await asyncio.sleep(0.05)
        for act in story.acts:
            async with self._busy[act.person]:
                await self._act(code, act)
        self.done += 1

    async def _submit(self, story: Story) -> str:
        while True:
            try:
                async with self.world.http.post(f"{self.world.url}/hitl/reviews", json=story.apv) as answer:
                    if answer.status in {200, 201}:
                        code: str = (await answer.json())["apv_code"]
                        self.progress += 1
                        return code
                    assert answer.status >= 500, f"{answer.status}: {await answer.text()}"
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(AGAIN_SECONDS)

    async def _act(self, code: str, act: Act) -> None:
        click = Click(code, self.world.slack.user(act.person).id, VERBS[act.button])
        self.attempted.add(click)
        how = self._approve if act.button == "Approve" else self._with_reason
        while True:
            try:
                if await how(code, act):
                    self.acknowledged.add(click)
                    self.progress += 1
                    return
            except CannotActError:
                if self._is_over(code, act):
                    # An earlier click was recorded after all, though nobody could say so; the card shows it.
                    return
            self.refused += 1
            await asyncio.sleep(AGAIN_SECONDS)

    def _is_over(self, code: str, act: Act) -> bool:
        card = self.board.find(code)
        assert card is not None
        return act.button not in card.buttons

    async def _press(self, code: str, act: Act) -> Delivery:
        card = self.board.find(code)
        assert card is not None
        return await self.world.slack.click(act.person, card.channel, card.ts, text=act.button)

    async def _approve(self, code: str, act: Act) -> bool:
        return (await self._press(code, act)).ok

    async def _with_reason(self, code: str, act: Act) -> bool:
        slack = self.world.slack
        for view in slack.open_views(act.person):
            await slack.close_view(act.person, view.id, all_of_them=True)
        if not (await self._press(code, act)).ok or not slack.open_views(act.person):
            return False
        view = slack.open_views(act.person)[-1]
        entered = {"Reason": "Other", "Justification": WHY}
        delivery = await slack.submit_view(act.person, view.id, entered)
        told = delivery.body if isinstance(delivery.body, dict) else {}
        return delivery.ok and told.get("response_action") not in {"errors", "update"}
