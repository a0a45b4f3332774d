"""Slack's payloads as values: the parts that the bot uses, checked. The signature has been verified before."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field
from slack_bolt.async_app import AsyncBoltRequest

from bot.service.decisions import Asker
from bot.service.people import SlackUser

Id = Annotated[str, Field(pattern=r"^[!-~]{1,100}$")]
"""An id of Slack's: never anything that a database or a log could not hold."""


class Team(BaseModel):
    """A workspace."""

    id: Id


class User(BaseModel):
    """Who did it. A person of another workspace carries that workspace's id."""

    id: Id
    team_id: Id | None = None


class Channel(BaseModel):
    """Where it was done."""

    id: Id


class Action(BaseModel):
    """What was clicked."""

    action_id: str
    value: str = ""


class Interaction(BaseModel):
    """What a click and a submitted modal share."""

    user: User
    team: Team | None = None
    trigger_id: str = ""

    @property
    def who(self) -> SlackUser:
        """The person and the workspace that they clicked in."""
        return SlackUser(self.user.id, self.user.team_id or (self.team.id if self.team else ""))


class Click(Interaction):
    """A `block_actions` payload."""

    actions: tuple[Action, ...] = Field(min_length=1)
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
    """What stands in one input of a modal."""

    value: str | None = None
    selected_option: Choice | None = None


class ViewState(BaseModel):
    """What stands in a modal: block id, action id, input."""

    values: dict[str, dict[str, Input]] = {}


class View(BaseModel):
    """A submitted modal."""

    callback_id: str
    private_metadata: str = ""
    state: ViewState = ViewState()

    def input(self, block_id: str, action_id: str) -> Input:
        """One input; an empty one when it is not there."""
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
        """The person and the workspace that they typed in."""
        return SlackUser(self.user_id, self.team_id)

    @classmethod
    def of(cls, body: Mapping[str, object]) -> Self:
        """Read a command's form."""
        return cls.model_validate(body)


class BodyKind(BaseModel):
    """What every body but a command's has, and every event."""

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
    """A slash command on its way to its listener."""

    command: str


SHAPES: Mapping[str, type[BaseModel]] = {
    "block_actions": Click,
    "view_submission": Shown,
    "view_closed": Shown,
    "event_callback": Happened,
    "url_verification": Challenge,
    "command": Typed,
}
"""What a body of each type needs for Bolt to find its listener; on anything else Bolt raises."""


def is_known(body: Mapping[str, object]) -> bool:
    """Whether a listener may exist; False for Slack's other types. Raises ValidationError."""
    kind = "command" if "command" in body else BodyKind.model_validate(body).type
    shape = SHAPES.get(kind)
    if shape is not None:
        shape.model_validate(body)
    return shape is not None


def delivery(request: AsyncBoltRequest) -> bytes:
    """Identify this request: by its signature, which a replay repeats; over a socket, which has none, by its body."""
    signature = request.headers.get("x-slack-signature", [""])[0]
    return hashlib.sha256((signature or json.dumps(request.body, sort_keys=True)).encode()).digest()


def asker(who: SlackUser, request: AsyncBoltRequest) -> Asker:
    """Who asks, by this very request."""
    return Asker(who, "slack", delivery(request))
