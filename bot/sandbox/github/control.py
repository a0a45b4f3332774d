"""Routes for a person: a pull request as text, and JSON for the sandbox page, which acts as the maintainer.

They need no token, because the stand-in serves one machine. Other web pages cannot use them.
"""

from collections.abc import Awaitable
from dataclasses import asdict
from typing import TypeVar

from aiohttp import web
from pydantic import Field, ValidationError

from bot.sandbox.github.call import Body
from bot.sandbox.github.errors import ApiError, Json
from bot.sandbox.github.faults import GitHubFault
from bot.sandbox.github.git import GitCommandError
from bot.sandbox.github.model import Pull
from bot.sandbox.github.render import instant
from bot.sandbox.github.repository import Repository
from bot.sandbox.github.sandbox import GitHubSandbox
from bot.sandbox.guard import own_page_only

T = TypeVar("T")
B = TypeVar("B", bound=Body)
_PLAIN = {"X-Content-Type-Options": "nosniff"}


class MergeChoice(Body):
    """How to merge."""

    method: str = "merge"


class Push(Body):
    """Files to commit to a branch as another person; null removes a file."""

    branch: str
    files: dict[str, str | None]
    message: str = "Change files"


class Check(Body):
    """A check run for a pull request's head; without a conclusion it is queued."""

    name: str
    conclusion: str | None = None


class NewFault(Body):
    """What `GitHubSandbox.fail` takes."""

    operation: str
    kind: GitHubFault = Field(strict=False)
    times: int | None = Field(default=1, ge=1)
    """None: until cleared."""
    seconds: float = Field(default=60.0, ge=0)


class GitHubControl:
    """The routes. `?repository=owner/name` chooses a repository; the default is the first one created."""

    def __init__(self, sandbox: GitHubSandbox) -> None:
        self._sandbox = sandbox
        self._prefix = ""

    def setup(self, app: web.Application, prefix: str) -> None:
        """Mount the routes. Do this before the API's own routes: the last of those matches every path."""
        self._prefix = prefix
        control, page = f"{self._prefix}/control", f"{self._prefix}/{{owner}}/{{repo}}/pull/{{number:\\d+}}"
        one = f"{control}/pulls/{{number:\\d+}}"
        app.add_routes(
            [
                web.get(page, own_page_only(self._page)),
                web.get(f"{page}.diff", own_page_only(self._page_diff)),
                web.get(f"{control}/pulls", own_page_only(self._pulls)),
                web.get(one, own_page_only(self._pull)),
                web.post(f"{one}/merge", own_page_only(self._merge)),
                web.post(f"{one}/close", own_page_only(self._close)),
                web.post(f"{one}/checks", own_page_only(self._check)),
                web.post(f"{control}/push", own_page_only(self._push)),
                web.get(f"{control}/faults", own_page_only(self._faults)),
                web.post(f"{control}/faults", own_page_only(self._fail)),
                web.delete(f"{control}/faults", own_page_only(self._heal)),
                web.get(f"{control}/journal", own_page_only(self._journal)),
            ]
        )

    # For a browser

    async def _page(self, request: web.Request) -> web.Response:
        repository, pull = self._named(request)
        state = "merged" if pull.merged else pull.state
        lines = [
            f"{pull.title} (#{pull.number}, {state})",
            f"{repository.full_name}: {pull.head_ref} into {pull.base_ref}",
            pull.body or "",
            self._sandbox.diffstat(pull, repository.full_name),
            self._sandbox.diff(pull, repository.full_name),
        ]
        # Plain text: nothing in a pull request can become markup.
        return web.Response(text="\n\n".join(lines), content_type="text/plain", headers=_PLAIN)

    async def _page_diff(self, request: web.Request) -> web.Response:
        repository, pull = self._named(request)
        diff = self._sandbox.diff(pull, repository.full_name)
        return web.Response(text=diff, content_type="text/plain", headers=_PLAIN)

    def _named(self, request: web.Request) -> tuple[Repository, Pull]:
        try:
            repository = self._sandbox.hub.repository(request.match_info["owner"], request.match_info["repo"])
            return repository, repository.pull(int(request.match_info["number"]))
        except ApiError:
            raise web.HTTPNotFound(text="No such pull request.") from None

    # For the sandbox page

    async def _pulls(self, request: web.Request) -> web.Response:
        repository = self._repository(request)
        return web.json_response([self._summary(repository, pull) for pull in repository.pulls()])

    async def _pull(self, request: web.Request) -> web.Response:
        repository, pull = self._chosen(request)
        shown = self._summary(repository, pull) | {
            "body": pull.body,
            "diff": self._sandbox.diff(pull, repository.full_name),
            "comments": [{"author": one.author.login, "body": one.body} for one in pull.comments],
            "statuses": {s.context: s.state for s in repository.records.statuses.get(pull.head_sha, [])},
            "checks": {
                run.name: run.conclusion or run.status
                for run in repository.records.check_runs.values()
                if run.head_sha == pull.head_sha
            },
        }
        return web.json_response(shown)

    async def _merge(self, request: web.Request) -> web.Response:
        repository, pull = self._chosen(request)
        sent = await _body(request, MergeChoice)
        await _answered(self._sandbox.merge_pull(pull.number, method=sent.method, repository=repository.full_name))
        return web.json_response(self._summary(repository, pull))

    async def _close(self, request: web.Request) -> web.Response:
        repository, pull = self._chosen(request)
        await _answered(self._sandbox.close_pull(pull.number, repository=repository.full_name))
        return web.json_response(self._summary(repository, pull))

    async def _check(self, request: web.Request) -> web.Response:
        repository, pull = self._chosen(request)
        sent = await _body(request, Check)
        await self._sandbox.set_check(pull.head_sha, sent.name, sent.conclusion, repository=repository.full_name)
        return web.json_response(self._summary(repository, pull), status=201)

    async def _push(self, request: web.Request) -> web.Response:
        repository = self._repository(request)
        sent = await _body(request, Push)
        files = {path: None if text is None else text.encode() for path, text in sent.files.items()}
        push = self._sandbox.push_commit(sent.branch, files, message=sent.message, repository=repository.full_name)
        return web.json_response({"branch": sent.branch, "sha": await _answered(push)}, status=201)

    async def _faults(self, _request: web.Request) -> web.Response:
        return web.json_response([asdict(planned) for planned in self._sandbox.faults.planned])

    async def _fail(self, request: web.Request) -> web.Response:
        sent = await _body(request, NewFault)
        try:
            self._sandbox.fail(sent.operation, sent.kind, sent.times, seconds=sent.seconds)
        except ValueError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        return web.json_response(sent.model_dump(), status=201)

    async def _heal(self, _request: web.Request) -> web.Response:
        self._sandbox.faults.clear()
        return web.Response(status=204)

    async def _journal(self, _request: web.Request) -> web.Response:
        calls = [asdict(entry) for entry in self._sandbox.journal]
        return web.json_response({"calls": calls, "unexpected": self._sandbox.unexpected})

    def _repository(self, request: web.Request) -> Repository:
        try:
            return self._sandbox.repository(request.query.get("repository"))
        except (KeyError, StopIteration):
            raise web.HTTPNotFound(text="No such repository.") from None

    def _chosen(self, request: web.Request) -> tuple[Repository, Pull]:
        repository = self._repository(request)
        try:
            return repository, repository.pull(int(request.match_info["number"]))
        except ApiError:
            raise web.HTTPNotFound(text="No such pull request.") from None

    def _summary(self, repository: Repository, pull: Pull) -> Json:
        return {
            "repository": repository.full_name,
            "number": pull.number,
            "url": f"{self._prefix}/{repository.full_name}/pull/{pull.number}",
            "title": pull.title,
            "state": "merged" if pull.merged else pull.state,
            "draft": pull.draft,
            "branch": pull.head_ref,
            "base": pull.base_ref,
            "head_sha": pull.head_sha,
            "author": pull.author.login,
            "labels": [label.name for label in pull.labels],
            "reviewers": [account.login for account in pull.reviewers] + pull.teams,
            "created_at": instant(pull.created_at),
            "diffstat": self._sandbox.diffstat(pull, repository.full_name),
        }


async def _body(request: web.Request, shape: type[B]) -> B:
    try:
        return shape.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from None


async def _answered(act: Awaitable[T]) -> T:
    try:
        return await act
    except ApiError as error:
        raise web.HTTPConflict(text=error.message) from None
    except GitCommandError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from None
