"""A strict, stateful GitHub REST stand-in over real bare git repositories. It knows nothing of its callers."""

from bot.sandbox.github.faults import Fault
from bot.sandbox.github.model import CheckRun, Issue, Pull
from bot.sandbox.github.sandbox import GitHubSandbox
from bot.sandbox.github.service import JournalEntry

__all__ = ["CheckRun", "Fault", "GitHubSandbox", "Issue", "JournalEntry", "Pull"]
