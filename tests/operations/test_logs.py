"""The log: one record a line whatever is in it, and no secret in any."""

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import create_async_engine

from bot import logs
from services.sqlite import connect
from tests.loggers import kept

_SECRETS = ("xoxb-CANARY-1", "xoxb-CANARY-1-longer", 'with "quotes"\\and\nline')


@pytest.fixture
def _root() -> Iterator[None]:
    with kept():
        yield


def _formatted(kind: str, record: logging.LogRecord) -> str:
    formatter = (logs.Json if kind == "json" else logs.Text)(_SECRETS)
    return formatter.format(record)


def _record(message: str, *args: object, **more: object) -> logging.LogRecord:
    record = logging.LogRecord("bot.test", logging.WARNING, "x.py", 1, message, args, None)
    record.__dict__.update(more)
    return record


def test_json_has_the_known_fields_and_no_others() -> None:
    record = _record("poll of %s failed", "mx1", server="mx1", incident=7, password="hidden")
    said = json.loads(_formatted("json", record))
    moment = said.pop("time")
    assert moment.endswith("+00:00")
    assert said == {
        "level": "warning",
        "logger": "bot.test",
        "message": "poll of mx1 failed",
        "server": "mx1",
        "incident": 7,
    }


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_secret_is_in_no_part_of_a_record(kind: str) -> None:
    try:
        raise ValueError(_SECRETS[1])
    except ValueError as error:
        trace = (ValueError, error, error.__traceback__)
    record = _record("said %s and %r", _SECRETS[0], _SECRETS[1], server=_SECRETS[2])
    record.exc_info = trace
    said = _formatted(kind, record)
    assert "CANARY" not in said
    assert "quotes" not in said
    assert "ValueError: [secret]" in said
    assert "said [secret] and '[secret]'" in said


@given(message=st.text(), server=st.text())
def test_a_record_is_one_line_of_plain_text_whatever_is_in_it(message: str, server: str) -> None:
    record = _record("%s", message, server=server)
    for kind in ("text", "json"):
        said = _formatted(kind, record)
        assert len(said.splitlines()) == 1
        # Neither controls nor what turns the direction of writing, or hides.
        assert not {category(char)[0] for char in said} & {"C"}
    assert json.loads(said)["server"] == server


@pytest.mark.usefixtures("_root")
def test_libraries_that_write_out_what_they_send_are_never_heard_at_that_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    logs.set_up(logging.DEBUG, "json", ())
    talkative = logging.getLogger("slack_bolt.AsyncApp")
    talkative.setLevel(logging.DEBUG)
    talkative.debug("a modal with what somebody typed")
    talkative.info("connected")
    logging.getLogger("aiosqlite").debug("a parameter of a statement")
    logging.getLogger("bot.jobs").debug("ours")
    assert [json.loads(line)["message"] for line in out.getvalue().splitlines()] == [
        "connected",
        "ours",
    ]


@pytest.mark.usefixtures("_root")
async def test_work_that_was_stopped_while_it_undid_its_own_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    logs.set_up(logging.INFO)
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}", connect_args={"async_creator_fn": connect}
    )
    go_on = threading.Event()
    connection = await engine.connect()
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    await raw.create_function("waits", 0, go_on.wait)
    slow = asyncio.create_task(raw.execute("SELECT waits()"))
    undoing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it waits for its turn by now
    undoing.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await undoing
    await slow
    await engine.dispose()
    assert out.getvalue() == ""
    logging.getLogger("sqlalchemy.pool").error("anything else")
    assert "anything else" in out.getvalue()
