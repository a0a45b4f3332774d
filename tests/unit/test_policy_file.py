"""The policy file: every key becomes its value, a missing key is built in, and each fault has a line and a reason."""

from datetime import UTC, datetime
from textwrap import dedent

import pytest

from bot.domain.apv import PatchStrategy, Severity, WargameVerdict
from bot.domain.policy import (
    BUILT_IN_RULES,
    EscalationStep,
    MachineAccount,
    MergeMethod,
    Policy,
    Preset,
    Principals,
    Reminders,
)
from bot.domain.pull import MergeMode
from bot.policies.lines import line_of
from bot.policies.reading import BOUND, Around, InvalidPolicy, built_in_text, decoded, digest_of, read
from tests.builders import review

AROUND = Around(("U0ALICE", "S0REVIEW"), (), "C0REVIEW", "C0INCIDENT")


def reads(text: str) -> Policy:
    return read(dedent(text), AROUND)


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidPolicy) as invalid:
        reads(text)
    return [fault.sentence for fault in invalid.value.faults]


def test_the_built_in_file_is_the_built_in_policy() -> None:
    """`policy show` prints the policy that applies without a file, with the people and channels of the settings."""
    built_in = read(built_in_text(), AROUND)
    bare = Policy(Principals.of(AROUND.reviewers), "C0REVIEW", "C0INCIDENT", digest=digest_of(built_in_text()))
    assert built_in == bare
    assert built_in.rules == BUILT_IN_RULES


def test_an_empty_file_changes_nothing() -> None:
    """A key that the file leaves out has its built-in value."""
    built_in = read(built_in_text(), AROUND)
    empty = reads("")
    assert {**vars(empty), "digest": ""} == {**vars(built_in), "digest": ""}


def test_a_severity_keeps_what_its_table_leaves_out() -> None:
    """Only the changed key changes: critical still needs two approvals in four hours."""
    rule = reads("[severity.critical]\njustification = true").rules[Severity.CRITICAL]
    assert (rule.approvals, rule.minutes, rule.justification) == (2, 240, True)


FULL = """
[people]
reviewers = ["S0REVIEW", "U0BOB", "carol@example.org"]
leads = ["S0LEADS", "token:release"]

[groups]
security = ["S0SEC"]
platform = ["S0PLAT", "dave@example.org"]

[severity.high]
approvals = 2
groups = ["security", ["platform", "leads"]]
justification = true
deadline = "bod-26-04"
minutes = 600
expires = 1_440
reminders = { after = 60, backoff = 3.0, at_most = 2 }

[[severity.high.escalation]]
before = 15
to = ["U0BOSS"]

[[severity.high.escalation]]
before = 60
to = ["leads", "security"]

[[route]]
ecosystem = ["npm"]
package = ["@acme/*", "left-pad"]
repository = ["acme/*"]
severity = ["critical", "high"]
channel = "C0JS"
incident_channel = "C0JSALERT"
groups = ["platform"]

[[machine]]
account = "renovate[bot]"
owners = ["S0PLAT", "carol@example.org"]

[[freeze]]
name = "Year end"
begins = 2026-12-20T00:00:00Z
ends = 2027-01-02T00:00:00+01:00
severity = ["medium", "low"]

[[freeze]]
name = "Weekend"
begins = "fri 16:00"
ends = "mon 08:00"

[auto_approval]
enabled = true
severity = ["low"]
submitter = ["nightly-*"]
strategy = ["version_bump"]
verdict = ["success"]
confidence = 0.95

[pull_request]
labels = ["vulnerability"]
reviewers = ["octocat"]
team_reviewers = ["security-team"]
draft = true
merge = "when-green"
merge_method = "rebase"
allow_workflows = true
max_files = 7
max_bytes = 4096
"""


def test_every_key_becomes_its_value() -> None:
    """A file with every key."""
    policy = reads(FULL)
    assert policy.reviewers == Principals.of(("S0REVIEW", "U0BOB", "carol@example.org"))
    assert policy.leads == Principals.of(("S0LEADS", "token:release"))
    assert policy.named["platform"].emails == {"dave@example.org"}
    high = policy.rules[Severity.HIGH]
    assert (high.approvals, high.minutes, high.justification) == (2, 600, True)
    assert (high.deadline, high.expires, high.reminders) == (Preset.BOD_26_04, 1440, Reminders(60, 3.0, 2))
    assert high.groups == (("security",), ("platform", "leads"))
    assert high.escalation == (
        EscalationStep(60, Principals.of(("S0LEADS", "token:release", "S0SEC")), ("leads", "security")),
        EscalationStep(15, Principals.of(("U0BOSS",)), ("U0BOSS",)),
    )
    assert policy.machines == (MachineAccount("renovate[bot]", Principals.of(("S0PLAT", "carol@example.org"))),)
    assert policy.auto.enabled
    assert policy.auto.strategies == {PatchStrategy.VERSION_BUMP}
    assert policy.auto.verdicts == {WargameVerdict.SUCCESS}
    pulls = policy.pull_request
    assert (pulls.labels, pulls.reviewers, pulls.team_reviewers) == (
        ("vulnerability",),
        ("octocat",),
        ("security-team",),
    )
    assert (pulls.draft, pulls.merge, pulls.merge_method) == (True, MergeMode.WHEN_GREEN, MergeMethod.REBASE)
    assert (pulls.allow_workflows, pulls.max_files, pulls.max_bytes) == (True, 7, 4096)
    assert policy.digest == digest_of(FULL)


ROUTED = [
    ({"severity": Severity.HIGH, "package_ecosystem": "NPM", "package_name": "@Acme/ui"}, "C0JS"),
    ({"severity": Severity.HIGH, "package_ecosystem": "npm", "package_name": "left-pad"}, "C0JS"),
    ({"severity": Severity.HIGH, "package_ecosystem": "npm", "package_name": "left-pads"}, "C0REVIEW"),
    ({"severity": Severity.LOW, "package_ecosystem": "npm", "package_name": "left-pad"}, "C0REVIEW"),
    ({"severity": Severity.HIGH, "package_ecosystem": "PyPI", "package_name": "left-pad"}, "C0REVIEW"),
    ({"severity": Severity.HIGH, "package_ecosystem": "npm", "repository": "b/c"}, "C0REVIEW"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "channel"), ROUTED)
def test_a_route_is_taken_when_all_its_conditions_hold(changes: dict[str, object], channel: str) -> None:
    """Severity, ecosystem, package glob and repository glob, the latter three in any case."""
    matter = review(**{"repository": "acme/shop", **changes})
    policy = reads(FULL)
    assert policy.channel_for(matter) == channel
    assert policy.incident_channel_for(matter) == ("C0JSALERT" if channel == "C0JS" else "C0INCIDENT")
    own = (("platform",),) if channel == "C0JS" else ()
    assert policy.needs(matter).groups == (*policy.rules[matter.severity].groups, *own)


def test_the_first_route_that_covers_counts() -> None:
    """The first match from the top wins."""
    policy = reads('[[route]]\npackage=["j*"]\nchannel="C1"\n[[route]]\nchannel="C2"')
    assert policy.channel_for(review(package_name="jinja2")) == "C1"
    assert policy.channel_for(review(package_name="flask")) == "C2"


YEAR_END = datetime(2027, 1, 1, 23, tzinfo=UTC)
MONDAY_8 = datetime(2026, 11, 23, 8, tzinfo=UTC)
FROZEN = [
    (datetime(2026, 12, 20, tzinfo=UTC), Severity.LOW, YEAR_END),
    (datetime(2026, 12, 23, tzinfo=UTC), Severity.HIGH, None),
    (YEAR_END, Severity.LOW, datetime(2027, 1, 4, 8, tzinfo=UTC)),  # a Friday, so the weekend goes on
    (datetime(2026, 11, 20, 15, 59, tzinfo=UTC), Severity.LOW, None),
    (datetime(2026, 11, 20, 16, tzinfo=UTC), Severity.LOW, MONDAY_8),
    (datetime(2026, 11, 22, 12, tzinfo=UTC), Severity.CRITICAL, MONDAY_8),
    (MONDAY_8, Severity.LOW, None),
    (datetime(2020, 11, 22, 12, tzinfo=UTC), Severity.LOW, datetime(2020, 11, 23, 8, tzinfo=UTC)),
]


@pytest.mark.parametrize(("now", "severity", "until"), FROZEN)
def test_when_it_is_frozen(now: datetime, severity: Severity, until: datetime | None) -> None:
    """From the beginning on, before the end; weekly windows come every week; the one that ends last counts."""
    found = reads(FULL).frozen(review(severity=severity), now)
    assert (found[1] if found else None) == until


FAULTY = [
    ("approvals = 3", "line 1: approvals: unknown key"),
    ("[severity.high]\naprovals = 3", "line 2: severity.high.aprovals: unknown key"),
    ("[severity.highest]", "line 1: severity.highest: unknown key"),
    ("\n[severity.low]\napprovals = 0", "line 3: severity.low.approvals: Input should be greater than or equal to 1"),
    ('[severity.low]\ngroups = ["ops"]', "line 2: severity.low.groups.1: unknown group `ops`; add it under [groups]"),
    ('[[route]]\ngroups = [["leads", "ops"]]', "line 2: route.1.groups.1: unknown group `ops`; add it under [groups]"),
    ('[groups]\nleads = ["U1"]', "line 2: groups.leads: `leads` is reserved; set it under [people]"),
    (
        '[[severity.low.escalation]]\nbefore = 1\nto = ["ops"]',
        "line 3: severity.low.escalation.1.to: unknown group `ops`; add it under [groups]",
    ),
    (
        '[[route]]\n[[route]]\nchannel = "general"',
        "line 3: route.2.channel: must be a Slack channel id such as C0123ABCD",
    ),
    (
        '[people]\nreviewers = ["token:x"]',
        "line 1: people: reviewers: token:<name> belongs in leads; what a token may decide is in its scope",
    ),
    (
        '[auto_approval]\nenabled = true\nsubmitter = ["ci"]',
        "line 1: auto_approval: `severity` is required when it is enabled",
    ),
    (
        '[[freeze]]\nname = "x"\nbegins = 2026-01-02T00:00:00Z\nends = 2026-01-01T00:00:00Z',
        "line 1: freeze.1: ends must be after begins",
    ),
    (
        '[[freeze]]\nname = "x"\nbegins = 2026-01-02T00:00:00Z\nends = "fri 10:00"',
        "line 1: freeze.1: begins and ends must both be dates with times, or both times of the week",
    ),
    ("[severity]\nhigh = 3 4", "line 2: not TOML: Expected newline or end of document after a statement"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), FAULTY)
def test_a_fault_has_its_line_and_its_reason(text: str, sentence: str) -> None:
    """So its author finds it at once."""
    assert faults(text) == [sentence]


def test_every_fault_is_named_at_once() -> None:
    """One run reports every fault of a file."""
    assert len(faults('[people]\nleads = ["x y"]\n[severity.low]\nminutes = 0\n[pull_request]\nmerge = "yes"')) == 3


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"#" * (BOUND + 1)])
def test_what_is_no_text_of_ours_is_refused(raw: bytes) -> None:
    """Bytes that are not UTF-8, and files too large to be written by hand."""
    with pytest.raises(InvalidPolicy):
        decoded(raw)


LINES = [
    (("route", 1, "channel"), 9),
    (("route", 1, "groups", 0), 10),
    (("route", 0), 4),
    (("severity", "low", "reminders", "after"), 2),
    (("severity", "low", "escalation", 0, "to"), 13),
    (("nothing",), None),
]


@pytest.mark.parametrize(("path", "line"), LINES)
def test_a_key_is_found_where_it_stands(path: tuple[str | int, ...], line: int | None) -> None:
    """In tables, arrays of tables and dotted keys."""
    text = dedent("""\
        [severity]
        low.reminders = { after = 3 }

        [[route]]
        package = ["a",
          "b"]

        [[route]]
        channel = "C1"
        groups = []

        [[severity.low.escalation]]
        to = ["x"]
        """)
    assert line_of(text, path) == line
