"""The issue routes: issues, and the labels and comments that pull requests have too."""

from pydantic import Field, TypeAdapter, ValidationError

from bot.sandbox.github.call import Answer, ApiRoute, Body, Call
from bot.sandbox.github.errors import invalid_request, not_found, validation_failed
from bot.sandbox.github.model import Comment, Issue, Label, now

_NAMES = TypeAdapter(list[str])


class NewIssue(Body):
    """POST issues."""

    title: str
    body: str | None = None
    labels: list[str] = Field(default_factory=list)


class NewComment(Body):
    """POST issues/{number}/comments."""

    body: str


class NewLabel(Body):
    """POST labels."""

    name: str
    color: str = "ededed"
    description: str | None = None


def create(call: Call) -> Answer:
    """Open an issue."""
    repository, sent = call.repository, call.body(NewIssue)
    if not sent.title.strip():
        raise validation_failed("Issue", "missing_field", field="title")
    labels = [repository.label(name) for name in sent.labels]
    issue = Issue(
        id=repository.next_id(),
        number=repository.next_number(),
        author=call.caller.account,
        title=sent.title,
        body=sent.body,
        labels=labels,
    )
    repository.records.issues[issue.number] = issue
    return Answer(201, call.render.issue(issue))


def get(call: Call) -> Answer:
    """Answer with an issue or a pull request as an issue."""
    return Answer(200, call.render.issue(_issue(call)))


def list_comments(call: Call) -> Answer:
    """Answer with the comments, oldest first."""
    issue, render = _issue(call), call.render
    return call.page([render.comment(issue, comment) for comment in issue.comments])


def create_comment(call: Call) -> Answer:
    """Add a comment."""
    issue, sent = _issue(call), call.body(NewComment)
    if not sent.body.strip():
        raise validation_failed("IssueComment", "missing_field", field="body")
    comment = Comment(call.hub.next_id(), call.caller.account, sent.body)
    issue.comments.append(comment)
    issue.updated_at = now()
    return Answer(201, call.render.comment(issue, comment))


def list_issue_labels(call: Call) -> Answer:
    """Answer with the labels of an issue."""
    return call.page([call.render.label(label) for label in _issue(call).labels])


def add_labels(call: Call) -> Answer:
    """Add labels; create those that the repository does not have."""
    return _relabel(call, [label.name for label in _issue(call).labels] + _names(call))


def set_labels(call: Call) -> Answer:
    """Replace the labels."""
    return _relabel(call, _names(call))


def remove_all_labels(call: Call) -> Answer:
    """Remove every label."""
    _relabel(call, [])
    return Answer(204)


def remove_label(call: Call) -> Answer:
    """Remove one label; 404 when the issue does not have it."""
    name = call.arguments["name"].lower()
    held = [label.name for label in _issue(call).labels]
    left = [other for other in held if other.lower() != name]
    if left == held:
        raise not_found("Label does not exist")
    return _relabel(call, left)


def _relabel(call: Call, names: list[str]) -> Answer:
    issue = _issue(call)
    labels = {label.name: label for label in (call.repository.label(name) for name in names)}
    issue.labels, issue.updated_at = list(labels.values()), now()
    return Answer(200, [call.render.label(label) for label in issue.labels])


def _names(call: Call) -> list[str]:
    # GitHub documents both: a list, and an object that contains it.
    sent = call.json()
    if isinstance(sent, dict) and set(sent) == {"labels"}:
        sent = sent["labels"]
    try:
        return _NAMES.validate_python(sent, strict=True)
    except ValidationError:
        raise invalid_request('"labels" must be a list of names') from None


def list_labels(call: Call) -> Answer:
    """Answer with the labels of the repository."""
    return call.page([call.render.label(label) for label in call.repository.records.labels.values()])


def get_label(call: Call) -> Answer:
    """Answer with one label of the repository."""
    found = call.repository.records.labels.get(call.arguments["name"].lower())
    if found is None:
        raise not_found()
    return Answer(200, call.render.label(found))


def create_label(call: Call) -> Answer:
    """Create a label."""
    repository, sent = call.repository, call.body(NewLabel)
    if sent.name.lower() in repository.records.labels:
        raise validation_failed("Label", "already_exists", field="name")
    label = Label(repository.next_id(), sent.name, sent.color, sent.description)
    repository.records.labels[sent.name.lower()] = label
    return Answer(201, call.render.label(label))


def _issue(call: Call) -> Issue:
    found = call.repository.records.issues.get(call.number())
    if found is None:
        raise not_found()
    return found


_REPO = "/repos/{owner}/{repo}"
_ISSUES = f"{_REPO}/issues"
_ONE = f"{_ISSUES}/{{number:\\d+}}"
_READ, _WRITE = "issues:read|pull_requests:read", "issues:write|pull_requests:write"
ROUTES = (
    ApiRoute("issues/create", "POST", _ISSUES, create, "issues:write"),
    ApiRoute("issues/get", "GET", _ONE, get, _READ),
    ApiRoute("issues/list-comments", "GET", f"{_ONE}/comments", list_comments, _READ),
    ApiRoute("issues/create-comment", "POST", f"{_ONE}/comments", create_comment, _WRITE),
    ApiRoute("issues/list-labels-on-issue", "GET", f"{_ONE}/labels", list_issue_labels, _READ),
    ApiRoute("issues/add-labels", "POST", f"{_ONE}/labels", add_labels, _WRITE),
    ApiRoute("issues/set-labels", "PUT", f"{_ONE}/labels", set_labels, _WRITE),
    ApiRoute("issues/remove-all-labels", "DELETE", f"{_ONE}/labels", remove_all_labels, _WRITE),
    ApiRoute("issues/remove-label", "DELETE", f"{_ONE}/labels/{{name}}", remove_label, _WRITE),
    ApiRoute("issues/list-labels-for-repo", "GET", f"{_REPO}/labels", list_labels, _READ),
    ApiRoute("issues/get-label", "GET", f"{_REPO}/labels/{{name}}", get_label, _READ),
    ApiRoute("issues/create-label", "POST", f"{_REPO}/labels", create_label, _WRITE),
)
