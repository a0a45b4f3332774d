"""Who approved, as maintainers read it on GitHub: in the pull request and on the commit."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from tests import harness
from tests.harness import HIGH, Card, World, api_token, sample, token_text

WHY = "All tests pass with the patch."
POLICY = "[severity.high]\napprovals = 2\nhumans = 1\n"


def app_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def ci_approves(world: World, card: Card) -> None:
    """A pipeline with a token of its own, which belongs to nobody."""
    asked = {"apv_id": card.code, "decision": "approve", "justification": WHY, "reviewer_name": "Alice"}
    asked["digest"] = (await world.review(card))["digest"]
    headers = {"Authorization": f"Bearer {token_text('ci')}"}
    async with world.http.post(f"{world.url}/hitl/decisions", json=asked, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def test_the_approvals_in_force_are_in_the_pull_request_and_on_its_check(
    database_url: str, tmp_path: Path
) -> None:
    """By id and address, whatever they call themselves; not the one that was withdrawn; a machine is called one."""
    (tmp_path / "policy.toml").write_text(POLICY, "utf-8")
    settings: dict[str, Any] = {
        "github_token": None,
        "github_app_id": "1",
        "github_installation_id": 1,
        "github_app_private_key": SecretStr(app_key()),
        "policy_file": tmp_path / "policy.toml",
        "api_tokens": (api_token("scanner", "read+submit"), api_token("ci", "read+decide")),
    }
    async with harness.world(database_url, tmp_path, **settings) as world:
        world.slack.user("bob").real_name = "@alice fixes #1"
        card = await world.submit(sample(HIGH))
        await world.alice.approves(card)
        assert "withdrawn" in await world.alice.types(f"withdraw {card.code}")
        await ci_approves(world, card)
        await world.bob.approves(card)
        pull = await world.pull(card)
        await world.settle()
        (run,) = world.github.repository().records.check_runs.values()
        assert (run.name, run.head_sha, run.conclusion) == ("apv-bot/approved", pull.head_sha, "success")
        bob, alice = world.slack.user("bob"), world.slack.user("alice")
        for told in (pull.body or "", run.output["summary"] or ""):
            assert f"(`{bob.id}`, `{bob.email}`)" in told
            assert "`ci` (machine, `token:ci`)" in told
            assert f"`{WHY}`" in told
            assert alice.id not in told
        assert "ci (machine)" in (run.output["title"] or "")
        await card.told_in_thread("is open")


async def test_a_commit_status_names_them_too(world: World) -> None:
    """With a token the bot may set no check run; the status has the names."""
    card = await world.submit(sample(HIGH))
    await world.alice.approves(card)
    pull = await world.pull(card)
    await card.told_in_thread("is open")
    (status,) = world.github.repository().records.statuses[pull.head_sha]
    assert (status.description or "").startswith(f"{card.code} was approved (1 approval, ")
    assert (status.description or "").endswith(": Alice")
