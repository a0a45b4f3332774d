"""One real click on a real card, from submission to acknowledgement: what was sent, and the SQL that it caused.

The request becomes the load generator's template and the SQL pgbench's script, so neither can drift from the bot.
"""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import aiohttp
import asyncpg
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.pool import ConnectionPoolEntry

from bot import samples
from bot.app.process import Bot
from bot.sandbox.slack import SlackSandbox
from storage.database import Database
from tests.benchmarks.load import Order, send

SAMPLE = "flask-cve-2023-30861.json"
"""High: one approval closes it, which queues all that a decision can: card, thread, pull request."""
CHANNEL, REVIEWER = "vuln-review", "alice"
WARMING = range(1, 65)
"""Copies that are decided before the click that counts: several on each connection of the pool."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as the server was given it; an argument is its text, None for NULL."""

    sql: str
    args: Sequence[str | None] = ()


@dataclass(frozen=True, slots=True)
class RecordedClick:
    """The body of the request, the review that it names, and its statements, in order."""

    body: str
    review_id: UUID
    statements: Sequence[Statement]


def copy_of(review_id: UUID, number: int) -> UUID:
    """The id of a numbered copy of the review: its last twelve digits are the number."""
    return UUID(f"{str(review_id)[:-12]}{number:012d}")


async def record_click(
    bot: Bot, slack: SlackSandbox, signing_secret: str, copied: Callable[[UUID], Awaitable[None]]
) -> RecordedClick:
    """Submit a sample over the API, approve its card, and then each of its copies that WARMING numbers.

    `copied` makes the copies of the review that it is given. `bot` runs here, with both roles, and nothing has used
    its database yet.
    """
    statements = _overhear(bot.database)
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{bot.port}/hitl/reviews", json=json.loads(dict(samples.apvs())[SAMPLE])) as answer,
    ):
        assert answer.status == 201, await answer.text()
        review_id = UUID((await answer.json())["apv_id"])
    card = (await slack.changed(lambda: slack.messages(CHANNEL)))[0]
    await copied(review_id)
    slack.request_url = f"http://127.0.0.1:{bot.port}/slack/events"
    delivery = await slack.click(REVIEWER, CHANNEL, card.ts, text="Approve")
    assert delivery.ok, delivery
    assert delivery.request is not None
    body = delivery.request.body.decode()
    # The first on a connection also asks for types and plans; what every later one sends is what counts.
    order = Order(
        port=bot.port,
        signing_secret=signing_secret,
        connections=1,
        body=body,
        template_review=str(review_id),
        reviews=[str(copy_of(review_id, number)) for number in WARMING],
    )
    tally = await send(order)
    assert tally.statuses == {"200": len(WARMING)}, tally.statuses
    return RecordedClick(body, review_id, _last_decision(statements))


def _overhear(database: Database) -> list[tuple[int, Statement]]:
    """Let the server tell every statement that it is sent, with the connection that it came over."""
    heard: list[tuple[int, Statement]] = []

    def listen(adapted: AsyncAdapt_asyncpg_connection, _entry: ConnectionPoolEntry) -> None:
        def hear(connection: asyncpg.Connection, message: asyncpg.PostgresLogMessage) -> None:
            if statement := _statement(message.message, message.detail or ""):
                heard.append((connection.get_server_pid(), statement))

        adapted.driver_connection.add_log_listener(hear)
        adapted.run_async(lambda c: c.execute("SET log_statement = 'all'; SET client_min_messages = 'log'"))

    event.listen(database.engine.sync_engine, "connect", listen)
    return heard


MESSAGE = re.compile(r"(?:statement|execute [^:]*): (.*)", re.DOTALL)
ARGUMENT = re.compile(r"\$\d+ = (?:NULL|'((?:[^']|'')*)')")


def _statement(message: str, detail: str) -> Statement | None:
    found = MESSAGE.fullmatch(message)
    if found is None:
        return None
    values = [argument[1] for argument in ARGUMENT.finditer(detail)]
    return Statement(found[1], [value if value is None else value.replace("''", "'") for value in values])


DELIVERY_KEY = re.compile(r'"delivery": "[0-9a-f]{64}"')


def _last_decision(heard: Sequence[tuple[int, Statement]]) -> list[Statement]:
    """What the last click read and what it wrote, known by its delivery key; the worker's statements run beside it."""
    decision: list[Statement] = []
    before: dict[int, Statement] = {}
    for connection, statement in heard:
        if any(arg and DELIVERY_KEY.search(arg) for arg in statement.args):
            decision = [before[connection], statement]
        before[connection] = statement
    assert decision, "no statement holds the key of a delivery"
    return decision
