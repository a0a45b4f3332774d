"""Recognises one person in many spellings: Slack id, mention, handle, e-mail address, token.

Only ASCII letters match in any case (contract, section 6): `al\u0131ce` (a dotless i) is not `alice`.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from bot.domain.unseen import BRAILLE_BLANK, IGNORABLE

_CAPITALS = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}
_MENTION = re.compile(r"<@([a-z0-9]+)(?:\|[^>]*)?>")
# Also without what Slack and Markdown put around an address: `<mailto:a@b|a@b>`, `a@b`.
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'?@|`*=!]+@[^\s<>()\[\],;:\"'?@|`*=!]+")
_UNSEEN = frozenset({"Cf", "Cc", "Cs", "Co", "Cn"})
_IGNORED = re.compile(f"[{BRAILLE_BLANK}{''.join(f'{chr(first)}-{chr(last)}' for first, last in IGNORABLE)}]")


def uncased(text: str) -> str:
    """The text with its ASCII letters in lower case; two names may differ only by the case of other letters."""
    return text.translate(_CAPITALS)


@lru_cache(maxsize=4096)
def spellings(name: str | None) -> frozenset[str]:
    """What a name stands for: itself, the ids and addresses in it, and a token's name with and without `token:`."""
    text = _plain(name or "")
    if not text:
        return frozenset()
    addresses = {_address(found) for found in _ADDRESS.findall(text)}
    found = {*_MENTION.findall(text), *addresses} or {text.removeprefix("<").removesuffix(">")}
    return frozenset(found | {text.removeprefix("token:")} | ({text} if not addresses else set()))


def same(one: Iterable[str | None], other: Iterable[str | None]) -> bool:
    """Whether a name in `one` and a name in `other` stand for the same person or program."""
    known = frozenset[str]().union(*map(spellings, other))
    return not known.isdisjoint(frozenset[str]().union(*map(spellings, one)))


def _plain(name: str) -> str:
    seen = "".join(c for c in _IGNORED.sub("", name) if unicodedata.category(c) not in _UNSEEN)
    return uncased(" ".join(seen.split()))


def _address(found: str) -> str:
    """An address without its tag, and without the dot that ends a full domain name."""
    local, _, domain = found.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain.rstrip('.')}"
