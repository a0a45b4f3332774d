"""The files of a patch are named as git applies it: cards say neither less nor more than what happens."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bot.blocks import pages
from bot.blocks.card import card
from bot.blocks.characters import HIDDEN, middle_cut, name
from bot.domain.apv import Apv, Severity
from bot.domain.patch import ChangeKind, FileChange, Oddity, oddities, paths
from bot.domain.quorum import Tally
from bot.integrations.errors import Permanent
from bot.integrations.git import changes
from bot.integrations.git.changes import read_changes
from bot.integrations.git.patches import TreeEntry, apply_patch, touched_paths
from bot.sandbox.slack.blockkit import visible_texts
from tests.unit.blocks import dossier
from tests.unit.test_patches import ACCEPTED, Case

HEAD = "--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1 @@\n-requests==2.30.0\n+requests==2.31.0\n"
MOVED = "diff --git a/{0} b/{1}\nsimilarity index 100%\n{2} from {0}\n{2} to {1}\n"
MODE = "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
EMPTY = "diff --git a/e b/e\nnew file mode 100644\nindex 0000000..e69de29\n"
LINK = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+x\n\\ No newline at end\n"
BINARY = "diff --git a/a.png b/a.png\nindex 1234567..89abcde 100644\nBinary files a/a.png and b/a.png differ\n"
GONE = "--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
ADDED, CHANGED, COPIED = ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.COPIED
DELETED, RENAMED = ChangeKind.DELETED, ChangeKind.RENAMED


@pytest.mark.parametrize(
    ("patch", "read", "odd"),
    [
        (
            MOVED.format("tests/data/sample.py", "shop/sitecustomize.py", "rename"),
            FileChange("shop/sitecustomize.py", RENAMED, "tests/data/sample.py"),
            [Oddity.RENAMED],
        ),
        (MOVED.format("x.py", "conftest.py", "copy"), FileChange("conftest.py", COPIED, "x.py"), [Oddity.COPIED]),
        (MOVED.format("a/b/c", "a/b/d", "rename"), FileChange("a/b/d", RENAMED, "a/b/c"), [Oddity.RENAMED]),
        (MODE, FileChange("run.sh", CHANGED, None, "100644", "100755"), [Oddity.MADE_EXECUTABLE]),
        (EMPTY, FileChange("e", ADDED, None, None, "100644"), [Oddity.EMPTY]),
        (LINK, FileChange("l", ADDED, None, None, "120000", insertions=1), [Oddity.SYMLINK]),
        (BINARY, FileChange("a.png", CHANGED, None, "100644", None, binary=True), [Oddity.BINARY]),
        (GONE, FileChange("old.py", DELETED, deletions=1), [Oddity.DELETED]),
        ("--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n", FileChange("n", ADDED, insertions=1), []),
        (
            "--- a/n\t1970-01-01 00:00:00.000000000 +0000\n+++ b/n\t2026-01-01 10:00:00.000000000 +0000\n"
            "@@ -0,0 +1 @@\n+x\n",
            FileChange("n", ADDED, insertions=1),
            [],
        ),
        (
            'diff --git "a/t\\tab \\303\\251" "b/t\\tab \\303\\251"\nnew file mode 100755\nindex 0000000..e69de29\n',
            FileChange("t\tab é", ADDED, None, None, "100755"),
            [Oddity.MADE_EXECUTABLE, Oddity.EMPTY],
        ),
    ],
)
def test_every_kind_of_change_is_read(patch: str, read: FileChange, odd: list[Oddity]) -> None:
    """What happens to which file, also behind an ordinary change, and what is unusual about it."""
    assert read_changes(HEAD + patch) == (FileChange("requirements.txt", CHANGED, insertions=1, deletions=1), read)
    assert list(oddities(read)) == odd


@pytest.mark.parametrize(
    "patch",
    [
        "no patch at all",
        HEAD[:-20],
        "--- a/x\n+++ y\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/x b/y\n" + HEAD.replace("requirements.txt", "z"),
        HEAD.replace("requirements.txt", '"quo\\377te"'),
        HEAD * 1001,
        "--- a/\ud800\n+++ b/\ud800\n@@ -1 +1 @@\n-a\n+b\n",
    ],
)
def test_what_git_cannot_read_is_not_guessed(patch: str) -> None:
    """Such a patch has no reading, rather than a wrong one."""
    assert read_changes(patch) is None


def test_no_patch_has_no_files() -> None:
    """An empty diff is not an unreadable one."""
    assert read_changes("") == ()


async def test_many_diffs_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each different diff once; one that the machine could not read is missing, so that it is tried again."""
    diffs = [HEAD, "no patch", HEAD, *(HEAD.replace("requests", f"r{n}") for n in range(20))]
    read = await changes.read_all(diffs)
    assert set(read) == set(diffs)
    assert read["no patch"] is None
    assert read[HEAD] == read_changes(HEAD)

    def without_git(_: str) -> None:
        raise Permanent("git is not installed", code="git_missing")

    monkeypatch.setattr(changes, "read_changes", without_git)
    assert await changes.read_all(diffs) == {}


# -- any patch that git makes ------------------------------------------------------------------------------------

PARTS = st.text("ab é'\"\\\t\u202e\u200b\U000e0155\u0455❤\ufe0f.-=>{}", min_size=1, max_size=6).filter(
    lambda part: part.strip(" .") != "" and part not in {".", ".."}
)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
LINES = st.lists(st.text("xyz \t\u202e\u00a0\u3164\U000e0155\ufe0f'+-", max_size=8), max_size=4).map(
    lambda lines: "".join(f"{line}\n" for line in lines).encode()
)
CONTENTS = LINES | st.just(b"\0binary\0") | st.just(b"")
TREES = st.dictionaries(NAMES, st.tuples(st.sampled_from(["100644", "100755"]), CONTENTS), max_size=5)


def plausible(*trees: Mapping[str, object]) -> bool:
    """No file is where another has its folder."""
    return not any(other.startswith(f"{path}/") for tree in trees for path in tree for other in tree)


@st.composite
def two_trees(draw: st.DrawFn) -> tuple[dict[str, tuple[str, bytes]], dict[str, tuple[str, bytes]]]:
    """A tree, and what becomes of it: files stay, change, go, come, move or are copied."""
    before = draw(TREES.filter(plausible))
    after = dict(before)
    for path in sorted(before):
        match draw(st.sampled_from(["keep", "edit", "mode", "delete", "rename", "copy"])):
            case "edit":
                after[path] = (before[path][0], draw(CONTENTS))
            case "mode":
                after[path] = ("100755" if before[path][0] == "100644" else "100644", before[path][1])
            case "delete":
                del after[path]
            case "rename":
                after[draw(NAMES)] = after.pop(path)
            case "copy":
                after[draw(NAMES)] = before[path]
    return before, {**after, **draw(TREES)}


class Git:
    """A real repository that turns two trees into a diff."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self("init", "--quiet")

    def __call__(self, *arguments: str, stdin: bytes = b"") -> bytes:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._path), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-c", "core.autocrlf=false", *arguments],
            cwd=self._path, input=stdin, capture_output=True, check=True, env=environment,
        )  # fmt: skip
        return done.stdout

    def tree(self, files: Mapping[str, tuple[str, bytes]]) -> str:
        marks = {content: n for n, content in enumerate(sorted({content for _, content in files.values()}), 1)}
        blobs = b"".join(b"blob\nmark :%d\ndata %d\n%s\n" % (n, len(c), c) for c, n in marks.items())
        rows = b"".join(
            b"M %s :%d %s\n" % (mode.encode(), marks[content], quoted(path)) for path, (mode, content) in files.items()
        )
        commit = b"commit refs/heads/x\ncommitter a <a@example.org> 0 +0000\ndata 0\ndeleteall\n"
        self("fast-import", "--quiet", "--force", stdin=blobs + commit + rows)
        return self("rev-parse", "x^{tree}").decode().strip()

    def listing(self, tree: str) -> list[TreeEntry]:
        rows = self("ls-tree", "-r", "-t", "-z", tree).decode().split("\0")[:-1]
        split = ((*about.split(" "), path) for about, _, path in (row.partition("\t") for row in rows))
        return [TreeEntry(mode, kind, sha, path) for mode, kind, sha, path in split]


def quoted(path: str) -> bytes:
    escaped = path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + escaped + b'"'


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    return Git(tmp_path_factory.mktemp("git"))


@pytest.mark.long
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(trees=two_trees())
def test_what_is_shown_is_what_happens(git: Git, trees: tuple[Any, Any]) -> None:
    """The paths that applying touches are those of the card and of Details; no added line hides anything."""
    before, after = trees
    if not plausible(before, after) or before == after:
        return
    base, then = git.tree(before), git.tree(after)
    options = ("-r", "-p", "--binary", "-M", "-C", "--find-copies-harder", "--full-index")
    diff = git("diff-tree", *options, base, then).decode()
    try:
        applied = apply_patch(git.listing(base), lambda sha: git("cat-file", "blob", sha), base, diff)
    except Permanent as refused:
        assert refused.code in {"forbidden_path", "patch_malformed"}, refused  # it is not pushed, whatever is shown
        event(f"refused: {refused}")
        return
    event("applied")
    files = read_changes(diff)
    assert files is not None
    assert set(paths(files)) == set(applied.touched)
    case = dossier(Apv(severity=Severity.HIGH, package_name="x", patch_diff=diff))
    on_card = "\n".join(visible_texts(card(case, Tally(0, 1)).blocks))
    in_details = "\n".join(visible_texts(pages.details_view(case)["blocks"]))
    for path in applied.touched:
        # The card says how much of a long name it does not show.
        assert middle_cut(name(path), 100) in on_card
        assert name(path) in in_details
    in_diff = "\n".join(visible_texts(pages.diff_view(case)["blocks"]))
    assert not HIDDEN.search(in_diff.replace("⚠️", ""))
    assert not HIDDEN.search(on_card.replace("⚠️", "").replace("\u200b", ""))


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_every_patch_that_can_be_applied_can_be_read(case: Case) -> None:
    """The paths that are shown are those that would change; without a reading, the card says so."""
    files = read_changes(case.diff)
    if case.name == "a quote that does not close":
        assert files is None
    else:
        assert files is not None
        assert paths(files) == touched_paths(case.diff)
