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
from typing import Literal, Protocol, TypeAlias, get_args

from aiohttp import web

from handlers.http import HttpError, cross_origin

TokenScope: TypeAlias = Literal["read", "submit", "decide"]
SCOPES: frozenset[str] = frozenset(get_args(TokenScope))

REMEMBERED = 10_000
"""Clients whose rate is tracked at once; the one that called least recently is dropped first."""
UNIT_SECONDS = {"s": 1, "m": 60}


@dataclass(frozen=True, slots=True)
class Client:
    """A client: the token's name, or its address if the API takes no tokens."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A configured token: `sha256` is 64 lower-case hex digits."""

    client: Client
    sha256: str

    @classmethod
    def of(cls, setting: str) -> "ApiToken":
        """Parse `name:scope+scope:sha256-of-token`, which the settings have validated."""
        name, scopes, sha256 = setting.split(":")
        return cls(Client(name, frozenset(scopes.split("+"))), sha256)


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
    def api_tokens(self) -> tuple[str, ...]: ...  # noqa: D102
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

    @classmethod
    def of(cls, settings: AuthSettings, clock: Callable[[], float] = time.monotonic) -> "Auth":
        """Create it from the settings."""
        tokens = None if settings.api_auth == "none" else [ApiToken.of(each) for each in settings.api_tokens]
        return cls(tokens, RateLimit.of(settings.rate_limit, clock), settings.cors_origins)

    def admit(self, request: web.Request, scope: TokenScope) -> Client:
        """The client, which has the scope; raises HttpError 401, 403 or 429."""
        address = request.remote or "unknown"
        if self.tokens is None:
            client: Client | None = Client(address, SCOPES)
        else:
            client = _known(request.headers.get("Authorization", ""), self.tokens)
        # Wrong tokens count against the address.
        self._slow_down(f"token:{client.name}" if client and self.tokens else f"address:{address}")
        if client is None:
            raise HttpError(401, "A valid token is required", {"WWW-Authenticate": "Bearer"})
        if scope not in client.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise HttpError(403, f"The token lacks the scope {scope}", {"WWW-Authenticate": challenge})
        if self.tokens is None and scope != "read" and cross_origin(request, self.origins):
            # Without tokens, any page open in a browser on this machine could write.
            raise HttpError(403, "Pages of this origin may not write here")
        return client

    def admit_listener(self, request: web.Request) -> None:
        """Let a client open the live feed; `?token=` works too, because browsers send no header with a WebSocket.

        Raises HttpError 401, 403 or 429. Only wrong tokens count towards the rate limit.
        """
        if self.tokens is None:
            # A browser lets any page open a WebSocket, whatever its origin.
            if cross_origin(request, self.origins):
                raise HttpError(403, "Pages of this origin may not listen here")
            return
        given = request.headers.get("Authorization") or f"Bearer {request.query.get('token', '')}"
        client = _known(given, self.tokens)
        if client is None:
            self._slow_down(f"address:{request.remote or 'unknown'}")
            raise HttpError(401, "A valid token is required", {"WWW-Authenticate": "Bearer"})
        if "read" not in client.scopes:
            raise HttpError(403, "The token lacks the scope read")

    def _slow_down(self, key: str) -> None:
        waits = self.limit.seconds_to_wait(key) if self.limit else 0.0
        if waits:
            raise HttpError(429, "Too many requests", {"Retry-After": str(math.ceil(waits))})


def _known(header: str, tokens: Sequence[ApiToken]) -> Client | None:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        return None
    given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
    # Compare every token, so that the time taken tells nothing about which one nearly matched.
    found = [each.client for each in tokens if hmac.compare_digest(each.sha256, given)]
    return found[0] if found else None
