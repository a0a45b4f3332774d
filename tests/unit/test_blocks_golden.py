"""How things look, kept as JSON under golden/: a change of look changes these files, and reviewers read it.

Write the files again with `python -m tests.unit.test_blocks_golden`, then read the diff.
"""

import json
from pathlib import Path

import pytest

from bot.blocks import alerts, commands, modals, pages
from bot.blocks.card import card, moved
from bot.blocks.home import home
from bot.blocks.kit import Home, Message, View
from bot.domain.apv import Severity
from bot.domain.review import Choice
from tests.unit.blocks import CASES, GITHUB, NOW, counted

GOLDEN = Path(__file__).with_name("golden")
ESCALATION = "bob escalated APV-2026-17: Actively exploited. Seen in the logs of <shop-3>."

DRAWN: dict[str, Message | View | Home] = {
    **{f"card_{name}": card(case, counted(case), now=NOW, web_origin=GITHUB) for name, case in CASES.items()},
    "card_moved": moved(CASES["fresh_high"], "C0URGENT", "https://acme.slack.com/archives/C0URGENT/p1764000000000100"),
    "modal_reject": modals.reject(CASES["fresh_high"]),
    "modal_escalate": modals.escalate(CASES["fresh_high"]),
    "modal_approve_why": modals.approve_why(CASES["critical_one_of_two"]),
    "modal_diff": pages.diff_view(CASES["critical_one_of_two"]),
    "modal_details": pages.details_view(CASES["critical_one_of_two"]),
    "modal_details_hostile": pages.details_view(CASES["hostile"], seen="0" * 64),
    "alert_escalated": alerts.alert("review.escalated", ESCALATION, dossier=CASES["escalated"], channel="C0REVIEW"),
    "reply": alerts.reply(ESCALATION),
    "command_queue": commands.queue([CASES["escalated"], CASES["claimed"]], 22, None, NOW),
    "command_help": commands.usage(),
    "home": home(
        mine=[CASES["claimed"]],
        mine_total=1,
        urgent=[CASES["critical_one_of_two"], CASES["escalated"], CASES["claimed"]],
        waiting={Severity.CRITICAL: 1, Severity.HIGH: 1_200, Severity.MEDIUM: 1},
        decided={Choice.APPROVE: 40, Choice.REJECT: 2},
        today=3,
        now=NOW,
    ),
    "home_of_a_quiet_day": home(mine=[], mine_total=0, urgent=[], waiting={}, decided={}, today=0, now=NOW),
}


def written(drawn: Message | View | Home) -> str:
    """Readable JSON in which the zero-width space can be seen."""
    node = {"text": drawn.text, "blocks": drawn.blocks} if isinstance(drawn, Message) else drawn
    return json.dumps(node, indent=2, ensure_ascii=False).replace("\u200b", "\\u200b") + "\n"


@pytest.mark.parametrize("name", DRAWN)
def test_it_looks_as_agreed(name: str) -> None:
    """The result is the file that reviewers agreed on."""
    assert written(DRAWN[name]) == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    """Each file belongs to a case."""
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(DRAWN)


if __name__ == "__main__":
    for drawn_name, drawn_thing in DRAWN.items():
        (GOLDEN / f"{drawn_name}.json").write_text(written(drawn_thing), encoding="utf-8")
