"""Fixtures for running mail servers; real SMTP, loopback only."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite(f"{__package__}.conformance")

from .harness import EmbeddedHarness, must_not_miss  # noqa: E402 - after the rewrite is registered
from .postfix_harness import PostfixHarness  # noqa: E402
from .postfix_instance import PostfixInstance, missing, running  # noqa: E402
from .sshd import Sshd  # noqa: E402
from .sshd import missing as missing_for_ssh  # noqa: E402


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedHarness]:
    harness = EmbeddedHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


@pytest.fixture(scope="session")
def private_postfix() -> Iterator[PostfixInstance]:
    """Start one Postfix for all tests: it takes seconds to start, and none to empty."""
    must_not_miss(missing())
    with running(PostfixInstance) as instance:
        yield instance


@pytest.fixture
async def postfix(private_postfix: PostfixInstance) -> AsyncIterator[PostfixHarness]:
    harness = PostfixHarness(private_postfix)
    await harness.start()
    yield harness
    await harness.stop()


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Start one OpenSSH server for all tests."""
    must_not_miss(missing_for_ssh())
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.make()
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def far_postfix(
    private_postfix: PostfixInstance, sshd: Sshd, tmp_path: Path
) -> AsyncIterator[PostfixHarness]:
    """The same Postfix, as one on another machine: reached by SSH alone."""
    notes = tmp_path / "notes"
    harness = PostfixHarness(private_postfix, **sshd.settings(), notes_directory=notes)
    await harness.start()
    yield harness
    await harness.stop()
