"""The routes about the caller: its account, its rate limit, and the App's installation token."""

from pydantic import Field

from bot.sandbox.github.call import Answer, ApiRoute, Body, Call
from bot.sandbox.github.errors import Json, not_found, unprocessable
from bot.sandbox.github.hub import TokenBudget
from bot.sandbox.github.model import Account
from bot.sandbox.github.render import BORN, account_json, instant, node_id


class TokenRequest(Body):
    """POST app/installations/{id}/access_tokens."""

    permissions: dict[str, str] = Field(default_factory=dict)
    repositories: list[str] = Field(default_factory=list)
    repository_ids: list[int] = Field(default_factory=list)


def root(call: Call) -> Answer:
    """Answer with the addresses of the API."""
    return Answer(
        200,
        {
            "current_user_url": f"{call.root}/user",
            "rate_limit_url": f"{call.root}/rate_limit",
            "repository_url": f"{call.root}/repos/{{owner}}/{{repo}}",
            "user_url": f"{call.root}/users/{{user}}",
        },
    )


def rate_limit(call: Call) -> Answer:
    """Answer with the caller's budget; this call does not count."""
    core = _budget(call.caller.rate)
    return Answer(200, {"resources": {"core": core, "search": core}, "rate": core})


def _budget(rate: TokenBudget) -> Json:
    return {"limit": rate.limit, "used": rate.used, "remaining": rate.remaining, "reset": rate.reset}


def get_authenticated(call: Call) -> Answer:
    """Answer with the user of the token; an installation is not a user."""
    shown = account_json(call.root, call.caller.account) | {
        "name": None, "email": None, "bio": None, "blog": None, "company": None, "location": None, "hireable": None,
        "followers": 0, "following": 0, "public_gists": 0, "public_repos": 0, "created_at": BORN, "updated_at": BORN,
    }  # fmt: skip
    return Answer(200, shown)


def create_installation_token(call: Call) -> Answer:
    """Exchange the App's JSON web token for an installation token."""
    call.hub.authenticate_app(call.authorization)
    if int(call.arguments["installation"]) != call.hub.installation_id:
        raise not_found()
    sent = call.body(TokenRequest)
    granted, levels = call.hub.granted, ("read", "write")
    for name, level in sent.permissions.items():
        if level not in levels or levels.index(level) > levels.index(granted.get(name, "read")) or name not in granted:
            raise unprocessable("The permissions requested are not granted to this installation.")
    permissions = {"metadata": "read"} | (sent.permissions or granted)
    token, caller = call.hub.install(permissions)
    return Answer(
        201,
        {
            "token": token,
            "expires_at": instant(caller.expires_at),
            "permissions": permissions,
            "repository_selection": "all",
        },
    )


def get_app(call: Call) -> Answer:
    """Answer with the App itself."""
    call.hub.authenticate_app(call.authorization)
    slug = f"app-{call.hub.app_id}"
    return Answer(
        200,
        {
            "id": int(call.hub.app_id),
            "node_id": node_id("Integration", call.hub.app_id),
            "description": None,
            "external_url": call.root,
            "created_at": BORN,
            "updated_at": BORN,
            "slug": slug,
            "name": slug,
            "html_url": f"{call.root}/apps/{slug}",
            "owner": account_json(call.root, Account("sandbox", "Organization")),
            "permissions": call.hub.granted,
            "events": [],
        },
    )


ROUTES = (
    ApiRoute("meta/root", "GET", "/", root),
    ApiRoute("rate-limit/get", "GET", "/rate_limit", rate_limit),
    ApiRoute("users/get-authenticated", "GET", "/user", get_authenticated, "user:read"),
)
# These two take the App's own token, which no other route accepts.
APP_ROUTES = (
    ApiRoute("apps/get-authenticated", "GET", "/app", get_app),
    ApiRoute(
        "apps/create-installation-access-token", "POST", "/app/installations/{installation:\\d+}/access_tokens",
        create_installation_token,
    ),
)  # fmt: skip
