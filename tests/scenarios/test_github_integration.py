"""One branch, one commit, one pull request from a diff: the GitHub client against the stand-in, through PyGithub."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.domain.policy import BaseMoved
from bot.domain.pull import Pull
from bot.integrations.errors import Permanent, Retry, VendorError
from bot.integrations.github.client import AppInstallation, GitHubClient, PullAddress, PullRequest
from bot.sandbox.github import GitHubFault, GitHubSandbox

TOKEN = "ghp_the_tests_own"
FILES = {
    "requirements.txt": b"flask==2.0.0\njinja2==2.11.2\n",
    "src/app.py": b"import flask\n\n\ndef run():\n    return 1\n",
    "logo.bin": bytes(range(256)),
    "latin.txt": b"caf\xe9\nplain\nend\n",
    "old.txt": b"gone soon\n",
    ".github/workflows/ci.yml": b"on: push\n",
}
BUMP = (
    "--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1,2 +1,2 @@\n flask==2.0.0\n-jinja2==2.11.2\n+jinja2==3.1.6\n"
)
STALE = BUMP.replace("2.11.2", "2.11.1")
WORKFLOW = "--- a/.github/workflows/ci.yml\n+++ b/.github/workflows/ci.yml\n@@ -1 +1 @@\n-on: push\n+on: fork\n"
ODD = """diff --git a/empty.txt b/empty.txt
new file mode 100644
diff --git a/logo.bin b/img/logo.bin
similarity index 100%
rename from logo.bin
rename to img/logo.bin
diff --git a/latin.txt b/latin.txt
--- a/latin.txt
+++ b/latin.txt
@@ -2,2 +2,2 @@
-plain
+changed
 end
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-gone soon
diff --git a/go.sh b/go.sh
new file mode 100755
--- /dev/null
+++ b/go.sh
@@ -0,0 +1 @@
+echo "é"
"""
REQUEST = PullRequest(
    repository="acme/shop",
    base_ref=None,
    branch="apv/APV-2026-17-0a1b2c3d",
    title="Bump jinja2 to 3.1.6",
    body="CVE-2020-28493",
    commit_message="Bump jinja2 to 3.1.6\n\nAPV-2026-17\n",
    committed_at=datetime(2026, 11, 22, 10, 30, 15, 999, tzinfo=UTC),
    diff=BUMP,
    labels=("security", "apv"),
    reviewers=("mia", "acme/appsec"),
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Shop:
    """A repository on the stand-in, and the client that works on it."""

    github: GitHubSandbox
    git_dir: Path
    url: str = ""
    client: GitHubClient = field(init=False)
    before: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """Called once, just before GitHub gets a POST to a path with this end."""
    truncated: bool = False
    """Whether GitHub cuts the listing of the whole tree short."""

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", f"--git-dir={self.git_dir}", *arguments], capture_output=True, check=True, text=True
        )
        return done.stdout.strip()

    def writes(self) -> list[str]:
        return [entry.operation for entry in self.github.journal if entry.method != "GET"]

    def connect(self, credentials: str | AppInstallation = TOKEN, *, timeout_seconds: int = 15) -> GitHubClient:
        return GitHubClient(
            credentials,
            repository="acme/shop",
            api_url=self.url,
            seconds_between_writes=0,
            timeout_seconds=timeout_seconds,
        )

    @web.middleware
    async def interfere(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        for end in list(self.before):
            if request.method == "POST" and request.path.endswith(end):
                await self.before.pop(end)()
        response = await handler(request)
        if self.truncated and request.query.get("recursive") and isinstance(response, web.Response):
            listing = json.loads(response.text or "")
            if any("/" in row["path"] for row in listing["tree"]):
                listing |= {"truncated": True, "tree": listing["tree"][:2]}
            return web.json_response(listing)
        return response


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    github = GitHubSandbox(tmp_path / "github", token=TOKEN, login="apv-machine")
    git_dir = github.create_repository("acme", "shop", FILES, collaborators=["mia"], teams=["appsec"])
    shop = Shop(github, git_dir)
    app = web.Application(middlewares=[shop.interfere])
    github.setup(app, "/api/v3")
    server = TestServer(app)
    await server.start_server()
    shop.url = str(server.make_url("/api/v3"))
    shop.client = shop.connect()
    yield shop
    await shop.client.close()
    await server.close()
    assert github.unexpected == []


def assert_one_of_each(shop: Shop, opened: Pull) -> None:
    """One branch of ours with one commit on the base, and one pull request for it."""
    ours = [name for name in shop.github.branches() if name.startswith("apv/")]
    assert ours == [REQUEST.branch]
    assert shop.git("rev-list", "--count", f"main..{REQUEST.branch}") == "1"
    assert [pull.number for pull in shop.github.pulls()] == [opened.number]


async def test_a_diff_becomes_one_branch_one_commit_and_one_pull_request(shop: Shop) -> None:
    """Everything asked for is there, and plain git reads the commit."""
    opened = await shop.client.open_pull(REQUEST)

    assert_one_of_each(shop, opened)
    assert (opened.state, opened.notes) == ("open", ())
    assert (opened.files, opened.insertions, opened.deletions) == (1, 1, 1)
    assert opened.url.endswith(f"/acme/shop/pull/{opened.number}")
    assert opened.head_sha == shop.github.branches()[REQUEST.branch]
    shown = shop.git("show", "--no-patch", "--format=%an <%ae> %aI %cI%n%B", REQUEST.branch)
    assert shown == (
        "apv-bot <apv-bot@noreply.invalid> 2026-11-22T10:30:15+00:00 2026-11-22T10:30:15+00:00\n"
        "Bump jinja2 to 3.1.6\n\nAPV-2026-17"
    )
    assert shop.github.file_at(REQUEST.branch, "requirements.txt") == b"flask==2.0.0\njinja2==3.1.6\n"
    [pull] = shop.github.pulls()
    assert (pull.title, pull.body, pull.base_ref, pull.draft) == (REQUEST.title, REQUEST.body, "main", False)
    assert [label.name for label in pull.labels] == ["security", "apv"]
    assert ([one.login for one in pull.reviewers], pull.teams) == (["mia"], ["appsec"])


async def test_odd_files_arrive_byte_for_byte(shop: Shop) -> None:
    """An empty file, a renamed binary, Latin-1, a deletion and an executable: the tree is git's own."""
    opened = await shop.client.open_pull(replace(REQUEST, diff=ODD, base_moved=BaseMoved.APPLY))

    assert opened.files == 5
    assert shop.git("diff", "--name-status", "-M", "main", REQUEST.branch).split("\n") == [
        "A\tempty.txt",
        "A\tgo.sh",
        "R100\tlogo.bin\timg/logo.bin",
        "M\tlatin.txt",
        "D\told.txt",
    ]
    assert shop.git("ls-tree", REQUEST.branch, "go.sh").startswith("100755 ")
    assert shop.github.file_at(REQUEST.branch, "latin.txt") == b"caf\xe9\nchanged\nend\n"
    assert shop.github.file_at(REQUEST.branch, "img/logo.bin") == FILES["logo.bin"]
    assert shop.github.file_at(REQUEST.branch, "empty.txt") == b""
    assert shop.github.file_at(REQUEST.branch, "go.sh") == 'echo "é"\n'.encode()


async def test_only_the_named_files_are_read(shop: Shop) -> None:
    """One listing of the tree, and only the contents that the diff names: not a clone."""
    await shop.client.open_pull(REQUEST)
    asked = [entry.operation for entry in shop.github.journal]
    assert (asked.count("git/get-tree"), asked.count("git/get-blob")) == (1, 1)


async def test_a_second_run_finds_what_the_first_made(shop: Shop) -> None:
    """Run again, the same pull request is found, with the same numbers, and nothing is written."""
    first = await shop.client.open_pull(REQUEST)
    written = shop.writes()
    second = await shop.client.open_pull(REQUEST)
    assert second == first
    assert shop.writes() == written


WRITES = [
    "git/create-blob",
    "git/create-tree",
    "git/create-commit",
    "git/create-ref",
    "pulls/create",
    "issues/add-labels",
    "pulls/request-reviewers",
]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("fault", [GitHubFault.ERROR_502_BEFORE, GitHubFault.ERROR_500_AFTER, GitHubFault.DROP_AFTER])
async def test_a_run_that_died_is_finished_by_the_next(shop: Shop, operation: str, fault: GitHubFault) -> None:
    """Wherever a run stops, before or after a write, the next one ends with one of each, even on a moved base."""
    request = replace(REQUEST, diff=ODD, base_moved=BaseMoved.APPLY)
    base = shop.github.branches()["main"]
    shop.github.fail(operation, fault)
    with pytest.raises(Retry):
        await shop.client.open_pull(request)
    assert shop.writes().count(operation) == 1  # never sent twice on its own
    if REQUEST.branch in shop.github.branches():
        await shop.github.push_commit("main", {"requirements.txt": b"flask==3.0.0\n"})

    opened = await shop.client.open_pull(request)

    assert_one_of_each(shop, opened)
    assert shop.git("rev-parse", f"{REQUEST.branch}^") == base
    [pull] = shop.github.pulls()
    assert {label.name for label in pull.labels} == {"security", "apv"}
    assert ([one.login for one in pull.reviewers], pull.teams) == (["mia"], ["appsec"])


@pytest.mark.parametrize(
    "operation", ["repos/get", "pulls/list", "repos/get-branch", "git/get-commit", "git/get-tree", "git/get-blob"]
)
async def test_a_failed_look_writes_nothing(shop: Shop, operation: str) -> None:
    """When GitHub cannot be read, nothing is written on a guess; the next run succeeds."""
    shop.github.fail(operation, GitHubFault.ERROR_502_BEFORE)
    with pytest.raises(Retry):
        await shop.client.open_pull(REQUEST)
    assert shop.writes() == []
    assert_one_of_each(shop, await shop.client.open_pull(REQUEST))


async def test_the_same_request_makes_the_same_commit(shop: Shop) -> None:
    """A run that made the commit but no branch leaves nothing that a second run duplicates."""
    shop.github.fail("git/create-ref", GitHubFault.ERROR_500_BEFORE)
    with pytest.raises(Retry):
        await shop.client.open_pull(REQUEST)
    await shop.client.open_pull(REQUEST)
    commits = [
        line for line in shop.git("cat-file", "--batch-all-objects", "--batch-check").split("\n") if " commit " in line
    ]
    assert len(commits) == 2  # the base's and ours


async def test_the_base_may_move_between_the_branch_and_the_pull_request(shop: Shop) -> None:
    """An existing branch keeps its base: a second run neither rebases it nor makes another."""
    shop.github.fail("pulls/create", GitHubFault.DROP_BEFORE)
    with pytest.raises(Retry):
        await shop.client.open_pull(REQUEST)
    sha = shop.github.branches()[REQUEST.branch]
    await shop.github.push_commit("main", {"requirements.txt": b"nothing that the patch would fit\n"})
    opened = await shop.client.open_pull(REQUEST)
    assert opened.head_sha == sha
    assert_one_of_each(shop, opened)


@pytest.mark.parametrize("end", ["/git/refs", "/pulls"])
async def test_two_runs_at_the_same_time_end_with_one_pull_request(shop: Shop, end: str) -> None:
    """A run that is overtaken just before it writes adopts the other's work, even on a moved base."""
    other = shop.connect()
    results: list[Pull] = []

    async def overtake() -> None:
        if end == "/git/refs":
            await shop.github.push_commit("main", {"src/app.py": b"moved on\n"})
        results.append(await other.open_pull(REQUEST))

    shop.before[end] = overtake
    opened = await shop.client.open_pull(REQUEST)
    await other.close()
    assert opened == results[0]
    assert_one_of_each(shop, opened)


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
async def test_a_branch_of_somebody_else_is_left_alone(shop: Shop, moment: str) -> None:
    """A branch of our name with other content is neither moved nor used; the refusal says so."""

    async def taken() -> None:
        shop.git("branch", REQUEST.branch, "main")
        await shop.github.push_commit(REQUEST.branch, {"theirs.txt": b"mine\n"})

    if moment == "before":
        await taken()
    else:
        shop.before["/git/refs"] = taken
    with pytest.raises(Permanent) as refusal:
        await shop.client.open_pull(REQUEST)
    assert refusal.value.code == "branch_taken"
    assert refusal.value.reason == (
        f"The branch {REQUEST.branch} of acme/shop holds somebody else's commits; nothing was pushed"
    )
    assert shop.github.file_at(REQUEST.branch, "theirs.txt") == b"mine\n"
    assert shop.github.pulls() == []


async def test_a_commit_that_only_looks_like_ours_is_not_adopted(shop: Shop) -> None:
    """Our message, author and date over another tree: the content decides."""
    await shop.client.open_pull(replace(REQUEST, diff=BUMP.replace("3.1.6", "6.6.6")))
    with pytest.raises(Permanent) as refusal:
        await shop.client.open_pull(REQUEST)
    assert refusal.value.code == "branch_taken"


async def test_a_pull_request_that_a_person_closed_stays_closed(shop: Shop) -> None:
    """A closed one is reported as it is: not reopened, not made again, not even when its branch is gone."""
    first = await shop.client.open_pull(REQUEST)
    await shop.github.close_pull(first.number)
    assert (await shop.client.open_pull(REQUEST)).state == "closed"
    shop.git("update-ref", "-d", f"refs/heads/{REQUEST.branch}")
    again = await shop.client.open_pull(REQUEST)
    assert (again.number, again.state) == (first.number, "closed")
    assert [pull.state for pull in shop.github.pulls()] == ["closed"]
    assert REQUEST.branch not in shop.github.branches()


async def test_a_merged_pull_request_is_reported_as_merged(shop: Shop) -> None:
    """Merged and its branch deleted before the first run could be recorded: the next says merged."""
    first = await shop.client.open_pull(REQUEST)
    await shop.github.merge_pull(first.number)
    shop.git("update-ref", "-d", f"refs/heads/{REQUEST.branch}")
    again = await shop.client.open_pull(REQUEST)
    assert (again.number, again.state, again.files) == (first.number, "merged", 1)
    assert len(shop.github.pulls()) == 1


async def test_a_pull_request_with_commits_of_people_on_top_is_ours(shop: Shop) -> None:
    """A reviewer may push a fix to the branch: the pull request stays the same."""
    first = await shop.client.open_pull(REQUEST)
    sha = await shop.github.push_commit(REQUEST.branch, {"NEWS": b"fixed\n"})
    again = await shop.client.open_pull(REQUEST)
    assert (again.number, again.head_sha, again.insertions) == (first.number, sha, 1)


@pytest.mark.parametrize(
    ("diff", "reason"),
    [
        (STALE, "requirements.txt does not match the patch: patch does not apply"),
        (WORKFLOW, "The patch may not touch .github/workflows/ci.yml: it is a workflow"),
        ("no patch at all\n", "The patch is malformed: No valid patches in input"),
    ],
    ids=["stale", "workflow", "prose"],
)
async def test_nothing_is_written_when_the_patch_is_refused(shop: Shop, diff: str, reason: str) -> None:
    """Not a branch, not a blob: the diff is tried before the first write."""
    with pytest.raises(Permanent) as refusal:
        await shop.client.open_pull(replace(REQUEST, diff=diff))
    assert refusal.value.reason == reason
    assert shop.writes() == []


async def test_another_base_and_a_draft(shop: Shop) -> None:
    """The base may be any branch, slashes and all; the pull request may be a draft."""
    shop.git("branch", "release/2.x", "main")
    opened = await shop.client.open_pull(replace(REQUEST, base_ref="release/2.x", draft=True))
    [pull] = shop.github.pulls()
    assert (pull.base_ref, pull.draft, opened.state) == ("release/2.x", True, "open")
    assert shop.git("rev-parse", f"{opened.approved_head}^") == shop.github.branches()["release/2.x"]


async def test_a_listing_that_github_cuts_short_is_read_in_parts(shop: Shop) -> None:
    """A repository too large for one listing is patched with all its files."""
    shop.truncated = True
    assert_one_of_each(shop, await shop.client.open_pull(REQUEST))


async def test_of_a_huge_repository_only_the_folders_of_the_patch_are_read(shop: Shop) -> None:
    """More folders than anybody would list: the few on the way to the patch are opened, and the tree is right."""
    many = {f"part_{n:03}/file.txt": b"1\n" for n in range(210)}
    await shop.github.push_commit("main", {**many, "part_007/deep/er/pin.txt": b"1\n"})
    shop.github.hub.tree_limit = 300
    diff = "--- a/part_007/deep/er/pin.txt\n+++ b/part_007/deep/er/pin.txt\n@@ -1 +1 @@\n-1\n+2\n"
    diff += "--- /dev/null\n+++ b/part_007/new/file.txt\n@@ -0,0 +1 @@\n+new\n"
    pull = await shop.client.open_pull(replace(REQUEST, diff=diff))
    changed = shop.git("diff", "--name-status", "main", pull.head_sha).split()
    assert changed == ["M", "part_007/deep/er/pin.txt", "A", "part_007/new/file.txt"]
    listings = [entry for entry in shop.github.journal if entry.operation == "git/get-tree"]
    assert len(listings) == 5  # the whole one, cut short; the root; three folders


async def test_refused_reviewers_are_a_note(shop: Shop) -> None:
    """If GitHub refuses a reviewer, only the review request is missing, not the pull request."""
    opened = await shop.client.open_pull(replace(REQUEST, reviewers=("nobody-here",)))
    assert opened.notes == ("GitHub refused to request reviews: nobody-here",)
    assert_one_of_each(shop, opened)


@pytest.fixture(scope="module")
def installation() -> AppInstallation:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return AppInstallation(app_id="1", installation_id=1, private_key=pem)


async def test_an_app_opens_pull_requests_too(shop: Shop, installation: AppInstallation) -> None:
    """An App's installation needs no personal token; its key never shows; its check run stands on the commit, once."""
    assert "PRIVATE KEY" not in repr(installation)
    client = shop.connect(installation)
    opened = await client.open_pull(REQUEST)
    assert_one_of_each(shop, opened)
    await client.open_pull(REQUEST)
    (run,) = shop.github.repository().records.check_runs.values()
    assert (run.name, run.head_sha, run.conclusion) == ("apv-bot/approved", opened.approved_head, "success")
    assert (await client.look(PullAddress("acme/shop", opened.number, opened.branch))).checks is None
    await client.close()


async def test_an_installation_token_is_renewed(shop: Shop, installation: AppInstallation) -> None:
    """An expired token is replaced before the next call."""
    shop.github.hub.token_lifetime = timedelta(seconds=15)  # less than what the SDK keeps in reserve
    client = shop.connect(installation)
    opened = await client.open_pull(REQUEST)
    await client.look(PullAddress("acme/shop", opened.number, opened.branch))
    await client.close()
    fetched = [e for e in shop.github.journal if e.operation == "apps/create-installation-access-token"]
    assert len(fetched) > 1
    assert {entry.status for entry in shop.github.journal} <= {200, 201, 404}


async def test_an_app_may_do_with_the_least(shop: Shop, installation: AppInstallation) -> None:
    """The permissions that docs/github.md names are enough to open, look, comment and merge."""
    document = (Path(__file__).parents[2] / "docs" / "github.md").read_text("utf-8")
    named = dict(re.findall(r"^\| (\w[\w ]+) \| (read|write)", document, re.MULTILINE))
    least = {"metadata": "read", "contents": "write", "pull_requests": "write", "checks": "write", "statuses": "read"}
    assert named == {
        "Metadata": "read",
        "Contents": "write",
        "Pull requests": "write",
        "Checks": "write",
        "Commit statuses": "read",
        "Workflows": "write",
    }
    shop.github.hub.granted = least
    client = shop.connect(installation)
    opened = await client.open_pull(REQUEST)
    assert opened.notes == ()
    address = PullAddress("acme/shop", opened.number, opened.branch)
    await client.answer(address, "<!-- 1 --> no", "<!-- 1 -->", close=False)
    await client.merge(address, opened.approved_head, "squash")
    assert (await client.look(address)).state == "merged"
    await client.close()


async def test_a_check_that_may_not_be_set_is_a_note(shop: Shop, installation: AppInstallation) -> None:
    """Only the check is missing, not the pull request."""
    shop.github.hub.granted = {"metadata": "read", "contents": "write", "pull_requests": "write", "checks": "read"}
    client = shop.connect(installation)
    opened = await client.open_pull(REQUEST)
    assert opened.notes == ("The GitHub token may not set apv-bot/approved on the commit",)
    assert_one_of_each(shop, opened)
    await client.close()


async def test_a_key_that_is_none_is_refused_at_once() -> None:
    """A wrong private key is found when the client is made, not at the first approved patch."""
    with pytest.raises(Permanent, match="private key"):
        GitHubClient(AppInstallation("1", 1, "not a key"), repository="acme/shop")


@pytest.mark.parametrize(
    ("fault", "code", "after"),
    [
        (GitHubFault.SECONDARY_RATE_LIMIT, "rate_limited", 3000),
        (GitHubFault.PRIMARY_RATE_LIMIT, "rate_limited", 3001),
        (GitHubFault.ERROR_502_BEFORE, "server_error", None),
        (GitHubFault.DROP_BEFORE, "unreachable", None),
    ],
)
async def test_what_time_can_heal_is_tried_again(shop: Shop, fault: GitHubFault, code: str, after: int | None) -> None:
    """Rate limits and outages are `Retry`, with GitHub's time if it gave one; the thread does not sleep."""
    shop.github.fail("repos/get", fault, seconds=3000)
    with pytest.raises(Retry) as failure:
        await shop.client.check()
    assert failure.value.code == code
    assert failure.value.after == (None if after is None else pytest.approx(after, abs=600))
    await shop.client.check()


async def test_a_slow_github_is_given_up(shop: Shop) -> None:
    """No answer within the time-out is `Retry`."""
    client = shop.connect(timeout_seconds=1)
    shop.github.fail("repos/get", GitHubFault.SLOW, seconds=30)
    with pytest.raises(Retry) as failure:
        await client.check()
    assert failure.value.code == "timeout"
    await client.close()


async def test_a_github_that_is_not_there_is_tried_again() -> None:
    """A refused connection is `Retry`."""
    url = f"http://127.0.0.1:{unused_port()}"
    client = GitHubClient(TOKEN, repository="acme/shop", api_url=url)
    with pytest.raises(Retry) as failure:
        await client.check()
    assert (failure.value.code, failure.value.reason) == ("unreachable", "GitHub cannot be reached")
    await client.close()


@pytest.mark.parametrize(
    ("token", "change", "reason"),
    [
        ("wrong", {}, "GitHub does not accept the token"),
        (
            TOKEN,
            {"repository": "acme/gone"},
            "GitHub does not know the repository acme/gone, or the token may not see it",
        ),
        (TOKEN, {"base_ref": "gone"}, "The repository acme/shop has no branch gone"),
    ],
    ids=["token", "repository", "branch"],
)
async def test_what_no_retry_can_help_is_said_in_our_words(
    shop: Shop, token: str, change: dict[str, str], reason: str
) -> None:
    """A wrong token, repository or branch is `Permanent`, and the sentence holds neither token nor address."""
    client = shop.connect(token)
    request = PullRequest(**{name: getattr(REQUEST, name) for name in REQUEST.__dataclass_fields__} | change)
    with pytest.raises(Permanent) as refusal:
        await client.open_pull(request)
    assert refusal.value.reason == reason
    assert shop.writes() == []
    await client.close()


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "code"),
    [
        (200, "<html>", {}, Retry, "bad_answer"),
        (200, '{"name": ', {}, Retry, "bad_answer"),
        (200, '{"id": "x", "name": 1}', {}, VendorError, None),
        (403, '{"message": "Resource not accessible"}', {}, Permanent, "forbidden"),
        (403, '{"message": "Wait"}', {"Retry-After": "12"}, Retry, "rate_limited"),
        (429, '{"message": "Wait"}', {}, Retry, "rate_limited"),
        (408, "", {}, Retry, "server_error"),
        (503, "<html>busy</html>", {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, Retry, "server_error"),
        (451, '{"message": "Blocked"}', {}, Permanent, "refused"),
        (301, "", {"Location": "http://elsewhere.invalid/repos/acme/shop"}, Retry, "bad_answer"),
    ],
)
async def test_every_answer_has_its_class(
    status: int, body: str, headers: dict[str, str], kind: type[VendorError], code: str | None
) -> None:
    """Every answer becomes a `Retry` or a `Permanent` with a short code, never a foreign exception."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers=headers, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    client = GitHubClient(TOKEN, repository="acme/shop", api_url=str(server.make_url("/")))
    with pytest.raises(VendorError) as failure:
        await client.read_files("acme/shop", None, list)
    assert isinstance(failure.value, kind)
    assert code is None or failure.value.code == code
    assert not {TOKEN, "http", "message", "Blocked"} & set(failure.value.reason.replace(":", " ").split())
    await client.close()
    await server.close()


async def test_close_lets_the_call_in_hand_end(shop: Shop) -> None:
    """A pull request that is being opened is finished, not interrupted."""
    client = shop.connect()
    started = asyncio.Event()

    async def closing() -> None:
        started.set()

    shop.before["/git/refs"] = closing
    opening = asyncio.create_task(client.open_pull(REQUEST))
    await started.wait()
    await client.close()
    assert_one_of_each(shop, await opening)
