"""A Bolt app as small as one can be, in a process of its own: what a click costs before anything is done with it.

`python -m tests.benchmarks.empty_bolt stock|before_response PORT`, with SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET and
SLACK_API_URL in the environment.
"""

import os
import sys

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks import ids


async def approve(ack: AsyncAck) -> None:
    await ack()


def main(mode: str, port: int) -> None:
    client = AsyncWebClient(token=os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    app = AsyncApp(client=client, process_before_response=mode == "before_response")
    app.action(ids.APPROVE)(approve)
    app.start(port=port, host="127.0.0.1")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
