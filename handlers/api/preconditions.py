"""Which content a decision is for: the digest in its body, and the header `If-Match` (RFC 9110, section 13.1.1)."""

import re
from collections.abc import Iterable

from aiohttp import web

from bot.domain.faults import Fault
from handlers.http import unprocessable

IF_MATCH = "If-Match"
# entity-tag, RFC 9110, section 8.8.3: a weak one is recognised, because it never matches in a strong comparison.
# Elements of a list may be empty (section 5.6.1).
TAG = r'(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e\x80-\xff]*)"'
TAGS = re.compile(TAG)
LIST = re.compile(rf"[ \t,]*(?:{TAG.replace('?P<weak>', '?:').replace('?P<tag>', '?:')}[ \t]*(?:,[ \t,]*|$))*")
ACCEPTED = 'must be "<digest>" in double quotes, a comma list of them, or *'
NO_CONTENT = ""
"""A digest that no content has."""


def if_match(request: web.Request) -> frozenset[str] | None:
    """The strong tags of the header; None without it, and for `*`, which names no content. Raises HttpError 422."""
    sent = request.headers.getall(IF_MATCH, [])
    joined = ",".join(sent).strip(" \t")
    if not sent or joined == "*":
        return None
    if not LIST.fullmatch(joined):
        raise unprocessable([Fault("if_match", (IF_MATCH,), ACCEPTED)], "header")
    return frozenset(found["tag"] for found in TAGS.finditer(joined) if found["weak"] is None)


def named_digest(body: str | None, tags: Iterable[str] | None, current: str) -> str | None:
    """The digest that the content must have when the decision is recorded; None when the request names none.

    Both the body and the header must name the current content: where they differ, one of them does not.
    """
    named = [frozenset(given) for given in (None if body is None else (body,), tags) if given is not None]
    if not named:
        return None
    if all(current in given for given in named):
        return current
    stale = frozenset[str]().union(*named) - {current}
    return min(stale, default=NO_CONTENT)
