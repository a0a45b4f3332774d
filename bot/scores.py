"""The base score and the severity of a CVSS vector."""

from functools import lru_cache

from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]  # the library ships no types
from cvss.exceptions import CVSSError  # type: ignore[import-untyped]  # the library ships no types

from bot.domain.apv import Apv, Severity, severity_of_score, strictest

VECTOR_LIMIT = 1_000
"""Characters; all metrics of CVSS 4.0 together take about 200."""


@lru_cache(maxsize=4096)
def base_score(vector: str) -> float | None:
    """The base score, 0-10, of a CVSS 2.0, 3.0, 3.1 or 4.0 vector; None if it is not valid.

    Versions 3 and 4 carry their prefix (`CVSS:3.1/`); version 2 has none.
    """
    if len(vector) > VECTOR_LIMIT:
        return None
    version = CVSS4 if vector.startswith("CVSS:4") else CVSS3 if vector.startswith("CVSS:3") else CVSS2
    try:
        return float(version(vector).base_score)
    except CVSSError:
        return None


def band(vector: str | None) -> Severity | None:
    """The severity of a vector's base score; None without a valid vector."""
    score = base_score(vector) if vector else None
    return None if score is None else severity_of_score(score)


def strictest_of(apv: Apv) -> Severity:
    """The highest of a report's stated severity, its CVSS vector's and KEV's."""
    return strictest(apv.severity, band(apv.cvss_vector), kev=bool(apv.kev))
