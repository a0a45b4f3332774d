"""The only addresses that the bot links: an advisory by its id, its own pull requests, and its own messages."""

import re
from urllib.parse import urlsplit

_ADDRESSES = (
    (re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}"), "https://nvd.nist.gov/vuln/detail/{}"),
    (re.compile(r"GHSA(?:-[0-9a-z]{4}){3}"), "https://github.com/advisories/{}"),
    (re.compile(r"(?:PYSEC|OSV|RUSTSEC|GO|MAL|PSF)-[0-9]{4}-[0-9]{1,19}"), "https://osv.dev/vulnerability/{}"),
)
_MESSAGE = re.compile(r"https://[A-Za-z0-9.-]+/archives/[A-Z0-9]+/p[0-9]+(?:\?thread_ts=[0-9.]+&cid=[A-Z0-9]+)?")
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{1,31}")
_SAFE = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/%+-]*)?")


def advisory(advisory_id: str) -> str | None:
    """The page of an advisory; None unless its id has exactly a known form."""
    for pattern, address in _ADDRESSES:
        if pattern.fullmatch(advisory_id):
            return address.format(advisory_id)
    return None


def message(permalink: str) -> str | None:
    """A message's web address, as Slack's chat.getPermalink gives it; None if it looks different."""
    return permalink if _MESSAGE.fullmatch(permalink) else None


def channel(channel_id: str) -> str | None:
    """The mention of a channel, which Slack shows as a link; None unless it is an id."""
    return f"<#{channel_id}>" if _CHANNEL.fullmatch(channel_id) else None


def pull(url: str | None, web_origin: str | None) -> str | None:
    """`url` if it is https or has the origin `web_origin` (the configured GitHub's pages, possibly over http)."""
    if not url or len(url) > 1000 or not _SAFE.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        return None
    return url if parts.scheme == "https" or origin == web_origin else None
