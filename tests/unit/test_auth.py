"""Tokens, scopes and rates, without a server."""

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from handlers.api.auth import REMEMBERED, ApiToken, Auth, Client, RateLimit, TokenScope
from handlers.http import HttpError


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def token(name: str, *scopes: str) -> ApiToken:
    return ApiToken.of(f"{name}:{'+'.join(scopes)}:{hashlib.sha256(name.encode()).hexdigest()}")


def admitted(auth: Auth, header: str | None, scope: TokenScope = "read") -> Client | int:
    """The client, or the status of the refusal."""
    request = make_mocked_request("GET", "/", headers={} if header is None else {"Authorization": header})
    try:
        return auth.admit(request, scope)
    except HttpError as refused:
        return refused.status


def test_a_token_is_its_name_and_scopes() -> None:
    """The client has the name and the scopes of its token, also when there are several tokens."""
    auth = Auth([token("first", "read"), token("second", "submit", "decide"), token("third", "read")])
    assert admitted(auth, "Bearer third") == Client("third", frozenset({"read"}))
    assert admitted(auth, "bearer  second ", "decide") == Client("second", frozenset({"submit", "decide"}))


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer fir", "first", "Basic first"])
def test_anything_else_is_unknown(header: str | None) -> None:
    """No token, a wrong one and another scheme are 401."""
    assert admitted(Auth([token("first", "read")]), header) == 401


def test_a_hash_is_not_a_token() -> None:
    """The hash in the settings does not work as a token."""
    known = token("first", "read")
    assert admitted(Auth([known]), f"Bearer {known.sha256}") == 401


def test_no_tokens_configured_lets_nobody_in() -> None:
    """`API_AUTH=token` with an empty list admits nobody."""
    assert admitted(Auth([]), "Bearer first") == 401


def test_a_missing_scope_is_refused() -> None:
    """No scope implies another."""
    auth = Auth([token("decider", "decide")])
    assert [admitted(auth, "Bearer decider", scope) for scope in ("read", "submit")] == [403, 403]


def test_as_configured() -> None:
    """The settings become tokens and a rate; `none` asks for no token."""
    chosen: dict[str, Any] = {"api_auth": "token", "api_tokens": (), "cors_origins": (), "rate_limit": "1/s"}
    hashed = hashlib.sha256(b"secret").hexdigest()
    auth = Auth.of(SimpleNamespace(**chosen | {"api_tokens": (f"ci:read+submit:{hashed}",)}), Seconds())
    assert admitted(auth, "Bearer secret") == Client("ci", frozenset({"read", "submit"}))
    assert admitted(auth, "Bearer secret") == 429
    everybody = Auth.of(SimpleNamespace(**chosen | {"api_auth": "none", "rate_limit": "off"}))
    assert {admitted(everybody, None) for _ in range(100)} == {
        Client("unknown", frozenset({"read", "submit", "decide"}))
    }


def test_the_burst_passes_and_the_rate_refills() -> None:
    """`60/s`: sixty at once, then one every sixtieth of a second, and never more than sixty saved up."""
    clock = Seconds()
    limit = RateLimit.of("60/s", clock)
    assert limit is not None
    assert sum(limit.seconds_to_wait("a") == 0 for _ in range(100)) == 60
    assert limit.seconds_to_wait("a") == pytest.approx(1 / 60)
    clock.now += 1 / 60 + 1e-9
    assert [limit.seconds_to_wait("a") == 0 for _ in range(2)] == [True, False]
    clock.now += 3600
    assert sum(limit.seconds_to_wait("a") == 0 for _ in range(100)) == 60


def test_a_rate_by_the_minute() -> None:
    """`30/m`: thirty at once, then one every two seconds."""
    limit = RateLimit.of("30/m", Seconds())
    assert limit is not None
    assert [limit.seconds_to_wait("a") for _ in range(31)][-1] == pytest.approx(2)


def test_waiting_in_vain_costs_nothing() -> None:
    """Refused requests do not push the next allowed one further away."""
    clock = Seconds()
    limit = RateLimit(1, 1, clock)
    for _ in range(10):
        limit.seconds_to_wait("a")
    clock.now += 1
    assert limit.seconds_to_wait("a") == 0


def test_each_client_has_a_rate_of_its_own_in_bounded_memory() -> None:
    """One client does not slow another down; only the latest are tracked, and busy ones stay among them."""
    limit = RateLimit(1, 1, Seconds())
    limit.seconds_to_wait("busy")
    for i in range(3 * REMEMBERED):
        assert limit.seconds_to_wait(f"address:{i}") == 0
        assert limit.seconds_to_wait("busy") > 0
    assert limit.remembered == REMEMBERED


def test_off_is_no_limit() -> None:
    """`off` sets no limit."""
    assert RateLimit.of("off") is None
