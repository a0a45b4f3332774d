"""Modals and Home tabs, shown once when asked for: what becomes of it is a value, because nothing depends on it."""

from collections.abc import Mapping

import structlog

from bot.integrations.errors import VendorError
from bot.integrations.slack.client import SlackClient

log = structlog.get_logger(__name__)

_USED = frozenset({"exchanged_trigger_id", "trigger_exchanged"})


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
