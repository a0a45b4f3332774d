"""How long the sandbox's page takes to show a channel of 500 cards: from the navigation's start to its `drawn` mark."""

import json
import shutil
from pathlib import Path
from statistics import median

from playwright.async_api import async_playwright

from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from tests.benchmarks.figures import Figure
from tests.page.visit import NAMES

MESSAGES, ROUNDS, LIMIT_MS = 500, 5, 1_000
CARD = json.loads((Path(__file__).parents[1] / "unit/golden/card_fresh_high.json").read_text("utf-8"))
DRAWN = """new Promise(seen => new PerformanceObserver(list => seen(list.getEntriesByName("drawn")[0].startTime))
    .observe({ type: "mark", buffered: true }))"""


async def measure() -> list[Figure]:
    """The median of some loads, each in a browser profile of its own; nothing where there is no Chromium."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        return []
    slack = SlackSandbox(bot_token="xoxb-benchmark", signing_secret="benchmark")
    channel = slack.channel("vuln-review")
    for number in range(MESSAGES):
        blocks = [{**block, "block_id": f"{number}-{place}"} for place, block in enumerate(CARD["blocks"])]
        slack.workspace.post(channel, slack.bot, CARD["text"], blocks)
    async with SandboxServer(slack) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program)
        taken = []
        for _ in range(ROUNDS):
            page = await browser.new_page()
            await page.goto(server.origin)
            taken.append(float(await page.evaluate(DRAWN)))
            await page.close()
        await browser.close()
    value = median(taken)
    return [Figure("page.first_render_500", value, "ms", f"{LIMIT_MS} ms", LIMIT_MS / value)]
