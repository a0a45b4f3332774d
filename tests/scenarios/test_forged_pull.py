"""A pull request that another program writes into a review's row is not the bot's."""

from pathlib import Path

from tests import harness
from tests.harness import HIGH, sample
from tests.scenarios.test_way_back import hooked


async def test_a_database_administrator_who_forges_a_pull_request(database_url: str, tmp_path: Path) -> None:
    """Where the bot merges what is green, it merges no pull request that it did not open for an approval."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[pull_request]\nmerge = "when-green"\n', "utf-8")
    async with hooked(database_url, tmp_path, policy_file=policy) as world:
        card = await world.submit(sample(HIGH))
        sha = await world.github.push_commit("evil", {"README.md": b"not what anybody approved\n"}, by="mallory")
        url, token = f"{world.settings.github_api_url}/repos/sample/shop/pulls", harness.GITHUB_TOKEN
        opened = {"title": "x", "head": "evil", "base": "main"}
        async with world.http.post(url, json=opened, headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 201
        state = f"jsonb_build_object('approved_head', '{sha}', 'head', '{sha}', 'base', 'main')"
        forged = f"status = 'pr_open', pr_number = 1, pr_url = 'x', pr_branch = 'evil', pull = {state}"
        await world.rows(f"UPDATE apv_reviews SET {forged} RETURNING 1")
        await world.github.set_check(sha, "tests", "success")
        await card.shows("All checks passed")
        await world.settle()
        await world.github.set_check(sha, "tests", "success")
        await world.settle()
        assert world.github.pulls()[0].state == "open"
        assert card.thread
