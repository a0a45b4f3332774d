"""The stand-in for GitHub answers as GitHub's own description says."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.sandbox.github import accounts
from bot.sandbox.github.api import ROUTES
from tests import harness
from tests.github_openapi import NEEDED, DescribedGitHub, description

pytestmark = NEEDED


def test_every_call_is_one_of_githubs() -> None:
    """Every operation and method exists at GitHub; GraphQL has its own description."""
    known = {(operation.id, operation.method) for operation in description().operations}
    ours = {(route.operation, route.method) for route in (*accounts.APP_ROUTES, *ROUTES)}
    assert ours - known == {("graphql", "POST")}


async def test_from_the_approval_to_the_merge_everything_is_as_described(database_url: str, tmp_path: Path) -> None:
    """An unmodified client runs a whole pull request; every response and every webhook is checked."""
    hook = "hook-of-the-tests"
    async with harness.world(
        database_url, tmp_path, github=DescribedGitHub, github_webhook_secret=SecretStr(hook)
    ) as world:
        github = world.github
        assert isinstance(github, DescribedGitHub)
        github.webhooks.set_up(f"{world.url}/github/webhooks", hook)
        card = await world.submit()
        await world.alice.approves(card)
        pull = await world.pull(card)
        await github.set_check(pull.head_sha, "tests", "success")
        await card.shows("All checks passed")
        await github.merge_pull(pull.number)
        await card.shows("Merged")
        await world.settle()
        await card.told_in_thread("was merged")
    assert {method for method, _, _, _ in github.answers} >= {"GET", "POST"}
    assert {delivery.event for delivery in github.webhooks.deliveries} >= {"pull_request", "check_run", "push"}
    assert github.misdescribed() == []


@pytest.mark.parametrize(
    ("broken", "place"),
    [({"number": "1"}, "$[0].number: '1'"), ({"title": None}, "$[0].title: None"), ({}, "'_links'")],
)
def test_an_answer_that_is_otherwise_is_found(broken: dict[str, object], place: str) -> None:
    """A wrong type, a forbidden null and a missing field are each reported with their place."""
    operation = description().operation("GET", "/repos/acme/shop/pulls")
    assert operation is not None
    assert operation.id == "pulls/list"
    assert any(place in fault for fault in description().faults(operation, 200, [broken]))
