"""How a pull request reads: everything a maintainer needs, and nothing that GitHub renders as more than text."""

import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from bot.blocks.pull_request import BODY_MAX, TITLE_MAX, answer, approved, body, check, commit_message, title
from bot.domain.apv import Apv, Json, PatchStrategy, Severity
from tests.unit.blocks import AIOHTTP, dossier

HOSTILE = (
    "@everyone fixes #1, closes acme/shop#2 GH-3 [skip ci] <img src=x onerror=1> <!-- --> ![x](http://evil.example/x)"
    " ``` ~~~ | `` \u202e http://evil.example https://github.com/acme/shop/issues/4\n\n# heading\n```\n@mia\n````\n"
)
GITHUB_BODY_MAX = 65_536


@dataclass(frozen=True)
class Given:
    reviewer_name: str
    justification: str
    reviewer_key: str = "U0ALICE"
    reviewer_email: str | None = None
    at: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)


def hostile(size: int) -> Apv:
    """An APV whose texts are all hostile and this long."""
    text = (HOSTILE * (size // len(HOSTILE) + 1))[:size]
    texts: dict[str, object] = {}
    for name, kind in ((f.name, f.type) for f in fields(Apv)):
        if kind in {str, str | None} and name not in {"repository", "base_ref"}:
            texts[name] = text
        elif kind == tuple[str, ...]:
            texts[name] = (text,) * 20
    evidence: Json = {"log": [text] * 20}
    return replace(AIOHTTP, **texts, wargame_evidence=evidence)  # type: ignore[arg-type] # names chosen by their type


def live(markdown: str) -> str:
    """The text outside code: without fenced blocks and code spans."""
    without_fences = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", markdown)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", without_fences)


def test_everything_a_maintainer_asks_for_is_there() -> None:
    """Advisory with its link, scores, versions, wargame, who approved and why, and where it was decided."""
    told = body(dossier(AIOHTTP), [Given("Alice", "The wargame passed."), Given("Bob", "", "U0BOB", "bob@example.com")])
    for words in (
        "[CVE-2024-23334](https://nvd.nist.gov/vuln/detail/CVE-2024-23334)",
        "`7.5 CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N`",
        "`93.18%`",
        "`3.9.1 → 3.9.2`",
        "`success (confidence 92%)`",
        "- `Alice` (`U0ALICE`), 2026-11-22 12:00 UTC: `The wargame passed.`",
        "- `Bob` (`U0BOB`, `bob@example.com`), 2026-11-22 12:00 UTC",
        "`https://ci.example/runs/8812`",
        "Validation | `passed`",
    ):
        assert words in told


NASTY = Given(HOSTILE, HOSTILE * 20, f"claimed:{HOSTILE}", f"{HOSTILE}@example.com")


@pytest.mark.parametrize("size", [200, 5_000, 65_536])
def test_untrusted_text_is_only_text(size: int) -> None:
    """It mentions nobody, refers to and closes nothing, links nothing, renders nothing, at any length."""
    told = body(dossier(hostile(size)), [NASTY] * 40)
    assert len(told) <= BODY_MAX < GITHUB_BODY_MAX
    left = live(told)
    for sign in ("@", "<", "](", "http", "GH-", "everyone", "\u202e"):
        assert sign not in left, sign
    assert not re.search(r"#\d", left)


def test_many_approvals_leave_room_for_the_rest() -> None:
    """Too many names are counted, not cut in the middle of one."""
    told = body(dossier(AIOHTTP), [Given(f"Person {n}", "x" * 3_000) for n in range(100)])
    assert "more" in told.partition("### Approvals")[2]
    assert "### Advisory" in told


MACHINE = Given("ci", "All tests pass.", "token:ci")


def test_two_of_one_name_are_told_apart_and_a_machine_is_said_to_be_one() -> None:
    """Body and check list each with its id; whoever changes a display name becomes nobody else."""
    given = [Given("Alice", "", "U0ALICE", "alice@example.com"), Given("Alice", "", "U0OTHER"), MACHINE]
    for told in (body(dossier(AIOHTTP), given), check(dossier(AIOHTTP).review, given)):
        lines = [line for line in told.splitlines() if line.startswith("- ")]
        assert lines == [
            "- `Alice` (`U0ALICE`, `alice@example.com`), 2026-11-22 12:00 UTC",
            "- `Alice` (`U0OTHER`), 2026-11-22 12:00 UTC",
            "- `ci` (machine, `token:ci`), 2026-11-22 12:00 UTC: `All tests pass.`",
        ]
    assert approved(dossier(AIOHTTP).review, given).endswith(": Alice, Alice, ci (machine)")


CHECK_RUN_MAX, STATUS_MAX = 65_535, 140
"""GitHub's limits for the summary of a check run and the description of a commit status."""


@pytest.mark.parametrize("number", [0, 1, 2, 400])
def test_the_check_names_whom_it_can_within_githubs_limits(number: int) -> None:
    """Code and digest always fit; what is untrusted is only text."""
    review = dossier(AIOHTTP).review
    sentence, markdown = approved(review, [NASTY] * number), check(review, [NASTY] * number)
    assert len(sentence) <= STATUS_MAX
    assert len(markdown) <= CHECK_RUN_MAX
    assert review.code in sentence
    assert review.digest[:16] in sentence
    assert review.digest in markdown
    assert not re.search(r"@\w|#\d|GH-\d|://\w", sentence)
    for sign in ("@", "<", "](", "http", "GH-", "everyone", "\u202e"):
        assert sign not in live(markdown), sign


def test_a_check_of_what_nobody_approved_says_so() -> None:
    """The policy did."""
    review = dossier(AIOHTTP).review
    assert "automatically" in approved(review, [])
    assert "automatically" in check(review, [])


@pytest.mark.parametrize("strategy", list(PatchStrategy))
def test_titles_are_conventional_and_inert(strategy: PatchStrategy) -> None:
    """`fix(deps): …` for a bump, else `fix(security): …`; one line, within bounds, that mentions and closes nothing."""
    told = title(replace(hostile(300), patch_strategy=strategy))
    assert re.match(r"fix\((deps|security)\): ", told)
    assert len(told.replace("\u200b", "")) <= TITLE_MAX
    assert "\n" not in told
    for raw in (told, commit_message(dossier(hostile(300)))):
        assert not re.search(r"@\w|#\d|GH-\d|\[skip|://\w", raw)


def test_the_same_review_makes_the_same_commit() -> None:
    """The message holds nothing but what was approved, so a second run makes the same commit."""
    assert commit_message(dossier(AIOHTTP)) == commit_message(dossier(replace(AIOHTTP, severity=Severity.HIGH)))
    assert "APV-Digest: " in commit_message(dossier(AIOHTTP))


def test_an_answer_is_found_again_by_its_mark() -> None:
    """The justification stays inside its fence."""
    said, mark = answer(HOSTILE, UUID(int=7), close=True)
    assert said.startswith(mark)
    assert "@" not in live(said).replace(mark, "")
