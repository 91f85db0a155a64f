"""What monitoring is told: alive, ready or why not, and figures as Prometheus reads them."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from bot.app import App
from bot.operations import Operations, operating
from services.errors import ConfigError
from services.mail.build import build
from services.settings import OperationsSettings, PostfixServerSettings
from tests.end_to_end.playing import ACCOUNT, PATIENCE, Play, locked, playing, until

_LISTEN = OperationsSettings(listen="127.0.0.1:0")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
#: What a name of a metric says that it is measured in, or what else it may end with.
_ENDS = ("_total", "_seconds", "_bytes", "_info", "_messages", "_requests", "_incidents")
_STATES = ("_connected", "_trouble", "_up")


@contextlib.asynccontextmanager
async def _operated(play: Play) -> AsyncIterator[Operations]:
    """Run the stage's bot as "spoolwarden run" does, listening."""
    await play.app.stop()
    settings = play.app.settings.model_copy(update={"operations": _LISTEN})
    play.app = App(settings, clock=play.stage.clock, servers=[play.stage.server])
    async with operating(play.app) as operations:
        await play.workspace.until_app_connected()
        yield operations


async def _get(operations: Operations, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{operations.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def _is_ready(operations: Operations) -> bool:
    return await operations.unready() == []


async def _figures(operations: Operations) -> dict[str, Metric]:
    status, text = await _get(operations, "/metrics")
    assert status == 200
    return {family.name: family for family in text_string_to_metric_families(text)}


async def _value(operations: Operations, name: str, **labels: str) -> float | None:
    for family in (await _figures(operations)).values():
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


async def test_a_bot_that_does_its_work_is_alive_and_ready(play: Play) -> None:
    async with _operated(play) as operations:
        assert await _get(operations, "/healthz") == (200, "ok\n")
        await until(lambda: _is_ready(operations))
        assert await _get(operations, "/readyz") == (200, "ok\n")
        assert (await _get(operations, "/other"))[0] == 404
        await play.app.stop()
        assert await _get(operations, "/readyz") == (503, "The bot is starting or stopping.\n")


async def test_nothing_listens_unless_it_is_asked_for(play: Play) -> None:
    await play.app.stop()
    app = App(play.app.settings, clock=play.stage.clock, servers=[play.stage.server])
    async with operating(app) as operations:
        assert operations.port is None


async def test_a_port_that_is_in_use_is_a_sentence_and_nothing_is_left_running(
    play: Play,
) -> None:
    async with _operated(play) as operations:
        listen = OperationsSettings(listen=f"127.0.0.1:{operations.port}")
        settings = play.app.settings.model_copy(update={"operations": listen})
        other = App(settings, clock=play.stage.clock, servers=[])
        with pytest.raises(ConfigError, match=r"\(operations\.listen\)"):
            async with operating(other):
                pass


async def test_a_database_that_cannot_be_written_is_not_ready(play: Play) -> None:
    async with _operated(play) as operations:
        await until(lambda: _is_ready(operations))
        async with locked(play.folder / "bot.db"):
            status, text = await _get(operations, "/readyz")
            assert status == 503
            assert text.startswith("database: The bot's database did not answer within 3 s.\n")
            assert (await _get(operations, "/healthz"))[0] == 200
        await until(lambda: _is_ready(operations))


async def test_a_chat_that_is_cut_off_and_one_that_refuses_are_not_ready(play: Play) -> None:
    async with _operated(play) as operations:
        await until(lambda: _is_ready(operations))
        slack = {"chat": "slack"}
        assert await _value(operations, "spoolwarden_chat_connected", **slack) == 1
        await play.spam()
        card = await play.otto.alert(ACCOUNT)
        play.workspace.faults.down = True
        await play.use(play.otto.press, "Acknowledge")
        await until(lambda: _says(operations, "chat slack: Slack"))
        await until(lambda: _is(operations, 1, "spoolwarden_chat_trouble", **slack))
        # The line in the thread, and the card that shows who it was.
        await until(lambda: _is(operations, 2, "spoolwarden_outbox_messages", **slack))
        age = await _value(operations, "spoolwarden_outbox_oldest_age_seconds", **slack)
        assert age is not None
        assert age > 0
        play.workspace.faults.down = False
        await play.otto.line(card, "Acknowledged: somebody is on it")
        await until(lambda: _is(operations, 0, "spoolwarden_outbox_messages", **slack))
        await until(lambda: _is_ready(operations))
        await play.app.connections[0].drain(1)
        assert await operations.unready() == ["chat slack: It is not connected."]


async def test_discord_is_connected_until_it_is_drained(tmp_path: Path, mailboxes: Path) -> None:
    async with playing(tmp_path, mailboxes, chats=("discord",)) as play:
        connection, publisher = play.app.chats["discord"]
        await until(lambda: connection.connected)
        await play.spam()
        await play.otto.alert(ACCOUNT)
        assert await connection.drain(PATIENCE) == 0
        # It can be told things still, and hears nothing.
        assert await publisher.finish(PATIENCE)
        await play.app.stop()
        assert not connection.connected


async def test_a_mail_server_that_is_away_is_not_ready(play: Play) -> None:
    detection = play.app.settings.detection.model_copy(update={"silent_minutes": 0.03})
    play.app.settings = play.app.settings.model_copy(update={"detection": detection})
    async with _operated(play) as operations:
        await until(lambda: _is_ready(operations))
        await play.stage.server.stop()
        await until(lambda: _says(operations, "mail server mail: The mail server mail cannot be"))
        labels = {"server": "mail", "result": "failed"}
        failed = await _value(operations, "spoolwarden_polls_total", **labels)
        assert failed is not None
        assert failed >= 1
        await play.stage.server.start()
        await until(lambda: _is_ready(operations))


async def test_a_mail_server_that_hangs_keeps_the_bot_from_watching_no_other(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app._PATIENCE", 0.1)
    hangs = PostfixServerSettings(kind="postfix", name="mx1", state_directory=tmp_path / "mx1")
    other = build(hangs, play.stage.clock)
    monkeypatch.setattr(other, "start", asyncio.Event().wait)
    await play.app.stop()
    servers = [other, play.stage.server]
    play.app = App(play.app.settings, clock=play.stage.clock, servers=servers)
    async with asyncio.timeout(PATIENCE), play.app.running():
        await until(lambda: _is_watched(play))


async def _is_watched(play: Play) -> bool:
    return play.app.watch.trouble("mail") is None


async def test_what_was_done_and_refused_is_counted_once(play: Play) -> None:
    async with _operated(play) as operations:
        await play.spam()
        await play.otto.alert(ACCOUNT)
        one = "spoolwarden_incidents"
        await until(lambda: _is(operations, 1, one, state="open"))
        await play.use(play.otto.press, "Stop sending")
        stopped = {"action": "stop", "result": "done"}
        await until(lambda: _is(operations, 1, "spoolwarden_acts_total", **stopped))
        await until(lambda: _is(operations, 1, one, state="remedied"))
        assert await _value(operations, one, state="open") == 0
        held = {"server": "mail", "queue": "held"}
        await until(lambda: _is(operations, 60, "spoolwarden_spool_messages", **held))
        await play.nobu.type("search sender:=HYPERLINK(1)")
        await play.nobu.type("block 198.51.100.7")
        refused = "spoolwarden_refused_requests_total"
        assert await _value(operations, refused, action="search") == 1
        assert await _value(operations, refused, action="block") == 1
        families = await _figures(operations)
        assert "HYPERLINK" not in str(families)
        assert ACCOUNT not in str(families)


async def test_every_figure_is_named_as_prometheus_wants_and_says_what_it_is(play: Play) -> None:
    async with _operated(play) as operations:
        await until(lambda: _is_ready(operations))
        families = await _figures(operations)
    ours = {name: f for name, f in families.items() if name.startswith("spoolwarden_")}
    assert len(ours) >= 16
    assert "process_resident_memory_bytes" in families
    for name, family in ours.items():
        assert _NAME.fullmatch(name)
        assert family.documentation.endswith((".", "created")) or family.type == "gauge", name
        assert family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            if sample.name.endswith("_created"):
                continue  # the library's own
            base = re.sub(r"_(bucket|count|sum)$", "", sample.name)
            assert base.endswith((*_ENDS, *_STATES)), sample.name
            assert family.type != "counter" or sample.name.endswith(("_total", "_created"))
            for label in sample.labels:
                assert label in (
                    "server",
                    "queue",
                    "state",
                    "chat",
                    "action",
                    "result",
                    "part",
                    "version",
                    "python",
                    "le",
                ), label


async def _says(operations: Operations, start: str) -> bool:
    return any(line.startswith(start) for line in await operations.unready())


async def _is(operations: Operations, value: float, name: str, **labels: str) -> bool:
    return await _value(operations, name, **labels) == value
