"""The part of Slack's Web API that the bot uses: one attempt per call, every failure is a Retry or Permanent.

Nothing here retries: look (`find`) for a post with an unknown outcome before you repeat it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import aiohttp
from pydantic import BaseModel
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.integrations.slack.errors import Ambiguous, MessageGone, classify

Blocks = Sequence[Mapping[str, object]]
"""Block Kit blocks, as plain data."""

EVENT_TYPE = "apv_review"
"""`metadata.event_type` of every message the bot posts."""

_CLOCK_SKEW = 5.0
"""Seconds that Slack's clock may be behind ours when `find` searches."""

_PAGE = 200
_MOST_PAGES = 500


class Identity(BaseModel, frozen=True):
    """The owner of the bot's token."""

    team_id: str
    user_id: str
    bot_id: str | None = None
    team: str | None = None
    """The workspace's name."""


class Posted(BaseModel, frozen=True):
    """Where a message is: the two together identify it."""

    channel: str
    ts: str


class MemberProfile(BaseModel, frozen=True):
    """The part of a user's `profile` that the bot reads."""

    email: str | None = None
    real_name: str | None = None
    display_name: str | None = None


class Member(BaseModel, frozen=True):
    """A user from `users.info`; an absent flag is off."""

    id: str
    team_id: str | None = None
    name: str | None = None
    real_name: str | None = None
    profile: MemberProfile = MemberProfile()
    deleted: bool = False
    is_bot: bool = False
    is_workflow_bot: bool = False
    is_connector_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False


class _Metadata(BaseModel):
    event_payload: dict[str, object] | None = None


class _Message(BaseModel):
    ts: str
    user: str | None = None
    bot_id: str | None = None
    metadata: _Metadata | None = None

    def is_from(self, me: Identity) -> bool:
        return self.user == me.user_id or (self.bot_id is not None and self.bot_id == me.bot_id)

    def outbox_id(self) -> object:
        return ((self.metadata and self.metadata.event_payload) or {}).get("outbox_id")


class _PageMark(BaseModel):
    next_cursor: str | None = None


class _History(BaseModel):
    messages: list[_Message]
    response_metadata: _PageMark | None = None


class _Person(BaseModel):
    user: Member


class _Members(BaseModel):
    users: frozenset[str]


class _Permalink(BaseModel):
    permalink: str


class _Done(BaseModel):
    """A response without fields that matter."""


_Answer = TypeVar("_Answer", bound=BaseModel)


class SlackClient:
    """The bot's Slack client. Every method raises only Retry or Permanent (see `errors`).

    `http` is shared; its ClientTimeout limits every call, and its owner closes it.
    `on_error(method, code)` is called once per failed call; both words come from bounded sets.
    """

    def __init__(
        self, token: str, base_url: str, http: aiohttp.ClientSession, on_error: Callable[[str, str], None]
    ) -> None:
        # No retry handlers: the default ones post twice when the connection drops after Slack has posted.
        self._web = AsyncWebClient(token=token, base_url=base_url, session=http, retry_handlers=[])
        self._on_error = on_error
        self._identity: Identity | None = None

    async def identity(self) -> Identity:
        """The owner of the token; TokenRefused when Slack does not accept it."""
        self._identity = await self._call("auth.test", self._web.auth_test(), Identity)
        return self._identity

    async def post(
        self, channel: str, text: str, blocks: Blocks | None, *, outbox_id: UUID, thread_ts: str | None = None
    ) -> Posted:
        """Post a message, or with `thread_ts` a reply. `find` recognises it by `outbox_id`.

        `text` is for screen readers and notifications. Ambiguous: it may be there already.
        """
        call = self._web.chat_postMessage(
            channel=channel,
            text=text,
            blocks=_plain(blocks),
            thread_ts=thread_ts,
            metadata={"event_type": EVENT_TYPE, "event_payload": {"outbox_id": str(outbox_id)}},
            # Undocumented for this method, so only an extra protection.
            client_msg_id=str(outbox_id),
            link_names=False,
            parse="none",
            unfurl_links=False,
            unfurl_media=False,
        )
        return await self._call("chat.postMessage", call, Posted)

    async def update(self, channel: str, ts: str, text: str, blocks: Blocks | None) -> None:
        """Replace a message's text and blocks; its metadata stays. MessageGone: post a new one."""
        call = self._web.chat_update(
            channel=channel, ts=ts, text=text, blocks=_plain(blocks), link_names=False, parse="none"
        )
        await self._call("chat.update", call, _Done)

    async def permalink(self, channel: str, ts: str) -> str:
        """The web address of a message; MessageGone when it was deleted."""
        call = self._web.chat_getPermalink(channel=channel, message_ts=ts)
        return (await self._call("chat.getPermalink", call, _Permalink)).permalink

    async def find(self, channel: str, outbox_id: UUID, since: float, thread_ts: str | None = None) -> str | None:
        """The ts of the message posted with `outbox_id` at or after `since` (epoch seconds), or None.

        Without `thread_ts` it finds no replies. Needs the history scope of the channel's type.
        """
        me = self._identity or await self.identity()
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            try:
                page = await self._history(channel, since - _CLOCK_SKEW, thread_ts, cursor)
            except MessageGone:  # the thread is gone with all its replies
                return None
            for message in page.messages:
                if message.is_from(me) and message.outbox_id() == str(outbox_id):
                    return message.ts
            cursor = page.response_metadata.next_cursor if page.response_metadata else None
            if not cursor:
                return None
        raise Ambiguous("The Slack channel's history is too long to search.", code="history_too_long")

    async def ephemeral(self, channel: str, user: str, text: str, blocks: Blocks | None = None) -> None:
        """Post a message that only `user` sees; they must be a member of the channel."""
        call = self._web.chat_postEphemeral(
            channel=channel, user=user, text=text, blocks=_plain(blocks), link_names=False, parse="none"
        )
        await self._call("chat.postEphemeral", call, _Done)

    async def open_view(self, trigger_id: str, view: Mapping[str, object]) -> None:
        """Open a modal for the click of `trigger_id`, which works once within 3 s; otherwise TriggerExpired."""
        await self._call("views.open", self._web.views_open(trigger_id=trigger_id, view=dict(view)), _Done)

    async def update_view(self, view_id: str, view_hash: str, view: Mapping[str, object]) -> None:
        """Replace an open modal; Permanent `hash_conflict` if its content is no longer that of `view_hash`."""
        call = self._web.views_update(view_id=view_id, hash=view_hash, view=dict(view))
        await self._call("views.update", call, _Done)

    async def publish_home(self, user: str, view: Mapping[str, object]) -> None:
        """Show a user's Home tab; Permanent `user_not_found` when Slack does not know the user."""
        await self._call("views.publish", self._web.views_publish(user_id=user, view=dict(view)), _Done)

    async def join(self, channel: str) -> None:
        """Join a public channel; ChannelUnavailable when it is not public."""
        await self._call("conversations.join", self._web.conversations_join(channel=channel), _Done)

    async def user(self, user_id: str) -> Member:
        """A user; Permanent `user_not_found` or `user_not_visible` when Slack does not know them."""
        return (await self._call("users.info", self._web.users_info(user=user_id), _Person)).user

    async def user_by_email(self, address: str) -> Member:
        """The user with this address; Permanent `users_not_found` when Slack knows none, or a deactivated one."""
        return (await self._call("users.lookupByEmail", self._web.users_lookupByEmail(email=address), _Person)).user

    async def group_members(self, group_id: str) -> frozenset[str]:
        """The user ids in an enabled user group; Permanent `no_such_subteam` when there is no such group."""
        call = self._web.usergroups_users_list(usergroup=group_id)
        return (await self._call("usergroups.users.list", call, _Members)).users

    async def _history(self, channel: str, oldest: float, thread_ts: str | None, cursor: str | None) -> _History:
        # Without include_all_metadata Slack returns the event's type but not its payload.
        if thread_ts is None:
            call = self._web.conversations_history(
                channel=channel, oldest=f"{oldest:.6f}", include_all_metadata=True, limit=_PAGE, cursor=cursor
            )
            return await self._call("conversations.history", call, _History)
        call = self._web.conversations_replies(
            channel=channel, ts=thread_ts, oldest=f"{oldest:.6f}", include_all_metadata=True, limit=_PAGE, cursor=cursor
        )
        return await self._call("conversations.replies", call, _History)

    async def _call(self, method: str, call: Awaitable[AsyncSlackResponse], shape: type[_Answer]) -> _Answer:
        try:
            return shape.model_validate((await call).data)
        except Exception as error:  # raised again below if it cannot be classified
            failure = classify(error)
            if failure is None:
                raise
        # Outside the handler, so that the exception's context has no text of Slack's.
        self._on_error(method, failure.code)
        raise failure


def _plain(blocks: Blocks | None) -> list[dict[str, object]] | None:
    return None if blocks is None else [dict(block) for block in blocks]
