"""The stage as a fixture, and the browser of the page's tests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.stage import Plan, stage
from tests.page.conftest import browser

from .playing import Play, playing

__all__ = ["browser"]


@pytest.fixture(scope="session")
def mailboxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mail server's database with everybody in town and no mail."""
    folder = tmp_path_factory.mktemp("town")

    async def settle() -> None:
        async with stage(Plan(folder)):
            pass

    asyncio.run(settle())
    return folder / "mail.db"


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes) as made:
        yield made
