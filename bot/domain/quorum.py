"""How many approvals a review has, needs and why: the tally explains itself in one sentence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """Approvals in force against approvals needed; `lead_missing` while an escalation waits for a lead's vote."""

    have: int
    needed: int
    lead_missing: bool = False

    @property
    def met(self) -> bool:
        """Whether the review is approved."""
        return self.have >= self.needed and not self.lead_missing

    @property
    def sentence(self) -> str:
        """For example: `1 of 2 approvals; a lead is still needed`."""
        count = f"{self.have} of {self.needed} approval{'s' if self.needed > 1 else ''}"
        return f"{count}; a lead is still needed" if self.lead_missing else count
