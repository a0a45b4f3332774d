"""The review routes of a pull request: approve, ask for changes, comment."""

from typing import Literal

from bot.sandbox.github.call import Answer, ApiRoute, Body, Call
from bot.sandbox.github.errors import Json, unprocessable
from bot.sandbox.github.model import Account, Pull, PullReview
from bot.sandbox.github.render import Renderer, instant, node_id
from bot.sandbox.github.repository import Repository

STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


class NewReview(Body):
    """POST pulls/{number}/reviews."""

    event: Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"]
    body: str = ""
    commit_id: str | None = None


def create(call: Call) -> Answer:
    """Give a review."""
    pull, sent = call.pull(), call.body(NewReview)
    review = give(call.repository, pull, call.caller.account, sent.event, sent.body)
    return Answer(201, render_review(call.render, pull, review))


def list_reviews(call: Call) -> Answer:
    """Answer with the reviews, oldest first."""
    pull, render = call.pull(), call.render
    return call.page([render_review(render, pull, review) for review in pull.reviews])


def give(repository: Repository, pull: Pull, by: Account, event: str, body: str) -> PullReview:
    """Add a review and drop the request for it."""
    if by.login.lower() == pull.author.login.lower() and event != "COMMENT":
        what = "approve" if event == "APPROVE" else "request changes on"
        raise unprocessable(f"Can not {what} your own pull request")
    if event != "APPROVE" and not body.strip():
        raise unprocessable("Could not comment pull request review.")
    review = PullReview(repository.next_id(), by, STATES[event], body, pull.head_sha)
    pull.reviews.append(review)
    pull.reviewers = [account for account in pull.reviewers if account.login.lower() != by.login.lower()]
    return review


def render_review(render: Renderer, pull: Pull, review: PullReview) -> Json:
    """Render a review."""
    page, url = f"{render.html_url}/pull/{pull.number}", f"{render.url}/pulls/{pull.number}"
    return {
        "id": review.id, "node_id": node_id("PullRequestReview", review.id), "user": render.account(review.author),
        "body": review.body, "state": review.state, "commit_id": review.commit_id,
        "html_url": f"{page}#pullrequestreview-{review.id}", "pull_request_url": url,
        "submitted_at": instant(review.submitted_at), "author_association": "CONTRIBUTOR",
        "_links": {"html": {"href": f"{page}#pullrequestreview-{review.id}"}, "pull_request": {"href": url}},
    }  # fmt: skip


_REVIEWS = "/repos/{owner}/{repo}/pulls/{number:\\d+}/reviews"
ROUTES = (
    ApiRoute("pulls/create-review", "POST", _REVIEWS, create, "pull_requests:write"),
    ApiRoute("pulls/list-reviews", "GET", _REVIEWS, list_reviews, "pull_requests:read"),
)
