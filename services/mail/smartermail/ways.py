"""Where public clients disagree on a call: the ways to make it, tried in order."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from services.errors import ServerDown

T = TypeVar("T")

# No such call, or fields that this build does not know: another way may be the right one.
_NOT_THIS_WAY = frozenset((400, 404, 405, 415, 501))

_NOT_THERE = re.compile(
    r"not[ _]?(be[ _])?(found|exist)|n[o']?t[ _]exist|invalid[ _]?(domain|user)|"
    r"\bno[ _]((such|open|active)[ _])?(log|connection|session|user|domain)",
    re.IGNORECASE,
)


class Refusal(ServerDown):
    """SmarterMail understood us, and said no. ``reason`` is its own word, cleaned."""

    def __init__(self, sentence: str, status: int, reason: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason

    @property
    def nothing_there(self) -> bool:
        """Tell whether it says, with HTTP 200, that what was asked about is not there.

        HTTP 404 does not count: that may be the call itself.
        """
        return self.status == 200 and _NOT_THERE.search(self.reason) is not None


@contextmanager
def suppress_nothing_there() -> Iterator[None]:
    """Go on where the server says that there is nothing to end or remove."""
    try:
        yield
    except Refusal as refusal:
        if not refusal.nothing_there:
            raise


class Ways:
    """Remembers, for each call, which way this server took."""

    def __init__(self) -> None:
        #: What was asked for, and the way that worked.
        self.found: dict[str, str] = {}

    async def first(self, what: str, ways: Sequence[tuple[str, Callable[[], Awaitable[T]]]]) -> T:
        """Return what the first way that this server knows returns.

        A refusal of any other kind (the server knew the call and said no) is raised as
        it is; so is the first one, where the server knows none of the ways.
        """
        known = self.found.get(what)
        ordered = sorted(ways, key=lambda way: way[0] != known)
        refusals: list[Refusal] = []
        for name, way in ordered:
            try:
                result = await way()
            except Refusal as refusal:
                if refusal.status not in _NOT_THIS_WAY:
                    raise
                refusals.append(refusal)
                continue
            self.found[what] = name
            return result
        raise refusals[0]
