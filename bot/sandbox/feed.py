"""What a person may hand to the app from the page: samples, or any file. What becomes of it is the giver's business.

Everything is given from outside, words too, so that nothing here knows an app.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.sandbox.guard import own_page_only


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of something handed in, a line each; not `ok`: nothing was taken, and the lines say why."""

    ok: bool
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Feed:
    """`take` hands bytes to the app; `title` and `hint` are what the page says of it; `samples` are name and text."""

    title: str
    hint: str
    samples: Sequence[tuple[str, str]]
    take: Callable[[bytes], Awaitable[Taken]]


class FeedDoor:
    """The routes of a feed, once there is one."""

    def __init__(self) -> None:
        self.feed: Feed | None = None

    def setup(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/feed", own_page_only(self._offer))
        app.router.add_post("/feed", own_page_only(self._take))

    async def _offer(self, _request: web.Request) -> web.Response:
        if self.feed is None:
            return web.json_response({"title": None, "hint": "", "samples": []})
        samples = [{"name": name, "text": text} for name, text in self.feed.samples]
        return web.json_response({"title": self.feed.title, "hint": self.feed.hint, "samples": samples})

    async def _take(self, request: web.Request) -> web.Response:
        if self.feed is None:
            raise web.HTTPNotFound(text="There is nobody to hand anything to.")
        taken = await self.feed.take(await request.read())
        return web.json_response({"ok": taken.ok, "lines": list(taken.lines)})
