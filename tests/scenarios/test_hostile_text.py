"""Foreign text stays plain text in every message, modal, answer and pull request."""

import json
import re
from collections.abc import Iterator
from typing import Any

from bot.blocks.kit import Message
from bot.blocks.limits import problems
from tests.harness import HIGH, Card, World, sample

EVIL = (
    "<!channel> <!here> <!subteam^S0000000001> <@U0000000002> <#C0000000001> <https://evil.example|free> "
    "https://evil.example/x mailto:a@evil.example @here @channel &lt;!everyone&gt; *b* _i_ ~s~ `c` ```f``` :tada: "
    "> quote [a](https://evil.example) ![i](https://evil.example/i.png) | <img src=x> #1 GH-1 octo/repo#2 @octocat "
    "Fixes #3 [skip ci] \u202ereversed\u202c \u200bhidden\u2066 \x07"
)
"""Text with a special meaning in Slack, GitHub and Markdown."""

PATCH = """--- /dev/null
+++ b/notes/<!channel>.txt
@@ -0,0 +1,2 @@
+<!channel> <@U0000000002> <https://evil.example|free> ```
+@octocat fixes #1
"""
TEXTS = (
    *("cve_title", "cve_description", "package_name", "package_ecosystem", "package_version", "fixed_version", "purl"),
    *("vulnerable_code_signature", "vulnerable_code_type", "patch_description", "patch_risk_level", "wargame_run_url"),
    *("wargame_evidence", "reporter", "unknown_field"),
)
LISTS = ("references", "affected_files", "cwe_ids", "validation_warnings", "aliases")
HOSTILE = dict.fromkeys(TEXTS, EVIL) | {name: [EVIL, EVIL] for name in LISTS} | {"patch_diff": PATCH}
TOKEN = re.compile(r"<[^<>]*>")
OURS = re.compile(
    r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[^<>|]*>"
    r"|<https://nvd\.nist\.gov/vuln/detail/CVE-2023-30861\|CVE-2023-30861>"
    r"|<http://127\.0\.0\.1:\d+/[\w/]*/pull/1\|#1>"
    r"|<@(?!U0000000002)U\w+>|<#(?!C0000000001)C\w+>"
)
"""The only tokens that the bot builds: dates, the advisory, the pull request, people, the card's channel."""


def texts(value: object) -> Iterator[dict[str, Any]]:
    """Every text object in some blocks."""
    if isinstance(value, dict):
        if value.get("type") in {"mrkdwn", "plain_text"}:
            yield value
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def inert(markup: str) -> None:
    """The mrkdwn has no mention, link or format other than ours."""
    foreign = [token for token in TOKEN.findall(markup) if not OURS.fullmatch(token)]
    assert not foreign, (foreign, markup)
    assert "<" not in TOKEN.sub("", markup), markup
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f]", markup), markup
    assert ":tada:" not in markup, markup
    assert not re.search(r"(?<!\u200b)(\*b|_i|~s|`c)", markup), markup


def sent(world: World) -> Iterator[tuple[str, list[Any]]]:
    """The text and blocks of everything that the bot gave Slack: messages, modals, private answers."""
    for message in [m for c in world.slack.workspace.channels.values() for m in c.messages]:
        yield message.text, message.blocks
    for message in world.slack.workspace.ephemerals:
        yield message.text, message.blocks
    for call in world.slack.journal:
        if call.method in {"chat.postMessage", "chat.update", "views.open", "response_url"}:
            view, blocks = call.args.get("view"), call.args.get("blocks", [])
            yield call.args.get("text", ""), decoded(view)["blocks"] if view else decoded(blocks)


def decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


async def lives_its_life(world: World) -> Card:
    """A hostile APV on every surface: card, alert, modals, commands, refusals, thread."""
    world.slack.user("carol").real_name = EVIL
    card = await world.submit(sample(HIGH), **HOSTILE)
    await world.alice.opens("View diff", card)
    await world.alice.claims(card)
    await world.olga.approves(card)
    for typed in (
        f"show {card.code}",
        "queue",
        "mine",
        "stats",
        f"show {EVIL}",
        EVIL,
        f"queue {EVIL}",
        f"claim {EVIL}",
    ):
        await world.alice.types(typed)
    await world.bob.escalates(card, EVIL)
    await world.hears("Escalated")
    await card.shows("escalated")
    await world.carol.approves(card)
    await card.shows("Pull request open")
    await world.settle()
    return card


async def test_nothing_foreign_is_markup_in_slack(world: World) -> None:
    """No mention, no link, no formatting, no hidden character, within Slack's limits, on every surface."""
    card = await lives_its_life(world)
    seen = list(sent(world))
    assert len(seen) > 20
    for text, blocks in seen:
        inert(text)
        for one in texts(blocks):
            if one["type"] == "mrkdwn":
                assert one["verbatim"] is True, one
                inert(one["text"])
            else:
                assert one["emoji"] is False, one
    assert "evil.example" in card.words
    assert len(card.thread) == 4
    assert world.olga.told


async def test_nothing_foreign_is_markup_on_github(world: World) -> None:
    """Title, commit message and body mention nobody, refer to nothing, and skip no check; the branch is ours."""
    card = await lives_its_life(world)
    pull = await world.pull(card)
    commit = world.github.repository().git.run("log", "-1", "--format=%B", pull.head_ref).decode()
    ours = f"](https://nvd.nist.gov/vuln/detail/{(await world.review(card))['cve_id']})"
    for text in (pull.title, commit.split("\n\nAPV: ")[0], outside_code(pull.body or "").replace(ours, "]", 1)):
        assert not re.search(r"@\w|#\d|GH-\d|://\w|\[skip", text), text
    assert "evil.example" in (pull.body or "")
    assert pull.title.count("\n") == 0
    assert pull.head_ref == f"apv/{card.code}-{(await world.review(card))['digest'][:8]}"
    assert world.github.file_at(pull.head_ref, "notes/<!channel>.txt").decode() == "".join(
        f"{line[1:]}\n" for line in PATCH.splitlines()[3:]
    )
    assert card.thread
    assert world.olga.told


def outside_code(markdown: str) -> str:
    """What GitHub would look for mentions and references in: the text outside of code blocks and code spans."""
    without = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", markdown)
    return re.sub(r"(?s)(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", without)


async def test_a_justification_is_plain_text_too(world: World) -> None:
    """A justification can neither mention the channel nor add a link."""
    card = await world.submit()
    await world.alice.rejects(card, "<!channel> see <https://evil.example|here>, @here *now*")
    await card.shows("Rejected")
    await card.thread_reads("&lt;!channel")
    (reply,) = world.slack.thread("vuln-review", card.message.ts)
    inert(reply.text)
    for one in texts(reply.blocks):
        inert(one["text"])
    assert not problems(Message(reply.text, reply.blocks))  # type: ignore[arg-type] # as Slack kept it
