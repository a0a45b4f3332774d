"""Settings come from the environment and `.env`; an error is one line that names the setting and no secret."""

import json
import os
import re
from pathlib import Path

import pytest

from bot.app.policy_watch import policy_source
from bot.app.vendors import private_key, secret
from bot.config import ConfigurationError, Settings
from bot.domain.policy import Principals

SHA, OTHER_SHA = "ab" * 32, "cd" * 32
SECRET = "hunter2-of-the-tests"  # pragma: allowlist secret


class Environment:
    """The environment of the process: none of our settings, except those that a test sets."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = patch
        self.folder = folder
        own = {name.upper() for name in Settings.model_fields}
        for name in list(os.environ):
            if name.upper() in own or name.upper().startswith("APV_BOT_"):
                patch.delenv(name)
        patch.chdir(folder)

    def has(self, **values: str) -> None:
        for name, value in values.items():
            self._patch.setenv(name, value)

    def file(self, text: str | bytes) -> None:
        (self.folder / ".env").write_bytes(text.encode() if isinstance(text, str) else text)

    def complaint(self, **values: str) -> str:
        self.has(**values)
        with pytest.raises(ConfigurationError) as caught:
            Settings.load()
        return str(caught.value)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    return Environment(monkeypatch, tmp_path)


def test_nothing_needs_to_be_set_to_look_around(environment: Environment) -> None:
    """Every setting has a default, and they are the contract's."""
    settings = Settings.load()
    assert (settings.host, settings.port, settings.apv_bot_home) == ("127.0.0.1", 8003, Path(".apv-bot"))
    assert (settings.slack_api_url, settings.github_api_url) == ("https://slack.com/api/", "https://api.github.com")
    assert (settings.api_auth, settings.rate_limit, settings.log_level, settings.log_format) == (
        "token", "60/s", "info", "auto",
    )  # fmt: skip
    assert (settings.debug, settings.prometheus_enabled, settings.websocket_enabled) == (False, True, True)
    assert (settings.default_repository, settings.opens_pulls, settings.repositories) == ("", False, frozenset())


URL_FAULT = "must be an http:// or https:// URL"
DATABASE_FAULT = "DATABASE_URL: must be a postgresql+asyncpg:// or postgresql:// URL"
SLACK_IDS = "a comma list of Slack user ids (U…, W…) and user-group ids (S…)"
TOKENS = (
    "API_TOKENS: must be a comma list of name[@owner]:scope+scope:sha256-of-token[:YYYY-MM-DD] "
    "(scopes read, submit, decide; owner: a Slack user id or an e-mail address)"
)
BOOLEAN = "Input should be a valid boolean, unable to interpret input"
BAD = [
    ("PORT", "many", "PORT: Input should be a valid integer, unable to parse string as an integer"),
    ("PORT", "65536", "PORT: Input should be less than or equal to 65535"),
    ("PORT", "-1", "PORT: Input should be greater than or equal to 0"),
    ("DATABASE_URL", f"mysql://bot:{SECRET}@db/apv", DATABASE_FAULT),
    ("DATABASE_URL", SECRET, DATABASE_FAULT),
    ("DATABASE_URL", f"postgresql://bot:{SECRET}@db:{SECRET}/apv", DATABASE_FAULT),
    ("DATABASE_URL", f"postgresql://bot:{SECRET}@db:543210/apv", DATABASE_FAULT),
    ("SLACK_API_URL", "slack.com/api", f"SLACK_API_URL: {URL_FAULT}"),
    ("SLACK_API_URL", "ftp://slack.com", f"SLACK_API_URL: {URL_FAULT}"),
    ("GITHUB_API_URL", "https://", f"GITHUB_API_URL: {URL_FAULT}"),
    ("GITHUB_API_URL", "https://github.example:port", f"GITHUB_API_URL: {URL_FAULT}"),
    ("GITHUB_API_URL", "https://[::1", f"GITHUB_API_URL: {URL_FAULT}"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", f"OTEL_EXPORTER_OTLP_ENDPOINT: {URL_FAULT}"),
    ("SLACK_REVIEW_CHANNEL", "#vuln", "SLACK_REVIEW_CHANNEL: must be a Slack channel id such as C0123ABCD"),
    ("SLACK_INCIDENT_CHANNEL", "U0ALICE", "SLACK_INCIDENT_CHANNEL: must be a Slack channel id such as C0123ABCD"),
    ("REVIEWERS", "U0ALICE,alice", f"REVIEWERS: must be {SLACK_IDS}"),
    ("REVIEWERS", "token:ci", f"REVIEWERS: must be {SLACK_IDS}"),
    ("REVIEWERS", '["U0ALICE"', "REVIEWERS: must be a comma list or a JSON list"),
    ("LEADS", "@carol", "LEADS: must be a comma list of Slack user ids (U…, W…), user-group ids (S…) and token:<name>"),
    ("GITHUB_INSTALLATION_ID", "0", "GITHUB_INSTALLATION_ID: Input should be greater than or equal to 1"),
    ("GITHUB_REPO_OWNER", "a/b", "GITHUB_REPO_OWNER: must be a GitHub name of letters, digits, '.', '_' and '-'"),
    ("GITHUB_REPO_ALLOWLIST", "shop", "GITHUB_REPO_ALLOWLIST: must be a comma list of owner/name"),
    ("API_AUTH", "maybe", "API_AUTH: Input should be 'token' or 'none'"),
    ("API_TOKENS", SECRET, TOKENS),
    ("API_TOKENS", f"ci:read:{SECRET}", TOKENS),
    ("API_TOKENS", f"ci:write:{SHA}", TOKENS),
    ("API_TOKENS", f"ci@carol:read:{SHA}", TOKENS),
    ("API_TOKENS", f"ci@S0TEAM:read:{SHA}", TOKENS),
    ("API_TOKENS", f"@U0ALICE:read:{SHA}", TOKENS),
    ("API_TOKENS", f"ci:read:{SHA}:31-12-2026", TOKENS),
    ("API_TOKENS", f"ci:read:{SHA}:2026-02-30", f"{TOKENS}; the date of ci does not exist"),
    (
        "API_TOKENS",
        f"ci:read:{SHA},CI@U0ALICE:decide:{OTHER_SHA}",
        "API_TOKENS: must give each token a name of its own (any case); CI appears twice",
    ),
    (
        "API_TOKENS",
        f"ci:read:{SHA},scan:submit:{SHA}",
        "API_TOKENS: must give each token a hash of its own; ci and scan have the same",
    ),
    ("API_DIGEST", "perhaps", "API_DIGEST: Input should be 'required' or 'optional'"),
    ("SLACK_PACE", "0/s", "SLACK_PACE: must be <number>/s, <number>/m or off"),
    ("RATE_LIMIT", "60", "RATE_LIMIT: must be <number>/s, <number>/m or off"),
    ("RATE_LIMIT", "0/s", "RATE_LIMIT: must be <number>/s, <number>/m or off"),
    ("LOG_LEVEL", "loud", "LOG_LEVEL: Input should be 'debug', 'info', 'warning' or 'error'"),
    ("LOG_FORMAT", "xml", "LOG_FORMAT: Input should be 'auto', 'console' or 'json'"),
    ("DEBUG", "perhaps", f"DEBUG: {BOOLEAN}"),
    ("PROMETHEUS_ENABLED", "2", f"PROMETHEUS_ENABLED: {BOOLEAN}"),
    ("WEBSOCKET_ENABLED", "on?", f"WEBSOCKET_ENABLED: {BOOLEAN}"),
    (
        "APV_BOT_HOEM",
        "/tmp",
        "APV_BOT_HOEM: no such setting; the only one that begins with APV_BOT_ is APV_BOT_HOME",
    ),
]


@pytest.mark.parametrize(("name", "value", "line"), BAD, ids=[f"{n}={v[:12]}" for n, v, _ in BAD])
def test_a_bad_value_is_one_line(environment: Environment, name: str, value: str, line: str) -> None:
    """It names the setting and what it accepts, and repeats no value."""
    said = environment.complaint(**{name: value})
    assert said == line
    assert "\n" not in said
    assert SECRET not in said
    assert SHA not in said


def test_every_bad_value_is_named_at_once(environment: Environment) -> None:
    """Four faults are reported by one start."""
    said = environment.complaint(PORT="x", DEBUG="x", RATE_LIMIT="x", DATABASE_URL="x")
    assert "\n" not in said
    assert [part.partition(":")[0] for part in said.split("; ")] == ["PORT", "DATABASE_URL", "RATE_LIMIT", "DEBUG"]


APP = {"GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": SECRET, "GITHUB_INSTALLATION_ID": "2"}


@pytest.mark.parametrize("missing", APP)
def test_a_github_app_is_set_whole(environment: Environment, missing: str) -> None:
    """All three settings of an app are required together."""
    said = environment.complaint(**{n: v for n, v in APP.items() if n != missing})
    assert said == "GITHUB_APP_ID: must be set together with GITHUB_APP_PRIVATE_KEY and GITHUB_INSTALLATION_ID"


@pytest.mark.parametrize("given", [{"GITHUB_TOKEN": SECRET}, APP, {"GITHUB_TOKEN": SECRET, "GITHUB_REPO_NAME": "x"}])
def test_github_needs_a_default_repository(environment: Environment, given: dict[str, str]) -> None:
    """Credentials without a repository are refused."""
    said = environment.complaint(**given)
    assert said == "GITHUB_REPO_OWNER, GITHUB_REPO_NAME: must both be set with the GitHub credentials"


NEEDED = {
    "SLACK_BOT_TOKEN": SECRET,
    "SLACK_SIGNING_SECRET": SECRET,
    "SLACK_REVIEW_CHANNEL": "C0REVIEW",
    "SLACK_INCIDENT_CHANNEL": "C0INCIDENT",
    "REVIEWERS": "U0ALICE",
}


def serve() -> None:
    """As `apv-bot serve` checks the settings."""
    settings = Settings.load()
    settings.require_to_serve(policy_source(settings).current())


def key() -> str:
    """The App's key of the settings."""
    return private_key(secret(Settings.load().github_app_private_key))


def test_what_serving_needs_is_named_whole(environment: Environment) -> None:
    """All that is missing, in one line."""
    with pytest.raises(ConfigurationError) as caught:
        serve()
    line = f"{', '.join(NEEDED)}: required to serve, and not set (see docs/configuration.md)"
    assert str(caught.value) == line


@pytest.mark.parametrize("missing", NEEDED)
def test_one_missing_setting_is_named_alone(environment: Environment, missing: str) -> None:
    """Unset and empty are the same."""
    environment.has(**{**NEEDED, missing: ""})
    with pytest.raises(ConfigurationError, match=f"^{missing}: required to serve"):
        serve()


def test_with_all_of_them_it_serves(environment: Environment) -> None:
    """Nothing else is required."""
    environment.has(**NEEDED)
    serve()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_every_spelling_of_a_postgresql_url_means_the_same(environment: Environment, scheme: str) -> None:
    """We choose the driver; the rest of the URL is kept as it is."""
    rest = "bot:p%40ss@db.example:5433/apv?host=/run/pg"
    environment.has(DATABASE_URL=f"{scheme}://{rest}")
    url = Settings.load().database_url
    assert url is not None
    assert url.get_secret_value() == f"postgresql+asyncpg://{rest}"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "LOCALHOST"])
def test_no_authentication_on_loopback(environment: Environment, host: str) -> None:
    """Nobody but this machine can ask."""
    environment.has(API_AUTH="none", HOST=host)
    assert Settings.load().api_auth == "none"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "apv.example", "127.0.0.1.example", "localhost.example"])
def test_no_authentication_anywhere_else(environment: Environment, host: str) -> None:
    """No authentication on a network address is refused at start."""
    said = environment.complaint(API_AUTH="none", HOST=host)
    assert said == "API_AUTH: none is accepted only when HOST is loopback (127.0.0.1, ::1, localhost)"


LISTS = [
    ("U0ALICE", ("U0ALICE",)),
    (" U0ALICE , S0TEAM,,W0BOB ", ("U0ALICE", "S0TEAM", "W0BOB")),
    ('["U0ALICE", "S0TEAM"]', ("U0ALICE", "S0TEAM")),
    ("", ()),
]


@pytest.mark.parametrize(("given", "read"), LISTS)
def test_lists_are_comma_or_json(environment: Environment, given: str, read: tuple[str, ...]) -> None:
    """Both spellings, with or without blanks."""
    environment.has(REVIEWERS=given)
    assert Settings.load().reviewers == read


def test_the_policy_is_made_of_the_settings(environment: Environment) -> None:
    """The built-in rules, with these people and channels; LEADS unset is no list of leads."""
    environment.has(**{**NEEDED, "REVIEWERS": "U0ALICE,S0TEAM"})
    policy = policy_source(Settings.load()).current()
    assert policy.reviewers == Principals(users=frozenset({"U0ALICE"}), groups=frozenset({"S0TEAM"}))
    assert policy.leads is None
    assert (policy.review_channel, policy.incident_channel) == ("C0REVIEW", "C0INCIDENT")
    environment.has(LEADS="U0CAROL,token:ci")
    led = policy_source(Settings.load()).current().leads
    assert led == Principals(users=frozenset({"U0CAROL"}), tokens=frozenset({"ci"}))


def test_the_env_file_is_read(environment: Environment) -> None:
    """And the environment wins over it."""
    environment.file("PORT=9001\nREVIEWERS=U0ALICE,U0BOB\n# a comment\nUNRELATED=1\n")
    assert (Settings.load().port, Settings.load().reviewers) == (9001, ("U0ALICE", "U0BOB"))
    environment.has(PORT="9002")
    assert Settings.load().port == 9002


def test_an_unknown_name_in_the_env_file_is_refused_too(environment: Environment) -> None:
    """A typing mistake there would be as silent as in the environment."""
    environment.file("apv_bot_hom=x\n")
    assert environment.complaint().startswith("apv_bot_hom: no such setting;")


def test_an_env_file_that_is_no_text_is_one_line(environment: Environment) -> None:
    """Not a trace."""
    environment.file(b"SLACK_BOT_TOKEN=\xff\xfe\n")
    assert environment.complaint() == ".env: must be a readable file of UTF-8 text"


def test_no_secret_is_shown(environment: Environment) -> None:
    """Neither in the settings' repr nor in any dump of them."""
    environment.has(
        **NEEDED,
        DATABASE_URL=f"postgresql://bot:{SECRET}@db/apv",
        SLACK_APP_TOKEN=SECRET,
        GITHUB_TOKEN=SECRET,
        GITHUB_REPO_OWNER="sample",
        GITHUB_REPO_NAME="shop",
        GITHUB_WEBHOOK_SECRET=SECRET,
        REDIS_URL=f"redis://:{SECRET}@redis",
        API_TOKENS=f"ci:read+submit:{SHA}",
    )
    settings = Settings.load()
    shown = f"{settings!r} {settings} {settings.model_dump(exclude={'api_tokens'})}"
    assert SECRET not in shown
    assert SHA not in shown
    assert SECRET not in json.dumps(settings.model_dump(mode="json", exclude={"api_tokens"}))


def test_a_github_key_is_text_or_a_path(environment: Environment) -> None:
    """PEM text as it is, or the file that holds it; a file that is not there is one line without the path."""
    pem = "-----BEGIN RSA PRIVATE KEY-----\nof the tests\n-----END RSA PRIVATE KEY-----\n"  # pragma: allowlist secret
    where = {**APP, "GITHUB_REPO_OWNER": "sample", "GITHUB_REPO_NAME": "shop"}
    environment.has(**{**where, "GITHUB_APP_PRIVATE_KEY": pem})  # pragma: allowlist secret
    assert key() == pem
    (environment.folder / "key.pem").write_text(pem)
    environment.has(GITHUB_APP_PRIVATE_KEY="key.pem")  # pragma: allowlist secret
    assert key() == pem
    environment.has(GITHUB_APP_PRIVATE_KEY=f"no/{SECRET}.pem")
    with pytest.raises(ConfigurationError) as caught:
        key()
    assert str(caught.value) == "GITHUB_APP_PRIVATE_KEY: must be PEM text or the path of a readable file"


def test_which_repositories_an_apv_may_name(environment: Environment) -> None:
    """The default repository and those of the allow-list, compared without case; without GitHub any."""
    environment.has(GITHUB_TOKEN=SECRET, GITHUB_REPO_OWNER="Sample", GITHUB_REPO_NAME="Shop")
    assert Settings.load().default_repository == "Sample/Shop"
    assert Settings.load().opens_pulls
    assert Settings.load().repositories == {"sample/shop"}
    environment.has(GITHUB_REPO_ALLOWLIST="Sample/Shop, sample/api")
    assert Settings.load().repositories == {"sample/shop", "sample/api"}


def test_every_setting_is_described(environment: Environment) -> None:
    """`config show` and the documentation print these words."""
    for name, setting in Settings.model_fields.items():
        assert setting.description, name
        assert re.fullmatch(r"[a-z0-9_]+", name)
