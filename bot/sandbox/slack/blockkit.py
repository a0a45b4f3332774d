"""Checks Block Kit as Slack does, and gives an id to each block and element that has none.

It refuses a message with invalid_blocks or msg_blocks_too_long, a view with invalid_arguments or view_too_large.
"""

import copy
import json
from collections import Counter
from collections.abc import Iterator

from bot.sandbox.slack import elements as el
from bot.sandbox.slack import limits
from bot.sandbox.slack.shapes import (
    Problems,
    Shape,
    array,
    boolean,
    every,
    exactly_one,
    one_of,
    record,
    text,
    variant,
)
from bot.sandbox.slack.wire import Json, SlackError, SlackIds

_ID = {"block_id": text(limits.BLOCK_ID)}
_CONTEXT_TEXT = el.any_text(limits.CONTEXT_TEXT)


_CELL = variant(
    {
        "raw_text": record({"type": one_of("raw_text"), "text": text(limits.MESSAGE_BLOCKS_JSON)}),
        "rich_text": record({"type": one_of("rich_text"), "elements": array(variant(el.RICH_TEXT), 100)}, _ID),
    }
)

_EVERYWHERE: dict[str, Shape] = {
    "actions": record(
        {"type": one_of("actions"), "elements": array(variant(el.INTERACTIVE), limits.ACTIONS_ELEMENTS)}, _ID
    ),
    "context": record(
        {
            "type": one_of("context"),
            "elements": array(
                variant({"image": el.IMAGE, "plain_text": _CONTEXT_TEXT, "mrkdwn": _CONTEXT_TEXT}),
                limits.CONTEXT_ELEMENTS,
            ),
        },
        _ID,
    ),
    "divider": record({"type": one_of("divider")}, _ID),
    "header": record({"type": one_of("header"), "text": el.plain_text(limits.HEADER_TEXT)}, _ID),
    "image": every(
        record(
            {"type": one_of("image"), "alt_text": text(limits.IMAGE_ALT_TEXT)},
            {**el.IMAGE_SOURCE, **_ID, "title": el.plain_text(limits.IMAGE_TITLE)},
        ),
        exactly_one("image_url", "slack_file"),
    ),
    "input": record(
        {
            "type": one_of("input"),
            "label": el.plain_text(limits.INPUT_LABEL),
            "element": variant(el.INPUT),
        },
        {
            **_ID,
            "hint": el.plain_text(limits.INPUT_HINT),
            "optional": boolean,
            "dispatch_action": boolean,
        },
    ),
    "rich_text": record(
        {"type": one_of("rich_text"), "elements": array(variant(el.RICH_TEXT), el.MOST_RICH_TEXT_PARTS)}, _ID
    ),
    "section": every(
        record(
            {"type": one_of("section")},
            {
                **_ID,
                "text": el.any_text(limits.SECTION_TEXT),
                "fields": array(el.any_text(limits.SECTION_FIELD), limits.SECTION_FIELDS),
                "accessory": variant(el.ACCESSORY),
                "expand": boolean,
            },
        ),
        el.TEXT_OR_FIELDS,
    ),
}

_IN_MESSAGES: dict[str, Shape] = {
    **_EVERYWHERE,
    "markdown": record({"type": one_of("markdown"), "text": text(limits.MARKDOWN_TEXT)}, _ID),
    "table": record(
        {
            "type": one_of("table"),
            "rows": array(array(_CELL, limits.TABLE_CELLS), limits.TABLE_ROWS),
        },
        {
            **_ID,
            "column_settings": array(
                record({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean}), limits.TABLE_CELLS
            ),
        },
    ),
}

_MESSAGE = array(variant(_IN_MESSAGES), limits.BLOCKS_IN_MESSAGE, least=0)
_VIEW_BLOCKS = array(variant(_EVERYWHERE), limits.BLOCKS_IN_VIEW)

_VIEW = variant(
    {
        "modal": record(
            {"type": one_of("modal"), "title": el.plain_text(limits.VIEW_TITLE), "blocks": _VIEW_BLOCKS},
            {
                "submit": el.plain_text(limits.VIEW_SUBMIT),
                "close": el.plain_text(limits.VIEW_CLOSE),
                "private_metadata": text(limits.PRIVATE_METADATA, least=0),
                "callback_id": text(limits.CALLBACK_ID, least=0),
                "external_id": text(limits.EXTERNAL_ID, least=0),
                "clear_on_close": boolean,
                "notify_on_close": boolean,
            },
        ),
        "home": record(
            {"type": one_of("home"), "blocks": _VIEW_BLOCKS},
            {
                "private_metadata": text(limits.PRIVATE_METADATA, least=0),
                "callback_id": text(limits.CALLBACK_ID, least=0),
                "external_id": text(limits.EXTERNAL_ID, least=0),
            },
        ),
    }
)


def check_message_blocks(blocks: object, ids: SlackIds) -> list[Json]:
    """Check the blocks of a message and return a copy with every id. Raises SlackError."""
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format", ["must be an array [json-pointer:/blocks]"])
    problems = Problems()
    _MESSAGE(blocks, "/blocks", problems)
    if not problems.found:
        _unique_ids(blocks, "/blocks", problems)
        _once_in_a_message(blocks, problems)
    if problems.found:
        raise SlackError("invalid_blocks", problems.found)
    if len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > limits.MESSAGE_BLOCKS_JSON:
        raise SlackError("msg_blocks_too_long")
    return _with_ids(blocks, ids)


def check_view(view: object, ids: SlackIds, *, kind: str) -> Json:
    """Check a view of `kind` modal or home and return a copy with every id. Raises SlackError."""
    problems = Problems()
    _VIEW(view, "/view", problems)
    if not problems.found and isinstance(view, dict):
        if view["type"] != kind:
            problems.add("/view/type", f"must be {kind}")
        _unique_ids(view["blocks"], "/view/blocks", problems)
        _one_focus(view["blocks"], problems)
        if kind == "modal" and "submit" not in view and any(block["type"] == "input" for block in view["blocks"]):
            problems.add("/view", "missing required field: submit (a modal with inputs needs it)")
    if problems.found or not isinstance(view, dict):
        raise SlackError("invalid_arguments", problems.found)
    if len(json.dumps(view, ensure_ascii=False, separators=(",", ":")).encode()) > limits.VIEW_JSON_BYTES:
        raise SlackError("view_too_large")
    return {**view, "blocks": _with_ids(view["blocks"], ids)}


def check_metadata(metadata: object) -> Json | None:
    """Check a message's metadata; `{}` means none. Raises SlackError."""
    if metadata == {}:
        return None
    if (
        not isinstance(metadata, dict)
        or not isinstance(metadata.get("event_type"), str)
        or not metadata["event_type"]
        or not isinstance(metadata.get("event_payload"), dict)
        or metadata.keys() - {"event_type", "event_payload"}
    ):
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata, ensure_ascii=False)) > limits.METADATA_JSON:
        raise SlackError("metadata_too_large")
    return copy.deepcopy(metadata)


def elements_of(block: Json) -> list[Json]:
    """Return the elements of one block that a person can use, in order."""
    if block["type"] == "actions":
        return list(block["elements"])
    if block["type"] == "section" and "accessory" in block:
        return [block["accessory"]] if block["accessory"]["type"] != "image" else []
    if block["type"] == "input":
        return [block["element"]]
    return []


def visible_texts(value: object) -> Iterator[str]:
    """Yield every text that a person reads in blocks or a view, in reading order, as sent."""
    if isinstance(value, list):
        for item in value:
            yield from visible_texts(item)
    elif isinstance(value, dict):
        if value.get("type") == "image":
            yield str(value["alt_text"])
            return
        for name, inner in value.items():
            if name in {"text", "name"} and isinstance(inner, str):
                yield inner
            elif name not in _NOT_SHOWN:
                yield from visible_texts(inner)


_NOT_SHOWN = frozenset({"confirm", "metadata"})
"""Fields whose texts are not visible before a click."""


def _unique_ids(blocks: list[Json], root: str, problems: Problems) -> None:
    names = Counter(block["block_id"] for block in blocks if "block_id" in block)
    for position, block in enumerate(blocks):
        if names.get(block.get("block_id"), 0) > 1:
            problems.add(f"{root}/{position}/block_id", f"block_id {block['block_id']} already exists")
        actions = Counter(element["action_id"] for element in elements_of(block) if "action_id" in element)
        for action_id, count in actions.items():
            if count > 1:
                problems.add(f"{root}/{position}", f"action_id {action_id} already exists in this block")


def _once_in_a_message(blocks: list[Json], problems: Problems) -> None:
    if sum(block["type"] == "table" for block in blocks) > 1:
        problems.add("/blocks", "only_one_table_allowed")
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > limits.MARKDOWN_TEXT:
        problems.add("/blocks", f"markdown text must be less than {limits.MARKDOWN_TEXT + 1} characters in all")


def _one_focus(blocks: list[Json], problems: Problems) -> None:
    if sum(bool(element.get("focus_on_load")) for block in blocks for element in elements_of(block)) > 1:
        problems.add("/view/blocks", "only one element can have focus_on_load")


def _with_ids(blocks: list[Json], ids: SlackIds) -> list[Json]:
    filled = copy.deepcopy(blocks)
    for block in filled:
        block.setdefault("block_id", ids.short())
        for element in elements_of(block):
            element.setdefault("action_id", ids.short())
    return filled
