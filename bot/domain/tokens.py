"""An API token as the setting `API_TOKENS` describes it: `name[@owner]:scope+scope:sha256-of-token[:YYYY-MM-DD]`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Literal, TypeAlias, get_args

from bot.domain.spelling import uncased

TokenScope: TypeAlias = Literal["read", "submit", "decide"]
SCOPES: frozenset[TokenScope] = frozenset(get_args(TokenScope))

SHAPE = "name[@owner]:scope+scope:sha256-of-token[:YYYY-MM-DD]"
ACCEPTED = f"a comma list of {SHAPE} (scopes read, submit, decide; owner: a Slack user id or an e-mail address)"
"""What the setting accepts, for the error at the start."""

# A name has no @, so the owner begins after the first one; an e-mail address has one itself.
SETTING = re.compile(
    r"(?P<name>[A-Za-z0-9._-]{1,100})"
    r"(?:@(?P<owner>[UW][A-Z0-9]{1,30}|[^\s@:,]{1,64}@[^\s@:,]{1,255}))?"
    r":(?P<scopes>(?:read|submit|decide)(?:\+(?:read|submit|decide))*)"
    r":(?P<sha256>[0-9a-f]{64})"
    r"(?::(?P<until>[0-9]{4}-[0-9]{2}-[0-9]{2}))?"
)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A configured token; of the token itself only the hash is known, 64 lower-case hex digits."""

    name: str
    owner: str | None
    """The person as whom the token decides: a Slack user id, or an e-mail address in lower case. None: a machine."""
    scopes: frozenset[TokenScope]
    sha256: str = field(repr=False)
    until: date | None = None
    """From this day on, in UTC, the token is refused."""

    @classmethod
    def of(cls, setting: str) -> "ApiToken":
        """Parse one item of the setting; raises ValueError with what is accepted, without the hash."""
        found = SETTING.fullmatch(setting)
        if found is None:
            raise ValueError(f"must be {ACCEPTED}")
        owner = found["owner"]
        try:
            until = date.fromisoformat(found["until"]) if found["until"] else None
        except ValueError:
            raise ValueError(f"must be {ACCEPTED}; the date of {found['name']} does not exist") from None
        return cls(
            name=found["name"],
            owner=uncased(owner) if owner and "@" in owner else owner,
            scopes=frozenset(scope for scope in SCOPES if scope in found["scopes"].split("+")),
            sha256=found["sha256"],
            until=until,
        )

    @property
    def ends_at(self) -> datetime | None:
        """The first moment at which it is refused; None: never."""
        return datetime.combine(self.until, time(), UTC) if self.until else None


def repeated(tokens: Iterable[ApiToken]) -> str | None:
    """What two of the tokens share and may not, as a sentence without any hash; None when nothing."""
    names: set[str] = set()
    hashes: dict[str, str] = {}
    for token in tokens:
        # Reporters are compared with token names without case, so two names that differ by case are one.
        if uncased(token.name) in names:
            return f"must give each token a name of its own (any case); {token.name} appears twice"
        if (other := hashes.get(token.sha256)) is not None:
            return f"must give each token a hash of its own; {other} and {token.name} have the same"
        names.add(uncased(token.name))
        hashes[token.sha256] = token.name
    return None
