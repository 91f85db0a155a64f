"""A SmarterMail for each test, and a mailbox there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ..harness import ANN
from ..smartermail_harness import SmarterMailHarness

pytest.register_assert_rewrite(f"{__package__}.asking")


@pytest.fixture
async def mail(tmp_path: Path) -> AsyncIterator[SmarterMailHarness]:
    harness = SmarterMailHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


@pytest.fixture
async def ann(mail: SmarterMailHarness) -> str:
    await mail.add_user(ANN)
    return ANN
