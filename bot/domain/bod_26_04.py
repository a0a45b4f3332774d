"""CISA's Binding Operational Directive 26-04: deadlines by exploitation, exposure, automation and impact.

The sixteen rows are CERT/CC's decision table for it. Inputs missing from a report get a default value, and the reason
marks them as assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.apv import Apv, Json

KEYS = ("exposed", "automatable", "technical_impact")
"""The names in an APV's `metadata`: the first two true or false, or yes or no; the third `partial` or `total`.

`kev` is a field of its own.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its inputs and its days; None: with the next upgrade."""

    in_kev: bool
    exposed: bool
    automatable: bool
    total: bool
    days: int | None
    forensics: bool = False

    @property
    def timeline(self) -> str:
        """The deadline in the directive's words."""
        if self.days is None:
            return "next upgrade"
        return f"{self.days} days and forensics" if self.forensics else f"{self.days} days"


# in KEV, publicly exposed, automatable, total technical impact, days, forensics
ROWS = tuple(
    Row(*row)
    for row in (
        (False, False, False, False, None),
        (True, False, False, False, 14),
        (False, True, False, False, 60),
        (False, False, True, False, 60),
        (False, False, False, True, None),
        (True, True, False, False, 14),
        (True, False, True, False, 14),
        (False, True, True, False, 14),
        (True, False, False, True, 14),
        (False, True, False, True, 14),
        (False, False, True, True, 60),
        (True, True, True, False, 3),
        (True, True, False, True, 3, True),
        (True, False, True, True, 3, True),
        (False, True, True, True, 3),
        (True, True, True, True, 3, True),
    )
)
BY_INPUT = {(row.in_kev, row.exposed, row.automatable, row.total): (number, row) for number, row in enumerate(ROWS, 1)}

ASSUMED = {"kev": False, "exposed": True, "automatable": False, "technical_impact": True}
"""Defaults for unknown inputs: not in KEV, exposed, not automatable, total impact."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The row that applies, and which of its inputs were assumed."""

    number: int
    row: Row
    assumed: tuple[str, ...]
    """The names of inputs that the report lacks."""

    @property
    def reason(self) -> str:
        """For the card: the row, its timeline, and each input, marked if it was assumed."""
        words = {
            "kev": "in KEV" if self.row.in_kev else "not in KEV",
            "exposed": "exposed" if self.row.exposed else "not exposed",
            "automatable": "automatable" if self.row.automatable else "not automatable",
            "technical_impact": "total impact" if self.row.total else "partial impact",
        }
        told = (f"{text} (assumed)" if name in self.assumed else text for name, text in words.items())
        return f"BOD 26-04 row {self.number}, {self.row.timeline}: {', '.join(told)}"


def assess(apv: Apv, metadata: Mapping[str, Json]) -> Assessment:
    """Choose the row. A value other than those described at KEYS counts as unknown."""
    impact = metadata.get("technical_impact")
    known: dict[str, bool | None] = {
        "kev": apv.kev,
        "exposed": _bool(metadata.get("exposed")),
        "automatable": _bool(metadata.get("automatable")),
        "technical_impact": {"partial": False, "total": True}.get(impact.lower()) if isinstance(impact, str) else None,
    }
    assumed = tuple(name for name, value in known.items() if value is None)
    chosen = {name: ASSUMED[name] if value is None else value for name, value in known.items()}
    number, row = BY_INPUT[chosen["kev"], chosen["exposed"], chosen["automatable"], chosen["technical_impact"]]
    return Assessment(number, row, assumed)


def _bool(value: Json) -> bool | None:
    if isinstance(value, str):
        return {"yes": True, "no": False}.get(value.lower())
    return value if isinstance(value, bool) else None
