"""How many approvals a review has, and how many and whose it needs, as values and as a sentence."""

from dataclasses import dataclass

from bot.domain.extra_rules import ExtraRule, RuleHit
from bot.domain.policy import LEADS


@dataclass(frozen=True, slots=True)
class Tally:
    """Valid approvals compared with what is needed.

    `have`: the approvals that count, machines' only beyond the people needed. `lead_missing`: an escalation waits for a
    lead's vote. `missing`: the groups that have not approved yet, each a list of names of which one is enough.
    `frozen`: why nothing can be approved at the moment. `people` of the approvals are people's; `humans` must be.
    `because`: a sentence for each rule that asks for more. `stricter`: why rules go by another severity than stated.
    """

    have: int
    needed: int
    lead_missing: bool = False
    missing: tuple[tuple[str, ...], ...] = ()
    frozen: str | None = None
    people: int = 0
    humans: int = 0
    because: tuple[str, ...] = ()
    stricter: str | None = None

    @property
    def met(self) -> bool:
        """Whether the review is approved."""
        enough = self.have >= self.needed and self.people >= self.humans
        return enough and not self.lead_missing and not self.missing

    @property
    def sentence(self) -> str:
        """For example: `1 of 2 approvals; a lead and a member of python or ruby are still needed`."""
        count = f"{self.have} of {self.needed} approval{'s' if self.needed > 1 else ''}"
        # Where every approval must be a person's, the count alone says it.
        short = self.humans - self.people if self.humans < self.needed else 0
        wanted = [counted(short)] if short > 0 else []
        wanted += [whom((LEADS,))] if self.lead_missing else []
        wanted += [words for clause in self.missing if (words := whom(clause)) not in wanted]
        if not wanted:
            return count
        *most, last = wanted
        listed = f"{', '.join(most)} and {last}" if most else last
        return f"{count}; {listed} {'are' if most or short > 1 else 'is'} still needed"


def counted(number: int) -> str:
    """`a person`, `2 people`."""
    return "a person" if number == 1 else f"{number} people"


def demand(rule: ExtraRule) -> str:
    """What a rule asks for, in words: `2 people`, `3 approvals, 2 of them by people`, `a lead and a justification`."""
    asked = []
    if rule.approvals and rule.approvals == rule.humans:
        asked.append(counted(rule.humans))
    elif rule.approvals:
        of_people = f", {rule.humans} of them by people" if rule.humans else ""
        asked.append(f"{rule.approvals} approval{'s' if rule.approvals > 1 else ''}{of_people}")
    asked += [whom(clause) for clause in rule.groups]
    asked += ["a justification"] if rule.justification else []
    *most, last = asked
    return f"{', '.join(most)} and {last}" if most else last


def because(held: RuleHit) -> str:
    """For example: `Needs 2 people: touches .github/** (rule: runs before merge)`."""
    return f"Needs {demand(held.rule)}: {held.why} (rule: {held.rule.name})"


def whom(clause: tuple[str, ...]) -> str:
    """A list of groups of which one is enough, in words: `a lead`, `a member of python or ruby`."""
    named = [name for name in clause if name != LEADS]
    words = [f"a member of {' or '.join(named)}"] if named else []
    return " or ".join([*words, *(["a lead"] if LEADS in clause else [])])
