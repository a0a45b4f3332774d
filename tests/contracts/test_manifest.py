"""Slack accepts the app's manifest, which asks for exactly what the code handles and calls."""

import ast
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from handlers import slack

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "manifest.yml").read_text("utf-8")
MANIFEST: dict[str, Any] = yaml.safe_load(TEXT)
SCHEMA = json.loads(Path(__file__).with_name("manifest_schema.json").read_text("utf-8"))

SCOPES_OF_CALL = {
    "auth_test": set[str](),
    "chat_getPermalink": set[str](),
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": {"channels:history", "groups:history"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_join": {"channels:join"},
    "conversations_replies": {"channels:history", "groups:history"},
    "usergroups_users_list": {"usergroups:read"},
    "users_info": {"users:read", "users:read.email"},
    "users_lookupByEmail": {"users:read.email"},
    "views_open": set[str](),
    "views_update": set[str](),
    "views_publish": set[str](),
}
"""What Slack's documentation asks for each call, for public and private channels; addresses have their own scope."""
SCOPES_OF_EVENT = {
    "app_home_opened": set[str](),
    "user_change": {"users:read"},
    "subteam_updated": {"usergroups:read"},
    "subteam_members_changed": {"usergroups:read"},
}
AHEAD = {"channels:read", "groups:read"}
"""Asked for before anything calls for them: a scope that is added later makes every workspace install the app anew."""


def faults(manifest: object) -> list[str]:
    validator = jsonschema.Draft7Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


def calls() -> set[str]:
    """The methods of Slack's SDK that the integrations call."""
    found = set[str]()
    for path in (ROOT / "bot/integrations").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Attribute) and owner.attr == "_web":
                    found.add(node.func.attr)
    return found


def test_manifest_validates() -> None:
    """The manifest is valid under version 2 of Slack's schema."""
    assert faults(MANIFEST) == []


def test_a_typo_is_refused() -> None:
    """The schema knows every name: a misspelt one is a fault, not a default."""
    assert faults({**MANIFEST, "setings": {}})
    assert faults({**MANIFEST, "settings": {**MANIFEST["settings"], "socket_mode": True}})
    assert faults({**MANIFEST, "display_information": {"name": "n" * 36}})


def test_the_socket_mode_variant_validates() -> None:
    """Following the comment at the manifest's top gives a valid manifest without any URL."""
    lines = [line for line in TEXT.splitlines() if "https://YOUR-HOST/slack/events" not in line]
    assert len(TEXT.splitlines()) - len(lines) == 3
    variant = "\n".join(lines).replace("socket_mode_enabled: false", "socket_mode_enabled: true")
    assert faults(yaml.safe_load(variant)) == []
    assert "https" not in variant


def test_commands_are_the_registered_ones() -> None:
    """A slash command is in the manifest if and only if a handler is registered for it."""
    assert {c["command"] for c in MANIFEST["features"]["slash_commands"]} == set(slack.COMMANDS)


def test_the_usage_hint_names_every_subcommand() -> None:
    """What Slack shows while `/apv` is typed is what the handler understands."""
    (command,) = MANIFEST["features"]["slash_commands"]
    hinted = {part.split()[0] for part in command["usage_hint"].split("|")}
    assert hinted == {name for name in slack.commands.SUBCOMMANDS if name}


def test_events_are_the_registered_ones() -> None:
    """An event is subscribed to if and only if a handler is registered for it."""
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == set(slack.EVENTS)


def test_scopes_are_what_is_called_for() -> None:
    """The bot asks for the scopes of its calls, events and commands, and for no others."""
    made = calls()
    assert made, "the integrations call Slack through `self._web`"
    assert made <= set(SCOPES_OF_CALL), "write the scopes of a new call into this test"
    needed = {"commands"} | AHEAD
    needed.update(*(SCOPES_OF_CALL[call] for call in made), *(SCOPES_OF_EVENT[event] for event in slack.EVENTS))
    asked = MANIFEST["oauth_config"]["scopes"]["bot"]
    assert sorted(asked) == sorted(needed)


@pytest.mark.parametrize("switch", ["org_deploy_enabled", "socket_mode_enabled", "token_rotation_enabled"])
def test_switched_off(switch: str) -> None:
    """Installed in one workspace, over HTTP, with a token that does not expire."""
    assert MANIFEST["settings"][switch] is False


def test_every_url_is_the_route_that_bolt_answers() -> None:
    """Commands, interactivity and events all come to the one route."""
    settings, (command,) = MANIFEST["settings"], MANIFEST["features"]["slash_commands"]
    urls = {settings["event_subscriptions"]["request_url"], settings["interactivity"]["request_url"], command["url"]}
    assert urls == {"https://YOUR-HOST/slack/events"}
