"""An app's responses: through a response URL, or in the answer to a slash command. Both have one format.

A response is ephemeral unless it says in_channel. It can replace or delete the message that it answers.
"""

import asyncio
import json
import time

from aiohttp import web

from bot.sandbox.slack.blockkit import check_message_blocks, check_metadata
from bot.sandbox.slack.faults import SlackFaults, broken_answer
from bot.sandbox.slack.model import Message
from bot.sandbox.slack.views import ResponseTarget
from bot.sandbox.slack.wire import SlackError
from bot.sandbox.slack.workspace import ApiCall, Workspace

_KNOWN = frozenset(
    {
        "blocks",
        "delete_original",
        "link_names",
        "metadata",
        "mrkdwn",
        "parse",
        "replace_original",
        "response_type",
        "text",
        "thread_ts",
        "unfurl_links",
        "unfurl_media",
    }
)


def respond(workspace: Workspace, target: ResponseTarget, body: object) -> None:
    """Carry out one response. Raises SlackError."""
    if not isinstance(body, dict):
        workspace.unexpected.append("response: not a JSON object")
        raise SlackError("invalid_payload")
    if extra := body.keys() - _KNOWN:
        workspace.unexpected.append(f"response: unknown argument {', '.join(sorted(extra))}")
    original = _original(workspace, target)
    if body.get("delete_original") is True:
        if original is None:
            raise SlackError("message_not_found")
        workspace.remove(original)
        return
    text = body.get("text") or ""
    blocks = check_message_blocks(body["blocks"], workspace.ids) if body.get("blocks") else []
    metadata = check_metadata(body["metadata"]) if body.get("metadata") else None
    if not isinstance(text, str) or (not text.strip() and not blocks):
        raise SlackError("no_text")
    channel, reader = workspace.channels[target.channel], workspace.users[target.user]
    if body.get("replace_original") is True:
        if original is None:
            raise SlackError("message_not_found")
        workspace.change(original, text, blocks)
        return
    thread_ts = body.get("thread_ts") or target.thread_ts
    match body.get("response_type", "ephemeral"):
        case "in_channel":
            workspace.post(channel, workspace.bot, text, blocks, thread_ts=thread_ts, metadata=metadata)
        case "ephemeral":
            workspace.post_ephemeral(channel, reader, text, blocks, thread_ts)
        case _:
            raise SlackError("invalid_response_type")


class ResponseUrlRoute:
    """Answers `<prefix>/response/{token}`; the token is the only authentication, as at Slack."""

    def __init__(self, workspace: Workspace, faults: SlackFaults) -> None:
        self._workspace = workspace
        self._faults = faults

    async def handle(self, request: web.Request) -> web.Response:
        """Handle one POST. Slack documents no error format here: the codes are Slack's, the statuses are HTTP's."""
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        fault = self._faults.take("response_url")
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault is not None and fault.kind != "drop_after":
            broken = broken_answer(request, fault)
            status, error, response = broken or (400, fault.kind, _refusal(400, fault.kind))
            return self._noted(body, status, error, response)
        try:
            target = self._workspace.response_urls.use(request.match_info["token"])
        except SlackError as refusal:
            return self._noted(body, 404, refusal.code, _refusal(404, refusal.code))
        try:
            respond(self._workspace, target, body)
        except SlackError as refusal:
            return self._noted(body, 400, refusal.code, web.json_response(refusal.as_json(), status=400))
        if fault is not None and (broken := broken_answer(request, fault)) is not None:
            return self._noted(body, *broken)
        return self._noted(body, 200, None, web.Response(text="ok"))

    def _noted(self, body: object, status: int, error: str | None, response: web.Response) -> web.Response:
        args = body if isinstance(body, dict) else {}
        self._workspace.journal.append(ApiCall("response_url", args, status, error, time.time()))
        self._workspace.touch("call")
        return response


def _original(workspace: Workspace, target: ResponseTarget) -> Message | None:
    if target.message_ts is None:
        return None
    channel, user = workspace.channels[target.channel], workspace.users[target.user]
    return workspace.find_shown(user, channel, target.message_ts)


def _refusal(status: int, code: str) -> web.Response:
    return web.json_response({"ok": False, "error": code}, status=status)
