"""The log: one record a line whatever is in it, and no secret in any."""

import io
import json
import logging
from collections.abc import Iterator
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import logs

_SECRETS = ("xoxb-CANARY-1", "xoxb-CANARY-1-longer", 'with "quotes"\\and\nline')


@pytest.fixture
def _root() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


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
