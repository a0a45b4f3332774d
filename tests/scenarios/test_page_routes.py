"""The sandbox's page as a browser gets it: everything from one host, no text that could become markup."""

import json
import re
import typing
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest

from bot.blocks import kit
from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox

GOLDEN = Path(__file__).parents[1] / "unit" / "golden"
KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who opens addresses of a running sandbox."""
    slack = SlackSandbox(bot_token="xoxb-sandbox", signing_secret="signing-secret")
    async with SandboxServer(slack) as server, aiohttp.ClientSession(server.origin) as session:
        yield session


async def load(browser: aiohttp.ClientSession) -> dict[str, tuple[aiohttp.ClientResponse, str]]:
    """The page and, as a browser finds them, its style sheets, icon and modules: answer and text by address."""
    found: dict[str, tuple[aiohttp.ClientResponse, str]] = {}
    wanted = ["/"]
    while wanted:
        address = wanted.pop()
        if address in found:
            continue
        async with browser.get(address) as answer:
            found[address] = (answer, await answer.text())
        for name in re.findall(r'(?:href|src|from)(?:=| )"([^"#]+)"', found[address][1]):
            wanted.append(urljoin(address, name))
    return found


async def test_the_page_and_all_it_loads_are_there(browser: aiohttp.ClientSession) -> None:
    """Every style sheet, icon and module that the page names is served, as what it is."""
    loaded = await load(browser)
    assert {address.rpartition(".")[2] for address in loaded} == {"/", *KINDS}
    for address, (answer, _) in loaded.items():
        assert answer.status == 200, address
        assert answer.content_type == KINDS.get(address.rpartition(".")[2], "text/html"), address


async def test_the_page_needs_no_other_host(browser: aiohttp.ClientSession) -> None:
    """The policy names no host but the page's own and runs nothing inline, and no file names another host."""
    for address, (answer, text) in (await load(browser)).items():
        policy = dict(each.strip().split(" ", 1) for each in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert set(policy.values()) <= {"'none'", "'self'", "'script'"}, address
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.findall(r"//\w[\w.-]*\.\w+", text.replace("http://www.w3.org/2000/svg", "")), address


async def test_text_never_becomes_markup(browser: aiohttp.ClientSession) -> None:
    """The browser is told to refuse every string as markup, and no module tries; nothing inline would run."""
    for address, (answer, text) in (await load(browser)).items():
        policy = answer.headers["Content-Security-Policy"]
        assert "require-trusted-types-for 'script'" in policy
        assert "trusted-types 'none'" in policy
        assert not re.search(
            r"(inner|outer|insertAdjacent|setHTML|parse)\w*HTML|DOMParser|document\.write|\beval\b", text
        )
        assert address != "/" or not re.search(r"<style|<script>|\s(style|on\w+)=", text)


async def test_the_page_knows_no_app(browser: aiohttp.ClientSession) -> None:
    """It shows whatever app speaks to the stand-ins: no name or id of one stands in it."""
    assert not [address for address, (_, text) in (await load(browser)).items() if "apv" in text.casefold()]


async def test_only_the_pages_files_are_served(browser: aiohttp.ClientSession) -> None:
    """The program beside them, and whatever lies elsewhere, is not."""
    for name in ("__init__.py", "nothing.js", "..%2fserver.py", "%2e%2e%2fserver.py", ""):
        async with browser.get(f"/page/{name}") as answer:
            assert answer.status == 404, name


async def test_the_page_does_only_what_the_sandbox_can(browser: aiohttp.ClientSession) -> None:
    """Every act in its modules is one of the sandbox's."""
    acts = {name for _, text in (await load(browser)).values() for name in re.findall(r'\bact\("(\w+)"', text)}
    assert {"click", "slash", "submit_view", "close_view"} <= acts
    for act in acts:
        async with browser.post(f"/slack/control/{act}", data="{}") as answer:
            assert answer.status != 404, act


def emitted() -> set[str]:
    """Every type of block, element and text that bot.blocks declares or was seen to draw."""
    declared = {
        kind
        for shape in vars(kit).values()
        if typing.is_typeddict(shape) and "type" in (hints := typing.get_type_hints(shape))
        for kind in typing.get_args(hints["type"])
    }
    drawn = {kind for path in GOLDEN.glob("*.json") for kind in types(json.loads(path.read_text("utf-8")))}
    return (declared | drawn) - {"home", "modal"}  # which are frames and not drawn by the renderer


def types(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "type" in node:
            yield node["type"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from types(each)


async def test_whatever_the_bot_draws_the_page_can_show(browser: aiohttp.ClientSession) -> None:
    """Each type that bot.blocks emits has its function in one of the renderer's tables."""
    async with browser.get("/page/blocks.js") as answer:
        renderer = await answer.text()
    tables = re.findall(r"^const [A-Z]+ = \{\n(.*?)^\};", renderer, re.MULTILINE | re.DOTALL)
    known = {name for table in tables for name in re.findall(r"^  (\w+)[:,]", table, re.MULTILINE)}
    assert {"header", "button", "rich_text_preformatted", "static_select"} <= emitted()
    assert emitted() <= known
