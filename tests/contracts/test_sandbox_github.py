"""The GitHub stand-in speaks to an unmodified PyGithub as GitHub does, and its git is real git."""

import asyncio
import base64
import hashlib
import subprocess
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest
import requests
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import (
    Auth,
    BadCredentialsException,
    Github,
    GithubException,
    InputGitAuthor,
    InputGitTreeElement,
    RateLimitExceededException,
    UnknownObjectException,
)
from github.PullRequest import PullRequest
from github.Repository import Repository

from bot.sandbox.github import GitHubFault, GitHubSandbox
from bot.sandbox.github.control import GitHubControl
from tests.github_openapi import DESCRIPTION, DescribedGitHub

T = TypeVar("T")
TOKEN = "a-token"
SCRIPT = b"\x00\xff not text\r\n"
FILES = {
    "requirements.txt": b"jinja2==2.11.2\nrequests==2.19.0\n",
    "src/app.py": b"print('one')\n",
    "src/deep/er.py": b"",
    "docs/old name.md": b"# old\n",
}
WHEN = "2026-01-02T03:04:05Z"
MISSING = "1" * 40


@dataclass
class Hosted:
    """The stand-in on a port, and one PyGithub client on one thread, as PyGithub asks for."""

    sandbox: GitHubSandbox
    url: str
    thread: ThreadPoolExecutor
    git_dir: Path

    def client(self, auth: Auth.Auth | None = None, per_page: int = 30) -> Github:
        return Github(
            auth=auth or Auth.Token(TOKEN),
            base_url=self.url,
            per_page=per_page,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
        )

    async def call(self, act: Callable[[Repository], T], auth: Auth.Auth | None = None, per_page: int = 30) -> T:
        client = self.client(auth, per_page)
        run = asyncio.get_running_loop().run_in_executor
        return await run(self.thread, lambda: act(client.get_repo("acme/shop")))

    async def send(self, method: str, path: str, body: object = None, token: str = TOKEN) -> tuple[int, object]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.url}{path}", json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", f"--git-dir={self.git_dir}", *arguments], capture_output=True, check=True)
        return done.stdout.decode().strip()


async def serve(sandbox: GitHubSandbox) -> tuple[web.AppRunner, str]:
    app = web.Application()
    GitHubControl(sandbox).setup(app, "/github")
    sandbox.setup(app, "/github")
    runner = web.AppRunner(app, shutdown_timeout=5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}/github"


@pytest.fixture
async def hosted(tmp_path: Path) -> AsyncIterator[Hosted]:
    sandbox = DescribedGitHub(tmp_path, token=TOKEN, app_id="7", installation_id=42)
    git_dir = sandbox.create_repository("acme", "shop", FILES, collaborators=["rita"], teams=["security"])
    sandbox.create_repository("acme", "empty", {})
    runner, url = await serve(sandbox)
    with ThreadPoolExecutor(1) as thread:
        yield Hosted(sandbox, url, thread, git_dir)
    await runner.cleanup()
    assert not sandbox.unexpected
    # Where GitHub's own description is at hand, every answer given in these tests is held against it.
    assert not DESCRIPTION.is_file() or sandbox.misdescribed() == []


def branch_off(repo: Repository, name: str, content: str = "jinja2==2.11.3\nrequests==2.19.0\n") -> str:
    base = repo.get_branch("main").commit
    change = InputGitTreeElement("requirements.txt", "100644", "blob", content)
    tree = repo.create_git_tree([change], repo.get_git_tree(base.commit.tree.sha))
    author = InputGitAuthor("Bot", "bot@example.com", WHEN)
    commit = repo.create_git_commit(f"Change {name}", tree, [repo.get_git_commit(base.sha)], author, author)
    return repo.create_git_ref(f"refs/heads/{name}", commit.sha).object.sha


def open_pull(
    repo: Repository, branch: str = "fix", content: str = "jinja2==2.11.3\nrequests==2.19.0\n"
) -> PullRequest:
    branch_off(repo, branch, content)
    return repo.create_pull(base="main", head=branch, title=f"Fix {branch}", body="Because.")


async def refused(hosted: Hosted, act: Callable[[Repository], object]) -> GithubException:
    with pytest.raises(GithubException) as caught:
        await hosted.call(act)
    return caught.value


def says(error: GithubException) -> str:
    faults = error.data.get("errors") or [{}]
    return str(faults[0].get("message") or faults[0].get("field") or error.data["message"])


async def test_the_whole_walk_from_base_to_pull_request_is_real_git(hosted: Hosted, tmp_path: Path) -> None:
    """Base, full tree, blobs, new tree, commit, reference, pull request: git agrees with every sha of it."""
    scratch = tmp_path / "scratch.git"

    def local(*arguments: str, stdin: bytes = b"") -> str:
        command = ["git", f"--git-dir={scratch}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout.decode().strip()

    def walk(repo: Repository) -> PullRequest:
        base_sha = repo.get_branch("main").commit.sha
        listing = repo.get_git_tree(base_sha, recursive=True)
        assert listing.raw_data["truncated"] is False
        subprocess.run(["git", "init", "-q", "--bare", str(scratch)], check=True)
        rows = [f"{row.mode} {row.sha}\t{row.path}\0" for row in listing.tree if row.type != "tree"]
        local("update-index", "-z", "--index-info", stdin="".join(rows).encode())
        assert local("write-tree", "--missing-ok") == listing.sha

        old = next(row for row in listing.tree if row.path == "requirements.txt")
        assert old.size == len(FILES["requirements.txt"])
        blob = repo.get_git_blob(old.sha)
        assert base64.b64decode(blob.content) == FILES["requirements.txt"]
        assert local("hash-object", "-w", "--stdin", stdin=base64.b64decode(blob.content)) == old.sha

        binary = repo.create_git_blob(base64.b64encode(SCRIPT).decode(), "base64")
        elements = [
            InputGitTreeElement("requirements.txt", "100644", "blob", "jinja2==2.11.3\nrequests==2.19.0\n"),
            InputGitTreeElement("src/deep/er.py", "100644", "blob", sha=None),
            InputGitTreeElement("bin/tool", "100755", "blob", sha=binary.sha),
        ]
        tree = repo.create_git_tree(elements, repo.get_git_tree(listing.sha))
        author = InputGitAuthor("Bot", "bot@example.com", WHEN)
        parents = [repo.get_git_commit(base_sha)]
        commit = repo.create_git_commit("Raise jinja2\n\nBody.", tree, parents, author, author)
        assert repo.create_git_commit("Raise jinja2\n\nBody.", tree, parents, author, author).sha == commit.sha
        assert list(repo.get_git_matching_refs("heads/apv/")) == []
        repo.create_git_ref("refs/heads/apv/APV-2026-1-abcdef12", commit.sha)
        pull = repo.create_pull(base="main", head="apv/APV-2026-1-abcdef12", title="Raise jinja2", draft=True)
        pull.add_to_labels("security", "Security")
        pull.create_review_request(["rita"], ["security"])
        return repo.get_pull(pull.number)

    pull = await hosted.call(walk)
    assert (pull.number, pull.state, pull.draft, pull.mergeable, pull.commits) == (1, "open", True, True, 1)
    assert (pull.head.label, pull.base.ref) == ("acme:apv/APV-2026-1-abcdef12", "main")
    assert [label.name for label in pull.labels] == ["security"]
    assert [user.login for user in pull.requested_reviewers] == ["rita"]
    assert [team.slug for team in pull.requested_teams] == ["security"]

    branch = "refs/heads/apv/APV-2026-1-abcdef12"
    assert hosted.git("rev-parse", branch) == pull.head.sha
    assert hosted.git("rev-list", "--count", f"main..{branch}") == "1"
    assert hosted.git("show", "-s", "--format=%an %ae %at %ct%n%B", branch).splitlines() == [
        "Bot bot@example.com 1767323045 1767323045",
        "Raise jinja2",
        "",
        "Body.",
    ]
    changed = hosted.git("diff", "--no-renames", "--name-status", f"main...{branch}").splitlines()
    assert changed == ["A\tbin/tool", "M\trequirements.txt", "D\tsrc/deep/er.py"]
    assert hosted.git("ls-tree", branch, "bin/tool").startswith("100755 blob")
    hosted.git("fsck", "--strict")
    assert hosted.sandbox.file_at(branch, "bin/tool") == SCRIPT
    assert "+jinja2==2.11.3" in hosted.sandbox.diff(hosted.sandbox.pulls()[0])
    assert "3 files changed" in hosted.sandbox.diffstat(hosted.sandbox.pulls()[0])


async def test_a_commit_has_gits_own_sha_of_exactly_the_fields_sent(hosted: Hosted) -> None:
    """Names, offsets and the message are stored as sent: no newline is added, nothing is cleaned up."""
    tree = hosted.git("rev-parse", "main^{tree}")
    person = {"name": "Zoë  Q.", "email": "z@example.com", "date": "2026-05-06T07:08:09+02:00"}
    status, body = await hosted.send(
        "POST", "/repos/acme/shop/git/commits", {"message": " as is ", "tree": tree, "author": person}
    )
    line = "Zoë  Q. <z@example.com> 1778044089 +0200"
    content = f"tree {tree}\nauthor {line}\ncommitter {line}\n\n as is ".encode()
    expected = hashlib.sha1(b"commit %d\0" % len(content) + content).hexdigest()
    assert isinstance(body, dict)
    assert (status, body["sha"], body["author"]["date"]) == (201, expected, "2026-05-06T05:08:09Z")


async def test_trees_are_laid_over_each_other_like_git_does(hosted: Hosted) -> None:
    """A file replaces a directory of the same name, a sub-tree replaces the old one, and a removal is recursive."""
    deep = hosted.git("rev-parse", "main:src")

    def build(repo: Repository) -> str:
        base = repo.get_git_tree(hosted.git("rev-parse", "main^{tree}"))
        elements = [
            InputGitTreeElement("src", "100644", "blob", "now a file"),
            InputGitTreeElement("docs", "040000", "tree", sha=deep),
            InputGitTreeElement("vendor", "160000", "commit", sha=MISSING),
        ]
        tree = repo.create_git_tree(elements, base)
        return repo.create_git_tree([InputGitTreeElement("docs/deep", "040000", "tree", sha=None)], tree).sha

    sha = await hosted.call(build)
    assert hosted.git("ls-tree", "-r", "--name-only", sha).splitlines() == [
        "docs/app.py",
        "requirements.txt",
        "src",
        "vendor",
    ]


async def test_a_listing_over_the_limit_is_cut_and_says_so(hosted: Hosted) -> None:
    """Over `tree_limit` entries the answer is truncated; single levels can still be listed."""
    hosted.sandbox.hub.tree_limit = 3
    cut = await hosted.call(lambda repo: repo.get_git_tree("main", recursive=True).raw_data)
    assert (cut["truncated"], len(cut["tree"])) == (True, 3)
    level = await hosted.call(lambda repo: repo.get_git_tree(hosted.git("rev-parse", "main:src")).raw_data)
    assert (level["truncated"], [row["path"] for row in level["tree"]]) == (False, ["app.py", "deep"])


async def test_references_are_matched_by_prefix_moved_forwards_and_removed(hosted: Hosted) -> None:
    """A missing branch is 404; a prefix lists; moving back needs force; deleting a head closes its pull request."""

    def play(repo: Repository) -> list[str]:
        with pytest.raises(UnknownObjectException):
            repo.get_branch("apv/a")
        sha = branch_off(repo, "apv/a")
        branch_off(repo, "apv/ab")
        main = repo.get_branch("main").commit.sha
        names = [ref.ref for ref in repo.get_git_matching_refs("heads/apv/a")]
        ref = repo.get_git_ref("heads/apv/a")
        with pytest.raises(GithubException, match="Update is not a fast forward"):
            ref.edit(main)
        ref.edit(main, force=True)
        ref.edit(sha)
        assert repo.get_git_ref("heads/apv/a").object.sha == sha
        repo.create_pull(base="main", head="apv/a", title="Gone soon")
        ref.delete()
        with pytest.raises(GithubException, match="Reference does not exist"):
            ref.delete()
        with pytest.raises(UnknownObjectException):
            assert repo.get_git_ref("heads/apv").object.sha  # only the beginning of a name
        return [*names, *(branch.name for branch in repo.get_branches())]

    assert await hosted.call(play) == ["refs/heads/apv/a", "refs/heads/apv/ab", "apv/ab", "main"]
    assert [pull.state for pull in hosted.sandbox.pulls()] == ["closed"]


GIT = "/repos/acme/shop/git"
PULLS = "/repos/acme/shop/pulls"
AT = {"path": "a", "mode": "100644", "type": "blob"}
BLOB = hashlib.sha1(b"blob 0\0").hexdigest()  # src/deep/er.py
BY = {"name": "A", "email": "a@example.com"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (f"{GIT}/trees", {"tree": []}, "Invalid tree info"),
        (f"{GIT}/trees", {"tree": [AT | {"sha": MISSING}]}, f"tree.sha {MISSING} is not a valid blob"),
        (f"{GIT}/trees", {"tree": [AT]}, "Must supply tree.sha or tree.content, and not both"),
        (f"{GIT}/trees", {"tree": [AT | {"sha": BLOB, "content": ""}]}, "Must supply tree.sha or tree.content"),
        (f"{GIT}/trees", {"tree": [AT | {"sha": None}]}, "GitRPC::BadObjectState"),
        (f"{GIT}/trees", {"tree": [AT | {"path": "/a", "content": ""}]}, "tree.path cannot start with a slash"),
        (f"{GIT}/trees", {"tree": [AT | {"path": "x/../a", "content": ""}]}, "tree.path contains a malformed"),
        (f"{GIT}/trees", {"tree": [AT | {"path": ".GIT/config", "content": ""}]}, "tree.path contains a malformed"),
        (f"{GIT}/trees", {"tree": [AT | {"mode": "040000", "sha": BLOB}]}, "tree.mode 040000 does not fit"),
        (f"{GIT}/trees", {"tree": [AT | {"content": ""}], "base_tree": BLOB}, "base_tree is not a valid tree oid"),
        (f"{GIT}/blobs", {"content": "%", "encoding": "base64"}, "content is not valid Base64"),
        (f"{GIT}/commits", {"message": "m", "tree": "abc"}, "The tree parameter must be exactly 40 characters"),
        (f"{GIT}/commits", {"message": "m", "tree": MISSING}, "Tree SHA does not exist"),
        (f"{GIT}/commits", {"message": "m", "tree": BLOB}, "Tree SHA is not a tree object"),
        (f"{GIT}/commits", {"message": "m", "tree": "TREE", "parents": [MISSING]}, "Parent SHA does not exist"),
        (f"{GIT}/commits", {"message": "m", "tree": "TREE", "parents": ["a"]}, "Each SHA in the 'parents' parameter"),
        (f"{GIT}/commits", {"message": "m", "tree": "TREE", "author": BY | {"name": "<"}}, "author and committer"),
        (f"{GIT}/refs", {"ref": "refs/heads/main", "sha": "HEAD"}, "Reference already exists"),
        (f"{GIT}/refs", {"ref": "refs/heads/main/x", "sha": "HEAD"}, "Reference update failed"),
        (f"{GIT}/refs", {"ref": "refs/heads/x", "sha": MISSING}, "Object does not exist"),
        (f"{GIT}/refs", {"ref": "refs/heads/x", "sha": "TREE"}, "Reference update failed"),
        (f"{GIT}/refs", {"ref": "refs/heads/x", "sha": "abc"}, "The sha parameter must be exactly 40 characters"),
        (f"{GIT}/refs", {"ref": "heads/x", "sha": "HEAD"}, "Reference name must contain at least three"),
        (f"{GIT}/refs", {"ref": "refs/heads/a..b", "sha": "HEAD"}, "refs/heads/a..b is not a valid ref name."),
        (PULLS, {"title": "T", "head": "main", "base": "main"}, "No commits between main and main"),
        (PULLS, {"title": "T", "head": "other:main", "base": "main"}, "head"),
        (PULLS, {"title": "T", "head": "main", "base": "nowhere"}, "base"),
        (PULLS, {"title": " ", "head": "main", "base": "main"}, "title"),
        (PULLS, {"title": "T" * 257, "head": "main", "base": "main"}, "title is too long"),
        ("/repos/acme/shop/statuses/HEAD", {"state": "fine"}, "state is not included in the list"),
        (f"/repos/acme/shop/statuses/{MISSING}", {"state": "success"}, f"No commit found for SHA: {MISSING}"),
        ("/repos/acme/shop/labels", {"name": "taken"}, "name"),
    ],
)
async def test_what_git_or_github_would_refuse_is_422_with_its_sentence(
    hosted: Hosted, path: str, body: dict[str, object], message: str
) -> None:
    """A well-formed request that is impossible gets GitHub's own answer."""
    await hosted.send("POST", "/repos/acme/shop/labels", {"name": "taken"})
    real = {"HEAD": hosted.git("rev-parse", "main"), "TREE": hosted.git("rev-parse", "main^{tree}")}
    sent = {key: real.get(value, value) if isinstance(value, str) else value for key, value in body.items()}
    status, answer = await hosted.send("POST", path.replace("HEAD", real["HEAD"]), sent)
    assert isinstance(answer, dict)
    assert status == 422
    assert says(GithubException(status, answer)).startswith(message)
    assert answer["documentation_url"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", PULLS, {"head": "x"}, 422, '"title" wasn\'t supplied.'),
        (
            "POST",
            f"{GIT}/refs",
            {"ref": "refs/heads/x", "sha": "y", "force": True},
            422,
            '"force" is not a permitted key.',
        ),
        ("POST", f"{GIT}/blobs", {"content": 1}, 422, "For 'properties/content'"),
        ("POST", f"{GIT}/blobs", {"content": "\ud800"}, 400, "Problems parsing JSON"),
        (
            "POST",
            f"{GIT}/commits",
            {"message": "m", "tree": "TREE", "author": BY | {"date": "soon"}},
            422,
            "soon is not",
        ),
        ("GET", f"{PULLS}?state=merged", None, 422, '"state" must be one of'),
        ("PUT", "/repos/acme/shop/issues/1/labels", {"names": ["a"]}, 422, '"labels" must be a list of names'),
        ("GET", "/repos/acme/shop/stargazers", None, 404, "Not Found"),
        ("PUT", PULLS, {}, 404, "Not Found"),
    ],
)
async def test_a_call_that_no_correct_client_makes_is_noted_as_unexpected(  # noqa: PLR0917 - the columns of the table
    hosted: Hosted, method: str, path: str, body: object, status: int, message: str
) -> None:
    """A malformed body or query and an unknown route are refused and recorded in `unexpected`."""
    await hosted.send("POST", "/repos/acme/shop/issues", {"title": "One"})
    if isinstance(body, dict) and body.get("tree") == "TREE":
        body = body | {"tree": hosted.git("rev-parse", "main^{tree}")}
    answered, answer = await hosted.send(method, path, body)
    assert isinstance(answer, dict)
    assert answered == status
    assert message in answer["message"]
    assert len(hosted.sandbox.unexpected) == 1
    hosted.sandbox.unexpected.clear()


async def test_a_body_that_is_not_json_is_400(hosted: Hosted) -> None:
    """GitHub parses before it validates."""
    async with aiohttp.ClientSession(headers={"Authorization": f"token {TOKEN}"}) as session:
        answer = await session.post(f"{hosted.url}{GIT}/blobs", data=b"{")
        assert (answer.status, (await answer.json())["message"]) == (400, "Problems parsing JSON")
    hosted.sandbox.unexpected.clear()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/repos/acme/nothing", "Not Found"),
        ("/repos/acme/shop/branches/nothing", "Branch not found"),
        (f"{GIT}/blobs/{MISSING}", "Not Found"),
        (f"{GIT}/commits/{MISSING}", "Not Found"),
        (f"{GIT}/trees/{MISSING}", "Not Found"),
        (f"{GIT}/ref/heads/nothing", "Not Found"),
        (f"{PULLS}/9", "Not Found"),
        ("/repos/acme/shop/issues/9/labels", "Not Found"),
        ("/repos/acme/shop/compare/main...nothing", "Not Found"),
        ("/repos/acme/shop/check-runs/9", "Not Found"),
        ("/repos/acme/shop/labels/nothing", "Not Found"),
    ],
)
async def test_what_does_not_exist_is_404_with_githubs_body(hosted: Hosted, path: str, message: str) -> None:
    """A missing thing is an ordinary answer, not an unexpected call."""
    status, answer = await hosted.send("GET", path)
    assert isinstance(answer, dict)
    assert (status, answer["message"], answer["status"]) == (404, message, "404")


async def test_an_empty_repository_is_409(hosted: Hosted) -> None:
    """The git database of an empty repository answers only 409."""
    for method, path, body in (("GET", "trees/main", None), ("POST", "blobs", {"content": ""}), ("GET", "refs", None)):
        status, answer = await hosted.send(method, f"/repos/acme/empty/git/{path}", body)
        assert isinstance(answer, dict)
        assert (status, answer["message"]) == (409, "Git Repository is empty.")


async def test_without_the_token_nothing_is_answered(hosted: Hosted) -> None:
    """No token is 401, a wrong one is 401 "Bad credentials", on every route."""
    with pytest.raises(BadCredentialsException):
        await hosted.call(lambda repo: repo.get_branch("main"), Auth.Token("another"))
    for path in ("/user", "/repos/acme/nothing", "/", "/rate_limit"):
        assert (await hosted.send("GET", path, token=""))[0] == 401
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"{hosted.url}/user", headers={"User-Agent": ""})
        assert answer.status == 403
    hosted.sandbox.unexpected.clear()


async def test_a_second_pull_request_for_a_branch_is_refused_until_the_first_is_closed(hosted: Hosted) -> None:
    """422 "A pull request already exists", found again with state=all; a closed one stays closed."""

    def play(repo: Repository) -> tuple[str, list[int], list[int]]:
        pull = open_pull(repo)
        with pytest.raises(GithubException) as caught:
            repo.create_pull(base="main", head="acme:fix", title="Again")
        pull.edit(state="closed")
        every = [found.number for found in repo.get_pulls(state="all", head="acme:fix", base="main")]
        return says(caught.value), every, [found.number for found in repo.get_pulls()]

    assert await hosted.call(play) == ("A pull request already exists for acme:fix.", [1], [])
    again = await hosted.call(lambda repo: repo.create_pull(base="main", head="fix", title="Again"))
    assert again.number == 2
    error = await refused(hosted, lambda repo: repo.get_pull(1).edit(state="open"))
    assert "already an open pull request" in says(error)


async def test_a_pull_request_reopens_only_at_the_head_it_was_closed_with(hosted: Hosted) -> None:
    """A pull request whose head moved, was deleted or was merged cannot be reopened; the answer says why."""
    pull = await hosted.call(open_pull)
    await hosted.sandbox.close_pull(1)
    await hosted.call(lambda repo: repo.get_pull(1).edit(state="open", title="New title"))
    assert (hosted.sandbox.pulls()[0].state, hosted.sandbox.pulls()[0].title) == ("open", "New title")
    await hosted.sandbox.close_pull(1)
    await hosted.sandbox.push_commit("fix", {"more.txt": b"more"})
    error = await refused(hosted, lambda repo: repo.get_pull(1).edit(state="open"))
    assert "force-pushed or recreated" in says(error)
    assert hosted.sandbox.pulls()[0].head_sha == pull.head.sha
    await hosted.call(lambda repo: repo.get_git_ref("heads/fix").delete())
    error = await refused(hosted, lambda repo: repo.get_pull(1).edit(state="open"))
    assert "branch has been deleted" in says(error)
    error = await refused(hosted, lambda repo: repo.get_pull(1).edit(base="main"))
    assert says(error) == "Cannot change the base branch of a closed pull request."


async def test_pull_requests_are_listed_in_pages_and_number_with_issues(hosted: Hosted) -> None:
    """Issues and pull requests share one sequence; PyGithub follows the links from page to page."""

    def play(repo: Repository) -> list[int]:
        repo.create_issue("First", "An issue")
        for number in range(5):
            open_pull(repo, f"fix-{number}", f"jinja2==3.{number}\n")
        comment = repo.get_pull(2).create_issue_comment("Seen.")
        assert comment.body == "Seen."
        assert repo.get_pull(2).as_issue().comments == 1
        assert list(repo.get_pulls(base="release")) == []
        return [pull.number for pull in repo.get_pulls(sort="created", direction="asc")]

    assert await hosted.call(play, per_page=2) == [2, 3, 4, 5, 6]
    pages = [call for call in hosted.sandbox.journal if call.operation == "pulls/list" and "sort" in call.query]
    assert [call.query.get("page", "1") for call in pages] == ["1", "2", "3"]
    status, bare = await hosted.send("GET", f"{PULLS}?head=fix-1")
    assert isinstance(bare, list)
    assert (status, len(bare)) == (200, 5)  # a head without its owner filters nothing


async def test_files_commits_and_comparison_show_what_changed(hosted: Hosted) -> None:
    """Renames, removals and binary files are told apart, with hunks for text."""
    await hosted.sandbox.push_commit(
        "fix", {"docs/old name.md": None, "docs/new.md": b"# old\n", "logo.png": SCRIPT, "src/app.py": b"two\n"}
    )

    def play(repo: Repository) -> list[tuple[str, str, str | None, int]]:
        pull = repo.create_pull(base="main", head="fix", title="T")
        compared = repo.compare("main", "fix")
        assert (compared.status, compared.ahead_by, compared.behind_by, len(compared.files)) == ("ahead", 1, 0, 3)
        assert [commit.sha for commit in pull.get_commits()] == [pull.head.sha]
        assert {file.filename for file in repo.get_commit(pull.head.sha).files} == {
            f.filename for f in pull.get_files()
        }
        return [(file.filename, file.status, file.patch, file.changes) for file in pull.get_files()]

    assert await hosted.call(play) == [
        ("docs/new.md", "renamed", None, 0),
        ("logo.png", "added", None, 0),
        ("src/app.py", "modified", "@@ -1 +1 @@\n-print('one')\n+two", 2),
    ]


async def test_a_base_that_moved_merges_cleanly_or_conflicts(hosted: Hosted) -> None:
    """git decides mergeability against the current base; a conflict cannot be merged, a moved head is 409."""
    await hosted.call(open_pull)
    await hosted.sandbox.push_commit("main", {"other.txt": b"other\n"})
    assert (await hosted.call(lambda repo: repo.get_pull(1).mergeable)) is True
    error = await refused(hosted, lambda repo: repo.get_pull(1).merge(sha=MISSING))
    assert (error.status, says(error)) == (409, "Head branch was modified. Review and try the merge again.")
    error = await refused(hosted, lambda repo: repo.get_pull(1).merge(merge_method="rebase"))
    assert (error.status, says(error)) == (405, "Rebase merges are not allowed on this repository.")

    await hosted.call(lambda repo: open_pull(repo, "clash", "jinja2==3.0\n"))
    merged = await hosted.call(lambda repo: repo.get_pull(1).merge(merge_method="squash"))
    assert hosted.git("rev-parse", "main") == merged.sha
    assert hosted.sandbox.file_at("main", "requirements.txt").startswith(b"jinja2==2.11.3\n")
    assert hosted.sandbox.file_at("main", "other.txt") == b"other\n"
    pull = await hosted.call(lambda repo: repo.get_pull(1))
    assert (pull.merged, pull.state, pull.merge_commit_sha) == (True, "closed", merged.sha)
    assert await hosted.call(lambda repo: repo.get_pull(1).is_merged())

    assert (await hosted.call(lambda repo: repo.get_pull(2).mergeable)) is False
    error = await refused(hosted, lambda repo: repo.get_pull(2).merge())
    assert (error.status, says(error)) == (405, "Pull Request is not mergeable")


async def test_reviews_are_asked_of_collaborators_only(hosted: Hosted) -> None:
    """A non-collaborator or the author makes the whole request fail."""
    await hosted.call(open_pull)
    for who, sentence in (("stranger", "Reviews may only be requested from collaborators."), ("sandbox-bot", "author")):
        asked = ["rita", who]
        error = await refused(hosted, lambda repo: repo.get_pull(1).create_review_request(asked))  # noqa: B023 - awaited
        assert error.status == 422
        assert sentence in says(error)
    assert hosted.sandbox.pulls()[0].reviewers == []


async def test_labels_are_put_on_replaced_and_taken_off(hosted: Hosted) -> None:
    """Adding a label creates it if the repository does not have it."""

    def play(repo: Repository) -> list[str]:
        pull = open_pull(repo)
        repo.create_label("Security", "ff0000", "Known")
        pull.add_to_labels("security")
        pull.add_to_labels("new", "SECURITY")
        assert [label.name for label in pull.get_labels()] == ["Security", "new"]
        pull.remove_from_labels("new")
        with pytest.raises(GithubException, match="Label does not exist"):
            pull.remove_from_labels("new")
        pull.set_labels("a", "b")
        assert [label.name for label in repo.get_labels()] == ["Security", "new", "a", "b"]
        assert repo.get_label("SECURITY").color == "ff0000"
        return [label.name for label in pull.get_labels()]

    assert await hosted.call(play) == ["a", "b"]
    await hosted.call(lambda repo: repo.get_pull(1).delete_labels())
    assert hosted.sandbox.pulls()[0].labels == []


async def test_statuses_combine_and_check_runs_belong_to_apps(hosted: Hosted) -> None:
    """The newest status of a context counts; a personal token may read check runs but not write them."""
    sha = (await hosted.call(open_pull)).head.sha

    def play(repo: Repository) -> tuple[str, int, list[tuple[str, str, str]]]:
        commit = repo.get_commit(sha)
        assert commit.get_combined_status().state == "pending"
        commit.create_status("failure", context="tests")
        assert repo.get_commit(sha).get_combined_status().state == "failure"
        commit.create_status("success", context="tests")
        combined = repo.get_commit(sha).get_combined_status()
        runs = [(run.name, run.status, run.conclusion) for run in commit.get_check_runs()]
        assert commit.get_statuses().totalCount == 2
        return combined.state, combined.total_count, runs

    await hosted.sandbox.set_check(sha, "build")
    await hosted.sandbox.set_check(sha, "lint", "failure")
    assert await hosted.call(play) == ("success", 1, [("build", "queued", None), ("lint", "completed", "failure")])
    error = await refused(hosted, lambda repo: repo.create_check_run("mine", sha))
    assert (error.status, says(error)) == (403, "You must authenticate via a GitHub App.")


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


async def test_an_app_works_with_the_permissions_it_asked_for(hosted: Hosted, private_key: str) -> None:
    """The App's signed token buys an installation token, which has only the requested permissions."""
    app = Auth.AppAuth(7, private_key)
    asked = {"contents": "write", "pull_requests": "write", "checks": "write"}
    pull = await hosted.call(open_pull, app.get_installation_auth(42, asked))
    assert pull.user.login == "app-7[bot]"

    def check(repo: Repository) -> str:
        run = repo.create_check_run("scan", pull.head.sha)
        run.edit(status="completed", conclusion="success", output={"title": "T", "summary": "S"})
        return repo.get_check_run(run.id).conclusion

    assert await hosted.call(check, app.get_installation_auth(42, asked)) == "success"
    with pytest.raises(GithubException, match="Resource not accessible by integration"):
        await hosted.call(open_pull, app.get_installation_auth(42, {"contents": "read"}))
    with pytest.raises(UnknownObjectException):
        await hosted.call(open_pull, app.get_installation_auth(43))
    with pytest.raises(GithubException, match="Integration not found"):
        await hosted.call(open_pull, Auth.AppAuth(8, private_key).get_installation_auth(42))
    with pytest.raises(GithubException, match="not granted"):
        await hosted.call(open_pull, app.get_installation_auth(42, {"workflows": "write"}))
    assert (await hosted.send("POST", "/app/installations/42/access_tokens", {}))[0] == 401


@pytest.mark.parametrize(
    "kind", [GitHubFault.ERROR_500_BEFORE, GitHubFault.ERROR_502_AFTER, GitHubFault.DROP_BEFORE, GitHubFault.DROP_AFTER]
)
async def test_a_fault_hits_before_or_after_the_work_as_often_as_planned(hosted: Hosted, kind: GitHubFault) -> None:
    """After an error or no answer the client cannot know whether the pull request exists; the stand-in knows."""
    hosted.sandbox.fail("pulls/create", kind)
    with pytest.raises((GithubException, requests.exceptions.ConnectionError)) as caught:
        await hosted.call(open_pull)
    assert isinstance(caught.value, GithubException) is not kind.drops
    assert len(hosted.sandbox.pulls()) == (1 if kind.after else 0)
    assert [(c.status is None, c.fault) for c in hosted.sandbox.journal if c.operation == "pulls/create"] == [
        (kind.drops, kind)
    ]
    if not kind.after:
        await hosted.call(lambda repo: repo.create_pull(base="main", head="fix", title="Again"))
    assert len(hosted.sandbox.pulls()) == 1


async def test_rate_limits_are_told_as_github_tells_them(hosted: Hosted) -> None:
    """A secondary limit says how long to wait, a primary one when it resets, and the budget counts down to it."""
    hosted.sandbox.fail("*", "secondary_rate_limit", seconds=7)
    error = await refused(hosted, lambda repo: repo.get_branch("main"))
    assert isinstance(error, RateLimitExceededException)
    assert (error.headers or {})["retry-after"] == "7"
    hosted.sandbox.fail("repos/get-branch", GitHubFault.PRIMARY_RATE_LIMIT, times=2)
    for _ in range(2):
        error = await refused(hosted, lambda repo: repo.get_branch("main"))
        assert isinstance(error, RateLimitExceededException)
        assert (error.headers or {})["x-ratelimit-remaining"] == "0"
    rate = hosted.sandbox.hub.callers[TOKEN].rate
    rate.used = rate.limit - 2
    branch = await hosted.call(lambda repo: repo.get_branch("main"))
    assert branch.raw_headers["x-ratelimit-remaining"] == "0"
    error = await refused(hosted, lambda repo: repo.get_branch("main"))
    assert isinstance(error, RateLimitExceededException)
    status, left = await hosted.send("GET", "/rate_limit")
    assert isinstance(left, dict)
    assert (status, left["rate"]["remaining"]) == (200, 0)


async def test_a_slow_answer_outlasts_the_client_and_the_work_is_done(hosted: Hosted) -> None:
    """A call whose client gives up is still recorded; stopping the server does not wait for a slow answer."""
    await hosted.call(lambda repo: branch_off(repo, "fix"))
    hosted.sandbox.fail("pulls/create", "slow", seconds=0.3)
    patient = hosted.sandbox.changed(lambda: len(hosted.sandbox.pulls()) == 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hosted.send("POST", PULLS, {"title": "T", "head": "fix", "base": "main"}), 0.05)
    assert hosted.sandbox.pulls() == []
    await patient
    hosted.sandbox.fail("pulls/list", "slow", seconds=3600)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hosted.send("GET", PULLS), 0.05)


def test_a_fault_for_an_operation_that_does_not_exist_is_a_mistake_of_the_test(tmp_path: Path) -> None:
    """A misspelt operation would never hit, so it is refused with the list of known names."""
    with pytest.raises(ValueError, match=r"unknown operation 'pulls/open'; known: .*pulls/create"):
        GitHubSandbox(tmp_path, token=TOKEN).fail("pulls/open", "slow")


async def test_waiting_for_something_that_does_not_happen_ends(hosted: Hosted) -> None:
    """`changed` raises TimeoutError."""
    with pytest.raises(TimeoutError):
        await hosted.sandbox.changed(lambda: bool(hosted.sandbox.pulls()), timeout=0.01)


async def test_a_restart_remembers_everything(hosted: Hosted, tmp_path: Path) -> None:
    """Another process on the same root continues after the first was killed: same pulls, next number."""
    await hosted.call(lambda repo: open_pull(repo).add_to_labels("security"))
    await hosted.call(lambda repo: repo.create_issue("An issue"))
    for _ in ("after a call", "after an act"):
        later = GitHubSandbox(tmp_path, token=TOKEN)
        later.create_repository("acme", "shop", {"other.txt": b"not written over what is there"})
        assert later.repository().records == hosted.sandbox.repository().records
        assert later.branches() == hosted.sandbox.branches()
        assert later.repository().next_number() == 3
        await hosted.sandbox.set_check(hosted.sandbox.pulls()[0].head_sha, "build", "success")


async def test_many_callers_at_once_open_one_pull_request(hosted: Hosted) -> None:
    """Calls run one at a time: of ten at once, one opens the pull request and nine are refused."""
    await hosted.call(lambda repo: branch_off(repo, "fix"))
    pull = {"title": "T", "head": "fix", "base": "main"}
    answers = await asyncio.gather(*(hosted.send("POST", PULLS, pull) for _ in range(10)))
    assert sorted(status for status, _ in answers) == [201] + [422] * 9


async def test_a_page_can_play_the_maintainer(hosted: Hosted) -> None:
    """The control routes show a pull request with its diff, merge it and plan faults; its address works."""
    pull = await hosted.call(open_pull)
    control = "/control"
    status, listed = await hosted.send("GET", f"{control}/pulls")
    assert isinstance(listed, list)
    assert (status, listed[0]["branch"], listed[0]["state"]) == (200, "fix", "open")
    await hosted.send("POST", f"{control}/pulls/1/checks", {"name": "build", "conclusion": "success"})
    _, shown = await hosted.send("GET", f"{control}/pulls/1?repository=acme/shop")
    assert isinstance(shown, dict)
    assert (shown["checks"], shown["diff"]) == ({"build": "success"}, hosted.sandbox.diff(hosted.sandbox.pulls()[0]))
    async with aiohttp.ClientSession() as session:
        for address in (pull.html_url, pull.diff_url):
            answer = await session.get(address)
            assert (answer.status, answer.content_type) == (200, "text/plain")
            assert "+jinja2==2.11.3" in await answer.text()
        assert (await session.get(pull.html_url + "9")).status == 404
        fault = {"operation": "pulls/list", "kind": "502_before"}
        assert (await session.post(f"{hosted.url}{control}/faults", json=fault)).status == 201
        assert (await session.post(f"{hosted.url}{control}/faults", json={"operation": "x"})).status == 422
        assert len(await (await session.get(f"{hosted.url}{control}/faults")).json()) == 1
        assert (await session.delete(f"{hosted.url}{control}/faults")).status == 204
        assert hosted.sandbox.faults.planned == []
        push = {"branch": "main", "files": {"new.txt": "new", "src/app.py": None}}
        assert (await session.post(f"{hosted.url}{control}/push", json=push)).status == 201
        assert (await session.post(f"{hosted.url}{control}/pulls/1/merge", json={"method": "squash"})).status == 200
        assert (await session.post(f"{hosted.url}{control}/pulls/1/merge", json={})).status == 409
    assert hosted.sandbox.pulls()[0].merged
    assert hosted.sandbox.file_at("main", "new.txt") == b"new"
    _, journal = await hosted.send("GET", f"{control}/journal")
    assert isinstance(journal, dict)
    assert {"pulls/create", "git/create-ref"} <= {call["operation"] for call in journal["calls"]}


async def test_a_client_may_ask_where_it_is_and_who_it_is(hosted: Hosted) -> None:
    """The root, the token's user and the repository answer with the next addresses."""
    status, root = await hosted.send("GET", "")
    assert isinstance(root, dict)
    assert (status, root["current_user_url"]) == (200, f"{hosted.url}/user")
    client = hosted.client()
    names = await asyncio.to_thread(lambda: (client.get_user().login, client.get_repo("ACME/Shop").full_name))
    assert names == ("sandbox-bot", "acme/shop")
    permission = await hosted.call(lambda repo: repo.get_collaborator_permission("rita"))
    assert permission == "write"


@pytest.mark.parametrize("headers", [{"Origin": "https://example.com"}, {"Host": "example.com"}])
async def test_only_the_sandboxes_own_page_acts_as_the_maintainer(hosted: Hosted, headers: dict[str, str]) -> None:
    """Another web page can neither read nor act, whatever its host name."""
    await hosted.call(open_pull)
    one = "/control/pulls/1"
    async with aiohttp.ClientSession(headers=headers) as session:
        for method, path in (
            ("GET", "/control/pulls"),
            ("GET", one),
            ("POST", f"{one}/merge"),
            ("POST", f"{one}/close"),
            ("POST", "/control/faults"),
            ("DELETE", "/control/faults"),
            ("POST", "/control/push"),
            ("GET", "/control/journal"),
            ("GET", "/acme/shop/pull/1"),
        ):
            async with session.request(method, hosted.url + path, data=b"{}") as answer:
                assert answer.status == 403, path
    assert hosted.sandbox.pulls()[0].state == "open"


async def test_a_fault_without_a_number_stays_until_it_is_cleared(hosted: Hosted) -> None:
    """It hits and counts every call, and ends when cleared."""
    fault = {"operation": "*", "kind": "502_after", "times": None}
    assert (await hosted.send("POST", "/control/faults", fault))[0] == 201
    for _ in range(3):
        assert (await hosted.send("GET", "/repos/acme/shop"))[0] == 502
    _, planned = await hosted.send("GET", "/control/faults")
    assert planned == [
        {"call": "*", "kind": "502_after", "times": None, "after": 0, "seconds": 60.0, "retry_after": "1", "hits": 3}
    ]
    hosted.sandbox.faults.clear()
    assert (await hosted.send("GET", "/repos/acme/shop"))[0] == 200
