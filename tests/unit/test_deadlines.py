"""When a review must be decided, and what happens until then."""

import csv
from collections.abc import Mapping
from datetime import timedelta

import pytest

from bot.domain import deadlines
from bot.domain.apv import Json
from bot.domain.bod_26_04 import ROWS, assess
from bot.domain.deadlines import Said, due, due_at
from bot.domain.policy import EscalationStep, Preset, Principals, Reminders, Rule
from tests.builders import NOW, apv, review
from tests.unit.test_intake_formats import DATA

BOD = Rule(approvals=1, minutes=60, deadline=Preset.BOD_26_04)
NEAR, NEARER = (EscalationStep(minutes, Principals(), (name,)) for minutes, name in ((240, "leads"), (60, "ciso")))
RULE = Rule(
    approvals=1,
    minutes=1_440,
    reminders=Reminders(after=60, backoff=2.0, at_most=10),
    escalation=(NEAR, NEARER),
    expires=120,
)


def inputs(exposed: object, automatable: object, impact: object) -> Mapping[str, Json]:
    return {"exposed": exposed, "automatable": automatable, "technical_impact": impact}  # type: ignore[dict-item] # any


@pytest.mark.skipif(not DATA.is_dir(), reason="no folder of published tables (APV_TEST_DATA, ../shared/data)")
def test_the_rows_are_the_published_ones() -> None:
    """Sixteen rows, in order, each with its timeline word for word."""
    published = list(csv.DictReader((DATA / "bod-26-04.csv").open(encoding="utf-8")))
    ours = [
        {
            "in_kev": "yes" if row.in_kev else "no",
            "publicly_exposed": "yes" if row.exposed else "no",
            "automatable": "yes" if row.automatable else "no",
            "technical_impact": "total" if row.total else "partial",
            "timeline": row.timeline,
        }
        for row in ROWS
    ]
    assert ours == published


@pytest.mark.parametrize("number", range(1, 17))
def test_each_row_gives_its_deadline(number: int) -> None:
    """The days count from arrival; "next upgrade" is no deadline; the reason names the row and every input."""
    row = ROWS[number - 1]
    told = inputs(row.exposed, row.automatable, "total" if row.total else "partial")
    reported = apv(kev=row.in_kev)
    due = due_at(NOW, BOD, reported, told)
    assert due == (None if row.days is None else NOW + timedelta(days=row.days))
    why = deadlines.why_due(BOD, reported, told)
    assert why is not None
    assert why.startswith(f"BOD 26-04 row {number}, {row.timeline}: ")
    assert "assumed" not in why
    assert ("not in KEV" in why) is not row.in_kev


@pytest.mark.parametrize(
    ("kev", "told", "row", "assumed"),
    [
        (None, {}, 10, ("kev", "exposed", "automatable", "technical_impact")),
        (True, {}, 13, ("exposed", "automatable", "technical_impact")),
        (False, inputs(None, "maybe", 7), 10, ("exposed", "automatable", "technical_impact")),
        (False, inputs("no", "Yes", "partial"), 4, ()),
        (False, inputs(False, False, "TOTAL"), 5, ()),
        (True, inputs(False, True, "partial"), 7, ()),
    ],
)
def test_unknown_has_a_stated_value(
    kev: bool | None, told: Mapping[str, Json], row: int, assumed: tuple[str, ...]
) -> None:
    """What a report does not say, or says in no known word, is assumed, and the card says so."""
    found = assess(apv(kev=kev), told)
    assert (found.number, found.assumed) == (row, assumed)
    assert found.reason.count("(assumed)") == len(assumed)


def test_a_fixed_deadline_counts_its_minutes() -> None:
    """Whatever the report says of exploitation; and the card has nothing to explain."""
    assert due_at(NOW, RULE, apv(kev=True), inputs(True, True, "total")) == NOW + timedelta(days=1)
    assert deadlines.why_due(RULE, apv(), {}) is None


@pytest.mark.parametrize(
    ("minutes", "told", "said", "next_minutes"),
    [
        (0, Said(), (False, (), False), 60),
        (60, Said(), (True, (), False), 180),  # the second waits twice as long as the first
        (61, Said(1, 0), (False, (), False), 180),
        (180, Said(1, 0), (True, (), False), 420),
        (1_000, Said(), (True, (), False), 1_200),  # nobody looked for long: reminded once
        (1_200, Said(4, 0), (False, (NEAR,), False), 1_380),
        (1_380, Said(4, 1), (False, (NEARER,), False), 1_560),
        (1_400, Said(4, 0), (False, (NEAR, NEARER), False), 1_560),
        (1_440, Said(4, 2), (False, (), False), 1_560),
        (1_559, Said(4, 2), (False, (), False), 1_560),
        (1_560, Said(4, 2), (False, (), True), None),
        (9_999, Said(), (False, (), True), None),
    ],
)
def test_what_is_said_and_when(
    minutes: int, told: Said, said: tuple[bool, tuple[EscalationStep, ...], bool], next_minutes: int | None
) -> None:
    """Reminders back off and stop at the deadline; each step once; the end once; and it is known when to look next."""
    found = due(review(), RULE, told, NOW + timedelta(minutes=minutes))
    assert (found.remind, found.steps, found.expire) == said
    assert found.next_at == (None if next_minutes is None else NOW + timedelta(minutes=next_minutes))


def test_what_was_said_is_not_said_again() -> None:
    """Looking twice at one moment says nothing the second time."""
    for minutes in range(0, 1_560, 30):
        now = NOW + timedelta(minutes=minutes)
        again = due(review(), RULE, due(review(), RULE, Said(), now).said, now)
        assert (again.remind, again.steps) == (False, ())


def test_the_built_in_rules_keep_silent() -> None:
    """Without reminders, chain and expiry there is nothing to look at again."""
    found = due(review(), Rule(approvals=1, minutes=60), Said(), NOW + timedelta(days=900))
    assert found == deadlines.Due(remind=False, wake=False, steps=(), expire=False, said=Said(), next_at=None)
