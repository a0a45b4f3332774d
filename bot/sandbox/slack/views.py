"""Views: modals in their stacks, each person's Home tab, and the trigger ids and response URLs around them.

A trigger id opens one view within three seconds. A response URL takes five posts within thirty minutes.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.sandbox.slack import limits
from bot.sandbox.slack.blockkit import elements_of, visible_texts
from bot.sandbox.slack.wire import Json, SlackError, SlackIds

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 30 * 60.0
RESPONSE_URL_USES = 5


@dataclass(slots=True)
class View:
    """A modal or Home tab as one person sees it."""

    id: str
    user: str
    content: Json
    """As the app sent it, with every id."""
    hash: str
    root_id: str
    previous_id: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    """The error shown under each input, by block_id."""
    trouble: str | None = None
    """The message after a failed click or submission: "We had some trouble connecting. Try again?"."""
    chosen: dict[tuple[str, str], object] = field(default_factory=dict)
    """The person's entries, by block_id and action_id; kept when the submission is refused."""

    @property
    def title(self) -> str:
        """The modal's title."""
        title = self.content.get("title")
        return str(title["text"]) if title else ""

    @property
    def blocks(self) -> list[Json]:
        """The blocks."""
        blocks: list[Json] = self.content["blocks"]
        return blocks

    @property
    def words(self) -> str:
        """Every text in it, one per line."""
        return "\n".join([self.title, *visible_texts(self.blocks)])

    @property
    def labels(self) -> list[str]:
        """The labels of its inputs, in order."""
        return [block["label"]["text"] for block in self.blocks if block["type"] == "input"]

    @property
    def buttons(self) -> list[str]:
        """The texts of its buttons, in order, without submit and close."""
        found = (element for block in self.blocks for element in elements_of(block))
        return [element["text"]["text"] for element in found if element["type"] == "button"]


class ViewStore:
    """Everyone's open modals, oldest first, and Home tabs."""

    def __init__(self, ids: SlackIds) -> None:
        self._ids = ids
        self._open: dict[str, View] = {}
        self._homes: dict[str, View] = {}

    def opened_by(self, user: str) -> list[View]:
        """Return a person's open modals; the last one is on top."""
        return [view for view in self._open.values() if view.user == user]

    def home(self, user: str) -> View | None:
        """Return a person's Home tab, once published."""
        return self._homes.get(user)

    def shown_to(self, user: str) -> list[View]:
        """Return a person's Home tab, if published, and open modals."""
        home = self._homes.get(user)
        return [*([home] if home else []), *self.opened_by(user)]

    def get(self, view_id: str) -> View | None:
        """Return an open modal or a Home tab by id."""
        return self._open.get(view_id) or next((home for home in self._homes.values() if home.id == view_id), None)

    def by_external_id(self, external_id: str) -> View | None:
        """Return an open modal by the id that the app gave it."""
        return next((view for view in self._open.values() if view.content.get("external_id") == external_id), None)

    def open(self, user: str, content: Json, onto: View | None = None) -> View:
        """Open a modal, alone or on top of `onto`. Raises SlackError."""
        self._refuse_duplicate(content, None)
        if onto is not None and len(self._stack(onto.root_id)) >= limits.VIEWS_IN_STACK:
            raise SlackError("push_limit_reached")
        view_id = self._ids.make("V")
        view = View(view_id, user, content, _hash(), onto.root_id if onto else view_id, onto.id if onto else None)
        self._open[view_id] = view
        return view

    def replace(self, view: View, content: Json) -> None:
        """Replace the content of an open view. Entries stay where block_id and action_id stay."""
        self._refuse_duplicate(content, view)
        view.content = content
        view.hash = _hash()
        view.errors = {}
        view.trouble = None
        kept = {(block["block_id"], element["action_id"]) for block in view.blocks for element in elements_of(block)}
        view.chosen = {key: value for key, value in view.chosen.items() if key in kept}

    def publish(self, user: str, content: Json) -> View:
        """Show a Home tab."""
        if (home := self._homes.get(user)) is not None:
            self.replace(home, content)
            return home
        view_id = self._ids.make("V")
        self._homes[user] = View(view_id, user, content, _hash(), view_id)
        return self._homes[user]

    def close(self, view: View) -> None:
        """Close one modal; the one below it is shown again."""
        self._open.pop(view.id, None)

    def clear(self, view: View) -> None:
        """Close a modal and its whole stack."""
        for stacked in self._stack(view.root_id):
            self.close(stacked)

    def _stack(self, root_id: str) -> list[View]:
        return [view for view in self._open.values() if view.root_id == root_id]

    def _refuse_duplicate(self, content: Json, but: View | None) -> None:
        external_id = content.get("external_id")
        if external_id and self.by_external_id(external_id) not in (None, but):
            raise SlackError("duplicate_external_id")


@dataclass(slots=True)
class _Trigger:
    user: str
    view_id: str | None
    ends: float
    used: bool = False


class Triggers:
    """Trigger ids: one use, three seconds by `clock` (seconds, monotonic)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._given: dict[str, _Trigger] = {}

    def give(self, user: str, view_id: str | None = None) -> str:
        """Return a new trigger id for an action of `user`, in a view or elsewhere."""
        trigger_id = f"{len(self._given) + 1}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._given[trigger_id] = _Trigger(user, view_id, self._clock() + TRIGGER_SECONDS)
        return trigger_id

    def check(self, trigger_id: str) -> tuple[str, str | None]:
        """Return who acted and in which view; raises SlackError."""
        trigger = self._given.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._clock() > trigger.ends:
            raise SlackError("expired_trigger_id")
        return trigger.user, trigger.view_id

    def use_up(self, trigger_id: str) -> None:
        """Mark a checked trigger id as used."""
        self._given[trigger_id].used = True


@dataclass(slots=True)
class ResponseTarget:
    """The target of a response URL: a person and a channel, and the message it came from, if any."""

    user: str
    channel: str
    message_ts: str | None
    thread_ts: str | None
    ends: float
    uses: int = 0


class ResponseUrls:
    """Response URLs by their secret token: five uses, thirty minutes by `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._given: dict[str, ResponseTarget] = {}

    def give(self, user: str, channel: str, message_ts: str | None = None, thread_ts: str | None = None) -> str:
        """Return the token of a new response URL."""
        token = secrets.token_urlsafe(18)
        self._given[token] = ResponseTarget(user, channel, message_ts, thread_ts, self._clock() + RESPONSE_URL_SECONDS)
        return token

    def use(self, token: str) -> ResponseTarget:
        """Count one use. Raises SlackError."""
        target = self._given.get(token)
        if target is None or self._clock() > target.ends:
            raise SlackError("expired_url")
        if target.uses >= RESPONSE_URL_USES:
            raise SlackError("used_url")
        target.uses += 1
        return target


def _hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}"
