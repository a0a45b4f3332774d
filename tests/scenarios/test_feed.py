"""The live feed on real servers and one real PostgreSQL: every frame, in order, on every replica."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import WSMsgType
from sqlalchemy import text

from bot.service.feed import BOUND, Feed, Frame, Subscriber, frame
from handlers import http
from handlers.api import feed
from handlers.api import reviews as api
from handlers.api.auth import Auth
from storage.database import Database, end
from tests.web import HOLDER, TOKENS, Clock, apv, gate, gets, serving, settings, submits, token

WHY = "The pin is exact and the tests pass."
SECONDS = 60.0


@dataclass
class Listener:
    """A client of the feed."""

    socket: aiohttp.ClientWebSocketResponse
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def says(self, **message: object) -> None:
        await self.socket.send_str(json.dumps(message))

    async def hears(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            heard: dict[str, Any] = json.loads(await self.socket.receive_str())
        assert heard["timestamp"].endswith("Z")
        return heard

    async def asks(self, **message: object) -> dict[str, Any]:
        await self.says(**message)
        return await self.hears()

    async def subscribes(self, *channels: str, **since: int) -> None:
        confirmed = await self.asks(type="subscribe", channels=list(channels), **since)
        assert (confirmed["type"], confirmed["channels"]) == ("subscription_confirmed", list(channels))
        # What was missed comes before the answer to what is said after.
        assert since or (await self.asks(type="ping"))["type"] == "pong"


@asynccontextmanager
async def replica(database: Database, clock: Clock, **changes: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """The API and the feed of one web process; the client's token has every scope."""
    everything = token("all", "read+submit+decide")
    tokens = tuple(token(name, scopes) for name, scopes in TOKENS.items())
    chosen = settings(**{"api_tokens": (*tokens, everything), **changes})
    opened, auth = gate(database, clock), Auth.of(chosen, clock.seconds, clock)
    app, live = http.application(chosen.cors_origins), Feed(opened)
    api.add_routes(app, opened, auth)
    feed.add_route(app, live, auth, clock)
    running = asyncio.create_task(live.run())
    try:
        async with serving(app, Authorization="Bearer all-token") as client:
            yield client
    finally:
        await end(running)


@asynccontextmanager
async def listener(client: aiohttp.ClientSession, path: str = "/hitl/ws", **how: Any) -> AsyncIterator[Listener]:
    async with client.ws_connect(path, **how) as socket:
        made = Listener(socket)
        assert (await made.hears())["type"] == "connection_ack"
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def web(database: Database, clock: Clock) -> AsyncIterator[aiohttp.ClientSession]:
    async with replica(database, clock) as client:
        yield client


def found(**changes: object) -> dict[str, Any]:
    """An APV whose reporter decides nothing here."""
    return apv(reporter="nightly-scan", **changes)


async def decides(client: aiohttp.ClientSession, review: dict[str, Any], choice: str = "approve") -> dict[str, Any]:
    asked = {"apv_id": review["apv_id"], "decision": choice, "justification": WHY, "reviewer_name": "Ana"}
    holder = HOLDER["decider"]  # the client's own token submitted the review
    async with client.post("/hitl/decisions", json=asked | {"digest": review["digest"]}, headers=holder) as answer:
        record: dict[str, Any] = await answer.json()
        assert answer.status == 200, record
        return record


# Frames that answer


@pytest.mark.parametrize("path", ["/hitl/ws", "/hitl/ws/", "/hitl/hitl/ws"])
async def test_the_first_frame_greets(web: aiohttp.ClientSession, path: str) -> None:
    """It holds the client's id, also in its message."""
    async with web.ws_connect(path) as socket:
        ack = await Listener(socket).hears()
    assert set(ack) == {"type", "timestamp", "client_id", "message"}
    assert ack["message"] == f"Connected to HITL WebSocket. Client ID: {ack['client_id']}"


async def test_a_ping_is_answered(web: aiohttp.ClientSession) -> None:
    """By a pong."""
    async with listener(web) as ana:
        assert set(await ana.asks(type="ping")) == {"type", "timestamp"}


async def test_channels_are_echoed_as_sent(web: aiohttp.ClientSession) -> None:
    """For `subscribe` and `unsubscribe`, in the order sent, unknown names included."""
    async with listener(web) as ana:
        for asked, answered in (("subscribe", "subscription_confirmed"), ("unsubscribe", "unsubscription_confirmed")):
            heard = await ana.asks(type=asked, channels=["stats", "apvs", "nothing"])
            assert (heard["type"], heard["channels"]) == (answered, ["stats", "apvs", "nothing"])


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ('{"type": "shout"}', "Unknown message type: shout"),
        ("{}", "Message missing 'type' field"),
        ("[]", "A message must be a JSON object"),
        ("{", "A message must be a JSON object"),
        ("[" * 50_000, "A message must be a JSON object"),
        ('{"type": "subscribe"}', "'channels' must be"),
        ('{"type": "subscribe", "channels": [1]}', "'channels' must be"),
        ('{"type": "subscribe", "channels": [], "since": "1"}', "'since' must be"),
        ('{"type": "subscribe", "channels": [], "since": -1}', "'since' must be"),
    ],
)
async def test_what_is_no_message_is_answered_by_an_error(web: aiohttp.ClientSession, sent: str, words: str) -> None:
    """The connection stays open."""
    async with listener(web) as ana:
        await ana.socket.send_str(sent)
        error = await ana.hears()
        assert set(error) == {"type", "error_code", "error_message", "timestamp"}
        assert (error["type"], words in error["error_message"]) == ("error", True)
        assert (await ana.asks(type="ping"))["type"] == "pong"


async def test_bytes_are_no_message(web: aiohttp.ClientSession) -> None:
    """A binary frame gets an error frame too."""
    async with listener(web) as ana:
        await ana.socket.send_bytes(b"{}")
        assert (await ana.hears())["type"] == "error"


# Frames that are pushed


async def test_events_are_sent_in_order(web: aiohttp.ClientSession, clock: Clock) -> None:
    """A new APV, its change, its decision and the statistics, each with the next seq."""
    async with listener(web) as ana:
        await ana.subscribes("apvs", "decisions", "stats")
        _, review = await submits(web, found())
        clock.advance(seconds=1)
        _, review = await submits(web, found(cve_title="Changed"))
        # What changes in a decision's own moment is told as that decision.
        clock.advance(seconds=1)
        record = await decides(web, review)
        told = [await ana.hears() for _ in range(4)]
    for one in told:
        del one["timestamp"]
    names = {"apv_id": review["apv_id"], "apv_code": review["apv_code"]}
    assert told[0] == {
        "type": "new_apv", "seq": 1, **names, "severity": "medium", "cve_id": "CVE-2023-32681",
        "package_name": "requests",
    }  # fmt: skip
    assert (told[1]["type"], told[1]["seq"], told[1]["version"]) == ("apv_updated", 2, 2)
    assert set(told[1]) == {"type", "seq", *names, "status", "version", "pr_number", "pr_url", "pr_checks"}
    assert told[2] == {
        "type": "decision_made", "seq": 3, **names, "decision_id": record["decision_id"], "decision": "approve",
        "reviewer_name": "Ana", "action_taken": "recorded",
    }  # fmt: skip
    assert told[3] == {
        "type": "stats_update", "seq": 4, "pending_reviews": 0, "total_decisions": 1, "decisions_today": 1,
    }  # fmt: skip


async def test_only_subscribed_channels_are_sent(web: aiohttp.ClientSession) -> None:
    """`subscribe` adds channels, `unsubscribe` removes them."""
    async with listener(web) as ana:
        await ana.subscribes("apvs")
        await ana.subscribes("decisions")
        await ana.asks(type="unsubscribe", channels=["apvs"])
        _, review = await submits(web, found())
        await decides(web, review)
        assert (await ana.hears())["type"] == "decision_made"


async def test_missed_events_are_sent_first(web: aiohttp.ClientSession) -> None:
    """`since` a seq: every later event on these channels, then new ones, none twice."""
    async with listener(web) as ana:
        await ana.subscribes("apvs")
        await submits(web, found(package_name="first"))
        seq = (await ana.hears())["seq"]
    for name in ("second", "third"):
        await submits(web, found(package_name=name))
    async with listener(web) as ana:
        await ana.subscribes("apvs", since=seq)
        await submits(web, found(package_name="fourth"))
        assert [(await ana.hears())["package_name"] for _ in range(3)] == ["second", "third", "fourth"]


async def test_events_reach_every_replica(database: Database, web: aiohttp.ClientSession, clock: Clock) -> None:
    """Every replica sends the same events with the same seq in the same order."""
    async with replica(database, clock) as other, listener(web) as ana, listener(other) as ben:
        await ana.subscribes("apvs", "decisions", "stats")
        await ben.subscribes("apvs", "decisions", "stats")
        for number, client in enumerate((web, other, web, other)):
            _, review = await submits(client, found(package_name=f"p{number}"))
            await decides(client, review)
        heard = [[await one.hears() for _ in range(12)] for one in (ana, ben)]
    assert heard[0] == heard[1]
    assert [one["seq"] for one in heard[0]] == list(range(1, 13))


async def test_a_refused_decision_sends_no_event(web: aiohttp.ClientSession) -> None:
    """It changes nothing, so it is no event."""
    async with listener(web) as ana:
        _, review = await submits(web, found(severity="critical"))
        await decides(web, review)
        await ana.subscribes("apvs", "decisions")
        async with web.post(
            "/hitl/decisions",
            json={
                "apv_id": review["apv_id"],
                "decision": "approve",
                "justification": WHY + "!",
                "reviewer_name": "A",
                "digest": review["digest"],
            },
        ) as answer:
            assert answer.status == 403
        await submits(web, found(package_name="next"))
        assert (await ana.hears())["type"] == "new_apv"


async def test_a_slow_reader_is_dropped_and_no_other(web: aiohttp.ClientSession, database: Database) -> None:
    """The one that does not read gets 1013; the other gets every frame."""
    many = 4 * BOUND
    async with listener(web) as slow, listener(web) as quick:
        await slow.subscribes("bulk")
        await quick.subscribes("apvs")
        # What nobody could keep up with without reading: some 60 MB.
        async with database.transaction() as tx:
            await tx.execute(
                text("""INSERT INTO feed_events (seq, channel, type, payload)
                SELECT n, 'bulk', 'bulk', jsonb_build_object('text', repeat('x', 15000))
                FROM generate_series(1, :many) AS n"""),
                {"many": many},
            )
            await tx.execute(text("UPDATE feed_head SET seq = :many"), {"many": many})
        await submits(web, found())
        assert (await quick.hears())["type"] == "new_apv"
        async with asyncio.timeout(SECONDS):
            while (message := await slow.socket.receive()).type is WSMsgType.TEXT:
                pass
    assert slow.socket.close_code == 1013, message


class BrokenFeed(Feed):
    """A feed whose frames cannot be sent."""

    async def subscribe(self, subscriber: Subscriber, channels: Collection[str], since: int | None) -> None:
        subscriber.offer(Frame("", "broken", cast("str", None)))


async def test_a_connection_that_cannot_be_written_to_is_closed(database: Database, clock: Clock) -> None:
    """1011 at once, where the connection would otherwise stay open and silent."""
    app, chosen = http.application(), settings(api_auth="none")
    feed.add_route(app, BrokenFeed(gate(database, clock)), Auth.of(chosen, clock.seconds), clock)
    async with serving(app) as client, listener(client) as ana:
        confirmed = await ana.asks(type="subscribe", channels=["apvs"])
        assert confirmed["type"] == "subscription_confirmed"
        async with asyncio.timeout(SECONDS):
            assert (await ana.socket.receive()).type is WSMsgType.CLOSE
        assert ana.socket.close_code == 1011


async def test_a_queue_has_a_bound() -> None:
    """One frame too many drops the subscriber."""
    slow, clock = Subscriber(), Clock()
    for _ in range(BOUND):
        slow.offer(frame("pong", clock()))
    assert not slow.dropped.is_set()
    slow.offer(frame("pong", clock()))
    assert slow.dropped.is_set()


async def test_the_server_says_when_it_goes(database: Database, clock: Clock) -> None:
    """1001, so that a client knows to reconnect."""
    async with aiohttp.ClientSession() as elsewhere:
        async with replica(database, clock) as client:
            url = client._base_url
            socket = await elsewhere.ws_connect(f"{url}/hitl/ws", headers={"Authorization": "Bearer all-token"})
            await Listener(socket).hears()
            async with asyncio.timeout(SECONDS):
                closing = asyncio.create_task(socket.receive())
                await asyncio.sleep(0)
        async with asyncio.timeout(SECONDS):
            await closing
        assert socket.close_code == 1001


# Who may listen


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({"Authorization": "Bearer wrong"}, "", 401),
        ({}, "?token=wrong", 401),
        (HOLDER["writer"], "", 403),
        ({}, "?token=writer-token", 403),
    ],
)
async def test_the_feed_needs_the_read_scope(
    database: Database, clock: Clock, headers: dict[str, str], query: str, status: int
) -> None:
    """Refused before the upgrade, with a `detail`."""
    async with (
        replica(database, clock) as client,
        aiohttp.ClientSession(client._base_url) as stranger,
        stranger.get(f"/hitl/ws{query}", headers=headers) as answer,
    ):
        assert (answer.status, bool((await answer.json())["detail"])) == (status, True)


async def test_a_token_may_come_in_the_query(database: Database, clock: Clock) -> None:
    """A browser cannot send a header with a WebSocket."""
    async with (
        replica(database, clock) as client,
        aiohttp.ClientSession(client._base_url) as browser,
        listener(browser, "/hitl/ws?token=reader-token") as ana,
    ):
        assert (await ana.asks(type="ping"))["type"] == "pong"


async def test_a_connection_ends_with_its_token(database: Database, clock: Clock) -> None:
    """1008 when the token's date comes; the same token opens no other one."""
    clock.at = datetime(2026, 12, 30, 23, 59, 59, 990_000, UTC)
    async with replica(database, clock, api_tokens=(f"{token('all', 'read')}:2026-12-31",)) as client:
        async with listener(client) as ana:
            assert (await ana.asks(type="ping"))["type"] == "pong"
            clock.advance(seconds=1)
            async with asyncio.timeout(SECONDS):
                assert (await ana.socket.receive()).type is WSMsgType.CLOSE
            assert ana.socket.close_code == 1008
        async with client.get("/hitl/ws") as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (401, "no-store")


async def test_without_tokens_other_pages_cannot_listen(database: Database, clock: Clock) -> None:
    """403 for a page of another origin, under another name, or through a proxy."""
    async with replica(database, clock, api_auth="none") as client:
        async with client.get("/hitl/ws", headers={"Origin": "https://elsewhere.example"}) as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (403, "no-store")
        for headers in ({"Host": "apv.example"}, {"X-Forwarded-For": "192.0.2.1"}, {"Via": "1.1 proxy"}):
            async with client.get("/hitl/ws", headers=headers) as answer:
                assert (answer.status, answer.headers["Cache-Control"]) == (403, "no-store")
        async with client.get("/hitl/ws") as answer:
            assert answer.status == 400
        assert (await gets(client, "/hitl/health"))["mode"] == "LIVE"
