"""A unified diff for people: its first lines, and all of it in chunks. Nothing in it stays invisible but line ends."""

from bot.blocks.characters import middle_cut, visible


def excerpt(diff: str, most: int, width: int = 160) -> tuple[str, int]:
    """The first `most` lines, and the number of lines left out.

    A line over `width` characters is cut in the middle.
    """
    head = "\n".join(diff.removesuffix("\n").split("\n", most)[:most])
    shown = visible(f"{head}\n").removesuffix("\n").split("\n")
    return "\n".join(middle_cut(line, width) for line in shown) or " ", max(0, _count(diff) - most)


def _count(diff: str) -> int:
    """The number of lines; a line feed at the end does not start another one."""
    return diff.count("\n") + (not diff.endswith("\n"))


def chunks(text: str, size: int) -> list[str]:
    """All of `text` in pieces of at most `size` characters, split between lines where possible; none is empty."""
    shown, made, at = text.removesuffix("\n"), list[str](), 0
    while True:
        end = at + size
        if end < len(shown):
            end = max(shown.rfind("\n", at, end + 1), at)
            end = end if end > at or shown[at] == "\n" else at + size
        # Slack refuses empty text.
        made.append(shown[at:end] or " ")
        if end >= len(shown):
            return made
        at = end + 1 if shown[end] == "\n" else end


def added(diff: str) -> str:
    """The lines that begin with a plus: the added ones, and the names of new files."""
    return "\n".join(line for line in diff.split("\n") if line.startswith("+"))
