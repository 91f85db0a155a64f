"""The log: lines of text or of JSON on standard error, without any secret in them."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from bot.elements import visible
from bot.rooms import LIBRARIES

#: What a record may carry beside its message (``extra=``), and is written into JSON.
FIELDS = ("server", "chat", "action", "incident", "intent")
_HIDDEN = "[secret]"
#: These tell of each SMTP command, of each run of a job that was late, of each SQL parameter.
NOISY = ("mail.log", "apscheduler", "aiosqlite")
# At a finer level these write out what they send and get, which may be what nobody may read.
_TALKATIVE = (*LIBRARIES, "asyncssh", "aiohttp", "asyncio", "httpx")


class Text(logging.Formatter):
    """Lines of text, with the secrets taken out of whatever is written."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        # A secret that holds another is replaced before it.
        self._secrets = sorted(secrets, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return one record as a line of text, its traceback below it."""
        when = f"{self.formatTime(record)} {record.levelname} {record.name}: "
        text = when + visible(self._clean(record.getMessage()))
        trace = self._trace(record)
        return f"{text}\n{trace}" if trace else text

    def _trace(self, record: logging.LogRecord) -> str:
        parts = []
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return visible(self._clean("\n".join(parts)), lines=True)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text


class Json(Text):
    """The same as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one record as an object in JSON on one line."""
        said: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._clean(record.getMessage()),
        }
        for field in FIELDS:
            if (value := getattr(record, field, None)) is not None:
                said[field] = value if isinstance(value, int) else self._clean(str(value))
        if trace := self._trace(record):
            said["trace"] = trace
        return json.dumps(said)  # with all but ASCII escaped, so with no control character


def _worth_telling(record: logging.LogRecord) -> bool:
    # SQLAlchemy calls it an error that work was stopped while it undid what it had begun. The
    # connection is dropped, the database undoes the rest, and who stopped it knows.
    if (
        record.name.startswith("sqlalchemy.pool")
        and record.exc_info
        and isinstance(record.exc_info[1], asyncio.CancelledError)
    ):
        return False
    # Not by the loggers' levels: some of these libraries set their own.
    return record.levelno >= logging.INFO or record.name.partition(".")[0] not in _TALKATIVE


def set_up(level: int, kind: Literal["text", "json"] = "text", secrets: Iterable[str] = ()) -> None:
    """Log to standard error from now on, and nowhere else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json(secrets) if kind == "json" else Text(secrets))
    handler.addFilter(_worth_telling)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
