"""Past reviews under another policy: only what would have been decided differently."""

from datetime import timedelta

import pytest

from bot.domain.apv import Severity, WargameVerdict
from bot.domain.auto import Origin
from bot.domain.patch import ChangeKind, FileChange
from bot.domain.policy import Policy
from bot.domain.replay import Cast, DifferenceKind, Past, replay, summary
from bot.domain.review import Choice, Review, Status
from bot.policies.reading import Around, read
from tests.builders import ALICE, BOB, CAROL, NOW, apv, review

AROUND = Around(("S0TEAM",), (CAROL,), "C0REVIEW", "C0INCIDENT")
MEMBERS = {"S0TEAM": frozenset({ALICE, BOB, CAROL}), "S0PY": frozenset({BOB})}
LATER = NOW + timedelta(hours=2)
BEFORE = read("", AROUND)


def policy(text: str) -> Policy:
    return read('[groups]\npython = ["S0PY"]\n' + text, AROUND)


def cast(key: str, choice: Choice = Choice.APPROVE) -> Cast:
    return Cast(key, key.removeprefix("U0").capitalize(), None, choice, LATER)


def past(on: Review, *decisions: Cast) -> Past:
    reported = apv(wargame_verdict=WargameVerdict.SUCCESS, wargame_confidence=0.99)
    return Past(on, reported, decisions, origin=Origin("scanner"))


def done(status: Status, **changes: object) -> Review:
    return review(status=status, closed_at=LATER, package_name="jinja2", package_ecosystem="PyPI", **changes)


PINS = (FileChange("requirements.txt", ChangeKind.CHANGED),)
MERGED, REJECTED, OPEN = done(Status.MERGED), done(Status.REJECTED), review(package_name="jinja2", files=PINS)
AUTO = '[auto_approval]\nenabled = true\nseverity = ["high"]\nsubmitter = ["scanner"]'
FREEZE = '[[freeze]]\nname = "Quiet"\nbegins = 2026-03-04T00:00:00Z\nends = 2026-03-05T00:00:00Z'
CASES = [
    ("", past(MERGED, cast(ALICE)), []),
    ("[severity.high]\napprovals = 2", past(MERGED, cast(ALICE)), [(DifferenceKind.WAITS, "1 of 2 approvals")]),
    ("[severity.high]\napprovals = 2", past(MERGED, cast(ALICE), cast(BOB)), []),
    (
        "[severity.high]\napprovals = 2",
        past(MERGED, cast(ALICE), cast(ALICE)),
        [(DifferenceKind.WAITS, "1 of 2 approvals")],
    ),
    ('[severity.high]\ngroups = ["python"]', past(MERGED, cast(BOB)), []),
    (
        '[severity.high]\ngroups = ["python"]',
        past(MERGED, cast(ALICE)),
        [(DifferenceKind.WAITS, "1 of 1 approval; a member of python is still needed")],
    ),
    (
        f'[people]\nreviewers = ["{ALICE}"]',
        past(MERGED, cast("U0GONE")),
        [(DifferenceKind.WAITS, "0 of 1 approval; Gone could not decide")],
    ),
    (
        f'[[machine]]\naccount = "nightly-scan"\nowners = ["{ALICE}"]',
        past(MERGED, cast(ALICE)),
        [(DifferenceKind.WAITS, "0 of 1 approval; Alice reported it")],
    ),
    (
        FREEZE,
        past(MERGED, cast(ALICE)),
        [(DifferenceKind.WAITS, "0 of 1 approval; Alice approved during a freeze window")],
    ),
    ("", past(review(severity=Severity.CRITICAL, due_at=None), cast(ALICE)), []),
    (
        "[severity.critical]\napprovals = 1",
        past(review(severity=Severity.CRITICAL, due_at=None), cast(ALICE)),
        [(DifferenceKind.APPROVED, "1 of 1 approval")],
    ),
    (AUTO, past(OPEN), [(DifferenceKind.AUTOMATIC, "it is pending now")]),
    (AUTO, past(MERGED, cast(ALICE)), []),
    (
        f'[people]\nreviewers = ["{ALICE}"]',
        past(REJECTED, cast("U0GONE", Choice.REJECT)),
        [(DifferenceKind.REFUSED, "Gone could not decide")],
    ),
    (
        "[severity.high]\nminutes = 60",
        past(MERGED, cast(ALICE)),
        [(DifferenceKind.LATE, "due 2026-03-04 06:06 instead of 2026-03-05 05:06 UTC")],
    ),
    (
        "[severity.high]\nminutes = 600",
        past(done(Status.MERGED, due_at=NOW + timedelta(hours=1)), cast(ALICE)),
        [(DifferenceKind.IN_TIME, "due 2026-03-04 15:06 instead of 2026-03-04 06:06 UTC")],
    ),
    (
        '[[route]]\npackage = ["jinja*"]\nchannel = "C0WEB"',
        past(MERGED, cast(ALICE)),
        [(DifferenceKind.ELSEWHERE, "C0WEB instead of C0REVIEW")],
    ),
]


@pytest.mark.parametrize(("text", "one", "expected"), CASES)
def test_what_would_be_otherwise(text: str, one: Past, expected: list[tuple[DifferenceKind, str]]) -> None:
    """The same people and clicks, judged by other rules."""
    found = replay([one], BEFORE, policy(text), MEMBERS, LATER)
    assert [(difference.kind, difference.sentence) for difference in found] == expected


def test_without_slack_whoever_decided_is_a_member() -> None:
    """Group membership is unknown then, so it changes no result."""
    under = policy('[severity.high]\ngroups = ["python"]')
    assert replay([past(MERGED, cast(ALICE))], BEFORE, under, None, LATER) == []


def test_the_summary_counts_each_change() -> None:
    """Most serious first."""
    text = "[severity.high]\napprovals = 2\nminutes = 60"
    found = replay([past(MERGED, cast(ALICE)), past(OPEN)], BEFORE, policy(text), MEMBERS, LATER)
    assert summary(found) == [(DifferenceKind.WAITS, 1), (DifferenceKind.LATE, 2)]
