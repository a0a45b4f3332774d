"""Sends signed clicks over any number of connections, each the next as soon as the last is answered.

`python -m tests.benchmarks.load`: an Order on standard input, a Tally on standard output, both JSON.
Standard library only and everything signed beforehand, so that the machine's time goes to the server.
"""

import asyncio
import hashlib
import hmac
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Order:
    """What to send: the body of a real click, in which each name in `reviews` takes the place of `template_review`."""

    port: int
    signing_secret: str
    connections: int
    body: str
    template_review: str
    reviews: list[str]


@dataclass(frozen=True, slots=True)
class Tally:
    """What came back. `latencies` and `elapsed` are in seconds, `statuses` counts answers by HTTP status."""

    elapsed: float
    latencies: list[float]
    statuses: dict[str, int]


def requests(order: Order) -> Iterator[bytes]:
    """Every request, whole and signed now."""
    secret, stamp = order.signing_secret.encode(), str(int(time.time())).encode()
    for review in order.reviews:
        body = order.body.replace(order.template_review, review).encode()
        signature = hmac.new(secret, b"v0:" + stamp + b":" + body, hashlib.sha256).hexdigest().encode()
        yield b"".join(
            (
                b"POST /slack/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % order.port,
                b"User-Agent: Slackbot 1.0 (+https://api.slack.com/robots)\r\n",
                b"Accept-Encoding: gzip,deflate\r\nAccept: application/json,*/*\r\n",
                b"X-Slack-Signature: v0=%b\r\nX-Slack-Request-Timestamp: %b\r\n" % (signature, stamp),
                b"Content-Length: %d\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n" % len(body),
                body,
            )
        )


class Connection(asyncio.Protocol):
    """One keep-alive connection, taking requests from a queue that all share."""

    def __init__(self, waiting: Iterator[bytes], statuses: Counter[str], latencies: list[float]) -> None:
        self._waiting, self._statuses, self._latencies = waiting, statuses, latencies
        self._received = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send_next(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not separator or (length is not None and len(body) < int(length[1])):
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._statuses[head[9:12].decode()] += 1
        self._received = b""
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


async def send(order: Order) -> Tally:
    waiting, statuses, latencies = iter(list(requests(order))), Counter[str](), list[float]()
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: Connection(waiting, statuses, latencies), "127.0.0.1", order.port))[1]
        for _ in range(order.connections)
    ]
    began = time.perf_counter()
    for connection in connections:
        connection.send_next()
    await asyncio.gather(*(connection.done for connection in connections))
    return Tally(time.perf_counter() - began, latencies, dict(statuses))


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(send(Order(**json.load(sys.stdin)))))))
