"""Fills in a modal: a person's entries become `view.state.values`, checked as Slack's client checks them.

An input is named by label, action_id or block_id; an option by text or value.
"""

from collections.abc import Iterator, Mapping

from bot.sandbox.slack import limits
from bot.sandbox.slack.blockkit import elements_of
from bot.sandbox.slack.views import View
from bot.sandbox.slack.wire import Json

Entered = str | list[str] | None
"""A person's entry in one input: a text or option, several options, or nothing."""


class CannotActError(Exception):
    """A person cannot do this: there is no such button or option, or the modal is closed."""


class NotSubmittedError(CannotActError):
    """Slack's client keeps the modal open and sends nothing; `errors` has the message for each block_id."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{block_id}: {what}" for block_id, what in errors.items()))
        self.errors = dict(errors)


def enter(view: View, values: Mapping[str, Entered]) -> None:
    """Enter values in the view's inputs. Raises CannotActError when an input or option does not exist."""
    for name, value in values.items():
        block, element = _find_input(view, name)
        view.chosen[block["block_id"], element["action_id"]] = _chosen(element, value)


def state_values(view: View) -> Json:
    """Return `view.state.values` as Slack sends it: every input, changed or not."""
    values: Json = {}
    for block, element in _inputs(view):
        key = (block["block_id"], element["action_id"])
        entry = view.chosen.get(key, _untouched(element))
        values.setdefault(block["block_id"], {})[element["action_id"]] = {
            "type": element["type"],
            _FIELD[element["type"]]: entry,
        }
    return values


def client_errors(view: View, values: Json) -> dict[str, str]:
    """Return the errors that Slack's client shows, by block_id."""
    errors: dict[str, str] = {}
    for block, element in _inputs(view):
        if block["type"] != "input":
            continue
        entry = values[block["block_id"]][element["action_id"]][_FIELD[element["type"]]]
        if entry in (None, "", []):
            if not block.get("optional", False):
                errors[block["block_id"]] = "Please complete this required field."
        elif element["type"] == "plain_text_input" and isinstance(entry, str):
            least, most = element.get("min_length", 0), element.get("max_length", limits.INPUT_TEXT)
            if len(entry) < least:
                errors[block["block_id"]] = f"Please use at least {least} characters."
            elif len(entry) > most:
                errors[block["block_id"]] = f"Please use {most} characters or less."
    return errors


def find_element(blocks: list[Json], *, action_id: str | None = None, text: str | None = None) -> tuple[Json, Json]:
    """Return the one element with this action_id or button text; CannotActError when there is none or several."""
    found = [
        (block, element)
        for block in blocks
        for element in elements_of(block)
        if (action_id is None or element["action_id"] == action_id)
        and (text is None or (element["type"] == "button" and element["text"]["text"] == text))
    ]
    if len(found) == 1 and (action_id, text) != (None, None):
        return found[0]
    shown = [
        f"{element['text']['text']} ({element['action_id']})" if element["type"] == "button" else element["action_id"]
        for block in blocks
        for element in elements_of(block)
    ]
    raise CannotActError(f"{len(found)} elements are {text or action_id!r}; there are: {', '.join(shown) or 'none'}")


def choice(element: Json, option: Entered) -> Json | None:
    """Return what a choice in a menu or list adds to its action; None for a button."""
    if element["type"] == "button":
        if option is not None:
            raise CannotActError("a button has no options")
        return None
    return {_FIELD[element["type"]]: _chosen(element, option)}


def _inputs(view: View) -> Iterator[tuple[Json, Json]]:
    for block in view.blocks:
        for element in elements_of(block):
            if element["type"] not in {"button", "overflow"}:
                yield block, element


def _find_input(view: View, name: str) -> tuple[Json, Json]:
    inputs = list(_inputs(view))
    for block, element in inputs:
        label = block["label"]["text"] if block["type"] == "input" else None
        if name in (label, element["action_id"], block["block_id"]):
            return block, element
    known = [f"{block.get('label', {}).get('text', '')} ({element['action_id']})" for block, element in inputs]
    raise CannotActError(f"the modal has no input {name!r}; it has: {', '.join(known) or 'none'}")


def _chosen(element: Json, value: Entered) -> object:
    kind = element["type"]
    if kind in _MANY:
        wanted = value if isinstance(value, list) else [value] if value else []
        return [_option(element, each) for each in wanted]
    if isinstance(value, list):
        raise CannotActError(f"{element['action_id']} takes one value")
    if value is None:
        return None
    return _option(element, value) if kind in _ONE else value


def _option(element: Json, wanted: str) -> Json:
    options: list[Json] = [
        *element.get("options", []),
        *(option for group in element.get("option_groups", []) for option in group["options"]),
    ]
    for option in options:
        if wanted in (option["text"]["text"], option["value"]):
            return option
    said = ", ".join(option["text"]["text"] for option in options)
    raise CannotActError(f"{element['action_id']} has no option {wanted!r}; it has: {said}")


def _untouched(element: Json) -> object:
    for name in ("initial_value", "initial_option", "initial_options", "initial_user", "initial_date"):
        if name in element:
            return element[name]
    return [] if element["type"] in _MANY else None


_ONE = frozenset({"static_select", "radio_buttons", "overflow"})
_MANY = frozenset({"multi_static_select", "checkboxes"})
_FIELD = {
    "checkboxes": "selected_options",
    "datepicker": "selected_date",
    "multi_static_select": "selected_options",
    "number_input": "value",
    "overflow": "selected_option",
    "plain_text_input": "value",
    "radio_buttons": "selected_option",
    "static_select": "selected_option",
    "users_select": "selected_user",
}
"""The field in which each kind of element sends its value."""
