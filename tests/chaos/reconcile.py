"""Afterwards: compare what was acknowledged, what the database holds and what the stand-ins have."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.plan import Story
from tests.chaos.reviewers import CODE, Click, Reviewers
from tests.harness import World

REPLIED = {
    "decision.approve", "review.approved", "review.rejected", "review.escalated", "pull.opened", "pull.failed",
    "deadline.missed", "job.held",
}  # fmt: skip
ALERTED = {"review.escalated", "pull.failed", "deadline.missed", "job.held"}
SHOWN = {"pr_open": "Pull request open", "rejected": "Rejected", "approved": "Approved"}
"""What a card says in the end, by its review's status."""


@dataclass
class Books:
    """The disagreements, as sentences."""

    decisions: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)

    def compare(self, what: str, wanted: Iterable[object], found: Iterable[object]) -> None:
        """Each thing wanted must be found as often as it is wanted."""
        wants, has = Counter(wanted), Counter(found)
        self.lost += [f"{what}: {thing}" for thing in (wants - has).elements()]
        self.duplicated += [f"{what}: {thing}" for thing in (has - wants).elements()]


async def reconcile(world: World, reviewers: Reviewers, stories: list[Story]) -> Books:
    """Look at everything once all is quiet."""
    books = Books()
    reviews = await world.rows("SELECT id, apv_code, package_name, severity, status FROM apv_reviews")
    decisions = await world.rows("SELECT apv_code, reviewer_key, decision, action_taken FROM hitl_decisions")
    audit = await world.rows("SELECT apv_code, kind, sentence, detail FROM audit_log ORDER BY position")
    books.decisions = len(decisions)
    books.compare("submitted", [story.package for story in stories], [row["package_name"] for row in reviews])
    _clicks(books, reviewers, decisions)
    _cards(books, world, reviewers, reviews)
    _threads(books, world, reviewers, reviews, audit)
    _alerts(books, world, reviews, audit)
    _pulls(books, world, reviewers, stories)
    books.lost += [f"effect of {row['apv_code']} is not written down" for row in decisions if not row["action_taken"]]
    books.lost += [f"job {row}" for row in await world.rows("SELECT entrypoint, status FROM pgqueuer")]
    books.lost += await world.broken_links()
    return books


def _clicks(books: Books, reviewers: Reviewers, decisions: list[dict[str, Any]]) -> None:
    """Each acknowledged click is recorded once, and each recorded decision was clicked."""
    recorded = Counter(Click(row["apv_code"], row["reviewer_key"], row["decision"]) for row in decisions)
    # Everybody went on until their decision stood, acknowledged or seen on the card.
    books.compare("decision", reviewers.attempted, recorded.elements())
    books.lost += [f"acknowledged: {click}" for click in reviewers.acknowledged if not recorded[click]]


def _cards(books: Books, world: World, reviewers: Reviewers, reviews: list[dict[str, Any]]) -> None:
    """One card per review, only in the review channel; it shows how the review ended and takes no more clicks."""
    reviewers.board.find("")
    cards = reviewers.board.cards
    books.compare(
        "card", [row["apv_code"] for row in reviews], [code for code, posted in cards.items() for _ in posted]
    )
    for row in reviews:
        for card in cards[row["apv_code"]]:
            if SHOWN.get(row["status"], "?") not in card.words or "Approve" in card.buttons:
                books.lost.append(f"card of {row['apv_code']} does not show {row['status']}")


def _threads(
    books: Books,
    world: World,
    reviewers: Reviewers,
    reviews: list[dict[str, Any]],
    audit: list[dict[str, Any]],
) -> None:
    """One reply for each event, with its sentence."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for entry in audit:
        silent = entry["kind"] == "job.held" and entry["detail"]["task"] in {"slack.reply", "slack.alert"}
        if entry["kind"] in REPLIED and not silent:
            wanted[entry["apv_code"]].append(_plain(entry["sentence"]))
    said: dict[str, list[str]] = defaultdict(list)
    for message in world.slack.channel("vuln-review").messages:
        if message.thread_ts not in (None, message.ts):
            said[message.thread_ts].append(_plain(message.words))
    for row in reviews:
        card = reviewers.board.find(row["apv_code"])
        replies = said.get(card.ts, []) if card else []
        books.compare(f"reply on {row['apv_code']}", wanted[row["apv_code"]], replies)


def _alerts(books: Books, world: World, reviews: list[dict[str, Any]], audit: list[dict[str, Any]]) -> None:
    """The incident channel hears of each critical APV, each escalation and each failure."""
    wanted = [row["apv_code"] for row in reviews if row["severity"] == "critical"]
    for entry in audit:
        if entry["kind"] in ALERTED and entry["detail"].get("task") != "slack.alert":
            wanted.append(entry["apv_code"])
    heard = [CODE.search(message.words) for message in world.slack.channel("incidents").messages]
    books.compare("alert", wanted, [found[0] if found else "?" for found in heard])


def _pulls(books: Books, world: World, reviewers: Reviewers, stories: list[Story]) -> None:
    """One branch and one pull request for each approved patch, and none for anything else."""
    wanted = [reviewers.codes[story.package] for story in stories if story.opens_pull]
    pulls, branches = world.github.pulls(), set(world.github.branches()) - {"main"}
    books.compare("pull request", wanted, [_code(pull.head_ref) for pull in pulls])
    books.compare("branch", wanted, [_code(branch) for branch in branches])


def _code(branch: str) -> str:
    return branch.removeprefix("apv/").rpartition("-")[0]


def _plain(words: str) -> str:
    """The text without escapes."""
    return words.replace("\u200b", "").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&").strip()
