"""spoolwarden audit: proves, shows and exports the log that a bot wrote."""

import csv
import io
import json
import sqlite3
from pathlib import Path

from services.audit import GENESIS
from tests.end_to_end.playing import ACCOUNT, Play, command, config_file


async def _run(*arguments: str) -> tuple[int | None, str, str]:
    process = await command(*arguments)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_log_of_a_stopped_attack_is_proved_shown_and_exported(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.otto.press(card, "Stop sending")
    await play.otto.line(card, "60 messages held")
    config = str(config_file(play))
    # While the bot runs: reading the log must not be in its way.
    code, out, err = await _run("audit", "verify", "--config", config)
    assert (code, err) == (0, "")
    assert out.startswith("The audit log is whole: 3 entries, head ")
    code, out, err = await _run("audit", "show", "--config", config, "--last", "2")
    assert (code, err) == (0, "")
    intent, result = out.splitlines()
    assert intent.startswith("2  ")
    assert "intent    stop  otto (slack:U0OTTO)  anna.keller@example.com" in intent
    assert "result    stop  otto (slack:U0OTTO)  anna.keller@example.com" in result
    code, out, err = await _run("audit", "export", "--config", config)
    assert (code, err) == (0, "")
    entries = [json.loads(line) for line in out.splitlines()]
    assert [(e["seq"], e["phase"]) for e in entries] == [(1, "note"), (2, "intent"), (3, "result")]
    assert [e["prev_hash"] for e in entries] == [GENESIS, entries[0]["hash"], entries[1]["hash"]]
    code, out, err = await _run("audit", "export", "--config", config, "--format", "csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["hash"] for row in rows] == [entry["hash"] for entry in entries]
    assert rows[1]["actor_name"] == "otto"


async def test_a_log_that_was_changed_is_named_and_fails(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.otto.press(card, "Acknowledge")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    await play.app.stop()
    _forge(play.folder / "bot.db")
    code, out, _ = await _run("audit", "verify", "--config", str(config_file(play)))
    assert code == 1
    assert out.startswith("The audit log is BROKEN at entry 2: its content was changed.")


def _forge(database: Path) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("DROP TRIGGER auditentry_no_update")
        connection.execute("UPDATE auditentry SET actor_name = 'somebody else' WHERE seq = 2")
    connection.close()
