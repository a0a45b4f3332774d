"""The policy in force: the built-in one, or a file that is checked for changes.

A policy stays in force until `take_text` replaces it: a missing file or one with a fault changes nothing.
"""

from dataclasses import dataclass, field
from pathlib import Path

from bot.domain.policy import Policy
from bot.policies.reading import Around, InvalidPolicy, PolicyFault, built_in_text, decoded, digest_of, read


@dataclass(frozen=True, slots=True)
class Found:
    """What the file contains now: a policy or the faults. `digest` is that of the text, empty without a text."""

    text: str
    digest: str
    policy: Policy | None
    faults: tuple[PolicyFault, ...] = ()

    @property
    def sentence(self) -> str:
        """The first five faults as one sentence, and the number of the others."""
        shown = "; ".join(fault.sentence for fault in self.faults[:5])
        return f"{shown}; and {len(self.faults) - 5} more" if len(self.faults) > 5 else shown


@dataclass
class PolicySource:
    """Where the policy comes from. Raises InvalidPolicy when the file cannot be used at the start."""

    path: Path | None
    around: Around
    found: Found = field(init=False)
    """What the file contained at the last look."""
    _in_force: Policy = field(init=False)
    _looked_at: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the file once: without a policy the bot cannot start."""
        self._looked_at = self._stamp()
        self.found = self._read()
        if self.found.policy is None:
            raise InvalidPolicy(self.found.faults)
        self._in_force = self.found.policy

    def current(self) -> Policy:
        """The policy in force."""
        return self._in_force

    def look(self) -> Found | None:
        """What the file contains now; None when it has not changed since the last look."""
        stamp = self._stamp()
        if self.path is None or stamp == self._looked_at:
            return None
        before, self._looked_at, self.found = self.found.digest, stamp, self._read()
        return None if self.found.digest == before else self.found

    @property
    def word(self) -> str:
        """`ok`, or the line of the fault in the current file."""
        if self.found.policy is not None:
            return "ok"
        line = self.found.faults[0].line
        return f"broken{f' at line {line}' if line else ''}; the previous policy stays in force"

    def take_text(self, text: str) -> None:
        """Put the policy in this text in force."""
        if digest_of(text) != self._in_force.digest:
            self._in_force = read(text, self.around)

    def _stamp(self) -> tuple[int, ...]:
        if self.path is None:
            return ()
        try:
            about = self.path.stat()
        except OSError:
            return (0,)
        # A mounted configuration is replaced by its link, so a new file may have the time and size of the old one.
        return (about.st_mtime_ns, about.st_size, about.st_ino)

    def _read(self) -> Found:
        text = ""
        try:
            text = decoded(self.path.read_bytes()) if self.path else built_in_text()
            return Found(text, digest_of(text), read(text, self.around))
        except InvalidPolicy as invalid:
            return Found(text, digest_of(text) if text else "", None, invalid.faults)
        except OSError:
            return Found("", "", None, (PolicyFault(None, "", "the file cannot be read"),))
