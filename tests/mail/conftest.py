"""Fixtures for a running embedded server; real SMTP, loopback only."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite(f"{__package__}.conformance")

from .harness import EmbeddedHarness  # noqa: E402 - after the rewrite is registered


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedHarness]:
    harness = EmbeddedHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()
