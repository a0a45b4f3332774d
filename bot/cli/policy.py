"""What `apv-bot policy` does: show the file in force, check one, explain a review, replay the past under another."""

import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import aiohttp

from bot.app import opening
from bot.app.process import SLACK_TIMEOUT
from bot.app.vendors import secret
from bot.cli import running as console
from bot.config import ConfigurationError, Settings
from bot.domain import explanation, replay
from bot.domain.policy import Policy
from bot.integrations.errors import VendorError
from bot.integrations.slack.client import SlackClient
from bot.policies import check
from bot.policies.reading import InvalidPolicy, decoded, read
from bot.service import policies
from bot.service import queries as queue

SHOWN = 50
"""Differences printed when not all are asked for."""


def show(settings: Settings) -> None:
    """The file in force as it stands, and as comments what the settings add to it."""
    source = settings.policy_source()
    print(source.found.text.rstrip())
    policy = source.current()
    print(f"\n# digest     {policy.digest}")
    print(f"# reviewers  {', '.join(policy.reviewers.names) or 'nobody'}")
    print(f"# leads      {', '.join(policy.leads.names) if policy.leads else 'any reviewer but the one who escalated'}")


async def examine(settings: Settings, path: Path | None) -> None:
    """Say every fault with its line, then what nobody could decide; raises Failure if there is either."""
    policy = settings.policy() if path is None else load(settings, path)
    members = await group_members(settings, policy)
    if members is None:
        print("note: user groups were not counted, because Slack is not set up here or did not answer")
    sizes = {group: len(ids) for group, ids in (members or {}).items()}
    deciding = sum("decide" in token.split(":")[1].split("+") for token in settings.api_tokens)
    found = check.problems(policy, sizes.get, tokens=deciding)
    for line in check.warnings(policy):
        print(f"warning: {line}")
    for line in found:
        print(f"error: {line}", file=sys.stderr)
    if found:
        raise console.Failure("Under this policy some reviews could not be decided.")
    print(f"{path or settings.policy_file or 'The built-in policy'}: in order, digest {policy.digest}")


def load(settings: Settings, path: Path) -> Policy:
    """The policy of a file that is not in force; raises Failure, with every fault on a line of its own."""
    try:
        return read(decoded(path.read_bytes()), settings.around_policy)
    except InvalidPolicy as invalid:
        for fault in invalid.faults:
            print(f"{path}: {fault.sentence}", file=sys.stderr)
        raise console.Failure(f"{path} cannot be used.") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


async def group_members(settings: Settings, policy: Policy) -> Mapping[str, frozenset[str]] | None:
    """Who is in each user group of the policy now; None when Slack is not set up or does not say."""
    if not policy.groups:
        return {}
    if settings.slack_bot_token is None:
        return None
    async with aiohttp.ClientSession(timeout=SLACK_TIMEOUT, trust_env=True) as session:
        slack = SlackClient(secret(settings.slack_bot_token), settings.slack_api_url, session, lambda _m, _c: None)
        try:
            return {group: await slack.group_members(group) for group in sorted(policy.groups)}
        except VendorError:
            return None


async def explain(settings: Settings, name: str) -> None:
    """What one review needs, and where that stands in the policy."""
    async with opening.gate(settings) as opened:
        stored = await queue.find(opened, name)
        if stored is None:
            raise console.Failure(f"There is no review {name!r}.")
        for what, sentence in explanation.explain(stored.review, opened.policy(), opened.now()):
            print(f"{what:9} {sentence}".rstrip())


SPAN = re.compile(r"([1-9]\d{0,4})([hdw])")
HOURS = {"h": 1, "d": 24, "w": 168}


def span(text: str) -> timedelta:
    """Read `30d`, `12h` or `4w`; raises ConfigurationError."""
    found = SPAN.fullmatch(text)
    if found is None:
        raise ConfigurationError("--since: must be a number with h, d or w behind it, such as 30d")
    return timedelta(hours=int(found[1]) * HOURS[found[2]])


async def simulate(settings: Settings, path: Path, since: str, *, every: bool) -> None:
    """Replay what came since then against a policy file, and say what would be otherwise."""
    past_from, after = span(since), load(settings, path)
    members = await group_members(settings, after)
    async with opening.gate(settings) as opened:
        now = opened.now()
        found = await policies.reviews_since(opened, now - past_from)
        differences = replay.replay(found, opened.policy(), after, members, now)
    if members is None:
        print("note: Slack did not say who is in which user group; whoever decided counts as a member")
    concerned = len({difference.code for difference in differences})
    print(
        f"{len(found):,} reviews of the last {since}, {concerned:,} of them otherwise under {path} ({after.digest[:8]})"
    )
    for change, number in replay.summary(differences):
        print(f"{number:7,}  {change.value}")
    shown = differences if every else differences[:SHOWN]
    for difference in shown:
        print(f"{difference.code}  {difference.kind.value}: {difference.sentence}")
    if len(shown) < len(differences):
        print(f"… and {len(differences) - len(shown):,} more; --all shows them")
