"""The Block Kit objects that the bot uses, as typed dicts, and one short constructor for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired, TypeAlias, TypedDict

from bot.blocks.text import plain


class PlainText(TypedDict):
    """Text without markup."""

    type: Literal["plain_text"]
    text: str
    emoji: bool


class Mrkdwn(TypedDict):
    """Text with Slack's markup."""

    type: Literal["mrkdwn"]
    text: str
    verbatim: bool


TextObject: TypeAlias = PlainText | Mrkdwn


class Confirm(TypedDict):
    """A confirm dialog: Slack asks it before a click is sent."""

    title: PlainText
    text: PlainText
    confirm: PlainText
    deny: PlainText
    style: Literal["primary", "danger"]


class Button(TypedDict):
    """A button; with `url` it opens that address."""

    type: Literal["button"]
    action_id: str
    text: PlainText
    accessibility_label: str
    value: NotRequired[str]
    url: NotRequired[str]
    style: NotRequired[Literal["primary", "danger"]]
    confirm: NotRequired[Confirm]


class Option(TypedDict):
    """One choice of a select."""

    text: PlainText
    value: str


class StaticSelect(TypedDict):
    """A select menu with a fixed list of options."""

    type: Literal["static_select"]
    action_id: str
    placeholder: PlainText
    options: list[Option]


class TextInput(TypedDict):
    """A text field."""

    type: Literal["plain_text_input"]
    action_id: str
    multiline: bool
    min_length: int
    max_length: int


class Header(TypedDict):
    """Large bold text."""

    type: Literal["header"]
    text: PlainText


class Section(TypedDict):
    """A paragraph, or fields in two columns."""

    type: Literal["section"]
    text: NotRequired[TextObject]
    fields: NotRequired[list[TextObject]]


class Context(TypedDict):
    """Small print."""

    type: Literal["context"]
    elements: list[TextObject]


class Divider(TypedDict):
    """A line."""

    type: Literal["divider"]


class Actions(TypedDict):
    """A row of buttons."""

    type: Literal["actions"]
    elements: list[Button]


class Input(TypedDict):
    """A field of a modal's form."""

    type: Literal["input"]
    block_id: str
    label: PlainText
    element: StaticSelect | TextInput
    hint: NotRequired[PlainText]


class RichTextLeaf(TypedDict):
    """Characters that Slack shows as they are."""

    type: Literal["text"]
    text: str


class Preformatted(TypedDict):
    """A block of code."""

    type: Literal["rich_text_preformatted"]
    elements: list[RichTextLeaf]


class RichText(TypedDict):
    """Rich text; used only for code, where it keeps untrusted text inert."""

    type: Literal["rich_text"]
    elements: list[Preformatted]


Block: TypeAlias = Header | Section | Context | Divider | Actions | Input | RichText


class View(TypedDict):
    """A modal."""

    type: Literal["modal"]
    callback_id: str
    title: PlainText
    close: PlainText
    submit: NotRequired[PlainText]
    private_metadata: NotRequired[str]
    blocks: list[Block]


class Home(TypedDict):
    """A person's Home tab."""

    type: Literal["home"]
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Message:
    """A message to post, update or answer with; screen readers read `text`."""

    text: str
    blocks: list[Block]


def plain_text(text: str, limit: int = 3000) -> PlainText:
    """Plain text, possibly untrusted. `emoji: false` keeps `:tada:` from becoming an emoji."""
    return {"type": "plain_text", "text": plain(text, limit), "emoji": False}


def markup(text: str) -> Mrkdwn:
    """Finished mrkdwn. `verbatim` stops Slack from turning plain URLs, channel names and user names into links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def header(text: str) -> Header:
    """Large bold text, as plain text."""
    return {"type": "header", "text": plain_text(text, 150)}


def section(text: str) -> Section:
    """A paragraph of finished mrkdwn."""
    return {"type": "section", "text": markup(text)}


def fields(texts: Sequence[str]) -> Section:
    """Finished mrkdwn in two columns."""
    return {"type": "section", "fields": [markup(text) for text in texts]}


def context(*texts: TextObject) -> Context:
    """Small print."""
    return {"type": "context", "elements": list(texts)}


def divider() -> Divider:
    """A line."""
    return {"type": "divider"}


def code(text: str) -> RichText:
    """`text` as code, character for character."""
    leaf: RichTextLeaf = {"type": "text", "text": text}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [leaf]}]}


def button(
    action_id: str,
    label: str,
    spoken: str,
    *,
    value: str | None = None,
    url: str | None = None,
    style: Literal["primary", "danger"] | None = None,
    confirm: Confirm | None = None,
) -> Button:
    """A button; a screen reader says `spoken` instead of `label`."""
    made: Button = {
        "type": "button",
        "action_id": action_id,
        "text": plain_text(label, 75),
        "accessibility_label": plain(spoken, 75),
    }
    if value is not None:
        made["value"] = value
    if url is not None:
        made["url"] = url
    if style is not None:
        made["style"] = style
    if confirm is not None:
        made["confirm"] = confirm
    return made


def actions(buttons: Sequence[Button]) -> Actions:
    """A row of buttons."""
    return {"type": "actions", "elements": list(buttons)}


def select(action_id: str, placeholder: str, options: Mapping[str, str]) -> StaticSelect:
    """A select menu of `options`: value -> words."""
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain_text(placeholder, 150),
        "options": [{"text": plain_text(words, 75), "value": value} for value, words in options.items()],
    }
