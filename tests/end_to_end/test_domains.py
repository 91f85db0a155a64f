"""An operator for one domain, in each chat: its senders are seen and stopped, others are not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.campaigns import QUIET
from bot.demo.stage import OTTO
from services.audit import Phase

from .playing import ACCOUNT, Play, playing

MINE, OTHER = QUIET.account, ACCOUNT
_RULE = "is for senders of example.org only"


@pytest.fixture(params=["slack", "discord"])
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    limits = {OTTO: ("example.org",)}
    async with playing(tmp_path, mailboxes, chats=(request.param,), limits=limits) as made:
        yield made


async def test_a_domains_operator_sees_and_stops_their_senders_and_nobody_elses(
    play: Play,
) -> None:
    await play.spam(account=OTHER)
    await play.spam(account=MINE)
    otto = play.otto
    theirs, card = await otto.alert(OTHER), await otto.alert(MINE)
    # The channel's cards are for all its members, but what one asks for is for oneself.
    found = await otto.type("search")
    assert MINE in found.text
    assert OTHER not in found.text
    listed = await otto.type("incidents")
    assert MINE in listed.text
    assert OTHER not in listed.text
    # Another's: by a typed command and by the card's button, told to nobody else.
    assert _RULE in (await otto.type(f"stop {OTHER}")).text
    assert _RULE in (await otto.type(f"search sender:{OTHER}")).text
    refused = await play.use(otto.press_privately, "Stop sending", OTHER)
    assert _RULE in refused.text
    assert not otto.lines(theirs)
    entries = [entry for action in ("stop", "search") for entry in await play.audited(action)]
    assert [entry.phase for entry in entries] == [Phase.REFUSED] * 3
    assert {entry.actor.partition(":")[2] for entry in entries} == {otto.user}
    assert await play.waiting(OTHER) == 60
    # Theirs.
    await play.use(otto.press, "Stop sending", MINE)
    await otto.line(card, "60 messages held")
    assert (await play.waiting(MINE), await play.held(MINE)) == (0, 60)
    assert (await play.waiting(OTHER), await play.held(OTHER)) == (60, 0)
    told = await otto.type("audit")
    assert MINE in told.text
    assert OTHER not in told.text
