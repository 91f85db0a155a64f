"""Gateway sessions: who has identified, what was sent to them, and what they missed.

From the "Gateway" page: events carry a sequence number; a session whose connection went can be
resumed, and then gets what it missed, in order, followed by RESUMED.
"""

import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.guild.values import Bounds
from bot.local.clock import Clock
from bot.local.values import JsonObject

# How long a session waits for its client; the page says only that it is some time.
RESUMABLE_SECONDS = 180.0


class Link(Protocol):
    """A connection, as a session sees it."""

    def put(self, frame: JsonObject) -> None:
        """Send a frame after all before it."""
        ...


@dataclass(slots=True)
class Session:
    """What one IDENTIFY began. ``link`` is None while its client is away."""

    id: str
    intents: int
    kept: "deque[JsonObject]"
    link: Link | None
    seq: int = 0
    left_at: float = 0.0
    known_guilds: set[str] = field(default_factory=set)

    def dispatch(self, event: str, data: Any) -> None:
        """Send an event, and keep it for a resume."""
        self.seq += 1
        frame = {"op": 0, "s": self.seq, "t": event, "d": data}
        self.kept.append(frame)
        if self.link is not None:
            self.link.put(frame)

    def missed(self, seq: int) -> list[JsonObject] | None:
        """Return the events after ``seq``, None when they are no longer all there."""
        if not 0 <= seq <= self.seq:
            return None
        events = [f for f in self.kept if f["s"] > seq]
        return events if len(events) == self.seq - seq else None


class Sessions:
    """The sessions of the one app; bounded."""

    def __init__(self, clock: Clock, bounds: Bounds) -> None:
        self._clock = clock
        self._bounds = bounds
        self._all: dict[str, Session] = {}

    def begin(self, intents: int, link: Link) -> Session:
        """Begin a session."""
        self._forget_old()
        kept: deque[JsonObject] = deque(maxlen=self._bounds.events_per_session)
        session = Session(secrets.token_hex(16), intents, kept, link)
        self._all[session.id] = session
        while len(self._all) > self._bounds.sessions:
            del self._all[next(iter(self._all))]
        return session

    def find(self, session_id: str) -> Session | None:
        """Return a session that can be resumed."""
        self._forget_old()
        return self._all.get(session_id)

    def leave(self, session: Session, *, resumable: bool) -> None:
        """Note that a session's connection went."""
        session.link, session.left_at = None, self._clock.monotonic()
        if not resumable:
            self._all.pop(session.id, None)

    def alive(self) -> list[Session]:
        """Return the sessions that get events, now or once resumed."""
        self._forget_old()
        return list(self._all.values())

    def forget(self, session: Session) -> None:
        """End a session for good."""
        self._all.pop(session.id, None)

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        for session in list(self._all.values()):
            if session.link is None and now - session.left_at > RESUMABLE_SECONDS:
                del self._all[session.id]
