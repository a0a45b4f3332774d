"""Every setting: its name, default and reason. Read from the environment and `.env`, once, at start.

A wrong value or an unknown `APV_BOT_*` name raises ConfigurationError with one line that names the setting.
"""

import json
import os
import re
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.domain.policy import Policy
from bot.domain.tokens import SHAPE, ApiToken, repeated

LOOPBACK = ("127.0.0.1", "::1", "localhost")
OWN_PREFIX = "APV_BOT_"

T = TypeVar("T", str, tuple[str, ...])


class ConfigurationError(Exception):
    """The settings cannot be used; the message is one line for the terminal, without any value of a secret."""


def _comma_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return tuple(str(item) for item in json.loads(value))
        except ValueError as error:
            raise ValueError("must be a comma list or a JSON list") from error
    return tuple(item.strip() for item in value.split(",") if item.strip())


def _matching(pattern: str, accepts: str) -> AfterValidator:
    """A check of a text, or of each text in a list."""
    compiled = re.compile(pattern)

    def check(value: T) -> T:
        if not all(compiled.fullmatch(item) for item in ([value] if isinstance(value, str) else value)):
            raise ValueError(f"must be {accepts}")
        return value

    return AfterValidator(check)


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("must be an http:// or https:// URL")
    return value


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() in LOOPBACK


def _tokens(items: tuple[str, ...]) -> tuple[str, ...]:
    if (fault := repeated([ApiToken.of(item) for item in items])) is not None:
        raise ValueError(fault)
    return items


PRINCIPAL = r"[UW][A-Z0-9]{1,30}|S[A-Z0-9]{1,30}"
CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]
SlackIds = Annotated[CommaList, _matching(PRINCIPAL, "a comma list of Slack user ids (U…, W…) and user-group ids (S…)")]
LeadIds = Annotated[
    CommaList,
    _matching(
        rf"{PRINCIPAL}|token:[A-Za-z0-9._-]{{1,100}}",
        "a comma list of Slack user ids (U…, W…), user-group ids (S…) and token:<name>",
    ),
]
ApiTokens = Annotated[CommaList, AfterValidator(_tokens)]
Repositories = Annotated[CommaList, _matching(r"[\w.-]+/[\w.-]+", "a comma list of owner/name")]
ChannelId = Annotated[str, _matching(r"[CGD][A-Z0-9]{1,30}", "a Slack channel id such as C0123ABCD")]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
SlashedUrl = Annotated[HttpUrl, AfterValidator(lambda url: url.rstrip("/") + "/")]
Name = Annotated[str, _matching(r"[A-Za-z0-9._-]{1,100}", "a GitHub name of letters, digits, '.', '_' and '-'")]
Rate = Annotated[str, _matching(r"off|[1-9]\d{0,5}/(s|m)", "<number>/s, <number>/m or off")]


class Settings(BaseSettings):
    """The process's settings; secrets are SecretStr and never leave it."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address on which the one aiohttp server listens")
    port: int = Field(8003, ge=0, le=65535, description="Its port")
    drain_seconds: float = Field(
        0.0, ge=0, le=60, description="Seconds that requests are still accepted after SIGTERM, while readiness says no"
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql+asyncpg://… (plain postgresql:// means the same); unset: embedded PostgreSQL"
    )
    apv_bot_home: Path = Field(Path(".apv-bot"), description="Folder of the embedded database and the demo's state")

    slack_bot_token: SecretStr | None = Field(None, description="Bot token (xoxb-…); required to serve")
    slack_signing_secret: SecretStr | None = Field(None, description="Signing secret; required to serve")
    slack_app_token: SecretStr | None = Field(None, description="App token (xapp-…); set: Socket Mode, unset: HTTP")
    slack_api_url: SlashedUrl = Field("https://slack.com/api/", description="Base URL of Slack's Web API")
    slack_pace: Rate = Field("1/s", description="Messages to one Slack channel: <number>/s, <number>/m or off")
    slack_review_channel: ChannelId | None = Field(None, description="Channel id for the cards; required to serve")
    slack_incident_channel: ChannelId | None = Field(
        None, description="Channel id for alerts and the fallback for cards; required to serve"
    )
    reviewers: SlackIds = Field((), description="Comma list of Slack user ids and user-group ids; required to serve")
    leads: LeadIds = Field((), description="Like REVIEWERS, and token:<name>: who may close an escalated review")
    policy_file: Path | None = Field(None, description="Policy file (TOML); unset: the built-in policy")

    github_token: SecretStr | None = Field(None, description="Token that may push branches and open pull requests")
    github_app_id: str | None = Field(None, description="GitHub App, in place of a token")
    github_app_private_key: SecretStr | None = Field(None, description="Its key: PEM text or a path")
    github_installation_id: int | None = Field(None, ge=1, description="Its installation")
    github_api_url: HttpUrl = Field("https://api.github.com", description="Base URL of GitHub's REST API")
    github_repo_owner: Name | None = Field(None, description="Owner of the default repository")
    github_repo_name: Name | None = Field(None, description="Name of the default repository")
    github_repo_allowlist: Repositories = Field((), description="owner/name of every repository that an APV may name")
    github_webhook_secret: SecretStr | None = Field(None, description="Secret of GitHub's webhooks")

    api_auth: Literal["token", "none"] = Field("token", description="REST authentication; none only on loopback")
    api_tokens: ApiTokens = Field((), description=f"Comma list of {SHAPE}", repr=False)
    api_digest: Literal["required", "optional"] = Field(
        "required", description="Whether an approval over the API names the digest it is for"
    )
    cors_origins: CommaList = Field((), description="Comma list or JSON list of origins")
    rate_limit: Rate = Field("60/s", description="REST requests per principal: <number>/s, <number>/m or off")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level shown")
    log_format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else JSON")
    debug: bool = Field(False, description="More detail in the log; never in an answer")
    prometheus_enabled: bool = Field(True, description="Serve /metrics")
    websocket_enabled: bool = Field(True, description="Serve the live feed")
    redis_url: SecretStr | None = Field(None, description="Reserved for the optional stream intake")
    otel_exporter_otlp_endpoint: HttpUrl | None = Field(None, description="Where traces go")

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        scheme, separator, rest = value.get_secret_value().partition("://")
        url = f"postgresql+asyncpg://{rest}"
        try:
            usable = separator and scheme in {"postgresql", "postgres", "postgresql+asyncpg"}
            usable = usable and (make_url(url).port or 0) <= 65535
        except (ValueError, ArgumentError):
            usable = False
        if not usable:
            raise ValueError("must be a postgresql+asyncpg:// or postgresql:// URL")
        return SecretStr(url)

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> Self:
        """Read and check all settings; raises ConfigurationError."""
        _refuse_unknown(env_file)
        try:
            settings = cls(_env_file=env_file)
        except ValidationError as error:
            raise ConfigurationError("; ".join(_line(e["loc"], e["msg"]) for e in error.errors())) from None
        settings._check_together()
        return settings

    def _check_together(self) -> None:
        if self.api_auth == "none" and not _loopback(self.host):
            raise ConfigurationError(
                "API_AUTH: none is accepted only when HOST is loopback (127.0.0.1, ::1, localhost)"
            )
        app = (self.github_app_id, self.github_app_private_key, self.github_installation_id)
        if any(app) and not all(app):
            raise ConfigurationError(
                "GITHUB_APP_ID: must be set together with GITHUB_APP_PRIVATE_KEY and GITHUB_INSTALLATION_ID"
            )
        if (self.github_token or all(app)) and not (self.github_repo_owner and self.github_repo_name):
            raise ConfigurationError(
                "GITHUB_REPO_OWNER, GITHUB_REPO_NAME: must both be set with the GitHub credentials"
            )

    def require_to_serve(self, policy: Policy) -> None:
        """Raise ConfigurationError with the name of every setting that serving needs and that is missing."""
        needed = {
            "SLACK_BOT_TOKEN": self.slack_bot_token,
            "SLACK_SIGNING_SECRET": self.slack_signing_secret,
            "SLACK_REVIEW_CHANNEL": self.slack_review_channel,
            "SLACK_INCIDENT_CHANNEL": self.slack_incident_channel,
            "REVIEWERS": policy.reviewers,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise ConfigurationError(
                f"{', '.join(missing)}: required to serve, and not set (see docs/configuration.md)"
            )

    @property
    def tokens(self) -> tuple[ApiToken, ...]:
        """The tokens of API_TOKENS."""
        return tuple(map(ApiToken.of, self.api_tokens))

    @property
    def default_repository(self) -> str:
        """`owner/name`, empty without GitHub settings."""
        if self.github_repo_owner and self.github_repo_name:
            return f"{self.github_repo_owner}/{self.github_repo_name}"
        return ""

    @property
    def opens_pulls(self) -> bool:
        """Whether GitHub credentials and a default repository are set."""
        return bool((self.github_token or self.github_app_id) and self.default_repository)

    @property
    def repositories(self) -> frozenset[str]:
        """`owner/name`, case-folded, of what an APV may name; empty without GitHub: anything.

        The default repository is always among them: an APV that names none is for it.
        """
        allowed = (*self.github_repo_allowlist, self.default_repository)
        return frozenset(name.casefold() for name in allowed if name)


def _line(loc: tuple[int | str, ...], message: str) -> str:
    return f"{str(loc[0]).upper() if loc else 'settings'}: {message.removeprefix('Value error, ')}"


def _refuse_unknown(env_file: Path | None) -> None:
    names: Iterable[str] = os.environ
    if env_file is not None and env_file.is_file():
        try:
            names = [*names, *dotenv_values(env_file)]
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError(f"{env_file.name}: must be a readable file of UTF-8 text") from None
    known = {name.upper() for name in Settings.model_fields}
    for name in sorted(names):
        if name.upper().startswith(OWN_PREFIX) and name.upper() not in known:
            raise ConfigurationError(
                f"{name}: no such setting; the only one that begins with {OWN_PREFIX} is APV_BOT_HOME"
            )
