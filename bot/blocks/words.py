"""The words for severities, versions and scores, the same everywhere. An emoji never replaces a word."""

from collections.abc import Mapping

from bot.blocks import links
from bot.blocks.text import mrkdwn
from bot.domain.apv import Apv, PatchStrategy, Severity, WargameVerdict

SEVERITY: Mapping[Severity, tuple[str, str]] = {
    Severity.CRITICAL: ("🔴", "Critical"),
    Severity.HIGH: ("🟠", "High"),
    Severity.MEDIUM: ("🟡", "Medium"),
    Severity.LOW: ("🔵", "Low"),
}
STRATEGY: Mapping[PatchStrategy, str] = {
    PatchStrategy.VERSION_BUMP: "Version bump",
    PatchStrategy.CODE_REWRITE: "Code rewrite",
    PatchStrategy.CONFIG_CHANGE: "Configuration change",
    PatchStrategy.MANUAL: "Manual change",
}
VERDICT: Mapping[WargameVerdict, str] = {
    WargameVerdict.SUCCESS: "✅ Success",
    WargameVerdict.PARTIAL: "⚠️ Partial",
    WargameVerdict.FAILURE: "❌ Failure",
    WargameVerdict.INCONCLUSIVE: "❔ Inconclusive",
}


def severity(apv: Apv) -> str:
    """For example `🔴 Critical`, or `🟡 Medium (assumed)` when the report gave none."""
    emoji, word = SEVERITY[apv.severity]
    return f"{emoji} {word}{' (assumed)' if apv.severity_assumed else ''}"


def package(apv: Apv) -> str:
    """The package with its versions, untrusted: `pyyaml 5.3.1 → 5.4`."""
    now = f"{apv.package_name} {apv.package_version}" if apv.package_version else apv.package_name
    return f"{now} → {apv.fixed_version}" if apv.fixed_version else now


def advisory(apv: Apv) -> str:
    """The advisory's id as finished mrkdwn, linked if its form is known; empty if there is none."""
    name = mrkdwn(apv.advisory, 60, one_line=True)
    address = links.advisory(apv.advisory)
    return f"<{address}|{name}>" if address else name


def percent(share: float) -> str:
    """A share of 0 to 1 as a percentage: `94 %`, `0.04 %`."""
    value = share * 100
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"


def scores(apv: Apv) -> str:
    """CVSS, EPSS and the KEV catalogue, as far as they are given."""
    known: list[str] = []
    if apv.cvss_score is not None:
        known.append(f"CVSS {apv.cvss_score:.1f}")
    if apv.epss_score is not None:
        rank = f" (percentile {apv.epss_percentile * 100:.0f})" if apv.epss_percentile is not None else ""
        known.append(f"EPSS {percent(apv.epss_score)}{rank}")
    if apv.kev is not None:
        known.append("🔥 exploited (CISA KEV)" if apv.kev else "not in CISA KEV")
    return " · ".join(known) or "Not given"


def wargame(apv: Apv) -> str:
    """The verdict of the wargame and its confidence."""
    if apv.wargame_verdict is None:
        return "Not run"
    confidence = f" · confidence {percent(apv.wargame_confidence)}" if apv.wargame_confidence is not None else ""
    return f"{VERDICT[apv.wargame_verdict]}{confidence}"


def counted(count: int, noun: str) -> str:
    """A count with its noun: `1 line`, `1,204 lines`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


DIGEST_DIGITS = 16
"""The hex digits of a digest that people see: 64 bits. Other content with the same digits takes 2^64 tries."""


def digest(whole: str) -> str:
    """A digest as people see it."""
    return whole[:DIGEST_DIGITS]
