"""Nothing that a reader cannot see, or takes for something else, is shown as if it were nothing."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.blocks import characters, diff, text
from tests.unit.blocks import AIOHTTP_DIFF

# One of each kind: variation selectors, fillers, tags, joiners, Khmer vowels, bidi, controls, separators, blanks.
HIDDEN = (
    "\ufe00\ufe0f\U000e0100\U000e01ef\u3164\uffa0\u115f\u1160\U000e0041\u034f\u200d\u17b4\u17b5\u180b\u2060\u2064"
    "\u206f\u202e\u2066\u061c\u00ad\ufeff\ufff9\U0001d173\U000e0fff\x00\x07\x7f\x85\r\u2028\u2029"
    "\u00a0\u1680\u2000\u2007\u200a\u202f\u205f\u3000\u2800"
)


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda c: f"U+{ord(c):04X}")
def test_a_hidden_character_is_shown_by_its_number(hidden: str) -> None:
    """In diffs and evidence; in prose nothing of it is left but a space."""
    assert characters.visible(f"a{hidden}b") == f"a[U+{ord(hidden):04X}]b"
    assert characters.hides(f"a{hidden}b")
    assert text.plain(f"a{hidden}b", 9) in {"ab", "a b"}


def test_the_class_is_unicodes() -> None:
    """Every control, format and separator character but space, tab and line feed; no letter, mark or symbol."""
    for point in range(0x110000):
        character = chr(point)
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}:
            assert characters.hides(character) == (character not in " \t\n"), hex(point)
        elif unicodedata.category(character) in {"Lu", "Ll", "Nd", "Sm", "Sc", "Pd", "Ps"}:
            assert not characters.hides(character), hex(point)


def test_an_ordinary_diff_is_shown_as_it_is() -> None:
    """Tabs, line ends and letters of any script are no secret."""
    assert characters.visible(AIOHTTP_DIFF) == AIOHTTP_DIFF
    assert characters.visible("a\td\r\nпривет 日本\n") == "a\td\nпривет 日本\n"  # noqa: RUF001 - that is the point
    assert not characters.hides("a\r\n\tb")


def test_an_emoji_in_prose_keeps_its_colours() -> None:
    """Only there: behind a letter, or in a diff, the selector is hidden."""
    assert text.plain("⚠️ a\ufe0fb", 20) == "⚠️ ab"
    assert characters.visible("⚠️") == "⚠[U+FE0F]"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("+x" + " " * 200 + "--extra", "+x[200 spaces]--extra"),
        ("+" + "\t" * 12 + "x", "+[12 tabs]x"),
        ("+" + " \t" * 8 + "x", "+[16 blanks]x"),
        ("+x" + " " * 41, "+x[41 spaces]"),
        ("+" + " " * 40 + "x", "+" + " " * 40 + "x"),
        ("+\t\t\t\tx", "+\t\t\t\tx"),
    ],
)
def test_a_long_run_of_blanks_is_counted(raw: str, shown: str) -> None:
    """What is behind it moves into sight; ordinary indentation stays."""
    assert characters.visible(raw) == shown


def test_a_cut_line_shows_both_ends_and_says_how_much_is_missing() -> None:
    """At most the width asked for."""
    shown = characters.middle_cut("a" * 1000 + "tail", 160)
    assert len(shown) <= 160
    assert shown.startswith("aaa")
    assert shown.endswith("tail")
    (left_out,) = re.findall(r"\[(\d+) characters not shown\]", shown)
    assert len(shown.replace(f"[{left_out} characters not shown]", "")) + int(left_out) == 1004
    assert characters.middle_cut("short", 160) == "short"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+reque\u0455ts==2.31.0", ["reque[U+0455]ts"]),
        ("+p\u03bfwer and p\u043ewer", ["p[U+03BF]wer", "p[U+043E]wer"]),
        ("+\uff45xec(x)", ["[U+FF45]xec"]),
        ("+\U0001d41e\U0001d431ec", ["[U+1D41E][U+1D431]ec"]),
        ("+# привет, мир: naïve café 日本語test 5 µs Ωμέγα", []),
        ("+plain ascii_name2", []),
    ],
)
def test_a_word_of_mixed_scripts_is_named(line: str, words: list[str]) -> None:
    """Its odd characters by their numbers; a whole word of another script is fine."""
    assert list(characters.mixed(line)) == words


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", " ", "\n", "\t", "\u202e", "[U+0020]", "[", "U+"]), max_size=12).map("".join))
@example("a  b")
@example(" a")
def test_two_names_are_never_shown_alike(raw: str) -> None:
    """A file's name can be read back, blanks included."""
    shown = re.sub(r"\[U\+([0-9A-F]{4,6})\]", lambda m: chr(int(m[1], 16)), characters.name(raw))
    assert shown == raw
    assert characters.name(raw) == text.plain(characters.name(raw), 1000)


def test_an_excerpt_says_how_much_it_leaves_out() -> None:
    """The first lines as they are, CRLF or not, and the count of the rest."""
    assert diff.excerpt("a\r\nb\r\nc\r\n", 2) == ("a\nb", 1)
    assert diff.excerpt("a\nb", 5) == ("a\nb", 0)
    assert diff.excerpt("\n", 5) == (" ", 0)
    assert "characters not shown" in diff.excerpt("x" * 500, 1)[0]


@settings(deadline=None)
@given(st.text("+-ab \n\u202e\U0001f480", max_size=400), st.integers(1, 40))
@example("\n\n\n", 1)
@example("ab\ncd", 2)
def test_chunks_hold_all_of_a_text(raw: str, size: int) -> None:
    """In order, none empty, none too long; lines are split only where they must be."""
    made = diff.chunks(raw, size)
    assert all(1 <= len(chunk) <= size for chunk in made)
    assert "".join("".join(made).split()) == "".join(raw.split())
    whole = raw.removesuffix("\n").split("\n")
    if all(len(line) <= size for line in whole):
        assert [line or " " for chunk in made for line in chunk.split("\n")] == [line or " " for line in whole]
