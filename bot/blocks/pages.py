"""Modals with pages: View diff and Details. The pages together show all of a text, of any length."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.blocks import details, diff, ids, kit, patch
from bot.blocks.characters import visible
from bot.blocks.kit import Block, Button, View
from bot.blocks.limits import fitted, json_size
from bot.blocks.modals import subject, title, view
from bot.domain.review import Dossier

_CHUNK = 2800
"""Characters in one block of code. Slack documents no limit for code, so it stays under the limit of a section."""
_BLOCKS, _JSON = 40, 60_000
"""Limits of one page: blocks, and characters of JSON. A click on Next sends the page back as a form, in which one
character may take three; our route accepts 256 KiB (`handlers.slack.route`). A modal could have 100 blocks and 250 kB.
"""


def diff_view(dossier: Dossier, page: int = 0, *, seen: str | None = None) -> View:
    """A page (from 0) of the diff. `seen`: the digest that the reader clicked; another digest gets a warning."""
    return _view(ids.VIEW_DIFF, dossier, page, _diff(dossier), seen)


def details_view(dossier: Dossier, page: int = 0, *, seen: str | None = None) -> View:
    """A page of everything else that the digest covers; arguments as for `diff_view`."""
    return _view(ids.VIEW_DETAILS, dossier, page, _details(dossier), seen)


_TITLES = {ids.VIEW_DIFF: "Diff of", ids.VIEW_DETAILS: "Details of"}
VIEWS: Mapping[str, Callable[..., View]] = {ids.VIEW_DIFF: diff_view, ids.VIEW_DETAILS: details_view}
"""By callback id: the views whose pages can be turned."""


def _diff(dossier: Dossier) -> Iterator[Sequence[Block]]:
    """Groups of blocks; each group stays on one page."""
    apv, review = dossier.apv, dossier.review
    if not apv.patch_diff:
        yield [kit.section("There is no diff.")]
        return
    if told := patch.warnings(apv, review):
        yield [kit.context(*(kit.plain_text(warning) for warning in told))]
    if files := patch.listed(review.files or ()):
        yield from ([kit.code(chunk)] for chunk in diff.chunks("\n".join(files), _CHUNK))
    yield from ([kit.code(chunk)] for chunk in diff.chunks(visible(apv.patch_diff), _CHUNK))


def _details(dossier: Dossier) -> Iterator[Sequence[Block]]:
    for heading, text in details.texts(dossier):
        first, *rest = diff.chunks(text, _CHUNK)
        yield [kit.section(f"*{heading}*"), kit.code(first)]
        yield from ([kit.code(chunk)] for chunk in rest)


def _paged(groups: Iterator[Sequence[Block]]) -> list[list[Block]]:
    made: list[list[Block]] = []
    room = 0
    for group in groups:
        size = json_size(list(group))
        if not made or size > room or len(made[-1]) + len(group) > _BLOCKS:
            made.append([])
            room = _JSON
        made[-1] += group
        room -= size
    return made


def _view(callback_id: str, dossier: Dossier, page: int, groups: Iterator[Sequence[Block]], seen: str | None) -> View:
    made = _paged(groups)
    changed = seen is not None and seen != dossier.review.digest
    # A page number of other content means nothing.
    page = 0 if changed else min(page, len(made) - 1)
    where = f"page {page + 1:,} of {len(made):,}"
    about = " · ".join(part for part in (patch.size(dossier.review.files or ()), where) if part)
    blocks: list[Block] = [kit.section(subject(dossier)), kit.context(kit.plain_text(about))]
    if changed:
        version = dossier.review.version
        blocks.append(kit.section(f"⚠️ The content has changed since you opened this. Version {version} is shown now."))
    blocks += made[page]
    if buttons := _turns(dossier, page, len(made)):
        blocks.append(kit.actions(buttons))
    return fitted(view(callback_id, title(_TITLES[callback_id], dossier), blocks, close="Close"))


def _turns(dossier: Dossier, page: int, count: int) -> list[Button]:
    value = ids.encode(dossier.review)
    turns = ((ids.PREVIOUS, "Previous", page - 1), (ids.NEXT, "Next", page + 1))
    return [
        kit.button(action, label, f"{label}: page {to + 1} of {count}", value=ids.encode_page(value, to))
        for action, label, to in turns
        if 0 <= to < count
    ]
