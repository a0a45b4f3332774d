"""Starting: an invalid setting stops it in one line; for an unavailable dependency it waits while it listens."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bot.app.process import Bot
from tests import harness, web
from tests.command import Terminal
from tests.conftest import migrate
from tests.harness import World, running
from tests.process import apv_bot, environment

COMPLETE = {
    "SLACK_BOT_TOKEN": "xoxb-a-token",
    "SLACK_SIGNING_SECRET": "a signing secret",
    "SLACK_REVIEW_CHANNEL": "C0REVIEW",
    "SLACK_INCIDENT_CHANNEL": "C0INCIDENT",
    "REVIEWERS": "U0ALICE",
    "DATABASE_URL": web.nowhere(),
}
GITHUB = {"GITHUB_REPO_OWNER": "sample", "GITHUB_REPO_NAME": "shop"}
APP = {**GITHUB, "GITHUB_APP_ID": "1", "GITHUB_INSTALLATION_ID": "1"}
UNUSABLE = (
    ({"SLACK_REVIEW_CHANNEL": "#reviews"}, "SLACK_REVIEW_CHANNEL: must be a Slack channel id such as C0123ABCD"),
    ({"PORT": "http"}, "PORT: "),
    ({"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL: must be a postgresql+asyncpg:// or postgresql:// URL"),
    ({"REVIEWERS": "alice"}, "REVIEWERS: must be a comma list of Slack user ids"),
    (
        {"API_TOKENS": "scanner:read:a-token-in-the-clear"},
        "API_TOKENS: must be a comma list of name[@owner]:scope+scope:sha256",
    ),
    ({"HOST": "0.0.0.0", "API_AUTH": "none"}, "API_AUTH: none is accepted only when HOST is loopback"),
    ({"GITHUB_TOKEN": "ghp_a-token"}, "GITHUB_REPO_OWNER, GITHUB_REPO_NAME: must both be set"),
    ({**APP, "GITHUB_APP_PRIVATE_KEY": "no/such/file"}, "GITHUB_APP_PRIVATE_KEY: must be PEM text or the path"),
    (
        {**APP, "GITHUB_APP_PRIVATE_KEY": "-----BEGIN RSA PRIVATE KEY-----\nnothing\n-----END RSA PRIVATE KEY-----"},
        "GITHUB_APP_PRIVATE_KEY: must be a private key in PEM form",
    ),
    ({"APV_BOT_HOEM": "x"}, "APV_BOT_HOEM: no such setting"),
    ({"POLICY_FILE": "policy.toml"}, "POLICY_FILE: "),
)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """With everything set that serving needs."""
    return Terminal(tmp_path, COMPLETE)


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that is already in use."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield str(other.getsockname()[1])


def test_everything_that_is_missing_is_named(tmp_path: Path) -> None:
    """One line, and the exit code for configuration."""
    ended = Terminal(tmp_path).types("serve")
    assert ended.code == 2
    assert ended.line.startswith(
        "SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET, SLACK_REVIEW_CHANNEL, SLACK_INCIDENT_CHANNEL, REVIEWERS: required"
    )


@pytest.mark.parametrize(("settings", "line"), UNUSABLE)
def test_an_invalid_setting_is_named(terminal: Terminal, settings: dict[str, str], line: str) -> None:
    """One line with the setting and what it accepts, and nothing of a secret."""
    ended = terminal.types("serve", **settings)
    assert ended.code == 2
    assert ended.line.startswith(line)
    assert not [word for word in ("a-token", "clear", "nothing", "no/such") if word in ended.line]


def test_a_port_that_is_taken(terminal: Terminal, taken: str) -> None:
    """The line has the address; the exit code is the one for failure."""
    ended = terminal.types("serve", PORT=taken)
    assert ended.code == 1
    assert ended.complained == f"apv-bot: HOST, PORT: cannot listen on 127.0.0.1:{taken} (Address already in use)\n"


@pytest.mark.parametrize(
    ("host", "why"), [("192.0.2.1", "Cannot assign requested address"), ("nowhere.invalid", "no such host")]
)
def test_an_address_that_is_not_ours(terminal: Terminal, host: str, why: str) -> None:
    """Neither another machine's nor one that does not exist."""
    ended = terminal.types("serve", HOST=host)
    assert ended.code == 1
    assert ended.complained == f"apv-bot: HOST, PORT: cannot listen on {host}:8003 ({why})\n"


@pytest.fixture
async def outside(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Slack, GitHub and a database, and no bot yet."""
    async with harness.surroundings(database_url, tmp_path) as made:
        yield made


@asynccontextmanager
async def vendors_away(world: World) -> AsyncIterator[None]:
    """Slack and GitHub are unreachable."""
    await world.sandbox.__aexit__(None, None, None)
    try:
        yield
    finally:
        await world.sandbox.__aenter__()


@pytest.mark.long
async def test_it_starts_with_everything_away(outside: World, database_url: str, tmp_path: Path) -> None:
    """It listens at once, shows what it waits for, and becomes ready automatically, even without GitHub."""
    world, port = outside, web.free_port()
    away = make_url(database_url).set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
    env = environment(world.settings, DATABASE_URL=away, GITHUB_API_URL="http://127.0.0.1:1")
    async with apv_bot("serve", env=env, folder=tmp_path) as bot:
        async with vendors_away(world):
            await bot.listens()
            world.talks_to(bot)
            assert await bot.asks("/health/live") == (200, {"status": "alive"})
            assert (await bot.asks("/health"))[0] == 200
            await world.parts_are(
                database="unreachable", migrations="unknown", slack="unanswered", github="unreachable", worker="stopped"
            )
            status, body = await bot.asks("/health/ready")
            assert (status, body["status"]) == (503, "not_ready")
        await world.parts_are(slack="ok", database="unreachable")
        assert (await bot.asks("/health/ready"))[0] == 503
        async with world.http.get(f"{world.url}/hitl/reviews") as answer:
            assert answer.status == 503
        async with web.Relay(database_url, port):
            await world.parts_are(database="ok", migrations="ok", slack="ok", github="unreachable", worker="ok")
            await bot.is_ready()
            assert await bot.asks("/health/startup") == (200, {"status": "started"})
            # What needs GitHub waits for it; the card does not.
            await world.card((await world.post_apv(harness.sample(harness.HIGH)))["apv_code"])
    assert [line for line in bot.log if line["level"] in {"error", "critical"} or "exception" in line] == []


async def test_a_database_that_is_behind(empty_database_url: str, tmp_path: Path) -> None:
    """It listens, reports it, does not migrate, and is ready once an operator has migrated."""
    async with harness.surroundings(empty_database_url, tmp_path) as world, running(Bot(world.settings)) as bot:
        world.talks_to(bot)
        await world.parts_are(database="ok", migrations="behind", slack="ok", worker="stopped")
        async with world.http.get(f"{world.url}/hitl/reviews") as answer:
            assert answer.status == 503
            assert "apv-bot migrate" in (await answer.json())["detail"]
        assert await world.rows("SELECT 1 FROM information_schema.tables WHERE table_schema = 'public'") == []
        await migrate(empty_database_url)
        await world.parts_are(migrations="ok", worker="ok")
        await world.submit()
        await world.settle()


@pytest.mark.parametrize(("failure", "word"), [("invalid_auth", "refused"), ("http503", "unanswered")])
async def test_slack_does_not_let_it_in(outside: World, failure: str, word: str) -> None:
    """The process stays up and reports it; once Slack accepts the token, it is ready without a restart."""
    outside.slack.fail("auth.test", failure, times=None)
    async with running(Bot(outside.settings)) as bot:
        outside.talks_to(bot)
        await outside.parts_are(slack=word, database="ok", worker="ok")
        async with outside.http.get(f"{outside.url}/health/ready") as answer:
            assert answer.status == 503
        outside.slack.clear_faults()
        await outside.parts_are(slack="ok")
        await outside.submit()
        await outside.settle()
