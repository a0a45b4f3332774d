"""The settings' GitHub: its client, and where its pages are."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.config import LOOPBACK, ConfigurationError, Settings
from bot.integrations.errors import Permanent
from bot.integrations.github.client import AppInstallation, GitHubClient


def secret(value: SecretStr | None) -> str:
    """The secret itself, empty when it is not set."""
    return value.get_secret_value() if value else ""


def web_origin(api_url: str) -> str:
    """Where GitHub shows pages, from where it answers calls."""
    parts = urlsplit(api_url)
    return "https://github.com" if parts.hostname == "api.github.com" else f"{parts.scheme}://{parts.netloc}"


def github_client(settings: Settings) -> GitHubClient | None:
    """The client of these settings; None without GitHub. Raises ConfigurationError for a key that is none."""
    if not settings.opens_pulls:
        return None
    credentials: str | AppInstallation = secret(settings.github_token)
    if not credentials:
        credentials = AppInstallation(
            app_id=settings.github_app_id or "",
            installation_id=settings.github_installation_id or 0,
            private_key=settings.github_private_key(),
        )
    owner, _, name = settings.default_repository.partition("/")
    # One write a second is what GitHub asks of its clients; a server on this machine asks for nothing.
    local = urlsplit(settings.github_api_url).hostname in LOOPBACK
    try:
        return GitHubClient(
            credentials,
            owner=owner,
            name=name,
            api_url=settings.github_api_url,
            seconds_between_writes=0.0 if local else 1.0,
        )
    except Permanent:
        raise ConfigurationError("GITHUB_APP_PRIVATE_KEY: must be a private key in PEM form") from None
