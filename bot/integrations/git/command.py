"""Runs git in a scratch repository: objects and an index, no work tree, no network.

Git sees only the bot's configuration and a private directory, which is deleted afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bot.integrations.errors import Permanent, Retry

if sys.platform == "linux":
    import resource

TIMEOUT_SECONDS = 20
MEMORY_BYTES = 1 << 30
"""Address space of one git process: a compressed binary patch of a megabyte can ask for terabytes."""

OPTIONS = (
    "-c", "core.autocrlf=false",
    "-c", "core.eol=lf",
    "-c", "core.protectHFS=true",
    "-c", "core.protectNTFS=true",
)  # fmt: skip


class GitError(Exception):
    """Git failed; the message is its last line without its prefix. Not a text to show to people."""


def git_failed() -> Retry:
    """The failure that is not the patch's fault."""
    return Retry("git failed on the worker's machine; check its disk space and permissions", code="git_failed")


class IndexEntry(NamedTuple):
    """A file in the index: its mode as git writes it (`100644`), its blob's sha."""

    mode: str
    sha: str


def tree_sha(files: Mapping[str, IndexEntry], folders: Mapping[str, str] | None = None) -> str:
    """The sha that `git write-tree` would give the tree of `files`.

    `folders` are the shas, by path, of directories whose files are unknown.

    Git would write an object for every directory, which takes seconds for thousands on a slow disk.
    """
    rows: dict[str, list[tuple[bytes, bytes]]] = {"": []}  # by directory: what git sorts by, the row
    # Git sorts a directory as if its name ended in a slash.
    unread = ((path, "/", "40000", sha) for path, sha in (folders or {}).items())
    for path, end, mode, sha in chain(((path, "", *entry) for path, entry in files.items()), unread):
        directory, _, name = path.rpartition("/")
        rows.setdefault(directory, []).append(
            (f"{name}{end}".encode(), f"{mode} {name}\0".encode() + bytes.fromhex(sha))
        )
        while directory and (directory := directory.rpartition("/")[0]) not in rows:
            rows[directory] = []
    for directory in sorted(rows, key=lambda one: one.count("/") + bool(one), reverse=True):
        body = b"".join(row for _, row in sorted(rows[directory]))
        digest = hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False)
        if not directory:
            return digest.hexdigest()
        parent, _, name = directory.rpartition("/")
        rows[parent].append((f"{name}/".encode(), f"40000 {name}\0".encode() + digest.digest()))
    raise AssertionError("the root is the last of all directories")


@contextlib.contextmanager
def scratch_repository() -> Iterator[ScratchRepository]:
    """A repository for the length of a `with` block; raises `Retry` when git or the disk fails in it."""
    try:
        with tempfile.TemporaryDirectory(prefix="apv-bot-git-", ignore_cleanup_errors=True) as directory:
            yield ScratchRepository(directory)
    except (GitError, OSError):
        raise git_failed() from None


def run_git(arguments: Sequence[str], stdin: bytes, *, directory: str, git_dir: str) -> bytes:
    """Run `git <arguments>` in `directory` with `stdin` and return its output.

    Raises `GitError` when git fails, `Permanent` when it is not installed, `Retry` when it takes more than 20 s.
    """
    git = shutil.which("git")
    if git is None:
        raise Permanent("git is not installed where the worker runs", code="git_missing")
    with subprocess.Popen(  # noqa: S603 - no shell, and foreign text only goes through the pipe
        [git, *OPTIONS, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=directory,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_DIR": git_dir,
        },
    ) as process:
        _limit_memory(process.pid)
        try:
            out, err = process.communicate(stdin, timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Retry(f"git did not finish within {TIMEOUT_SECONDS} seconds", code="git_timeout") from None
    if process.returncode != 0:
        lines = err.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise GitError(lines[-1].removeprefix("error: ").removeprefix("fatal: "))
    return out


class ScratchRepository:
    """A bare repository in a private directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._git_dir = str(Path(directory) / "scratch.git")
        self.run("init", "--quiet", "--bare", "--template=", self._git_dir)

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run `git <arguments>` in it; raises as `run_git` does."""
        return run_git(arguments, stdin, directory=self._directory, git_dir=self._git_dir)

    def read_index(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Fill the index from (mode, sha, path). The blobs need not exist."""
        listing = "".join(f"{mode} {sha}\t{path}\0" for mode, sha, path in entries)
        self.run("update-index", "-z", "--index-info", stdin=listing.encode("utf-8", "surrogatepass"))

    def index(self) -> dict[str, IndexEntry]:
        """The entries of the index, by path."""
        rows = self.run("ls-files", "--stage", "-z").decode().split("\0")[:-1]
        split = ((*meta.split(" "), path) for meta, _, path in (row.partition("\t") for row in rows))
        return {path: IndexEntry(mode, sha) for mode, sha, _stage, path in split}

    def add_blob(self, content: bytes) -> str:
        """Store a blob and return its sha."""
        return self.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def blob_sizes(self, shas: Sequence[str]) -> list[int]:
        """The sizes of blobs in bytes, in the order of `shas`."""
        out = self.run("cat-file", "--batch-check=%(objectsize)", stdin="".join(f"{sha}\n" for sha in shas).encode())
        return [int(size) for size in out.split()]

    def blobs(self, shas: Sequence[str]) -> list[bytes]:
        """The contents of blobs, in the order of `shas`."""
        out = self.run("cat-file", "--batch=%(objectsize)", stdin="".join(f"{sha}\n" for sha in shas).encode())
        contents, at = [], 0
        for _ in shas:
            start = out.index(b"\n", at) + 1
            end = start + int(out[at:start])
            contents.append(out[start:end])
            at = end + 1
        return contents


def _limit_memory(pid: int) -> None:
    """Limit the memory of a git process before it gets its input."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # some container runtimes do not allow it
            resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
