"""Tokens, scopes and rates, without a server."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.config import Settings
from bot.domain.tokens import ApiToken, TokenScope
from handlers.api.auth import REMEMBERED, Auth, Client, RateLimit
from handlers.http import HttpError


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def token(name: str, *scopes: str, owner: str = "", until: str = "") -> ApiToken:
    hashed = hashlib.sha256(name.encode()).hexdigest()
    return ApiToken.of(f"{name}{owner and '@'}{owner}:{'+'.join(scopes)}:{hashed}{until and ':'}{until}")


def admitted(auth: Auth, header: str | None, scope: TokenScope = "read") -> Client | int:
    """The client, or the status of the refusal."""
    headers = {"Host": "localhost"} | ({} if header is None else {"Authorization": header})
    request = make_mocked_request("GET", "/", headers=headers)
    try:
        return auth.admit(request, scope)
    except HttpError as refused:
        return refused.status


def test_a_token_is_its_name_and_scopes() -> None:
    """The client has the name and the scopes of its token, also when there are several tokens."""
    auth = Auth([token("first", "read"), token("second", "submit", "decide"), token("third", "read")])
    assert admitted(auth, "Bearer third") == Client("third", frozenset({"read"}))
    assert admitted(auth, "bearer  second ", "decide") == Client("second", frozenset({"submit", "decide"}))


@pytest.mark.parametrize("owner", ["U0ANA", "W0ANA", "ana.b@example.org"])
def test_a_token_may_speak_for_a_person(owner: str) -> None:
    """The name ends at the first @, and the owner is all of the rest."""
    assert token("ci-1.a", "decide", owner=owner).owner == owner
    assert admitted(Auth([token("ci-1.a", "decide", owner=owner)]), "Bearer ci-1.a", "decide") == Client(
        "ci-1.a", frozenset({"decide"}), owner
    )


def test_an_address_is_the_same_in_any_case() -> None:
    """ASCII letters only, so that no two people become one."""
    assert token("ci", "read", owner="Ana@Example.ORG").owner == "ana@example.org"
    assert token("ci", "read", owner="ÄNA@Example.ORG").owner == "Äna@example.org"


@pytest.mark.parametrize(
    ("day", "hour", "known"), [(30, 23, True), (31, 0, False), (31, 12, False)], ids=["before", "from", "after"]
)
def test_a_token_ends_with_its_date(day: int, hour: int, known: bool) -> None:
    """From the date on, in UTC, it is refused like an unknown one."""
    auth = Auth([token("ci", "read", until="2026-12-31")], now=lambda: datetime(2026, 12, day, hour, tzinfo=UTC))
    assert isinstance(admitted(auth, "Bearer ci"), Client) is known
    assert known or admitted(auth, "Bearer ci") == 401


def test_a_token_shows_no_hash() -> None:
    """Neither in its repr nor in what is said of a bad one."""
    known = token("ci", "read")
    assert known.sha256 not in f"{known!r} {known}"
    with pytest.raises(ValueError, match="the date of") as refused:
        token("ci", "read", until="2026-02-30")
    assert known.sha256 not in str(refused.value)


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
    """The settings become tokens and a rate; `none` asks for no token, and never for a digest."""
    hashed = hashlib.sha256(b"secret").hexdigest()
    chosen: dict[str, Any] = {"api_tokens": (f"ci:read+submit:{hashed}",), "rate_limit": "1/s"}
    auth = Auth.of(Settings(_env_file=None, **chosen), Seconds())
    assert admitted(auth, "Bearer secret") == Client("ci", frozenset({"read", "submit"}))
    assert admitted(auth, "Bearer secret") == 429
    everybody = Auth.of(Settings(_env_file=None, api_auth="none", rate_limit="off"))
    assert {admitted(everybody, None) for _ in range(100)} == {
        Client("unknown", frozenset({"read", "submit", "decide"}))
    }
    optional = Auth.of(Settings(_env_file=None, api_digest="optional"))
    assert [each.digest_required for each in (auth, everybody, optional)] == [True, False, False]


LOOPBACK = [
    "localhost",
    "LOCALHOST:8003",
    "localhost.",
    "localhost.:8003",
    "127.0.0.1",
    "127.9.9.9:80",
    "[::1]",
    "[::1]:8003",
]
ELSEWHERE = [
    "", "apv.example", "10.0.0.1", "0.0.0.0", "localhost.example", "127.0.0.1.example", "a.localhost", "[::2]:8003",
    "::1", "[::1", "localhost@apv.example", "apv.example:localhost", "localhost:80:80",
]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK)
def test_without_tokens_this_machine_is_admitted(host: str) -> None:
    """By any name that is always this machine's."""
    assert isinstance(asked(Host=host), Client)


@pytest.mark.parametrize("host", [*ELSEWHERE, None])
def test_without_tokens_a_name_that_leads_here_is_refused(host: str | None) -> None:
    """A page of that name would be of the same origin as the API (DNS rebinding)."""
    assert asked(**({} if host is None else {"Host": host})) == 403


@pytest.mark.parametrize("name", ["Forwarded", "Via", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Anything"])
def test_without_tokens_a_proxy_is_refused(name: str) -> None:
    """It passes on requests of others; with tokens it may."""
    assert asked(Host="localhost", **{name: "anything"}) == 403
    behind = make_mocked_request("GET", "/", headers={"Host": "apv.example", name: "x", "Authorization": "Bearer ci"})
    assert Auth([token("ci", "read")]).admit(behind, "read") == Client("ci", frozenset({"read"}))


def asked(**headers: str) -> Client | int:
    """The client without tokens, or the status; the listener's refusal is the same."""
    request, everybody = make_mocked_request("GET", "/", headers=headers), Auth(None)
    try:
        client = everybody.admit(request, "read")
    except HttpError as refused:
        with pytest.raises(HttpError, match="403"):
            everybody.admit_listener(request)
        return refused.status
    everybody.admit_listener(request)
    return client


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
