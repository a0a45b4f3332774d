"""Slack's limits in one table, the check against them, and the cut that makes anything fit.

`fitted()` never fails: it cuts text, shortens lists, and drops a control whose identifier is too long.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import cast, overload

from bot.blocks.kit import Block, Home, Message, View
from bot.blocks.text import cut, cut_markup

Node = dict[str, object]

_BY_KIND: Mapping[str, Mapping[str, int]] = {
    "message": {"text": 4000, "blocks": 50},
    "home": {"blocks": 100},
    "modal": {"blocks": 100, "title": 24, "submit": 24, "close": 24, "private_metadata": 3000, "callback_id": 255},
    "plain_text": {"text": 3000},
    "mrkdwn": {"text": 3000},
    "header": {"text": 150},
    "section": {"text": 3000, "fields": 10, "fields[]": 2000},
    "context": {"elements": 10},
    "actions": {"elements": 25},
    "input": {"block_id": 255, "label": 2000, "hint": 2000},
    "button": {"text": 75, "action_id": 255, "value": 2000, "url": 3000, "accessibility_label": 75},
    "confirm": {"title": 100, "text": 300, "confirm": 30, "deny": 30},
    "static_select": {"action_id": 255, "placeholder": 150, "options": 100},
    "option": {"text": 75, "value": 150},
    "plain_text_input": {"action_id": 255, "max_length": 3000},
}
LIMITS = {(kind, key): most for kind, limits in _BY_KIND.items() for key, most in limits.items()}
"""(kind, key) -> the maximum: characters of a string or text object, items of a list, or a number."""

MESSAGE_JSON = 12_000
"""Characters of a message's blocks as JSON. Slack documents no limit; it refuses about 13,200 (bolt-js #2509)."""

VIEW_JSON = 250_000
"""Bytes of a view as JSON."""

_IDENTIFIERS = frozenset({"action_id", "block_id", "callback_id", "private_metadata", "url", "value"})


def json_size(blocks: object) -> int:
    """Characters of JSON as the SDK sends it: each character outside ASCII becomes an escape of 6 or 12."""
    return len(json.dumps(blocks))


def problems(thing: Message | View | Home) -> list[str]:
    """Everything that Slack would refuse, one line per problem, with its place."""
    node = _node(thing)
    kind, most = _frame(thing)
    found = list(_problems(node, kind, kind))
    if (size := json_size(node["blocks"] if isinstance(thing, Message) else node)) > most:
        found.append(f"{kind}: {size} characters of JSON, at most {most}")
    return found


@overload
def fitted(thing: Message) -> Message: ...
@overload
def fitted(thing: View) -> View: ...
@overload
def fitted(thing: Home) -> Home: ...
def fitted(thing: Message | View | Home) -> Message | View | Home:
    """The same thing within every limit; the very object when it already fits."""
    if not problems(thing):
        return thing
    kind, most = _frame(thing)
    node = _fit(_node(thing), kind)
    blocks = cast(list[Block], node["blocks"])
    _shrink(blocks, most - (0 if isinstance(thing, Message) else json_size({**node, "blocks": []})))
    if isinstance(thing, Message):
        return Message(cast(str, node["text"]), blocks)
    return cast(View | Home, node)


def _frame(thing: Message | View | Home) -> tuple[str, int]:
    return ("message", MESSAGE_JSON) if isinstance(thing, Message) else (thing["type"], VIEW_JSON)


def _node(thing: Message | View | Home) -> Node:
    if isinstance(thing, Message):
        return {"text": thing.text, "blocks": deepcopy(thing.blocks)}
    return cast(Node, deepcopy(thing))


def _kind(node: Node, held_as: str) -> str:
    """The object's type; options and confirm dialogs have none, so their key names them."""
    kind = node.get("type")
    return kind if isinstance(kind, str) else held_as.removesuffix("s")


def _length(value: object) -> int:
    if isinstance(value, dict):
        return len(str(value.get("text", "")))
    if isinstance(value, str | list):
        return len(value)
    return value if isinstance(value, int) else 0


def _problems(node: Node, kind: str, path: str) -> Iterator[str]:
    for key, value in node.items():
        here = f"{path}.{key}"
        most = LIMITS.get((kind, key))
        if most is not None and _length(value) > most:
            yield f"{here}: {_length(value)}, at most {most}"
        if value in ("", []) and (kind, key) not in {("message", "blocks"), ("modal", "private_metadata")}:
            yield f"{here}: empty"
        if isinstance(value, dict):
            yield from _problems(value, _kind(value, key), here)
        elif isinstance(value, list):
            yield from _list_problems(value, kind, key, here)


def _list_problems(items: list[Node], kind: str, key: str, path: str) -> Iterator[str]:
    most = LIMITS.get((kind, f"{key}[]"))
    for index, item in enumerate(items):
        here = f"{path}[{index}]"
        if most is not None and _length(item) > most:
            yield f"{here}: {_length(item)}, at most {most}"
        yield from _problems(item, _kind(item, key), here)
    for name in ("action_id", "block_id"):
        ids = [item[name] for item in items if name in item]
        if len(ids) != len(set(ids)):
            yield f"{path}: the same {name} twice"


def _fit(node: Node, kind: str) -> Node:
    fit: Node = {}
    for key, value in node.items():
        most = LIMITS.get((kind, key))
        if isinstance(value, str):
            fit[key] = value if most is None or key in _IDENTIFIERS else _cut(value, kind, most)
        elif isinstance(value, dict):
            fit[key] = _fit_text(value, _kind(value, key), most)
        elif isinstance(value, list):
            fit[key] = _fit_list(value, kind, key)
        else:
            fit[key] = min(value, most) if most is not None and isinstance(value, int) else value
    return fit


def _fit_text(node: Node, kind: str, most: int | None) -> Node:
    fit = _fit(node, kind)
    if most is not None and isinstance(text := fit.get("text"), str):
        fit["text"] = _cut(text, kind, most)
    return fit


def _fit_list(items: list[Node], kind: str, key: str) -> list[Node]:
    each = LIMITS.get((kind, f"{key}[]"))
    named = [item for item in items if _named(item, _kind(item, key))]
    fit = [_fit_text(item, _kind(item, key), each) for item in named]
    return [item for item in fit if not _empty(item)][: LIMITS.get((kind, key))]


def _empty(node: Node) -> bool:
    """Whether nothing is left to show: Slack refuses an empty text and a row without buttons."""
    text = node.get("text")
    return "" in (text, text.get("text") if isinstance(text, dict) else None) or [] in (
        node.get("elements"),
        node.get("fields"),
    )


def _named(node: Node, kind: str) -> bool:
    """Whether every identifier fits uncut: a cut one would name something else."""
    return all(_length(value) <= LIMITS.get((kind, key), 10**9) for key, value in node.items() if key in _IDENTIFIERS)


def _cut(text: str, kind: str, most: int) -> str:
    # The `text` of a message is mrkdwn too.
    return cut_markup(text, most) if kind in ("mrkdwn", "message") else cut(text, most)


def _shrink(blocks: list[Block], most: int) -> None:
    """Cut code first, then the longest text, then drop blocks from the end, but never a header, buttons or an input."""
    for floor in (200, 40):
        for holder in sorted(_texts(blocks), key=lambda t: (t["type"] != "text", -json_size(t["text"]))):
            excess = json_size(blocks) - most
            text = cast(str, holder["text"])
            if excess <= 0:
                return
            cost = max(1.0, json_size(text) / max(1, len(text)))
            keep = max(floor, int(len(text) - excess / cost) - 2)
            holder["text"] = _cut(text, cast(str, holder["type"]), keep)
    for block in reversed(blocks[:]):
        if json_size(blocks) <= most:
            return
        if block["type"] not in ("header", "actions", "input"):
            blocks.remove(block)


def _texts(node: object) -> Iterator[Node]:
    """Every dict that holds a text, in place."""
    if isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node
        for value in node.values():
            yield from _texts(value)
