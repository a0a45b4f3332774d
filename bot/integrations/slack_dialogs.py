"""Opening a dialog for a click, once: what becomes of it is told as a value, because nothing depends on it."""

from collections.abc import Mapping

import structlog

from bot.integrations.errors import VendorError
from bot.integrations.slack_client import SlackClient

log = structlog.get_logger(__name__)

_USED = frozenset({"exchanged_trigger_id", "trigger_exchanged"})


class Dialogs:
    """Slack's modals, opened through `client`."""

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
