"""Fixtures for running mail servers; real SMTP, loopback only."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite(f"{__package__}.conformance")

from .harness import EmbeddedHarness  # noqa: E402 - after the rewrite is registered
from .postfix_harness import PostfixHarness  # noqa: E402
from .postfix_instance import PostfixInstance, missing  # noqa: E402


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedHarness]:
    harness = EmbeddedHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


@pytest.fixture(scope="session")
def private_postfix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostfixInstance]:
    """Start one Postfix for all tests: it takes seconds to start, and none to empty."""
    reason = missing()
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    instance = PostfixInstance(tmp_path_factory.mktemp("postfix"))
    instance.make()
    instance.start()
    yield instance
    instance.stop()


@pytest.fixture
async def postfix(private_postfix: PostfixInstance) -> AsyncIterator[PostfixHarness]:
    harness = PostfixHarness(private_postfix)
    await harness.start()
    yield harness
    await harness.stop()
