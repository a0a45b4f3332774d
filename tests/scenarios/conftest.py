"""A running world for each scenario."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import harness
from tests.harness import World


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The whole bot between Slack and GitHub, with nothing submitted yet."""
    async with harness.world(database_url, tmp_path) as made:
        yield made
