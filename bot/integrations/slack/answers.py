"""Answers that only the person who clicked or typed can see, and that nothing depends on.

A reply goes to Slack or to the configured API's own origin, wherever a payload points; it is tried once.
"""

import asyncio
from collections.abc import Sequence

import aiohttp
import structlog
from yarl import URL

from bot.integrations.errors import Permanent, VendorError
from bot.integrations.slack.client import Block, SlackClient

log = structlog.get_logger(__name__)

_PATIENCE = 1.0
"""Seconds for one reply: it must fit beside the commit into Slack's 3 s."""

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
        blocks: Sequence[Block] | None = None,
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

    async def _respond(self, url: URL, text: str, blocks: Sequence[Block] | None) -> None:
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


def _origin(url: URL) -> _Origin:
    return url.scheme, url.host, url.port


def _is_slack(host: str) -> bool:
    return host == "slack.com" or host.endswith(".slack.com")


def _failed(reason: str) -> bool:
    log.warning("slack.reply_failed", reason=reason)
    return False
