"""What a patch does to which files, in words: every path, with a warning at each unusual one."""

import json
import re
from collections.abc import Iterator, Sequence

from bot.blocks.characters import hides, leaves_out, middle_cut, mixed, name
from bot.blocks.diff import added
from bot.domain.apv import Apv
from bot.domain.patch import ChangeKind, FileChange, Oddity, oddities
from bot.domain.review import Review

_NAMED = 3
"""Words named in one warning; the rest is only counted."""
_WHOLE = re.compile(r"\S+")

UNREAD = (
    "⚠️ The files of this patch cannot be listed: git cannot read it, has not read it yet, or they are too many. "
    "Read all of it under View diff."
)


def listed(files: Sequence[FileChange], *, most: int | None = None, width: int = 10**6) -> list[str]:
    """One line for each file, the unusual ones first: at most `most` lines, names of at most `width` characters."""
    return [_line(file, width) for file in sorted(files, key=lambda file: not _strange(file))[:most]]


def _strange(file: FileChange) -> bool:
    return bool(oddities(file)) or any(hides(path) or any(mixed(path)) for path in _names(file))


def _names(file: FileChange) -> list[str]:
    return [path for path in (file.path, file.was) if path is not None]


def _line(file: FileChange, width: int) -> str:
    """For example `requirements.txt · +1 -1`, or `⚠️ conftest.py · copied from x.py · +0 -0`."""
    told = [_name(file.path, width), *_said(file, width)]
    if file.insertions or file.deletions:
        told.append(f"+{file.insertions:,} -{file.deletions:,}")
    if any(hides(path) for path in _names(file)):
        told.append("hidden characters in its name")
    if words := [word for path in _names(file) for word in mixed(path)]:
        told.append(f"mixed scripts in its name: {_few(words)}")
    return f"{'⚠️ ' if _strange(file) else ''}{' · '.join(told)}"


def _said(file: FileChange, width: int) -> Iterator[str]:
    if file.kind is ChangeKind.ADDED:
        yield "new"
    for oddity in oddities(file):
        match oddity:
            case Oddity.RENAMED | Oddity.COPIED:
                yield f"{oddity} from {_name(file.was or '', width)}"
            case Oddity.MODE_CHANGED:
                yield f"{oddity} from {file.old_mode} to {file.new_mode}"
            case _:
                yield oddity.value


def _name(path: str, width: int) -> str:
    return middle_cut(name(path), width)


def warnings(apv: Apv, review: Review) -> list[str]:
    """What a reader may not see in the patch, one sentence each."""
    diff, told = apv.patch_diff or "", list[str]()
    if review.files is None:
        told.append(UNREAD)
    if hides(diff):
        told.append("⚠️ The patch contains hidden characters, shown here as [U+…].")
    if words := list(dict.fromkeys(mixed(added(diff)))):
        told.append(f"⚠️ Words in the patch mix letters of different scripts: {_few(words)}.")
    if words := list(mixed(apv.package_name, word=_WHOLE)):
        told.append(f"⚠️ The package's name mixes letters of different scripts: {_few(words)}.")
    if hides(apv.package_name):
        told.append(f"⚠️ The package's name contains hidden characters: {middle_cut(name(apv.package_name), 160)}.")
    if any(leaves_out(text) for text in _words(apv)):
        told.append("⚠️ The report contains hidden characters. Details shows them as [U+…].")
    return told


def _words(apv: Apv) -> Iterator[str]:
    """What the card shows as plain words."""
    for text in (apv.cve_title, apv.cve_description, apv.package_version, apv.fixed_version, apv.patch_description):
        yield text or ""
    yield from apv.validation_warnings
    yield json.dumps(apv.wargame_evidence, ensure_ascii=False)


def _few(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED:,} more" if len(words) > _NAMED else ""
    return ", ".join(middle_cut(word, 60) for word in words[:_NAMED]) + more


def size(files: Sequence[FileChange]) -> str:
    """For example `2 files · +3 -1`; empty without files."""
    if not files:
        return ""
    lines = f"+{sum(file.insertions for file in files):,} -{sum(file.deletions for file in files):,}"
    return f"{len(files):,} file{'' if len(files) == 1 else 's'} · {lines}"
