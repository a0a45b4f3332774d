"""A routed request (caller, repository, content) and its answer."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from bot.sandbox.github.errors import ApiError, Json, invalid_request
from bot.sandbox.github.hub import Caller, Hub
from bot.sandbox.github.model import Pull
from bot.sandbox.github.render import Renderer
from bot.sandbox.github.repository import Repository

T = TypeVar("T")


class Body(BaseModel):
    """A request body of the documented shape; unknown fields are refused and no type is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class Answer:
    """A handler's answer; `content` None means an empty body."""

    status: int
    content: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request after routing: `root` is the stand-in's own address, `arguments` come from the path."""

    hub: Hub
    caller: Caller
    root: str
    path: str
    arguments: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes
    authorization: str | None = None

    @property
    def repository(self) -> Repository:
        """The repository the path names; 404 when there is none."""
        return self.hub.repository(self.arguments["owner"], self.arguments["repo"])

    @property
    def render(self) -> Renderer:
        """The renderer for the repository the path names."""
        return Renderer(self.root, self.repository)

    def number(self) -> int:
        """Return the issue or pull request number of the path."""
        return int(self.arguments["number"])

    def pull(self) -> Pull:
        """Return the pull request the path names; 404 when there is none."""
        return self.repository.pull(self.number())

    def json(self) -> object:
        """Parse the body as JSON; 400 when it is not."""
        try:
            sent: object = json.loads(self.raw or b"{}")
            json.dumps(sent, ensure_ascii=False).encode()  # half a surrogate pair is not text
        except ValueError:
            raise ApiError(400, "Problems parsing JSON", unexpected=True) from None
        return sent

    def body(self, shape: type[T]) -> T:
        """Read the body as `shape`; otherwise 422, naming every fault."""
        sent = self.json()
        try:
            return TypeAdapter(shape).validate_python(sent)
        except ValidationError as error:
            raise invalid_request(*map(_fault, error.errors())) from None

    def choice(self, name: str, default: str, *allowed: str) -> str:
        """Read a word from the query; 422 when it is not allowed."""
        word = self.query.get(name, default)
        if word not in allowed:
            raise invalid_request(f'"{name}" must be one of {", ".join(allowed)}')
        return word

    def page(self, rows: Sequence[Json]) -> Answer:
        """Answer with the page of a list that `page` and `per_page` choose, and links to the others."""
        size = min(max(_whole(self.query, "per_page", 30), 1), 100)
        page, last = max(_whole(self.query, "page", 1), 1), max(1, -(-len(rows) // size))
        where = {"first": 1, "prev": page - 1} if page > 1 else {}
        where |= {"next": page + 1, "last": last} if page < last else {}
        links = [
            f'<{self.root}{self.path}?{urlencode({**self.query, "page": number})}>; rel="{name}"'
            for name, number in where.items()
        ]
        chosen = list(rows[(page - 1) * size : page * size])
        return Answer(200, chosen, {"Link": ", ".join(links)} if links else {})


@dataclass(frozen=True)
class ApiRoute:
    """One call that the stand-in supports.

    `operation` is GitHub's own operation id; `permission` is what an installation token needs
    (`contents:write`; a bar separates alternatives); None when it needs none.
    """

    operation: str
    method: str
    path: str
    handler: Callable[[Call], Answer]
    permission: str | None = None
    query: tuple[str, ...] = ()


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdecimal() else default


def _fault(error: ErrorDetails) -> str:
    where = "/".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f'"{where}" wasn\'t supplied.'
    if error["type"] == "extra_forbidden":
        return f'"{where}" is not a permitted key.'
    return f"For 'properties/{where}', {error['msg'][:1].lower()}{error['msg'][1:]}."
