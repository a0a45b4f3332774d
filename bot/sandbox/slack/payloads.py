"""The bodies that Slack sends to an app: clicks, submissions, closed views, commands, events."""

import copy
import time
from collections.abc import Mapping

from bot.sandbox.slack.model import Channel, Message, User
from bot.sandbox.slack.views import View
from bot.sandbox.slack.wire import Json
from bot.sandbox.slack.workspace import Workspace

VERIFICATION_TOKEN = "sandbox-verification-token"  # noqa: S105 - Slack's deprecated field, not a secret


def action(block: Json, element: Json, choice: Json | None) -> Json:
    """Build one entry of `actions`: the pressed element, or the element with the chosen option."""
    entry: Json = {
        "type": element["type"],
        "block_id": block["block_id"],
        "action_id": element["action_id"],
        "action_ts": f"{time.time():.6f}",
    }
    if element["type"] == "button":
        entry |= {name: element[name] for name in ("text", "value", "style", "url") if name in element}
    else:
        entry |= choice or {}
        if "placeholder" in element:
            entry["placeholder"] = element["placeholder"]
    if "confirm" in element:
        entry["confirm"] = element["confirm"]
    return copy.deepcopy(entry)


def message_action(
    workspace: Workspace,
    user: User,
    channel: Channel,
    message: Message,
    entry: Json,
    *,
    trigger_id: str,
    response_url: str,
    blocks: list[Json] | None = None,
) -> Json:
    """Build a click on a message; `blocks` is what the person sees, if it is older than the message."""
    seen = channel.message_as_json(message)
    seen.pop("metadata", None)  # Slack does not document it in clicks
    if blocks is not None:
        seen["blocks"] = copy.deepcopy(blocks)
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.reader is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    return {
        "type": "block_actions",
        **_origin(workspace, user),
        "container": container,
        "trigger_id": trigger_id,
        "channel": {"id": channel.id, "name": _name_in_payload(channel)},
        "message": seen,
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [entry],
    }


def view_action(workspace: Workspace, user: User, view: View, entry: Json, *, trigger_id: str, values: Json) -> Json:
    """Build a click in a modal or Home tab."""
    return {
        "type": "block_actions",
        **_origin(workspace, user),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "view": copy.deepcopy(workspace.view_as_json(view, values)),
        "actions": [entry],
    }


def view_submission(workspace: Workspace, user: User, view: View, *, trigger_id: str, values: Json) -> Json:
    """Build the submission of a modal."""
    return {
        "type": "view_submission",
        **_origin(workspace, user),
        "trigger_id": trigger_id,
        "view": copy.deepcopy(workspace.view_as_json(view, values)),
        "response_urls": [],
    }


def view_closed(workspace: Workspace, user: User, view: View, *, is_cleared: bool) -> Json:
    """Build the notice that a person closed a modal."""
    return {
        "type": "view_closed",
        **_origin(workspace, user),
        "view": copy.deepcopy(workspace.view_as_json(view)),
        "is_cleared": is_cleared,
    }


def slash_command(
    workspace: Workspace,
    user: User,
    channel: Channel,
    command: str,
    text: str,
    *,
    trigger_id: str,
    response_url: str,
) -> dict[str, str]:
    """Build the form fields of a slash command."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": user.team_id,
        "team_domain": workspace.domain,
        "channel_id": channel.id,
        "channel_name": _name_in_payload(channel),
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": workspace.app_id,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def event_callback(workspace: Workspace, event: Mapping[str, object]) -> Json:
    """Build the envelope of an event; retries keep its `event_id`."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": workspace.team_id,
        "api_app_id": workspace.app_id,
        "event": dict(event),
        "type": "event_callback",
        "event_id": workspace.ids.make("Ev"),
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": workspace.team_id,
                "user_id": workspace.bot.id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }


def _origin(workspace: Workspace, user: User) -> Json:
    return {
        "team": {"id": workspace.team_id, "domain": workspace.domain},
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": workspace.app_id,
        "token": VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def _name_in_payload(channel: Channel) -> str:
    """Slack hides a private channel's name in interactions."""
    return "privategroup" if channel.is_private else channel.name
