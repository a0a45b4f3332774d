"""`apv-bot policy`: show the file in force, check one, explain a review, replay past reviews under another."""

import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from bot.app import opening
from bot.app.policy_watch import around, policy_source
from bot.app.vendors import slack_for_a_command
from bot.cli.running import Failure, command
from bot.config import ConfigurationError, Settings
from bot.domain import explanation, replay
from bot.domain.policy import Policy
from bot.integrations.errors import VendorError
from bot.policies import check, doubts
from bot.policies.reading import InvalidPolicy, decoded, read
from bot.service import policies, queries

commands = typer.Typer(
    name="policy", help="Who may decide, how many approvals are needed, and how soon.", no_args_is_help=True
)

SHOWN = 50
"""How many differences are printed without --all."""


@command(commands, "show")
async def show(settings: Settings) -> None:
    """Print the policy in force, as a file."""
    source = policy_source(settings)
    print(source.found.text.rstrip())
    policy = source.current()
    print(f"\n# digest     {policy.digest}")
    print(f"# reviewers  {', '.join(policy.reviewers.names) or 'nobody'}")
    print(f"# leads      {', '.join(policy.leads.names) if policy.leads else 'any reviewer but the one who escalated'}")


@command(commands, "check")
async def examine(
    settings: Settings,
    file: Annotated[Path | None, typer.Argument(help="A policy file; by default, the policy in force.")] = None,
) -> None:
    """Report every fault of a policy file with its line, and every quorum that nobody can reach."""
    policy = policy_source(settings).current() if file is None else load(settings, file)
    members = await group_members(settings, policy)
    if members is None:
        print("note: user groups were not counted: Slack is not configured or did not answer")
    sizes = {group: len(ids) for group, ids in (members or {}).items()}
    machines = sum(token.owner is None and "decide" in token.scopes for token in settings.tokens)
    found = check.problems(policy, sizes.get, machines=machines, open_api=settings.api_auth == "none")
    for line in doubts.warnings(policy):
        print(f"warning: {line}")
    for line in found:
        print(f"error: {line}", file=sys.stderr)
    if found:
        raise Failure("Nobody could decide some reviews under this policy.")
    print(f"{file or settings.policy_file or 'The built-in policy'}: OK (digest {policy.digest})")


def load(settings: Settings, path: Path) -> Policy:
    """The policy of a file that is not in force; prints every fault and raises Failure if it has any."""
    try:
        return read(decoded(path.read_bytes()), around(settings))
    except InvalidPolicy as invalid:
        for fault in invalid.faults:
            print(f"{path}: {fault.sentence}", file=sys.stderr)
        raise Failure(f"{path} cannot be used.") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


async def group_members(settings: Settings, policy: Policy) -> Mapping[str, frozenset[str]] | None:
    """The members of each user group of the policy; None when Slack is not configured or does not answer."""
    if not policy.groups:
        return {}
    if settings.slack_bot_token is None:
        return None
    async with slack_for_a_command(settings) as slack:
        try:
            return {group: await slack.group_members(group) for group in sorted(policy.groups)}
        except VendorError:
            return None


@command(commands, "explain")
async def explain(
    settings: Settings, name: Annotated[str, typer.Argument(metavar="ID", help="A review's code or UUID.")]
) -> None:
    """Show what a review needs and has, and which policy key says so."""
    async with opening.gate(settings) as opened:
        stored = await queries.find(opened, name)
        if stored is None:
            raise Failure(f"No review {name!r}.")
        for what, sentence in explanation.explain(stored.review, opened.policy(), opened.now()):
            print(f"{what:9} {sentence}".rstrip())


SPAN = re.compile(r"([1-9]\d{0,4})([hdw])")
HOURS = {"h": 1, "d": 24, "w": 168}


def span(text: str) -> timedelta:
    """Read `30d`, `12h` or `4w`; raises ConfigurationError."""
    found = SPAN.fullmatch(text)
    if found is None:
        raise ConfigurationError("--since: must be a number followed by h, d or w, such as 30d")
    return timedelta(hours=int(found[1]) * HOURS[found[2]])


@command(commands, "simulate")
async def simulate(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The policy file to try.")],
    since: Annotated[str, typer.Option(help="How far back: 30d, 12h, 4w.")] = "30d",
    every: Annotated[bool, typer.Option("--all", help="Show every difference, not only the first 50.")] = False,
) -> None:
    """Replay past reviews under a policy file, and show what would be decided differently."""
    past_from, after = span(since), load(settings, file)
    members = await group_members(settings, after)
    async with opening.gate(settings) as opened:
        now = opened.now()
        found = await policies.reviews_since(opened, now - past_from)
        differences = replay.replay(found, opened.policy(), after, members, now)
    if members is None:
        print("note: Slack did not report the user groups; each person who decided counts as a member")
    concerned = len({difference.code for difference in differences})
    under = f"{file} ({after.digest[:8]})"
    print(f"{len(found):,} reviews of the last {since}; {concerned:,} would be decided differently under {under}")
    for change, number in replay.summary(differences):
        print(f"{number:7,}  {change.value}")
    shown = differences if every else differences[:SHOWN]
    for difference in shown:
        print(f"{difference.code}  {difference.kind.value}: {difference.sentence}")
    if len(shown) < len(differences):
        print(f"… and {len(differences) - len(shown):,} more; --all shows them")
