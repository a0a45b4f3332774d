"""Block Kit is refused and taken as Slack does, by the sizes that the official SDK states."""

import importlib

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox, limits
from tests.contracts.sandbox_slack.kit import (
    REVIEW,
    Json,
    actions,
    button,
    confirm,
    options,
    plain,
    post,
    reasons,
    section,
    text_input,
)

REFUSED_BLOCKS: list[tuple[list[Json], str]] = [
    ([{"type": "carousel"}], "unsupported type"),
    ([{**section(), "colour": "red"}], "additional property"),
    ([{"type": "section"}], "must define one of"),
    ([section("")], "more than 0"),
    ([section("x" * 3_001)], "less than 3001"),
    ([{"type": "section", "fields": [plain("x" * 2_001)]}], "less than 2001"),
    ([{"type": "section", "fields": [plain("x")] * 11}], "no more than 10"),
    ([{"type": "section", "text": {"type": "mrkdwn", "text": "x", "emoji": True}}], "additional property: emoji"),
    ([{"type": "header", "text": plain("x" * 151)}], "less than 151"),
    ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "enum"),
    ([{"type": "context", "elements": [plain("x")] * 11}], "no more than 10"),
    ([{"type": "image", "image_url": "https://example.com/a.png"}], "missing required field: alt_text"),
    ([actions()], "no fewer than 1"),
    ([actions(*[button(action_id=str(n)) for n in range(26)])], "no more than 25"),
    ([actions(button("x" * 76))], "less than 76"),
    ([actions(button(value="x" * 2_001))], "less than 2001"),
    ([actions(button(url="nowhere"))], "invalid url"),
    ([actions(button(style="blue"))], "enum"),
    ([actions(button(accessibility_label="x" * 76))], "less than 76"),
    ([actions(button(action_id="x" * 256))], "less than 256"),
    ([actions(button(colour="red"))], "additional property"),
    ([actions(button(), button("Reject"))], "action_id approve already exists"),
    ([actions(button(), block_id="b"), actions(button(), block_id="b")], "block_id b already exists"),
    ([actions(button(confirm={**confirm(), "title": plain("x" * 101)}))], "less than 101"),
    ([actions(button(confirm={"title": plain("x")}))], "missing required field: deny"),
    ([actions({"type": "plain_text_input", "action_id": "a"})], "unsupported type"),
    ([actions({"type": "static_select", "action_id": "a"})], "exactly one of"),
    ([reasons(options=options("x" * 76))], "less than 76"),
    ([reasons(options=[{"text": plain("x"), "value": "x" * 151}])], "less than 151"),
    ([reasons(options=options("a") * 101)], "no more than 100"),
    ([reasons(initial_option=options("Other")[0])], "must match one of the options"),
    ([text_input(max_length=3_001)], "between 1 and 3000"),
    ([text_input(min_length=5, max_length=4)], "min_length"),
    ([{"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": []}]}], "no fewer than 1"),
    ([{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * 2, "only_one_table_allowed"),
    ([{"type": "divider"}] * 51, "no more than 50"),
]


@pytest.mark.parametrize(("blocks", "words"), REFUSED_BLOCKS, ids=[words for _, words in REFUSED_BLOCKS])
async def test_blocks_that_slack_refuses_are_refused(
    slack: SlackSandbox, client: AsyncWebClient, blocks: list[Json], words: str
) -> None:
    """A message with a fault in its blocks is invalid_blocks, says where, and is not posted."""
    with pytest.raises(SlackApiError) as caught:
        await post(slack, client, *blocks)
    response = caught.value.response
    assert response["error"] == "invalid_blocks"
    assert words in " ".join(response["response_metadata"]["messages"])
    assert "json-pointer:/blocks" in response["errors"][0]
    assert slack.messages(REVIEW) == []


async def test_blocks_at_their_limits_are_taken(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Every block the stand-in knows is accepted at its largest."""
    diff = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "-a\n+b"}], "border": 0}
    blocks: list[Json] = [
        {"type": "header", "text": plain("x" * 150)},
        {**section("x" * 3_000), "accessory": button("Diff", "diff")},
        {"type": "context", "elements": [plain("x")] * 10},
        {"type": "rich_text", "elements": [diff]},
        {"type": "divider"},
        {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"},
        {"type": "markdown", "text": "**x**"},
        actions(button("x" * 75, value="x" * 2_000, style="danger", confirm=confirm())),
        actions({"type": "overflow", "action_id": "more", "options": options("A", "B")}),
    ]
    message = await post(slack, client, *blocks)
    assert message.buttons == ["Diff", "x" * 75]
    assert "-a\n+b" in message.words


async def test_blocks_that_are_too_much_together_are_refused(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """Past about 13,200 characters of JSON a message is msg_blocks_too_long."""
    with pytest.raises(SlackApiError, match="msg_blocks_too_long"):
        await post(slack, client, *[section("x" * 2_900)] * 5)


SDK_LIMITS = [
    ("blocks.basic_components", "Option", "label_max_length", limits.OPTION_TEXT),
    ("blocks.basic_components", "Option", "value_max_length", limits.OPTION_VALUE),
    ("blocks.basic_components", "OptionGroup", "label_max_length", limits.GROUP_LABEL),
    ("blocks.basic_components", "OptionGroup", "options_max_length", limits.SELECT_OPTIONS),
    ("blocks.basic_components", "ConfirmObject", "title_max_length", limits.CONFIRM_TITLE),
    ("blocks.basic_components", "ConfirmObject", "text_max_length", limits.CONFIRM_TEXT),
    ("blocks.basic_components", "ConfirmObject", "confirm_max_length", limits.CONFIRM_BUTTON),
    ("blocks.basic_components", "ConfirmObject", "deny_max_length", limits.CONFIRM_BUTTON),
    ("blocks.block_elements", "InteractiveElement", "action_id_max_length", limits.ACTION_ID),
    ("blocks.block_elements", "InputInteractiveElement", "placeholder_max_length", limits.PLACEHOLDER),
    ("blocks.block_elements", "ButtonElement", "text_max_length", limits.BUTTON_TEXT),
    ("blocks.block_elements", "ButtonElement", "url_max_length", limits.BUTTON_URL),
    ("blocks.block_elements", "ButtonElement", "value_max_length", limits.BUTTON_VALUE),
    ("blocks.block_elements", "ImageElement", "image_url_max_length", limits.IMAGE_URL),
    ("blocks.block_elements", "ImageElement", "alt_text_max_length", limits.IMAGE_ALT_TEXT),
    ("blocks.block_elements", "StaticSelectElement", "options_max_length", limits.SELECT_OPTIONS),
    ("blocks.block_elements", "StaticSelectElement", "option_groups_max_length", limits.SELECT_GROUPS),
    ("blocks.block_elements", "OverflowMenuElement", "options_max_length", limits.OVERFLOW_OPTIONS),
    ("blocks.blocks", "Block", "block_id_max_length", limits.BLOCK_ID),
    ("blocks.blocks", "SectionBlock", "fields_max_length", limits.SECTION_FIELDS),
    ("blocks.blocks", "SectionBlock", "text_max_length", limits.SECTION_TEXT),
    ("blocks.blocks", "ImageBlock", "title_max_length", limits.IMAGE_TITLE),
    ("blocks.blocks", "ActionsBlock", "elements_max_length", limits.ACTIONS_ELEMENTS),
    ("blocks.blocks", "ContextBlock", "elements_max_length", limits.CONTEXT_ELEMENTS),
    ("blocks.blocks", "InputBlock", "label_max_length", limits.INPUT_LABEL),
    ("blocks.blocks", "InputBlock", "hint_max_length", limits.INPUT_HINT),
    ("blocks.blocks", "HeaderBlock", "text_max_length", limits.HEADER_TEXT),
    ("blocks.blocks", "MarkdownBlock", "text_max_length", limits.MARKDOWN_TEXT),
    ("views", "View", "title_max_length", limits.VIEW_TITLE),
    ("views", "View", "submit_max_length", limits.VIEW_SUBMIT),
    ("views", "View", "close_max_length", limits.VIEW_CLOSE),
    ("views", "View", "blocks_max_length", limits.BLOCKS_IN_VIEW),
    ("views", "View", "private_metadata_max_length", limits.PRIVATE_METADATA),
    ("views", "View", "callback_id_max_length", limits.CALLBACK_ID),
]


@pytest.mark.parametrize(("module", "name", "constant", "ours"), SDK_LIMITS)
def test_our_limits_are_those_of_the_official_sdk(module: str, name: str, constant: str, ours: int) -> None:
    """Where slack_sdk states a size, ours is the same."""
    owner = getattr(importlib.import_module(f"slack_sdk.models.{module}"), name)
    assert getattr(owner, constant) == ours
