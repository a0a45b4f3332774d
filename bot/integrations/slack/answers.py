"""Replies, modals and Home tabs for one person. Nothing depends on them, so each is tried once.

A reply goes only to Slack or the origin of the configured API, wherever a payload points.
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
"""Seconds for one reply: with the commit it must fit into Slack's 3 s."""

_USED = frozenset({"exchanged_trigger_id", "trigger_exchanged"})
"""Slack's error codes for a used trigger."""

_Origin = tuple[str, str | None, int | None]
"""Scheme, host, port."""

_HOOKS: _Origin = ("https", "hooks.slack.com", 443)


class PrivateReplies:
    """Sends messages that one person sees. `allowed_origin` is the configured address of Slack's Web API.

    If it is not slack.com, response URLs of its origin are accepted in addition to hooks.slack.com.
    """

    def __init__(self, http: aiohttp.ClientSession, client: SlackClient, allowed_origin: str) -> None:
        self._http = http
        self._client = client
        api = _origin(URL(allowed_origin))
        self._origins = {_HOOKS} if _is_slack(api[1] or "") else {_HOOKS, api}

    async def tell(
        self, *, response_url: str | None, channel: str | None, user: str, text: str, blocks: Blocks | None = None
    ) -> bool:
        """Send `text` through `response_url` if that is allowed, otherwise as an ephemeral message.

        Returns False on failure, which is logged without the text. Never raises and never retries.
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
        # A redirect would send the text to an unchecked address.
        async with self._http.post(url, json=body, allow_redirects=False) as response:
            if response.status != 200:
                raise Permanent("Slack refused the reply.", code="reply_refused")

    def _usable(self, response_url: str | None) -> URL | None:
        """Parse once, so that the checked URL is the one that is called."""
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
    """Shows modals and Home tabs."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client

    async def open_view(self, trigger_id: str, view: Mapping[str, object]) -> bool:
        """Open a modal for the click of `trigger_id`. Returns False on failure, which is logged."""
        try:
            await self._client.open_view(trigger_id, view)
        except VendorError as failure:
            if failure.code in _USED:
                # A trigger opens one modal, so a repeated delivery of the click has its modal already.
                return True
            log.warning("slack.dialog_failed", reason=failure.code)
            return False
        return True

    async def update_view(self, view_id: str, view_hash: str, view: Mapping[str, object]) -> bool:
        """Replace a modal's content. Returns False on failure, which is logged."""
        try:
            await self._client.update_view(view_id, view_hash, view)
        except VendorError as failure:
            if failure.code == "hash_conflict":
                # A second click on the same page: the first one has already turned it.
                return True
            log.warning("slack.dialog_failed", reason=failure.code)
            return False
        return True

    async def publish_home(self, user: str, view: Mapping[str, object]) -> bool:
        """Show a person's Home tab. Returns False on failure, which is logged."""
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
