"""The policy file at work: it routes, asks for groups, freezes, and changes without a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app.process import Bot
from bot.cli import policy as commands
from bot.policies.reading import digest_of
from tests import harness
from tests.harness import CRITICAL, HIGH, Card, World, sample


class Governed(World):
    """A world whose bot has a policy file."""

    file: Path

    async def governs(self, text: str) -> None:
        """Write the file, and wait until it is in force."""
        self.file.write_text(text, "utf-8")
        bot = self.bot
        assert isinstance(bot, Bot)
        await self.until(lambda: bot.policy.current().digest == digest_of(text), lambda: "the policy is not in force")

    async def refused(self, card: Card) -> list[str]:
        kind = (
            "SELECT detail ->> 'reason' AS reason FROM audit_log WHERE apv_code = :code AND kind = 'decision.refused'"
        )
        return [row["reason"] for row in await self.rows(f"{kind} ORDER BY seq", code=card.code)]

    async def policy_log(self) -> list[tuple[str, str]]:
        rows = await self.rows("SELECT kind, sentence FROM audit_log WHERE kind LIKE 'policy.%' ORDER BY seq")
        return [(row["kind"], row["sentence"]) for row in rows]


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[Governed]:
    """A bot whose policy file changes nothing yet."""
    file = tmp_path / "policy.toml"
    file.write_text("", "utf-8")
    async with harness.world(database_url, tmp_path, policy_file=file) as made:
        made.__class__ = Governed
        assert isinstance(made, Governed)
        made.file = file
        yield made


async def test_a_change_takes_effect_without_a_restart(world: Governed) -> None:
    """The new file applies to the next click; card and audit log show what is needed and the policy's digest."""
    card = await world.submit(sample(HIGH))
    text = f'[groups]\npython = ["{world.dan.id}"]\n[severity.high]\ngroups = ["python"]\n'
    await world.governs(text)
    await world.alice.approves(card)
    await card.shows("1 of 1 approval; a member of python is still needed")
    await world.dan.approves(card)
    await card.shows("pull request #1")
    before, after = digest_of("")[:8], digest_of(text)[:8]
    assert await world.policy_log() == [
        ("policy.changed", f"Policy {before} is in force."),
        ("policy.changed", f"Policy {after} is in force, in place of {before}."),
    ]
    (judged,) = await world.rows(
        "SELECT DISTINCT detail ->> 'policy' AS by FROM audit_log WHERE actor = :who", who=world.dan.id
    )
    assert judged["by"] == digest_of(text)
    (kept,) = await world.rows("SELECT content FROM policies WHERE digest = :digest", digest=digest_of(text))
    assert kept["content"] == text
    await card.thread_reads("a member of python is still needed", "Dan approved", "is open")


async def test_a_broken_file_changes_nothing_and_is_announced_once(world: Governed) -> None:
    """With two replicas the old policy stays in force, one alert names the fault, and readiness shows it."""
    card = await world.submit(sample(HIGH))
    async with world.another_bot() as other:
        await world.governs("[severity.high]\napprovals = 2\n")
        in_force = digest_of("[severity.high]\napprovals = 2\n")
        world.file.write_text("[severity.high]\napprovals = 1\naprovals = 9\n", "utf-8")
        await world.parts_are(policy="broken at line 3; the previous policy stays in force")
        # Even one that missed the file in between goes by it.
        await world.until(lambda: other.policy.current().digest == in_force, lambda: "the replicas differ")
        await world.hears("line 3: severity.high.aprovals: unknown key")
        await world.alice.approves(card)
        await card.shows("1 of 2 approvals")
        await world.governs("")
        await world.parts_are(policy="ok")
        await world.settle()
    assert len(world.slack.messages("incidents")) == 1
    assert [kind for kind, _ in await world.policy_log()] == ["policy.changed"] * 2 + [
        "policy.broken",
        "policy.changed",
    ]
    await card.thread_reads("1 of 2 approvals")


async def test_cards_and_alerts_go_where_the_route_says(world: Governed) -> None:
    """The first route that covers a review names its channel, its incident channel and its group."""
    python = world.slack.workspace.add_channel("python", [world.slack.user("alice")]).id
    alarms = world.slack.workspace.add_channel("alarms", [world.slack.user("alice")]).id
    await world.governs(
        f'[[route]]\necosystem = ["pypi"]\npackage = ["py*"]\nchannel = "{python}"\nincident_channel = "{alarms}"\n'
        'groups = ["leads"]\n'
    )
    await world.post_apv(sample(CRITICAL))
    await world.submit(sample(HIGH))
    await world.settle()
    (routed,) = world.slack.messages("python")
    (alert,) = world.slack.messages("alarms")
    world.slack.mark_read(routed, alert)
    assert "pyyaml" in routed.words
    assert "0 of 2 approvals; a lead is still needed" in routed.words
    assert "New critical APV" in alert.words
    assert len(world.cards()) == 1
    assert world.slack.messages("incidents") == []


async def test_nobody_approves_what_their_machine_proposed(world: Governed) -> None:
    """The owner of a machine account cannot approve, but may reject; others may approve."""
    await world.governs(f'[[machine]]\naccount = "Renovate[bot]"\nowners = ["{world.alice.id}"]\n')
    card = await world.submit(sample(HIGH), reporter="renovate[bot]")
    await world.alice.approves(card)
    await world.alice.is_told("is your account, so somebody else must approve it")
    await world.bob.approves(card)
    await card.shows("pull request #1")
    assert await world.refused(card) == ["own_machine"]
    await card.thread_reads("Bob approved", "is open")


async def test_nothing_is_approved_in_a_freeze_window(world: Governed) -> None:
    """Card and refusal show the end and the reason; rejecting works; after the window approving works again."""
    await world.governs(
        '[[freeze]]\nname = "Year end"\nbegins = 2020-01-01T00:00:00Z\nends = 2099-01-01T00:00:00Z\n'
        'severity = ["high"]\n'
    )
    card = await world.submit(sample(HIGH))
    await card.shows("Approvals are frozen until 2099-01-01 00:00 UTC (Year end).")
    await world.alice.approves(card)
    await world.alice.is_told("Approvals are frozen until 2099-01-01 00:00 UTC (Year end).")
    await world.bob.rejects(card, "It can wait for the year to begin.")
    await card.shows("Rejected")
    assert await world.refused(card) == ["frozen"]
    await card.thread_reads("Bob rejected")


async def test_the_policy_may_approve_without_a_person(world: Governed) -> None:
    """Enabled for a kind of patch, it opens the pull request at once; everything else waits for people."""
    await world.governs(
        '[auto_approval]\nenabled = true\nsubmitter = ["scanner"]\nseverity = ["medium"]\nconfidence = 0.5\n'
    )
    waits = await world.submit(sample(HIGH))
    likely = {"wargame_verdict": "success", "wargame_confidence": 0.9, "patch_strategy": "version_bump", "kev": False}
    card = await world.submit(sample("requests-cve-2023-32681"), severity="medium", **likely)
    await card.shows("pull request #1")
    assert await world.decisions(card) == []
    assert (await world.audit(card))[:2] == ["review.submitted", "review.approved"]
    await card.thread_reads("was approved by policy", "is open")
    assert (await world.review(waits))["status"] == "pending"


async def test_explain_and_simulate(world: Governed, capsys: pytest.CaptureFixture[str]) -> None:
    """`policy explain` shows each rule with its key; `policy simulate` shows what would be decided differently."""
    card = await world.submit(sample(HIGH))
    await world.alice.approves(card)
    await card.shows("pull request #1")
    await card.thread_reads("Alice approved", "is open")
    await commands.explain(world.settings, card.code)
    assert "needs     1 approval (severity.high.approvals)" in capsys.readouterr().out.splitlines()
    proposed = world.file.with_name("proposed.toml")
    proposed.write_text('[severity.high]\napprovals = 2\ngroups = ["leads"]\n')
    await commands.simulate(world.settings, proposed)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("1 reviews of the last 30d; 1 would be decided differently under ")
    assert rest == [
        "      1  would still wait for approvals",
        f"{card.code}  would still wait for approvals: 1 of 2 approvals; a lead is still needed",
    ]


SETUP = """--- /dev/null
+++ b/.github/actions/setup/action.yml
@@ -0,0 +1,3 @@
+name: setup
+runs:
+  using: composite
"""
SMALL = {"severity": "low", "cvss_vector": None, "cvss_score": None, "patch_strategy": "config_change"}


async def test_what_runs_before_a_merge_needs_two_people(world: Governed) -> None:
    """Under any file: a small patch to the repository's own action waits for a second person; the card says why."""
    await world.governs("[severity.low]\napprovals = 1\n")
    card = await world.submit(sample("requests-cve-2023-32681"), **SMALL, patch_diff=SETUP, kev=False)
    await card.shows("0 of 2 approvals", "Needs 2 people: touches", ".github/", "(rule: runs before merge)")
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals")
    assert (await world.review(card))["status"] == "pending"
    await world.bob.approves(card)
    await card.shows("pull request #1")
    await card.thread_reads("Alice approved", "Bob approved", "is open")
    usual = await world.submit(sample("requests-cve-2023-32681"), **SMALL, package_name="other", kev=False)
    await usual.shows("0 of 1 approval")


async def test_what_is_in_kev_is_judged_as_high(world: Governed) -> None:
    """The card shows the stated severity and says by which one the rules go."""
    await world.governs("[severity.high]\napprovals = 2\n")
    card = await world.submit(sample("requests-cve-2023-32681"), **SMALL, kev=True)
    await card.shows("Low", "0 of 2 approvals", "Judged by the rules for high, stated as low", "(KEV)")
