"""The only addresses that the bot links: an advisory by its id, and the pull request that the bot opened."""

import re
from urllib.parse import urlsplit

_ADDRESSES = (
    (re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}"), "https://nvd.nist.gov/vuln/detail/{}"),
    (re.compile(r"GHSA(?:-[0-9a-z]{4}){3}"), "https://github.com/advisories/{}"),
    (re.compile(r"(?:PYSEC|OSV|RUSTSEC|GO|MAL|PSF)-[0-9]{4}-[0-9]{1,19}"), "https://osv.dev/vulnerability/{}"),
)
_SAFE = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/%+-]*)?")


def advisory(advisory_id: str) -> str | None:
    """The page of an advisory; None unless its id has exactly a known form."""
    for pattern, address in _ADDRESSES:
        if pattern.fullmatch(advisory_id):
            return address.format(advisory_id)
    return None


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
