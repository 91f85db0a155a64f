"""A bot that speaks German: an attack from the alert to the report, in both chats."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.hands import Signs
from bot.rooms import ROOMS
from services.audit import Phase
from services.language import speaking, tr, voice_of
from tests.language.said import english_in, translated_in

from .playing import ACCOUNT, Play, playing
from .test_readers import read_german, spooled

LANGUAGE = "de"


@pytest.fixture(params=sorted(ROOMS))
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    with speaking(voice_of(LANGUAGE)):  # what begins to speak within is silent after it
        async with playing(tmp_path, mailboxes, chats=(request.param,), language=LANGUAGE) as made:
            for hands in (made.otto, made.vera, made.nobu):
                hands.signs = Signs(
                    tr("Cancel"),
                    tr("Working on it … this fills in by itself."),
                    tr("This was taken back already; nothing was done twice."),
                    tr("Fill in…"),
                )
                read_german(made, hands.user)
            yield made


async def test_an_attack_is_told_stopped_and_reported_in_german(play: Play) -> None:
    with speaking(voice_of(LANGUAGE)):
        stop = tr("Stop sending")
    assert stop == "Senden stoppen"

    await spooled(play)
    alert = await play.otto.card_with(ACCOUNT, "1.234")
    _is_german(alert.text)

    _is_german((await play.use(play.vera.press_privately, stop)).text)
    await play.use(play.otto.press, stop)
    line = await play.otto.line(alert, "1.234")
    _is_german(line.text)
    assert await play.held() == 1234
    (done,) = [e for e in await play.audited("stop") if e.phase == Phase.RESULT]
    kept = " ".join(_texts(json.loads(done.detail)))
    _is_german(kept)
    assert "1.234" in kept

    log = await play.vera.type("audit")
    _is_german(log.text)
    assert f"otto · stoppen · Ergebnis · {ACCOUNT}" in log.text
    assert "vera · stoppen · abgewiesen" in log.text

    report = await play.vera.type("report")
    _is_german(report.text)
    assert "1.234" in report.text
    assert "1,234" not in report.text
    _is_german((await play.nobu.type("report")).text)


def _is_german(text: str) -> None:
    assert not english_in(text, LANGUAGE), text
    assert translated_in(text, LANGUAGE), text


def _texts(value: object) -> list[str]:
    """Return every text in what the audit log keeps of an act."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []
