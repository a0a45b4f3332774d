"""The dependencies of the Slack handlers: the service, and two ways to answer a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.blocks import alerts
from bot.service.gate import Gate
from handlers.slack.payloads import Click


class Replies(Protocol):
    """Ephemeral replies: only the person who asked sees them."""

    async def tell(
        self,
        *,
        response_url: str | None,
        channel: str | None,
        user: str,
        text: str,
        blocks: Sequence[Mapping[str, object]] | None = None,
    ) -> bool:
        """Send the reply; returns False when that failed, which is logged and never raised."""
        ...


class Views(Protocol):
    """Slack's modals and Home tabs."""

    async def open_view(self, trigger_id: str, view: Mapping[str, object]) -> bool:
        """Open a modal within 3 s of the click with this `trigger_id`; False when Slack did not."""
        ...

    async def update_view(self, view_id: str, view_hash: str, view: Mapping[str, object]) -> bool:
        """Replace a modal's content if it still is that of `view_hash`; False when Slack did not."""
        ...

    async def publish_home(self, user: str, view: Mapping[str, object]) -> bool:
        """Publish a person's Home tab; False when Slack did not."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The service, and two ways to answer a person besides the acknowledgement."""

    gate: Gate
    replies: Replies
    views: Views
    web_origin: str

    async def tell(self, click: Click, sentence: str) -> None:
        """Tell only the person who clicked."""
        said = alerts.reply(sentence)
        await self.replies.tell(
            response_url=click.response_url,
            channel=click.channel_id or None,
            user=click.user.id,
            text=said.text,
            blocks=said.blocks,
        )
