"""Production installs what was tested: locks with hashes and no index, a package with all its files, a sound image."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot.config import Settings

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
LOCKS = ("requirements.lock", "requirements-dev.lock")
SHIPPED = ("bot", "handlers", "storage", "migrations")


def lock(name: str) -> dict[str, tuple[Requirement, frozenset[str]]]:
    """Each pinned requirement with its hashes."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    pinned: dict[str, tuple[Requirement, frozenset[str]]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            wanted, *hashes = line.split("--hash=")
            requirement = Requirement(wanted)
            pinned[canonicalize_name(requirement.name)] = (requirement, frozenset(h.strip() for h in hashes))
    return pinned


def asked_for(*groups: str) -> list[Requirement]:
    """The requirements of pyproject.toml's dependency groups."""
    found = []
    for group in groups:
        for entry in PROJECT["dependency-groups"][group]:
            found += asked_for(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
    return found


def files(folder: Path) -> set[str]:
    """Every file below the folder, as a path with `/`, without Python's caches."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index(name: str) -> None:
    """The machine chooses the index: the lock has no address and no option but hashes."""
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", re.sub(r"#.*", "", text))) == {"--hash"}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_to_its_files(name: str) -> None:
    """Each package has one exact version and the SHA-256 of its published files."""
    for requirement, hashes in lock(name).values():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement


def test_the_locks_are_up_to_date() -> None:
    """Each requirement of pyproject.toml is locked in an allowed version; otherwise `make lock` was forgotten."""
    project = PROJECT["project"]
    runtime = [Requirement(r) for r in (*project["dependencies"], *project["optional-dependencies"]["embedded"])]
    for name, wanted in (
        ("requirements.lock", [*runtime, *asked_for("build")]),
        ("requirements-dev.lock", [*runtime, *asked_for("dev")]),
    ):
        pinned = lock(name)
        for requirement in wanted:
            locked, _ = pinned[canonicalize_name(requirement.name)]
            (version,) = locked.specifier
            assert requirement.specifier.contains(version.version), f"{name}: {requirement}, locked {locked}"


def test_the_tests_run_on_what_production_runs() -> None:
    """The second lock adds to the first and changes nothing in it."""
    assert lock("requirements.lock").items() <= lock("requirements-dev.lock").items()


def test_the_lock_holds_the_build_backend() -> None:
    """Building the package needs only what is in the lock."""
    assert [str(r) for r in asked_for("build")] == PROJECT["build-system"]["requires"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built only from what .dockerignore lets into the image's build."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    for name in let_in:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    # The backend itself, as pip calls it: pip takes twice as long.
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(built)], cwd=source, check=True, capture_output=True)
    (found,) = built.glob("*.whl")
    return found


def test_the_package_has_all_its_files(wheel: Path) -> None:
    """Samples, the demo's page and migrations are installed too; tests and documents are not."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {f"{package}/{name}" for package in SHIPPED for name in files(ROOT / package)}
    assert packed == ours - {"migrations/script.py.mako"}  # from which alembic writes a new migration


def test_the_package_migrates_a_database(wheel: Path, tmp_path: Path, empty_database_url: str) -> None:
    """Unpacked in an empty folder, away from the sources, it migrates an empty database."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "DATABASE_URL": empty_database_url}
    command = [sys.executable, "-m", "bot", "migrate"]
    said = [
        subprocess.run(command, cwd=tmp_path / "empty", env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert said[0].stdout.startswith("Migrated from nothing to ")
    assert said[1].stdout.startswith("The database is at ")
    assert list((tmp_path / "empty").iterdir()) == []


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The last stage runs as a numeric user that is not root."""
    final = DOCKERFILE.split("\nFROM ")[-1]
    (user,) = re.findall(r"^USER (\d+):(\d+)$", final, re.MULTILINE)
    assert all(int(number) >= 10_000 for number in user)
    assert "HOST=0.0.0.0" in final


def test_the_image_has_a_python_that_the_package_accepts() -> None:
    """Both stages have the same release of Python, not older than the package requires."""
    versions = re.findall(r"^FROM python:(\d+)\.(\d+)-slim", DOCKERFILE, re.MULTILINE)
    assert len(versions) == 2
    assert len(set(versions)) == 1
    assert tuple(map(int, versions[0])) >= (3, 11)


class Health(BaseHTTPRequestHandler):
    """Answers `/health` with a given status."""

    status: ClassVar[int] = 200
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def health() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def checked(port: int) -> int:
    """Run the image's health check against this port."""
    (written,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    program, *arguments = json.loads(written)
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments], env={**os.environ, "PORT": str(port)}, capture_output=True, check=False
    ).returncode


def test_the_health_check_tells_a_healthy_bot_from_a_sick_one(health: HTTPServer) -> None:
    """It asks `/health` on the port of the settings, and fails for an error or for no answer."""
    assert checked(health.server_port) == 0
    assert Health.asked == ["/health"]
    Health.status = 500
    assert checked(health.server_port) != 0
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert checked(closed.getsockname()[1]) != 0


def test_compose_starts_what_there_is() -> None:
    """The services are started by commands that exist, with settings that exist, and migrate before they serve."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yml").read_text("utf-8"))
    ours = {name: each for name, each in compose["services"].items() if each["image"] == "apv-bot"}
    assert {name: each["command"] for name, each in ours.items()} == {
        "migrate": ["migrate"],
        "web": ["serve", "--role", "web"],
        "worker": ["serve", "--role", "worker"],
    }
    for name, service in ours.items():
        assert {each.lower() for each in service["environment"]} <= set(Settings.model_fields)
        assert name == "migrate" or service["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }
