"""GitHub's webhook route. A delivery only says which pull requests to look at; a job then asks GitHub."""

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

import structlog
from aiohttp import web

from bot.domain.apv import Json
from bot.service import pulls
from bot.service.gate import Gate
from bot.service.pulls import Pointer
from handlers.http import HttpError, answer

log = structlog.get_logger(__name__)

BODY_LIMIT = 25 * 1024 * 1024
"""Bytes; GitHub's own limit."""
DELIVERY = re.compile(r"[A-Za-z0-9-]{1,100}")
HEADS = "refs/heads/"


def add_route(app: web.Application, gate: Gate, verified: Callable[[bytes, str | None], bool]) -> None:
    """Serve `POST /github/webhooks`; `verified(raw, signature)` checks GitHub's signature."""

    async def github_webhooks(request: web.Request) -> web.Response:
        raw = await request.clone(client_max_size=BODY_LIMIT).read()
        if not verified(raw, request.headers.get("X-Hub-Signature-256")):
            raise HttpError(401, "The request is not signed by GitHub")
        delivery = request.headers.get("X-GitHub-Delivery", "")
        if not DELIVERY.fullmatch(delivery):
            raise HttpError(400, "X-GitHub-Delivery is missing or invalid")
        found = pointer(_payload(raw, request.content_type))
        first = await pulls.hear(gate, delivery, found)
        event = request.headers.get("X-GitHub-Event", "")[:40]
        log.info("github.delivery", delivery=delivery, github_event=event, repeated=not first)
        return answer({"status": "accepted" if first else "repeated"})

    app.router.add_post("/github/webhooks", github_webhooks)


def _payload(raw: bytes, content_type: str) -> dict[str, Json]:
    try:
        if content_type == "application/x-www-form-urlencoded":
            raw = parse_qs(raw.decode())["payload"][0].encode()
        payload = json.loads(raw)
    except (ValueError, LookupError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise HttpError(400, "The body is not a JSON object")
    return payload


def pointer(payload: dict[str, Json]) -> Pointer | None:
    """The pull requests that an event may concern; None if it names no repository."""
    repository = _text(payload, "repository", "full_name")
    if not repository:
        return None
    check_run, pull = _dict(payload, "check_run"), _dict(payload, "pull_request")
    subjects = [payload, check_run, _dict(check_run, "check_suite")]
    subjects += [_dict(payload, name) for name in ("check_suite", "workflow_run")]
    pull_requests = [pull, *(each for subject in subjects for each in _dicts(subject, "pull_requests"))]
    numbers = {number for each in pull_requests if isinstance(number := each.get("number"), int)}
    branches = {_text(pull, "head", "ref"), _text(payload, "ref").removeprefix(HEADS)}
    branches |= {_text(subject, "head_branch") for subject in subjects}
    branches |= {_text(branch, "name") for branch in _dicts(payload, "branches")}
    commits = {_text(payload, "sha"), *(_text(subject, "head_sha") for subject in subjects)}
    return Pointer(
        _storable(repository),
        frozenset(n for n in numbers if 0 < n < 2**31),
        frozenset(_storable(branch) for branch in branches if branch),
        frozenset(_storable(commit) for commit in commits if commit),
    )


def _dict(value: dict[str, Json], name: str) -> dict[str, Json]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _dicts(value: dict[str, Json], name: str) -> Iterator[dict[str, Json]]:
    found = value.get(name)
    return (one for one in (found if isinstance(found, list) else []) if isinstance(one, dict))


def _text(value: dict[str, Json], *path: str) -> str:
    *parents, name = path
    for parent in parents:
        value = _dict(value, parent)
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _storable(text: str) -> str:
    """The text without what PostgreSQL cannot store: NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()
