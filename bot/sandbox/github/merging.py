"""GitHub's auto-merge, switched on and off in GraphQL: merges a pull request once it is allowed.

Required checks apply to the default branch, the only protected one.
"""

import re

from pydantic import Field

from bot.sandbox.github.call import Answer, ApiRoute, Body, Call
from bot.sandbox.github.errors import ApiError, Json
from bot.sandbox.github.model import Pull, now
from bot.sandbox.github.render import account_json, node_id
from bot.sandbox.github.repository import Repository


class AutoMergeInput(Body):
    """The input of both mutations."""

    pull_request_id: str = Field(alias="pullRequestId")
    merge_method: str = Field(default="MERGE", alias="mergeMethod")
    expected_head_oid: str | None = Field(default=None, alias="expectedHeadOid")


class Variables(Body):
    """The variables of a mutation."""

    input: AutoMergeInput


class GraphQlQuery(Body):
    """POST graphql."""

    query: str
    variables: Variables


MUTATION = re.compile(r"\b(enablePullRequestAutoMerge|disablePullRequestAutoMerge)\s*\(")


def merge_ready(repository: Repository) -> None:
    """Merge every pull request that has auto-merge on and now meets its rules."""
    for pull in repository.pulls():
        if pull.auto_merge and pull.state == "open" and repository.merge_state(pull) == "clean":
            by = pull.auto_merge_by or pull.author
            repository.merge_pull(pull, by, method=pull.auto_merge.lower())


def graphql(call: Call) -> Answer:
    """Switch auto-merge on or off; a refusal is a 200 with `errors`, as usual in GraphQL."""
    sent = call.body(GraphQlQuery)
    found = MUTATION.search(sent.query)
    if found is None:
        raise ApiError(400, "Only the mutations of auto-merge are supported here", unexpected=True)
    asked = sent.variables.input
    repository, pull = _pull(call, asked.pull_request_id)
    if found[1] == "disablePullRequestAutoMerge":
        refusal = None if pull.auto_merge else "Can't disable auto-merge for this pull request"
        pull.auto_merge = pull.auto_merge_by = None
    else:
        refusal = _refusal(repository, pull, asked)
        if refusal is None:
            pull.auto_merge, pull.auto_merge_by = asked.merge_method, call.caller.account
    pull.updated_at = now()
    repository.save()
    return Answer(200, _answer(call, found[1], refusal))


def _refusal(repository: Repository, pull: Pull, asked: AutoMergeInput) -> str | None:
    state = repository.merge_state(pull)
    if not repository.allow_auto_merge:
        return "Pull request Auto merge is not allowed for this repository"
    if asked.expected_head_oid not in (None, pull.head_sha):
        return "Head branch was modified. Review and try the merge again."
    # A pull request that can be merged at once has nothing to wait for.
    return f"Pull request Pull request is in {state} status" if state not in ("blocked", "behind") else None


def _answer(call: Call, mutation: str, refusal: str | None) -> Json:
    if refusal is not None:
        error: Json = {"type": "UNPROCESSABLE", "path": [mutation], "message": refusal}
        return {"data": {mutation: None}, "errors": [error]}
    account = account_json(call.root, call.caller.account)
    actor: Json = {"avatarUrl": "", "login": account["login"], "resourcePath": "/", "url": account["html_url"]}
    return {"data": {mutation: {"actor": actor, "clientMutationId": None}}}


def _pull(call: Call, wanted: str) -> tuple[Repository, Pull]:
    for repository in call.hub.repositories.values():
        for pull in repository.pulls():
            if node_id("Pull", pull.id) == wanted:
                return repository, pull
    raise ApiError(404, f"Could not resolve to a node with the global id of '{wanted}'")


ROUTES = (ApiRoute("graphql", "POST", "/graphql", graphql, "pull_requests:write"),)
