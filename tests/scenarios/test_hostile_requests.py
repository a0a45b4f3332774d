"""Requests to `POST /slack/events` that Slack did not sign, or that are not what Slack sends."""

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.blocks import ids
from tests import harness
from tests.harness import World

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MARK = "words-of-the-body"
VALUE = f"00000000-0000-4000-8000-000000000000:{'a' * 64}"
PAGE = ids.encode_page(VALUE, 1)
BUTTON = {"action_id": ids.APPROVE, "block_id": "b", "type": "button", "value": VALUE}


def form(payload: object) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


def click(**changes: Any) -> bytes:
    body = {"type": "block_actions", "user": {"id": "U0ALICE"}, "actions": [BUTTON], "mark": MARK, **changes}
    return form({name: value for name, value in body.items() if value is not None})


def view(kind: str, **changes: Any) -> bytes:
    shown = {"type": "modal", "callback_id": ids.VIEW_REJECT, "private_metadata": MARK, **changes}
    return form({"type": kind, "user": {"id": "U0ALICE"}, "view": shown})


def event(**event_: Any) -> bytes:
    return json.dumps({"type": "event_callback", "mark": MARK, **event_}).encode()


def command(**fields: str) -> bytes:
    return urlencode({"text": MARK, **fields}).encode()


# What a body that Slack's secret has signed may still be.
NONSENSE: Mapping[str, tuple[bytes, Mapping[str, str]]] = {
    "nothing": (b"", FORM),
    "no JSON": (b'{"mark": "' + MARK.encode(), JSON),
    "a list": (json.dumps([MARK]).encode(), JSON),
    "a word": (json.dumps(MARK).encode(), JSON),
    "null": (b"null", JSON),
    "no text": (b"\xff\xfe" + MARK.encode(), JSON),
    "no such charset": (json.dumps({"mark": MARK}).encode(), {"Content-Type": "application/json; charset=nope"}),
    "too deep": (b"[" * 50_000, JSON),
    "too deep a payload": (b"payload=" + b"[" * 50_000, FORM),
    "thousands of digits": (b'{"type": ' + b"9" * 5_000 + b"}", JSON),
    "no form": (MARK.encode(), FORM),
    "a payload that is no JSON": (b"payload=" + MARK.encode(), FORM),
    "a payload that is a list": (form([MARK]), FORM),
    "a payload that is null": (form(None), FORM),
    "no type": (form({"mark": MARK}), FORM),
    "a type that is a list": (form({"type": [MARK]}), FORM),
    "ssl_check": (b"ssl_check=1&token=" + MARK.encode(), FORM),
    "a click without actions": (click(actions=None), FORM),
    "a click with no action": (click(actions=[]), FORM),
    "a click with a word for actions": (click(actions=MARK), FORM),
    "a click on a number": (click(actions=[1]), FORM),
    "a click on nothing": (click(actions=[{}]), FORM),
    "a click of nobody": (click(user=None), FORM),
    "a click of a word": (click(user=MARK), FORM),
    "a click of what no database holds": (click(user={"id": "U\0"}), FORM),
    "a click of half a character": (click(user={"id": "U\ud800"}), FORM),
    "a click of a novel": (click(user={"id": "U" * 5_000}), FORM),
    "a click in a list": (click(team=[1]), FORM),
    "a click with another value": (click(actions=[{**BUTTON, "value": MARK}]), FORM),
    "a click with no value": (click(actions=[{**BUTTON, "value": None}]), FORM),
    "a click on a page of another": (click(actions=[{**BUTTON, "action_id": ids.NEXT, "value": MARK}]), FORM),
    "a click on a page outside a modal": (click(actions=[{**BUTTON, "action_id": ids.NEXT, "value": PAGE}]), FORM),
    "a click on a page of a word": (click(actions=[{**BUTTON, "action_id": ids.NEXT, "value": PAGE}], view=MARK), FORM),
    "a click on a page of another modal": (
        click(actions=[{**BUTTON, "action_id": ids.NEXT, "value": PAGE}], view={"id": "V1", "callback_id": "x"}),
        FORM,
    ),
    "a view that is a word": (form({"type": "view_submission", "user": {"id": "U0ALICE"}, "view": MARK}), FORM),
    "a view without a name": (view("view_submission", callback_id=None), FORM),
    "a view of no type": (view("view_submission", type=MARK), FORM),
    "a view with a list for its state": (view("view_submission", state=[MARK]), FORM),
    "an event without an event": (event(), JSON),
    "an event that is a word": (event(event="type"), JSON),
    "an event that is a list": (event(event=["type"]), JSON),
    "an event of no type": (event(event={"type": [MARK]}), JSON),
    "an event with odd authorizations": (event(event={"type": "x"}, authorizations=MARK), JSON),
    "a command of nobody": (command(command="/apv"), FORM),
    "a list for a command": (json.dumps({"command": ["/apv"], "user_id": "U1"}).encode(), JSON),
    "a challenge that is none": (json.dumps({"type": "url_verification", "challenge": [MARK]}).encode(), JSON),
}
# What Slack may send that nobody here listens to: unacknowledged, it would count as our failure.
UNKNOWN: Mapping[str, tuple[bytes, Mapping[str, str]]] = {
    "an event": (event(event={"type": "reaction_added", "user": "U0ALICE"}), JSON),
    "a message": (event(event={"type": "message", "channel": "C1", "user": "U0ALICE", "text": MARK}), JSON),
    "an edit": (event(event={"type": "message", "subtype": "message_changed", "channel": "C1"}), JSON),
    "an action": (click(actions=[{**BUTTON, "action_id": "another"}]), FORM),
    "an action without a value": (click(actions=[{"action_id": "another", "block_id": "b"}]), FORM),
    "a view": (view("view_submission", callback_id="another"), FORM),
    "a closed view": (view("view_closed"), FORM),
    "a command": (command(command="/another", user_id="U0ALICE"), FORM),
    "a shortcut": (form({"type": "shortcut", "callback_id": "another", "user": {"id": "U0ALICE"}}), FORM),
    "a message shortcut": (form({"type": "message_action", "callback_id": "another"}), FORM),
    "a menu's options": (form({"type": "block_suggestion", "action_id": "another", "value": MARK}), FORM),
    "a rate limit": (json.dumps({"type": "app_rate_limited", "team_id": "T1"}).encode(), JSON),
    "a kind of next year": (form({"type": "telepathy", "mark": MARK}), FORM),
}


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world with one card, which no test here may change."""
    async with harness.world(database_url, tmp_path) as made:
        card = await made.submit()
        await made.settle()
        yield made
        assert card.buttons == ["Approve", "Reject", "Escalate", "View diff", "Details", "Claim"]
        assert card.thread == []
        assert await made.audit(card) == ["review.submitted"]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No text of a body is logged."""
    yield
    said = capsys.readouterr()
    assert MARK not in caplog.text + said.out + said.err


async def test_unsigned_requests_are_refused(world: World, log: None) -> None:
    """Whatever the body: 401, before it is parsed."""
    slack = world.slack
    bodies = {**NONSENSE, **UNKNOWN, "a click": (click(), FORM)}
    for name, (body, headers) in bodies.items():
        delivery = await slack.deliver(body, headers)
        assert (name, delivery.status) == (name, 401)
    body, signed = click(), slack.sender.sign
    now = int(time.time())
    for headers in (
        signed(body + b" "),
        signed(body, timestamp=now - 302),
        signed(body, timestamp=now + 302),
        {**signed(body), "X-Slack-Request-Timestamp": "abc"},
        {**signed(body), "X-Slack-Request-Timestamp": f"{now}.5"},
        {**signed(body), "X-Slack-Request-Timestamp": "\u0660" * 10},
        {**signed(body), "X-Slack-Signature": "v0=é"},
        {**signed(body), "X-Slack-Signature": signed(body)["X-Slack-Signature"].upper()},
        {**signed(body), "X-Slack-Signature": ""},
        {"X-Slack-Signature": signed(body)["X-Slack-Signature"]},
    ):
        delivery = await slack.deliver(body, {**FORM, **headers})
        assert (headers, delivery.status) == (headers, 401)
        assert delivery.body == {"detail": "The request is not signed by Slack"}


async def test_signed_nonsense_is_refused(world: World, log: None) -> None:
    """400 and no error in the log, in case the secret leaked or Slack changed."""
    for name, (body, headers) in NONSENSE.items():
        delivery = await world.slack.deliver(body, {**headers, **world.slack.sender.sign(body)})
        assert (name, delivery.status) == (name, 400)


async def test_requests_without_a_listener_are_acknowledged(world: World, log: None) -> None:
    """Unknown events, actions, views, commands, shortcuts and future kinds."""
    for name, (body, headers) in UNKNOWN.items():
        delivery = await world.slack.deliver(body, {**headers, **world.slack.sender.sign(body)})
        assert (name, delivery.status, delivery.body) == (name, 200, "")


async def test_slack_verifies_the_address(world: World) -> None:
    """A signed challenge is returned; an unsigned one is 401."""
    body = json.dumps({"type": "url_verification", "challenge": "abc", "token": "x"}).encode()
    signed = await world.slack.deliver(body, {**JSON, **world.slack.sender.sign(body)})
    assert (signed.status, signed.body) == (200, {"challenge": "abc"})
    assert (await world.slack.deliver(body, JSON)).status == 401


async def test_too_large_a_body_is_refused(world: World) -> None:
    """Over 256 KiB is 413, signed or not, with or without its length announced."""
    limit = 256 * 1024
    fits = b"a" * limit
    assert (await world.slack.deliver(fits, FORM)).status == 401
    assert (await world.slack.deliver(fits, {**FORM, **world.slack.sender.sign(fits)})).status == 400
    for body in (fits + b"a", fits * 40):
        for headers in (FORM, {**FORM, **world.slack.sender.sign(body)}):
            assert (await world.slack.deliver(body, headers)).status == 413


async def test_the_same_signed_request_has_one_effect(database_url: str, tmp_path: Path) -> None:
    """A click, a submitted modal and a command, each delivered a second time unchanged."""
    async with harness.world(database_url, tmp_path) as world:
        card = await world.submit(harness.sample(harness.HIGH))
        again = world.slack.redeliver
        claimed = await world.slack.slash("bob", "vuln-review", "/apv", f"claim {card.code}")
        assert (await again(claimed)).status == 200
        opened = await world.alice.clicks("Escalate", card)
        assert (await again(opened)).status == 200
        (view_,) = world.alice.views
        escalated = await world.alice.fills(view_, reason="Other", justification="Somebody should look at this.")
        assert (await again(escalated)).status == 200
        approved = await world.carol.approves(card)
        assert (await again(approved)).status == 200
        await world.pull(card)
        await world.settle()
        assert [d["decision"] for d in await world.decisions(card)] == ["escalate", "approve"]
        assert (await world.audit(card)).count("review.claimed") == 1
        assert len(world.github.pulls()) == 1
        assert len(world.bob.told) == 1
        await world.hears(card.code)
        assert card.thread
