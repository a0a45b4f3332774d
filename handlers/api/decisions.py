"""Decisions over REST: record one under the same rules as a click, idempotently; show one; list a review's."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from aiohttp import web
from pydantic import ValidationError

from bot.domain.apv import Json
from bot.domain.decisions import Decision
from bot.domain.faults import Fault
from bot.domain.refusal import Reason
from bot.domain.review import Accepted, Choice, Repeated, Review
from bot.intake.bounds import as_stored, faults_in, model_faults
from bot.service import decisions, queries
from bot.service.decisions import Asker, Particulars
from bot.service.gate import Gate
from bot.service.people import ApiCaller, TokenOwner
from bot.service.queries import DecisionRecord, Keyed
from handlers.api import models, preconditions
from handlers.api.auth import Auth, Client
from handlers.api.models import ErrorResponse, NewDecision, OlderDecision, utc
from handlers.api.preconditions import IF_MATCH
from handlers.api.repeats import KEY, KEY_LIMIT, Fingerprint, other_request
from handlers.api.routes import BODY_ERRORS, Endpoint, Parameter
from handlers.http import HttpError, answer, document, unprocessable

READ_SECONDS = 10.0
BODY_LIMIT = 2 * 1024 * 1024
"""Bytes; the limits on its strings are lower."""

REPEATABLE = Parameter(
    name=KEY, where="header", schema={"type": "string", "minLength": 1, "maxLength": KEY_LIMIT},
    about="The same key with the same path and body returns the first answer again for 7 days.",
)  # fmt: skip
MATCHING = Parameter(
    name=IF_MATCH, where="header", schema={"type": "string"},
    about="The review's `ETag`: the decision is for this content only. An approval names it here or as `digest`.",
)  # fmt: skip
STATUSES = {Reason.CLOSED: 409, Reason.STALE: 409, Reason.UNKNOWN_REVIEW: 404, Reason.UNREADABLE: 409}
"""By reason of the refusal; any other reason is 403."""
UNNAMED = (
    "An approval names the content it is for: send the review's digest as `digest` in the body, or its ETag as If-Match"
)


def endpoints(gate: Gate, auth: Auth) -> Sequence[Endpoint]:
    """The endpoints for decisions."""
    api = _Decisions(gate, auth)
    return (
        Endpoint(
            method="POST", path="/decisions", name="decide", scope="decide", handler=api.decide,
            about="Decide on a review. The older body, and the path with a trailing slash, answer 201.",
            body=(NewDecision, OlderDecision), parameters=(REPEATABLE, MATCHING),
            answers={
                200: models.Decision, 201: models.Decision, 404: ErrorResponse, 409: ErrorResponse, **BODY_ERRORS,
                428: ErrorResponse,
            },
        ),
        Endpoint(
            method="GET", path="/decisions/{id}", name="show_decision", scope="read", handler=api.show,
            about="Show a decision.",
            parameters=(Parameter(name="id", where="path", schema={"type": "string"}),),
            answers={200: models.Decision, 404: ErrorResponse},
        ),
        Endpoint(
            method="GET", path="/decisions/history/{apv_id}", name="decision_history", scope="read",
            handler=api.history, about="List a review's decisions, oldest first; empty for an unknown review.",
            parameters=(
                Parameter(name="apv_id", where="path", schema={"type": "string"}, about="The UUID or `apv_code`."),
            ),
            listed=True, answers={200: models.Decision},
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    """A parsed request for a decision."""

    client: Client
    review: Review
    body: NewDecision | OlderDecision
    digest: str | None
    """Of the content that it names."""
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class _Decisions:
    gate: Gate
    auth: Auth

    async def decide(self, request: web.Request) -> web.Response:
        """Record a decision, or return the record of the same request before."""
        client = self.auth.admit(request, "decide")
        sent = document(await request.clone(client_max_size=BODY_LIMIT).read())
        async with asyncio.timeout(READ_SECONDS):
            review = await self._review(sent)
        body = _body(sent, lenient=request.path.endswith("/"))
        digest = preconditions.named_digest(body.digest, preconditions.if_match(request), review.digest)
        asked = _Asked(client, review, body, digest, Fingerprint.of(request, sent, client.name))
        # Older clients expect 201 for a new decision.
        status = 201 if request.path.endswith("/") or isinstance(body, OlderDecision) else 200
        first = await self._first(asked)
        if first is not None and not self._expired(first):
            return answer(record_json(await self._again(asked, first)), status)
        if body.decision is Choice.APPROVE and digest is None and self.auth.digest_required:
            raise HttpError(428, UNNAMED)
        return answer(record_json(await self._record(asked, first)), status)

    async def show(self, request: web.Request) -> web.Response:
        """Show a decision."""
        self.auth.admit(request, "read")
        name = request.match_info["id"]
        async with asyncio.timeout(READ_SECONDS):
            found = await queries.decision(self.gate, UUID(name)) if _is_uuid(name) else None
        if found is None:
            raise HttpError(404, f"Decision {name} not found")
        return answer(record_json(found))

    async def history(self, request: web.Request) -> web.Response:
        """List a review's decisions, oldest first."""
        self.auth.admit(request, "read")
        async with asyncio.timeout(READ_SECONDS):
            found = await queries.history(self.gate, request.match_info["apv_id"])
        return answer([record_json(record) for record in found])

    async def _review(self, sent: object) -> Review:
        """Find the review first: an unknown one is 404, whatever else is wrong."""
        if not isinstance(sent, dict):
            raise unprocessable([Fault("dict_type", (), "must be a JSON object")])
        name = sent.get("apv_id")
        if not isinstance(name, str):
            kind = "missing" if name is None else "string_type"
            raise unprocessable([Fault(kind, ("apv_id",), "must be the UUID or the apv_code of a review")])
        dossier = await queries.find(self.gate, name.strip())
        if dossier is None:
            shown = name if name.isprintable() and len(name) <= 100 else "with this name"
            raise HttpError(404, f"APV {shown} not found")
        return dossier.review

    async def _first(self, asked: _Asked) -> Keyed | None:
        if asked.fingerprint.key is None:
            return None
        async with asyncio.timeout(READ_SECONDS):
            return await queries.of_key(self.gate, asked.fingerprint.key, asked.review.id)

    def _expired(self, first: Keyed) -> bool:
        return first.at <= self.gate.now() - queries.SAME_KEY

    async def _again(self, asked: _Asked, first: Keyed) -> DecisionRecord:
        """The record that the first request with this key got; raises its refusal, or HttpError 422 for another one."""
        asked.fingerprint.check(first)
        if not first.decided:
            raise _refusal(Reason(str(first.kept["reason"])), first.sentence)
        async with asyncio.timeout(READ_SECONDS):
            return await self._recorded(first.id)

    async def _record(self, asked: _Asked, expired: Keyed | None) -> DecisionRecord:
        particulars = self._particulars(asked)
        asker = Asker(
            self._caller(asked), "api", asked.fingerprint.delivery(expired),
            {**asked.fingerprint.kept(), **({"token": asked.client.name} if self.auth.tokens is not None else {})},
        )  # fmt: skip
        decision = _decision(asked)
        # The first round records no refusal, because an earlier request with this body may have made the decision that
        # stands. If a click made it, the second round records the refusal.
        for repeatable in (True, False):
            outcome = await decisions.decide(
                self.gate, asker, asked.review.id, decision, particulars, repeatable=repeatable
            )
            if isinstance(outcome, Accepted):
                return await self._recorded(particulars.id)
            if not isinstance(outcome, Repeated):
                raise _refusal(outcome.reason, outcome.sentence)
            if not outcome.stands:
                break
            async with asyncio.timeout(READ_SECONDS):
                earlier = await queries.of_body(self.gate, asked.fingerprint.body)
            if earlier is not None:
                return earlier
        # Another request with this key was recorded at the same time, or refused on another review.
        first = await self._first(asked)
        if first is None or self._expired(first):
            raise other_request()
        return await self._again(asked, first)

    def _particulars(self, asked: _Asked) -> Particulars:
        body = asked.body
        # The record carries the name of the token or its owner; the name that the client sent goes into its metadata.
        named: dict[str, Json] = {"reviewer_name": body.reviewer_name, "reviewer_email": _email(body)}
        return Particulars(
            confidence=body.confidence_override if isinstance(body, OlderDecision) else body.confidence,
            modifications=as_stored(cast("Json", body.modifications)),
            metadata=named if self.auth.tokens is not None else {},
        )

    def _caller(self, asked: _Asked) -> TokenOwner | ApiCaller:
        client = asked.client
        if self.auth.tokens is None:
            return ApiCaller(None, asked.body.reviewer_name, _email(asked.body))
        return TokenOwner(client.name, client.owner) if client.owner else ApiCaller(client.name, client.name)

    async def _recorded(self, decision_id: UUID) -> DecisionRecord:
        record = await queries.decision(self.gate, decision_id)
        assert record is not None, "the decision is committed"
        return record


def _decision(asked: _Asked) -> Decision:
    body = asked.body
    return Decision(
        choice=body.decision,
        justification=(body.comments or "") if isinstance(body, OlderDecision) else body.justification,
        digest=asked.digest,
        any_length=True,
    )


def _email(body: NewDecision | OlderDecision) -> str | None:
    return (body.reviewer_email or "").strip() or None


def _refusal(reason: Reason, sentence: str) -> HttpError:
    return HttpError(STATUSES.get(reason, 403), sentence)


def record_json(record: DecisionRecord) -> dict[str, Json]:
    """A decision record as `models.Decision` describes it."""
    return {
        "decision_id": str(record.id),
        "apv_id": str(record.apv_id),
        "apv_code": record.apv_code,
        "decision": record.decision,
        "justification": record.comments,
        "confidence": 1.0 if record.confidence_override is None else record.confidence_override,
        "modifications": record.modifications,
        "reviewer_name": record.reviewer_name,
        "reviewer_email": record.reviewer_email,
        "reviewer_verified": record.reviewer_verified,
        "cve_id": record.cve_id,
        "severity": record.severity,
        "patch_strategy": record.patch_strategy,
        "wargame_verdict": record.wargame_verdict,
        "action_taken": record.action_taken,
        "outcome_notes": record.outcome_notes,
        "decided_at": utc(record.created_at),
        "action_completed_at": utc(record.action_completed_at),
        "source": record.source,
        "version": record.version,
        "digest": record.digest,
    }


def _body(sent: object, *, lenient: bool) -> NewDecision | OlderDecision:
    """Parse the body; raises HttpError 422. `lenient`: a body without justification and comments counts as older."""
    assert isinstance(sent, dict), "_review has checked it"
    older = "justification" not in sent and (lenient or not sent.keys().isdisjoint(("comments", "confidence_override")))
    faults = faults_in(sent, ())
    try:
        asked = (OlderDecision if older else NewDecision).model_validate(sent)
    except ValidationError as error:
        raise unprocessable(faults + model_faults(error, known=faults)) from None
    if faults:
        raise unprocessable(faults)
    return asked


def _is_uuid(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
