"""The documents are true: settings, make targets, commands and links exist, and nothing belongs to one machine."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import typer.main
from aiohttp import web
from dotenv import dotenv_values
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr
from slack_bolt.async_app import AsyncApp
from typer.core import TyperGroup

from bot import metrics
from bot.app.policy_watch import policy_source
from bot.cli.main import app
from bot.config import ConfigurationError, Settings
from bot.health import Health
from bot.service.feed import Feed
from handlers import ops
from handlers.api import feed
from handlers.api import reviews as api
from handlers.api.auth import Auth
from handlers.slack.route import mount_slack
from storage.database import Database
from tests.web import Clock, gate

ROOT = Path(__file__).parents[2]
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / ".env.example"])
}
SETTINGS = [name.upper() for name in Settings.model_fields]
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([^|]+) \|", re.MULTILINE)

EXAMPLE = re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", TEXTS[".env.example"], re.MULTILINE)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment sets none of our settings."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def as_written(value: object) -> str:
    """A default as a person writes it in the environment."""
    if value is None or value == ():
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def defaults() -> dict[str, str]:
    return {name.upper(): as_written(field.default) for name, field in Settings.model_fields.items()}


def targets() -> dict[str, str]:
    """What `make help` lists."""
    said = subprocess.run(["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^make (\S+) +(.+)$", said, re.MULTILINE))


def test_every_setting_is_explained() -> None:
    """docs/configuration.md has one row for each setting and no other row."""
    assert sorted(name for name, _ in ROW.findall(TEXTS["docs/configuration.md"])) == sorted(SETTINGS)


def test_the_defaults_explained_are_the_defaults() -> None:
    """The second column is the default."""
    said = {name: default.strip() for name, default in ROW.findall(TEXTS["docs/configuration.md"])}
    for name, default in defaults().items():
        assert said[name] == f"`{default}`" if default else said[name].startswith(("unset", "required")), name


def test_what_is_required_to_serve_is_said_so() -> None:
    """The document calls exactly those settings required without which `serve` refuses to start."""
    said = {name for name, default in ROW.findall(TEXTS["docs/configuration.md"]) if "required to serve" in default}
    settings = Settings(_env_file=None)
    with pytest.raises(ConfigurationError, match="required to serve") as refusal:
        settings.require_to_serve(policy_source(settings).current())
    assert set(str(refusal.value).split(": required")[0].split(", ")) == said


def test_a_copy_of_the_example_changes_nothing() -> None:
    """`.env.example` names every setting once, with its default: an unchanged copy is the same as no file."""
    assert dict(EXAMPLE) == defaults()
    assert len(EXAMPLE) == len(SETTINGS)
    assert Settings(_env_file=ROOT / ".env.example") == Settings(_env_file=None)


def test_the_example_leaves_the_image_listening() -> None:
    """A container that gets the unchanged example does not listen on its loopback only."""
    assert "HOST" not in dotenv_values(ROOT / ".env.example")


def test_the_example_explains_every_setting_and_holds_no_secret() -> None:
    """A comment above each setting explains it; secrets are empty."""
    lines = TEXTS[".env.example"].splitlines()
    for above, line in pairwise(lines):
        if re.match(r"(?:# )?[A-Z_]+=", line):
            assert re.match(r"# (?![A-Z_]+=)", above), line
    secret = [
        n.upper()
        for n, field in Settings.model_fields.items()
        if SecretStr in getattr(field.annotation, "__args__", ())
    ]
    assert {f"{name}=" for name in [*secret, "API_TOKENS"]} <= set(lines)


def test_make_offers_what_is_promised() -> None:
    """The documented targets exist, each with a line of help."""
    assert {"demo", "test", "lint", "bench", "help"} <= set(targets())


@pytest.mark.parametrize("name", TEXTS)
def test_every_make_target_in_the_documents_exists(name: str) -> None:
    """Each `make x` in a document names a target."""
    asked = set(re.findall(r"(?:`|^)make ([a-z]+)", TEXTS[name], re.MULTILINE))
    assert asked <= set(targets())


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_in_the_documents_exists(name: str) -> None:
    """Each `apv-bot x` in a document is a command."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    asked = set(re.findall(r"(?:`|^)apv-bot ([a-z]+)", TEXTS[name], re.MULTILINE))
    assert asked <= set(group.commands)


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    """A link within the project names an existing file."""
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", TEXTS[name]):
        if not re.match(r"[a-z]+:", link):
            assert ((ROOT / name).parent / link).exists(), f"{name}: {link}"


@pytest.mark.parametrize("name", TEXTS)
def test_paths_named_in_the_documents_exist(name: str) -> None:
    """A path in code type names a file or folder of the project."""
    for path in re.findall(r"`((?:bot|handlers|storage|migrations|tests|docs|deploy)/[\w./-]*)`", TEXTS[name]):
        assert (ROOT / path).exists(), f"{name}: {path}"


def test_the_index_of_decisions_is_complete() -> None:
    """Each record is listed, numbered in order, and says what it makes worse."""
    records = sorted(path.name for path in (ROOT / "docs/decisions").glob("0*.md"))
    assert re.findall(r"\]\((0[^)]+)\)", TEXTS["docs/decisions/README.md"]) == records
    assert [record[:4] for record in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for record in records:
        text = TEXTS[f"docs/decisions/{record}"]
        assert text.startswith(f"# {record[:4]} ")
        for part in ("**Context.**", "**Decision.**", "**What it makes worse.**"):
            assert part in text, f"{record}: {part}"


def test_nothing_is_of_one_machine() -> None:
    """No file of the project names a home or work folder of the machine that it was written on."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    private = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/[\w.]")
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path != Path(__file__) and private.search(path.read_text("utf-8", errors="replace")):
            found.append(name)
    assert found == []


def test_every_metric_is_explained() -> None:
    """docs/operations.md has a row for each metric, with its labels, and no other row."""
    declared = {
        f"{metric._name}_total" if isinstance(metric, Counter) else metric._name: ", ".join(metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
    }
    rows = re.findall(r"^\| `((?:hitl|slo)_\w+)` \|([^|]*)\|", TEXTS["docs/operations.md"], re.MULTILINE)
    assert {name: labels.strip() for name, labels in rows} == declared


def test_every_route_is_explained() -> None:
    """docs/operations.md has a row for each route; a sentence names the aliases."""
    served = web.Application()
    ops.add_routes(served, Health(Database(), str, str, str), prometheus_enabled=True)
    auth = Auth.of(Settings(_env_file=None))
    api.add_routes(served, gate(Database(), Clock()), auth)
    feed.add_route(served, Feed(gate(Database(), Clock())), auth, Clock())
    mount_slack(served, AsyncApp(token="x", signing_secret="x"), lambda *_: False)
    routes = {
        f"{route.method} {route.resource.canonical.rstrip('/')}"
        for route in served.router.routes()
        if route.method != "HEAD" and route.resource and "/hitl/hitl" not in route.resource.canonical
    }
    assert routes == set(re.findall(r"^\| `((?:GET|POST) /[^`]*)` \|", TEXTS["docs/operations.md"], re.MULTILINE))
