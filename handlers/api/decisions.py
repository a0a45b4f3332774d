"""Decisions over REST: made by the same rules as a click, asked for again without a second effect, and read."""

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
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted
from bot.intake.bounds import as_stored, faults_in
from bot.intake.faults import Fault
from bot.service import decisions, queries
from bot.service.decisions import Asker, Particulars
from bot.service.gate import Gate
from bot.service.people import ApiCaller
from bot.service.queries import DecisionRecord
from handlers.api import models
from handlers.api.auth import Auth, Principal
from handlers.api.models import NewDecision, OlderDecision
from handlers.api.routes import FAULTY, Model, Parameter, Route
from handlers.body import document
from handlers.http import HttpError, answer
from handlers.review_json import utc

READ_SECONDS = 10.0
KEY = "Idempotency-Key"
KEY_LIMIT = 255
BODY_LIMIT = 2 * 1024 * 1024
"""Bytes; the strings in it are bounded below that."""

REPEATABLE = Parameter(
    name=KEY, where="header", schema={"type": "string", "minLength": 1, "maxLength": KEY_LIMIT},
    about="The same key again answers the first record again, whatever has come since.",
)  # fmt: skip
STATUSES = {Reason.CLOSED: 409, Reason.STALE: 409, Reason.UNKNOWN_REVIEW: 404, Reason.UNREADABLE: 409}
"""A refusal by policy is 403."""


def routes(gate: Gate, auth: Auth) -> Sequence[Route]:
    """What `gate` records and has recorded, for whom `auth` admits."""
    api = _Decisions(gate, auth)
    refused: dict[int, Model] = {403: models.Refusal, 404: models.Refusal, 409: models.Refusal}
    return (
        Route(
            method="POST", path="/decisions", name="decide", scope="decide", handler=api.decide,
            about="Decide. The older body, and the path with a slash at its end, are answered by 201.",
            body=(NewDecision, OlderDecision), parameters=(REPEATABLE,),
            answers={200: models.Decision, 201: models.Decision, **refused, **FAULTY},
        ),
        Route(
            method="GET", path="/decisions/{id}", name="show_decision", scope="read", handler=api.show,
            about="One decision record.",
            parameters=(Parameter(name="id", where="path", schema={"type": "string"}),),
            answers={200: models.Decision, 404: models.Refusal},
        ),
        Route(
            method="GET", path="/decisions/history/{apv_id}", name="decision_history", scope="read",
            handler=api.history, about="All decisions on one review, oldest first; none of an unknown one.",
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
        """Record a decision, or answer the record that the same request came to before."""
        principal = self.auth.admit(request, "decide")
        sent = document(await request.clone(client_max_size=BODY_LIMIT).read())
        async with asyncio.timeout(READ_SECONDS):
            review_id = await self._review_id(sent)
        asked = _asked(sent, lenient=request.path.endswith("/"))
        again = _fingerprints(sent, _key(request), principal)
        # Older clients know a decision that was made by 201.
        status = 201 if request.path.endswith("/") or isinstance(asked, OlderDecision) else 200
        first = await self._before(again)
        if first is None:
            first = await self._record(review_id, asked, again, principal)
        return answer(record_json(first), status)

    async def show(self, request: web.Request) -> web.Response:
        """One decision record."""
        self.auth.admit(request, "read")
        name = request.match_info["id"]
        async with asyncio.timeout(READ_SECONDS):
            found = await queries.decision(self.gate, UUID(name)) if _is_uuid(name) else None
        if found is None:
            raise HttpError(404, f"Decision {name} not found")
        return answer(record_json(found))

    async def history(self, request: web.Request) -> web.Response:
        """All decisions on one review, oldest first."""
        self.auth.admit(request, "read")
        async with asyncio.timeout(READ_SECONDS):
            found = await queries.history(self.gate, request.match_info["apv_id"])
        return answer([record_json(record) for record in found])

    async def _review_id(self, sent: object) -> UUID:
        """Of the review that is named, which is looked for before anything else is."""
        if not isinstance(sent, dict):
            raise _unprocessable([Fault("dict_type", (), "a decision is a JSON object")])
        name = sent.get("apv_id")
        if not isinstance(name, str):
            kind = "missing" if name is None else "string_type"
            raise _unprocessable([Fault(kind, ("apv_id",), "the UUID or the apv_code of a review is required")])
        stored = await queries.find(self.gate, name.strip())
        if stored is None:
            shown = name if name.isprintable() and len(name) <= 100 else "with this name"
            raise HttpError(404, f"APV {shown} not found")
        return stored.review.id

    async def _before(self, again: dict[str, str]) -> DecisionRecord | None:
        async with asyncio.timeout(READ_SECONDS):
            return await queries.of_request(self.gate, again["request"], again.get("idempotency_key"))

    async def _record(
        self, review_id: UUID, asked: NewDecision | OlderDecision, again: dict[str, str], principal: Principal
    ) -> DecisionRecord:
        decision = Decision(
            choice=asked.decision,
            justification=(asked.comments or "") if isinstance(asked, OlderDecision) else asked.justification,
            digest=asked.digest,
            any_length=isinstance(asked, OlderDecision),
        )
        token = principal.name if self.auth.tokens is not None else None
        email = (asked.reviewer_email or "").strip() or None
        # A token speaks for itself; what its client calls itself is kept beside.
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
            assert record is not None, "it is committed"
            return record
        assert isinstance(outcome, Refused), "without a delivery nothing is a repetition"
        # The same request at the same time may have been faster.
        first = await self._before(again)
        if first is None:
            raise HttpError(STATUSES.get(outcome.reason, 403), outcome.sentence)
        return first


def record_json(record: DecisionRecord) -> dict[str, Json]:
    """Every name of the contract."""
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
    """What the body says; raises HttpError 422 with every fault. `lenient`: a body with no reason at all is older."""
    assert isinstance(sent, dict), "looked at already"
    older = "justification" not in sent and (lenient or not sent.keys().isdisjoint(("comments", "confidence_override")))
    faults = faults_in(sent, ())
    try:
        asked = (OlderDecision if older else NewDecision).model_validate(sent)
    except ValidationError as error:
        bounded = {fault.loc for fault in faults}
        found = [Fault(e["type"], e["loc"], e["msg"]) for e in error.errors(include_url=False, include_input=False)]
        faults += [fault for fault in found if fault.loc not in bounded]
        raise _unprocessable(faults) from None
    if faults:
        raise _unprocessable(faults)
    return asked


def _unprocessable(faults: Sequence[models.Fault]) -> HttpError:
    return HttpError(422, models.as_detail(faults))


def _key(request: web.Request) -> str | None:
    key = request.headers.get(KEY)
    if key is not None and not 0 < len(key) <= KEY_LIMIT:
        sentence = f"1 to {KEY_LIMIT} characters are expected"
        raise HttpError(422, [{"type": "string_length", "loc": ["header", KEY], "msg": sentence}])
    return key


def _fingerprints(sent: object, key: str | None, principal: Principal) -> dict[str, str]:
    """How this request is known again: SHA-256 of its body and of its key, both of this principal alone."""
    found = {"request": _sha256(principal.name, json.dumps(sent, sort_keys=True, separators=(",", ":")))}
    return found if key is None else found | {"idempotency_key": _sha256(principal.name, key)}


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _is_uuid(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
