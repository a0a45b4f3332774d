"""The routes for commit statuses, which anyone may set, and check runs, which only an App may set."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from bot.sandbox.github.call import Answer, ApiRoute, Body, Call
from bot.sandbox.github.errors import ApiError, not_found, validation_failed
from bot.sandbox.github.model import CheckRun, CommitStatus, now
from bot.sandbox.github.repos import required_commit
from bot.sandbox.github.repository import Repository

STATES = ("error", "failure", "pending", "success")
Conclusion = Literal["action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out"]
Progress = Literal["queued", "in_progress", "completed"]


class NewStatus(Body):
    """POST statuses/{sha}."""

    state: str
    context: str = "default"
    target_url: str | None = None
    description: str | None = Field(default=None, max_length=140)


class Output(Body):
    """The text of a check run; the lengths are those of GitHub's OpenAPI description."""

    title: str | None = None
    summary: str | None = Field(default=None, max_length=65_535)
    text: str | None = Field(default=None, max_length=65_535)


class CheckRunEdit(Body):
    """PATCH check-runs/{id}; a missing field stays unchanged."""

    name: str | None = None
    status: Progress | None = None
    conclusion: Conclusion | None = None
    details_url: str | None = None
    external_id: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    output: Output | None = None


class NewCheckRun(CheckRunEdit):
    """POST check-runs."""

    name: str
    head_sha: str


def create_status(call: Call) -> Answer:
    """Set a status on a commit."""
    repository, sent = call.repository, call.body(NewStatus)
    sha = required_commit(call, call.arguments["sha"])
    if sent.state not in STATES:
        raise validation_failed("Status", "custom", field="state", message="state is not included in the list")
    status = CommitStatus(
        repository.next_id(), call.caller.account, sent.state, sent.context, sent.target_url, sent.description
    )
    repository.records.statuses.setdefault(sha, []).append(status)
    return Answer(201, call.render.status(status, sha))


def list_statuses(call: Call) -> Answer:
    """Answer with every status of a commit, newest first."""
    sha, render = required_commit(call, call.arguments["ref"]), call.render
    return call.page([render.status(status, sha) for status in reversed(call.repository.records.statuses.get(sha, []))])


def combined_status(call: Call) -> Answer:
    """Answer with the newest status of each context, and the combined state."""
    sha, render = required_commit(call, call.arguments["ref"]), call.render
    newest = {status.context: status for status in call.repository.records.statuses.get(sha, [])}
    states = {status.state for status in newest.values()}
    failed = bool(states & {"error", "failure"})
    state = "failure" if failed else "success" if states == {"success"} else "pending"
    return Answer(
        200,
        {
            "sha": sha,
            "state": state,
            "total_count": len(newest),
            "statuses": [render.status(status, sha) for status in newest.values()],
            "repository": render.repo(),
            "url": f"{render.url}/commits/{sha}/status",
            "commit_url": f"{render.url}/commits/{sha}",
        },
    )


def create_check_run(call: Call) -> Answer:
    """Start or report a check run; 403 for a personal token."""
    _require_app(call)
    repository, sent = call.repository, call.body(NewCheckRun)
    sha = required_commit(call, sent.head_sha)
    run = add_check_run(repository, sha, sent.name)
    _edit(run, sent)
    return Answer(201, call.render.check_run(run))


def update_check_run(call: Call) -> Answer:
    """Change a check run."""
    _require_app(call)
    run, sent = _run(call), call.body(CheckRunEdit)
    _edit(run, sent)
    return Answer(200, call.render.check_run(run))


def get_check_run(call: Call) -> Answer:
    """Answer with one check run."""
    return Answer(200, call.render.check_run(_run(call)))


def list_check_runs(call: Call) -> Answer:
    """Answer with the check runs of a commit: the newest of each name, or all of them."""
    sha, render = required_commit(call, call.arguments["ref"]), call.render
    wanted = call.choice("filter", "latest", "latest", "all")
    runs = [run for run in call.repository.records.check_runs.values() if run.head_sha == sha]
    if wanted == "latest":
        runs = list({run.name: run for run in runs}.values())
    for name, value in (("check_name", "name"), ("status", "status")):
        if name in call.query:
            runs = [run for run in runs if getattr(run, value) == call.query[name]]
    page = call.page([render.check_run(run) for run in runs])
    return Answer(200, {"total_count": len(runs), "check_runs": page.content}, page.headers)


def add_check_run(repository: Repository, sha: str, name: str) -> CheckRun:
    """Queue a check run on a commit."""
    no_text: dict[str, str | None] = {"title": None, "summary": None, "text": None}
    run = CheckRun(repository.next_id(), name, sha, "queued", None, None, None, no_text, now(), None)
    repository.records.check_runs[run.id] = run
    return run


def conclude(run: CheckRun, conclusion: str | None, completed_at: datetime | None = None) -> None:
    """Complete a check run with a conclusion."""
    run.status, run.conclusion = "completed", conclusion
    run.completed_at = completed_at or now()


def _edit(run: CheckRun, sent: CheckRunEdit) -> None:
    if sent.status == "completed" and sent.conclusion is None and run.conclusion is None:
        raise validation_failed("CheckRun", "missing_field", field="conclusion")
    started, completed = _instant(sent.started_at), _instant(sent.completed_at)
    run.name, run.status = sent.name or run.name, sent.status or run.status
    run.details_url, run.external_id = sent.details_url or run.details_url, sent.external_id or run.external_id
    run.started_at = started or run.started_at
    if sent.output is not None:
        run.output = dict(sent.output.model_dump())
    if sent.conclusion is not None:
        conclude(run, sent.conclusion, completed)


def _instant(text: str | None) -> datetime | None:
    try:
        moment = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise validation_failed("CheckRun", "invalid", field="started_at") from None
    return moment


def _require_app(call: Call) -> None:
    if call.caller.permissions is None:
        raise ApiError(403, "You must authenticate via a GitHub App.")


def _run(call: Call) -> CheckRun:
    found = call.repository.records.check_runs.get(int(call.arguments["run"]))
    if found is None:
        raise not_found()
    return found


_REPO = "/repos/{owner}/{repo}"
_COMMIT = f"{_REPO}/commits/{{ref:.+}}"
_RUNS = f"{_REPO}/check-runs"
_FILTERS = ("filter", "check_name", "status")
ROUTES = (
    ApiRoute("repos/create-commit-status", "POST", f"{_REPO}/statuses/{{sha}}", create_status, "statuses:write"),
    ApiRoute("repos/list-commit-statuses-for-ref", "GET", f"{_COMMIT}/statuses", list_statuses, "statuses:read"),
    ApiRoute("repos/list-commit-statuses-for-ref", "GET", f"{_REPO}/statuses/{{ref}}", list_statuses, "statuses:read"),
    ApiRoute("repos/get-combined-status-for-ref", "GET", f"{_COMMIT}/status", combined_status, "statuses:read"),
    ApiRoute("checks/create", "POST", _RUNS, create_check_run, "checks:write"),
    ApiRoute("checks/get", "GET", f"{_RUNS}/{{run:\\d+}}", get_check_run, "checks:read"),
    ApiRoute("checks/update", "PATCH", f"{_RUNS}/{{run:\\d+}}", update_check_run, "checks:write"),
    ApiRoute("checks/list-for-ref", "GET", f"{_COMMIT}/check-runs", list_check_runs, "checks:read", _FILTERS),
)
