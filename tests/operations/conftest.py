"""A stage to run the bot on."""

import pytest

from tests.end_to_end.conftest import mailboxes, play

__all__ = ["mailboxes", "play"]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
