"""Recognises a repeated request: by its `Idempotency-Key`, or by its body.

Both are kept as hashes, together with the principal's name, so that one client cannot meet another's.
"""

import hashlib
import json
from dataclasses import dataclass

from aiohttp import web

from bot.domain.apv import Json
from bot.domain.faults import Fault
from bot.service.queries import Keyed
from handlers.http import HttpError, unprocessable

KEY = "Idempotency-Key"
KEY_LIMIT = 255
OTHER_REQUEST = f"This {KEY} was used with another path or body; send a new key with a new request"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a request is recognised by. `body` and `key` are 64 hex digits."""

    body: str
    key: str | None
    path: str

    @classmethod
    def of(cls, request: web.Request, sent: object, principal: str) -> "Fingerprint":
        """The fingerprint of a request; raises HttpError 422 for an empty or too long key."""
        key = request.headers.get(KEY)
        if key is not None and not 0 < len(key) <= KEY_LIMIT:
            raise unprocessable([Fault("string_length", (KEY,), f"must have 1 to {KEY_LIMIT} characters")], "header")
        body = _sha256(principal, json.dumps(sent, sort_keys=True, separators=(",", ":")))
        return cls(body, None if key is None else _sha256(principal, key), request.path)

    def kept(self) -> dict[str, Json]:
        """What is kept with the decision or the refusal. The method is always POST."""
        keyed: dict[str, Json] = {} if self.key is None else {"idempotency_key": self.key, "path": self.path}
        return {"request": self.body, **keyed}

    def delivery(self, expired: Keyed | None) -> bytes | None:
        """The delivery that makes the key unique. After `expired`, the same key may be used once more."""
        if self.key is None:
            return None
        return bytes.fromhex(_sha256(self.key, str(expired.id)) if expired else self.key)

    def check(self, first: Keyed) -> None:
        """Raise HttpError 422 if the first request with this key was another one."""
        if (first.kept.get("request"), first.kept.get("path")) != (self.body, self.path):
            raise other_request()


def other_request() -> HttpError:
    """The 422 for a key that another request has."""
    return unprocessable([Fault("idempotency_key", (KEY,), OTHER_REQUEST)], "header")


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
