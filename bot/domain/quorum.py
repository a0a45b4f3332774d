"""How many approvals a review has, and how many and whose it needs, as values and as a sentence."""

from dataclasses import dataclass

from bot.domain.policy import LEADS


@dataclass(frozen=True, slots=True)
class Tally:
    """Valid approvals compared with what is needed.

    `lead_missing`: an escalation waits for a lead's vote. `missing`: the groups that have not approved yet, each a list
    of names of which one is enough. `frozen`: why nothing can be approved at the moment.
    """

    have: int
    needed: int
    lead_missing: bool = False
    missing: tuple[tuple[str, ...], ...] = ()
    frozen: str | None = None

    @property
    def met(self) -> bool:
        """Whether the review is approved."""
        return self.have >= self.needed and not self.lead_missing and not self.missing

    @property
    def sentence(self) -> str:
        """For example: `1 of 2 approvals; a lead and a member of python or ruby are still needed`."""
        count = f"{self.have} of {self.needed} approval{'s' if self.needed > 1 else ''}"
        wanted = [whom((LEADS,))] if self.lead_missing else []
        wanted += [words for clause in self.missing if (words := whom(clause)) not in wanted]
        if not wanted:
            return count
        *most, last = wanted
        listed = f"{', '.join(most)} and {last}" if most else last
        return f"{count}; {listed} {'are' if most else 'is'} still needed"


def whom(clause: tuple[str, ...]) -> str:
    """A list of groups of which one is enough, in words: `a lead`, `a member of python or ruby`."""
    named = [name for name in clause if name != LEADS]
    words = [f"a member of {' or '.join(named)}"] if named else []
    return " or ".join([*words, *(["a lead"] if LEADS in clause else [])])
