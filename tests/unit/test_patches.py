"""A unified diff becomes exactly the tree that git makes of it, or is refused with a reason."""

import base64
import os
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.integrations.errors import Permanent, Retry, VendorError
from bot.integrations.git.patches import PatchedTree, PathPolicy, TreeEntry, apply_patch

TEN = "".join(f"line {n}\n" for n in range(1, 11)).encode()
LONG = "".join(f"row {n}\n" for n in range(1, 201)).encode()
BINARY = bytes(range(256)) * 4

BASE: dict[str, tuple[str, bytes]] = {
    "x.py": ("100644", TEN),
    "src/x.py": ("100644", TEN),
    "src/app.py": ("100644", b"import os\n\n\ndef run():\n    return os.getcwd()\n"),
    "long.txt": ("100644", LONG),
    "dos.txt": ("100644", b"one\r\ntwo\r\nthree\r\n"),
    "mixed.txt": ("100644", b"one\r\ntwo\nthree\r\n"),
    "no-newline.txt": ("100644", b"one\ntwo"),
    "empty.txt": ("100644", b""),
    "latin.txt": ("100644", b"caf\xe9\nplain\nend\n"),
    "utf8.txt": ("100644", "naïve\nplain\n".encode()),
    "query.sql": ("100644", b"-- a/old\nSELECT 1;\n-- end\n"),
    "run.sh": ("100755", b"#!/bin/sh\necho 1\n"),
    "logo.bin": ("100644", BINARY),
    "link": ("120000", b"src"),
    "vendored": ("160000", b""),
    "dir with space/a b.py": ("100644", b"one\n"),
    "tab\there.txt": ("100644", b"one\n"),
    'quote"d.txt': ("100644", b"one\n"),
    "näme.txt": ("100644", b"one\n"),
    "a/nested.py": ("100644", b"one\n"),
    "plain": ("100644", b"a file\n"),
    ".gitignore": ("100644", b"*.pyc\n"),
    ".github/CODEOWNERS": ("100644", b"* @owners\n"),
    ".github/workflows/ci.yml": ("100644", b"on: push\n"),
}


class Repository:
    """A real git repository, its base tree made by plumbing: what GitHub would have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet")
        self.base = self.tree_of(BASE)
        self.fetched: list[str] = []
        """Shas in the order asked for."""

    def git(self, *arguments: str, stdin: bytes = b"", index: str = "index") -> bytes:
        done = subprocess.run(
            ["git", "-c", "core.autocrlf=false", *arguments],
            cwd=self.path,
            input=stdin,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.path),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_INDEX_FILE": str(self.path / ".git" / index),
            },
        )
        return done.stdout

    def tree_of(self, files: Mapping[str, tuple[str, bytes]], index: str = "index") -> str:
        rows = b""
        for path, (mode, content) in files.items():
            sha = b"1" * 40 if mode == "160000" else self.git("hash-object", "-w", "--stdin", stdin=content).strip()
            rows += mode.encode() + b" " + sha + b"\t" + path.encode() + b"\0"
        self.git("read-tree", "--empty", index=index)
        self.git("update-index", "-z", "--index-info", stdin=rows, index=index)
        return self.git("write-tree", index=index).decode().strip()

    def diff_to(self, changes: Mapping[str, tuple[str, bytes] | None], *options: str) -> str:
        """The diff from the base to itself with `changes`, as git writes it."""
        after = {path: file for path, file in {**BASE, **changes}.items() if file is not None}
        tree = self.tree_of(after, index="other")
        return self.git("diff-tree", "-r", "-p", "--full-index", *options, self.base, tree).decode()

    def listing(self, tree: str) -> list[TreeEntry]:
        rows = self.git("ls-tree", "-r", "-t", "-z", tree).decode().split("\0")[:-1]
        fields = [(*row.split("\t", 1)[0].split(" "), row.split("\t", 1)[1]) for row in rows]
        return [TreeEntry(mode, kind, sha, path) for mode, kind, sha, path in fields]

    def blob(self, sha: str) -> bytes:
        self.fetched.append(sha)
        return self.git("cat-file", "blob", sha)

    def applied_by_git(self, diff: str, strip: int) -> str:
        """The tree that `git apply --index` makes in an ordinary checkout."""
        self.git("read-tree", "--reset", "-u", self.base, index="work")
        self.git("apply", f"-p{strip}", "--index", "--whitespace=nowarn", "-", stdin=diff.encode(), index="work")
        return self.git("write-tree", index="work").decode().strip()

    def build(
        self, diff: str, policy: PathPolicy | None = None, base: Sequence[TreeEntry] | None = None
    ) -> PatchedTree:
        return apply_patch(base or self.listing(self.base), self.blob, self.base, diff, policy)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("git") / "repository")


@pytest.fixture
def repository(prepared: Repository) -> Repository:
    prepared.fetched.clear()
    return prepared


@dataclass(frozen=True)
class Case:
    """A diff, and either what each changed path becomes (None: deleted) or the sentence that refuses it."""

    name: str
    diff: str
    becomes: dict[str, bytes | None] = field(default_factory=dict)
    refused: str = ""
    strip: int = 1


def hunk(old: str, new: str, body: str) -> str:
    return f"--- {old}\n+++ {new}\n{body}"


ONE = "@@ -1,3 +1,3 @@\n-line 1\n+LINE 1\n line 2\n line 3\n"
ONE_BECOMES = TEN.replace(b"line 1\n", b"LINE 1\n", 1)
ADDED = "@@ -0,0 +1 @@\n+new\n"

ACCEPTED = [
    Case("plain", hunk("a/x.py", "b/x.py", ONE), {"x.py": ONE_BECOMES}),
    Case(
        "git header",
        "diff --git a/x.py b/x.py\nindex 1234567..89abcde 100644\n" + hunk("a/x.py", "b/x.py", ONE),
        {"x.py": ONE_BECOMES},
    ),
    Case("no prefix: the file in src, not the one at the root", hunk("src/x.py", "src/x.py", ONE),
         {"src/x.py": ONE_BECOMES}, strip=0),
    Case("no prefix, git header", "diff --git src/x.py src/x.py\n" + hunk("src/x.py", "src/x.py", ONE),
         {"src/x.py": ONE_BECOMES}, strip=0),
    Case("no prefix, new file", hunk("/dev/null", "src/new.py", ADDED), {"src/new.py": b"new\n"}, strip=0),
    Case("no prefix, a directory named a", hunk("a/nested.py", "a/nested.py", "@@ -1 +1 @@\n-one\n+two\n"),
         {"a/nested.py": b"two\n"}, strip=0),
    Case("prefix before a directory named a", hunk("a/a/nested.py", "b/a/nested.py", "@@ -1 +1 @@\n-one\n+two\n"),
         {"a/nested.py": b"two\n"}),
    Case("index and work tree prefixes", "diff --git i/x.py w/x.py\n" + hunk("i/x.py", "w/x.py", ONE),
         {"x.py": ONE_BECOMES}),
    Case("index and work tree prefixes, new file",
         "diff --git i/w/n.py w/w/n.py\nnew file mode 100644\n" + hunk("/dev/null", "w/w/n.py", ADDED),
         {"w/n.py": b"new\n"}),
    Case("reversed prefixes", "diff --git b/x.py a/x.py\n" + hunk("b/x.py", "a/x.py", ONE), {"x.py": ONE_BECOMES}),
    Case("directories compared by diff -ru", "diff -ru old/src/x.py new/src/x.py\n"
         + hunk("old/src/x.py\t2026-01-01 10:00:00.000000000 +0000", "new/src/x.py\t2026-01-02 10:00:00", ONE),
         {"src/x.py": ONE_BECOMES}),
    Case("times after a space", hunk("a/x.py 2002-02-21 23:30:39.9 -0800", "b/x.py 2002-02-21 23:30:50.4 -0800", ONE),
         {"x.py": ONE_BECOMES}),
    Case("prose before, between and after",
         "From: someone\nSubject: [PATCH] fix\n\n---\n x.py | 2 +-\n\n" + hunk("a/x.py", "b/x.py", ONE)
         + "\nand the other one\n" + hunk("a/src/x.py", "b/src/x.py", ONE) + "-- \n2.39.5\n",
         {"x.py": ONE_BECOMES, "src/x.py": ONE_BECOMES}),
    Case("two hunks and an offset",
         hunk("a/long.txt", "b/long.txt", "@@ -5,3 +5,4 @@\n row 10\n+between\n row 11\n row 12\n"
              "@@ -150,3 +151,2 @@\n row 160\n-row 161\n row 162\n"),
         {"long.txt": LONG.replace(b"row 10\n", b"row 10\nbetween\n").replace(b"row 161\n", b"")}),
    Case("no context at all", hunk("a/x.py", "b/x.py", "@@ -1,10 +1,1 @@\n"
         + "".join(f"-line {n}\n" for n in range(1, 11)) + "+all\n"), {"x.py": b"all\n"}),
    Case("a function's name after the hunk's header",
         hunk("a/src/app.py", "b/src/app.py",
              "@@ -4,2 +4,2 @@ def run():\n def run():\n-    return os.getcwd()\n+    return 1\n"),
         {"src/app.py": b"import os\n\n\ndef run():\n    return 1\n"}),
    Case("a deleted line that looks like a header",
         hunk("a/query.sql", "b/query.sql", "@@ -1,3 +1,3 @@\n--- a/old\n+++ b/new\n SELECT 1;\n -- end\n"),
         {"query.sql": b"++ b/new\nSELECT 1;\n-- end\n"}),
    Case("context whose blank line lost its space",
         hunk("a/src/app.py", "b/src/app.py", "@@ -1,4 +1,4 @@\n-import os\n+import sys\n\n\n def run():\n"),
         {"src/app.py": b"import sys\n\n\ndef run():\n    return os.getcwd()\n"}),
    Case("trailing white space is kept",
         hunk("a/x.py", "b/x.py", "@@ -1,2 +1,2 @@\n-line 1\n+line 1 \t \n line 2\n"),
         {"x.py": TEN.replace(b"line 1\n", b"line 1 \t \n", 1)}),
    Case("CRLF file, CRLF patch", hunk("a/dos.txt", "b/dos.txt", "@@ -1,3 +1,3 @@\n one\r\n-two\r\n+2\r\n three\r\n"),
         {"dos.txt": b"one\r\n2\r\nthree\r\n"}),
    Case("mixed line ends",
         hunk("a/mixed.txt", "b/mixed.txt", "@@ -1,3 +1,3 @@\n one\r\n-two\n+2\r\n three\r\n"),
         {"mixed.txt": b"one\r\n2\r\nthree\r\n"}),
    Case("one line from CRLF to LF", hunk("a/dos.txt", "b/dos.txt", "@@ -1,2 +1,2 @@\n-one\r\n+one\n two\r\n"),
         {"dos.txt": b"one\ntwo\r\nthree\r\n"}),
    Case("no line end at the end, before and after",
         hunk("a/no-newline.txt", "b/no-newline.txt", "@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n"
              "+2\n\\ No newline at end of file\n"), {"no-newline.txt": b"one\n2"}),
    Case("a last line end is added",
         hunk("a/no-newline.txt", "b/no-newline.txt",
              "@@ -1,2 +1,2 @@\n one\n-two\n\\ No newline at end of file\n+two\n"), {"no-newline.txt": b"one\ntwo\n"}),
    Case("a last line end is taken away",
         hunk("a/utf8.txt", "b/utf8.txt",
              "@@ -1,2 +1,2 @@\n naïve\n-plain\n+plain\n\\ No newline at end of file\n"),
         {"utf8.txt": "naïve\nplain".encode()}),
    Case("Latin-1 file, ASCII hunk", hunk("a/latin.txt", "b/latin.txt", "@@ -2,2 +2,2 @@\n-plain\n+changed\n end\n"),
         {"latin.txt": b"caf\xe9\nchanged\nend\n"}),
    Case("other scripts", hunk("a/utf8.txt", "b/utf8.txt", "@@ -1,2 +1,2 @@\n-naïve\n+日本語 \U0001f600\n plain\n"),
         {"utf8.txt": "日本語 \U0001f600\nplain\n".encode()}),
    Case("line separators that are not line ends",
         hunk("a/x.py", "b/x.py", "@@ -1,2 +1,2 @@\n-line 1\n+a\u2028b\x0cc\x85d\re\n line 2\n"),
         {"x.py": TEN.replace(b"line 1\n", "a\u2028b\x0cc\x85d\re\n".encode(), 1)}),
    Case("new file", hunk("/dev/null", "b/src/deep/er/new.py", ADDED), {"src/deep/er/new.py": b"new\n"}),
    Case("new file, git header", "diff --git a/new.py b/new.py\nnew file mode 100644\nindex 0000000..3e75765\n"
         + hunk("/dev/null", "b/new.py", ADDED), {"new.py": b"new\n"}),
    Case("new empty file", "diff --git a/new.py b/new.py\nnew file mode 100644\nindex 0000000..e69de29\n",
         {"new.py": b""}),
    Case("new executable", "diff --git a/go.sh b/go.sh\nnew file mode 100755\n" + hunk("/dev/null", "b/go.sh", ADDED),
         {"go.sh": b"new\n"}),
    Case("a mode that only the index line names", "diff --git a/x.py b/x.py\nindex 1234567..89abcde 100755\n"
         + hunk("a/x.py", "b/x.py", ONE), {"x.py": ONE_BECOMES}),
    Case("content for an empty file", hunk("a/empty.txt", "b/empty.txt", ADDED), {"empty.txt": b"new\n"}),
    Case("deleted", hunk("a/plain", "/dev/null", "@@ -1 +0,0 @@\n-a file\n"), {"plain": None}),
    Case("deleted empty file", "diff --git a/empty.txt b/empty.txt\ndeleted file mode 100644\nindex e69de29..0000000\n",
         {"empty.txt": None}),
    Case("a file makes way for a directory",
         hunk("a/plain", "/dev/null", "@@ -1 +0,0 @@\n-a file\n") + hunk("/dev/null", "b/plain/new.py", ADDED),
         {"plain": None, "plain/new.py": b"new\n"}),
    Case("renamed", "diff --git a/x.py b/src/y.py\nsimilarity index 100%\nrename from x.py\nrename to src/y.py\n",
         {"x.py": None, "src/y.py": TEN}),
    Case("renamed and changed", "diff --git a/x.py b/y.py\nsimilarity index 90%\nrename from x.py\nrename to y.py\n"
         + hunk("a/x.py", "b/y.py", ONE), {"x.py": None, "y.py": ONE_BECOMES}),
    Case("renamed, no prefix", "diff --git src/x.py src/y.py\nsimilarity index 90%\nrename from src/x.py\n"
         "rename to src/y.py\n", {"src/x.py": None, "src/y.py": TEN}, strip=0),
    Case("renamed to another case", "diff --git a/x.py b/X.py\nsimilarity index 100%\nrename from x.py\n"
         "rename to X.py\n", {"x.py": None, "X.py": TEN}),
    Case("copied", "diff --git a/x.py b/y.py\nsimilarity index 90%\ncopy from x.py\ncopy to y.py\n"
         + hunk("a/x.py", "b/y.py", ONE), {"y.py": ONE_BECOMES}),
    Case("made executable", "diff --git a/x.py b/x.py\nold mode 100644\nnew mode 100755\n", {"x.py": TEN}),
    Case("made executable and changed",
         "diff --git a/x.py b/x.py\nold mode 100644\nnew mode 100755\nindex 1234567..89abcde\n"
         + hunk("a/x.py", "b/x.py", ONE), {"x.py": ONE_BECOMES}),
    Case("an executable stays one", hunk("a/run.sh", "b/run.sh", "@@ -1,2 +1,2 @@\n #!/bin/sh\n-echo 1\n+echo 2\n"),
         {"run.sh": b"#!/bin/sh\necho 2\n"}),
    Case("a name with spaces", "diff --git a/dir with space/a b.py b/dir with space/a b.py\n"
         + hunk("a/dir with space/a b.py\t", "b/dir with space/a b.py\t", "@@ -1 +1 @@\n-one\n+two\n"),
         {"dir with space/a b.py": b"two\n"}),
    Case("a name with a tab, quoted", 'diff --git "a/tab\\there.txt" "b/tab\\there.txt"\n'
         + hunk('"a/tab\\there.txt"', '"b/tab\\there.txt"', "@@ -1 +1 @@\n-one\n+two\n"), {"tab\there.txt": b"two\n"}),
    Case("a name with a quote, quoted", hunk('"a/quote\\"d.txt"', '"b/quote\\"d.txt"', "@@ -1 +1 @@\n-one\n+two\n"),
         {'quote"d.txt': b"two\n"}),
    Case("a name in octal", hunk('"a/n\\303\\244me.txt"', '"b/n\\303\\244me.txt"', "@@ -1 +1 @@\n-one\n+two\n"),
         {"näme.txt": b"two\n"}),
    Case("a name in UTF-8", hunk("a/näme.txt", "b/näme.txt", "@@ -1 +1 @@\n-one\n+two\n"), {"näme.txt": b"two\n"}),
    Case("a new name with a line end", hunk("/dev/null", '"b/two\\nlines"', ADDED), {"two\nlines": b"new\n"}),
    Case("names that only look like .git", hunk("a/.gitignore", "b/.gitignore", "@@ -1 +1,2 @@\n *.pyc\n+*.pyo\n")
         + hunk("/dev/null", "b/src/git/.gitkeep", ADDED),
         {".gitignore": b"*.pyc\n*.pyo\n", "src/git/.gitkeep": b"new\n"}),
    Case(".github outside workflows",
         hunk("a/.github/CODEOWNERS", "b/.github/CODEOWNERS", "@@ -1 +1 @@\n-* @owners\n+* @all\n"),
         {".github/CODEOWNERS": b"* @all\n"}),
    Case("the same file twice, one after the other",
         hunk("a/x.py", "b/x.py", ONE) + hunk("a/x.py", "b/x.py", "@@ -1,2 +1,2 @@\n-LINE 1\n+line one\n line 2\n"),
         {"x.py": TEN.replace(b"line 1\n", b"line one\n", 1)}),
    Case("a git header's first line alone, in prose",
         "diff --git a/x.py src/x.py\nsays:\n" + hunk("a/x.py", "b/x.py", ONE), {"x.py": ONE_BECOMES}),
    Case("a quote that does not close", hunk('"a/x.py', '"b/x.py', ONE), {"x.py": ONE_BECOMES}),
    Case("a diff whose own lines end in CRLF, for a file that does too",
         hunk("a/dos.txt", "b/dos.txt", "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n").replace("\n", "\r\n"),
         {"dos.txt": b"one\r\n2\r\nthree\r\n"}),
]  # fmt: skip


def sentence(path: str, what: str) -> str:
    return f"The patch may not touch {path}: it is {what}"


REFUSED = [
    Case("lines that are not there", hunk("a/src/app.py", "b/src/app.py", "@@ -1 +1 @@\n-import re\n+import os\n"),
         refused="src/app.py does not match the patch: patch does not apply"),
    Case("context that differs", hunk("a/x.py", "b/x.py", "@@ -1,2 +1,2 @@\n-line 1\n+1\n line two\n"),
         refused="x.py does not match the patch: patch does not apply"),
    Case("already applied", hunk("a/x.py", "b/x.py", "@@ -1,2 +1,2 @@\n-LINE 1\n+line 1\n line 2\n"),
         refused="x.py does not match the patch: patch does not apply"),
    Case("one file of two", hunk("a/x.py", "b/x.py", ONE) + hunk("a/run.sh", "b/run.sh", "@@ -1 +1 @@\n-no\n+yes\n"),
         refused="run.sh does not match the patch: patch does not apply"),
    Case("no such file", hunk("a/gone.py", "b/gone.py", ONE),
         refused="gone.py does not match the patch: does not exist in the repository"),
    Case("new over existing", "diff --git a/x.py b/x.py\nnew file mode 100644\n" + hunk("/dev/null", "b/x.py", ADDED),
         refused="x.py does not match the patch: already exists in the repository"),
    Case("renamed onto existing", "diff --git a/x.py b/src/x.py\nsimilarity index 100%\nrename from x.py\n"
         "rename to src/x.py\n", refused="src/x.py does not match the patch: already exists in the repository"),
    Case("deletion that leaves content", "diff --git a/x.py b/x.py\ndeleted file mode 100644\n"
         + hunk("a/x.py", "/dev/null", "@@ -1 +0,0 @@\n-line 1\n"),
         refused="x.py does not match the patch: patch does not apply"),
    Case("a file where a directory is", hunk("/dev/null", "b/src", ADDED),
         refused="The patch is malformed: unable to add cache entry for src"),
    Case("a directory where a file is", hunk("/dev/null", "b/plain/new.py", ADDED),
         refused="The patch is malformed: unable to add cache entry for plain/new.py"),
    Case("Latin-1 file, UTF-8 hunk", hunk("a/latin.txt", "b/latin.txt", "@@ -1,2 +1,2 @@\n-café\n+cafe\n plain\n"),
         refused="latin.txt does not match the patch: patch does not apply"),
    Case("LF patch, CRLF file", hunk("a/dos.txt", "b/dos.txt", "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"),
         refused="dos.txt does not match the patch: patch does not apply"),
    Case("a diff mangled to CRLF", hunk("a/x.py", "b/x.py", ONE).replace("\n", "\r\n"),
         refused="x.py does not match the patch: patch does not apply (all its lines end in CRLF)"),
    Case("the last line end is missing", hunk("a/x.py", "b/x.py", ONE).removesuffix("\n"),
         refused="The patch is malformed: corrupt patch at line 7 (its last line has no line end)"),
    Case("counts too high", hunk("a/x.py", "b/x.py", ONE.replace("-1,3 +1,3", "-1,4 +1,4")),
         refused="The patch is malformed: corrupt patch at line 8"),
    Case("counts too low", hunk("a/x.py", "b/x.py", ONE.replace("-1,3 +1,3", "-1,1 +1,1")),
         refused="x.py does not match the patch: patch does not apply"),
    Case("empty", "", refused="The patch is malformed: No valid patches in input"),
    Case("prose", "please bump it\n", refused="The patch is malformed: No valid patches in input"),
    Case("a hunk without a header", ONE,
         refused="The patch is malformed: patch fragment without header at line 1: @@ -1,3 +1,3 @@"),
    Case("headers without a hunk", "--- a/x.py\n+++ b/x.py\n",
         refused="The patch is malformed: No valid patches in input"),
    Case("changes nothing", hunk("a/x.py", "b/x.py", "@@ -1,2 +1,2 @@\n-line 1\n+line 1\n line 2\n"),
         refused="The patch changes nothing"),
    Case("binary without its content", "diff --git a/logo.bin b/logo.bin\nindex 1234567..89abcde 100644\n"
         "Binary files a/logo.bin and b/logo.bin differ\n",
         refused="logo.bin does not match the patch: patch does not apply"),
    Case("a damaged binary, which git passes over",
         hunk("a/x.py", "b/x.py", ONE) + "diff --git a/logo.bin b/logo.bin\nindex " + "1" * 40 + ".." + "2" * 40
         + " 100644\nGIT binary patch\nliteral 5\ndamaged\n\n",
         refused="The patch is malformed: its headers name 2 files, but git finds 1"),
    Case("a lone surrogate", hunk("a/x.py", "b/x.py", ONE.replace("LINE", "\ud800")),
         refused="The patch is malformed: it contains a character that UTF-8 cannot encode"),
    Case("some names with prefixes, some without", hunk("a/x.py", "b/x.py", ONE) + hunk("src/x.py", "src/x.py", ONE),
         refused="The patch is malformed: some of its file names have the prefixes a/ and b/, others do not"),
    Case("an unprefixed header hidden behind a mode change",
         "diff --git a/run.sh b/run.sh\nold mode 100755\nnew mode 100644\n" + hunk("src/x.py", "src/x.py", ONE),
         refused="The patch is malformed: it is not clear which file src/x.py and src/x.py means"),
    Case("two different names", hunk("x.py.orig", "x.py", ONE),
         refused="The patch is malformed: it is not clear which file x.py.orig and x.py means"),
    Case("a git header of two different names", "diff --git one two\nnew mode 100755\n",
         refused="The patch is malformed: it is not clear which file diff --git one two means"),
    Case("out of the repository", hunk("/dev/null", "b/../../etc/cron.d/x", ADDED),
         refused=sentence("../../etc/cron.d/x", "a path that leaves its directory")),
    Case("out of a directory", hunk("/dev/null", "b/src/../x2.py", ADDED),
         refused=sentence("src/../x2.py", "a path that leaves its directory")),
    Case("out of the repository by a rename", "diff --git a/x.py b/../y.py\nsimilarity index 100%\nrename from x.py\n"
         "rename to ../y.py\n", refused=sentence("../y.py", "a path that leaves its directory")),
    Case("absolute", hunk("/dev/null", "b//etc/passwd", ADDED), refused=sentence("/etc/passwd", "an absolute path")),
    Case("absolute, no prefix", hunk("/dev/null", "/etc/passwd", ADDED),
         refused=sentence("/etc/passwd", "an absolute path")),
    Case("absolute on both sides", hunk("/x.py", "/x.py", ONE),
         refused=sentence("/x.py", "an absolute path")),
    Case("a hook", hunk("/dev/null", "b/.git/hooks/post-checkout", ADDED),
         refused=sentence(".git/hooks/post-checkout", "a path inside .git")),
    Case("a hook in another case", hunk("/dev/null", "b/.GiT/hooks/post-checkout", ADDED),
         refused=sentence(".GiT/hooks/post-checkout", "a path inside .git")),
    Case("a hook in a nested repository", hunk("/dev/null", "b/src/.git/config", ADDED),
         refused=sentence("src/.git/config", "a path inside .git")),
    Case("a hook by its Windows name", hunk("/dev/null", "b/GIT~1/config", ADDED),
         refused=sentence("GIT~1/config", "a path inside .git")),
    Case("a hook by a trailing dot", hunk("/dev/null", "b/.git./config", ADDED),
         refused=sentence(".git./config", "a path inside .git")),
    Case("a hook by an invisible character", hunk("/dev/null", "b/.g\u200cit/config", ADDED),
         refused="The patch is malformed: invalid path '.g?it/config'"),
    Case("too deep", hunk("/dev/null", "b/" + "d/" * 2048 + "x", ADDED),
         refused=sentence("d/" * 100, "a path of more than 4,096 bytes")),
    Case("a workflow", hunk("a/.github/workflows/ci.yml", "b/.github/workflows/ci.yml",
         "@@ -1 +1 @@\n-on: push\n+on: [push]\n"), refused=sentence(".github/workflows/ci.yml", "a workflow")),
    Case("a new workflow in another case", hunk("/dev/null", "b/.GitHub/Workflows/x.yml", ADDED),
         refused=sentence(".GitHub/Workflows/x.yml", "a workflow")),
    Case("a workflow by a rename", "diff --git a/x.py b/.github/workflows/x.yml\nsimilarity index 100%\n"
         "rename from x.py\nrename to .github/workflows/x.yml\n",
         refused=sentence(".github/workflows/x.yml", "a workflow")),
    Case("a workflow taken away by a rename", "diff --git a/.github/workflows/ci.yml b/ci.yml\nsimilarity index 100%\n"
         "rename from .github/workflows/ci.yml\nrename to ci.yml\n",
         refused=sentence(".github/workflows/ci.yml", "a workflow")),
    Case("a workflow in octal", hunk("/dev/null", '"b/.github/workfl\\157ws/x.yml"', ADDED),
         refused=sentence(".github/workflows/x.yml", "a workflow")),
    Case("a new symlink", "diff --git a/s b/s\nnew file mode 120000\n"
         + hunk("/dev/null", "b/s", "@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n"),
         refused=sentence("s", "a symbolic link")),
    Case("a symlink turned", hunk("a/link", "b/link",
         "@@ -1 +1 @@\n-src\n\\ No newline at end of file\n+/etc\n\\ No newline at end of file\n"),
         refused=sentence("link", "a symbolic link")),
    Case("a file made a symlink", "diff --git a/plain b/plain\ndeleted file mode 100644\n"
         + hunk("a/plain", "/dev/null", "@@ -1 +0,0 @@\n-a file\n")
         + "diff --git a/plain b/plain\nnew file mode 120000\n"
         + hunk("/dev/null", "b/plain", "@@ -0,0 +1 @@\n+/etc\n\\ No newline at end of file\n"),
         refused=sentence("plain", "a symbolic link")),
    Case("beyond a symlink", hunk("/dev/null", "b/link/new.py", ADDED),
         refused="The patch is malformed: affected file 'link/new.py' is beyond a symbolic link"),
    Case("a new submodule", "diff --git a/m b/m\nnew file mode 160000\n"
         + hunk("/dev/null", "b/m", "@@ -0,0 +1 @@\n+Subproject commit " + "2" * 40 + "\n"),
         refused=sentence("m", "a submodule")),
    Case("a submodule moved on", "diff --git a/vendored b/vendored\nindex 1111111..2222222 160000\n"
         + hunk("a/vendored", "b/vendored", "@@ -1 +1 @@\n-Subproject commit " + "1" * 40 + "\n+Subproject commit "
                + "2" * 40 + "\n"), refused=sentence("vendored", "a submodule")),
    Case("a name that is not UTF-8", hunk("/dev/null", '"b/caf\\351"', ADDED),
         refused="The patch is malformed: it names a file whose name is not UTF-8"),
    Case("names that contradict the git header",
         "diff --git a/run.sh b/run.sh\nold mode 100755\nnew mode 100644\n" + hunk("a/x.py", "b/x.py", ONE),
         refused="The patch is malformed: it is not clear which file a/x.py and b/x.py means"),
    Case("names that contradict the rename",
         "diff --git a/x.py b/y.py\nsimilarity index 90%\nrename from x.py\nrename to y.py\n"
         + hunk("src/a/x.py", "src/b/y.py", ONE),
         refused="The patch is malformed: it is not clear which file src/a/x.py and src/b/y.py means"),
    Case("a hunk without context in the middle of a file", hunk("a/x.py", "b/x.py", "@@ -5 +5 @@\n-line 5\n+LINE 5\n"),
         refused="x.py does not match the patch: patch does not apply"),
]  # fmt: skip


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", ACCEPTED, ids=name_of)
def test_a_patch_becomes_what_git_makes_of_it(repository: Repository, case: Case) -> None:
    """The tree is the one `git apply` makes in a checkout, and each path holds what the case says."""
    change = repository.build(case.diff)
    assert change.tree_sha == repository.applied_by_git(case.diff, case.strip)
    assert {entry.path: entry.content for entry in change.entries} == case.becomes
    assert set(case.becomes) <= set(change.touched)


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_a_patch_is_refused_with_a_sentence(repository: Repository, case: Case) -> None:
    """A diff that cannot or may not be applied is refused completely, in a sentence without a path of this machine."""
    with pytest.raises(Permanent) as refusal:
        repository.build(case.diff)
    assert refusal.value.reason == case.refused
    assert "/tmp" not in refusal.value.reason


CHANGES: dict[str, dict[str, tuple[str, bytes] | None]] = {
    "binary": {"logo.bin": ("100644", BINARY[::-1]), "new.bin": ("100644", b"\0\1" * 500)},
    "binary to text": {"logo.bin": ("100644", b"text\n")},
    "renamed binary": {"logo.bin": None, "img/logo.bin": ("100644", BINARY + b"!")},
    "many at once": {
        "x.py": None,
        "src/y.py": ("100644", TEN + b"more\n"),
        "run.sh": ("100644", b"#!/bin/sh\necho 2\n"),
        "empty.txt": None,
        "new.txt": ("100755", b"no end"),
        "dos.txt": ("100644", b"one\ntwo\nthree\n"),
    },
    "odd names": {
        'quote"d.txt': ("100644", b"two\n"),
        "tab\there.txt": None,
        "tab\tthere.txt": ("100644", b"one\n"),
        "back\\slash": ("100644", b"one\n"),
        "näme.txt": ("100644", b"two\n"),
        " leading and trailing ": ("100644", b"one\n"),
        "b/b/b": ("100644", b"one\n"),
        "dir with space/a b.py": None,
        "dir with space/b/ a/b/c.py": ("100644", b"one\n"),
    },
}


STYLES = [
    ("--binary",),
    ("--binary", "-M", "-C"),
    ("--binary", "--no-prefix"),
    ("--binary", "-M", "--no-prefix"),
    ("--binary", "-M", "-B", "--src-prefix=i/", "--dst-prefix=w/"),
]


@pytest.mark.parametrize("options", STYLES, ids=" ".join)
@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_what_git_writes_comes_out_as_git_meant_it(
    repository: Repository, changes: dict[str, tuple[str, bytes] | None], options: tuple[str, ...]
) -> None:
    """A diff of git's own, in any of its styles, gives back the tree it was made from."""
    diff = repository.diff_to(changes, *options)
    after = {path: file for path, file in {**BASE, **changes}.items() if file is not None}
    change = repository.build(diff)
    assert change.tree_sha == repository.tree_of(after, index="other")
    assert {e.path: (e.mode, e.content) for e in change.entries if e.sha} == {p: f for p, f in changes.items() if f}
    assert {e.path for e in change.entries if not e.sha} == {p for p, f in changes.items() if not f}


def test_only_the_named_files_are_fetched(repository: Repository) -> None:
    """Of a whole repository, only the content that the diff names on its old side is fetched."""
    repository.build(hunk("a/x.py", "b/x.py", ONE) + hunk("/dev/null", "b/new.py", ADDED))
    wanted = repository.git("hash-object", "--stdin", stdin=TEN).decode().strip()
    assert repository.fetched == [wanted]


def test_the_diffstat_counts_what_the_commit_shows(repository: Repository) -> None:
    """Files, insertions and deletions are those of the commit; a rename is one file, a binary one has no lines."""
    change = repository.build(repository.diff_to(CHANGES["many at once"] | CHANGES["renamed binary"], "--binary", "-M"))
    assert (change.files, change.insertions, change.deletions) == (6, 6, 4)


def test_workflows_change_only_where_allowed(repository: Repository) -> None:
    """The policy may allow workflows; nothing allows `.git`."""
    policy = PathPolicy(allow_workflows=True)
    change = repository.build(hunk("/dev/null", "b/.github/workflows/x.yml", ADDED), policy)
    assert [entry.path for entry in change.entries] == [".github/workflows/x.yml"]
    with pytest.raises(Permanent, match=r"inside \.git"):
        repository.build(hunk("/dev/null", "b/.git/workflows/x.yml", ADDED), policy)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (PathPolicy(max_files=1), "The patch touches 2 files; at most 1 are allowed"),
        (PathPolicy(max_diff_bytes=100), "The patch has 114 bytes; at most 100 are allowed"),
        (PathPolicy(max_result_bytes=70), "The patched files have 75 bytes; at most 70 are allowed"),
    ],
    ids=["files", "diff", "result"],
)
def test_a_patch_is_bounded(repository: Repository, policy: PathPolicy, reason: str) -> None:
    """Too many files, too long a diff, too much content: each is refused with its number and the limit."""
    with pytest.raises(Permanent) as refusal:
        repository.build(hunk("a/x.py", "b/x.py", ONE) + hunk("/dev/null", "b/n.py", "@@ -0,0 +1 @@\n+new\n"), policy)
    assert (refusal.value.reason, refusal.value.code) == (reason, "patch_too_large")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a parent limit the memory of its child")
def test_a_small_diff_cannot_take_all_memory(repository: Repository) -> None:
    """A binary hunk of a few bytes that announces eight gigabytes ends git, not this process."""
    delta = bytes([0x80, 0x08]) + bytes([0x80, 0xA0, 0xAF, 0xE6, 0x1D]) + b"\x01x"  # from 1,024 to 8,000,000,000 bytes
    packed = zlib.compress(delta)
    line = chr(ord("A") + len(packed) - 1) + base64.b85encode(packed, pad=True).decode()
    sha = repository.git("hash-object", "--stdin", stdin=BINARY).decode().strip()
    header = f"diff --git a/logo.bin b/logo.bin\nindex {sha}..{'2' * 40} 100644\nGIT binary patch\n"
    with pytest.raises(Permanent) as refusal:
        repository.build(f"{header}delta {len(delta)}\n{line}\n\n")
    assert refusal.value.reason == "git needs more memory for this patch than the bot allows"


def test_a_listing_that_is_not_the_base_is_refused(repository: Repository) -> None:
    """Entries that do not add up to the expected tree (a listing cut short) are never patched."""
    with pytest.raises(Permanent) as refusal:
        repository.build(hunk("a/x.py", "b/x.py", ONE), base=repository.listing(repository.base)[:-1])
    assert refusal.value.code == "tree_mismatch"


def unread(listing: list[TreeEntry], folder: str) -> list[TreeEntry]:
    """The listing when nobody opened a folder."""
    return [entry for entry in listing if not entry.path.startswith(f"{folder}/")]


BESIDE = [case for case in ACCEPTED if not any(word in case.diff for word in ("src/", "b/b", "dir with space"))]


@pytest.mark.parametrize("case", BESIDE, ids=name_of)
def test_folders_beside_the_patch_need_not_be_read(repository: Repository, case: Case) -> None:
    """The sha of an untouched folder is enough to get the same tree."""
    listing = unread(unread(repository.listing(repository.base), "src"), "dir with space")
    assert repository.build(case.diff, base=listing).tree_sha == repository.applied_by_git(case.diff, case.strip)


@pytest.mark.parametrize(
    ("diff", "code"),
    [(hunk("/dev/null", "b/src", ADDED), "patch_malformed"), (hunk("/dev/null", "b/src/n.py", ADDED), "tree_mismatch")],
    ids=["a file in its place", "a file in it"],
)
def test_a_folder_that_was_not_read_is_not_patched(repository: Repository, diff: str, code: str) -> None:
    """What git cannot see is refused, never guessed."""
    with pytest.raises(Permanent) as refusal:
        repository.build(diff, base=unread(repository.listing(repository.base), "src"))
    assert refusal.value.code == code


def test_a_blob_with_other_content_is_refused(repository: Repository) -> None:
    """Content that does not match its sha is not used."""
    with pytest.raises(VendorError) as refusal:
        apply_patch(repository.listing(repository.base), lambda _: b"line 1\nline 2\nline 3\n", repository.base,
                     hunk("a/x.py", "b/x.py", ONE))  # fmt: skip
    assert refusal.value.reason == "GitHub sent a file whose content does not match its sha"


def test_nothing_is_left_behind(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scratch repository is gone after success and after a refusal."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    repository.build(hunk("a/x.py", "b/x.py", ONE))
    with pytest.raises(Permanent):
        repository.build("no patch\n")
    assert list(scratch.iterdir()) == []


def test_a_machine_without_room_is_not_the_patchs_fault(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry may help when no temporary directory can be made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    with pytest.raises(Retry) as failure:
        repository.build(hunk("a/x.py", "b/x.py", ONE))
    assert failure.value.code == "git_failed"


def test_a_machine_without_git_is_named(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """No git on the worker's path: no retry can help, and the sentence says what is missing."""
    listing = repository.listing(repository.base)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Permanent) as refusal:
        repository.build(hunk("a/x.py", "b/x.py", ONE), base=listing)
    assert refusal.value.reason == "git is not installed where the worker runs"


def test_the_callers_git_configuration_changes_nothing(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's user may have any git settings and variables: the tree is the same."""
    settings = tmp_path / "gitconfig"
    settings.write_text("[core]\n\tautocrlf = true\n[apply]\n\twhitespace = fix\n\tignoreWhitespace = change\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere-index"))
    change = repository.build(hunk("a/x.py", "b/x.py", "@@ -1,2 +1,2 @@\n-line 1\n+line 1 \r\n line 2\n"))
    assert change.entries[0].content == TEN.replace(b"line 1\n", b"line 1 \r\n", 1)
