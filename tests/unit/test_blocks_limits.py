"""Everything bot/blocks returns is within Slack's limits: too much content is cut to fit, never an error."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    HeaderBlock,
    InputBlock,
    Option,
    PlainTextInputElement,
    SectionBlock,
    StaticSelectElement,
)
from slack_sdk.models.blocks.block_elements import InputInteractiveElement, LinkButtonElement
from slack_sdk.models.views import View as SdkView

from bot.blocks import alerts, commands, kit, limits, modals, pages
from bot.blocks.card import card
from bot.blocks.home import home
from bot.blocks.kit import Home, Message, View
from bot.blocks.limits import LIMITS, MESSAGE_JSON, VIEW_JSON, fitted, json_size, problems
from bot.domain.apv import Severity
from bot.domain.quorum import Tally
from bot.domain.review import Choice, Dossier
from tests.unit.blocks import AIOHTTP, CASES, EVIL, GITHUB, NOW, any_dossier, counted, dossier

TALLIES = st.builds(Tally, st.integers(0, 9), st.integers(1, 9), st.booleans())
OURS = re.compile(
    r"<@[UW][A-Z0-9]+>|<#C0REVIEW>|<!date\^-?\d+\^\{date_short_pretty\} \{time\}\|[-0-9: ]+UTC>"
    r"|<https://nvd\.nist\.gov/vuln/detail/(CVE-[0-9-]+)\|\1>|<https://github\.com/a/b/pull/1\|#?[a-z0-9 ]+>"
)


def everything(case: Dossier, count: Tally) -> Iterator[Message | View | Home]:
    """All that can be drawn of one review."""
    yield card(case, count, now=NOW, web_origin=GITHUB)
    yield card(case, count, why_approve=True)
    yield commands.show(case, count, now=NOW, web_origin=GITHUB)
    yield commands.queue([case] * 25, 5_000, Severity.HIGH, NOW)
    yield commands.mine([case], 1, NOW)
    yield commands.unknown(case.apv.package_name)
    yield home(mine=[case] * 20, mine_total=70_000, urgent=[case] * 20, waiting={}, decided={}, today=0, now=NOW)
    yield alerts.reply(case.review.note or "")
    yield alerts.alert("review.escalated", case.apv.package_name, dossier=case, channel="C0REVIEW")
    yield modals.reject(case)
    yield modals.escalate(case)
    yield modals.approve_why(case)
    yield from (draw(case, page) for draw in (pages.diff_view, pages.details_view) for page in (0, 1, 10**5))


def markup(node: object) -> Iterator[str]:
    """Every string that Slack reads as markup."""
    if isinstance(node, list):
        for item in node:
            yield from markup(item)
    elif isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            assert node["verbatim"] is True
            yield node["text"]
        if node.get("type") == "plain_text":
            assert node["emoji"] is False
        for value in node.values():
            yield from markup(value)


def strings(drawn: Message | View | Home) -> list[str]:
    return [drawn.text, *markup(drawn.blocks)] if isinstance(drawn, Message) else list(markup(drawn))


@pytest.mark.long
@settings(max_examples=100, deadline=None)
@given(any_dossier(), TALLIES)
def test_any_review_is_drawn_within_every_limit(case: Dossier, count: Tally) -> None:
    """No APV, however long or hostile, and no state makes Slack refuse the result."""
    for drawn in everything(case, count):
        assert problems(drawn) == []


@pytest.mark.long
@settings(max_examples=100, deadline=None)
@given(any_dossier(), TALLIES)
def test_no_apv_can_mention_link_or_break_out(case: Dossier, count: Tally) -> None:
    """All markup comes from the bot: people who acted, dates, the advisory by its id, the pull request."""
    acted = {v.person for v in case.review.votes} | {case.review.claimed_by, case.review.escalated_by}
    for drawn in everything(case, count):
        for shown in strings(drawn):
            assert not re.search("[<>]", OURS.sub("", shown)), shown
            assert {m[2:-1] for m in re.findall(r"<@\w+>", shown)} <= acted


@pytest.mark.parametrize("name", CASES)
def test_the_reviews_of_every_day_are_drawn_without_a_cut(name: str) -> None:
    """Nothing in the known cases needs to be made to fit."""
    for drawn in everything(CASES[name], counted(CASES[name])):
        assert problems(drawn) == []
        assert fitted(drawn) is drawn


def test_the_table_agrees_with_the_sdk() -> None:
    """Where slack_sdk has a limit, ours is the same; the other numbers are from Slack's documentation."""
    sdk = {
        ("modal", "blocks"): SdkView.blocks_max_length,
        ("modal", "title"): SdkView.title_max_length,
        ("modal", "submit"): SdkView.submit_max_length,
        ("modal", "close"): SdkView.close_max_length,
        ("modal", "private_metadata"): SdkView.private_metadata_max_length,
        ("modal", "callback_id"): SdkView.callback_id_max_length,
        ("header", "text"): HeaderBlock.text_max_length,
        ("section", "text"): SectionBlock.text_max_length,
        ("section", "fields"): SectionBlock.fields_max_length,
        ("context", "elements"): ContextBlock.elements_max_length,
        ("actions", "elements"): ActionsBlock.elements_max_length,
        ("input", "block_id"): Block.block_id_max_length,
        ("input", "label"): InputBlock.label_max_length,
        ("input", "hint"): InputBlock.hint_max_length,
        ("button", "text"): ButtonElement.text_max_length,
        ("button", "value"): ButtonElement.value_max_length,
        ("button", "url"): LinkButtonElement.url_max_length,
        ("button", "action_id"): ButtonElement.action_id_max_length,
        ("confirm", "title"): ConfirmObject.title_max_length,
        ("confirm", "text"): ConfirmObject.text_max_length,
        ("confirm", "confirm"): ConfirmObject.confirm_max_length,
        ("confirm", "deny"): ConfirmObject.deny_max_length,
        ("static_select", "action_id"): StaticSelectElement.action_id_max_length,
        ("static_select", "placeholder"): InputInteractiveElement.placeholder_max_length,
        ("static_select", "options"): StaticSelectElement.options_max_length,
        ("option", "text"): Option.label_max_length,
        ("option", "value"): Option.value_max_length,
        ("plain_text_input", "action_id"): PlainTextInputElement.action_id_max_length,
    }
    assert {key: LIMITS[key] for key in sdk} == sdk
    documented = {
        ("message", "text"),
        ("message", "blocks"),
        ("home", "blocks"),
        ("plain_text", "text"),
        ("mrkdwn", "text"),
        ("section", "fields[]"),
        ("button", "accessibility_label"),
        ("plain_text_input", "max_length"),
    }
    assert set(LIMITS) - set(sdk) == documented


def long_message() -> Message:
    """Everything too long or too many at once."""
    evil_value = kit.button("a", "x" * 200, "y" * 200, value="v" * 3000)
    buttons = [kit.button(f"apv.{n}", "Approve", "Approve", value="v") for n in range(30)]
    return Message(
        "<@U123> " * 1000,
        [
            kit.header("h"),
            kit.section("&amp;" * 900),
            kit.fields(["<https://x.example/y|z>" * 200] * 12),
            kit.actions([evil_value]),
            kit.actions(buttons),
            kit.code("\U0001f480" * 5000),
            *([kit.section("語" * 2000)] * 60),
        ],
    )


def test_what_breaks_a_limit_is_named_with_its_place() -> None:
    """The checker finds each fault, not only the first."""
    found = "\n".join(problems(long_message()))
    for fault in (
        "message.text: 8000, at most 4000",
        "message.blocks: 66, at most 50",
        "message.blocks[1].text: 4500, at most 3000",
        "message.blocks[2].fields: 12, at most 10",
        "message.blocks[2].fields[0]: 4600, at most 2000",
        "message.blocks[3].elements[0].value: 3000, at most 2000",
        "message.blocks[4].elements: 30, at most 25",
        "characters of JSON, at most 12000",
    ):
        assert fault in found


def test_doubled_and_empty_parts_are_problems() -> None:
    """Slack refuses two controls with the same id, an empty text and a row without buttons."""
    twice = [kit.button("a", "A", "A"), kit.button("a", "B", "B")]
    found = problems(Message("x", [kit.actions(twice), kit.section(""), kit.actions([])]))
    assert found == [
        "message.blocks[0].elements: the same action_id twice",
        "message.blocks[1].text.text: empty",
        "message.blocks[2].elements: empty",
    ]


def test_a_message_that_is_too_big_is_made_to_fit() -> None:
    """Text is cut between entities, lists are shortened, a control with too long an identifier goes, buttons stay."""
    fit = fitted(long_message())
    assert problems(fit) == []
    assert [len(b["elements"]) for b in fit.blocks if b["type"] == "actions"] == [25]
    assert all(not re.search("[<>]", re.sub(r"<@U123>|<https://x\.example/y\|z>", "", s)) for s in strings(fit))


def test_a_view_that_is_too_big_is_made_to_fit() -> None:
    """A modal over 250 kB loses its longest code first and keeps what it says."""
    view = pages.diff_view(CASES["fresh_high"])
    view["blocks"] += [kit.code("語" * 2000) for _ in range(90)]
    fit = fitted(view)
    assert json_size(view) > VIEW_JSON >= json_size(fit)
    assert fit["blocks"][0] == view["blocks"][0]
    assert problems(fit) == []


@settings(deadline=None)
@given(st.lists(st.text(max_size=6000), min_size=1, max_size=60), st.text(min_size=1, max_size=9000))
def test_any_message_can_be_made_to_fit(texts: list[str], said: str) -> None:
    """Fitting ends, succeeds, keeps the buttons, and changes nothing the second time."""
    row = kit.actions([kit.button("apv.approve", "Approve", "Approve", value="v")])
    fit = fitted(Message(said, [row, *(kit.section(t) for t in texts), *(kit.code(t) for t in texts)]))
    assert problems(fit) == []
    assert row in fit.blocks
    assert fitted(fit) is fit


def test_a_big_card_gives_up_its_diff_before_its_description() -> None:
    """Without room, the card cuts the diff first and counts the lines left out; then it cuts the description."""
    skulls = "+" + "\U0001f480" * 150 + "\n"
    wide = replace(AIOHTTP, cve_description="d" * 5000, patch_diff=f"--- a/x\n+++ b/x\n@@ -0,0 +1,50 @@\n{skulls * 50}")
    drawn = card(dossier(wide), Tally(0, 1))
    shown = json.dumps(drawn.blocks)
    assert "d" * 450 in shown
    assert "49 more lines under View diff" in shown
    assert json_size(drawn.blocks) <= MESSAGE_JSON


def test_a_long_justification_is_told_whole() -> None:
    """3,000 characters reach the thread, in as many sections as they need."""
    told = alerts.reply("bob rejected APV-2026-17: " + "<why> & " * 375)
    assert "".join(strings(told)[1:]).count("&lt;why") == 375


def test_numbers_and_silence_have_words() -> None:
    """The other answers of /apv: numbers, an empty queue, nothing claimed, an empty or hostile command."""
    numbers = commands.stats(waiting={Severity.CRITICAL: 2}, decided={Choice.APPROVE: 1}, today=1, median_seconds=8000)
    assert "2 awaiting a decision" in numbers.text
    assert "1 decision, 1 today" in numbers.text
    assert "Median time to a decision: 2.2 h." in json.dumps(numbers.blocks)
    assert commands.queue([], 0, Severity.HIGH, NOW).text == "No high review awaits a decision."
    assert commands.queue([], 0, None, NOW).text == "No review awaits a decision."
    assert commands.mine([], 0, NOW).text == "No open reviews are claimed by you."
    assert commands.unknown("\u200b").text == "Unknown command. Try `/apv queue`."
    assert "<!channel>" not in commands.unknown(EVIL).text
    for answer in (numbers, commands.usage(), commands.unknown(EVIL)):
        assert problems(answer) == []


def test_a_long_queue_shows_twenty_and_counts_the_rest() -> None:
    """Twenty entries and how many more there are."""
    drawn = commands.queue([CASES["fresh_high"]] * 20, 5_000, None, NOW)
    assert sum(b["type"] == "section" for b in drawn.blocks) == 20
    assert "and 4,980 more" in json.dumps(drawn.blocks)


def test_an_old_moment_is_no_error() -> None:
    """A deadline before 1970 is drawn like any other."""
    ancient = dossier(AIOHTTP, due_at=datetime(1900, 1, 1, tzinfo=UTC))
    assert "missed" in json.dumps(card(ancient, Tally(0, 1), now=NOW).blocks)
    assert limits.problems(card(ancient, Tally(0, 1), now=NOW)) == []
