"""What was measured, how rounds are brought together, and how it is shown and kept."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

WORDS = ("", "figure", "against")
"""Headings of columns that hold words."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: p50 and p99 in milliseconds, and how many a second."""

    p50: float
    p99: float
    per_second: float

    @classmethod
    def of(cls, latencies: Sequence[float], per_second: float) -> "Sample":
        """`latencies` in seconds."""
        ordered = sorted(latencies)
        p50, p99 = (1000 * ordered[math.ceil(len(ordered) * share) - 1] for share in (0.5, 0.99))
        return cls(p50, p99, per_second)

    @classmethod
    def typical(cls, samples: Sequence["Sample"]) -> "Sample":
        """The medians over the rounds: one round that the machine disturbed does not count."""
        return cls(*(median(getattr(s, name) for s in samples) for name in ("p50", "p99", "per_second")))


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of `build/bench.json`; `ratio` > 1: better than what it is measured against, in the same run."""

    name: str
    value: float
    unit: str
    against: str
    ratio: float


def keep(figures: Iterable[Figure], path: Path) -> None:
    """Write the figures, and nothing half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = [asdict(f) | {"value": round(f.value, 3), "ratio": round(f.ratio, 3)} for f in figures]
    path.write_text(json.dumps({"figures": rounded}, indent=2) + "\n", "utf-8")


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be; words to the left, numbers to the right."""
    widths = [max(len(line[i]) for line in (heading, *rows)) for i in range(len(heading))]

    def shown(line: Sequence[str]) -> str:
        cells = zip(line, widths, heading, strict=True)
        return "  ".join(cell.ljust(w) if name in WORDS else cell.rjust(w) for cell, w, name in cells).rstrip()

    return "\n".join([shown(heading), *map(shown, rows)])


def samples_table(samples: Mapping[str, Mapping[int, Sample]]) -> str:
    """For each number of connections p50 and p99 in milliseconds, and how many a second."""
    counts = list(next(iter(samples.values())))
    heading = ["", *(name for count in counts for name in (f"c{count}: p50 ms", "p99 ms", "per s"))]
    return table(heading, [[what, *(cell for c in counts for cell in _cells(of[c]))] for what, of in samples.items()])


def _cells(sample: Sample) -> tuple[str, str, str]:
    return f"{sample.p50:.2f}", f"{sample.p99:.2f}", f"{sample.per_second:.0f}"


def figures_table(figures: Sequence[Figure]) -> str:
    """The figures as they are kept."""
    rows = [[f.name, f"{f.value:.2f} {f.unit}", f"{f.ratio:.2f}", f.against] for f in figures]
    return table(["figure", "value", "ratio", "against"], rows)
