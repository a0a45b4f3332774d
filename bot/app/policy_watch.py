"""Where the policy comes from: the settings and the policy file, which is watched.

A changed file is put in force once it is recorded; a faulty one is only reported.
"""

import asyncio

import structlog

from bot.config import ConfigurationError, Settings
from bot.domain.policy import Policy
from bot.policies.doubts import warnings
from bot.policies.reading import Around, InvalidPolicy
from bot.policies.source import Found, PolicySource
from bot.service import policies
from bot.service.errors import outage
from bot.service.gate import Gate

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""Seconds between two looks; one look is one `stat`."""


def around(settings: Settings) -> Around:
    """What a policy file may leave out."""
    return Around(
        reviewers=settings.reviewers,
        leads=settings.leads,
        review_channel=settings.slack_review_channel or "",
        incident_channel=settings.slack_incident_channel or "",
        tokens=settings.tokens,
    )


def policy_source(settings: Settings) -> PolicySource:
    """The policy file of the settings, or the built-in one, read once; raises ConfigurationError.

    Serving under the built-in rules while a file says otherwise would let the wrong people decide.
    """
    try:
        return PolicySource(settings.policy_file, around(settings))
    except InvalidPolicy as invalid:
        raise ConfigurationError(f"POLICY_FILE: {invalid}") from None


async def watch(gate: Gate, source: PolicySource) -> None:
    """Put each change of the file in force. Runs until cancelled; what cannot be recorded is tried again."""
    found: Found | None = source.found
    _warn(source.current())
    while True:
        found = source.look() or found
        if found is not None and await _dealt_with(gate, source, found):
            found = None
        await asyncio.sleep(LOOK_SECONDS)


async def _dealt_with(gate: Gate, source: PolicySource, found: Found) -> bool:
    try:
        if found.policy is None:
            stays = await policies.broken(gate, found.digest, found.sentence)
            if stays is not None:
                source.take_text(stays)
            log.warning("policy.broken", fault=found.sentence, in_force=source.current().digest[:8])
            return True
        await policies.changed(gate, found.digest, found.text, from_file=source.path is not None)
    except Exception as error:
        if outage(error) is None:
            log.exception("policy.unexpected_error", exc_info=error)
        return False
    if found.digest != source.current().digest:
        source.take_text(found.text)
        _warn(found.policy)
        log.info("policy.changed", digest=found.digest[:8])
    return True


def _warn(policy: Policy) -> None:
    for line in warnings(policy):
        log.warning("policy.warning", about=line)
