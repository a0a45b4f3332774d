"""chat.*: post, update and delete messages, ephemeral messages, permalinks."""

from bot.sandbox.slack import limits
from bot.sandbox.slack.arguments import Arguments
from bot.sandbox.slack.blockkit import check_message_blocks, check_metadata
from bot.sandbox.slack.method import method, visible_channel, writable_channel
from bot.sandbox.slack.model import Channel, Message
from bot.sandbox.slack.wire import Json, SlackError
from bot.sandbox.slack.workspace import Workspace

_FORMATTING = "link_names parse mrkdwn"


@method(
    "chat.postMessage",
    required="channel",
    optional=f"text blocks thread_ts metadata unfurl_links unfurl_media client_msg_id {_FORMATTING}",
    scope="chat:write",
)
def post_message(workspace: Workspace, args: Arguments) -> Json:
    """Post to a channel or thread; text over 40,000 characters is truncated, as at Slack."""
    channel = writable_channel(workspace, args)
    text, blocks = _content(workspace, args)
    metadata = check_metadata(args.structure("metadata")) if args.has("metadata") else None
    message = workspace.post(
        channel,
        workspace.bot,
        text[: limits.TEXT_POSTED],
        blocks,
        thread_ts=args.text("thread_ts") or None,
        metadata=metadata,
    )
    answer: Json = {"channel": channel.id, "ts": message.ts, "message": channel.message_as_json(message)}
    if len(text) > limits.TEXT_POSTED:
        answer |= {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}
    return answer


@method("chat.update", required="channel ts", optional=f"text blocks metadata {_FORMATTING}", scope="chat:write")
def update(workspace: Workspace, args: Arguments) -> Json:
    """Update one of the bot's own messages. Without new blocks the old ones stay, unless only a text is sent."""
    channel = writable_channel(workspace, args)
    message = _own_message(workspace, channel, args, otherwise="cant_update_message")
    if len(args.text("text")) > limits.TEXT_UPDATED:
        raise SlackError("msg_too_long")
    if not any(args.has(name) for name in ("text", "blocks", "metadata")):
        raise SlackError("no_text")
    metadata = check_metadata(args.structure("metadata")) if args.has("metadata") else message.metadata
    text, blocks = message.text, message.blocks
    if args.has("text") or args.has("blocks"):
        text, blocks = _content(workspace, args)
        text = text if args.has("text") else message.text
    workspace.change(message, text, blocks)
    message.metadata = metadata
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": channel.message_as_json(message)}


@method("chat.delete", required="channel ts", scope="chat:write")
def delete(workspace: Workspace, args: Arguments) -> Json:
    """Delete one of the bot's own messages."""
    channel = visible_channel(workspace, args)
    message = _own_message(workspace, channel, args, otherwise="cant_delete_message")
    workspace.remove(message)
    return {"channel": channel.id, "ts": message.ts}


@method(
    "chat.postEphemeral",
    required="channel user",
    optional=f"text blocks thread_ts {_FORMATTING}",
    scope="chat:write",
)
def post_ephemeral(workspace: Workspace, args: Arguments) -> Json:
    """Show a message to one member of a channel."""
    channel = writable_channel(workspace, args)
    reader = workspace.users.get(args.text("user"))
    if reader is None or reader.deleted or reader.id not in channel.members:
        raise SlackError("user_not_in_channel")
    text, blocks = _content(workspace, args)
    message = workspace.post_ephemeral(channel, reader, text, blocks, args.text("thread_ts") or None)
    return {"message_ts": message.ts}


@method("chat.getPermalink", required="channel message_ts")
def get_permalink(workspace: Workspace, args: Arguments) -> Json:
    """Return the web address of a message."""
    channel = visible_channel(workspace, args)
    message = channel.find(args.text("message_ts"))
    if message is None or message.tombstone:
        raise SlackError("message_not_found")
    link = f"https://{workspace.domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts and message.thread_ts != message.ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def _content(workspace: Workspace, args: Arguments) -> tuple[str, list[Json]]:
    """Return the call's text and blocks; at least one is required."""
    text = args.text("text")
    blocks = check_message_blocks(args.structure("blocks"), workspace.ids) if args.has("blocks") else []
    if not text.strip() and not blocks:
        raise SlackError("no_text")
    return text, blocks


def _own_message(workspace: Workspace, channel: Channel, args: Arguments, *, otherwise: str) -> Message:
    message = channel.find(args.text("ts"))
    if message is None or message.tombstone:
        raise SlackError("message_not_found")
    if message.user != workspace.bot.id:
        raise SlackError(otherwise)
    return message
