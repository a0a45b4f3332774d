"""Turns GitHub's failures into `Retry` or `Permanent`, without any text of GitHub's.

No exception of PyGithub or its HTTP library passes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import requests
from github import BadAttributeException, GithubException, IncompletableObject, RateLimitExceededException

from bot.integrations.errors import Permanent, Retry, VendorError, number

SECONDARY_LIMIT_SECONDS = 60.0
"""GitHub asks for at least a minute when it sends no header; from its "Best practices for using the REST API"."""
PRIMARY_LIMIT_SECONDS = 3600.0
"""The window of the primary limit. A later reset means a wrong clock."""


class NotFound(Permanent):
    """It does not exist, or the token may not see it: GitHub answers the same."""


class ValidationFailed(Permanent):
    """GitHub's status 422: the thing exists already, or the request breaks a rule."""


@contextmanager
def asking_github(to: str) -> Iterator[None]:
    """Turn what a call raises into a `VendorError`. `to` ends the sentence "GitHub refused to ..."."""
    try:
        yield
    # PyGithub asserts when an answer lacks a field.
    except (BadAttributeException, IncompletableObject, AssertionError, requests.JSONDecodeError):
        raise _unreadable() from None
    except GithubException as error:
        raise _classified(error, to) from None
    except requests.Timeout:
        raise Retry("GitHub did not answer in time", code="timeout") from None
    except requests.RequestException:
        raise Retry("GitHub cannot be reached", code="unreachable") from None
    except (ValueError, RuntimeError):  # broken JSON or base64; a redirect to another server
        raise _unreadable() from None


def _unreadable() -> Retry:
    return Retry("GitHub's answer cannot be read", code="bad_answer")


def _classified(error: GithubException, to: str) -> VendorError:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    limited = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    if error.status == 429 or (error.status == 403 and (limited or isinstance(error, RateLimitExceededException))):
        return Retry("GitHub's rate limit is reached", code="rate_limited", after=_wait(headers))
    if error.status >= 500 or error.status == 408:
        return Retry("GitHub is failing", code="server_error", after=_retry_after(headers))
    refused = f"GitHub refused to {to}"
    kind, reason, code = {
        401: (Permanent, "GitHub does not accept the token", "bad_credentials"),
        403: (Permanent, f"The GitHub token may not {to}", "forbidden"),
        404: (NotFound, f"{refused}: it does not exist, or the token may not see it", "not_found"),
        409: (
            Permanent,
            f"{refused}: the repository is empty, or something else changed it at the same time",
            "conflict",
        ),
        422: (ValidationFailed, refused, "unprocessable"),
    }.get(error.status, (Permanent, refused, "refused"))
    return kind(reason, code=code)


def _wait(headers: dict[str, str]) -> float:
    """Seconds until a limit ends, from the first header that says so."""
    after = _retry_after(headers)
    if after is not None:
        return after
    if headers.get("x-ratelimit-remaining") == "0":
        reset = number(headers.get("x-ratelimit-reset"))
        if reset is not None:
            # One more second: the limit may end at any moment of its second.
            return min(max(reset - time.time(), 0.0) + 1.0, PRIMARY_LIMIT_SECONDS)
    return SECONDARY_LIMIT_SECONDS


def _retry_after(headers: dict[str, str]) -> float | None:
    """The header in seconds; it may be a number or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "")
    seconds = number(value)
    if seconds is not None:
        return max(seconds, 0.0)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
