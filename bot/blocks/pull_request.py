"""The text of a pull request. Untrusted text is fenced or made inert: it mentions nobody and renders as text."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from bot.blocks import links, patch, words
from bot.blocks.characters import visible
from bot.blocks.text import cut, plain
from bot.domain.apv import Apv, PatchStrategy
from bot.domain.review import Dossier, Review

TITLE_MAX = 200
BODY_MAX = 60_000
"""GitHub refuses bodies over 65,536 characters."""
APPROVALS_MAX = 30_000
"""Characters of the body that the approvals may use."""
NAME_MAX = 100
STATUS_MAX = 140
"""GitHub refuses a longer description of a commit status."""
FILES_MAX = 8_000
"""Characters of the body that the paths of the patch may use."""
LEFT_OUT = "The rest of the report does not fit here. The review has all of it."


class GivenApproval(Protocol):
    """One recorded approval. `reviewer_key` is a Slack id, `token:<name>` or `claimed:<e-mail or name>`."""

    @property
    def reviewer_name(self) -> str: ...  # noqa: D102
    @property
    def reviewer_key(self) -> str: ...  # noqa: D102
    @property
    def reviewer_email(self) -> str | None: ...  # noqa: D102
    @property
    def justification(self) -> str: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102


def title(apv: Apv) -> str:
    """A conventional title, for example `fix(deps): bump jinja2 from 2.10 to 2.10.1 (CVE-2019-10906)`."""
    version = apv.package_version
    if apv.patch_strategy is PatchStrategy.VERSION_BUMP and apv.fixed_version:
        what = f"fix(deps): bump {apv.package_name}{f' from {version}' if version else ''} to {apv.fixed_version}"
    else:
        what = f"fix(security): patch {apv.package_name}"
    advisory = f" ({apv.advisory})" if apv.advisory else ""
    return inert(f"{what}{advisory}", TITLE_MAX)


def commit_message(dossier: Dossier) -> str:
    """The title, what it fixes, and the review that approved it."""
    apv, review = dossier.apv, dossier.review
    told = f"\n\n{inert(apv.cve_title, 300)}" if apv.cve_title else ""
    return f"{title(apv)}{told}\n\nAPV: {review.code}\nAPV-Digest: {review.digest}\n"


def labels(apv: Apv) -> tuple[str, ...]:
    """The labels that every pull request has; the policy may add more."""
    return (f"severity: {apv.severity.value}",)


def approved(review: Review, approvals: Sequence[GivenApproval]) -> str:
    """The sentence of the check on the commit, with the names that fit."""
    how = words.counted(len(approvals), "approval") if approvals else "automatically"
    told = f"{review.code} was approved ({how}, digest {words.digest(review.digest)})"
    names = ", ".join(inert(_named(approval), NAME_MAX) for approval in approvals)
    return cut(f"{told}: {names}", STATUS_MAX) if names else told


def check(review: Review, approvals: Sequence[GivenApproval]) -> str:
    """The Markdown of the check run: what was approved, and by whom."""
    return f"{_approved_as(review)}\n\n{_approvals(approvals)}"


def _approved_as(review: Review) -> str:
    return f"Approved as **{review.code}**, version {review.version}, digest `{review.digest}`."


def answer(sentence: str, entry_id: UUID, *, close: bool) -> tuple[str, str]:
    """A comment about a later decision on the same APV, and the mark in it that finds the comment again."""
    mark = f"<!-- apv-bot {entry_id} -->"
    effect = "The bot closes this pull request" if close else "Changes to this pull request are requested"
    return f"{mark}\n{effect} because of a later decision:\n\n{fenced(sentence, 8_000)}", mark


def body(dossier: Dossier, approvals: Sequence[GivenApproval]) -> str:
    """The advisory, the evidence and the approvals, as GitHub Markdown of at most BODY_MAX characters.

    The required parts come first. A long part that does not fit is left out as a whole, so that no fence stays open.
    """
    apv, review = dossier.apv, dossier.review
    address = links.advisory(apv.advisory)
    parts = [
        _approved_as(review),
        *([f"Advisory: [{apv.advisory}]({address})"] if address else []),
        _table(_facts(apv)),
        *([f"### Files\n\n{_files(dossier)}"] if apv.has_patch else []),
        "### Approvals\n\n" + _approvals(approvals),
    ]
    room = BODY_MAX - sum(len(part) + 2 for part in parts) - len(LEFT_OUT)
    for heading, text, most in _long_parts(apv):
        part = f"### {heading}\n\n{fenced(text, most)}"
        if text.strip() and len(part) + 2 <= room:
            parts.append(part)
            room -= len(part) + 2
        elif text.strip():
            return "\n\n".join([*parts, LEFT_OUT])
    return "\n\n".join(parts)


def _files(dossier: Dossier) -> str:
    """Every path of the patch, as many as fit, the unusual ones first; then the warnings."""
    lines = patch.listed(dossier.review.files or ())
    shown, room = 0, FILES_MAX
    while shown < len(lines) and (room := room - len(lines[shown]) - 1) >= 0:
        shown += 1
    more = [f"and {len(lines) - shown:,} more"] if shown < len(lines) else []
    return _fence("\n".join([*lines[:shown], *more, *patch.warnings(dossier.apv, dossier.review)]))


def _long_parts(apv: Apv) -> list[tuple[str, str, int]]:
    """Heading, text and maximum number of characters of each part."""
    evidence = json.dumps(apv.wargame_evidence, indent=2, ensure_ascii=False) if apv.wargame_evidence else ""
    return [
        ("Advisory", apv.cve_description or "", 8_000),
        ("Patch", apv.patch_description or "", 4_000),
        ("Validation warnings", "\n".join(apv.validation_warnings), 4_000),
        ("Wargame evidence", evidence, 8_000),
        ("References", "\n".join(apv.references), 4_000),
    ]


def _facts(apv: Apv) -> list[tuple[str, str]]:
    versions = f"{apv.package_version or '?'} → {apv.fixed_version}" if apv.fixed_version else apv.package_version or ""
    verdict = apv.wargame_verdict.value if apv.wargame_verdict else ""
    confidence = f" (confidence {apv.wargame_confidence:.0%})" if apv.wargame_confidence is not None else ""
    rows = [
        ("Advisory", " ".join(dict.fromkeys(i for i in (apv.cve_id, *apv.aliases[:5]) if i))),
        ("Title", apv.cve_title or ""),
        ("Severity", apv.severity.value + (" (assumed)" if apv.severity_assumed else "")),
        ("CVSS", " ".join(str(v) for v in (apv.cvss_score, apv.cvss_vector) if v is not None)),
        ("EPSS", f"{apv.epss_score:.2%}" if apv.epss_score is not None else ""),
        ("Known exploited", "yes (CISA KEV)" if apv.kev else ""),
        ("Package", f"{apv.package_name} ({apv.package_ecosystem})" if apv.package_ecosystem else apv.package_name),
        ("Versions", versions),
        ("Weaknesses", " ".join(apv.cwe_ids[:10])),
        ("Confirmed", _confirmation(apv)),
        ("Patch risk", apv.patch_risk_level or ""),
        ("Validation", {True: "passed", False: "failed", None: ""}[apv.validation_passed]),
        ("Wargame", f"{verdict}{confidence}" if verdict else ""),
        ("Wargame run", apv.wargame_run_url or ""),
        ("Affected files", ", ".join(apv.affected_files[:10])),
    ]
    return [(name, value) for name, value in rows if value]


def _confirmation(apv: Apv) -> str:
    said = [{True: "yes", False: "no", None: ""}[apv.confirmed]]
    for name, share in (
        ("score", apv.confirmation_score),
        ("static confidence", apv.static_confidence),
        ("dynamic confidence", apv.dynamic_confidence),
        ("false positive probability", apv.false_positive_probability),
    ):
        said.append(f"{name} {share:.0%}" if share is not None else "")
    return ", ".join(part for part in said if part)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"| {name} | {code(value, 500)} |" for name, value in rows]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _approvals(approvals: Sequence[GivenApproval]) -> str:
    """One line per approval, as many as fit."""
    if not approvals:
        return "None: the policy approves patches of this kind automatically."
    lines: list[str] = []
    for approval in approvals:
        when = approval.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        why = f": {code(approval.justification, 3_000)}" if approval.justification else ""
        line = f"- {_identified(approval)}, {when}{why}"
        if sum(map(len, lines)) + len(line) > APPROVALS_MAX:
            return "\n".join([*lines, f"- and {len(approvals) - len(lines)} more"])
        lines.append(line)
    return "\n".join(lines)


def _identified(approval: GivenApproval) -> str:
    """Display name, key and e-mail address: people choose their display names, and two people may have the same one."""
    known = [code(known, 320) for known in (approval.reviewer_key, approval.reviewer_email) if known]
    if _is_machine(approval):
        known.insert(0, "machine")
    return f"{code(approval.reviewer_name, NAME_MAX)} ({', '.join(known)})"


def _named(approval: GivenApproval) -> str:
    return f"{approval.reviewer_name} (machine)" if _is_machine(approval) else approval.reviewer_name


def _is_machine(approval: GivenApproval) -> bool:
    """Whether a machine approved: a token with an owner decides under the owner's Slack id."""
    return approval.reviewer_key.startswith("token:")


_SPECIAL = re.compile(r"@|#|\[|://|\bGH-", re.IGNORECASE)
"""What mentions a person, refers to or closes an issue, links, or (`[skip ci]`) stops GitHub from running checks."""


def inert(text: str, limit: int) -> str:
    """One line that GitHub renders as text only: a zero-width space follows everything that has a meaning to GitHub."""
    return _SPECIAL.sub("\\g<0>\u200b", plain(text, limit))


def code(text: str, limit: int) -> str:
    """One line as a code span: GitHub resolves no mention or reference inside it."""
    one_line = plain(text, limit).replace("|", "\u2502")
    ticks = "`" * (max((len(run) for run in re.findall(r"`+", one_line)), default=0) + 1)
    return f"{ticks} {one_line} {ticks}" if "`" in one_line else f"`{one_line}`"


def fenced(text: str, limit: int) -> str:
    """Several lines as a code block; its fence is longer than any run of backticks inside."""
    return _fence(cut(visible(text).strip(), limit))


def _fence(shown: str) -> str:
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    return f"{fence}text\n{shown}\n{fence}"
