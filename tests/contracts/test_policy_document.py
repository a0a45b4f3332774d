"""docs/policy.md is complete: every key with its default and an example, and every example is a policy that reads."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.policies.reading import Around, read
from tests.policy_keys import keys

TEXT = (Path(__file__).parents[2] / "docs/policy.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `([a-z_.<>\[\]]+)` \| ([^|]+) \|", TEXT, re.MULTILINE))
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
GROUPS = '[groups]\npython = ["S1"]\npayments = ["S2"]\n'


def test_every_key_is_explained_with_its_default() -> None:
    """One row for each key of the file, none for what is no key."""
    wanted = {key: default for key, default, _ in keys()}
    assert ROWS.keys() == wanted.keys()
    for key, default in wanted.items():
        assert ROWS[key].startswith(default), key


def shown(value: object, above: str = "") -> Iterator[str]:
    """The keys of an example, written as in the rows."""
    match value:
        case dict():
            for name, inner in value.items():
                place = "<severity>" if above == "severity" else "<name>" if above == "groups" else str(name)
                yield from shown(inner, f"{above}.{place}" if above else place)
        case list() if value and all(isinstance(item, dict) for item in value):
            for item in value:
                yield from shown(item, f"{above}[]")
        case _:
            yield above


def test_every_key_has_an_example() -> None:
    """Somebody who looks for a key finds how it is written."""
    seen = {key for example in EXAMPLES for key in shown(tomllib.loads(example))}
    assert seen == ROWS.keys()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_every_example_reads(example: str) -> None:
    """Copied into a file of its own, with the groups that it speaks of, it can be used."""
    text = example if "[groups]" in example else example + GROUPS
    assert read(text, Around(("U1",), (), "C1", "C2")).digest
