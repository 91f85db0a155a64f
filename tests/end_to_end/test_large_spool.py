"""A spool of 50,000 messages: looked at, paged through, and 40,000 of them held at once."""

import asyncio

from ..filling import Mail, fill
from .playing import ACCOUNT, Play

_OTHER = "ben.osei@example.com"
_SPAM, _ALL = 40_000, 50_000


async def test_a_large_spool_is_searched_and_an_accounts_40000_messages_are_stopped(
    play: Play,
) -> None:
    await play.app.stop()
    mails = (Mail(ACCOUNT, _SPAM), Mail(_OTHER, _ALL - _SPAM, "Letter"))
    await asyncio.to_thread(fill, play.folder / "mail.db", mails)
    await play.start_bot()
    await play.workspace.until_app_connected()
    card = await play.otto.card_with(ACCOUNT, "40,000 messages in 5 min")
    assert "40,000 waiting (80% of the spool), 0 held" in card.text
    dashboard = (await play.vera.type("")).text
    for said in ("50,000 waiting", "0 held", ACCOUNT, _OTHER):
        assert said in dashboard
    first = (await play.vera.type(f"search sender:{ACCOUNT}")).text
    assert "40,000 messages match" in first
    assert "page 1 of 8,000" in first
    assert "Spam 0\n" in first
    last = (await play.vera.type(f"search sender:{ACCOUNT} page:8000")).text
    assert "page 8,000 of 8,000" in last
    assert f"Spam {_SPAM - 1}\n" in last
    found = (await play.vera.type('search subject:"Letter 49999"')).text
    assert "1 message match" in found
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "40,000 messages held")
    await play.otto.card_with(ACCOUNT, "0 waiting, 40,000 held")
    counts = await play.stage.server.counts()
    assert (counts.waiting, counts.held) == (_ALL - _SPAM, _SPAM)
    assert (await play.waiting(), await play.held()) == (0, _SPAM)
    assert await play.waiting(_OTHER) == _ALL - _SPAM
    assert len(play.otto.cards()) == 2
