"""Block Kit's elements and small objects (text, option, confirm dialog) as rules; sizes come from `limits`.

Only what a stand-in can also act out is accepted: another element type is refused like a misspelt one.
"""

from bot.sandbox.slack import limits
from bot.sandbox.slack.shapes import (
    Problems,
    Shape,
    array,
    at_least_one,
    boolean,
    every,
    exactly_one,
    integer,
    matching,
    one_of,
    record,
    text,
    url,
    variant,
)


def plain_text(most: int) -> Shape:
    """A plain_text object."""
    return record({"type": one_of("plain_text"), "text": text(most)}, {"emoji": boolean})


def mrkdwn(most: int) -> Shape:
    """A mrkdwn object."""
    return record({"type": one_of("mrkdwn"), "text": text(most)}, {"verbatim": boolean})


def any_text(most: int) -> Shape:
    """A text object of either kind."""
    return variant({"plain_text": plain_text(most), "mrkdwn": mrkdwn(most)})


def _ordered_lengths(value: object, where: str, problems: Problems) -> None:
    if not isinstance(value, dict):
        return
    least, most = value.get("min_length"), value.get("max_length")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        problems.add(where, "min_length must not be more than max_length")


def _initial_is_an_option(value: object, where: str, problems: Problems) -> None:
    if not isinstance(value, dict):
        return
    offered = [*_listed(value.get("options"))]
    for group in _listed(value.get("option_groups")):
        offered += _listed(group.get("options") if isinstance(group, dict) else None)
    chosen = [value["initial_option"]] if "initial_option" in value else []
    for option in [*chosen, *_listed(value.get("initial_options"))]:
        if option not in offered:
            problems.add(where, "initial option must match one of the options")


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


CONFIRM = record(
    {
        "title": plain_text(limits.CONFIRM_TITLE),
        "text": any_text(limits.CONFIRM_TEXT),
        "confirm": plain_text(limits.CONFIRM_BUTTON),
        "deny": plain_text(limits.CONFIRM_BUTTON),
    },
    {"style": one_of("primary", "danger")},
)

ACTION_ID = {"action_id": text(limits.ACTION_ID)}
FOCUS = {"focus_on_load": boolean}
PLACEHOLDER = {"placeholder": plain_text(limits.PLACEHOLDER)}


def _option(label: Shape, **more: Shape) -> Shape:
    return record(
        {"text": label, "value": text(limits.OPTION_VALUE)},
        {"description": plain_text(limits.OPTION_DESCRIPTION), **more},
    )


_OPTION = _option(plain_text(limits.OPTION_TEXT))
_RICH_OPTION = record(
    {"text": any_text(limits.OPTION_TEXT), "value": text(limits.OPTION_VALUE)},
    {"description": any_text(limits.OPTION_DESCRIPTION)},
)
_OPTION_GROUP = record(
    {"label": plain_text(limits.GROUP_LABEL), "options": array(_OPTION, limits.SELECT_OPTIONS)},
)

BUTTON = record(
    {"type": one_of("button"), "text": plain_text(limits.BUTTON_TEXT)},
    {
        **ACTION_ID,
        "value": text(limits.BUTTON_VALUE),
        "url": url(limits.BUTTON_URL),
        "style": one_of("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": text(limits.BUTTON_ACCESSIBILITY_LABEL),
    },
)

OVERFLOW = record(
    {
        "type": one_of("overflow"),
        "options": array(_option(plain_text(limits.OPTION_TEXT), url=url(limits.OPTION_URL)), limits.OVERFLOW_OPTIONS),
    },
    {**ACTION_ID, "confirm": CONFIRM},
)


def _select(kind: str, initial: dict[str, Shape]) -> Shape:
    return every(
        record(
            {"type": one_of(kind)},
            {
                "options": array(_OPTION, limits.SELECT_OPTIONS),
                "option_groups": array(_OPTION_GROUP, limits.SELECT_GROUPS),
                "confirm": CONFIRM,
                **initial,
                **ACTION_ID,
                **FOCUS,
                **PLACEHOLDER,
            },
        ),
        exactly_one("options", "option_groups"),
        _initial_is_an_option,
    )


STATIC_SELECT = _select("static_select", {"initial_option": _OPTION})
MULTI_STATIC_SELECT = _select(
    "multi_static_select",
    {
        "initial_options": array(_OPTION, limits.SELECT_OPTIONS),
        "max_selected_items": integer(1, limits.SELECT_OPTIONS),
    },
)


def _choices(kind: str, initial: dict[str, Shape]) -> Shape:
    return every(
        record(
            {"type": one_of(kind), "options": array(_RICH_OPTION, limits.CHOICES)},
            {**ACTION_ID, **FOCUS, "confirm": CONFIRM, **initial},
        ),
        _initial_is_an_option,
    )


RADIO_BUTTONS = _choices("radio_buttons", {"initial_option": _RICH_OPTION})
CHECKBOXES = _choices("checkboxes", {"initial_options": array(_RICH_OPTION, limits.CHOICES)})

USERS_SELECT = record(
    {"type": one_of("users_select")},
    {**ACTION_ID, **FOCUS, **PLACEHOLDER, "initial_user": text(255), "confirm": CONFIRM},
)

DATEPICKER = record(
    {"type": one_of("datepicker")},
    {
        **ACTION_ID,
        **FOCUS,
        **PLACEHOLDER,
        "initial_date": matching(r"\d{4}-\d{2}-\d{2}", "a date as YYYY-MM-DD"),
        "confirm": CONFIRM,
    },
)

_DISPATCH = record(
    {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 2)},
)

PLAIN_TEXT_INPUT = every(
    record(
        {"type": one_of("plain_text_input")},
        {
            **ACTION_ID,
            **FOCUS,
            **PLACEHOLDER,
            "initial_value": text(limits.INPUT_TEXT, least=0),
            "multiline": boolean,
            "min_length": integer(0, limits.INPUT_TEXT),
            "max_length": integer(1, limits.INPUT_TEXT),
            "dispatch_action_config": _DISPATCH,
        },
    ),
    _ordered_lengths,
)

_NUMBER = matching(r"-?\d+(\.\d+)?", "a number written as a string")

NUMBER_INPUT = record(
    {"type": one_of("number_input"), "is_decimal_allowed": boolean},
    {
        **ACTION_ID,
        **FOCUS,
        **PLACEHOLDER,
        "initial_value": _NUMBER,
        "min_value": _NUMBER,
        "max_value": _NUMBER,
        "dispatch_action_config": _DISPATCH,
    },
)

_SLACK_FILE = every(record({}, {"id": text(255), "url": url(limits.IMAGE_URL)}), exactly_one("id", "url"))

IMAGE_SOURCE = {"image_url": url(limits.IMAGE_URL), "slack_file": _SLACK_FILE}

IMAGE = every(
    record({"type": one_of("image"), "alt_text": text(limits.IMAGE_ALT_TEXT)}, IMAGE_SOURCE),
    exactly_one("image_url", "slack_file"),
)

INTERACTIVE: dict[str, Shape] = {
    "button": BUTTON,
    "checkboxes": CHECKBOXES,
    "datepicker": DATEPICKER,
    "overflow": OVERFLOW,
    "radio_buttons": RADIO_BUTTONS,
    "static_select": STATIC_SELECT,
    "users_select": USERS_SELECT,
}
"""The elements of an actions block."""

ACCESSORY: dict[str, Shape] = {**INTERACTIVE, "image": IMAGE, "multi_static_select": MULTI_STATIC_SELECT}
"""The accessories of a section."""

INPUT: dict[str, Shape] = {
    "checkboxes": CHECKBOXES,
    "datepicker": DATEPICKER,
    "multi_static_select": MULTI_STATIC_SELECT,
    "number_input": NUMBER_INPUT,
    "plain_text_input": PLAIN_TEXT_INPUT,
    "radio_buttons": RADIO_BUTTONS,
    "static_select": STATIC_SELECT,
    "users_select": USERS_SELECT,
}
"""The elements of an input block."""

_STYLE = record({}, {"bold": boolean, "italic": boolean, "strike": boolean, "code": boolean})
_LEAF_TEXT = record({"type": one_of("text"), "text": text(limits.MESSAGE_BLOCKS_JSON)}, {"style": _STYLE})
_LEAF_LINK = record(
    {"type": one_of("link"), "url": url(limits.BUTTON_URL)},
    {"text": text(limits.MESSAGE_BLOCKS_JSON), "style": _STYLE, "unsafe": boolean},
)
_LEAF = variant(
    {
        "text": _LEAF_TEXT,
        "link": _LEAF_LINK,
        "emoji": record({"type": one_of("emoji"), "name": text(255)}, {"unicode": text(255), "style": _STYLE}),
        "user": record({"type": one_of("user"), "user_id": text(255)}, {"style": _STYLE}),
        "usergroup": record({"type": one_of("usergroup"), "usergroup_id": text(255)}, {"style": _STYLE}),
        "channel": record({"type": one_of("channel"), "channel_id": text(255)}, {"style": _STYLE}),
        "broadcast": record({"type": one_of("broadcast"), "range": one_of("here", "channel", "everyone")}),
        "date": record(
            {"type": one_of("date"), "timestamp": integer(0, 2**40), "format": text(255)},
            {"fallback": text(255), "url": url(limits.BUTTON_URL)},
        ),
    }
)
_MOST_LEAVES = 1_000  # undocumented; in practice the size of the whole message is the limit
MOST_RICH_TEXT_PARTS = 1_000
_SECTION = record({"type": one_of("rich_text_section"), "elements": array(_LEAF, _MOST_LEAVES)})

RICH_TEXT: dict[str, Shape] = {
    "rich_text_section": _SECTION,
    "rich_text_preformatted": record(
        {
            "type": one_of("rich_text_preformatted"),
            "elements": array(variant({"text": _LEAF_TEXT, "link": _LEAF_LINK}), _MOST_LEAVES),
        },
        {"border": integer(0, 1), "language": text(255)},
    ),
    "rich_text_quote": record(
        {"type": one_of("rich_text_quote"), "elements": array(_LEAF, _MOST_LEAVES)}, {"border": integer(0, 1)}
    ),
    "rich_text_list": record(
        {
            "type": one_of("rich_text_list"),
            "style": one_of("bullet", "ordered"),
            "elements": array(_SECTION, _MOST_LEAVES),
        },
        {"indent": integer(0, 8), "offset": integer(0, 2**31), "border": integer(0, 1)},
    ),
}

TEXT_OR_FIELDS = at_least_one("text", "fields")
