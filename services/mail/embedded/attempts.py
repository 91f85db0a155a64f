"""The delivery attempts under way, and how an act on the same messages gets past them."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Attempt:
    """One try to hand a message to the next server."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        #: Somebody wants the message: give up, if its last byte is not on its way yet.
        self.unwanted = False


class Wanted:
    """The messages one act wants for itself; delivery leaves them alone until it is done."""

    def __init__(self, attempts: "Attempts") -> None:
        self._attempts = attempts
        self.ids: set[int] = set()

    async def ended(self, ids: Iterable[int]) -> None:
        """Wait until no attempt on these messages is under way, and none can begin."""
        asked = set(ids)
        fresh = asked - self.ids
        self.ids |= fresh
        self._attempts.unwanted.update(fresh)
        running = [
            attempt for id_ in asked if (attempt := self._attempts.running.get(id_)) is not None
        ]
        for attempt in running:
            attempt.unwanted = True
        for attempt in running:
            await attempt.ended.wait()


class Attempts:
    """Every attempt under way, by message id.

    The claim itself is in the database; it is void when the process ends, so who waits
    for its end can wait in memory.
    """

    def __init__(self) -> None:
        self.running: dict[int, Attempt] = {}
        self.unwanted: Counter[int] = Counter()

    def begin(self, id_: int) -> Attempt:
        """Note that an attempt begins: in the transaction of its claim, before anybody sees it."""
        attempt = self.running[id_] = Attempt()
        attempt.unwanted = id_ in self.unwanted
        return attempt

    def end(self, id_: int) -> None:
        """Note that its outcome is in the database."""
        self.running.pop(id_).ended.set()

    @contextmanager
    def wanted(self) -> Iterator[Wanted]:
        """Keep delivery off the messages that an act comes to wait for, until its end."""
        wanted = Wanted(self)
        try:
            yield wanted
        finally:
            self.unwanted.subtract(wanted.ids)
            self.unwanted += Counter()  # drops what nobody wants any more
