"""The git database routes: blobs, trees, commits and references, as GitHub documents them."""

import base64
import binascii
from datetime import datetime
from typing import Literal

from pydantic import Field

from bot.sandbox.github.call import Answer, ApiRoute, Body, Call
from bot.sandbox.github.errors import ApiError, not_found, unprocessable
from bot.sandbox.github.git import SHA, GitCommandError, Signature, TreeEdit
from bot.sandbox.github.model import now
from bot.sandbox.github.render import Renderer

Mode = Literal["100644", "100755", "040000", "160000", "120000"]
_KIND_OF_MODE = {"040000": "tree", "160000": "commit"}


class NewBlob(Body):
    """POST git/blobs."""

    content: str
    encoding: Literal["utf-8", "base64"] = "utf-8"


class NewTreeEntry(Body):
    """A row of POST git/trees: content, a sha, or a null sha to remove the path."""

    path: str
    mode: Mode
    type: Literal["blob", "tree", "commit"] | None = None
    sha: str | None = None
    content: str | None = None


class NewTree(Body):
    """POST git/trees."""

    tree: list[NewTreeEntry]
    base_tree: str | None = None


class GitIdentity(Body):
    """Author or committer of POST git/commits."""

    name: str
    email: str
    date: str | None = None


class NewCommit(Body):
    """POST git/commits."""

    message: str
    tree: str
    parents: list[str] = Field(default_factory=list)
    author: GitIdentity | None = None
    committer: GitIdentity | None = None


class NewRef(Body):
    """POST git/refs."""

    ref: str
    sha: str


class RefMove(Body):
    """PATCH git/refs/{ref}."""

    sha: str
    force: bool = False


def get_blob(call: Call) -> Answer:
    """Answer with one blob in base64."""
    git, sha, render = call.repository.git, _sha(call), _render(call)
    if git.kind(sha) != "blob":
        raise not_found()
    return Answer(200, render.blob(sha, git.blob(sha)))


def create_blob(call: Call) -> Answer:
    """Store a blob."""
    sent, render = call.body(NewBlob), _render(call)
    try:
        content = sent.content.encode()
        if sent.encoding == "base64":
            content = base64.b64decode(content.translate(None, b"\r\n"), validate=True)
    except binascii.Error:
        raise unprocessable("content is not valid Base64") from None
    sha = call.repository.git.write_blob(content)
    return Answer(201, {"sha": sha, "url": f"{render.url}/git/blobs/{sha}"})


def get_tree(call: Call) -> Answer:
    """Answer with a tree, truncated at the limit; any value of `recursive` means yes."""
    repository, name, render = call.repository, call.arguments["sha"], _render(call)
    if SHA.fullmatch(name) and repository.git.kind(name) == "tree":
        tree = name
    else:
        commit = repository.find_commit(name)
        if commit is None:
            raise not_found()
        tree = repository.git.tree_of(commit)
    entries = repository.git.entries(tree, recursive="recursive" in call.query)
    limit = call.hub.tree_limit
    return Answer(200, render.tree(tree, entries[:limit], truncated=len(entries) > limit))


def create_tree(call: Call) -> Answer:
    """Write a tree, based on another one if given."""
    repository, sent, render = call.repository, call.body(NewTree), _render(call)
    if sent.base_tree is not None and repository.git.kind(sent.base_tree) != "tree":
        raise unprocessable("base_tree is not a valid tree oid")
    if not sent.tree and sent.base_tree is None:
        raise unprocessable("Invalid tree info")
    shas = [entry.sha for entry in sent.tree if entry.sha is not None]
    kinds = repository.git.kinds(shas)
    held = set()
    if sent.base_tree is not None:
        held = {entry.path for entry in repository.git.entries(sent.base_tree, recursive=True)}
    edits = [_edit(call, entry, kinds, held) for entry in sent.tree]
    try:
        sha = repository.git.build_tree(sent.base_tree, edits)
    except GitCommandError as error:
        raise unprocessable("GitRPC::BadObjectState") from error
    entries = repository.git.entries(sha, recursive=False)
    return Answer(201, render.tree(sha, entries, truncated=False))


def _edit(call: Call, entry: NewTreeEntry, kinds: dict[str, str], held: set[str]) -> TreeEdit:
    parts = entry.path.split("/")
    if entry.path.startswith("/"):
        raise unprocessable("tree.path cannot start with a slash")
    if any(part.lower() in ("", ".", "..", ".git") for part in parts) or "\0" in entry.path:
        raise unprocessable("tree.path contains a malformed path component")
    kind = _KIND_OF_MODE.get(entry.mode, "blob")
    if entry.type not in (None, kind):
        raise unprocessable(f"tree.mode {entry.mode} does not fit a tree.type of {entry.type}")
    given = {"sha", "content"} & entry.model_fields_set
    if len(given) != 1 or ("content" in given and entry.content is None):
        raise unprocessable("Must supply tree.sha or tree.content, and not both")
    if entry.content is not None:
        if kind != "blob":
            raise unprocessable("tree.content can only be given for a blob")
        return TreeEdit(entry.path, entry.mode, call.repository.git.write_blob(entry.content.encode()))
    if entry.sha is None:
        if entry.path not in held:
            raise unprocessable("GitRPC::BadObjectState")
        return TreeEdit(entry.path, entry.mode, None)
    if not SHA.fullmatch(entry.sha) or (kind != "commit" and kinds.get(entry.sha) != kind):
        raise unprocessable(f"tree.sha {entry.sha} is not a valid {kind}")
    return TreeEdit(entry.path, entry.mode, entry.sha)


def get_commit(call: Call) -> Answer:
    """Answer with one commit object."""
    git, sha, render = call.repository.git, _sha(call), _render(call)
    if git.kind(sha) != "commit":
        raise not_found()
    return Answer(200, render.git_commit(git.commit(sha)))


def create_commit(call: Call) -> Answer:
    """Write a commit with exactly the fields sent; the default author and committer is the caller, now."""
    git, sent, render = call.repository.git, call.body(NewCommit), _render(call)
    if not SHA.fullmatch(sent.tree):
        raise unprocessable("The tree parameter must be exactly 40 characters and contain only [0-9a-f].")
    if not all(SHA.fullmatch(parent) for parent in sent.parents):
        raise unprocessable(
            "Each SHA in the 'parents' parameter must be exactly 40 characters and contain only [0-9a-f]."
        )
    kinds = git.kinds([sent.tree, *sent.parents])
    if sent.tree not in kinds:
        raise unprocessable("Tree SHA does not exist")
    if kinds[sent.tree] != "tree":
        raise unprocessable("Tree SHA is not a tree object")
    if any(kinds.get(parent) != "commit" for parent in sent.parents):
        raise unprocessable("Parent SHA does not exist or is not a commit object")
    login = call.caller.account.login
    default = Signature(login, f"{login}@users.noreply.example", now())
    author = default if sent.author is None else _signature(sent.author)
    committer = author if sent.committer is None else _signature(sent.committer)
    sha = git.write_commit(sent.tree, sent.parents, author, committer, sent.message)
    return Answer(201, render.git_commit(git.commit(sha)))


def _signature(person: GitIdentity) -> Signature:
    name, email = person.name, person.email
    if not name.strip() or not email.strip() or any(character in name + email for character in "<>\n\0"):
        raise unprocessable("author and committer need a name and an e-mail without angle brackets")
    if person.date is None:
        return Signature(name, email, now())
    try:
        date = datetime.fromisoformat(person.date)
    except ValueError:
        date = None
    if date is None or date.tzinfo is None:
        raise ApiError(422, f"{person.date} is not a valid ISO 8601 timestamp", unexpected=True)
    return Signature(name, email, date)


def get_ref(call: Call) -> Answer:
    """Answer with the reference of exactly this name; a prefix of a name is 404."""
    name, render = _ref(call), _render(call)
    sha = call.repository.git.ref(name)
    if sha is None:
        raise not_found()
    return Answer(200, render.ref(name, sha))


def list_matching_refs(call: Call) -> Answer:
    """Answer with every reference whose name starts with the prefix; maybe an empty list."""
    render = _render(call)
    prefix = f"refs/{call.arguments.get('ref', '')}"
    return call.page([render.ref(name, sha) for name, sha in call.repository.git.refs(prefix).items()])


def create_ref(call: Call) -> Answer:
    """Create a reference."""
    sent, render = call.body(NewRef), _render(call)
    call.repository.create_ref(sent.ref, sent.sha)
    return Answer(201, render.ref(sent.ref, sent.sha))


def update_ref(call: Call) -> Answer:
    """Move a reference."""
    name, sent, render = _ref(call), call.body(RefMove), _render(call)
    call.repository.update_ref(name, sent.sha, force=sent.force)
    return Answer(200, render.ref(name, sent.sha))


def delete_ref(call: Call) -> Answer:
    """Remove a reference."""
    call.repository.delete_ref(_ref(call), call.caller.account)
    return Answer(204)


def _ref(call: Call) -> str:
    return f"refs/{call.arguments['ref']}"


def _render(call: Call) -> Renderer:
    if call.repository.is_empty():
        raise ApiError(409, "Git Repository is empty.")
    return call.render


def _sha(call: Call) -> str:
    sha = call.arguments["sha"]
    if not SHA.fullmatch(sha):
        raise unprocessable("The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
    return sha


_GIT = "/repos/{owner}/{repo}/git"
ROUTES = (
    ApiRoute("git/create-blob", "POST", f"{_GIT}/blobs", create_blob, "contents:write"),
    ApiRoute("git/get-blob", "GET", f"{_GIT}/blobs/{{sha}}", get_blob, "contents:read"),
    ApiRoute("git/create-tree", "POST", f"{_GIT}/trees", create_tree, "contents:write"),
    ApiRoute("git/get-tree", "GET", f"{_GIT}/trees/{{sha:.+}}", get_tree, "contents:read", ("recursive",)),
    ApiRoute("git/create-commit", "POST", f"{_GIT}/commits", create_commit, "contents:write"),
    ApiRoute("git/get-commit", "GET", f"{_GIT}/commits/{{sha}}", get_commit, "contents:read"),
    ApiRoute("git/create-ref", "POST", f"{_GIT}/refs", create_ref, "contents:write"),
    ApiRoute("git/list-matching-refs", "GET", f"{_GIT}/refs", list_matching_refs, "contents:read"),
    ApiRoute("git/list-matching-refs", "GET", f"{_GIT}/matching-refs/{{ref:.*}}", list_matching_refs, "contents:read"),
    ApiRoute("git/get-ref", "GET", f"{_GIT}/ref/{{ref:.+}}", get_ref, "contents:read"),
    ApiRoute("git/get-ref", "GET", f"{_GIT}/refs/{{ref:.+}}", get_ref, "contents:read"),
    ApiRoute("git/update-ref", "PATCH", f"{_GIT}/refs/{{ref:.+}}", update_ref, "contents:write"),
    ApiRoute("git/delete-ref", "DELETE", f"{_GIT}/refs/{{ref:.+}}", delete_ref, "contents:write"),
)
