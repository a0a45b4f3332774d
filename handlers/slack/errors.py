"""Turns every error of a handler into a reply in our own words: nothing was recorded."""

import structlog
from pydantic import ValidationError
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncBoltRequest

from bot.blocks import ids
from bot.service.errors import sentence_of
from handlers.slack.context import Context
from handlers.slack.payloads import Click

log = structlog.get_logger(__name__)


class NotShown(Exception):
    """Slack did not show a page. A modal has no place for a reply: Slack itself says that the click failed."""


async def answer_error(context: Context, error: Exception, request: AsyncBoltRequest) -> BoltResponse:
    """Tell the person; a click gets a non-2xx answer, because an acknowledged click is a recorded one."""
    if isinstance(error, ValidationError | ids.NotOurs):
        # Signed, but not a payload that Slack sends: there is nobody to answer.
        log.warning("slack.malformed", error=type(error).__name__)
        return BoltResponse(status=400, body="")
    if isinstance(error, NotShown):
        return BoltResponse(status=503, body="")
    sentence, expected = sentence_of(error)
    if expected:
        log.warning("slack.refused", error=type(error).__name__)
    else:
        log.error("slack.unexpected_error", exc_info=error)
    body = request.body
    match body.get("type"):
        case "view_submission":
            answer = {"response_action": "errors", "errors": {ids.JUSTIFICATION_BLOCK: sentence}}
            return BoltResponse(status=200, body=answer)
        case "block_actions":
            await context.tell(Click.model_validate(body), sentence)
            return BoltResponse(status=503, body="")
        case None if "command" in body:
            return BoltResponse(status=200, body={"response_type": "ephemeral", "text": sentence})
        case _:
            return BoltResponse(status=503, body="")
