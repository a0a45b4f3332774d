"""Faults leak no internals into answers, frames or messages."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr
from structlog.stdlib import ProcessorFormatter

from tests import harness
from tests.conftest import run
from tests.harness import HIGH, Card, World, sample

INNER = re.compile(
    r"Traceback|site-packages|\.py[:\"]|File \"|\b[A-Z]\w*(?:Error|Exception)\b|asyncpg|sqlalchemy|aiohttp|pydantic"
    r"|\bSELECT\b|\bUPDATE\b|\bINSERT\b|relation \"|apv_reviews|hitl_decisions|audit_log|pgqueuer"
)
"""Text that only people with access to the code or the database may see."""
FAULT = """CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'words of the fault, %', NEW; END $$;
    CREATE TRIGGER fault BEFORE INSERT ON hitl_decisions FOR EACH ROW EXECUTE FUNCTION fault()"""
HANG_UP = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()"""
MISSING = "00000000-0000-4000-8000-000000000000"
JSON = {"Content-Type": "application/json"}

GETS = (
    "/", "/nothing", "/health", "/health/ready", "/health/live", "/health/startup", "/hitl/health", "/metrics",
    "/hitl/reviews", "/hitl/reviews?limit=many", "/hitl/reviews?skip=-1", "/hitl/reviews?cursor=%00x",
    "/hitl/reviews?severity=worst", "/hitl/reviews/stats", "/hitl/reviews/%ff", f"/hitl/reviews/{MISSING}",
    f"/hitl/decisions/{MISSING}", "/hitl/decisions/x", f"/hitl/history/{MISSING}", "/hitl/history/'; DROP", "/hitl/ws",
    "/docs", "/redoc", "/openapi.json",
)  # fmt: skip
BODIES: tuple[bytes, ...] = (
    b"", b"{", b"[]", b"null", b'"words"', b"\xff\xfe", b"[" * 50_000, b'{"apv_id": ' + b"9" * 5_000 + b"}",
    b'{"apv_id": "\\ud800", "decision": 3, "justification": []}', b'[{"cve_id": {}}, 7]', b" " * (3 << 20),
)  # fmt: skip
ROUTES = ("/hitl/reviews", "/hitl/decisions", "/hitl/decisions/", "/slack/events", "/github/webhooks")
FRAMES = ("{", "[]", '{"type": "subscribe", "channels": 7}', '{"type": "x"}', '{"type": "subscribe", "since": "y"}')


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the bot's own handler writes."""
    (handler,) = [made for made in logging.getLogger().handlers if isinstance(made.formatter, ProcessorFormatter)]
    assert isinstance(handler, logging.StreamHandler)
    written, kept = StringIO(), handler.stream
    handler.setStream(written)
    yield written
    handler.setStream(kept)


def secrets(world: World, folder: Path) -> list[str]:
    """The values that the settings keep, and the folders that only this machine has."""
    values = [getattr(world.settings, name) for name in type(world.settings).model_fields]
    kept = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    hashes = [token.sha256 for token in world.settings.tokens]
    return [*kept, *hashes, str(folder), str(Path(__file__).parents[2])]


async def ask_everything(world: World) -> list[str]:
    """Every route with sound and unsound questions: what each answered, its headers and its frames."""
    heard = []

    async def keep(method: str, path: str, **how: Any) -> None:
        # Who sends too much may be hung up on before the answer: that lets nothing out.
        with suppress(aiohttp.ClientConnectionError):
            async with world.http.request(method, f"{world.url}{path}", allow_redirects=False, **how) as answer:
                text = (await answer.read()).decode("utf-8", "replace")
                # What is served as it is, and the metrics, whose names are public, are no answers to a fault.
                if answer.status >= 400:
                    heard.append(f"{method} {path} {answer.status} {dict(answer.headers)} {text}")

    for path in GETS:
        await keep("GET", path)
        await keep("PATCH", path)
    for route in ROUTES:
        for body in BODIES:
            await keep("POST", route, data=body, headers=JSON)
        await keep("POST", route, data=b"\x1f\x8b" + b"no zip", headers={**JSON, "Content-Encoding": "gzip"})
        await keep("POST", route, data=b"{}", headers={"Authorization": "Bearer nobody", "Idempotency-Key": "\t" * 300})
    sound = {"apv_id": MISSING, "decision": "approve", "justification": "Long enough.", "reviewer_name": "Ana"}
    await keep("POST", "/hitl/decisions", json=sound)
    await keep("POST", "/hitl/reviews", json={**sample(HIGH), "package_name": str(uuid4())})
    for frame in FRAMES:
        heard += await frames_after(world, frame)
    return heard


async def frames_after(world: World, sent: str) -> list[str]:
    """What the feed says to one frame, until it pongs or hangs up."""
    heard: list[str] = []
    try:
        async with world.http.ws_connect(f"{world.url}/hitl/ws") as socket:
            await socket.send_str(sent)
            await socket.send_str('{"type": "ping"}')
            async for message in socket:
                heard.append(str(message.data))
                if json.loads(message.data)["type"] == "pong":
                    break
    except aiohttp.WSServerHandshakeError as refused:
        heard.append(f"{refused.status} {refused.headers}")
    return heard


async def ask_in_slack(world: World, card: Card) -> None:
    """Click and type commands, ignoring the results, on the card as it was before."""
    shown = card.message.blocks
    for words in ("queue", f"claim {card.code}", f"diff {card.code}", f"snooze {card.code} 2h later", "'"):
        await world.slack.slash("alice", "vuln-review", "/apv", words)
    for button in ("View diff", "Claim", "Reject", "Approve"):
        await world.alice.clicks(button, card, blocks=shown)


def said(world: World) -> list[str]:
    """Every message in every channel and in private, as it is sent."""
    messages = [m for channel in world.slack.workspace.channels.values() for m in channel.messages]
    private = [m for name in ("alice", "bob") for m in world.slack.ephemerals(name)]
    world.slack.mark_read(*messages, *private)
    return [f"{m.words} {m.blocks}" for m in (*messages, *private)]


async def test_nothing_of_ours_is_let_out(database_url: str, tmp_path: Path, log: StringIO) -> None:
    """Unsound requests; a trigger that fails; a table that is gone; a database that hangs up."""
    async with harness.world(database_url, tmp_path, github_webhook_secret=SecretStr("hook-of-the-tests")) as world:
        world.tolerated |= {"unexpected_error", "sweep.failed"}  # a sweep may begin while the table is gone
        card, other = await world.submit(sample(HIGH)), await world.submit(sample(HIGH), package_name="another")
        kept = secrets(world, tmp_path)
        heard = await ask_everything(world)
        await run(database_url, FAULT)
        await ask_in_slack(world, card)
        await run(database_url, "DROP TRIGGER fault ON hitl_decisions")
        await run(database_url, "ALTER TABLE apv_reviews RENAME TO reviews_that_are_gone")
        heard += await ask_everything(world)
        await ask_in_slack(world, other)
        await run(database_url, "ALTER TABLE reviews_that_are_gone RENAME TO apv_reviews", HANG_UP)
        heard += await ask_everything(world)
        await world.settle()
        heard += said(world)
    logged = log.getvalue()
    assert len(heard) > 300
    assert "slack.unexpected_error" in logged
    assert "RaiseError" in logged
    for words in (*heard, *logged.splitlines()):
        assert not [secret for secret in kept if secret in words], words[:2_000]
        assert "words of the fault" not in words
    for words in heard:
        assert not INNER.search(words), words[:2_000]
