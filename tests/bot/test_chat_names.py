"""Nothing but the chats themselves, and where they are chosen, knows which chats there are."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHATS = ("bot/slack/", "bot/discord/", "bot/workspace/", "bot/guild/")
CHOSEN = {"bot/app.py", "bot/chats.py", "bot/rooms.py", "services/settings.py"}
NAMES = re.compile(r"slack|discord", re.IGNORECASE)


def test_no_other_code_names_a_chat() -> None:
    files = [f for top in ("bot", "services") for f in (ROOT / top).rglob("*.py")]
    named = {
        str(file.relative_to(ROOT)): found[0]
        for file in files
        if (found := NAMES.search(file.read_text("utf-8")))
    }
    places = [file for file in named if not file.startswith(CHATS) and file not in CHOSEN]
    assert places == []
    assert set(named) > CHOSEN - {"bot/app.py"}
