"""Finds characters that a reader does not see or takes for others, and shows them by their numbers."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from bot.domain.unseen import BRAILLE_BLANK, IGNORABLE

_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control and format characters, half surrogate pairs, separators of lines and paragraphs."""
_LAST = 0x1FFFF
"""No later character has one of these categories or `Zs`, except those of plane 14 in the table."""
VS16 = "\ufe0f"
"""Asks for the colourful form of the character before it."""


def _ranges(points: list[int]) -> str:
    """A regular expression's class of code points, in ascending order."""
    ends: list[list[int]] = []
    for point in points:
        if ends and point == ends[-1][1] + 1:
            ends[-1][1] = point
        else:
            ends.append([point, point])
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in ends)


def _of(categories: set[str]) -> list[int]:
    return [point for point in range(_LAST + 1) if unicodedata.category(chr(point)) in categories]


_ignorable = {point for first, last in IGNORABLE for point in range(first, last + 1)}
# Tab and line feed are white space that everybody handles.
_unseen = _ranges(sorted((_ignorable | set(_of(_CATEGORIES))) - {ord("\t"), ord("\n")}))
_blank = _ranges(sorted([*(set(_of({"Zs"})) - {ord(" ")}), ord(BRAILLE_BLANK)]))
HIDDEN = re.compile(f"[{_unseen}{_blank}]")
"""Characters that show nothing, or that look like a space but are not one."""

_RUN = re.compile(r"[ \t]{6,}")
_RUN_WIDTH, _TAB_WIDTH = 40, 8
"""Columns: a wider run of blanks can push the text after it out of sight."""


def marked(found: re.Match[str]) -> str:
    """The characters of a match by their numbers: `[U+202E]`."""
    return "".join(f"[U+{ord(character):04X}]" for character in found[0])


def _counted(found: re.Match[str]) -> str:
    run = found[0]
    tabs = run.count("\t")
    if len(run) + tabs * (_TAB_WIDTH - 1) <= _RUN_WIDTH:
        return run
    return f"[{len(run)} {'spaces' if not tabs else 'tabs' if tabs == len(run) else 'blanks'}]"


def visible(text: str) -> str:
    """`text` with every hidden character as `[U+202E]` and every long run of blanks as `[200 spaces]`.

    Line ends stay as they are, CRLF becomes LF.
    """
    return _RUN.sub(_counted, HIDDEN.sub(marked, text.replace("\r\n", "\n")))


_HIDDEN_IN_PROSE = re.compile(f"(?P<blank>[{_blank}])|[{_unseen}]")


def readable(text: str) -> str:
    """Prose without hidden characters: blanks become spaces, an emoji keeps its colours."""
    return _HIDDEN_IN_PROSE.sub(_plainly, text)


def leaves_out(text: str) -> bool:
    """Whether `readable` drops characters of `text`; line ends, and blanks that become spaces, do not count."""
    unified = text.replace("\r", "\n")
    return any(not _plainly(found) for found in _HIDDEN_IN_PROSE.finditer(unified))


def _plainly(found: re.Match[str]) -> str:
    if found["blank"]:
        return " "
    before = found.string[found.start() - 1 : found.start()]
    # Most of the emoji are symbols (Unicode's So and Sm).
    return VS16 if found[0] == VS16 and before and unicodedata.category(before) in {"So", "Sm"} else ""


def hides(text: str) -> bool:
    """Whether `text` contains hidden characters."""
    return HIDDEN.search(text.replace("\r\n", "\n")) is not None


def fact(text: str) -> str:
    """`text` as one line, like `visible`; a line feed is shown too."""
    return visible(text).replace("\n", "[U+000A]")


_ODD_IN_NAME = re.compile(rf"{HIDDEN.pattern}|\A | \Z| {{2,}}|[\t\n]|\[(?=U\+)")
"""Also text that looks like one of our marks."""


def name(text: str) -> str:
    """A file's name as one line that shows every character, also blanks at its ends and double blanks."""
    return _ODD_IN_NAME.sub(marked, text)


def middle_cut(line: str, width: int) -> str:
    """A line of at most `width` characters that shows both its ends and says how many are left out between them."""
    if len(line) <= width:
        return line
    note = f"[{len(line):,} characters not shown]"  # its room; the number below is smaller
    tail = max(0, (width - len(note)) // 3)
    head = max(0, width - len(note) - tail)
    return f"{line[:head]}[{len(line) - head - tail:,} characters not shown]{line[len(line) - tail :]}"


_WORD = re.compile(r"\w+")
_FINE_WITH_LATIN = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "MICRO"}
"""UTS #39 section 5.2, Highly Restrictive: nobody takes them for Latin. MICRO is the sign in µs."""


def mixed(text: str, *, word: re.Pattern[str] = _WORD) -> Iterator[str]:
    """The words that mix Latin with a script that looks like it, their odd characters as `[U+0455]`.

    A word in another script alone is fine. Letters that compilers read as ASCII (fullwidth, mathematical) are odd too.
    """
    for found in word.finditer(text):
        if found[0].isascii():
            continue
        kinds = {character: _kind(character) for character in found[0]}
        odd = {"ascii-like", "other"} if "latin" in kinds.values() else {"ascii-like"}
        if not odd.isdisjoint(kinds.values()):
            yield "".join(f"[U+{ord(c):04X}]" if kinds[c] in odd else c for c in found[0])


@lru_cache(maxsize=4096)
def _kind(character: str) -> Literal["latin", "ascii-like", "other", "fine"]:
    if not character.isalpha():
        return "fine"
    if not character.isascii() and unicodedata.normalize("NFKC", character).isascii():
        return "ascii-like"
    # The first word of a letter's name is its script.
    script = unicodedata.name(character, "").partition(" ")[0]
    return "latin" if script == "LATIN" else "fine" if script in _FINE_WITH_LATIN else "other"
