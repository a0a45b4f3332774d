"""Handles each call: authentication, limits, faults, the handler, the journal.

Invariant: one call at a time touches the state, on one thread; each call wakes those who wait in `changed`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from bot.sandbox.faults import FaultPlan, PlannedFault
from bot.sandbox.github import accounts, checks, issues, merging, objects, pulls, repos, reviews
from bot.sandbox.github.call import Answer, ApiRoute, Call
from bot.sandbox.github.errors import ApiError
from bot.sandbox.github.faults import GitHubFault, refusal
from bot.sandbox.github.hub import Caller, Hub, TokenBudget
from bot.sandbox.github.model import Account
from bot.sandbox.github.repository import Repository
from bot.sandbox.github.webhooks import Snapshot, Webhooks

T = TypeVar("T")
ROUTES: tuple[ApiRoute, ...] = (
    *accounts.ROUTES, *objects.ROUTES, *pulls.ROUTES, *reviews.ROUTES, *issues.ROUTES, *checks.ROUTES, *repos.ROUTES,
    *merging.ROUTES,
)  # fmt: skip


@dataclass(frozen=True)
class JournalEntry:
    """One call and its answer. `status` is None when the connection was cut."""

    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    body: str
    status: int | None
    fault: GitHubFault | None


class GitHubApi:
    """The API of one hub over HTTP."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.journal: list[JournalEntry] = []
        self.unexpected: list[str] = []
        self.faults = FaultPlan[GitHubFault]()
        self.webhooks = Webhooks()
        self._changed = asyncio.Condition()
        self._stopping = asyncio.Event()
        # A thread of its own keeps git off the event loop, and the state needs no lock.
        self._thread = ThreadPoolExecutor(1, "github-sandbox")
        self._prefix = ""

    def setup(self, app: web.Application, prefix: str) -> None:
        """Mount the API under `prefix`, which may be empty. Any other path there is 404 and noted as unexpected."""
        self._prefix, self._stopping = prefix, asyncio.Event()
        for route in (*accounts.APP_ROUTES, *ROUTES):
            app.router.add_route(route.method, prefix + route.path, self._serving(route))
        if prefix:
            app.router.add_route("GET", prefix, self._serving(ROUTES[0]))
        app.router.add_route("*", prefix + "/{unknown:.*}", self._serve_unknown)
        app.on_shutdown.append(self._stop)

    async def _stop(self, _app: web.Application) -> None:
        self._stopping.set()
        await self.webhooks.close()

    # For tests: wait for a change, inject a fault

    async def changed(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """Return once `predicate` is true, checked after each call and act; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(predicate)

    def fail(self, operation: str, kind: GitHubFault | str, times: int | None = 1, *, seconds: float = 60.0) -> None:
        """Make the next `times` calls of an operation fail (None: every call until the faults are cleared).

        `operation` is GitHub's operation id (`pulls/create`) or `*`. `seconds` is how long a rate limit asks the
        caller to wait, or how long a slow answer takes.
        """
        known = {route.operation for route in (*accounts.APP_ROUTES, *ROUTES)} | {"*"}
        if operation not in known:
            raise ValueError(f"unknown operation {operation!r}; known: {', '.join(sorted(known))}")
        self.faults.planned.append(PlannedFault(operation, GitHubFault(kind), times, seconds=seconds))

    # Handling a call

    async def act(self, repository: Repository, act: Callable[[], T], by: str = "maintainer") -> T:
        """Change a repository as a person would: one at a time, saved, with webhooks, and waking those who wait."""
        return await self._run(lambda: self._changing(repository, Account(by), act))

    def _changing(self, repository: Repository, sender: Account, act: Callable[[], T]) -> T:
        """Make a change to a repository, and everything that follows from it."""
        before = Snapshot.of(repository) if self.webhooks.url else None
        done = act()
        merging.merge_ready(repository)
        repository.save()
        if before is not None:
            self.webhooks.note(before, repository, sender)
        return done

    async def _run(self, work: Callable[[], T]) -> T:
        done = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        self.webhooks.flush()
        async with self._changed:
            self._changed.notify_all()
        return done

    def _serving(self, route: ApiRoute) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, route)

        return serve

    async def _serve(self, request: web.Request, route: ApiRoute) -> web.StreamResponse:
        raw = await request.content.read()  # not limited by the server's maximum size
        planned = self.faults.take(route.operation)
        fault = None if planned is None else planned.kind
        if planned is not None and fault is GitHubFault.SLOW:
            await self._wait(planned.seconds)
        rate = self.hub.anonymous
        try:
            caller = self._authenticate(request, route)
            rate = caller.rate
            self._admit(caller, route)
            call = self._call(request, route, caller, raw)
            if fault is None or fault is GitHubFault.SLOW or fault.after:
                answer = await self._run(lambda: self._work(route, call))
            if planned is not None and fault is not GitHubFault.SLOW:
                answer = refusal(planned)
        except ApiError as error:
            answer = self._refuse(request, error)
        status = None if fault is not None and fault.drops else answer.status
        await self._record(request, route.operation, raw, status, fault)
        if status is None and request.transport is not None:
            request.transport.abort()
        return _respond(answer, rate)

    def _authenticate(self, request: web.Request, route: ApiRoute) -> Caller:
        if not request.headers.get("User-Agent"):
            sentence = "Please make sure your request has a User-Agent header."
            raise ApiError(403, f"Request forbidden by administrative rules. {sentence}", unexpected=True)
        if route in accounts.APP_ROUTES:
            return self.hub.app_caller
        return self.hub.authenticate(request.headers.get("Authorization"))

    def _admit(self, caller: Caller, route: ApiRoute) -> None:
        if route.operation != "rate-limit/get":
            caller.rate.spend()
        if not _permitted(caller, route):
            raise ApiError(403, "Resource not accessible by integration")

    def _call(self, request: web.Request, route: ApiRoute, caller: Caller, raw: bytes) -> Call:
        unknown = set(request.query) - {"page", "per_page", *route.query}
        if unknown:
            self.unexpected.append(f"{request.method} {request.path}: unknown query {', '.join(sorted(unknown))}")
        self.webhooks.root = f"{request.scheme}://{request.host}{self._prefix}"
        return Call(
            hub=self.hub,
            caller=caller,
            root=self.webhooks.root,
            path=request.raw_path.partition("?")[0].removeprefix(self._prefix),
            arguments=dict(request.match_info),
            query=dict(request.query),
            raw=raw,
            authorization=request.headers.get("Authorization"),
        )

    def _refuse(self, request: web.Request, error: ApiError) -> Answer:
        if error.unexpected:
            self.unexpected.append(f"{request.method} {request.path}: {error.message}")
        return Answer(error.status, error.body())

    async def _serve_unknown(self, request: web.Request) -> web.StreamResponse:
        error = ApiError(404, "Not Found", unexpected=True)
        answer = self._refuse(request, error)
        await self._record(request, "unknown", await request.read(), answer.status, None)
        return _respond(answer, self.hub.anonymous)

    async def _record(
        self, request: web.Request, operation: str, raw: bytes, status: int | None, fault: GitHubFault | None
    ) -> None:
        body, query = raw.decode(errors="replace"), dict(request.query)
        self.journal.append(JournalEntry(operation, request.method, request.path, query, body, status, fault))
        async with self._changed:
            self._changed.notify_all()

    def _work(self, route: ApiRoute, call: Call) -> Answer:
        if route.method == "GET" or "repo" not in call.arguments:
            return route.handler(call)
        return self._changing(call.repository, call.caller.account, lambda: route.handler(call))

    async def _wait(self, seconds: float) -> None:
        # Stop waiting when the server stops: a slow answer must not delay the shutdown.
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


def _permitted(caller: Caller, route: ApiRoute) -> bool:
    if caller.permissions is None or route.permission is None:
        return True
    levels = ("read", "write")
    for choice in route.permission.split("|"):
        name, level = choice.split(":")
        held = caller.permissions.get(name)
        if held is not None and levels.index(held) >= levels.index(level):
            return True
    return False


def _respond(answer: Answer, rate: TokenBudget) -> web.Response:
    shown = {
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Request-Id": f"{time.time_ns():X}",
        "X-RateLimit-Limit": str(rate.limit),
        "X-RateLimit-Remaining": str(rate.remaining),
        "X-RateLimit-Used": str(rate.used),
        "X-RateLimit-Reset": str(rate.reset),
        "X-RateLimit-Resource": "core",
    }
    shown |= answer.headers
    if answer.content is None:
        return web.Response(status=answer.status, headers=shown)
    return web.json_response(answer.content, status=answer.status, headers=shown)
