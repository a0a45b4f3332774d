"""What `policy check` refuses by its type, and what it warns of as probably a mistake."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.policies.check import problems
from bot.policies.doubts import warnings
from bot.policies.reading import Around, InvalidPolicy, read
from tests.builders import ALICE, BOB, CAROL

AROUND = Around((ALICE, BOB, CAROL), (), "C0REVIEW", "C0INCIDENT")
CASES = Path(os.environ.get("APV_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data") / "cases" / "policies"
GROUPS = f'[groups]\npayments = ["{BOB}"]\n'


def refusals(text: str) -> list[str]:
    with pytest.raises(InvalidPolicy) as invalid:
        read(text, AROUND)
    return [fault.sentence for fault in invalid.value.faults]


def warned(text: str) -> list[str]:
    return warnings(read(text, AROUND))


NUMBERS = [
    "[severity.low]\napprovals = {}", "[severity.low]\nhumans = {}", "[severity.low]\nminutes = {}",
    "[severity.low]\nexpires = {}", "[severity.low.reminders]\nafter = {}",
    "[severity.low.reminders]\nafter = 1\nat_most = {}", '[[severity.low.escalation]]\nto = ["U1"]\nbefore = {}',
    "[[rule]]\napprovals = {}", "[[rule]]\nhumans = {}", "[[rule]]\napprovals = 1\nmin_files = {}",
    "[[rule]]\napprovals = 1\nmin_changed_lines = {}", "[pull_request]\nmax_files = {}",
     "[pull_request]\nmax_bytes = {}",
]  # fmt: skip
SWITCHES = [
    "[severity.low]\njustification = {}", "[[rule]]\njustification = {}", "[[rule]]\napprovals = 1\nmachine = {}",
    "[[rule]]\napprovals = 1\nmajor = {}", "[auto_approval]\nenabled = {}", "[pull_request]\ndraft = {}",
    "[pull_request]\nallow_workflows = {}",
]  # fmt: skip
FRACTIONS = ["[severity.low.reminders]\nafter = 1\nbackoff = {}", "[auto_approval]\nconfidence = {}"]
LISTS = [
    "[auto_approval]\nverdict = {}", "[auto_approval]\nsubmitter = {}", "[[route]]\nseverity = {}",
    "[[route]]\npackage = {}", "[[rule]]\napprovals = 1\npaths = {}", "[people]\nreaders = {}",
     "[people]\nreviewers = {}",
]  # fmt: skip
WRONG = [
    *((text, value) for text in NUMBERS for value in ("true", '"2"', "2.0", "[2]")),
    *((text, value) for text in SWITCHES for value in ("1", '"true"', "1.0")),
    *((text, value) for text in FRACTIONS for value in ("true", '"1.5"')),
    *((text, value) for text in LISTS for value in ('"failure"', "true", "[3]", "[true]")),
    ('severity_from = {}', "true"), ('severity_from = {}', '"highest"'), ("[pull_request]\nbase_moved = {}", '"push"'),
    ('[[freeze]]\nname = "x"\nbegins = {}\nends = 2026-01-01T00:00:00Z', "5"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), WRONG)
def test_a_value_of_the_wrong_type_is_refused_where_it_stands(text: str, value: str) -> None:
    """Nothing is read as what it is not: `true` is no number, and "2" neither."""
    faulty = text.format(value)
    tomllib.loads(faulty)
    line = next(number for number, written in enumerate(text.split("\n"), 1) if "{}" in written)
    key = text.split("\n")[line - 1].partition(" = ")[0]
    assert any(said.startswith(f"line {line}: ") and key in said for said in refusals(faulty)), refusals(faulty)


REFUSED = [
    ("[severity.low]\napprovals = 1\nhumans = 2",
     "line 1: severity.low: humans is 2, more than the 1 approvals it is a part of"),
    ("[severity.critical]\nhumans = 3",
     "line 1: severity.critical: humans is 3, more than the 2 approvals it is a part of"),
    ("[[rule]]\npaths = ['a']",
     "line 1: rule.1: asks for nothing; give approvals, humans, groups or justification"),
    ("[[rule]]\napprovals = 1\nhumans = 2", "line 1: rule.1: humans is 2, more than the 1 approvals it is a part of"),
    ("[[rule]]\napprovals = 1\npaths = ['!a']",
     "line 3: rule.1.paths.1: must name paths, as in gitignore, without `!`"),
    ("[[rule]]\napprovals = 1\npaths = ['[z-a]']", "line 3: rule.1.paths.1: is not a pattern as in gitignore"),
    ("[[rule]]\ngroups = ['ops']", "line 2: rule.1.groups.1: unknown group `ops`; add it under [groups]"),
    ("[[rule]]\nname = 'runs before merge'\napprovals = 1",
     "line 2: rule.1.name: another rule has the name `runs before merge`; choose another one"),
    ("[[rule]]\nname = 'x'\napprovals = 1\n[[rule]]\nname = 'x'\napprovals = 2",
     "line 5: rule.2.name: another rule has the name `x`; choose another one"),
    ("[people]\nreaders = ['token:ci']",
     "line 1: people: readers: a token does not read in Slack; what it may read over the API is in its scope"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_what_cannot_be_meant_is_refused(text: str, sentence: str) -> None:
    assert refusals(text) == [sentence]


AUTO = '[auto_approval]\nenabled = true\nseverity = ["low"]\nsubmitter = ["ci"]\n'
LEADS = f'[people]\nleads = ["{CAROL}"]\n'
WARNED = [
    ("", []),
    (AUTO, []),
    (AUTO + 'verdict = ["success", "failure"]', ["auto_approval.verdict: `failure`"]),
    (AUTO + 'verdict = ["inconclusive", "partial"]',
     ["auto_approval.verdict: `partial`", "auto_approval.verdict: `inconclusive`"]),
    (AUTO + "confidence = 0", ["auto_approval.confidence: 0"]),
    ('[auto_approval]\nenabled = true\nseverity = ["low"]\npackage = ["types-*"]',
     ["auto_approval.submitter: names nobody"]),
    ('[auto_approval]\nenabled = true\nseverity = ["low"]\nsubmitter = ["*"]',
     ["auto_approval.submitter: names nobody"]),
    ('[auto_approval]\nenabled = true\nseverity = ["critical"]\npackage = ["*"]\nconfidence = 0\n'
     'verdict = ["failure"]\nstrategy = ["code_rewrite", "manual"]',
     ["auto_approval.submitter: names nobody", "auto_approval.severity: critical is never",
      "auto_approval.verdict: `failure`", "auto_approval.confidence: 0",
      "auto_approval.strategy: `code_rewrite`", "auto_approval.strategy: `manual`"]),
    (AUTO + 'strategy = ["manual", "version_bump"]', ["auto_approval.strategy: `manual`"]),
    # A route by the name of a package reads like protection of what has that name.
    (GROUPS + '[[route]]\necosystem = ["PyPI"]\npackage = ["payments*"]\ngroups = ["payments"]',
     ["route.1.groups: `package` is the vulnerable package"]),
    (GROUPS + '[[route]]\nrepository = ["acme/payments"]\ngroups = ["payments"]', []),
    (GROUPS + '[[route]]\npackage = ["a*"]\nchannel = "C1"\n[[route]]\npackage = ["ab"]\ngroups = ["payments"]',
     ["route.2: route.1 matches everything that it matches, so this route never applies and its groups need not"]),
    ('[[route]]\nchannel = "C1"\n[[route]]\nseverity = ["high"]\nchannel = "C2"', ["route.2: route.1 matches"]),
    ('[[route]]\npackage = ["a"]\n[[route]]\npackage = ["a"]', ["route.2: route.1 has the same conditions"]),
    ('[[route]]\npackage = ["b"]\nchannel = "C1"\n[[route]]\npackage = ["a"]\nchannel = "C2"', []),
    (GROUPS + '[[route]]\nseverity = ["high"]\nchannel = "C1"\n[[route]]\nrepository = ["a/b"]\ngroups = ["payments"]',
     ["route.2.groups: where route.1 also matches, it applies alone"]),
    (GROUPS + '[[route]]\necosystem = ["npm"]\nchannel = "C1"\n[[route]]\necosystem = ["Go"]\ngroups = ["payments"]',
     []),
    (GROUPS + '[[route]]\nrepository = ["a/c"]\n[[route]]\nrepository = ["a/b"]\ngroups = ["payments"]', []),
    ("[[rule]]\napprovals = 3\n[[rule]]\nname = 'small'\nmin_files = 2\napprovals = 2",
     ["rule small: adds nothing, because rule rule.1 asks for as much"]),
    ("[[rule]]\nname = 'a'\napprovals = 3\n[[rule]]\nname = 'b'\napprovals = 3", ["rule b: adds nothing"]),
    ("[[rule]]\napprovals = 2\n[[rule]]\nmin_files = 2\napprovals = 3", []),
    ("[[rule]]\npaths = ['.github/**']\napprovals = 2",
     ["rule rule.1: adds nothing, because rule runs before merge asks for as much"]),
    ("[[rule]]\npaths = ['.github/**']\napprovals = 3", []),
    ("[[rule]]\nseverity = ['critical']\nmajor = true\napprovals = 2",
     ["rule rule.1: adds nothing, because each severity needs 2 people already"]),
    (GROUPS + "[[rule]]\npackage = ['payments*']\ngroups = ['payments']",
     ["rule rule.1: `package` is the vulnerable package"]),
    (GROUPS + "[[rule]]\npackage = ['payments*']\npaths = ['pay/**']\ngroups = ['payments']", []),
    (f'[people]\nreviewers = ["{ALICE}"]\n[severity.critical]\napprovals = 1',
     ["rule runs before merge: needs 2 people"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "beginnings"), WARNED)
def test_what_takes_effect_otherwise_than_it_reads_is_warned_of(text: str, beginnings: list[str]) -> None:
    """Each once, and nothing else."""
    said = warned(text)
    assert [line[: len(beginning)] for line, beginning in zip(said, beginnings, strict=True)] == beginnings, said


UNREACHABLE = [
    ("[severity.low]\napprovals = 5\nhumans = 3", 1, ["severity.low: needs 5 approvals, but at most 4 are possible"]),
    ("[severity.low]\napprovals = 5\nhumans = 3", 2, []),
    ("[severity.low]\napprovals = 5\nhumans = 4", 9, ["severity.low: needs 4 approvals by people, but at most 3"]),
    ("[[rule]]\nmajor = true\napprovals = 4", 9, ["rule rule.1: needs 4 approvals, but at most 3"]),
    ("[groups]\nnone = ['token:ci']\n[[rule]]\nname = 'x'\ngroups = ['none']", 9,
     ["rule x: groups: needs a member of none, but there is nobody"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "machines", "beginnings"), UNREACHABLE)
def test_a_machine_reaches_a_quorum_only_beyond_the_people(text: str, machines: int, beginnings: list[str]) -> None:
    """Nor does it stand in a group of people."""
    found = problems(read(text, AROUND), machines=machines)
    assert [line[: len(beginning)] for line, beginning in zip(found, beginnings, strict=True)] == beginnings, found


def cases() -> Iterator[Path]:
    yield from sorted(CASES.glob("*.toml")) if CASES.is_dir() else ()


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases of policies are not on this machine")
def test_no_shared_case_passes_in_silence() -> None:
    """Each is refused or warned of."""
    for path in cases():
        try:
            assert warned(path.read_text("utf-8")), path.name
        except InvalidPolicy as invalid:
            assert all(fault.line and fault.key for fault in invalid.faults), path.name
