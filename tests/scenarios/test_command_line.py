"""`apv-bot` at a terminal: the output and exit code of each command, and one line when it fails."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from pydantic import SecretStr
from sqlalchemy import make_url

from bot import samples
from bot.cli.doctor import doctor
from bot.cli.main import app
from bot.cli.running import Failure
from bot.policies.reading import built_in_text
from migrations import schema
from tests import harness, web
from tests.command import Terminal
from tests.conftest import run
from tests.harness import World

DATA = Path(os.environ.get("APV_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "scanners").is_dir(), reason="no folder of real reports (APV_TEST_DATA, ../shared/data)"
)
APV = json.loads(dict(samples.apvs())["requests-cve-2023-32681.json"])
PIP_AUDIT = {
    "dependencies": [
        {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}]},
        {"name": "fine", "version": "1.0", "vulns": []},
    ]
}
TRIVY = {
    "SchemaVersion": 2,
    "ArtifactName": "shop:latest",
    "Results": [
        {
            "Target": "requirements.txt",
            "Class": "lang-pkgs",
            "Type": "pip",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2019-10906",
                    "PkgName": "jinja2",
                    "InstalledVersion": "2.10",
                    "FixedVersion": "2.10.1",
                    "Severity": "HIGH",
                }
            ],
        }
    ],
}


@pytest.fixture
def terminal(database_url: str, tmp_path: Path) -> Terminal:
    """In an empty folder, with a migrated database and nothing else set."""
    return Terminal(tmp_path, {"DATABASE_URL": database_url})


def file(terminal: Terminal, name: str, content: object) -> str:
    (terminal.folder / name).write_text(json.dumps(content), "utf-8")
    return name


def commands(command: object, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *path, name)


@pytest.fixture
def bare(tmp_path: Path) -> Terminal:
    """In an empty folder, with nothing set."""
    return Terminal(tmp_path)


COMMANDS = list(commands(typer.main.get_command(app)))
# What each command that needs the database is given to do.
DOINGS: tuple[tuple[str, ...], ...] = (
    ("migrate",), ("submit", "apv.json"), ("jobs", "list"), ("jobs", "show", "1"), ("jobs", "retry", "1"),
    ("jobs", "retry", "--all"), ("jobs", "discard", "1"), ("jobs", "discard", "--all"), ("audit", "export"),
    ("audit", "verify"),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(bare: Terminal, command: tuple[str, ...]) -> None:
    """`--help` and `-h` on the program, its groups and each command."""
    helped = bare.types(*command, "--help")
    assert helped == bare.types(*command, "-h")
    assert helped.code == 0
    assert helped.said.startswith(f"Usage: {' '.join(('apv-bot', *command))}")
    assert len(helped.said.splitlines()) > 4


@pytest.mark.parametrize(
    "typed",
    [
        ("nonsense",), ("serve", "--role", "boss"), ("submit",), ("submit", "--format", "csv", "apv.json"),
        ("jobs",), ("jobs", "show"), ("jobs", "show", "one"), ("jobs", "retry"), ("jobs", "retry", "1", "--all"),
        ("jobs", "retry", "99999999999999999999"), ("jobs", "discard"), ("jobs", "discard", "0"),
        ("audit", "verify", "now"), ("demo", "--fast"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_bad_usage_is_two(bare: Terminal, typed: tuple[str, ...]) -> None:
    """Unknown commands, options and arguments."""
    ended = bare.types(*typed)
    assert ended.code == 2
    assert (ended.said + ended.complained).startswith(("Usage: ", "apv-bot: name the jobs, or use --all"))


OTHERS = (("serve",), ("doctor",), ("config", "show"), ("policy", "show"))


@pytest.mark.parametrize("typed", [*DOINGS, *OTHERS], ids=" ".join)
def test_bad_configuration_is_two_and_one_line(bare: Terminal, typed: tuple[str, ...]) -> None:
    """Every command stops at an invalid setting."""
    file(bare, "apv.json", APV)
    ended = bare.types(*typed, RATE_LIMIT="fast")
    assert (ended.code, ended.line) == (2, "RATE_LIMIT: must be <number>/s, <number>/m or off")


@pytest.mark.parametrize("typed", DOINGS, ids=" ".join)
def test_a_database_that_is_down_is_one_line(bare: Terminal, typed: tuple[str, ...]) -> None:
    """The message names the server and the cause, but no user or password."""
    file(bare, "apv.json", APV)
    ended = bare.types(*typed, DATABASE_URL="postgresql://someone:a-password@127.0.0.1:1/apv")
    assert (ended.code, ended.line) == (1, "DATABASE_URL: cannot connect to 127.0.0.1:1: connection refused")


def test_a_database_that_does_not_exist_is_one_line(terminal: Terminal) -> None:
    """The message has the server's own cause."""
    url = make_url(terminal.settings["DATABASE_URL"]).set(database="none").render_as_string(hide_password=False)
    ended = terminal.types("jobs", "list", DATABASE_URL=url)
    assert ended.code == 1
    assert ended.line.startswith("DATABASE_URL: cannot connect to ")
    assert ended.line.endswith(": no such database")


@pytest.mark.parametrize("typed", DOINGS[1:], ids=" ".join)
def test_a_database_that_was_never_migrated_is_one_line(
    empty_database_url: str, tmp_path: Path, typed: tuple[str, ...]
) -> None:
    """It says which command to run."""
    terminal = Terminal(tmp_path, {"DATABASE_URL": empty_database_url})
    file(terminal, "apv.json", APV)
    ended = terminal.types(*typed)
    assert ended.code == 1
    assert ended.line.endswith("run apv-bot migrate")


def test_migrating_twice(empty_database_url: str, tmp_path: Path) -> None:
    """The first run prints both revisions, the second that there was nothing to do."""
    terminal = Terminal(tmp_path, {"DATABASE_URL": empty_database_url.replace("+asyncpg", "")})
    first, second = terminal.types("migrate"), terminal.types("migrate")
    assert first.said.startswith("Migrated from nothing to ")
    assert second.said.startswith("The database is at ")
    assert (first.code, second.code, first.complained + second.complained) == (0, 0, "")


@pytest.mark.parametrize(
    ("content", "form", "lines"),
    [
        (APV, "auto", ["medium", "requests 2.30.0", "CVE-2023-32681", "(new)"]),
        (APV, "apv", ["CVE-2023-32681"]),
        ([APV, {**APV, "package_name": "another"}], "auto", ["requests", "another"]),
        (PIP_AUDIT, "auto", ["medium", "jinja2 2.10", "PYSEC-2019-217"]),
        (PIP_AUDIT, "pip-audit", ["jinja2 2.10"]),
        (TRIVY, "auto", ["high", "jinja2 2.10", "CVE-2019-10906"]),
        (TRIVY, "trivy", ["jinja2 2.10"]),
    ],
)
def test_what_is_submitted_is_listed(terminal: Terminal, content: object, form: str, lines: list[str]) -> None:
    """It prints one line per file and per review, without a server; a second run has nothing new."""
    number = len(content) if isinstance(content, list) else 1
    ended = terminal.types("submit", "--format", form, file(terminal, "it.json", content))
    assert (ended.code, ended.complained) == (0, "")
    assert ended.said.startswith(f"it.json: {number} read, {number} new\n")
    assert all(words in ended.said for words in lines), ended.said
    again = terminal.types("submit", "it.json")
    assert again.said.startswith(f"it.json: {number} read, 0 new\n")
    assert "(pending)" in again.said


def test_submit_from_standard_input(terminal: Terminal) -> None:
    """`-` reads standard input."""
    ended = terminal.types("submit", "-", sends=json.dumps(APV))
    assert ended.code == 0
    assert ended.said.startswith("-: 1 read, 1 new\n")


def test_a_bad_file_is_named_with_every_fault(terminal: Terminal) -> None:
    """A bad file is not stored; a good one beside it is."""
    bad = [{**APV, "severity": "awful", "cvss_score": 11}, {"package_name": "x"}, APV]
    ended = terminal.types("submit", file(terminal, "bad.json", bad), file(terminal, "good.json", PIP_AUDIT))
    faults = ended.complained.splitlines()
    assert ended.code == 1
    assert {tuple(line.split(": ")[:2]) for line in faults[:-1]} == {
        ("bad.json", place) for place in ("0.severity", "0.cvss_score", "1.cve_id", "1.severity", "1.package_ecosystem")
    }
    assert faults[-1] == "apv-bot: Nothing stored from the files above."
    assert ended.said.startswith("good.json: 1 read, 1 new\n")
    exported = [json.loads(line) for line in terminal.types("audit", "export").said.splitlines()]
    assert len(exported) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.json", None), ("folder", b""), ("empty.json", b""), ("broken.json", b'{"severity": '),
        ("text.json", b"\xff\xfe"), ("number.json", b"7"), ("other.json", b'{"vulnerabilities": {}}'),
    ],
)  # fmt: skip
def test_a_file_that_is_nothing_of_the_kind(terminal: Terminal, name: str, content: bytes | None) -> None:
    """One line says so, and the command fails."""
    path = terminal.folder / name
    if name == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    ended = terminal.types("submit", name)
    first, last = ended.complained.splitlines()
    assert ended.code == 1
    assert first.startswith(f"{name}: ")
    assert last == "apv-bot: Nothing stored from the files above."


@pytest.mark.parametrize("form", ["pip-audit", "trivy"])
def test_a_file_of_another_format_than_named(terminal: Terminal, form: str) -> None:
    """A format given by the operator is used, and the file does not fit it."""
    ended = terminal.types("submit", "--format", form, file(terminal, "apv.json", APV))
    assert ended.code == 1
    assert ended.said == ""
    assert ended.complained.startswith("apv.json: ")


@needs_data
@pytest.mark.parametrize(
    ("report", "number"), [("pip-audit-many", 7), ("trivy-5-findings", 5), ("trivy-0-findings", 0)]
)
def test_real_reports(terminal: Terminal, report: str, number: int) -> None:
    """Reports as the tools wrote them: one review per finding."""
    ended = terminal.types("submit", str(DATA / "scanners" / f"{report}.json"))
    assert ended.code == 0
    assert f": {number} read, {number} new\n" in ended.said


def test_no_secret_is_shown(bare: Terminal) -> None:
    """`config show` prints every setting, but no part of a secret, wherever it is set."""
    secrets = {
        "DATABASE_URL": "postgresql://someone:quiet-db-pass@db/apv",
        "SLACK_BOT_TOKEN": "xoxb-quiet-bot", "SLACK_SIGNING_SECRET": "quiet-signing",
        "SLACK_APP_TOKEN": "xapp-quiet-app", "GITHUB_TOKEN": "ghp_quiet", "GITHUB_APP_ID": "7",
        "GITHUB_APP_PRIVATE_KEY": "quiet-key",
        "GITHUB_INSTALLATION_ID": "8", "GITHUB_WEBHOOK_SECRET": "quiet-hook", "REDIS_URL": "redis://:quiet-redis@r/0",
        "API_TOKENS": f"quiet-name:read:{hashlib.sha256(b'quiet').hexdigest()}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://someone:quiet-otel@traces.example/v1",
    }  # fmt: skip
    (bare.folder / ".env").write_text("SLACK_SIGNING_SECRET=quiet-in-a-file\nREVIEWERS=U0ALICE\n", "utf-8")
    given = {name: value for name, value in secrets.items() if name != "SLACK_SIGNING_SECRET"}
    ended = bare.types("config", "show", GITHUB_REPO_OWNER="o", GITHUB_REPO_NAME="n", **given)
    shown = dict(line.split("=", 1) for line in ended.said.splitlines())
    assert ended.code == 0
    assert "quiet" not in ended.said
    assert hashlib.sha256(b"quiet").hexdigest()[:8] not in ended.said
    assert {shown[name] for name in secrets if name not in {"GITHUB_APP_ID", "GITHUB_INSTALLATION_ID"}} == {
        "********",
        "https://********@traces.example/v1",
    }
    assert shown["REVIEWERS"] == "U0ALICE"


def test_the_audit_log_is_exported_and_verified(terminal: Terminal) -> None:
    """It prints one JSON line per entry, with the code of its review, and the number of entries."""
    terminal.types("submit", file(terminal, "apv.json", [APV, {**APV, "package_name": "another"}]))
    entries = [json.loads(line) for line in terminal.types("audit", "export").said.splitlines()]
    assert len({entry["apv_code"] for entry in entries}) == 2
    assert [entry["kind"] for entry in entries] == ["review.submitted", "review.submitted"]
    verified = terminal.types("audit", "verify")
    assert (verified.code, verified.said) == (0, "Checked 2 entries of 2 reviews: 0 faults.\n")


def test_a_changed_audit_log_is_found(terminal: Terminal) -> None:
    """A person who can disable the triggers still cannot repair the chain."""
    terminal.types("submit", file(terminal, "apv.json", APV))
    change = "UPDATE audit_log SET sentence = 'Nobody said so.'"
    asyncio.run(run(terminal.settings["DATABASE_URL"], "ALTER TABLE audit_log DISABLE TRIGGER USER", change))
    found = terminal.types("audit", "verify")
    assert found.code == 1
    assert found.said == "Checked 1 entries of 1 reviews: 1 faults.\n"
    fault, last = found.complained.splitlines()
    assert "APV-" in fault
    assert last == "apv-bot: The audit log is not intact."


def test_the_jobs_commands(terminal: Terminal) -> None:
    """It prints one line per unfinished job; only held jobs can be retried or discarded."""
    assert terminal.types("jobs", "list").said == "id  task  state  attempts  apv_code  error\n"
    terminal.types("submit", file(terminal, "apv.json", APV))
    head, line = terminal.types("jobs", "list").said.splitlines()
    assert head.split() == ["id", "task", "state", "attempts", "apv_code", "error"]
    number, task, state, attempts, code, error = line.split()
    assert (task, state, attempts, error) == ("slack.card", "queued", "0", "-")
    shown = terminal.types("jobs", "show", number)
    assert shown.code == 0
    assert dict(line.split(maxsplit=1) for line in shown.said.splitlines()) == {
        "id": number, "task": task, "state": state, "attempts": attempts, "apv_code": code, "error": error,
    }  # fmt: skip
    for verb in ("retry", "discard"):
        refused = terminal.types("jobs", verb, number)
        assert (refused.code, refused.line) == (1, f"Not held, so not changed: {number}.")
        assert terminal.types("jobs", verb, "--all").said == "No held jobs.\n"
    missing = terminal.types("jobs", "show", "999")
    assert (missing.code, missing.line) == (1, "No unfinished job 999.")


def test_the_policy_in_force(bare: Terminal) -> None:
    """The built-in policy is a valid file; the values from the settings follow as comments."""
    said = bare.types("policy", "show", REVIEWERS="U0ALICE,S0TEAM").said
    assert said.startswith(built_in_text().rstrip())
    assert said.splitlines()[-2:] == [
        "# reviewers  S0TEAM, U0ALICE",
        "# leads      any reviewer but the one who escalated",
    ]
    (bare.folder / "own.toml").write_text(said)
    assert "# leads      S0LEADS" in bare.types("policy", "show", LEADS="S0LEADS", POLICY_FILE="own.toml").said


CHECKED = [
    ("", 0, "own.toml: OK (digest e3b0c442"),
    ("[severity.low]\naprovals = 2\n[route]", 1, "own.toml: line 2: severity.low.aprovals: unknown key\n"),
    ("[severity.low]\napprovals = 3", 1, "error: severity.low: needs 3 approvals, but at most 2 people may approve\n"),
    ('[groups]\nops = ["token:ci"]\n[[route]]\ngroups = ["ops"]', 1, "error: route.1.groups: needs a member of ops"),
]


@pytest.mark.parametrize(("text", "code", "says"), CHECKED)
def test_a_policy_is_checked_before_it_is_used(bare: Terminal, text: str, code: int, says: str) -> None:
    """Faults with their lines, then quorums that cannot be reached; exit code 0 only for a valid policy."""
    (bare.folder / "own.toml").write_text(text)
    ended = bare.types("policy", "check", "own.toml", REVIEWERS="U0ALICE,U0BOB")
    assert ended.code == code
    assert says in ended.said + ended.complained


def test_a_token_is_nobody_more(bare: Terminal) -> None:
    """One of a reviewer is that reviewer, a machine's adds no person; where names are claimed, there is no limit."""
    (bare.folder / "own.toml").write_text("[severity.low]\napprovals = 3")
    tokens = [f"ci{n}{owner}:decide:{n:064x}" for n, owner in enumerate(("", "", "@U0ALICE", "@bob@example.org"))]
    given = {"REVIEWERS": "U0ALICE,U0BOB", "API_TOKENS": ",".join(tokens)}
    ended = bare.types("policy", "check", "own.toml", **given)
    assert (ended.code, "at most 2 people may approve" in ended.complained) == (1, True)
    assert bare.types("policy", "check", "own.toml", API_AUTH="none", **given).code == 0


def test_the_version(bare: Terminal) -> None:
    """One line."""
    assert bare.types("--version").said == f"{version('apv-bot')}\n"


@pytest.fixture
async def outside(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Slack, GitHub and a database, and no bot."""
    async with harness.surroundings(database_url, tmp_path) as made:
        yield made


async def test_the_doctor_finds_nothing(outside: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints one line per check, and the command succeeds."""
    await doctor(outside.settings)
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in said] == [
        ["ok", "settings"], ["ok", "git"], ["ok", "database"], ["ok", "slack"], ["ok", "slack"], ["ok", "slack"],
        ["ok", "github"],
    ]  # fmt: skip
    assert "can read sample/shop" in said[-1]


DOUBTS: tuple[tuple[dict[str, object], str], ...] = (
    ({"slack_bot_token": SecretStr("xoxb-another")}, "fail  slack      Slack refused the bot's token."),
    ({"slack_api_url": "http://127.0.0.1:1/api/"}, "fail  slack      Slack cannot be reached."),
    ({"github_token": SecretStr("another")}, "fail  github     GitHub does not accept the token"),
    ({"github_repo_name": "nothing"}, "fail  github     "),
    ({"github_token": None}, "warn  github     not configured: approvals are recorded, no pull request is opened"),
    ({"database_url": SecretStr(web.nowhere())}, "fail  database   DATABASE_URL: cannot connect to 127.0.0.1:1"),
    ({"reviewers": ("S0NOBODY",)}, "fail  slack      group S0NOBODY: Slack does not know this user group."),
    ({"reviewers": ("U0ALICE",), "leads": ()}, "warn  leads      LEADS is not set and there is one reviewer"),
)


@pytest.mark.parametrize(("changes", "line"), DOUBTS, ids=lambda value: str(value)[:40])
async def test_the_doctor_says_what_is_wrong(
    outside: World, capsys: pytest.CaptureFixture[str], changes: dict[str, object], line: str
) -> None:
    """Each fault is one sentence; errors make the command fail, warnings do not."""
    settings = outside.settings.model_copy(update=changes)
    if line.startswith("fail"):
        with pytest.raises(Failure, match=r"^1 check failed; fix it before `apv-bot serve`"):
            await doctor(settings)
    else:
        await doctor(settings)
    said = capsys.readouterr().out.splitlines()
    assert [one for one in said if one.startswith(line)], said
    assert len([one for one in said if not one.startswith("ok")]) == 1, said


async def test_the_doctor_counts_the_people_of_a_group(outside: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It warns about a group with one member as the only reviewer; two reviewers are enough."""
    group = outside.slack.group("reviewers")
    settings = outside.settings.model_copy(update={"leads": ()})
    for members, reviewers, warned in (
        (["alice"], (group.id,), True),
        (["alice", "bob"], (group.id,), False),
        (["alice"], (group.id, outside.bob.id), False),
    ):
        group.members = [outside.slack.user(name).id for name in members]
        await doctor(settings.model_copy(update={"reviewers": reviewers}))
        assert ("LEADS is not set" in capsys.readouterr().out) is warned


@pytest.mark.parametrize(("named", "warned"), [('"ana@example.org"', True), ('"ana@example.org", "U0BEN"', False)])
async def test_the_doctor_counts_people_named_by_e_mail(
    outside: World, capsys: pytest.CaptureFixture[str], tmp_path: Path, named: str, warned: bool
) -> None:
    """As a policy file may name them."""
    file = tmp_path / "policy.toml"
    file.write_text(f"[people]\nreviewers = [{named}]\n")
    await doctor(outside.settings.model_copy(update={"leads": (), "policy_file": file}))
    assert ("LEADS is not set" in capsys.readouterr().out) is warned


async def test_the_doctor_knows_a_database_that_is_behind(
    outside: World, empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the command that helps."""
    with pytest.raises(Failure):
        await doctor(outside.settings.model_copy(update={"database_url": SecretStr(empty_database_url)}))
    assert f"schema none, {schema.newest()} is needed: run apv-bot migrate" in capsys.readouterr().out
