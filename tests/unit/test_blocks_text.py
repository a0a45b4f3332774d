"""Untrusted text is inert everywhere, and no cut breaks it."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.blocks import ids, links, text
from tests.unit.blocks import AIOHTTP, EVIL, dossier

INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200c-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
ENTITIES = re.compile("&amp;|&lt;|&gt;")
ANY_TEXT = st.text() | st.text("&<>*_~`:ab \n\u200b\u202e").map(lambda t: t * 3) | st.just(EVIL)
LIMITS = st.integers(1, 300)
OURS = ids.encode(dossier(AIOHTTP).review)


def undone(escaped: str) -> str:
    """What a reader sees of escaped text."""
    shown = escaped.replace("\u200b", "").replace("&lt;", "<").replace("&gt;", ">")
    return shown.replace("&amp;", "&")


@settings(deadline=None)
@given(ANY_TEXT, LIMITS, st.booleans())
@example("&&&&", 6, False)
@example("<!channel>" * 10, 12, True)
def test_escaped_text_keeps_its_limit_and_holds_no_markup(raw: str, limit: int, one_line: bool) -> None:
    """For any input, the result is within the limit, has no bare `<`, `>` or `&`, and nothing invisible."""
    shown = text.mrkdwn(raw, limit, one_line=one_line)
    assert len(shown) <= limit
    assert not re.search("[<>&]", ENTITIES.sub("", shown))
    assert not INVISIBLE.search(shown)
    assert not re.search(r"(?<!\u200b)[*_~`]", shown)
    assert not re.search(r":[\w+'-]+:", shown)
    assert not (one_line and "\n" in shown)


@settings(deadline=None)
@given(ANY_TEXT, LIMITS)
def test_a_cut_shows_a_beginning_and_says_so(raw: str, limit: int) -> None:
    """Cut text is the beginning of the whole text and an ellipsis."""
    whole, shown = text.mrkdwn(raw, 10**6), text.mrkdwn(raw, limit)
    if len(whole) <= limit:
        assert shown == whole
    else:
        assert shown.endswith("…")
        assert undone(whole).startswith(undone(shown[:-1]))


@settings(deadline=None)
@given(ANY_TEXT, LIMITS)
def test_plain_text_is_one_visible_line(raw: str, limit: int) -> None:
    """plain_text needs no escape: it is one line within the limit, and nothing in it is invisible."""
    shown = text.plain(raw, limit)
    assert len(shown) <= limit
    assert "\n" not in shown
    assert not INVISIBLE.search(shown)
    assert "\u200b" not in shown


@settings(deadline=None)
@given(st.lists(st.sampled_from(["<@U123>", "&amp;", "&lt;", "a", "*b*", "<https://x.example/y|z>", " "])), LIMITS)
def test_finished_markup_is_never_cut_in_two(pieces: list[str], limit: int) -> None:
    """A cut of finished mrkdwn leaves whole entities and whole `<...>`."""
    shown = text.cut_markup("".join(pieces), limit)
    assert len(shown) <= limit
    rest = ENTITIES.sub("", re.sub(r"<@U123>|<https://x\.example/y\|z>", "", shown))
    assert not re.search("[<>&]", rest)


@settings(deadline=None)
@given(ANY_TEXT, st.integers(10, 200))
def test_parts_hold_all_of_a_text(raw: str, size: int) -> None:
    """Text in several parts loses only white space between them, and each part is as inert as one."""
    parts = text.mrkdwn_parts(raw, size)
    assert all(0 < len(part) <= size for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.mrkdwn(raw, 10**6).split())
    assert not any(re.search("[<>&]", ENTITIES.sub("", part)) for part in parts)


def test_lines_are_kept_or_joined_as_asked() -> None:
    """Paragraphs survive with at most one empty line; the one-line form joins them."""
    raw = " first\r\n\r\n\n\nsecond\rthird\t. "
    assert text.mrkdwn(raw, 100) == "first\n\nsecond\nthird ."
    assert text.mrkdwn(raw, 100, one_line=True) == "first second third ."


def test_a_date_is_shown_in_the_readers_own_zone() -> None:
    """Slack's date markup has the time, and UTC for clients that cannot render it."""
    noon = datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    assert text.date(noon) == "<!date^1795348800^{date_short_pretty} {time}|2026-11-22 12:00 UTC>"


@pytest.mark.parametrize(
    ("minutes", "shown"), [(-5, "0 min"), (59, "59 min"), (60, "1 h"), (2879, "47 h"), (2880, "2 d")]
)
def test_an_age_is_told_in_its_largest_unit(minutes: int, shown: str) -> None:
    """Ages are short; an age is never negative."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert text.age(now - timedelta(minutes=minutes), now) == shown


@pytest.mark.parametrize("key", ["token:ci", "claimed:<@U1>", "U1>", "u0alice", "U1\n", "USER NAME", ""])
def test_only_a_slack_user_is_mentioned(key: str) -> None:
    """Any key but a Slack user id is shown by the person's name, inert."""
    assert text.mention("U0ALICE", "alice") == "<@U0ALICE>"
    assert text.mention(key, "*al<ice") == "\u200b*al&lt;ice"


@pytest.mark.parametrize(
    ("advisory", "address"),
    [
        ("CVE-2024-23334", "https://nvd.nist.gov/vuln/detail/CVE-2024-23334"),
        ("GHSA-5h86-8mv2-jq9f", "https://github.com/advisories/GHSA-5h86-8mv2-jq9f"),
        ("PYSEC-2023-175", "https://osv.dev/vulnerability/PYSEC-2023-175"),
        ("CVE-2024-23334\n", None),
        ("CVE-2024-1|x", None),
        ("CVE-\u0662\u0660\u0662\u0664-23334", None),
        ("GHSA-../../../../x", None),
        ("", None),
    ],
)
def test_an_advisory_is_linked_only_by_an_id_known_to_the_letter(advisory: str, address: str | None) -> None:
    """The address is built from ids of a fixed form; any other id is text."""
    assert links.advisory(advisory) == address


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://github.com/acme/shop/pull/12", True),
        ("http://127.0.0.1:8101/acme/shop/pull/1", True),
        ("http://127.0.0.1:8102/acme/shop/pull/1", False),
        ("http://127.0.0.1:8101@evil.example/", False),
        ("http://127.0.0.1:8101.evil.example/", False),
        ("https://github.com/a|b", False),
        ("https://github.com/a>b", False),
        ("https://github.com/a b", False),
        ("https://[", False),
        ("javascript:alert(1)", False),
        ("https://github.com/" + "a" * 3000, False),
        ("", False),
        (None, False),
    ],
)
def test_a_pull_request_is_linked_over_https_or_from_the_configured_github(url: str | None, linked: bool) -> None:
    """Plain http is linked only for the configured origin, and nothing in an address may break out."""
    assert links.pull(url, "http://127.0.0.1:8101") == (url if linked else None)


def test_a_button_names_its_review_and_the_content_shown() -> None:
    """Decoding gives back what was encoded; a card of an earlier release names no version, its modal a channel."""
    review = dossier(AIOHTTP).review
    assert ids.decode(ids.encode(review)) == (review.id, review.digest, review.version)
    former = f"{review.id}:{review.digest}"
    for sent in (former, f"{former}:", f"{former}:C0REVIEW"):
        assert ids.decode(sent) == (review.id, review.digest, None)


@settings(deadline=None)
@given(st.text())
@example(f"{OURS}x")
@example(f"{OURS}\n")
@example(f"{OURS}:C1:C2")
@example(f"{OURS}:<!channel>")
@example(OURS.upper())
@example(OURS[:-3])
def test_a_value_that_is_not_ours_is_refused(value: str) -> None:
    """Anything else is a ValueError, never another error and never a review."""
    with pytest.raises(ValueError, match="of a review"):
        ids.decode(value)
