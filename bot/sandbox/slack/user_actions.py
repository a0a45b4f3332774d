"""What a person does in Slack (click, submit or close a modal, type a command) and what Slack's client does next.

Each method sends one request to the app and returns its `Delivery`. CannotActError when no person could do it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from bot.sandbox.slack import payloads
from bot.sandbox.slack.blockkit import check_view
from bot.sandbox.slack.delivery import NOT_SENT, Delivery, Sender
from bot.sandbox.slack.form import (
    CannotActError,
    Entered,
    NotSubmittedError,
    choice,
    client_errors,
    enter,
    find_element,
    state_values,
)
from bot.sandbox.slack.model import Channel, Message, User
from bot.sandbox.slack.responses import respond
from bot.sandbox.slack.views import ResponseTarget, View
from bot.sandbox.slack.wire import Json, SlackError
from bot.sandbox.slack.workspace import Workspace

_TROUBLE = "We had some trouble connecting. Try again?"


class UserActions:
    """A person's actions in one workspace, delivered by one sender."""

    def __init__(self, workspace: Workspace, sender: Sender, response_url: Callable[[str], str]) -> None:
        self.workspace = workspace
        self.sender = sender
        self._response_url = response_url
        self.event_retry_delays: Sequence[float] = (0.0, 0.0, 0.0)
        """Seconds before each retry of a failed event; Slack uses 0, 60 and 300."""

    async def click(
        self,
        user: User | str,
        channel: Channel | str,
        ts: str,
        *,
        action_id: str | None = None,
        text: str | None = None,
        option: Entered = None,
        confirm: bool = True,
        blocks: list[Json] | None = None,
    ) -> Delivery:
        """Press the button (or choose `option` in the menu) with this action_id or visible text.

        The click is on the message as it is now, or on `blocks`, an older copy that a slow client still shows.
        With `confirm` False the person cancels the button's confirm dialog, and nothing is sent.
        """
        who, where = self.workspace.user(user), self.workspace.channel(channel)
        message = self._message(who, where, ts)
        block, element = find_element(message.blocks if blocks is None else blocks, action_id=action_id, text=text)
        if _cancels(element, confirm):
            return NOT_SENT
        token = self.workspace.response_urls.give(who.id, where.id, message.ts, message.thread_ts)
        payload = payloads.message_action(
            self.workspace,
            who,
            where,
            message,
            payloads.action(block, element, choice(element, option)),
            trigger_id=self.workspace.triggers.give(who.id),
            response_url=self._response_url(token),
            blocks=blocks,
        )
        return await self.sender.interaction(payload)

    async def click_in_view(
        self,
        user: User | str,
        view_id: str,
        *,
        action_id: str | None = None,
        text: str | None = None,
        option: Entered = None,
        confirm: bool = True,
    ) -> Delivery:
        """Press a button, or choose in a menu, in an open modal or the Home tab."""
        who = self.workspace.user(user)
        view = self._view(who, view_id)
        block, element = find_element(view.blocks, action_id=action_id, text=text)
        if _cancels(element, confirm):
            return NOT_SENT
        chosen = choice(element, option)
        if chosen is not None and element["type"] != "overflow":
            enter(view, {element["action_id"]: option})
        delivery = await self.sender.interaction(
            payloads.view_action(
                self.workspace,
                who,
                view,
                payloads.action(block, element, chosen),
                trigger_id=self.workspace.triggers.give(who.id, view.id),
                values=state_values(view),
            )
        )
        view.trouble = None if delivery.ok else _TROUBLE
        self.workspace.touch("view")
        return delivery

    async def submit_view(
        self, user: User | str, view_id: str, values: Mapping[str, Entered] | None = None, *, enforce: bool = True
    ) -> Delivery:
        """Fill in an open modal and submit it; NotSubmittedError when Slack's client would not send it.

        With `enforce` False it is sent anyway, as a custom client could.
        The app's answer is carried out: errors, update, push, clear, or closing the modal.
        """
        who = self.workspace.user(user)
        view = self._view(who, view_id)
        if "submit" not in view.content:
            raise CannotActError("this view has no submit button")
        enter(view, values or {})
        entered = state_values(view)
        if enforce and (errors := client_errors(view, entered)):
            view.errors = errors
            self.workspace.touch("view")
            raise NotSubmittedError(errors)
        delivery = await self.sender.interaction(
            payloads.view_submission(
                self.workspace,
                who,
                view,
                trigger_id=self.workspace.triggers.give(who.id, view.id),
                values=entered,
            )
        )
        self._follow(view, delivery)
        self.workspace.touch("view")
        return delivery

    async def close_view(self, user: User | str, view_id: str, *, all_of_them: bool = False) -> Delivery:
        """Close a modal, or with `all_of_them` its whole stack; the app is notified only if it asked for it."""
        who = self.workspace.user(user)
        view = self._view(who, view_id)
        if view.content["type"] != "modal":
            raise CannotActError("a Home tab cannot be closed")
        if all_of_them or view.content.get("clear_on_close"):
            self.workspace.views.clear(view)
        else:
            self.workspace.views.close(view)
        self.workspace.touch("view")
        if not view.content.get("notify_on_close"):
            return NOT_SENT
        return await self.sender.interaction(payloads.view_closed(self.workspace, who, view, is_cleared=all_of_them))

    async def slash(self, user: User | str, channel: Channel | str, command: str, text: str = "") -> Delivery:
        """Type a slash command in a channel; the app's answer appears where Slack shows it."""
        who, where = self.workspace.user(user), self.workspace.channel(channel)
        self._check_member(who, where)
        token = self.workspace.response_urls.give(who.id, where.id)
        fields = payloads.slash_command(
            self.workspace,
            who,
            where,
            command,
            text,
            trigger_id=self.workspace.triggers.give(who.id),
            response_url=self._response_url(token),
        )
        delivery = await self.sender.command(fields)
        if delivery.ok and delivery.body not in ("", {}, None):
            body = delivery.body if isinstance(delivery.body, dict) else {"text": str(delivery.body)}
            try:
                respond(self.workspace, ResponseTarget(who.id, where.id, None, None, 0.0), body)
            except SlackError as refusal:
                self._misbehaved(f"answer to {command}", refusal)
        return delivery

    async def say(
        self, user: User | str, channel: Channel | str, text: str, *, thread_ts: str | None = None
    ) -> Message:
        """Write a message. The app is not notified; use `send_event` for that."""
        who, where = self.workspace.user(user), self.workspace.channel(channel)
        self._check_member(who, where)
        message = self.workspace.post(where, who, text, [], thread_ts=thread_ts)
        message.read = True
        return message

    async def open_home(self, user: User | str) -> Delivery:
        """Open the app's Home tab, which sends app_home_opened."""
        who = self.workspace.user(user)
        home = self.workspace.views.home(who.id)
        shown = {} if home is None else {"view": self.workspace.view_as_json(home)}
        event = {"type": "app_home_opened", "user": who.id, "tab": "home", "event_ts": f"{time.time():.6f}", **shown}
        return await self.send_event(event)

    async def send_event(self, event: Mapping[str, object]) -> Delivery:
        """Deliver an event, with at most three retries unless the answer is 2xx. Return the last delivery."""
        payload = payloads.event_callback(self.workspace, event)
        delivery = await self.sender.event(payload)
        for number, delay in enumerate(self.event_retry_delays, start=1):
            if delivery.ok or delivery.headers.get("X-Slack-No-Retry") == "1":
                break
            await asyncio.sleep(delay)
            reason = "http_timeout" if delivery.timed_out else "http_error" if delivery.status else "connection_failed"
            delivery = await self.sender.event(payload, retry=(number, reason))
        return delivery

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Send the identical signed request, or socket envelope, again."""
        return await self.sender.again(delivery)

    async def deliver(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Send any body to the request URL, unsigned unless the headers sign it."""
        return await self.sender.raw(body, headers)

    def _follow(self, view: View, delivery: Delivery) -> None:
        """Carry out the app's answer to a submission, as Slack's client does."""
        view.errors, view.trouble = {}, None
        if not delivery.ok:
            view.trouble = _TROUBLE
            return
        body = delivery.body
        if body in ("", {}, None):
            self.workspace.views.close(view)
            return
        try:
            self._respond_to_submission(view, body)
        except SlackError as refusal:
            view.trouble = _TROUBLE
            self._misbehaved("answer to view_submission", refusal)

    def _respond_to_submission(self, view: View, body: object) -> None:
        match body:
            case {"response_action": "errors", "errors": dict(errors), **rest} if errors and not rest:
                inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
                if unknown := errors.keys() - inputs:
                    raise SlackError("invalid_response", [f"no input has block_id {', '.join(sorted(unknown))}"])
                if not all(isinstance(what, str) and what for what in errors.values()):
                    raise SlackError("invalid_response", ["an error must be a sentence"])
                view.errors = dict(errors)
            case {"response_action": "update", "view": content, **rest} if not rest:
                self.workspace.views.replace(view, check_view(content, self.workspace.ids, kind="modal"))
            case {"response_action": "push", "view": content, **rest} if not rest:
                checked = check_view(content, self.workspace.ids, kind="modal")
                self.workspace.views.open(view.user, checked, onto=view)
            case {"response_action": "clear", **rest} if not rest:
                self.workspace.views.clear(view)
            case _:
                raise SlackError("invalid_response", ["no such response_action"])

    def _misbehaved(self, what: str, refusal: SlackError) -> None:
        self.workspace.unexpected.append(f"{what}: {refusal.code} {'; '.join(refusal.problems)}".rstrip())

    def _message(self, user: User, channel: Channel, ts: str) -> Message:
        if channel.is_private:
            self._check_member(user, channel)
        message = self.workspace.find_shown(user, channel, ts)
        if message is None or message.tombstone:
            raise CannotActError(f"{user.name} sees no message {ts} in #{channel.name}")
        return message

    def _check_member(self, user: User, channel: Channel) -> None:
        if channel.is_private and user.id not in channel.members:
            raise CannotActError(f"{user.name} is not in the private channel #{channel.name}")

    def _view(self, user: User, view_id: str) -> View:
        view = self.workspace.views.get(view_id)
        if view is None or view.user != user.id:
            raise CannotActError(f"{user.name} has no open view {view_id}")
        return view


def _cancels(element: Json, confirm: bool) -> bool:
    if not confirm and "confirm" not in element:
        raise CannotActError("this element has no confirm dialog to cancel")
    return not confirm
