"""The REST API over reviews: submit, list, show. Each handler admits, reads, makes one service call and answers."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from bot.domain.apv import Json, Submission
from bot.intake import apv_json
from bot.intake.faults import InvalidApv
from bot.service import queue, submissions
from bot.service.gate import Gate
from bot.service.submissions import NotAccepted
from handlers import review_query
from handlers.auth import Auth
from handlers.http import HttpError, answer
from handlers.review_json import review_json, utc

PREFIXES = ("/hitl", "/hitl/hitl")
"""An older console doubles the prefix."""
READ_SECONDS, SUBMIT_SECONDS = 10.0, 60.0
"""After this the database counts as away; a list of 1,000 APVs takes several seconds."""


def add_routes(app: web.Application, gate: Gate, auth: Auth) -> None:
    """Serve the reviews of `gate` to whom `auth` admits."""
    api = _Api(gate, auth)
    for prefix in PREFIXES:
        for path in (f"{prefix}/reviews", f"{prefix}/reviews/"):
            app.router.add_post(path, api.submit)
            app.router.add_get(path, api.reviews)
        app.router.add_get(f"{prefix}/reviews/{{id}}", api.review)
        app.router.add_get(f"{prefix}/health", api.health)


@dataclass(frozen=True, slots=True)
class _Api:
    gate: Gate
    auth: Auth

    async def submit(self, request: web.Request) -> web.Response:
        """One APV or a list of them: all are stored, or none."""
        principal = self.auth.admit(request, "submit")
        raw = await request.read()
        # Away from the event loop: 16 MiB take a while to check, and clicks must not wait for them.
        submitted, alone = await asyncio.to_thread(_submissions, raw, self.gate.default_repository)
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                receipts = await submissions.submit(self.gate, submitted, principal=principal.name, source="api")
        except NotAccepted as refused:
            raise _unprocessable(refused.faults, alone=alone) from None
        now = self.gate.now()
        shown: list[Json] = [review_json(receipt.stored, now) for receipt in receipts]
        status = 201 if any(receipt.created for receipt in receipts) else 200
        return answer(shown[0] if alone else shown, status)

    async def reviews(self, request: web.Request) -> web.Response:
        """A page of reviews, most urgent first."""
        self.auth.admit(request, "read")
        asked = review_query.read(request.query)
        async with asyncio.timeout(READ_SECONDS):
            page = await queue.page(self.gate, asked.what, limit=asked.limit, offset=asked.skip, after=asked.after)
        now = self.gate.now()
        return answer(
            {
                "reviews": [review_json(stored, now) for stored in page.reviews],
                "total": page.total,
                "skip": asked.skip,
                "limit": asked.limit,
                "offset": asked.skip,
                "next_cursor": review_query.cursor(page.reviews[-1].position) if page.more else None,
            }
        )

    async def review(self, request: web.Request) -> web.Response:
        """One review, by its UUID or its `apv_code`."""
        self.auth.admit(request, "read")
        name = request.match_info["id"]
        async with asyncio.timeout(READ_SECONDS):
            stored = await queue.find(self.gate, name)
        if stored is None:
            raise HttpError(404, f"APV {name} not found")
        return answer(review_json(stored, self.gate.now()))

    async def health(self, _request: web.Request) -> web.Response:
        """What an older console asks before anything else."""
        return answer({"status": "healthy", "timestamp": utc(self.gate.now()), "mode": "LIVE"})


class _Fault(Protocol):
    @property
    def type(self) -> str: ...
    @property
    def loc(self) -> tuple[int | str, ...]: ...
    @property
    def msg(self) -> str: ...


def _unprocessable(faults: Iterable[_Fault], *, alone: bool = False) -> HttpError:
    """422 naming every fault; `alone`: no list was sent, so a place in one means nothing."""
    detail = [{"type": f.type, "loc": ["body", *(f.loc[1:] if alone else f.loc)], "msg": f.msg} for f in faults]
    return HttpError(422, detail)


def _submissions(raw: bytes, default_repository: str) -> tuple[list[Submission], bool]:
    """The body's APVs in order, and whether it was one alone; raises HttpError 422."""
    document = _document(raw)
    try:
        return apv_json.parse_any(document, default_repository=default_repository), not isinstance(document, list)
    except InvalidApv as invalid:
        raise _unprocessable(invalid.faults) from None


def _document(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        sentence = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise _not_json(sentence, error.pos) from None
    except RecursionError:
        raise _not_json("lists and objects are nested too deeply") from None
    except ValueError:
        raise _not_json("not JSON in UTF-8, or a number of too many digits") from None


def _not_json(sentence: str, *place: int) -> HttpError:
    return HttpError(422, [{"type": "json_invalid", "loc": ["body", *place], "msg": sentence}])
