"""Reviews over REST: submit, list, show, statistics. A handler admits, parses, makes one service call and answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from bot.domain.apv import Json, Severity, Submission
from bot.domain.faults import NotAccepted
from bot.domain.review import Choice
from bot.intake import apv_json
from bot.intake.apv_json import ApvSubmission
from bot.service import queries, statistics, submissions
from bot.service.gate import Gate
from bot.service.statistics import DecisionNumbers
from bot.service.submissions import Submitter
from handlers.api import decisions, documents, models, routes
from handlers.api import query as review_query
from handlers.api.auth import Auth, Client
from handlers.api.models import ErrorResponse, review_json, utc
from handlers.api.routes import BODY_ERRORS, Endpoint, Parameter
from handlers.http import HttpError, answer, document, unprocessable

READ_SECONDS, SUBMIT_SECONDS = 10.0, 60.0
"""Timeouts, after which the response is 503; a list of 1,000 APVs takes several seconds."""

NAMED = Parameter(name="id", where="path", schema={"type": "string"}, about="The UUID or the `apv_code`.")


def add_routes(app: web.Application, gate: Gate, auth: Auth) -> None:
    """Serve reviews and decisions to clients that `auth` admits, and the API documents to everybody."""
    table = [*_Reviews(gate, auth).endpoints(), *decisions.endpoints(gate, auth)]
    routes.add(app, table)
    documents.add_routes(app, table)


@dataclass(frozen=True, slots=True)
class _Reviews:
    gate: Gate
    auth: Auth

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="POST", path="/reviews", name="submit", scope="submit", handler=self.submit,
                about="Submit one APV, or up to 1,000 in one transaction; 201 if any is new.",
                body=(ApvSubmission,), lists=True,
                answers={200: models.Review, 201: models.Review, **BODY_ERRORS},
            ),
            Endpoint(
                method="GET", path="/reviews", name="list_reviews", scope="read", handler=self.reviews,
                about="List reviews, most urgent first.", parameters=review_query.PARAMETERS,
                answers={200: models.ReviewPage, 422: models.ValidationErrorResponse},
            ),
            Endpoint(
                method="GET", path="/reviews/stats", name="statistics", scope="read", handler=self.stats,
                about="Show statistics of reviews and decisions.", answers={200: models.Statistics},
            ),
            Endpoint(
                method="GET", path="/reviews/{id}", name="show_review", scope="read", handler=self.review,
                about="Show a review.", parameters=(NAMED,), answers={200: models.Review, 404: ErrorResponse},
                headers={"ETag": "The digest in double quotes, for `If-Match` of a decision."},
            ),
            Endpoint(
                method="GET", path="/health", name="health", scope=None, handler=self.health,
                about="Health check.", answers={200: models.Live},
            ),
        )  # fmt: skip

    async def submit(self, request: web.Request) -> web.Response:
        """Store one APV or a list, all or none."""
        client = self.auth.admit(request, "submit")
        raw = await request.read()
        # In a thread: 16 MiB take long to validate, and clicks must not wait.
        submitted, alone = await asyncio.to_thread(_submissions, raw, self.gate.default_repository)
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                receipts = await submissions.submit(self.gate, submitted, self._submitter(client))
        except NotAccepted as refused:
            # A single APV has no position in a list.
            faults = [replace(f, loc=f.loc[1:]) for f in refused.faults] if alone else refused.faults
            raise unprocessable(faults) from None
        now = self.gate.now()
        shown: list[Json] = [review_json(receipt.dossier, now) for receipt in receipts]
        status = 201 if any(receipt.created for receipt in receipts) else 200
        return answer(shown[0] if alone else shown, status)

    def _submitter(self, client: Client) -> Submitter:
        if self.auth.tokens is None:
            return Submitter(client.name)
        return Submitter(client.name, (f"token:{client.name}", *([client.owner] if client.owner else [])))

    async def reviews(self, request: web.Request) -> web.Response:
        """List reviews, most urgent first."""
        self.auth.admit(request, "read")
        asked = review_query.read(request.query)
        async with asyncio.timeout(READ_SECONDS):
            page = await queries.page(self.gate, asked.what, limit=asked.limit, offset=asked.skip, after=asked.after)
        now = self.gate.now()
        return answer(
            {
                "reviews": [review_json(dossier, now) for dossier in page.reviews],
                "total": page.total,
                "skip": asked.skip,
                "limit": asked.limit,
                "offset": asked.skip,
                "next_cursor": review_query.cursor(queries.position(page.reviews[-1])) if page.more else None,
            }
        )

    async def review(self, request: web.Request) -> web.Response:
        """Show the review with this UUID or `apv_code`."""
        self.auth.admit(request, "read")
        name = request.match_info["id"]
        async with asyncio.timeout(READ_SECONDS):
            dossier = await queries.find(self.gate, name)
        if dossier is None:
            raise HttpError(404, f"APV {name} not found")
        # No 304 for it: status and votes change under the same digest.
        return answer(review_json(dossier, self.gate.now()), headers={"ETag": f'"{dossier.review.digest}"'})

    async def stats(self, request: web.Request) -> web.Response:
        """Show statistics of reviews and decisions."""
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
        """The health check of older consoles."""
        return answer({"status": "healthy", "timestamp": utc(self.gate.now()), "mode": "LIVE"})


def _share(part: int, of: DecisionNumbers) -> float:
    return round(part / of.total, 6) if of.total else 0.0


def _submissions(raw: bytes, default_repository: str) -> tuple[list[Submission], bool]:
    """The APVs in the body, in order, and whether it was a single one; raises HttpError 422."""
    found = document(raw)
    try:
        return apv_json.parse_any(found, default_repository=default_repository), not isinstance(found, list)
    except NotAccepted as invalid:
        raise unprocessable(invalid.faults) from None
