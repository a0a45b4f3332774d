"""`apv-bot doctor`: tries every dependency once, as the bot would, and reports each in a sentence."""

import shutil
from collections.abc import AsyncIterator
from typing import TypeAlias

import typer

from bot.app import opening
from bot.app.policy_watch import policy_source
from bot.app.vendors import github_client, slack_for_a_command
from bot.cli.running import Failure, command, outage_line
from bot.config import Settings
from bot.domain.policy import Policy
from bot.integrations.errors import VendorError
from bot.integrations.github.client import GitHubClient
from migrations import schema
from storage.embedded import EmbeddedUnavailable

commands = typer.Typer()

Checked: TypeAlias = tuple[str, str, str]
"""`ok`, `warn` or `fail`; what was checked; what was found."""

LONELY: Checked = (
    "warn", "leads", "LEADS is not set and there is one reviewer: nobody else can close what they escalate"
)  # fmt: skip


@command(commands, "doctor")
async def doctor(settings: Settings) -> None:
    """Check settings, database, Slack and GitHub, and report what is wrong."""
    failed = 0
    async for level, what, found in _checks(settings):
        failed += level == "fail"
        print(f"{level:5} {what:10} {found}")
    if failed:
        count, them = ("1 check", "it") if failed == 1 else (f"{failed} checks", "them")
        raise Failure(f"{count} failed; fix {them} before `apv-bot serve`.")


async def _checks(settings: Settings) -> AsyncIterator[Checked]:
    policy = policy_source(settings).current()
    settings.require_to_serve(policy)
    github = github_client(settings)
    yield "ok", "settings", "complete"
    if policy.leads is None and not policy.groups and len(_named(policy)) == 1:
        yield LONELY
    git = shutil.which("git")
    yield ("ok", "git", "found") if git else ("fail", "git", "not found: patches cannot be applied")
    yield await _database(settings)
    async for checked in _slack(settings, policy):
        yield checked
    yield await _github(settings, github)


def _named(policy: Policy) -> frozenset[str]:
    return policy.reviewers.users | policy.reviewers.emails


async def _database(settings: Settings) -> Checked:
    try:
        async with opening.database(settings) as opened:
            state, current = await schema.state(opened.engine), await schema.current(opened.engine)
    except Exception as error:
        line = str(error) if isinstance(error, EmbeddedUnavailable) else outage_line(error, settings)
        if line is None:
            raise
        return "fail", "database", line
    match state:
        case "ok":
            return "ok", "database", f"connected, schema {current}"
        case "ahead":
            return "ok", "database", f"connected, schema {current} of a newer release"
        case "behind":
            return "fail", "database", f"schema {current or 'none'}, {schema.newest()} is needed: run apv-bot migrate"


async def _slack(settings: Settings, policy: Policy) -> AsyncIterator[Checked]:
    async with slack_for_a_command(settings) as slack:
        try:
            me = await slack.identity()
        except VendorError as error:
            yield "fail", "slack", error.reason
            return
        yield "ok", "slack", f"signed in as {me.user_id} in {me.team or me.team_id}"
        reviewers, incomplete = set(_named(policy)), False
        for group in sorted(policy.groups):
            try:
                members = await slack.group_members(group)
            except VendorError as error:
                incomplete = True
                yield "fail", "slack", f"group {group}: {error.reason}"
            else:
                reviewers |= members
                level = "ok" if members else "warn"
                yield level, "slack", f"group {group} has {len(members)} members"
    if policy.leads is None and policy.groups and len(reviewers) == 1 and not incomplete:
        yield LONELY


async def _github(settings: Settings, github: GitHubClient | None) -> Checked:
    if github is None:
        return "warn", "github", "not configured: approvals are recorded, no pull request is opened"
    try:
        await github.check()
    except VendorError as error:
        return "fail", "github", error.reason
    finally:
        await github.close()
    return "ok", "github", f"can read {settings.default_repository}"
