"""The page's form for submitting a sample or a file to the app.

Its texts, samples and the function that takes the content come from outside: nothing here knows an app.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from bot.sandbox.guard import own_page_only


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The result, as lines to show. When not `ok`, nothing was stored and the lines say why."""

    ok: bool
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class SubmitForm:
    """`title` and `hint` are shown on the page; `samples` are pairs of name and text; `submit` takes the content."""

    title: str
    hint: str
    samples: Sequence[tuple[str, str]]
    submit: Callable[[bytes], Awaitable[SubmitResult]]


class SubmitRoutes:
    """The routes of the form, once there is one."""

    def __init__(self) -> None:
        self.form: SubmitForm | None = None

    def setup(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/submit", own_page_only(self._show))
        app.router.add_post("/submit", own_page_only(self._submit))

    async def _show(self, _request: web.Request) -> web.Response:
        if self.form is None:
            return web.json_response({"title": None, "hint": "", "samples": []})
        samples = [{"name": name, "text": text} for name, text in self.form.samples]
        return web.json_response({"title": self.form.title, "hint": self.form.hint, "samples": samples})

    async def _submit(self, request: web.Request) -> web.Response:
        if self.form is None:
            raise web.HTTPNotFound(text="No app takes submissions here.")
        submitted = await self.form.submit(await request.read())
        return web.json_response({"ok": submitted.ok, "lines": list(submitted.lines)})
