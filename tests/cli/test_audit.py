"""spoolwarden audit: proves, shows and exports the log that a bot wrote."""

import csv
import io
import json
import signal
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from services.audit import GENESIS, NO_KEYS, AuditLog, Key, Keyring, Line, Phase
from services.audit.keeper import AuditKeeper
from services.clock import ManualClock
from services.people import BOT
from services.settings import AuditSettings
from services.store import Store
from tests.end_to_end.playing import ACCOUNT, Play, command, config_file, ended
from tests.mail.harness import START


async def test_the_log_of_a_stopped_attack_is_proved_shown_and_exported(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    config = str(config_file(play))
    # While the bot runs: reading the log must not be in its way.
    code, out, err = await ended("audit", "verify", "--config", config)
    assert (code, err) == (0, "")
    assert out.startswith("The audit log is whole: 3 entries, head ")
    code, out, err = await ended("audit", "show", "--config", config, "--last", "2")
    assert (code, err) == (0, "")
    intent, result = out.splitlines()
    assert intent.startswith("2  ")
    assert "intent    stop  otto (slack:U0OTTO)  anna.keller@example.com" in intent
    assert "result    stop  otto (slack:U0OTTO)  anna.keller@example.com" in result
    code, out, err = await ended("audit", "export", "--config", config)
    assert (code, err) == (0, "")
    entries = [json.loads(line) for line in out.splitlines()]
    assert [(e["seq"], e["phase"]) for e in entries] == [(1, "note"), (2, "intent"), (3, "result")]
    assert [e["prev_hash"] for e in entries] == [GENESIS, entries[0]["hash"], entries[1]["hash"]]
    code, out, err = await ended("audit", "export", "--config", config, "--format", "csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["hash"] for row in rows] == [entry["hash"] for entry in entries]
    assert rows[1]["actor_name"] == "otto"


async def test_a_log_that_was_changed_is_named_and_fails(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    await play.app.stop()
    _forge(play.folder / "bot.db")
    code, out, _ = await ended("audit", "verify", "--config", str(config_file(play)))
    assert code == 1
    assert out.startswith("The audit log is BROKEN at entry 2: its content was changed.")


def _forge(database: Path) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("DROP TRIGGER auditentry_no_update")
        connection.execute("UPDATE auditentry SET actor_name = 'somebody else' WHERE seq = 2")
    connection.close()


# -- sealed, anchored and archived logs --------------------------------------------------------

_SECRET = "CANARY: a key of more than 32 characters"
_KEY = Key.of(_SECRET, "here")


class _Kept:
    """A log that has been sealed, anchored and archived, and its configuration's file."""

    def __init__(self, folder: Path) -> None:
        self.config = str(folder / "spoolwarden.toml")
        self.key_file = str(folder / "key")
        self.archive = folder / "archive"
        self.database = folder / "bot.db"
        self.head = ""
        Path(self.key_file).write_text(f"{_SECRET}\n")

    async def make(self) -> None:
        self.configure(f'[audit]\nkey_file = "{self.key_file}"\n')
        clock = ManualClock(START)
        store = Store(f"sqlite:///{self.database}")
        await store.open()
        plain = AuditLog(store, clock)
        await plain.write(Line(Phase.NOTE, "poll", BOT))
        log = AuditLog(store, clock, Keyring(_KEY))
        for number in range(5):
            clock.set(clock.now() + timedelta(days=10))
            await log.write(Line(Phase.REFUSED, "stop", BOT, "mail", f"a{number}\n@example.test"))
        settings = AuditSettings(keep_days=30, archive_folder=self.archive)
        keeper = AuditKeeper(store, log, clock, settings, lambda: None)
        assert await keeper.archive() == 3
        (head,) = await log.newest(1)
        self.head = f"{head.seq}:{head.hash}"
        await store.close()

    def configure(self, more: str) -> None:
        Path(self.config).write_text(
            f'database = "sqlite:///{self.database}"\n{more}[[mail_server]]\nname = "mail"\n'
        )

    async def run(self, verb: str, *arguments: str) -> tuple[int | None, str, str]:
        return await ended("audit", verb, "--config", self.config, *arguments)


@pytest.fixture
async def kept(tmp_path: Path) -> _Kept:
    made = _Kept(tmp_path)
    await made.make()
    return made


async def test_a_sealed_log_is_proved_with_its_key_its_anchor_and_its_archive(kept: _Kept) -> None:
    pasted = f"Spoolwarden: 🔗 Audit log anchor {kept.head} – keep this line"
    (file,) = kept.archive.iterdir()
    code, out, err = await kept.run("verify", "--anchor", pasted, "--archive", str(file))
    assert (code, err) == (0, "")
    assert out.startswith("The audit log is whole: 8 entries, head ")
    assert f"sealed with key {_KEY.id} since entry 2." in out
    assert "It still holds the anchor of entry 8." in out
    # As a shell passes several, in any order; the copy holds the same entries.
    copy = file.with_name("copy.jsonl.gz")
    copy.write_bytes(file.read_bytes())
    assert await kept.run("verify", "--anchor", kept.head, "--archive", str(file), str(copy)) == (
        0,
        out,
        "",
    )


async def test_without_the_key_it_says_what_is_not_proved(kept: _Kept) -> None:
    kept.configure("")
    code, out, err = await kept.run("verify")
    assert (code, err) == (3, "")
    assert f"NOT CHECKED: entries 4 to 8 are sealed with key {_KEY.id}" in out
    code, out, err = await kept.run("verify", "--key-file", kept.key_file)
    assert (code, err) == (0, "")
    assert "CANARY" not in out


async def test_a_cut_off_end_and_a_text_without_an_anchor_are_told(kept: _Kept) -> None:
    connection = sqlite3.connect(kept.database)
    with connection:
        connection.execute("DROP TRIGGER auditentry_no_delete")
        connection.execute("DELETE FROM auditentry WHERE seq = 8")
        # The checkpoint is gone with it, so the log begins where nothing vouches for it.
    connection.close()
    code, out, _ = await kept.run("verify")
    assert (code, out.startswith("The audit log is BROKEN at entry 1: entry 1 is missing")) == (
        1,
        True,
    )
    (file,) = kept.archive.iterdir()
    code, out, _ = await kept.run("verify", "--archive", str(file), "--anchor", kept.head)
    assert code == 1
    assert out.startswith("The audit log is BROKEN at entry 8: truncated, ")
    code, out, err = await kept.run("verify", "--anchor", "nothing")
    assert (code, out) == (1, "")
    assert "nothing was checked" in " ".join(err.split())


async def test_the_syslog_export_is_one_line_an_entry(kept: _Kept) -> None:
    code, out, err = await kept.run("export", "--format", "syslog")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("<108>1 20") for line in lines[:-1])
    assert 'subject="a1\\\\u000a@example.test"' in lines[0]


async def test_a_bot_that_is_given_a_key_seals_the_log_from_its_start_on(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    await play.app.stop()
    before = await AuditLog(play.app.store, play.app.clock, NO_KEYS).verify()
    key_file = play.folder / "key"
    key_file.write_text(_SECRET)
    config = config_file(play)
    config.write_text(config.read_text() + f'[audit]\nkey_file = "{key_file}"\n')
    bot = await command("run", "--config", str(config))
    try:
        await play.until_heard()
        shown = await play.vera.type("audit")
        assert f"sealed with key {_KEY.id} since entry {before.entries + 1}." in shown.text
        bot.send_signal(signal.SIGTERM)
        _, err = await bot.communicate()
    finally:
        if bot.returncode is None:
            bot.kill()
            await bot.communicate()
    assert "CANARY" not in err.decode()
    code, out, _ = await ended("audit", "verify", "--config", str(config))
    assert (code, out.startswith("The audit log is whole: ")) == (0, True)
