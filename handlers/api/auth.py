"""Who calls the REST API, what they may do there, and how often.

Tokens are known by their SHA-256 only, and compared in constant time.
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

from handlers import cors
from handlers.http import HttpError

Scope: TypeAlias = Literal["read", "submit", "decide"]
SCOPES: frozenset[str] = frozenset(get_args(Scope))

REMEMBERED = 10_000
"""Principals whose rate is known at once; whoever called longest ago is forgotten first."""
UNIT_SECONDS = {"s": 1, "m": 60}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: a token's name, or without tokens the client's address."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A configured token: `sha256` is 64 lower-case hex digits."""

    principal: Principal
    sha256: str

    @classmethod
    def of(cls, setting: str) -> "ApiToken":
        """Read `name:scope+scope:sha256-of-token`, which the settings have checked."""
        name, scopes, sha256 = setting.split(":")
        return cls(Principal(name, frozenset(scopes.split("+"))), sha256)


class RateLimit:
    """A token bucket for each principal: `burst` at once, `per_second` from then on."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @classmethod
    def of(cls, setting: str, clock: Callable[[], float] = time.monotonic) -> "RateLimit | None":
        """Read `60/s`, `60/m` or `off`, which the settings have checked."""
        if setting == "off":
            return None
        number, unit = setting.split("/")
        return cls(int(number) / UNIT_SECONDS[unit], int(number), clock)

    @property
    def remembered(self) -> int:
        """How many principals' rates are known, at most REMEMBERED."""
        return len(self._buckets)

    def seconds_to_wait(self, principal: str) -> float:
        """Count one request; 0 lets it through, otherwise the seconds after which one will be."""
        now = self._clock()
        left, at = self._buckets.pop(principal, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._per_second)
        waits = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[principal] = (left if waits else left - 1, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return waits


class Settings(Protocol):
    """The settings that matter here."""

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
    """Lets a request in, or says why not. `tokens` None asks for none: only where the server listens on loopback."""

    tokens: Sequence[ApiToken] | None
    limit: RateLimit | None = None
    origins: Sequence[str] = ()

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], float] = time.monotonic) -> "Auth":
        """As configured."""
        tokens = None if settings.api_auth == "none" else [ApiToken.of(each) for each in settings.api_tokens]
        return cls(tokens, RateLimit.of(settings.rate_limit, clock), settings.cors_origins)

    def admit(self, request: web.Request, scope: Scope) -> Principal:
        """Who calls, entitled to `scope`; raises HttpError 401, 403 or 429."""
        address = request.remote or "unknown"
        if self.tokens is None:
            principal: Principal | None = Principal(address, SCOPES)
        else:
            principal = _known(request.headers.get("Authorization", ""), self.tokens)
        # Guesses at tokens are counted by address.
        self._slow_down(f"token:{principal.name}" if principal and self.tokens else f"address:{address}")
        if principal is None:
            raise HttpError(401, "A valid token is required", {"WWW-Authenticate": "Bearer"})
        if scope not in principal.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise HttpError(403, f"The token lacks the scope {scope}", {"WWW-Authenticate": challenge})
        if self.tokens is None and scope != "read" and cors.foreign(request, self.origins):
            # Without tokens, any page open in a browser on this machine could write.
            raise HttpError(403, "Pages of this origin may not write here")
        return principal

    def admit_listener(self, request: web.Request) -> Principal:
        """Who opens the live feed; a browser cannot send a header with it, so `?token=` is taken too.

        Raises HttpError 401 or 403; listeners are not counted, guesses are.
        """
        address = request.remote or "unknown"
        if self.tokens is None:
            # No page may read what its origin may not, and a browser lets any page open a WebSocket.
            if cors.foreign(request, self.origins):
                raise HttpError(403, "Pages of this origin may not listen here")
            return Principal(address, SCOPES)
        given = request.headers.get("Authorization") or f"Bearer {request.query.get('token', '')}"
        principal = _known(given, self.tokens)
        if principal is None:
            self._slow_down(f"address:{address}")
            raise HttpError(401, "A valid token is required", {"WWW-Authenticate": "Bearer"})
        if "read" not in principal.scopes:
            raise HttpError(403, "The token lacks the scope read")
        return principal

    def _slow_down(self, principal: str) -> None:
        waits = self.limit.seconds_to_wait(principal) if self.limit else 0.0
        if waits:
            raise HttpError(429, "Too many requests", {"Retry-After": str(math.ceil(waits))})


def _known(header: str, tokens: Sequence[ApiToken]) -> Principal | None:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        return None
    given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
    # Each is compared, so that the time taken does not tell which one was nearly right.
    found = [each.principal for each in tokens if hmac.compare_digest(each.sha256, given)]
    return found[0] if found else None
