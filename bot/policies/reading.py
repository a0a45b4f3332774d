"""Reads a policy file: the result is a policy, or every fault with its line and reason.

A file with a fault is not used at all: part of a policy would let the wrong people decide.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from pydantic import ValidationError

from bot.domain.apv import Severity
from bot.domain.extra_rules import BUILT_IN_EXTRA
from bot.domain.policy import LEADS, REVIEWERS, EscalationStep, MachineAccount, Policy, Principals, Route, Rule
from bot.domain.tokens import ApiToken
from bot.policies.lines import KeyPath, line_of
from bot.policies.schema import PolicyFile, SeverityTable

BOUND = 1_048_576
"""Most bytes of a policy file: it is kept in memory and read again after every change."""


@dataclass(frozen=True, slots=True)
class Around:
    """The people and channels of the settings, which a file may leave out."""

    reviewers: tuple[str, ...]
    leads: tuple[str, ...]
    review_channel: str
    incident_channel: str
    tokens: tuple[ApiToken, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """What is wrong, and where. `line` counts from 1, None is the whole file; a `key` is like `route.1.channel`."""

    line: int | None
    key: str
    reason: str

    @property
    def sentence(self) -> str:
        """For example `line 12: severity.high.approvals: Input should be greater than or equal to 1`."""
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{f'{self.key}: ' if self.key else ''}{self.reason}"


class InvalidPolicy(Exception):
    """The file cannot be used; `faults` has every fault."""

    def __init__(self, faults: Sequence[PolicyFault]) -> None:
        super().__init__("; ".join(fault.sentence for fault in faults))
        self.faults = tuple(faults)


def built_in_text() -> str:
    """The text of the built-in policy file."""
    return (files(__package__) / "built_in.toml").read_text("utf-8")


def digest_of(text: str) -> str:
    """The SHA-256 of the file's text in hex, which names it in the audit log."""
    return hashlib.sha256(text.encode()).hexdigest()


def decoded(raw: bytes) -> str:
    """A file's bytes as text; raises InvalidPolicy."""
    if len(raw) > BOUND:
        raise InvalidPolicy([PolicyFault(None, "", f"the file is larger than {BOUND:,} bytes")])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidPolicy([PolicyFault(line, "", "not UTF-8 text")]) from None


def read(text: str, around: Around) -> Policy:
    """The policy in a file's text; raises InvalidPolicy."""
    file = _parsed(text)
    faults = [_fault(text, path, reason) for path, reason in _dangling(file)]
    if faults:
        raise InvalidPolicy(faults)
    return _policy(file, around, digest_of(text))


def _parsed(text: str) -> PolicyFile:
    try:
        return PolicyFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", str(error))
        line = int(place[1]) if place and place[1] else len(text.splitlines())
        raise InvalidPolicy([PolicyFault(line, "", f"not TOML: {str(error).partition(' (at ')[0]}")]) from None
    except RecursionError:
        raise InvalidPolicy([PolicyFault(None, "", "tables and lists are nested too deeply")]) from None
    except ValidationError as error:
        found = error.errors()
        # pydantic also reports a list as too short when all of its items are wrong.
        real = [
            e for e in found if not any(len(o["loc"]) > len(n := e["loc"]) and o["loc"][: len(n)] == n for o in found)
        ]
        raise InvalidPolicy(
            [_fault(text, e["loc"], "unknown key" if e["type"] == "extra_forbidden" else e["msg"]) for e in real]
        ) from None


def _fault(text: str, loc: KeyPath, reason: str) -> PolicyFault:
    path = tuple(part for part in loc if part != "[key]")
    # People count from 1: the second `[[route]]` is `route.2`.
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    return PolicyFault(line_of(text, path), key, reason.removeprefix("Value error, "))


def _dangling(file: PolicyFile) -> Iterator[tuple[KeyPath, str]]:
    """Unknown groups, reserved group names, and rules with a name that is taken."""
    yield from _taken(file)
    for name in (LEADS, REVIEWERS):
        if name in file.groups:
            yield ("groups", name), f"`{name}` is reserved; set it under [people]"
    known = {*file.groups, LEADS, REVIEWERS}
    for path, names in _groups_named(file):
        yield from ((path, f"unknown group `{name}`; add it under [groups]") for name in names if name not in known)


def _taken(file: PolicyFile) -> Iterator[tuple[KeyPath, str]]:
    """Rules that differ from an earlier rule of the same name."""
    named = {rule.name: rule for rule in BUILT_IN_EXTRA}
    for number, table in enumerate(file.rule):
        rule = table.value(number + 1)
        if named.setdefault(rule.name, rule) != rule:
            yield ("rule", number, "name"), f"another rule has the name `{rule.name}`; choose another one"


def _groups_named(file: PolicyFile) -> Iterator[tuple[KeyPath, Iterable[str]]]:
    """Every place that names groups, and the names."""
    for severity in Severity:
        table: SeverityTable = getattr(file.severity, severity.value)
        for index, clause in enumerate(table.groups):
            yield ("severity", severity.value, "groups", index), dict.fromkeys(clause)
        for index, step in enumerate(table.escalation):
            names = [name for name in step.to if not _is_principal(name)]
            yield ("severity", severity.value, "escalation", index, "to"), names
    tables = [
        *(("route", number, route.groups) for number, route in enumerate(file.route)),
        *(("rule", number, rule.groups) for number, rule in enumerate(file.rule)),
    ]
    for kind, number, groups in tables:
        for index, clause in enumerate(groups):
            yield (kind, number, "groups", index), dict.fromkeys(clause)


def _is_principal(name: str) -> bool:
    return "@" in name or name.startswith("token:") or name[0].isupper()


def _policy(file: PolicyFile, around: Around, digest: str) -> Policy:
    reviewers = Principals.of(file.people.reviewers or around.reviewers)
    leads = file.people.leads or around.leads
    named = {name: Principals.of(members) for name, members in file.groups.items()}
    groups = {**named, REVIEWERS: reviewers, LEADS: Principals.of(leads) if leads else reviewers}
    rules = {severity: _rule(getattr(file.severity, severity.value), groups) for severity in Severity}
    return Policy(
        reviewers=reviewers,
        review_channel=around.review_channel,
        incident_channel=around.incident_channel,
        leads=Principals.of(leads) if leads else None,
        rules=MappingProxyType(rules),
        named=MappingProxyType(named),
        extra=tuple(dict.fromkeys((*BUILT_IN_EXTRA, *(rule.value(n) for n, rule in enumerate(file.rule, 1))))),
        severity_from=file.severity_from,
        readers=Principals.of(file.people.readers) if file.people.readers else None,
        tokens=around.tokens,
        routes=tuple(Route(route.scope(), route.channel, route.incident_channel, route.groups) for route in file.route),
        machines=tuple(MachineAccount(m.account, Principals.of(m.owners)) for m in file.machine),
        freezes=tuple(freeze.value() for freeze in file.freeze),
        auto=file.auto_approval.value(),
        pull_request=file.pull_request.value(),
        digest=digest,
    )


def _rule(table: SeverityTable, groups: Mapping[str, Principals]) -> Rule:
    steps = [EscalationStep(step.before, _addressed(step.to, groups), step.to) for step in table.escalation]
    return Rule(
        approvals=table.approvals,
        humans=table.humans,
        minutes=table.minutes,
        justification=table.justification,
        groups=table.groups,
        deadline=table.deadline,
        reminders=table.reminders.value() if table.reminders else None,
        escalation=tuple(sorted(steps, key=lambda step: -step.before)),
        expires=table.expires,
    )


def _addressed(names: Sequence[str], groups: Mapping[str, Principals]) -> Principals:
    found = Principals.of(tuple(name for name in names if _is_principal(name)))
    for name in names:
        if not _is_principal(name):
            found = found | groups[name]
    return found
