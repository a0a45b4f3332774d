"""Verifies that a webhook comes from GitHub: HMAC-SHA256 over the raw body, in `X-Hub-Signature-256`."""

import hashlib
import hmac
import re

SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")


def verified(raw: bytes, signature: str | None, *, secret: bytes) -> bool:
    """Whether `signature` matches `raw`; compared in constant time."""
    if not SIGNATURE.fullmatch(signature or ""):
        return False
    wanted = "sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, signature or "")
