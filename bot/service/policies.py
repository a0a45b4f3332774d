"""Records and announces a changed policy file, once over all replicas."""

from datetime import datetime

from bot.domain.apv import Json, Severity
from bot.domain.replay import Past
from bot.jobs import AlertIncident
from bot.service.gate import Gate
from storage import deadlines, jobs, policies, replay
from storage.audit import Entry

ACTOR = "apv-bot"


async def changed(gate: Gate, digest: str, content: str, *, from_file: bool) -> None:
    """Record that this policy is in force; does nothing if it already is, or if there was never a file."""
    async with gate.database.transaction() as tx:
        if not from_file and await policies.head(tx) is None:
            return
        before = await policies.lock(tx)
        if before.digest == digest and not before.broken:
            return
        entry = None
        if before.digest != digest:
            was = f", in place of {before.digest[:8]}" if before.digest else ""
            sentence = f"Policy {digest[:8]} is in force{was}."
            detail: dict[str, Json] = {"digest": digest, "previous": before.digest or None}
            entry = Entry("policy.changed", ACTOR, "file", sentence, gate.now(), detail)
            await policies.keep(tx, digest, content)
            await deadlines.restart(tx)
        await policies.write(tx, before, digest=digest, broken="", entry=entry)


async def broken(gate: Gate, digest: str, fault: str) -> str | None:
    """Announce once in the incident channel that the file is invalid; `digest` is empty if it cannot be read.

    Returns the text of the policy that stays in force: this replica may not have read it before it was overwritten.
    """
    name = digest or "unreadable"
    async with gate.database.transaction() as tx:
        before = await policies.lock(tx)
        stays_in_force = await policies.content(tx, before.digest)
        if before.broken == name:
            return stays_in_force
        stays = (
            f"Policy {before.digest[:8]} stays in force." if before.digest else "The policy before it stays in force."
        )
        sentence = f"The policy file was changed and cannot be used: {fault}. {stays}"
        entry = Entry("policy.broken", ACTOR, "file", sentence, gate.now(), {"digest": digest or None, "fault": fault})
        await policies.write(tx, before, digest=before.digest, broken=name, entry=entry)
        await jobs.enqueue(tx, [(AlertIncident(None, entry.id), Severity.HIGH)])
    return stays_in_force


async def reviews_since(gate: Gate, moment: datetime) -> list[Past]:
    """Every review created since then, with its decisions, to replay it under another policy."""
    async with gate.database.transaction() as tx:
        return await replay.since(tx, moment)
