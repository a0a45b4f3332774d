"""Looks at the policy file and puts a changed one in force, once it is written down; a faulty one only says so."""

import asyncio

import structlog

from bot.domain.policy import Policy
from bot.policies.check import warnings
from bot.policies.source import Found, PolicySource
from bot.service import policies
from bot.service.errors import outage
from bot.service.gate import Gate

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""A look is one question to the file system."""


async def watch(gate: Gate, source: PolicySource) -> None:
    """Runs until cancelled. What cannot be written down is tried again, and is not in force before."""
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
            log.exception("policy.surprise", exc_info=error)
        return False
    if found.digest != source.current().digest:
        source.take_text(found.text)
        _warn(found.policy)
        log.info("policy.changed", digest=found.digest[:8])
    return True


def _warn(policy: Policy) -> None:
    for line in warnings(policy):
        log.warning("policy.warning", about=line)
