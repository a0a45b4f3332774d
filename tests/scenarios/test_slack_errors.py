"""Every failure of a call to Slack is a Retry or a Permanent that says what to do, in the bot's words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from bot.integrations.errors import Permanent, Retry, VendorError
from bot.integrations.slack.client import SlackClient
from bot.integrations.slack.errors import (
    Ambiguous,
    ChannelUnavailable,
    ContentRefused,
    MessageGone,
    TokenRefused,
    TriggerExpired,
)

OUTBOX = UUID("6f1c2c1e-8f0b-4a55-9f0e-2f6d4e7a9b10")
VENDOR_TEXT = "vendor text that nobody may see"


@dataclass
class Slack:
    """A Slack that answers every call with what `answer` makes, and a client that calls it."""

    client: SlackClient
    failures: list[tuple[str, str]]
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = field(init=False)

    def answers(
        self, body: bytes, *, status: int = 200, content_type: str = "application/json", **headers: str
    ) -> None:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(
                body=body,
                status=status,
                headers={"Content-Type": content_type} | {k.replace("_", "-"): v for k, v in headers.items()},
            )

        self.answer = answer

    async def failure_of_a_post(self) -> VendorError:
        with pytest.raises(VendorError) as caught:
            await self.client.post("C1", "text", None, outbox_id=OUTBOX)
        return caught.value


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await stand_in.answer(request)

    app = web.Application()
    app.router.add_route("*", "/api/{method}", handle)
    failures: list[tuple[str, str]] = []
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as http,
    ):
        client = SlackClient(
            "xoxb-a-token", str(server.make_url("/api/")), http, lambda method, code: failures.append((method, code))
        )
        stand_in = Slack(client, failures)
        yield stand_in


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("fatal_error", Ambiguous),
        ("internal_error", Ambiguous),
        ("service_unavailable", Ambiguous),
        ("team_added_to_org", Retry),
        ("invalid_auth", TokenRefused),
        ("token_revoked", TokenRefused),
        ("token_expired", TokenRefused),
        ("account_inactive", TokenRefused),
        ("team_access_not_granted", TokenRefused),
        ("missing_scope", Permanent),
        ("not_in_channel", ChannelUnavailable),
        ("channel_not_found", ChannelUnavailable),
        ("is_archived", ChannelUnavailable),
        ("restricted_action", ChannelUnavailable),
        ("messages_tab_disabled", ChannelUnavailable),
        ("method_not_supported_for_channel_type", ChannelUnavailable),
        ("message_not_found", MessageGone),
        ("cant_update_message", Permanent),
        ("edit_window_closed", Permanent),
        ("block_mismatch", Permanent),
        ("is_inactive", Permanent),
        ("streaming_state_conflict", Permanent),
        ("msg_blocks_too_long", ContentRefused),
        ("invalid_blocks", ContentRefused),
        ("metadata_too_large", ContentRefused),
        ("view_too_large", ContentRefused),
        ("duplicate_external_id", ContentRefused),
        ("expired_trigger_id", TriggerExpired),
        ("exchanged_trigger_id", TriggerExpired),
        ("hash_conflict", Permanent),
        ("user_not_in_channel", Permanent),
        ("message_limit_exceeded", Retry),
        ("accesslimited", Retry),
        ("org_login_required", Retry),
        ("request_timeout", Ambiguous),
        ("duplicate_message_not_found", Ambiguous),
        ("not_authed", TokenRefused),
        ("two_factor_setup_required", TokenRefused),
        ("not_allowed_token_type", TokenRefused),
        ("no_permission", Permanent),
        ("ekm_access_denied", Permanent),
        ("access_denied", Permanent),
        ("method_deprecated", Permanent),
        ("restricted_action_read_only_channel", ChannelUnavailable),
        ("restricted_action_thread_only_channel", ChannelUnavailable),
        ("restricted_action_non_threadable_channel", ChannelUnavailable),
        ("restricted_action_thread_locked", ChannelUnavailable),
        ("channel_type_not_supported", ChannelUnavailable),
        ("thread_not_found", MessageGone),
        ("cannot_reply_to_message", Permanent),
        ("msg_too_long", ContentRefused),
        ("no_text", ContentRefused),
        ("invalid_metadata_schema", ContentRefused),
        ("too_many_attachments", ContentRefused),
        ("invalid_arguments", ContentRefused),
        ("trigger_expired", TriggerExpired),
        ("view_not_found", Permanent),
        ("user_not_found", Permanent),
        ("no_such_subteam", Permanent),
    ],
)
async def test_each_error_code_of_slack_has_one_decision(slack: Slack, code: str, kind: type[VendorError]) -> None:
    """The class says what to do, the code what it was, the sentence why."""
    slack.answers(b'{"ok": false, "error": "%s"}' % code.encode())
    failure = await slack.failure_of_a_post()
    assert type(failure) is kind
    assert failure.code == code
    assert slack.failures == [("chat.postMessage", code)]


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ({"Retry_After": "30"}, 30.0),
        ({"Retry_After": "1.5"}, 1.5),
        ({"Retry_After": "-3"}, 0.0),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"Retry_After": "nan"}, None),
        ({"Retry_After": ""}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (429, "application/json", b'{"ok": false, "error": "ratelimited"}'),
        (429, "application/json", b""),
        (429, "application/json", b"<html>"),
        (429, "text/html", b"<html>"),
        (429, "text/plain", b"slow down"),
        (200, "application/json", b'{"ok": false, "error": "rate_limited"}'),
    ],
)
async def test_a_rate_limit_says_when_to_come_back_if_slack_did(
    slack: Slack, *, status: int, content_type: str, body: bytes, header: dict[str, str], after: float | None
) -> None:
    """429 is never ambiguous, whatever its body; a Retry-After that is not a number is ignored."""
    slack.answers(body, status=status, content_type=content_type, **header)
    failure = await slack.failure_of_a_post()
    assert type(failure) is Retry
    assert (failure.code, failure.after) == ("ratelimited", after)


@pytest.mark.parametrize(
    ("status", "content_type", "body", "code"),
    [
        (500, "application/json", b'{"ok": false, "error": "internal_error"}', "server_error"),
        (502, "text/html", b"<html>bad gateway</html>", "server_error"),
        (503, "text/plain", b"unavailable", "server_error"),
        (504, "application/json", b"<html>", "server_error"),
        (200, "text/html", b"<html>a proxy's login page</html>", "unreadable"),
        (200, "text/plain", b"ok", "unreadable"),
        (200, "application/json", b"", "unreadable"),
        (200, "application/json", b"{", "unreadable"),
        (200, "application/json", b"[]", "unreadable"),
        (200, "application/json", b'["ok"]', "unreadable"),
        (200, "application/json", b'"ok"', "unreadable"),
        (200, "application/json", b'{"ok": false}', "unreadable"),
        (200, "application/json", b'{"ok": false, "error": ["x"]}', "unreadable"),
        (200, "application/json", b'{"ok": true}', "unreadable"),
        (200, "application/json", b'{"ok": true, "channel": "C1", "ts": {}}', "unreadable"),
        (200, "application/json; charset=utf-8", b"\xff\xfe", "unreadable"),
        (200, "application/json; charset=nonsense", b'{"ok": true}', "unreadable"),
        (404, "text/html", b"<html>", "unreadable"),
    ],
)
async def test_an_answer_that_does_not_tell_the_outcome_is_ambiguous(
    slack: Slack, status: int, content_type: str, body: bytes, code: str
) -> None:
    """The message may be there: the caller has to look before posting again."""
    slack.answers(body, status=status, content_type=content_type)
    failure = await slack.failure_of_a_post()
    assert type(failure) is Ambiguous
    assert failure.code == code


async def test_a_dropped_connection_is_ambiguous(slack: Slack) -> None:
    """Slack may have done the work before the connection broke."""

    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    slack.answer = drop
    failure = await slack.failure_of_a_post()
    assert type(failure) is Ambiguous
    assert slack.failures == [("chat.postMessage", "connection")]


async def test_an_answer_that_breaks_off_is_ambiguous(slack: Slack) -> None:
    """Half an answer is no answer."""

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"ok": true, ')
        assert request.transport is not None
        request.transport.close()
        return response

    slack.answer = half
    failure = await slack.failure_of_a_post()
    assert type(failure) is Ambiguous


async def test_no_answer_in_time_is_ambiguous(slack: Slack) -> None:
    """The session's time-out ends the wait, not the work at the other end."""

    async def nothing(request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    never = asyncio.Event()
    slack.answer = nothing
    failure = await slack.failure_of_a_post()
    never.set()
    assert type(failure) is Ambiguous
    assert failure.code == "timeout"


async def test_a_slack_that_is_not_there_is_a_retry() -> None:
    """A refused connection does not use up retries."""
    server = TestServer(web.Application())
    await server.start_server()
    address = str(server.make_url("/api/"))
    await server.close()
    async with aiohttp.ClientSession() as http:
        client = SlackClient("xoxb-a-token", address, http, lambda _method, _code: None)
        with pytest.raises(Retry) as caught:
            await client.identity()
    assert caught.value.code == "unreachable"


async def test_an_error_code_nobody_knows_is_permanent_and_one_word_in_the_metrics(slack: Slack) -> None:
    """A code that Slack invents tomorrow neither loops for a day nor adds a label of its own."""
    slack.answers(b'{"ok": false, "error": "brand_new_error"}')
    failure = await slack.failure_of_a_post()
    assert type(failure) is Permanent
    assert slack.failures == [("chat.postMessage", "other")]


async def test_no_text_of_a_vendor_travels_with_a_failure(slack: Slack) -> None:
    """Neither the sentence nor its chained exceptions nor the log contain what the other side wrote."""
    body = b'{"ok": false, "error": "%s"}' % VENDOR_TEXT.encode()
    with capture_logs() as lines:
        for status, content_type in ((200, "application/json"), (502, "text/html"), (200, "text/plain")):
            slack.answers(body, status=status, content_type=content_type)
            failure = await slack.failure_of_a_post()
            assert failure.__cause__ is None
            assert failure.__context__ is None
            assert VENDOR_TEXT not in f"{failure!r} {failure} {failure.code}"
    assert [line["event"] for line in lines] == ["slack.unknown_error"]
    assert VENDOR_TEXT not in str(lines)
