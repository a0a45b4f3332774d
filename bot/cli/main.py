"""The command line: `apv-bot`, also `python -m bot`. Exit codes: 0 done, 1 failed, 2 bad usage or configuration."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from bot import telemetry
from bot.cli import doctor
from bot.cli import policy as policy_console
from bot.cli import running as console
from bot.config import ConfigurationError, Settings
from bot.demo import stage as demo
from storage.embedded import EmbeddedUnavailable

SUMMARY = (
    "The human gate for vulnerability patches: one Slack message a finding, a recorded decision, one pull request."
)

app = typer.Typer(
    name="apv-bot",
    help=SUMMARY,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
jobs = typer.Typer(help="Effects that are not done: queued, running or held.", no_args_is_help=True)
audit = typer.Typer(help="The append-only record of everything that happened.", no_args_is_help=True)
config = typer.Typer(help="The settings in force.", no_args_is_help=True)
policy = typer.Typer(help="Who may decide, how many must, how soon.", no_args_is_help=True)
for name, group in (("jobs", jobs), ("audit", audit), ("config", config), ("policy", policy)):
    app.add_typer(group, name=name)


class RoleName(StrEnum):
    """What one process does."""

    all = "all"
    web = "web"
    worker = "worker"


class Format(StrEnum):
    """What a submitted file may be: `auto`, and the names of `bot.intake.formats.FORMATS`."""

    auto = "auto"
    apv = "apv"
    pip_audit = "pip-audit"
    trivy = "trivy"


Id = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Its number, as `jobs list` shows it.")]
Ids = Annotated[
    list[int] | None,
    typer.Argument(min=1, max=2**63 - 1, help="Numbers of held jobs, as `jobs list` shows them."),
]
All = Annotated[bool, typer.Option("--all", help="Every held job.")]


def run(command: Callable[[Settings], Coroutine[None, None, None]], *, serving: bool = False) -> None:
    """Run a command with the settings, and turn what stops it into one line and an exit code."""
    try:
        settings = Settings.load()
        # A command says what it has to on standard output; only what goes wrong beside it is logged.
        level = ("debug" if settings.debug else settings.log_level) if serving else "warning"
        telemetry.configure(level=level, form=settings.log_format, secrets=console.secrets(settings))
        in_loop(command(settings))
    except ConfigurationError as error:
        stop(str(error), 2)
    except (console.Failure, EmbeddedUnavailable) as error:
        stop(str(error), 1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        stop("Interrupted.", 1)
    except BrokenPipeError:
        raise  # whoever read us has enough; typer ends quietly
    except Exception as error:
        line = console.outage_line(error)
        if line is None:
            raise
        stop(line, 1)


def in_loop(work: Coroutine[None, None, None]) -> None:
    """Run it to its end, or until told to stop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_told(work))


async def until_told(work: Coroutine[None, None, None]) -> None:
    """Let SIGTERM end what runs as Ctrl-C does, so that it stops what it has started."""
    task = asyncio.current_task()
    assert task is not None, "this is one"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await work


def stop(line: str, code: int) -> None:
    """End with one line on standard error."""
    print(f"apv-bot: {line}", file=sys.stderr)
    raise typer.Exit(code)


@app.callback(invoke_without_command=True)
def main_options(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Options of the program itself."""
    if show_version:
        print(version("apv-bot"))
        raise typer.Exit


@app.command()
def serve(
    role: Annotated[
        RoleName, typer.Option(help="web answers Slack and the API, worker carries out effects, all does both.")
    ] = RoleName.all,
) -> None:
    """Run the bot until SIGTERM."""
    run(lambda settings: console.serve(settings, role.value), serving=True)


@app.command()
def migrate() -> None:
    """Bring the database to this release's schema."""
    run(console.migrate)


@app.command("demo")
def demo_command(
    headless: Annotated[bool, typer.Option("--headless", help="Play the reviewers too, then exit.")] = False,
) -> None:
    """Run everything on this machine, with stand-ins for Slack and GitHub and no account anywhere."""
    try:
        in_loop(demo.run(headless=headless))
    except ConfigurationError as error:
        stop(str(error), 2)
    except (demo.DemoFailed, EmbeddedUnavailable) as error:
        stop(str(error), 1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        # Headless promises every step; otherwise this is how it ends.
        if headless:
            stop("Interrupted.", 1)


@app.command()
def submit(
    files: Annotated[list[Path], typer.Argument(help="APV JSON or scanner reports; - reads standard input.")],
    form: Annotated[Format, typer.Option("--format", help="What the files are.")] = Format.auto,
) -> None:
    """Submit APVs, or the findings of a scanner's report, straight into the database."""
    run(lambda settings: console.submit(settings, files, form.value))


@app.command("doctor")
def doctor_command() -> None:
    """Check settings, database, Slack and GitHub, and say what is wrong with each."""
    run(doctor.examine)


@jobs.command("list")
def jobs_list() -> None:
    """List every job that is not done."""
    run(console.jobs_list)


@jobs.command("show")
def jobs_show(job_id: Id) -> None:
    """Show one job."""
    run(lambda settings: console.jobs_show(settings, job_id))


@jobs.command("retry")
def jobs_retry(ids: Ids = None, every: All = False) -> None:
    """Queue held jobs anew."""
    run(lambda settings: console.jobs_settle(settings, _chosen(ids, every), "retried"))


@jobs.command("discard")
def jobs_discard(ids: Ids = None, every: All = False) -> None:
    """Give held jobs up."""
    run(lambda settings: console.jobs_settle(settings, _chosen(ids, every), "discarded"))


def _chosen(ids: list[int] | None, every: bool) -> list[int] | None:
    if bool(ids) == every:
        raise ConfigurationError("name the jobs, or say --all")
    return None if every else ids


@audit.command("export")
def audit_export() -> None:
    """Write every entry as a line of JSON to standard output."""
    run(console.audit_export)


@audit.command("verify")
def audit_verify() -> None:
    """Check that no entry is missing or was changed."""
    run(console.audit_verify)


@config.command("show")
def config_show() -> None:
    """Print every setting in force, secrets masked."""

    async def show(settings: Settings) -> None:
        console.config_show(settings)

    run(show)


@policy.command("show")
def policy_show() -> None:
    """Print the policy file in force; the built-in one is such a file too."""

    async def show(settings: Settings) -> None:
        policy_console.show(settings)

    run(show)


@policy.command("check")
def policy_check(
    file: Annotated[Path | None, typer.Argument(help="A policy file; left out: the policy in force.")] = None,
) -> None:
    """Name every fault of a policy file with its line, and every quorum that nobody can reach."""
    run(lambda settings: policy_console.examine(settings, file))


@policy.command("explain")
def policy_explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="A review's code or UUID.")],
) -> None:
    """Say what a review needs and has, and where in the policy that stands."""
    run(lambda settings: policy_console.explain(settings, name))


@policy.command("simulate")
def policy_simulate(
    file: Annotated[Path, typer.Argument(help="The policy file to try.")],
    since: Annotated[str, typer.Option(help="How far back: 30d, 12h, 4w.")] = "30d",
    every: Annotated[bool, typer.Option("--all", help="Show every difference, not only the first 50.")] = False,
) -> None:
    """Replay past reviews under a policy file, and show what would have been otherwise."""
    run(lambda settings: policy_console.simulate(settings, file, since, every=every))


def main() -> None:
    """Entry point of the console script."""
    app()
