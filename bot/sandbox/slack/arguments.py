"""The typed arguments of a Web API call, from the query string, a form or JSON.

Structures (blocks, views, metadata) may be objects or, in forms, JSON strings.
"""

import json
import re
from collections.abc import Mapping

from aiohttp import web

from bot.sandbox.slack.wire import Json, SlackError


async def read_arguments(request: web.Request) -> Json:
    """Return all arguments; the body overrides the query. Raises SlackError."""
    args: Json = dict(request.query)
    if request.method == "POST" and request.can_read_body:
        if request.content_type == "application/json":
            try:
                body = json.loads(await request.read())
            except ValueError:
                raise SlackError("invalid_json") from None
            if not isinstance(body, dict):
                raise SlackError("json_not_object")
            args |= body
        elif request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
            args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        else:
            raise SlackError("invalid_post_type")
    return args


class Arguments:
    """Typed access to one call's arguments; a value of the wrong type raises SlackError."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """Whether the argument was sent and is not null."""
        return self._values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise SlackError("invalid_arguments", [f"must be a string [json-pointer:/{name}]"])
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean: JSON's, or 1, 0, true, false as a string."""
        value = self._values.get(name)
        if value is None:
            return default
        words = {"1": True, "true": True, "0": False, "false": False}
        if isinstance(value, bool):
            return value
        if str(value).lower() in words:
            return words[str(value).lower()]
        raise SlackError("invalid_arguments", [f"must be a boolean [json-pointer:/{name}]"])

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 1 to `most`."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,6}", str(value)) or not 1 <= int(str(value)) <= most:
            raise SlackError("invalid_limit")
        return int(str(value))

    def timestamp(self, name: str) -> float | None:
        """Return seconds since the epoch, or None when not sent."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,12}(\.\d+)?", str(value)):
            raise SlackError(f"invalid_ts_{name}")
        return float(str(value))

    def structure(self, name: str) -> object:
        """Return a list or object, decoded if it was sent as a JSON string; None when not sent."""
        value = self._values.get(name)
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                code = {"blocks": "invalid_blocks_format", "metadata": "invalid_metadata_format"}
                raise SlackError(code.get(name, "invalid_arguments")) from None
        return value
