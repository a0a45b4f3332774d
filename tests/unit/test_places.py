"""A hunk may be pushed onto a moved base only where its old lines stand exactly once, and git must put it there."""

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from string import ascii_lowercase, ascii_uppercase

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bot.integrations.errors import Permanent
from bot.integrations.git.command import IndexEntry, tree_sha
from bot.integrations.git.patches import PatchedTree, TreeEntry, apply_patch
from bot.integrations.git.places import Hunk, placed, read_hunks

Lines = Sequence[bytes]
LINE = st.sampled_from([b"a\n", b"b\n", b"c\n", b"\n", b"-- a\n", b"++ b\n", b"@@ -1 +1 @@\n", b"\\ x\n", b"a\r\n"])
LAST = st.sampled_from([[], [], [b"a"], [b"end"]])
"""Few lines, so that they repeat; some of them look like a header once they are in a diff. The last may have no end."""
FILE = st.builds(lambda lines, last: [*lines, *last], st.lists(LINE, max_size=8), LAST)


def groups(before: Lines, after: Lines, context: int) -> list[tuple[Lines, Lines]]:
    """The old and new lines of each hunk, as difflib cuts them."""
    found = SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(context)
    return [(before[group[0][1] : group[-1][2]], after[group[0][3] : group[-1][4]]) for group in found]


def diff(before: Lines, after: Lines, context: int, name: str = "f") -> bytes:
    """A unified diff of two files, with difflib's hunks."""
    out = [f"--- a/{name}\n+++ b/{name}\n".encode()]
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(context):
        (_, i, _, j, _), (_, _, i_end, _, j_end) = group[0], group[-1]
        # An empty side names the line before it.
        out.append(b"@@ -%d,%d +%d,%d @@\n" % (i + (i_end > i), i_end - i, j + (j_end > j), j_end - j))
        for kind, a, a_end, b, b_end in group:
            if kind == "equal":
                out += [b" " + line for line in before[a:a_end]]
            else:
                out += [b"-" + line for line in before[a:a_end]]
                out += [b"+" + line for line in after[b:b_end]]
    return b"".join(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in out)


def places(base: Lines, old: Lines) -> list[int]:
    return [at for at in range(len(base)) if old and list(base[at : at + len(old)]) == list(old)]


def expected(base: Lines, hunks: Sequence[tuple[Lines, Lines]]) -> bytes | None:
    """By definition: each hunk at its only place, counted line by line; None where one has not exactly one."""
    taken: set[int] = set()
    result: list[Lines] = [[line] for line in base]
    for old, new in hunks:
        found = places(base, old)
        spot = set(range(found[0], found[0] + len(old))) if len(found) == 1 else set()
        if not spot or spot & taken:
            return None
        taken |= spot
        for at in spot:
            result[at] = []
        result[found[0]] = new
    return b"".join(line for lines in result for line in lines)


def tree(files: Mapping[str, bytes], patch: bytes, modes: Mapping[str, str] | None = None) -> PatchedTree:
    """What git makes of a patch on these files."""
    modes = modes or {}
    blobs = {hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest(): body for body in files.values()}
    shas = {body: sha for sha, body in blobs.items()}
    index = {path: IndexEntry(modes.get(path, "100644"), shas[body]) for path, body in files.items()}
    rows = [TreeEntry(entry.mode, "blob", entry.sha, path) for path, entry in index.items()]
    return apply_patch(rows, blobs.__getitem__, tree_sha(index), patch.decode())


@given(FILE, FILE, FILE, st.integers(0, 6), st.integers(0, 3))
@example([b"-- a\n", b"b\n", b"c\n"], [b"++ b\n", b"b\n", b"a\n"], [], 0, 0)
@example([b"a\n"], [b"b\n"], [b"-- a\n"], 0, 0)
def test_a_hunk_has_a_place_where_its_lines_stand_once(
    before: Lines, after: Lines, added: Lines, at: int, context: int
) -> None:
    """On any base: where every hunk has one place the result is that of the definition, elsewhere there is none."""
    assume(before != after)
    base = b"".join([*before[:at], *added, *before[at:]]).splitlines(keepends=True)
    hunks = groups(before, after, context)
    (read,) = read_hunks(b"Prose.\n" + diff(before, after, context))
    assert read == [Hunk(b"".join(old), b"".join(new)) for old, new in hunks]
    assert placed(b"".join(base), read) == expected(base, hunks)


@settings(max_examples=60, deadline=None)
@given(FILE, FILE, FILE, st.integers(0, 6), st.integers(1, 3))
@example([b"a\n", b"b\n", b"c\n"], [b"a\n", b"c\n"], [b"a\n", b"b\n", b"c\n", b"\n"], 0, 1)
def test_git_puts_it_there(before: Lines, after: Lines, added: Lines, at: int, context: int) -> None:
    """Where git applies a patch to a moved base, a file counts as placed if and only if its place is the only one."""
    assume(before and after and before != after)
    base = [*before[:at], *added, *before[at:]]
    assume(all(line.endswith(b"\n") for line in base[:-1]))
    try:
        made = tree({"f": b"".join(base)}, diff(before, after, context))
    except Permanent:
        return  # it fails as it always did
    only = expected(base, groups(before, after, context))
    (entry,) = made.entries
    assert made.placed == ({"f"} if only is not None else frozenset())
    assert only in (None, entry.content)


TWO = b"one\ntwo\nthree\nfour\n"
EDIT = b"@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
DELETED = b"--- a/f\n+++ /dev/null\n@@ -1,4 +0,0 @@\n-one\n-two\n-three\n-four\n"


def binary(content: bytes) -> bytes:
    packed = zlib.compress(content)
    letter = (ascii_uppercase + ascii_lowercase)[len(packed) - 1].encode()
    return b"literal %d\n" % len(content) + letter + base64.b85encode(packed, pad=True) + b"\n\n"


SURE = {
    "an edit": (b"--- a/f\n+++ b/f\n" + EDIT, {"f"}),
    "an edit and a new file": (b"--- a/f\n+++ b/f\n" + EDIT + b"--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+new\n", {"f"}),
    "a deleted file, of which every line is in the diff": (DELETED, {"f"}),
    "a rename": (b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n", set()),
    "a rename with an edit": (
        b"diff --git a/f b/g\nsimilarity index 60%\nrename from f\nrename to g\n--- a/f\n+++ b/g\n" + EDIT,
        set(),
    ),
    "a copy": (b"diff --git a/f b/g\nsimilarity index 100%\ncopy from f\ncopy to g\n", set()),
    "a new mode": (b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", set()),
    "a new mode with an edit": (
        b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n--- a/f\n+++ b/f\n" + EDIT,
        set(),
    ),
    "a binary file": (
        b"diff --git a/f b/f\nindex %s..%s 100644\nGIT binary patch\n"
        % tuple(hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest().encode() for body in (TWO, b"\0"))
        + binary(b"\0")
        + binary(TWO),
        set(),
    ),
    "an empty file that is deleted": (b"diff --git a/e b/e\ndeleted file mode 100644\n", set()),
    "a file that the diff names twice": (
        b"--- a/f\n+++ b/f\n" + EDIT + b"--- a/f\n+++ b/f\n@@ -3,2 +3,2 @@\n three\n-four\n+4\n",
        set(),
    ),
}


@pytest.mark.parametrize(("patch", "sure"), SURE.values(), ids=SURE)
def test_only_what_the_lines_of_a_file_prove_is_placed(patch: bytes, sure: set[str]) -> None:
    """Renames, copies, modes, binary and empty files say nothing about the content that they mean."""
    assert tree({"f": TWO, "e": b""}, patch).placed == sure


def test_each_file_is_judged_alone() -> None:
    """One whose lines repeat does not hold the other up, and is not held by it."""
    lines = TWO.splitlines(keepends=True)
    patch = b"".join(b"--- a/%s\n+++ b/%s\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n" % (n, n) for n in (b"f", b"g"))
    assert tree({"f": TWO, "g": b"".join(lines + lines)}, patch).placed == {"f"}
