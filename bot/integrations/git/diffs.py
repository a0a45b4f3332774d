"""Makes a unified diff of changed files with git, as `git apply` reads it."""

from collections.abc import Mapping

from bot.integrations.git.command import scratch_repository


def diff_between(before: Mapping[str, tuple[str, bytes]], after: Mapping[str, bytes]) -> str:
    """The diff from `before` (mode and content by path) to `after`, which holds the same paths.

    Raises `Permanent` when git is not installed, `Retry` when it fails.
    """
    contents = {path: content for path, (_, content) in before.items()}
    with scratch_repository() as repository:
        trees = []
        for side in (contents, {path: after[path] for path in contents}):
            blobs = {path: repository.add_blob(content) for path, content in side.items()}
            repository.read_index((before[path][0], sha, path) for path, sha in blobs.items())
            trees.append(repository.run("write-tree").decode().strip())
        return repository.run("diff-tree", "-r", "-p", "--no-renames", *trees).decode()
