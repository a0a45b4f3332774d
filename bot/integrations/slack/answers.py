"""Answers that only the person who clicked or typed can see, and that nothing depends on.

A reply goes to Slack or to the configured API's own origin, wherever a payload points; it is tried once.
"""

import asyncio
from collections.abc import Mapping

import aiohttp
import structlog
from yarl import URL

from bot.integrations.errors import Permanent, VendorError
from bot.integrations.slack.client import Blocks, SlackClient

log = structlog.get_logger(__name__)

_PATIENCE = 1.0
"""Seconds for one reply: it must fit beside the commit into Slack's 3 s."""

_USED = frozenset({"exchanged_trigger_id", "trigger_exchanged"})
"""Slack's error codes for a trigger that has opened its one modal."""

_Origin = tuple[str, str | None, int | None]
"""Scheme, host, port."""

_HOOKS: _Origin = ("https", "hooks.slack.com", 443)


class PrivateReplies:
    """Tells one person something. `allowed_origin` is the address of Slack's Web API as configured.

    When that is not slack.com itself, response URLs of its origin are accepted beside hooks.slack.com.
    """

    def __init__(self, http: aiohttp.ClientSession, client: SlackClient, allowed_origin: str) -> None:
        self._http = http
        self._client = client
        api = _origin(URL(allowed_origin))
        self._origins = {_HOOKS} if _is_slack(api[1] or "") else {_HOOKS, api}

    async def tell(
        self,
        *,
        response_url: str | None,
        channel: str | None,
        user: str,
        text: str,
        blocks: Blocks | None = None,
    ) -> bool:
        """Say `text` privately, through `response_url` if it may be used, else as an ephemeral message.

        False when it could not be said: that is logged, without the text, and never raised or tried again.
        """
        url = self._usable(response_url)
        if url is not None:
            reply = self._respond(url, text, blocks)
        elif channel is not None:
            reply = self._client.ephemeral(channel, user, text, blocks)
        else:
            return _failed("no_way_to_reply")
        try:
            async with asyncio.timeout(_PATIENCE):
                await reply
        except VendorError as failure:
            return _failed(failure.code)
        except TimeoutError:
            return _failed("timeout")
        except (aiohttp.ClientError, OSError):
            return _failed("connection")
        return True

    async def _respond(self, url: URL, text: str, blocks: Blocks | None) -> None:
        body: dict[str, object] = {"response_type": "ephemeral", "replace_original": False, "text": text}
        if blocks is not None:
            body["blocks"] = [dict(block) for block in blocks]
        # A redirect would carry the text to an address that was never checked.
        async with self._http.post(url, json=body, allow_redirects=False) as response:
            if response.status != 200:
                raise Permanent("Slack did not take the reply.", code="reply_refused")

    def _usable(self, response_url: str | None) -> URL | None:
        """Parse once, so that what was checked is what is called."""
        if not response_url:
            return None
        try:
            url = URL(response_url)
            allowed = "@" not in response_url.partition("?")[0] and _origin(url) in self._origins
        except ValueError:
            allowed = False
        if not allowed:
            log.warning("slack.response_url_refused")
            return None
        return url


class Dialogs:
    """Slack's modals and Home tabs, shown through `client`."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    async def open_view(self, trigger_id: str, view: Mapping[str, object]) -> bool:
        """Open a modal for the click that `trigger_id` came with; False when Slack did not, which is logged."""
        try:
            await self._client.open_view(trigger_id, view)
        except VendorError as failure:
            if failure.code in _USED:
                # A trigger opens one modal, so the same click, delivered again, has its modal already.
                return True
            log.warning("slack.dialog_failed", reason=failure.code)
            return False
        return True

    async def publish_home(self, user: str, view: Mapping[str, object]) -> bool:
        """Show somebody their Home tab; False when Slack did not, which is logged."""
        try:
            await self._client.publish_home(user, view)
        except VendorError as failure:
            log.warning("slack.home_failed", reason=failure.code)
            return False
        return True


def _origin(url: URL) -> _Origin:
    return url.scheme, url.host, url.port


def _is_slack(host: str) -> bool:
    return host == "slack.com" or host.endswith(".slack.com")


def _failed(reason: str) -> bool:
    log.warning("slack.reply_failed", reason=reason)
    return False
