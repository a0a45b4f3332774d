"""The state of the stand-in: repositories, who may call, and how often."""

import base64
import binascii
import itertools
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bot.sandbox.github.errors import ApiError, not_found
from bot.sandbox.github.git import BareRepository
from bot.sandbox.github.model import Account, now
from bot.sandbox.github.repository import Repository

# The permissions of the installed App. A token may ask for fewer, never for more.
GRANTED = {
    "metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write",
    "checks": "write", "statuses": "write",
}  # fmt: skip


HOURLY_CALLS = 5000


@dataclass
class TokenBudget:
    """The hourly budget of one token; `reset` is in Unix seconds."""

    limit: int
    used: int = 0
    reset: int = field(default_factory=lambda: int(time.time()) + 3600)

    @property
    def remaining(self) -> int:
        """Calls left in this hour."""
        return max(0, self.limit - self.used)

    def spend(self) -> None:
        """Count one call; 403 when none is left."""
        if time.time() >= self.reset:
            self.used, self.reset = 0, int(time.time()) + 3600
        if self.remaining == 0:
            raise ApiError(403, "API rate limit exceeded for user ID 1.")
        self.used += 1


@dataclass
class Caller:
    """The account of a token; `permissions` is None for a personal token, which may do everything."""

    account: Account
    rate: TokenBudget
    permissions: Mapping[str, str] | None = None
    expires_at: datetime | None = None


class Hub:
    """The state of the whole stand-in; the parameters are those of `GitHubSandbox`."""

    def __init__(self, root: Path, *, token: str, login: str, app_id: str, installation_id: int) -> None:
        self.root = root.absolute()
        self.app_id = app_id
        self.installation_id = installation_id
        self.tree_limit = 100_000
        self.token_lifetime = timedelta(hours=1)
        self.granted = dict(GRANTED)
        self.repositories: dict[str, Repository] = {}
        self.callers = {token: Caller(Account(login), TokenBudget(HOURLY_CALLS))}
        self.anonymous = TokenBudget(60)
        self.app_caller = Caller(Account(f"app-{app_id}[bot]", "Bot"), TokenBudget(HOURLY_CALLS))
        self._ids = itertools.count(int(time.time()))  # higher than every number of an earlier run

    def next_id(self) -> int:
        """Return an unused number."""
        return next(self._ids)

    def create_repository(
        self,
        owner: str,
        name: str,
        files: Mapping[str, bytes],
        *,
        default_branch: str,
        collaborators: list[str],
        teams: list[str],
    ) -> Repository:
        """Make `<root>/owner/name.git` with one commit of these files; without files it stays empty."""
        git = BareRepository.create(self.root / owner / f"{name}.git", default_branch)
        repository = Repository(owner, name, git, default_branch, self.next_id, self.next_id(), collaborators, teams)
        repository.restore()
        if files and repository.is_empty():
            repository.commit_files(default_branch, files, Account(owner), "Initial commit")
        self.repositories[repository.full_name.lower()] = repository
        return repository

    def repository(self, owner: str, name: str) -> Repository:
        """Return a repository, in any case of letters; 404 when there is none."""
        found = self.repositories.get(f"{owner}/{name}".lower())
        if found is None:
            raise not_found()
        return found

    def authenticate(self, authorization: str | None) -> Caller:
        """Return the caller; 401 when the token is missing, unknown or expired."""
        scheme, _, token = (authorization or "").partition(" ")
        if not token:
            raise ApiError(401, "Requires authentication")
        caller = self.callers.get(token)
        expired = caller is not None and caller.expires_at is not None and caller.expires_at <= now()
        if scheme.lower() not in ("token", "bearer") or caller is None or expired:
            raise ApiError(401, "Bad credentials")
        return caller

    def authenticate_app(self, authorization: str | None) -> None:
        """Check the issuer and times of the App's JSON web token, not its signature: the key belongs to the App."""
        scheme, _, token = (authorization or "").partition(" ")
        claims = _claims(token)
        if scheme.lower() != "bearer" or claims is None:
            raise ApiError(401, "A JSON web token could not be decoded")
        if str(claims.get("iss")) != self.app_id:
            raise ApiError(404, "Integration not found")
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires <= time.time():
            raise ApiError(401, "'Expiration time' claim ('exp') must be a numeric value representing a future time")
        if expires > time.time() + 600 + 5:  # ten minutes, plus five seconds for a fast clock
            raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")

    def install(self, permissions: Mapping[str, str]) -> tuple[str, Caller]:
        """Make an installation token, valid for `token_lifetime`."""
        token = f"ghs_{secrets.token_hex(18)}"
        account, expires_at = self.app_caller.account, now() + self.token_lifetime
        caller = Caller(account, TokenBudget(HOURLY_CALLS), permissions, expires_at)
        self.callers[token] = caller
        return token, caller


def _claims(token: str) -> dict[str, object] | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2])
    except (ValueError, binascii.Error):
        return None
    if not isinstance(header, dict) or header.get("alg") != "RS256" or not isinstance(claims, dict):
        return None
    return claims
