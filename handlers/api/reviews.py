"""The REST API over reviews: submit, list, show, count. A handler admits, reads, makes one service call and answers."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.domain.apv import Json, Severity, Submission
from bot.domain.faults import NotAccepted
from bot.domain.review import Choice
from bot.intake import apv_json
from bot.intake.apv_json import ApvSubmission
from bot.intake.faults import InvalidApv
from bot.service import queries, statistics, submissions
from bot.service.gate import Gate
from bot.service.statistics import DecisionNumbers
from handlers.api import decisions, documents, models, routes
from handlers.api import query as review_query
from handlers.api.auth import Auth
from handlers.api.routes import FAULTY, Parameter, Route
from handlers.body import document
from handlers.http import HttpError, answer
from handlers.review_json import review_json, utc

READ_SECONDS, SUBMIT_SECONDS = 10.0, 60.0
"""After this the database counts as away; a list of 1,000 APVs takes several seconds."""

NAMED = Parameter(name="id", where="path", schema={"type": "string"}, about="The UUID or the `apv_code`.")


def add_routes(app: web.Application, gate: Gate, auth: Auth) -> None:
    """Serve the reviews and decisions of `gate` to whom `auth` admits, and the documents to everybody."""
    table = [*_Api(gate, auth).routes(), *decisions.routes(gate, auth)]
    routes.add(app, table)
    documents.add_routes(app, table)


@dataclass(frozen=True, slots=True)
class _Api:
    gate: Gate
    auth: Auth

    def routes(self) -> Sequence[Route]:
        return (
            Route(
                method="POST", path="/reviews", name="submit", scope="submit", handler=self.submit,
                about="Submit one APV, or a list of at most 1,000 in one transaction; 201 if any is new.",
                body=(ApvSubmission,), lists=True,
                answers={200: models.Review, 201: models.Review, **FAULTY},
            ),
            Route(
                method="GET", path="/reviews", name="list_reviews", scope="read", handler=self.reviews,
                about="A page of reviews, most urgent first.", parameters=review_query.PARAMETERS,
                answers={200: models.ReviewPage, 422: models.Unprocessable},
            ),
            Route(
                method="GET", path="/reviews/stats", name="statistics", scope="read", handler=self.stats,
                about="Numbers over all reviews and decisions.", answers={200: models.Statistics},
            ),
            Route(
                method="GET", path="/reviews/{id}", name="show_review", scope="read", handler=self.review,
                about="One review.", parameters=(NAMED,), answers={200: models.Review, 404: models.Refusal},
            ),
            Route(
                method="GET", path="/health", name="health", scope=None, handler=self.health,
                about="That the API is live.", answers={200: models.Live},
            ),
        )  # fmt: skip

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
        shown: list[Json] = [review_json(receipt.dossier, now) for receipt in receipts]
        status = 201 if any(receipt.created for receipt in receipts) else 200
        return answer(shown[0] if alone else shown, status)

    async def reviews(self, request: web.Request) -> web.Response:
        """A page of reviews, most urgent first."""
        self.auth.admit(request, "read")
        asked = review_query.read(request.query)
        async with asyncio.timeout(READ_SECONDS):
            page = await queries.page(self.gate, asked.what, limit=asked.limit, offset=asked.skip, after=asked.after)
        now = self.gate.now()
        return answer(
            {
                "reviews": [review_json(stored, now) for stored in page.reviews],
                "total": page.total,
                "skip": asked.skip,
                "limit": asked.limit,
                "offset": asked.skip,
                "next_cursor": review_query.cursor(queries.position(page.reviews[-1])) if page.more else None,
            }
        )

    async def review(self, request: web.Request) -> web.Response:
        """One review, by its UUID or its `apv_code`."""
        self.auth.admit(request, "read")
        name = request.match_info["id"]
        async with asyncio.timeout(READ_SECONDS):
            stored = await queries.find(self.gate, name)
        if stored is None:
            raise HttpError(404, f"APV {name} not found")
        return answer(review_json(stored, self.gate.now()))

    async def stats(self, request: web.Request) -> web.Response:
        """Numbers over all reviews and decisions."""
        self.auth.admit(request, "read")
        async with asyncio.timeout(READ_SECONDS):
            found = await statistics.collect(self.gate)
        waiting = found.reviews.waiting()
        made = found.decisions
        body: dict[str, Json] = {
            "total": found.reviews.count(),
            "pending_reviews": sum(waiting.values()),
            "total_decisions": made.total,
            "decisions_today": made.today,
            "decisions_this_week": made.this_week,
            "approved_count": made.of[Choice.APPROVE],
            "rejected_count": made.of[Choice.REJECT],
            "modified_count": made.of[Choice.MODIFY],
            "escalated_count": made.of[Choice.ESCALATE],
            "average_review_time_seconds": found.times.average,
            "median_review_time_seconds": found.times.median,
            "fastest_review_seconds": found.times.fastest,
            "slowest_review_seconds": found.times.slowest,
            "human_ai_agreement_rate": _share(made.agreeing, made),
            "auto_merge_prevention_rate": _share(made.total - made.of[Choice.APPROVE], made),
        }
        return answer(body | {f"{severity}_pending": waiting[severity] for severity in Severity})

    async def health(self, _request: web.Request) -> web.Response:
        """What an older console asks before anything else."""
        return answer({"status": "healthy", "timestamp": utc(self.gate.now()), "mode": "LIVE"})


def _share(part: int, of: DecisionNumbers) -> float:
    return round(part / of.total, 6) if of.total else 0.0


def _unprocessable(faults: Iterable[models.Fault], *, alone: bool = False) -> HttpError:
    """422 naming every fault; `alone`: no list was sent, so a place in one means nothing."""
    detail = [{"type": f.type, "loc": ["body", *(f.loc[1:] if alone else f.loc)], "msg": f.msg} for f in faults]
    return HttpError(422, detail)


def _submissions(raw: bytes, default_repository: str) -> tuple[list[Submission], bool]:
    """The body's APVs in order, and whether it was one alone; raises HttpError 422."""
    found = document(raw)
    try:
        return apv_json.parse_any(found, default_repository=default_repository), not isinstance(found, list)
    except InvalidApv as invalid:
        raise _unprocessable(invalid.faults) from None
