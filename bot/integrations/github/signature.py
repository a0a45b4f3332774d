"""Verifies that a webhook comes from GitHub: HMAC-SHA256 over the raw body, in `X-Hub-Signature-256`."""

import hmac
import re

SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")


def verified(raw: bytes, signature: str | None, *, secret: bytes) -> bool:
    """Whether `signature` matches `raw`; compared in constant time."""
    if not SIGNATURE.fullmatch(signature or ""):
        return False
    wanted = "sha256=" + hmac.digest(secret, raw, "sha256").hex()
    return hmac.compare_digest(wanted, signature or "")
