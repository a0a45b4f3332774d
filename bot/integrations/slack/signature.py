"""Verifies that Slack signed a request with our secret within the last 300 s.

Works on raw bytes, before any parsing. No header raises an exception.
"""

import hmac
import re

TOLERANCE = 300
"""Seconds a timestamp may lie in the past or the future (Slack, "Verifying requests from Slack")."""

_TIMESTAMP = re.compile(rb"\d{10}")
_SIGNATURE = re.compile(rb"v0=[0-9a-f]{64}")


def verified(raw: bytes, timestamp: str | None, signature: str | None, secret: bytes, now: float) -> bool:
    """Whether `signature` is v0=HMAC-SHA256(secret, "v0:<timestamp>:<raw>") and `timestamp` is recent.

    `timestamp` and `signature` are the headers X-Slack-Request-Timestamp and X-Slack-Signature, None when
    absent; `now` is in seconds since the epoch.
    """
    sent_at = (timestamp or "").encode("utf-8", "replace")
    given = (signature or "").encode("utf-8", "replace")
    if not (_TIMESTAMP.fullmatch(sent_at) and _SIGNATURE.fullmatch(given)):
        return False
    if abs(now - int(sent_at)) > TOLERANCE:
        return False
    expected = hmac.digest(secret, b"v0:" + sent_at + b":" + raw, "sha256").hex()
    # Bytes, because compare_digest raises on a str that is not ASCII.
    return hmac.compare_digest(b"v0=" + expected.encode(), given)
