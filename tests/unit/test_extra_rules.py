"""The policy's `[[rule]]` and its people: what is asked for more, of whom, and why."""

from dataclasses import replace

import pytest

from bot.domain.apv import PatchStrategy, Severity
from bot.domain.decisions import Decision, tally
from bot.domain.explanation import explain
from bot.domain.patch import ChangeKind, FileChange
from bot.domain.people import Person
from bot.domain.policy import Policy
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted, Choice, Outcome, Review, Status, Vote
from bot.domain.tokens import ApiToken
from bot.policies.reading import Around, read
from tests.builders import ALICE, BOB, CAROL, DIGEST, NOW, decide, person, review

AROUND = Around(
    (ALICE, BOB, CAROL),
    (),
    "C0REVIEW",
    "C0INCIDENT",
    tokens=(ApiToken("Ann", "U0ANN", frozenset({"decide"}), "0" * 64),),
)
CI, NIGHTLY = (Person(f"token:{name}", name, None, lead=False, human=False) for name in ("ci", "nightly"))


def policy(text: str) -> Policy:
    return read(text, AROUND)


def touched(*paths: str, was: str | None = None) -> tuple[FileChange, ...]:
    return tuple(FileChange(path, ChangeKind.CHANGED, was=was, insertions=3, deletions=2) for path in paths)


def bump(**changes: object) -> Review:
    """A small version bump of a low severity."""
    fields = {
        "severity": Severity.LOW, "package_name": "jinja2", "package_ecosystem": "PyPI", "repository": "acme/shop",
        "package_version": "3.1.2", "fixed_version": "3.1.3", "patch_strategy": PatchStrategy.VERSION_BUMP,
        "files": touched("requirements.txt"), "reporter": "nightly-scan",
    }  # fmt: skip
    return review(**{**fields, **changes})


def asked(under: Policy, on: Review) -> tuple[str, ...]:
    return tally(on, under).because


def approve(on: Review, by: Person, under: Policy) -> Outcome:
    return decide(on, by, Decision(choice=Choice.APPROVE, digest=DIGEST), under, opens_pulls=True, now=NOW)


def refused(outcome: Outcome) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome


def accepted(outcome: Outcome) -> Review:
    assert isinstance(outcome, Accepted), outcome
    return outcome.review


RULE = "[[rule]]\napprovals = 3\n"
CONDITIONS = [
    ("", {}, "every review"),
    ('severity = ["low"]', {}, "severity is low"),
    ('severity = ["high"]', {}, None),
    ('ecosystem = ["pypi"]', {}, "ecosystem is pypi"),
    ('package = ["Jinja*", "flask"]', {}, "package matches Jinja* or flask"),
    ('package = ["flask"]', {}, None),
    ('repository = ["acme/*"]', {}, "repository matches acme/*"),
    ('strategy = ["version_bump"]', {}, "strategy is version bump"),
    ('strategy = ["manual"]', {}, None),
    ('reporter = ["nightly*"]', {}, "reporter matches nightly*"),
    ('reporter = ["ci"]', {"reporter": "token:ci"}, "reporter matches ci"),
    ('reporter = ["*"]', {"reporter": None}, None),
    ("machine = true", {}, None),
    ("machine = true", {"reporter": "Renovate[bot]"}, "comes from a machine"),
    ("machine = true", {"reporter": "token:ci"}, "comes from a machine"),
    ("machine = true", {"reporter": "token:ann"}, None),
    (f'machine = true\n[[machine]]\naccount = "Scanner"\nowners = ["{ALICE}"]', {"reporter": "scanner"},
     "comes from a machine"),
    ('paths = ["*.txt"]', {}, "touches `*.txt`"),
    ('paths = ["src/**", "*.txt", "*.md"]', {"files": touched("a.md", "b.md", "c.txt")},
     "touches `*.txt` and `*.md`"),
    ('paths = ["src/**"]', {"files": touched("lib/a.py", was="src/a.py")}, "touches `src/**`"),
    ('paths = ["src/**"]', {}, None),
    ('paths = ["src/**"]', {"files": None}, "its paths cannot be read"),
    ('paths = ["src/**"]', {"files": None, "has_patch": False}, None),
    ("min_files = 2", {}, None),
    ("min_files = 2", {"files": touched("a", "b")}, "changes 2 files"),
    ("min_files = 2", {"files": None}, "changes an unknown number of files"),
    ("min_changed_lines = 6", {}, None),
    ("min_changed_lines = 5", {}, "changes 5 lines"),
    ("min_changed_lines = 99", {"files": (replace(touched("x.png")[0], binary=True),)},
     "changes an unknown number of lines"),
    ("major = true", {}, None),
    ("major = true", {"fixed_version": "4.0"}, "may be another major version"),
    ("major = true", {"fixed_version": None}, "may be another major version"),
    ("major = true", {"fixed_version": "4.0", "patch_strategy": PatchStrategy.CODE_REWRITE}, None),
    ('severity = ["low"]\nmin_files = 1', {}, "severity is low and changes 1 file"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "changes", "why"), CONDITIONS)
def test_a_rule_holds_when_all_its_conditions_do(text: str, changes: dict[str, object], why: str | None) -> None:
    """It says why. What cannot be told counts as met."""
    expected = (f"Needs 3 people: {why} (rule: rule.1)",) if why else ()
    said = asked(policy(RULE + text), bump(**changes))
    assert tuple(sentence for sentence in said if "rule.1" in sentence) == expected


def test_what_runs_before_a_merge_needs_two_people_under_any_file() -> None:
    """The built-in rule is in force without being repeated, and once when it is."""
    setup = bump(files=touched(".github/actions/setup/action.yml"))
    copied = '[[rule]]\nname = "another"\npaths = ["docs/**"]\napprovals = 3\n'
    for text in ("", copied, "[severity.low]\napprovals = 1\nhumans = 0"):
        count = tally(setup, policy(text))
        assert (count.needed, count.humans) == (2, 2)
        assert count.because == ("Needs 2 people: touches `.github/**` (rule: runs before merge)",)
    assert tally(bump(), policy("")).needed == 1


def test_all_rules_that_hold_add_up() -> None:
    """The highest numbers, every group, and a justification if any of them wants it."""
    under = policy(
        f'[groups]\nops = ["{BOB}"]\nweb = ["{CAROL}"]\n[severity.low]\napprovals = 2\nhumans = 0\ngroups = ["ops"]\n'
        '[[rule]]\nname = "wide"\nmin_files = 1\napprovals = 4\nhumans = 1\n'
        '[[rule]]\nname = "people"\nhumans = 3\n'
        '[[rule]]\nname = "web"\npackage = ["jinja*"]\ngroups = ["web", "ops"]\njustification = true\n'
        '[[rule]]\nname = "elsewhere"\nrepository = ["other/*"]\napprovals = 9\n'
    )
    needs = under.needs(bump())
    assert (needs.approvals, needs.humans, needs.groups, needs.justification) == (4, 3, (("ops",), ("web",)), True)
    assert asked(under, bump()) == (
        "Needs 4 approvals, 1 of them by people: changes 1 file (rule: wide)",
        "Needs 3 people: every review (rule: people)",
        "Needs a member of web, a member of ops and a justification: package matches jinja* (rule: web)",
    )


def test_a_justification_that_a_rule_wants_is_required() -> None:
    """As one that the severity wants."""
    under = policy('[[rule]]\nreporter = ["nightly*"]\njustification = true')
    assert under.asks_why
    assert refused(approve(bump(), person(ALICE), under)).reason is Reason.JUSTIFICATION
    assert accepted(approve(bump(reporter="ann"), person(ALICE), under)).status is Status.APPROVED


MIXED = "[severity.low]\napprovals = 3\nhumans = 2"


def test_a_machine_counts_only_beyond_the_people_needed() -> None:
    """One machine's approval of three counts, another's does not; the tally says who is missing."""
    under = policy(MIXED)
    on = accepted(approve(bump(), CI, under))
    assert tally(on, under).sentence == "1 of 3 approvals; 2 people are still needed"
    denied = refused(approve(on, NIGHTLY, under))
    assert denied.reason is Reason.MACHINE
    assert denied.sentence == (
        f"At most 1 of the 3 approvals of {on.code} may be a machine's. 2 people must approve it too."
    )
    on = accepted(approve(on, person(ALICE), under))
    assert tally(on, under).sentence == "2 of 3 approvals; a person is still needed"
    assert accepted(approve(on, person(BOB), under)).status is Status.APPROVED


def test_people_may_give_every_approval() -> None:
    """A place for a machine is not reserved for one."""
    under, on = policy(MIXED), bump()
    for one in (ALICE, BOB, CAROL):
        on = accepted(approve(on, person(one), under))
    assert on.status is Status.APPROVED


@pytest.mark.parametrize("severity", Severity)
def test_built_in_no_machine_approves(severity: Severity) -> None:
    """Nothing is recorded, and the sentence says who must; it may still reject, ask for changes and escalate."""
    denied = refused(approve(bump(severity=severity), CI, policy("")))
    assert denied.reason is Reason.MACHINE
    assert "this token has no owner, so its approval does not count" in denied.sentence
    for choice in (Choice.REJECT, Choice.MODIFY, Choice.ESCALATE):
        made = Decision(choice=choice, justification="Not like this, please.", digest=DIGEST)
        accepted(decide(bump(severity=severity), CI, made, policy(""), opens_pulls=True, now=NOW))


def test_a_machines_vote_of_another_time_stops_counting_when_only_people_do() -> None:
    """Neither as an approval, nor for its group, nor as the lead's."""
    text = '[people]\nleads = ["token:ci"]\n[severity.low]\napprovals = 1\ngroups = ["leads"]\nhumans = '
    vote = Vote("token:ci", "ci", NOW, lead_after_escalation=True, groups=("leads",), human=False)
    on = bump(votes=(vote,), status=Status.ESCALATED, escalated_at=NOW, escalated_by=BOB)
    assert tally(on, policy(text + "0")).met
    count = tally(on, policy(text + "1"))
    assert (count.have, count.lead_missing, count.missing) == (0, True, (("leads",),))


def test_no_more_machines_count_than_may() -> None:
    """Two that voted while both counted are one when a person more is needed."""
    votes = tuple(Vote(each.key, each.name, NOW, human=False) for each in (CI, NIGHTLY))
    on = bump(votes=(*votes, Vote(ALICE, "Alice", NOW)))
    assert tally(on, policy("[severity.low]\napprovals = 3\nhumans = 1")).met
    assert tally(on, policy(MIXED)).sentence == "2 of 3 approvals; a person is still needed"


def test_without_people_a_machine_is_enough() -> None:
    """If the file says so."""
    under = policy("[severity.low]\nhumans = 0")
    assert accepted(approve(bump(), CI, under)).status is Status.APPROVED


STRICTEST = [
    ({}, "low", None),
    ({"cvss_severity": Severity.HIGH}, "high", "its CVSS vector says so"),
    ({"cvss_severity": Severity.CRITICAL, "kev": True}, "critical", "its CVSS vector says so"),
    ({"cvss_severity": Severity.MEDIUM, "kev": True}, "high", "it is known to be exploited (KEV)"),
    ({"severity": Severity.CRITICAL, "cvss_severity": Severity.LOW, "kev": True}, "critical", None),
]


@pytest.mark.parametrize(("changes", "severity", "why"), STRICTEST)
def test_rules_go_by_the_strictest_severity(changes: dict[str, object], severity: str, why: str | None) -> None:
    """Approvals, deadlines, routes, rules and freezes alike; with `stated`, by the stated one."""
    text = "".join(f'[[route]]\nseverity = ["{s}"]\nchannel = "C0{s.upper()}"\n' for s in Severity)
    text += '[[freeze]]\nname = "Quiet"\nbegins = 2026-03-04T00:00:00Z\nends = 2026-03-05T00:00:00Z\n'
    text += f'severity = ["{severity}"]\n[[rule]]\nseverity = ["{severity}"]\napprovals = 7\n'
    on, under = bump(**changes), policy(text)
    assert under.channel_for(on) == f"C0{severity.upper()}"
    assert under.rule_for(on) is under.rules[Severity(severity)]
    assert under.needs(on).approvals == 7
    assert under.frozen(on, NOW)
    words = tally(on, under).stricter
    assert words is None if why is None else words is not None and why in words
    stated = policy(f'severity_from = "stated"\n{text}')
    assert stated.channel_for(on) == f"C0{on.severity.upper()}"
    assert tally(on, stated).stricter is None


def test_an_explanation_names_each_rule_that_holds() -> None:
    """Also one that asks for no more than the severity does."""
    under = policy(
        "[[rule]]\nname = 'small'\napprovals = 1\nhumans = 0\nmin_files = 1\n[severity.critical]\nhumans = 1\n"
    )
    on = bump(cvss_severity=Severity.CRITICAL, files=touched("Dockerfile"))
    said = [f"{what} {sentence}".strip() for what, sentence in explain(on, under, NOW)]
    for line in (
        "severity Judged by the rules for critical, stated as low: its CVSS vector says so (severity_from)",
        "needs 2 approvals (severity.critical.approvals)",
        "1 of them by people (severity.critical.humans)",
        "2 people: touches `**/Dockerfile*` (rule runs before merge)",
        "1 approval: changes 1 file (rule small)",
        "so 2 approvals in all",
    ):
        assert line in said, said
