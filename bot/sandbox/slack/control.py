"""People's actions and the state as JSON, for the sandbox page and other processes: `<prefix>/control/...`."""

import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import UnionType

from aiohttp import web

from bot.sandbox.guard import own_page_only
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.form import CannotActError, NotSubmittedError, state_values
from bot.sandbox.slack.model import Message
from bot.sandbox.slack.sandbox import SlackSandbox
from bot.sandbox.slack.wire import Json, SlackError

_CALLS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class _Act:
    run: Callable[..., Awaitable[Delivery | Message] | None]
    required: Mapping[str, type]
    optional: Mapping[str, type | UnionType]


class SlackControl:
    """The routes over one sandbox."""

    def __init__(self, sandbox: SlackSandbox) -> None:
        self._sandbox = sandbox
        element: dict[str, type] = {"action_id": str, "text": str, "option": object, "confirm": bool}
        view: dict[str, type] = {"user": str, "view_id": str}
        place: dict[str, type] = {"user": str, "channel": str}
        self._acts = {
            "click": _Act(sandbox.click, {**place, "ts": str}, {**element, "blocks": list}),
            "click_in_view": _Act(sandbox.click_in_view, view, element),
            "submit_view": _Act(sandbox.submit_view, view, {"values": dict, "enforce": bool}),
            "close_view": _Act(sandbox.close_view, view, {"all_of_them": bool}),
            "slash": _Act(sandbox.slash, {**place, "command": str}, {"text": str}),
            "say": _Act(sandbox.say, {**place, "text": str}, {"thread_ts": str}),
            "send_event": _Act(sandbox.send_event, {"event": dict}, {}),
            "fail": _Act(
                sandbox.fail,
                {"method": str, "kind": str},
                {"times": int | None, "after": int, "seconds": float, "retry_after": object},
            ),
            "clear_faults": _Act(sandbox.clear_faults, {}, {"kind": str}),
            "open_home": _Act(sandbox.open_home, {"user": str}, {}),
            "archive": _Act(sandbox.archive, {"channel": str, "archived": bool}, {}),
            "delete_message": _Act(sandbox.delete_message, {"channel": str, "ts": str}, {}),
        }

    def setup(self, app: web.Application, prefix: str) -> None:
        """Mount the routes."""
        app.router.add_get(f"{prefix}/control/state", own_page_only(self._state))
        app.router.add_get(f"{prefix}/control/changes", own_page_only(self._changes))
        app.router.add_post(f"{prefix}/control/{{act}}", own_page_only(self._act))

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(snapshot(self._sandbox))

    async def _act(self, request: web.Request) -> web.Response:
        act = self._acts.get(request.match_info["act"])
        if act is None:
            return _refusal(404, f"unknown act; known: {', '.join(sorted(self._acts))}")
        try:
            args = json.loads(await request.read() or b"{}")
        except ValueError:
            return _refusal(400, "the body is not JSON")
        if (fault := _argument_fault(act, args)) is not None:
            return _refusal(400, fault)
        try:
            outcome = act.run(**args)
            done = await outcome if outcome is not None else None
        except KeyError as unknown:
            return _refusal(404, str(unknown.args[0]))
        except NotSubmittedError as kept:
            return web.json_response({"detail": "not submitted", "errors": kept.errors}, status=409)
        except (CannotActError, SlackError) as refusal:
            return _refusal(409, str(refusal))
        return web.json_response(_result(done))

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events after revision `?since=`: `id` is the revision, `data` the kind of thing that changed."""
        last = request.headers.get("Last-Event-ID") or request.query.get("since", "")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        try:
            await response.write(b": connected\n\n")
            changes = self._sandbox.workspace.changes
            async for revision, what in changes.stream(int(last) if last.isdecimal() else None):
                await response.write(f"id: {revision}\ndata: {what}\n\n".encode())
        except ConnectionError:
            pass  # the reader left
        return response


def snapshot(sandbox: SlackSandbox) -> Json:
    """Return the whole state as JSON, without tokens and the signing secret."""
    workspace = sandbox.workspace
    return {
        "revision": workspace.changes.revision,
        "team": {"id": workspace.team_id, "name": workspace.team_name},
        "bot": workspace.bot.id,
        "users": [user.as_json() for user in workspace.users.values()],
        "groups": [
            {"id": group.id, "handle": group.handle, "members": group.members, "disabled": group.disabled}
            for group in workspace.groups.values()
        ],
        "channels": [
            {
                "id": channel.id,
                "name": channel.name,
                "is_private": channel.is_private,
                "is_archived": channel.is_archived,
                "members": sorted(channel.members),
                "messages": [{**message.as_json(), "unread": not message.read} for message in channel.messages],
            }
            for channel in workspace.channels.values()
        ],
        "ephemerals": [
            {**message.as_json(), "channel": message.channel, "reader": message.reader, "unread": not message.read}
            for message in workspace.ephemerals
        ],
        "views": [
            {
                "user": view.user,
                "view": workspace.view_as_json(view, state_values(view)),
                "errors": view.errors,
                "trouble": view.trouble,
            }
            for user in workspace.users
            for view in workspace.views.shown_to(user)
        ],
        "calls": [dataclasses.asdict(call) for call in workspace.journal[-_CALLS_SHOWN:]],
        "unexpected": workspace.unexpected,
        "faults": [dataclasses.asdict(fault) for fault in sandbox.pending_faults],
    }


def _result(done: Delivery | Message | None) -> Json:
    if isinstance(done, Delivery):
        return {
            "status": done.status,
            "body": done.body,
            "seconds": done.seconds,
            "timed_out": done.timed_out,
            "sent": done.sent,
        }
    return done.as_json() if done is not None else {}


def _argument_fault(act: _Act, args: object) -> str | None:
    if not isinstance(args, dict):
        return "the body is not a JSON object"
    known = {**act.required, **act.optional}
    for name in act.required:
        if name not in args:
            return f"{name} is missing"
    for name, value in args.items():
        if name not in known:
            return f"{name} is unknown; known: {', '.join(sorted(known))}"
        kind = known[name]
        if not isinstance(value, (int, float) if kind is float else kind):
            return f"{name} must be of type {kind if isinstance(kind, UnionType) else kind.__name__}"
    return None


def _refusal(status: int, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)
