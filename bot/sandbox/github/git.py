"""Real git plumbing on one bare repository: objects, trees and references.

Invariant: no work tree, only its own configuration, and a separate scratch index for each call.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Self

SHA = re.compile(r"[0-9a-f]{40}")
NOTHING = "0" * 40
_IDENTITY = re.compile(r"(?P<name>.*) <(?P<email>[^>]*)> (?P<seconds>-?\d+) (?P<zone>[+-]\d{4})")


class GitCommandError(RuntimeError):
    """git failed; the message is the last line of its error output."""


@dataclass(frozen=True)
class Signature:
    """Who made a commit and when: whole seconds, with the given offset."""

    name: str
    email: str
    date: datetime

    def __str__(self) -> str:
        return f"{self.name} <{self.email}> {int(self.date.timestamp())} {self.date.strftime('%z')}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an `author` or `committer` line without its first word."""
        found = _IDENTITY.fullmatch(text)
        if found is None:
            raise GitCommandError(f"not an identity: {text!r}")
        zone = found["zone"]
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * (-1 if zone[0] == "-" else 1)
        date = datetime.fromtimestamp(int(found["seconds"]), timezone(offset) if offset else UTC)
        return cls(found["name"], found["email"], date)


@dataclass(frozen=True)
class Commit:
    """One commit object."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True)
class TreeRow:
    """One row of `git ls-tree`; only blobs have a `size`, in bytes."""

    mode: str
    kind: str
    sha: str
    size: int | None
    path: str


@dataclass(frozen=True)
class TreeEdit:
    """The new object at a path; without a sha the path is removed."""

    path: str
    mode: str
    sha: str | None


class BareRepository:
    """A bare repository in `git_dir`."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir

    @classmethod
    def create(cls, git_dir: Path, default_branch: str) -> Self:
        """Make an empty bare repository whose HEAD names `default_branch`, or open the existing one."""
        repository = cls(git_dir)
        if not (git_dir / "HEAD").exists():
            git_dir.mkdir(parents=True, exist_ok=True)
            repository.run("init", "--quiet", "--bare", "--template=")
            repository.run("symbolic-ref", "HEAD", f"refs/heads/{default_branch}")
        return repository

    def run(self, *arguments: str, stdin: bytes = b"", index: Path | None = None) -> bytes:
        """Run one git command and return its output; GitCommandError when the exit code is not 0."""
        # No inherited configuration: a developer's hooks, aliases or signing key must not change an object.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
        }
        if index is not None:
            environment["GIT_INDEX_FILE"] = str(index)
        done = subprocess.run(  # noqa: S603 - a fixed program, arguments as a list, no shell
            ["git", f"--git-dir={self.git_dir}", "-c", "core.autocrlf=false", *arguments],  # noqa: S607
            input=stdin,
            capture_output=True,
            env=environment,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise GitCommandError(said[-1] if said else f"git {arguments[0]} failed")
        return done.stdout

    def text(self, *arguments: str, stdin: bytes = b"", index: Path | None = None) -> str:
        """Run one git command and return its output as text without the final newline."""
        return self.run(*arguments, stdin=stdin, index=index).decode(errors="replace").rstrip("\n")

    # Objects

    def kinds(self, shas: Iterable[str]) -> dict[str, str]:
        """Map each existing object to `blob`, `tree`, `commit` or `tag`."""
        asked = sorted({sha for sha in shas if SHA.fullmatch(sha)})
        if not asked:
            return {}
        said = self.text("cat-file", "--batch-check", stdin="".join(f"{sha}\n" for sha in asked).encode())
        rows = [row.split(" ") for row in said.splitlines()]
        return {row[0]: row[1] for row in rows if row[1] != "missing"}

    def kind(self, sha: str) -> str | None:
        """Return the type of one object; None when there is no such object."""
        return self.kinds([sha]).get(sha)

    def blob(self, sha: str) -> bytes:
        """Return the content of a blob."""
        return self.run("cat-file", "blob", sha)

    def write_blob(self, content: bytes) -> str:
        """Store a blob and return its sha."""
        return self.text("hash-object", "-w", "--stdin", stdin=content)

    def write_blobs(self, contents: Sequence[bytes]) -> list[str]:
        """Store many blobs with one command and return their shas in order."""
        with tempfile.TemporaryDirectory(prefix="sandbox-blobs-") as scratch:
            paths = [Path(scratch) / str(number) for number in range(len(contents))]
            for path, content in zip(paths, contents, strict=True):
                path.write_bytes(content)
            listed = "".join(f"{path}\n" for path in paths).encode()
            return self.text("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listed).split()

    def commit(self, sha: str) -> Commit:
        """Read one commit object."""
        raw = self.run("cat-file", "commit", sha).decode(errors="replace")
        head, _, message = raw.partition("\n\n")
        fields = [line.split(" ", 1) for line in head.split("\n") if not line.startswith(" ")]
        only = {name: value for name, value in fields if name != "parent"}
        return Commit(
            sha=sha,
            tree=only["tree"],
            parents=tuple(value for name, value in fields if name == "parent"),
            author=Signature.parse(only["author"]),
            committer=Signature.parse(only["committer"]),
            message=message,
        )

    def write_commit(
        self, tree: str, parents: Iterable[str], author: Signature, committer: Signature, message: str
    ) -> str:
        """Store a commit with exactly these fields and return its sha.

        It writes the object directly, because `commit-tree` would clean up the names and the message.
        """
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author}", f"committer {committer}", "", message]
        return self.text("hash-object", "-t", "commit", "-w", "--stdin", stdin="\n".join(lines).encode())

    # Trees

    def tree_of(self, sha: str) -> str:
        """Return the tree of a commit or tag, or the tree itself."""
        return self.text("rev-parse", "--verify", "--quiet", f"{sha}^{{tree}}")

    def entries(self, tree: str, *, recursive: bool) -> list[TreeRow]:
        """List a tree; when recursive, sub-trees have rows of their own."""
        flags = ["-r", "-t"] if recursive else []
        rows = self.run("ls-tree", "-l", "-z", *flags, tree).split(b"\0")[:-1]
        return [_entry(row) for row in rows]

    def build_tree(self, base: str | None, edits: Iterable[TreeEdit]) -> str:
        """Apply edits to a base tree (None: an empty one) and return the sha of the new tree.

        Later edits win. `write-tree` checks that every object exists. GitCommandError when git refuses a path.
        """
        with tempfile.TemporaryDirectory(prefix="sandbox-index-") as scratch:
            index = Path(scratch) / "index"
            if base is not None:
                self.run("read-tree", base, index=index)
            rows: list[bytes] = []
            for edit in edits:
                if edit.sha is None or edit.mode == "040000":
                    self._update(index, rows)
                    rows = self._removal(edit.path, index)
                if edit.sha is not None:
                    rows += self._addition(edit.path, edit.mode, edit.sha)
            self._update(index, rows)
            return self.text("write-tree", index=index)

    def _update(self, index: Path, rows: list[bytes]) -> None:
        self.run("update-index", "-z", "--index-info", stdin=b"".join(row + b"\0" for row in rows), index=index)

    def _removal(self, path: str, index: Path) -> list[bytes]:
        held = self.run("ls-files", "-z", "--", f":(literal){path}", index=index).split(b"\0")[:-1]
        return [b"0 " + NOTHING.encode() + b"\t" + one for one in held]

    def _addition(self, path: str, mode: str, sha: str) -> list[bytes]:
        if mode != "040000":
            return [f"{mode} {sha}\t{path}".encode()]
        rows = []
        for row in self.run("ls-tree", "-r", "-z", "--full-tree", sha).split(b"\0")[:-1]:
            fields, _, below = row.partition(b"\t")
            inner_mode, _, inner_sha = fields.split(b" ")
            rows.append(inner_mode + b" " + inner_sha + b"\t" + path.encode() + b"/" + below)
        return rows

    # References

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Map every reference whose full name starts with `prefix` to its sha, in name order."""
        rows = self.text("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        pairs = [row.split(" ") for row in rows]
        return {name: sha for name, sha in pairs if name.startswith(prefix)}

    def ref(self, name: str) -> str | None:
        """Return the sha of a reference by its full name; None when there is none."""
        return self.refs(name).get(name)

    def well_formed(self, name: str) -> bool:
        """Whether git accepts `name` as the full name of a reference."""
        try:
            self.run("check-ref-format", name)
        except GitCommandError:
            return False
        return True

    def set_ref(self, name: str, sha: str, *, old: str | None) -> None:
        """Set a reference to `sha` if it is still at `old` (None: if it does not exist yet)."""
        self.run("update-ref", name, sha, old or NOTHING)

    def delete_ref(self, name: str) -> None:
        """Remove a reference."""
        self.run("update-ref", "-d", name)


def _entry(row: bytes) -> TreeRow:
    fields, _, path = row.partition(b"\t")
    mode, kind, sha, size = fields.decode().split()
    return TreeRow(mode, kind, sha, None if size == "-" else int(size), path.decode(errors="replace"))


def write_files(repository: BareRepository, base: str | None, files: Mapping[str, bytes | None]) -> str:
    """Write whole files into a base tree (None removes a file) and return the new tree's sha."""
    kept = {path: content for path, content in files.items() if content is not None}
    shas = dict(zip(kept, repository.write_blobs(list(kept.values())), strict=True))
    return repository.build_tree(base, [TreeEdit(path, "100644", shas.get(path)) for path in files])
