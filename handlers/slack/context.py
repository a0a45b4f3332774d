"""What the Slack handlers work with: the service, and two ways to answer a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.service.gate import Gate


class Replies(Protocol):
    """Answers that only the person who asked sees."""

    async def tell(
        self,
        *,
        response_url: str | None,
        channel: str | None,
        user: str,
        text: str,
        blocks: Sequence[Mapping[str, object]] | None = None,
    ) -> bool:
        """Say it; False when it could not be said, which is logged and never raised."""
        ...


class Views(Protocol):
    """Slack's modals and Home tabs."""

    async def open_view(self, trigger_id: str, view: Mapping[str, object]) -> bool:
        """Open a modal for the click that `trigger_id` came with, within 3 s of it; False when Slack did not."""
        ...

    async def publish_home(self, user: str, view: Mapping[str, object]) -> bool:
        """Show somebody their Home tab; False when Slack did not."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The service, and the two ways to answer a person beside the acknowledgement."""

    gate: Gate
    replies: Replies
    views: Views
    web_origin: str
