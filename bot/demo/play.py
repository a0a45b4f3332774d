"""The headless demo: reviewers act in the Slack stand-in over signed HTTP, and each line printed was seen to happen."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.app.process import Bot
from bot.sandbox.github import GitHubSandbox, Pull
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.model import Message
from bot.sandbox.slack.views import View

T = TypeVar("T")

WAIT_SECONDS = 20.0
REVIEW, INCIDENTS = "vuln-review", "incidents"


class DemoFailed(Exception):
    """A step did not have its effect; the message says which."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the demo runs, and the token of its one API client."""

    slack: SlackSandbox
    github: GitHubSandbox
    bot: Bot
    api_token: str
    page: str

    @property
    def bot_url(self) -> str:
        """Where the bot listens."""
        return f"http://127.0.0.1:{self.bot.port}"


async def play(stage: Stage) -> None:
    """Play every step in order; raises DemoFailed at the first without its effect."""
    actors = Actors(stage)
    await actors.cards_arrive()
    await actors.one_approval_opens_a_pull_request()
    await actors.what_becomes_of_it_comes_back()
    await actors.a_critical_one_needs_two()
    await actors.a_rejection_says_why()
    await actors.an_escalation_is_heard()
    await actors.an_outsider_is_refused()
    await actors.a_double_click_counts_once()


@dataclass(frozen=True, slots=True)
class Actors:
    """The people of the stand-in, and what they do."""

    stage: Stage

    async def cards_arrive(self) -> None:
        """Every sample has its card."""
        wanted = 13
        cards = await self._seen(
            "a card for every APV", lambda: self._cards() if len(self._cards()) == wanted else None
        )
        print(f"#{REVIEW}: {len(cards)} cards posted, one per APV, the most urgent first:")
        for card in cards[:3]:
            print(f"    {card.text}")

    async def one_approval_opens_a_pull_request(self) -> None:
        """One approval is enough for anything but a critical one."""
        code = self._code("requests")
        await self._acknowledged("alice", code, "Approve")
        print(f"alice approved {code} with one click.")
        self._tell(await self._pull(code))
        await self._card_says(code, "#1")

    async def what_becomes_of_it_comes_back(self) -> None:
        """Checks and the merge, by GitHub's webhooks, on the card."""
        github = self.stage.github
        pull = github.pulls()[0]
        code = pull.head_ref.removeprefix("apv/").rpartition("-")[0]
        await github.set_check(pull.head_sha, "tests")
        await self._card_says(code, "checks are running")
        await github.set_check(pull.head_sha, "tests", "success")
        await self._card_says(code, "all checks passed")
        await github.merge_pull(pull.number, by="mia")
        await self._card_says(code, "merged")
        await self._thread_says(code, f"#{pull.number} was merged into main by mia")
        print(f"GitHub: the checks of #{pull.number} ran and passed, mia merged it; {code}'s card followed each step.")

    async def a_critical_one_needs_two(self) -> None:
        """Two distinct people for a critical one."""
        code = self._code("pyyaml")
        await self._acknowledged("alice", code, "Approve")
        await self._card_says(code, "1 of 2 approvals")
        print(f"alice approved {code}, which is critical: its card says “1 of 2 approvals”.")
        await self._acknowledged("bob", code, "Approve")
        print(f"bob approved {code} too: 2 of 2.")
        self._tell(await self._pull(code))

    async def a_rejection_says_why(self) -> None:
        """Too short a justification is refused in the form; a good one closes the review."""
        code = self._code("urllib3")
        view = await self._form("bob", code, "Reject")
        slack = self.stage.slack
        await slack.submit_view("bob", view.id, {"Reason": "Other", "Justification": "no"}, enforce=False)
        error = next(iter(view.errors.values()), "")
        self._must(bool(error), "a too short justification was not refused")
        print(f"bob tried to reject {code} with “no” and was told: {error}")
        why = "The shop pins urllib3 through requests; this bump alone breaks the build."
        reason = {"Reason": "Breaks the build or tests", "Justification": why}
        self._must((await slack.submit_view("bob", view.id, reason)).ok, "the rejection was not taken")
        await self._card_says(code, "rejected")
        await self._thread_says(code, why)
        print(f"bob rejected {code}; its thread keeps the reason.")

    async def an_escalation_is_heard(self) -> None:
        """The incident channel hears of it, and a lead closes it."""
        code = self._code("werkzeug")
        view = await self._form("alice", code, "Escalate")
        why = "The wargame was inconclusive; I want a lead to weigh the risk."
        values = {"Reason": "Needs a lead's judgement", "Justification": why}
        self._must((await self.stage.slack.submit_view("alice", view.id, values)).ok, "the escalation was not taken")
        alert = await self._seen(
            "an alert about the escalation",
            lambda: next(
                (m for m in self._messages(INCIDENTS) if code in m.words and "lead is needed" in m.words), None
            ),
        )
        print(f"alice escalated {code}; #{INCIDENTS} heard: {alert.text[:90]}…")
        await self._acknowledged("carol", code, "Approve")
        print(f"carol, a lead, approved {code}.")
        self._tell(await self._pull(code))

    async def an_outsider_is_refused(self) -> None:
        """Privately, with the reason, and nothing changes."""
        code, slack = self._code("flask"), self.stage.slack
        before = len(slack.ephemerals("olga"))
        await self._click("olga", code, "Approve")
        told = await self._seen("a private refusal", lambda: slack.ephemerals("olga")[before:])
        print(f"olga, no reviewer, clicked Approve on {code} and was told privately: {told[0].text}")

    async def a_double_click_counts_once(self) -> None:
        """Two clicks of one person at once are one vote."""
        code, slack = self._code("pyyaml"), self.stage.slack
        first, second = await asyncio.gather(self._click("bob", code, "Approve"), self._click("bob", code, "Approve"))
        self._must(first.ok and second.ok, "a click was not acknowledged")
        await self._card_says(code, "1 of 2 approvals")
        told = await self._seen("a private word about the second click", lambda: slack.ephemerals("bob"))
        print(f"bob double-clicked Approve on {code}: counted once; privately: {told[-1].text}")

    # -- what the steps are made of ---------------------------------------------------------------------------

    def _messages(self, channel: str) -> list[Message]:
        return self.stage.slack.messages(channel)

    def _cards(self) -> list[Message]:
        return [m for m in self._messages(REVIEW) if m.buttons]

    def _code(self, package: str) -> str:
        """The code of the first card that is about this package and awaits a decision."""
        for card in self._cards():
            if f" {package} " in f" {card.text} " and "Approve" in card.buttons:
                return next(word.strip(":,.") for word in card.text.split() if word.startswith("APV-"))
        raise DemoFailed(f"there is no card about {package}")

    def _card(self, code: str) -> Message:
        return next(m for m in self._messages(REVIEW) if code in m.text and m.thread_ts in (None, m.ts))

    async def _click(self, person: str, code: str, button: str) -> Delivery:
        return await self.stage.slack.click(person, REVIEW, self._card(code).ts, text=button)

    async def _acknowledged(self, person: str, code: str, button: str) -> None:
        delivery = await self._click(person, code, button)
        self._must(delivery.ok, f"{person}'s click on {button} of {code} was not acknowledged")

    async def _form(self, person: str, code: str, button: str) -> View:
        await self._acknowledged(person, code, button)
        views = await self._seen(f"the {button} form", lambda: self.stage.slack.open_views(person))
        return views[-1]

    async def _pull(self, code: str) -> Pull:
        github = self.stage.github
        return await self._seen(
            f"a pull request for {code}", lambda: next((p for p in github.pulls() if f"/{code}-" in p.head_ref), None)
        )

    def _tell(self, pull: Pull) -> None:
        stat = [line.strip() for line in self.stage.github.diffstat(pull).splitlines() if line.strip()]
        print(f"GitHub: pull request #{pull.number}, branch {pull.head_ref}: {pull.title}")
        for line in stat:
            print(f"    {line}")

    async def _card_says(self, code: str, words: str) -> None:
        await self._seen(
            f"“{words}” on the card of {code}", lambda: words.casefold() in self._card(code).words.casefold()
        )

    async def _thread_says(self, code: str, words: str) -> None:
        slack = self.stage.slack
        await self._seen(
            f"“{words}” in the thread of {code}",
            lambda: any(words in reply.words for reply in slack.thread(REVIEW, self._card(code).ts)),
        )

    async def _seen(self, what: str, look: Callable[[], T | None]) -> T:
        """The first true value that `look` returns."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not (found := look()):  # noqa: ASYNC110 - two stand-ins change independently
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise DemoFailed(f"{what} was not seen within {WAIT_SECONDS:.0f} s") from None
        return found

    def _must(self, held: bool, otherwise: str) -> None:
        if not held:
            raise DemoFailed(otherwise)
