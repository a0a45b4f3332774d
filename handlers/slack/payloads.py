"""Slack's payloads as validated values, only the parts that the bot uses. The signature was verified before."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field
from slack_bolt.async_app import AsyncBoltRequest

from bot.service.decisions import Asker
from bot.service.people import SlackUser

Id = Annotated[str, Field(pattern=r"^[!-~]{1,100}$")]
"""A Slack id: printable ASCII only, so the database and the log can hold it."""


class Team(BaseModel):
    """A workspace."""

    id: Id


class User(BaseModel):
    """The person. For a member of another workspace, `team_id` is that workspace."""

    id: Id
    team_id: Id | None = None


class Channel(BaseModel):
    """The channel of the message."""

    id: Id


class Action(BaseModel):
    """The clicked element."""

    action_id: str
    value: str = ""


class Interaction(BaseModel):
    """The common part of a click and a submitted modal."""

    user: User
    team: Team | None = None
    trigger_id: str = ""

    @property
    def who(self) -> SlackUser:
        """The person and the workspace that they clicked in."""
        return SlackUser(self.user.id, self.user.team_id or (self.team.id if self.team else ""))


class ClickedView(BaseModel):
    """The modal or Home tab in which an element was clicked; `hash` is that of the content seen."""

    id: Id
    callback_id: str = ""
    hash: str = ""


class Click(Interaction):
    """A `block_actions` payload: from a message, or from a view."""

    actions: tuple[Action, ...] = Field(min_length=1)
    view: ClickedView | None = None
    channel: Channel | None = None
    response_url: str | None = None

    @property
    def value(self) -> str:
        """The clicked button's value."""
        return self.actions[0].value

    @property
    def channel_id(self) -> str:
        """The channel of the message, empty in a modal."""
        return self.channel.id if self.channel else ""


class Choice(BaseModel):
    """An option of a select."""

    value: str


class Input(BaseModel):
    """The value of one input of a modal."""

    value: str | None = None
    selected_option: Choice | None = None


class ViewState(BaseModel):
    """The inputs of a modal, by block id and action id."""

    values: dict[str, dict[str, Input]] = {}


class View(BaseModel):
    """A submitted modal."""

    callback_id: str
    private_metadata: str = ""
    state: ViewState = ViewState()

    def input(self, block_id: str, action_id: str) -> Input:
        """One input; empty if it is missing."""
        return self.state.values.get(block_id, {}).get(action_id, Input())


class Submission(Interaction):
    """A `view_submission` payload."""

    view: View


class Command(BaseModel):
    """A slash command."""

    user_id: Id
    team_id: Id | Literal[""] = ""
    channel_id: Id | Literal[""] = ""
    text: str = ""
    response_url: str | None = None

    @property
    def who(self) -> SlackUser:
        """The person and the workspace that they typed the command in."""
        return SlackUser(self.user_id, self.team_id)

    @classmethod
    def of(cls, body: Mapping[str, object]) -> Self:
        """Read a command's form."""
        return cls.model_validate(body)


class BodyKind(BaseModel):
    """The `type` of an event, and of every body except a command's."""

    type: str


class Happened(BaseModel):
    """An `event_callback`."""

    event: BodyKind


class ShownView(BaseModel):
    """A view that was submitted or closed."""

    type: Literal["modal", "home"]
    callback_id: str


class Shown(Interaction):
    """A `view_submission` or `view_closed`."""

    view: ShownView


class Challenge(BaseModel):
    """A `url_verification`."""

    challenge: str


class Typed(Command):
    """A slash command, with the name by which Bolt finds its listener."""

    command: str


SHAPES: Mapping[str, type[BaseModel]] = {
    "block_actions": Click,
    "view_submission": Shown,
    "view_closed": Shown,
    "event_callback": Happened,
    "url_verification": Challenge,
    "command": Typed,
}
"""The fields that Bolt needs in a body of each type to find its listener; it raises if they are missing."""


def kind_of(body: Mapping[str, object]) -> str | None:
    """The key of SHAPES for this body; None for Slack's other types. Raises ValidationError."""
    kind = "command" if "command" in body else BodyKind.model_validate(body).type
    shape = SHAPES.get(kind)
    if shape is None:
        return None
    shape.model_validate(body)
    return kind


def delivery(request: AsyncBoltRequest) -> bytes:
    """Identify this request: by its signature, which a replay repeats, or, over Socket Mode, by its body."""
    signature = request.headers.get("x-slack-signature", [""])[0]
    return hashlib.sha256((signature or json.dumps(request.body, sort_keys=True)).encode()).digest()


def asker(who: SlackUser, request: AsyncBoltRequest) -> Asker:
    """The person who asks, with this request's delivery."""
    return Asker(who, "slack", delivery(request))
