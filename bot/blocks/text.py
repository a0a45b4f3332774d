"""Makes untrusted text inert: it cannot mention, link, format or hide. A cut never splits an entity.

Slack escapes `&`, `<` and `>` and nothing else (docs.slack.dev, "Formatting message text").
"""

import re
from datetime import UTC, datetime

from bot.blocks.characters import readable

ELLIPSIS = "…"
ZWSP = "\u200b"

_SPECIAL = re.compile(r"[&<>*_~`]|:(?=[\w+'-]+:)")
_INERT = {
    "&": "&amp;",
    "<": "&lt;",
    ">": f"{ZWSP}&gt;",  # at the start of a line it makes a quote, escaped or not
    "*": f"{ZWSP}*",
    "_": f"{ZWSP}_",
    "~": f"{ZWSP}~",
    "`": f"{ZWSP}`",
    ":": f":{ZWSP}",  # otherwise `:tada:` becomes an emoji
}
_PIECE = re.compile(rf"&(?:amp|lt|gt);|{ZWSP}&gt;|{ZWSP}[*_~`]|:{ZWSP}|.", re.DOTALL)
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{1,31}")


def mrkdwn(text: str, limit: int, *, one_line: bool = False) -> str:
    """`text` for a mrkdwn object, at most `limit` characters once escaped; keeps line breaks unless `one_line`."""
    clean = _one_line(text) if one_line else _lines(text)
    # Escaping never shortens, so nothing past limit + 1 can be shown.
    escaped = _escaped(clean[: limit + 1])
    return escaped if len(escaped) <= limit else _whole(escaped, limit - len(ELLIPSIS)).rstrip() + ELLIPSIS


def mrkdwn_parts(text: str, size: int) -> list[str]:
    """All of `text` for several mrkdwn objects of at most `size` characters, split between words where possible."""
    rest = _escaped(_lines(text))
    parts: list[str] = []
    while len(rest) > size:
        part = _whole(rest, size)
        space = max(part.rfind(" "), part.rfind("\n"))
        part = part[:space] if space > size // 2 else part
        parts.append(part)
        rest = rest[len(part) :].lstrip()
    return [*parts, rest] if rest else parts


def _escaped(clean: str) -> str:
    return _SPECIAL.sub(lambda m: _INERT[m[0]], clean)


def _whole(escaped: str, room: int) -> str:
    """As many whole pieces of escaped text as fit into `room` characters."""
    kept: list[str] = []
    for piece in _PIECE.finditer(escaped):
        room -= len(piece[0])
        if room < 0:
            break
        kept.append(piece[0])
    return "".join(kept)


def plain(text: str, limit: int) -> str:
    """`text` as one line for a plain_text object, which has no markup; at most `limit` characters."""
    return cut(_one_line(text), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of text without markup; a cut text ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def cut_markup(text: str, limit: int) -> str:
    """At most `limit` characters of finished mrkdwn; never cut inside an entity or inside `<...>`."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    if kept.rfind("<") > kept.rfind(">"):
        kept = kept[: kept.rfind("<")]
    if kept.rfind("&") > kept.rfind(";"):
        kept = kept[: kept.rfind("&")]
    return kept.rstrip(f" \n{ZWSP}") + ELLIPSIS


def date(at: datetime) -> str:
    """A time that Slack shows in each reader's own time zone, with UTC as the fallback."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{utc(at)}>"


def utc(at: datetime) -> str:
    """A time where Slack shows no markup: `2026-11-22 16:00 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def age(since: datetime, now: datetime) -> str:
    """The time since then, in its largest unit: `45 min`, `3 h`, `12 d`."""
    minutes = max(0, int((now - since).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def mention(key: str, name: str | None) -> str:
    """A person who acted here: a mention if `key` is a Slack user id, otherwise their name, inert.

    Never use it for a person named in an APV (its reporter): the text of an APV must not mention anybody.
    """
    if _SLACK_USER.fullmatch(key):
        return f"<@{key}>"
    return mrkdwn(name or key, 80, one_line=True) or "somebody"


def _one_line(text: str) -> str:
    return " ".join(_lines(text).split())


def _lines(text: str) -> str:
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return re.sub(r"\n\s*\n", "\n\n", readable(unified)).strip()
