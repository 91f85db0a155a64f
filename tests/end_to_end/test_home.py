"""The app's Home in Slack: the dashboard, for who may see it, kept new while they look."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.slack import home
from bot.workspace.member import MemberClient
from bot.workspace.reading import plain_text
from services.audit import Phase

from .playing import ACCOUNT, Play, playing


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=("slack",)) as made:
        yield made


async def _shows(client: MemberClient, *texts: str) -> str:
    def there(state: object) -> str | None:
        shown = client.state().home
        said = plain_text(shown) if shown is not None else ""
        return said if all(text in said for text in texts) else None

    return await client.wait_for(there, timeout=15)


async def test_the_home_is_the_dashboard_and_is_kept_new(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "EVERY", 0.2)
    async with play.workspace.member(play.vera.user) as vera:
        assert (await vera.open_home()).ok
        first = await _shows(vera, "Spool of mail")
        assert "No open incidents." in first
        assert "Kept up to date until" in first
        await play.spam()
        # The spool is asked at each look, and who sent is as of the last poll: one may be first.
        await _shows(vera, "60 waiting", f"1 · {ACCOUNT}")


async def test_who_has_no_role_is_told_so_once(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "EVERY", 0.05)
    async with play.workspace.member(play.nobu.user) as nobu:
        assert (await nobu.open_home()).ok
        said = await _shows(nobu, "you have no role")
        assert "Spool of" not in said
        assert "Kept up to date" not in said
        # Somebody who looks is drawn several times meanwhile; who is refused is not.
        async with play.workspace.member(play.vera.user) as vera:
            assert (await vera.open_home()).ok
            seen: set[str] = set()

            def drawn_thrice(state: object) -> bool | None:
                if (shown := vera.state().home) is not None:
                    seen.add(shown.hash)
                return len(seen) >= 3 or None

            await vera.wait_for(drawn_thrice, timeout=15)
    refused = [e for e in await play.audited("dashboard") if e.phase == Phase.REFUSED]
    assert len(refused) == 1


async def test_the_messages_tab_publishes_nothing(play: Play) -> None:
    user = play.vera.user
    await play.workspace.send_event(
        {"type": "app_home_opened", "user": user, "channel": "D1", "tab": "messages"}
    )
    assert play.workspace.modals.home(user) is None
