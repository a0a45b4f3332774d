"""Decisions over REST: record one under the same rules as a click, idempotently; show one; list a review's."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from aiohttp import web
from pydantic import ValidationError

from bot.domain.apv import Json
from bot.domain.decisions import Decision
from bot.domain.faults import Fault
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted
from bot.intake.bounds import as_stored, faults_in, model_faults
from bot.service import decisions, queries
from bot.service.decisions import Asker, Particulars
from bot.service.gate import Gate
from bot.service.people import ApiCaller
from bot.service.queries import DecisionRecord
from handlers.api import models
from handlers.api.auth import Auth, Client
from handlers.api.models import ErrorResponse, NewDecision, OlderDecision, utc
from handlers.api.routes import BODY_ERRORS, Endpoint, Parameter
from handlers.http import HttpError, answer, document, unprocessable

READ_SECONDS = 10.0
KEY = "Idempotency-Key"
KEY_LIMIT = 255
BODY_LIMIT = 2 * 1024 * 1024
"""Bytes; the limits on its strings are lower."""

REPEATABLE = Parameter(
    name=KEY, where="header", schema={"type": "string", "minLength": 1, "maxLength": KEY_LIMIT},
    about="A repeated key returns the first record again, whatever happened since.",
)  # fmt: skip
STATUSES = {Reason.CLOSED: 409, Reason.STALE: 409, Reason.UNKNOWN_REVIEW: 404, Reason.UNREADABLE: 409}
"""By reason of the refusal; any other reason is 403."""


def endpoints(gate: Gate, auth: Auth) -> Sequence[Endpoint]:
    """The endpoints for decisions."""
    api = _Decisions(gate, auth)
    return (
        Endpoint(
            method="POST", path="/decisions", name="decide", scope="decide", handler=api.decide,
            about="Decide on a review. The older body, and the path with a trailing slash, answer 201.",
            body=(NewDecision, OlderDecision), parameters=(REPEATABLE,),
            answers={
                200: models.Decision, 201: models.Decision, 404: ErrorResponse, 409: ErrorResponse, **BODY_ERRORS,
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
class _Decisions:
    gate: Gate
    auth: Auth

    async def decide(self, request: web.Request) -> web.Response:
        """Record a decision, or return the record of the same request before."""
        client = self.auth.admit(request, "decide")
        sent = document(await request.clone(client_max_size=BODY_LIMIT).read())
        async with asyncio.timeout(READ_SECONDS):
            review_id = await self._review_id(sent)
        asked = _asked(sent, lenient=request.path.endswith("/"))
        again = _fingerprints(sent, _key(request), client)
        # Older clients expect 201 for a new decision.
        status = 201 if request.path.endswith("/") or isinstance(asked, OlderDecision) else 200
        first = await self._before(again)
        if first is None:
            first = await self._record(review_id, asked, again, client)
        return answer(record_json(first), status)

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

    async def _review_id(self, sent: object) -> UUID:
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
        return dossier.review.id

    async def _before(self, again: dict[str, str]) -> DecisionRecord | None:
        async with asyncio.timeout(READ_SECONDS):
            return await queries.of_request(self.gate, again["request"], again.get("idempotency_key"))

    async def _record(
        self, review_id: UUID, asked: NewDecision | OlderDecision, again: dict[str, str], client: Client
    ) -> DecisionRecord:
        decision = Decision(
            choice=asked.decision,
            justification=(asked.comments or "") if isinstance(asked, OlderDecision) else asked.justification,
            digest=asked.digest,
            any_length=True,
        )
        token = client.name if self.auth.tokens is not None else None
        email = (asked.reviewer_email or "").strip() or None
        # The record carries the token's name; the name that the client sent goes into its metadata.
        named: dict[str, Json] = {"reviewer_name": asked.reviewer_name, "reviewer_email": email} if token else {}
        particulars = Particulars(
            confidence=asked.confidence_override if isinstance(asked, OlderDecision) else asked.confidence,
            modifications=as_stored(cast("Json", asked.modifications)),
            metadata={**named, **again},
        )
        asker = Asker(ApiCaller(token, asked.reviewer_name, email), "api")
        outcome = await decisions.decide(self.gate, asker, review_id, decision, particulars)
        if isinstance(outcome, Accepted):
            record = await queries.decision(self.gate, particulars.id)
            assert record is not None, "the decision is committed"
            return record
        assert isinstance(outcome, Refused), "only deliveries are deduplicated"
        # The same request may have been recorded at the same time.
        first = await self._before(again)
        if first is None:
            raise HttpError(STATUSES.get(outcome.reason, 403), outcome.sentence)
        return first


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
    }


def _asked(sent: object, *, lenient: bool) -> NewDecision | OlderDecision:
    """Parse the body; raises HttpError 422. `lenient`: a body without justification and comments counts as older."""
    assert isinstance(sent, dict), "_review_id has checked it"
    older = "justification" not in sent and (lenient or not sent.keys().isdisjoint(("comments", "confidence_override")))
    faults = faults_in(sent, ())
    try:
        asked = (OlderDecision if older else NewDecision).model_validate(sent)
    except ValidationError as error:
        raise unprocessable(faults + model_faults(error, known=faults)) from None
    if faults:
        raise unprocessable(faults)
    return asked


def _key(request: web.Request) -> str | None:
    key = request.headers.get(KEY)
    if key is not None and not 0 < len(key) <= KEY_LIMIT:
        raise unprocessable([Fault("string_length", (KEY,), f"must have 1 to {KEY_LIMIT} characters")], "header")
    return key


def _fingerprints(sent: object, key: str | None, client: Client) -> dict[str, str]:
    """The SHA-256 of the body and of the key, each with the client's name, by which a repeated request is found."""
    found = {"request": _sha256(client.name, json.dumps(sent, sort_keys=True, separators=(",", ":")))}
    return found if key is None else found | {"idempotency_key": _sha256(client.name, key)}


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _is_uuid(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
