"""Turns every failure of Slack's Web API into Retry or Permanent, by one table.

The sentences are the bot's, never Slack's or a library's; the codes are those of the table or "other".
"""

import re

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.integrations.errors import Permanent, Retry, VendorError, number

log = structlog.get_logger(__name__)


class Ambiguous(Retry):
    """The call may have had its effect: look before you repeat it."""


class TokenRefused(Permanent):
    """Slack does not accept the token: the bot is not ready until a person replaces it."""


class ChannelUnavailable(Permanent):
    """The bot cannot write to this channel: use the fallback. (`join` helps against `not_in_channel`.)"""


class MessageGone(Permanent):
    """The message or thread no longer exists: post a new message."""


class ContentRefused(Permanent):
    """Slack considers the message or view malformed or too large: our mistake; a shorter form may work."""


class TriggerExpired(Permanent):
    """The click is too old or has already opened a view: ask for another click."""


_BUSY = "Slack's rate limit is reached."
_TROUBLE = "Slack had an internal failure."

_TABLE: tuple[tuple[type[VendorError], str, str], ...] = (
    (Retry, _BUSY, "ratelimited rate_limited accesslimited message_limit_exceeded"),
    (Retry, "The Slack workspace is being migrated.", "team_added_to_org org_login_required"),
    (Ambiguous, _TROUBLE, "fatal_error internal_error service_unavailable request_timeout"),
    # An error of chat.postMessage that Slack does not explain: read as "seen before".
    (Ambiguous, "Slack considers the message a duplicate.", "duplicate_message_not_found"),
    (
        TokenRefused,
        "Slack refused the bot's token.",
        "invalid_auth not_authed account_inactive token_revoked token_expired two_factor_setup_required "
        "team_access_not_granted not_allowed_token_type",
    ),
    (
        Permanent,
        "The Slack app lacks a permission it needs: reinstall it from the manifest.",
        "missing_scope no_permission access_denied ekm_access_denied enterprise_is_restricted",
    ),
    (
        Permanent,
        "Slack no longer answers this kind of request: a newer release of the bot is needed.",
        "deprecated_endpoint method_deprecated unknown_method",
    ),
    (ChannelUnavailable, "The bot is not a member of the Slack channel: invite it.", "not_in_channel"),
    (ChannelUnavailable, "The Slack channel does not exist or the bot cannot see it.", "channel_not_found"),
    (ChannelUnavailable, "The Slack channel is archived.", "is_archived"),
    (
        ChannelUnavailable,
        "The Slack channel does not let the bot post.",
        "restricted_action restricted_action_read_only_channel restricted_action_thread_only_channel "
        "restricted_action_non_threadable_channel restricted_action_thread_locked messages_tab_disabled "
        "as_user_not_supported team_not_found slack_connect_blocked_file_type slack_connect_canvas_sharing_blocked "
        "slack_connect_file_link_sharing_blocked slack_connect_lists_sharing_blocked",
    ),
    (
        ChannelUnavailable,
        "The bot cannot join this kind of Slack channel: invite it.",
        "method_not_supported_for_channel_type channel_type_not_supported",
    ),
    (MessageGone, "The Slack message no longer exists.", "message_not_found thread_not_found"),
    (
        Permanent,
        "Slack does not allow changes to this message.",
        "cant_update_message edit_window_closed block_mismatch is_inactive streaming_state_conflict "
        "cannot_reply_to_message",
    ),
    (
        ContentRefused,
        "Slack refused the content of the message.",
        "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long no_text metadata_too_large "
        "invalid_metadata_format invalid_metadata_schema view_too_large duplicate_external_id too_many_attachments "
        "too_many_contact_cards attachment_payload_limit_exceeded markdown_text_conflict only_one_table_allowed "
        "invalid_arguments invalid_arg_name invalid_array_arg invalid_charset invalid_form_data invalid_post_type "
        "missing_post_type",
    ),
    (
        TriggerExpired,
        "The click was too old for Slack to open a dialog.",
        "expired_trigger_id exchanged_trigger_id invalid_trigger_id trigger_expired trigger_exchanged",
    ),
    (Permanent, "Something else changed the dialog at the same time.", "hash_conflict"),
    (Permanent, "The dialog is no longer open.", "not_found view_not_found"),
    (Permanent, "Slack does not know this person.", "user_not_found user_not_visible users_not_found"),
    (Permanent, "The person is not in the Slack channel.", "user_not_in_channel"),
    (Permanent, "Slack does not know this user group.", "no_such_subteam subteam_disabled plan_upgrade_required"),
)
"""What to do, why, and Slack's error codes from its method reference."""

_BY_CODE = {code: (kind, sentence) for kind, sentence, codes in _TABLE for code in codes.split()}

_PRINTABLE_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def classify(error: Exception) -> VendorError | None:
    """Classify an exception of slack_sdk or aiohttp; None for any other."""
    match error:
        case SlackApiError():
            return _api_failure(error)
        case SlackClientError():
            return Permanent("The request to Slack was not valid.", code="invalid_request")
        case TimeoutError():
            return Ambiguous("Slack did not answer in time.", code="timeout")
        case aiohttp.ClientConnectorError():
            return Ambiguous("Slack cannot be reached.", code="unreachable")
        case aiohttp.ClientError() | OSError():
            return Ambiguous("The connection to Slack broke.", code="connection")
        # slack_sdk raises these when a body is not a JSON object; pydantic's ValidationError is a ValueError.
        case ValueError() | LookupError() | TypeError() | AttributeError():
            return _unreadable()
        case _:
            return None


def _api_failure(error: SlackApiError) -> VendorError:
    response: AsyncSlackResponse | aiohttp.ClientResponse = error.response
    if isinstance(response, AsyncSlackResponse):
        status = response.status_code
        body: object = response.data
    else:  # slack_sdk gives the raw response when the body is incomplete or not JSON
        status, body = response.status, None
    code = body.get("error") if isinstance(body, dict) else None
    if status == 429 or code in ("ratelimited", "rate_limited"):
        after = number(response.headers.get("Retry-After"))
        return Retry(_BUSY, code="ratelimited", after=None if after is None else max(0.0, after))
    if status >= 500:
        return Ambiguous(_TROUBLE, code="server_error")
    if not isinstance(code, str):
        return _unreadable()
    if code not in _BY_CODE:
        # The code is the only hint for an operator; the log gets it only if it is a plain word.
        log.warning("slack.unknown_error", error=code if _PRINTABLE_CODE.fullmatch(code) else "unprintable")
        return Permanent("Slack refused the request.", code="other")
    kind, sentence = _BY_CODE[code]
    return kind(sentence, code=code)


def _unreadable() -> Ambiguous:
    return Ambiguous("Slack's answer cannot be read.", code="unreadable")
