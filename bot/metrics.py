"""The bot's figures, in the text format that Prometheus reads.

Every label's values are from a short list that the code or the configuration gives:
nothing that somebody who sends mail, or asks in the chat, can think of.
"""

import logging
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from sqlalchemy import event
from sqlmodel.ext.asyncio.session import AsyncSession

from bot.backlog import Standing
from bot.commands import COMMANDS
from bot.release import release
from services.audit import AuditLog, Line, Phase
from services.detection.detector import Poll
from services.models import AuditEntry
from services.remedies import REMEDIES

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_OTHER = "other"
_UNDOING = "undo "
_ACTIONS = frozenset(COMMANDS) | frozenset(REMEDIES)
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60)
_QUEUES = ("active", "deferred", "held", "quarantine")
_PARTS = ("bot", "services")


@dataclass(frozen=True, slots=True)
class ChatState:
    """How it stands with a chat."""

    chat: str
    connected: bool
    trouble: bool
    refused: int


class Metrics:
    """Counts what happens, and writes it out. One for each bot; nothing is global."""

    def __init__(self, servers: Iterable[str]) -> None:
        registry = self._registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        Info("spoolwarden_build", "What runs here.", registry=registry).info(
            {"version": release(), "python": platform.python_version()}
        )

        def gauge(name: str, told: str, *labels: str) -> Gauge:
            return Gauge(f"spoolwarden_{name}", told, labels, registry=registry)

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"spoolwarden_{name}", told, labels, registry=registry)

        def seconds(name: str, told: str) -> Histogram:
            return Histogram(
                f"spoolwarden_{name}_seconds",
                told,
                ("server",),
                registry=registry,
                buckets=_SECONDS,
            )

        self._polls = counter("polls", "Looks at a mail server.", "server", "result")
        self._poll_seconds = seconds("poll_duration", "How long a look at a mail server took.")
        self._judging = seconds("detection_duration", "How long judging took, within a look.")
        self._poll_age = gauge(
            "poll_age_seconds", "How long ago a look at a mail server last worked.", "server"
        )
        self._spool = gauge("spool_messages", "Messages in a spool.", "server", "queue")
        self._spool_size = gauge("spool_size_bytes", "The size of all messages.", "server")
        self._acts = counter("acts", "Remedies that were carried out.", "action", "result")
        self._refused = counter("refused_requests", "What somebody might not do.", "action")
        self._foreign = gauge(
            "chat_foreign_requests", "Requests that were not the chat's, since the start.", "chat"
        )
        self._incidents = gauge("incidents", "Incidents that are not closed.", "state")
        self._outbox = gauge("outbox_messages", "What a chat has yet to be shown.", "chat")
        self._outbox_age = gauge(
            "outbox_oldest_age_seconds", "How long the oldest of that has waited.", "chat"
        )
        self._connected = gauge("chat_connected", "Whether clicks arrive.", "chat")
        self._trouble = gauge("chat_trouble", "Whether something is wrong with a chat.", "chat")
        self._database = gauge("database_up", "Whether the bot's database can be used.")
        self._errors = counter("logged_errors", "Errors in the log.", "part")
        for server in servers:
            for result in ("ok", "failed"):
                self._polls.labels(server, result)
        for part in (*_PARTS, _OTHER):
            self._errors.labels(part)
        self.errors = _Errors(self._errors)

    def polled(self, server: str, took: float, poll: Poll | None) -> None:
        """Count a poll; None is one that failed."""
        self._polls.labels(server, "failed" if poll is None else "ok").inc()
        self._poll_seconds.labels(server).observe(took)
        if poll is None:
            return
        self._judging.labels(server).observe(poll.judging)
        for queue in _QUEUES:
            self._spool.labels(server, queue).set(getattr(poll.spool, queue))
        self._spool_size.labels(server).set(poll.spool.size)

    def noted(self, line: Line) -> None:
        """Count a line of the audit log: acts that ended, and what was refused."""
        if line.phase is Phase.REFUSED:
            self._refused.labels(line.action if line.action in _ACTIONS else _OTHER).inc()
        elif line.phase is Phase.RESULT:
            name = line.action.removeprefix(_UNDOING)
            action = line.action if name in _ACTIONS else _OTHER
            self._acts.labels(action, _result(line)).inc()

    def shown(
        self,
        standing: Standing | None,
        chats: Sequence[ChatState],
        ages: dict[str, float],
        now: datetime,
    ) -> bytes:
        """Write everything out. ``standing`` is None where the database cannot be used."""
        self._database.set(standing is not None)
        for changing in (self._incidents, self._outbox, self._outbox_age, self._poll_age):
            changing.clear()
        for server, age in ages.items():
            self._poll_age.labels(server).set(age)
        for chat in chats:
            self._connected.labels(chat.chat).set(chat.connected)
            self._trouble.labels(chat.chat).set(chat.trouble)
            self._foreign.labels(chat.chat).set(chat.refused)
        if standing is not None:
            for state, number in standing.incidents.items():
                self._incidents.labels(state.value.replace(" ", "_")).set(number)
            for name, backlog in standing.backlogs.items():
                age = (now - backlog.oldest).total_seconds() if backlog.oldest else 0.0
                self._outbox.labels(name).set(backlog.messages)
                self._outbox_age.labels(name).set(max(0.0, age))
        return generate_latest(self._registry)


def _result(line: Line) -> str:
    detail = line.detail or {}
    if detail.get("interrupted"):
        return "interrupted"
    return "failed" if detail.get("ok") is False else "done"


class CountedAudit(AuditLog):
    """The audit log, whose lines are counted once they are written for good."""

    metrics: Metrics | None = None

    async def append(self, session: AsyncSession, line: Line) -> AuditEntry:
        """Write one line, and count it when the caller's transaction is committed."""
        entry = await super().append(session, line)
        if (metrics := self.metrics) is not None:
            event.listen(
                session.sync_session, "after_commit", lambda _: metrics.noted(line), once=True
            )
        return entry


class _Errors(logging.Handler):
    """Counts what is logged as an error, by whose it is."""

    def __init__(self, counter: Counter) -> None:
        super().__init__(logging.ERROR)
        self._counter = counter

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        part = record.name.partition(".")[0]
        self._counter.labels(part if part in _PARTS else _OTHER).inc()
