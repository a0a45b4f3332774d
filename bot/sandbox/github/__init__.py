"""A strict, stateful GitHub REST stand-in over real bare git repositories. It knows nothing about its callers."""

from bot.sandbox.github.api import JournalEntry
from bot.sandbox.github.faults import GitHubFault
from bot.sandbox.github.model import CheckRun, Issue, Pull
from bot.sandbox.github.sandbox import GitHubSandbox

__all__ = ["CheckRun", "GitHubFault", "GitHubSandbox", "Issue", "JournalEntry", "Pull"]
