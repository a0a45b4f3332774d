"""Webhooks: the difference before and after a call becomes signed deliveries, in any order.

Like GitHub, it does not retry a delivery automatically.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp

from bot.sandbox.github import history
from bot.sandbox.github.errors import Json
from bot.sandbox.github.model import Account, CheckRun, Pull
from bot.sandbox.github.render import Renderer, account_json
from bot.sandbox.github.repository import HEADS, Repository
from bot.sandbox.github.reviews import render_review

NOTHING = "0" * 40


@dataclass
class WebhookDelivery:
    """One webhook; `status` is that of the last answer, None before it or when nobody answered."""

    event: str
    body: bytes
    id: str = field(default_factory=lambda: str(uuid4()))
    status: int | None = None


@dataclass(frozen=True)
class _PullBefore:
    state: str
    head: str
    draft: bool
    asked: frozenset[str]
    labels: frozenset[str]
    reviews: int


@dataclass(frozen=True)
class Snapshot:
    """The state of a repository that webhooks are computed from."""

    branches: dict[str, str]
    pulls: dict[int, _PullBefore]
    runs: dict[int, str]
    statuses: dict[str, int]

    @classmethod
    def of(cls, repository: Repository) -> "Snapshot":
        """Take a snapshot."""
        records = repository.records
        return cls(
            repository.branches(),
            {pull.number: _before(pull) for pull in repository.pulls()},
            {run.id: run.status for run in records.check_runs.values()},
            {sha: len(statuses) for sha, statuses in records.statuses.items()},
        )


def _before(pull: Pull) -> _PullBefore:
    asked = frozenset([account.login for account in pull.reviewers] + pull.teams)
    labels = frozenset(label.name for label in pull.labels)
    return _PullBefore(pull.state, pull.head_sha, pull.draft, asked, labels, len(pull.reviews))


class Webhooks:
    """The one webhook of all repositories. Without a `url` it sends nothing. `root` starts every address in it."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.secret = ""
        self.root = ""
        self.paused = False
        """When true, deliveries are recorded but not sent; `send` sends one."""
        self.deliveries: list[WebhookDelivery] = []
        self._pending: list[WebhookDelivery] = []
        self._sending: set[asyncio.Task[None]] = set()

    def set_up(self, url: str, secret: str) -> None:
        """Send to `url`, signed with `secret`."""
        self.url, self.secret = url, secret

    def note(self, before: Snapshot, repository: Repository, sender: Account) -> None:
        """Queue the events since `before`. Call it where the state may be read."""
        events = _Events(Renderer(self.root, repository), repository, account_json(self.root, sender))
        for name, payload in events.since(before):
            self._pending.append(WebhookDelivery(name, json.dumps(payload).encode()))

    def flush(self) -> None:
        """Send the queued events, each in its own task. Call it on the event loop."""
        pending, self._pending = self._pending, []
        self.deliveries += pending
        for delivery in pending if not self.paused else ():
            task = asyncio.ensure_future(self.send(delivery))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def send(self, delivery: WebhookDelivery) -> None:
        """Send a delivery, or send it again; it keeps its id."""
        signature = hmac.new(self.secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/sandbox",
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Delivery": delivery.id,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        timeout = aiohttp.ClientTimeout(total=10)  # GitHub waits ten seconds
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self.url or "", data=delivery.body, headers=headers) as answer,
            ):
                delivery.status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            delivery.status = None

    async def close(self) -> None:
        """Cancel the deliveries in progress."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)


@dataclass(frozen=True)
class _Events:
    render: Renderer
    repository: Repository
    sender: Json

    def since(self, before: Snapshot) -> Iterator[tuple[str, Json]]:
        """Yield the name and payload of every event."""
        after = self.repository.branches()
        for branch in sorted(before.branches.keys() | after.keys()):
            if before.branches.get(branch) != after.get(branch):
                yield from self._moved(branch, before.branches.get(branch), after.get(branch))
        for pull in self.repository.pulls():
            for action in _actions(before.pulls.get(pull.number), pull):
                yield "pull_request", self._payload(action, number=pull.number, pull_request=self._pull(pull))
            known = before.pulls.get(pull.number)
            for review in pull.reviews[known.reviews if known else 0 :]:
                shown = render_review(self.render, pull, review)
                yield "pull_request_review", self._payload("submitted", review=shown, pull_request=self._pull(pull))
        for run in self.repository.records.check_runs.values():
            if before.runs.get(run.id) != run.status:
                yield "check_run", self._payload(_action(before, run), check_run=self._check_run(run))
        for sha, statuses in self.repository.records.statuses.items():
            for status in statuses[before.statuses.get(sha, 0) :]:
                branches = [self.render.branch(name, head) for name, head in after.items() if head == sha]
                shown = self.render.status(status, sha)
                about = {
                    "name": self.repository.full_name,
                    "commit": self.render.commit(self.repository.git.commit(sha)),
                }
                yield "status", self._payload(None, **shown, **about, sha=sha, branches=branches)

    def _payload(self, action: str | None, **parts: object) -> Json:
        named: Json = {} if action is None else {"action": action}
        return named | parts | {"repository": self.render.repo(), "sender": self.sender}

    def _moved(self, branch: str, old: str | None, new: str | None) -> Iterator[tuple[str, Json]]:
        yield (
            "push",
            self._payload(
                None,
                ref=HEADS + branch,
                base_ref=None,
                compare=f"{self.render.html_url}/compare/{old or NOTHING}...{new or NOTHING}",
                before=old or NOTHING,
                after=new or NOTHING,
                created=old is None,
                deleted=new is None,
                forced=False,
                commits=[],
                head_commit=None,
                pusher={"name": self.sender["login"]},
            ),
        )
        if new is None:
            yield "delete", self._payload(None, ref=branch, ref_type="branch", pusher_type="user")

    def _pull(self, pull: Pull) -> Json:
        git = self.repository.git
        commits = history.commits_between(git, pull.base_sha, pull.head_sha)
        files = history.changes(git, pull.base_sha, pull.head_sha)
        return self.render.pull_in_full(pull, len(commits), files, state="unknown")

    def _check_run(self, run: CheckRun) -> Json:
        pulls = [pull for pull in self.repository.pulls() if pull.head_sha == run.head_sha]
        here = {"id": self.repository.id, "name": self.repository.name, "url": self.render.url}
        about = [
            {
                "id": p.id,
                "number": p.number,
                "url": f"{self.render.url}/pulls/{p.number}",
                "head": {"ref": p.head_ref, "sha": p.head_sha, "repo": here},
                "base": {"ref": p.base_ref, "sha": p.base_sha, "repo": here},
            }
            for p in pulls
        ]
        suite: Json = {
            "id": run.id,
            "head_branch": pulls[0].head_ref if pulls else None,
            "head_sha": run.head_sha,
            "status": run.status,
            "pull_requests": about,
        }
        return self.render.check_run(run) | {"check_suite": suite, "pull_requests": about}


def _action(before: Snapshot, run: CheckRun) -> str:
    if run.status == "completed":
        return "completed"
    return "created" if run.id not in before.runs else "rerequested"


def _actions(before: _PullBefore | None, pull: Pull) -> Iterator[str]:
    if before is None:
        yield "opened"
        return
    now = _before(pull)
    if now.state != before.state:
        yield "closed" if now.state == "closed" else "reopened"
    if now.head != before.head:
        yield "synchronize"
    if now.draft != before.draft:
        yield "converted_to_draft" if now.draft else "ready_for_review"
    for _ in now.asked - before.asked:
        yield "review_requested"
    for _ in before.asked - now.asked:
        yield "review_request_removed"
    for _ in now.labels - before.labels:
        yield "labeled"
