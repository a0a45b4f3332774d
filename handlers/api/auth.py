"""Authentication, scopes and rate limits of the REST API.

Only the SHA-256 of a token is kept, and compared in constant time.
"""

import hashlib
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from aiohttp import web

from bot.domain.tokens import SCOPES, ApiToken, TokenScope
from handlers.http import HttpError, cross_origin, through_a_proxy, to_loopback

REMEMBERED = 10_000
"""Clients whose rate is tracked at once; the one that called least recently is dropped first."""
UNIT_SECONDS = {"s": 1, "m": 60}


@dataclass(frozen=True, slots=True)
class Client:
    """A client: the token's name and owner, or its address if the API takes no tokens."""

    name: str
    scopes: frozenset[TokenScope]
    owner: str | None = None
    ends_at: datetime | None = None
    """As in `ApiToken`."""


class RateLimit:
    """A token bucket per client: `burst` requests at once, then `per_second`."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @classmethod
    def of(cls, setting: str, clock: Callable[[], float] = time.monotonic) -> "RateLimit | None":
        """Parse `60/s`, `60/m` or `off`, which the settings have validated."""
        if setting == "off":
            return None
        number, unit = setting.split("/")
        return cls(int(number) / UNIT_SECONDS[unit], int(number), clock)

    @property
    def remembered(self) -> int:
        """The number of clients tracked, at most REMEMBERED."""
        return len(self._buckets)

    def seconds_to_wait(self, client: str) -> float:
        """Count one request; 0 lets it through, otherwise the seconds until the next one passes."""
        now = self._clock()
        left, at = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._per_second)
        waits = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[client] = (left if waits else left - 1, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return waits


class AuthSettings(Protocol):
    """The settings this module reads."""

    @property
    def api_auth(self) -> Literal["token", "none"]: ...  # noqa: D102
    @property
    def api_digest(self) -> Literal["required", "optional"]: ...  # noqa: D102
    @property
    def tokens(self) -> tuple[ApiToken, ...]: ...  # noqa: D102
    @property
    def cors_origins(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def rate_limit(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Auth:
    """Admits requests. With `tokens` None no token is needed: allowed only on loopback."""

    tokens: Sequence[ApiToken] | None
    limit: RateLimit | None = None
    origins: Sequence[str] = ()
    digest_required: bool = False
    """An approval names the digest it is for."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def of(
        cls,
        settings: AuthSettings,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> "Auth":
        """Create it from the settings; `clock` is monotonic, `now` tells on which day a token ends."""
        asks = settings.api_auth == "token"
        return cls(
            tokens=settings.tokens if asks else None,
            limit=RateLimit.of(settings.rate_limit, clock),
            origins=settings.cors_origins,
            digest_required=asks and settings.api_digest == "required",
            now=now,
        )

    def admit(self, request: web.Request, scope: TokenScope) -> Client:
        """The client, which has the scope; raises HttpError 401, 403 or 429."""
        address = request.remote or "unknown"
        if self.tokens is None:
            client: Client | None = Client(address, SCOPES)
        else:
            client = self._known(request.headers.get("Authorization", ""), self.tokens)
        # Wrong tokens count against the address.
        self._slow_down(f"token:{client.name}" if client and self.tokens else f"address:{address}")
        if client is None:
            raise HttpError(401, "A valid token is required", {"WWW-Authenticate": "Bearer"})
        if scope not in client.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise HttpError(403, f"The token lacks the scope {scope}", {"WWW-Authenticate": challenge})
        if self.tokens is None:
            _refuse_others(request)
            # Without tokens, any page open in a browser on this machine could write.
            if scope != "read" and cross_origin(request, self.origins):
                raise HttpError(403, "Pages of this origin may not write here")
        return client

    def admit_listener(self, request: web.Request) -> Client:
        """The client that opens the live feed; `?token=` works too, because browsers send no header with a WebSocket.

        Raises HttpError 401, 403 or 429. Only wrong tokens count towards the rate limit.
        """
        if self.tokens is None:
            _refuse_others(request)
            # A browser lets any page open a WebSocket, whatever its origin.
            if cross_origin(request, self.origins):
                raise HttpError(403, "Pages of this origin may not listen here")
            return Client(request.remote or "unknown", SCOPES)
        given = request.headers.get("Authorization") or f"Bearer {request.query.get('token', '')}"
        client = self._known(given, self.tokens)
        if client is None:
            self._slow_down(f"address:{request.remote or 'unknown'}")
            raise HttpError(401, "A valid token is required", {"WWW-Authenticate": "Bearer"})
        if "read" not in client.scopes:
            raise HttpError(403, "The token lacks the scope read")
        return client

    def _slow_down(self, key: str) -> None:
        waits = self.limit.seconds_to_wait(key) if self.limit else 0.0
        if waits:
            raise HttpError(429, "Too many requests", {"Retry-After": str(math.ceil(waits))})

    def _known(self, header: str, tokens: Sequence[ApiToken]) -> Client | None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        # Compare every token, so that the time taken tells nothing about which one nearly matched.
        found = [each for each in tokens if hmac.compare_digest(each.sha256, given)]
        client = Client(found[0].name, found[0].scopes, found[0].owner, found[0].ends_at) if found else None
        return None if client is None or (client.ends_at is not None and client.ends_at <= self.now()) else client


def _refuse_others(request: web.Request) -> None:
    """Without tokens, only this machine may call: refuse what a proxy passed on, and host names that point here."""
    if through_a_proxy(request):
        raise HttpError(
            403, "API_AUTH=none admits no request that came through a proxy (Forwarded, X-Forwarded-*, Via)"
        )
    if not to_loopback(request):
        raise HttpError(403, "API_AUTH=none admits only requests to localhost, 127.0.0.1 or [::1]")
