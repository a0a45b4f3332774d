"""Slack's documented size limits, in characters unless the name says otherwise.

Sources: Slack's Block Kit and method reference; a test compares the numbers that slack_sdk states too.
"""

BLOCKS_IN_MESSAGE = 50
BLOCKS_IN_VIEW = 100
MESSAGE_BLOCKS_JSON = 13_200
"""Undocumented: observed; Slack answers msg_blocks_too_long above it."""
VIEW_JSON_BYTES = 250_000
VIEWS_IN_STACK = 3

TEXT_POSTED = 40_000
"""chat.postMessage truncates longer texts."""
TEXT_UPDATED = 4_000
"""chat.update refuses longer texts (msg_too_long)."""
METADATA_JSON = 16_000
"""Undocumented; Slack documents only that metadata_too_large exists."""

BLOCK_ID = 255
ACTION_ID = 255
CALLBACK_ID = 255
EXTERNAL_ID = 255
PRIVATE_METADATA = 3_000

SECTION_TEXT = 3_000
SECTION_FIELDS = 10
SECTION_FIELD = 2_000
HEADER_TEXT = 150
CONTEXT_ELEMENTS = 10
CONTEXT_TEXT = 3_000
ACTIONS_ELEMENTS = 25
IMAGE_URL = 3_000
IMAGE_ALT_TEXT = 2_000
IMAGE_TITLE = 2_000
MARKDOWN_TEXT = 12_000
"""For all markdown blocks of one message together."""
TABLE_ROWS = 100
TABLE_CELLS = 20

INPUT_LABEL = 2_000
INPUT_HINT = 2_000
INPUT_TEXT = 3_000
"""The most that a person can type into a plain_text_input."""
PLACEHOLDER = 150

BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
BUTTON_URL = 3_000
BUTTON_ACCESSIBILITY_LABEL = 75

OPTION_TEXT = 75
OPTION_VALUE = 150
OPTION_DESCRIPTION = 75
OPTION_URL = 3_000
SELECT_OPTIONS = 100
SELECT_GROUPS = 100
GROUP_LABEL = 75
OVERFLOW_OPTIONS = 5
CHOICES = 10
"""Options of radio buttons and of checkboxes."""

CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30

VIEW_TITLE = 24
VIEW_SUBMIT = 24
VIEW_CLOSE = 24
