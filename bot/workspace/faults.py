"""Faults a test or the drill can switch on: outages, limits, lost answers, dropped sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.workspace.envelopes import Dispatcher


@dataclass(slots=True)
class _Limit:
    retry_after: int
    times: int


class Faults:
    """The workspace's fault switches.

    ``down`` makes every Web API call and response URL answer HTTP 503.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        drop_sockets: Callable[[], None],
        ask_to_reconnect: Callable[[str], Awaitable[None]],
    ) -> None:
        self.down = False
        self._dispatcher = dispatcher
        self._limits: dict[str, _Limit] = {}
        self._losses: dict[str, int] = {}
        self._stumbles: dict[str, str] = {}
        self._refusals: dict[str, str] = {}
        self._overtaking: dict[str, asyncio.Event] = {}
        self._drop_sockets = drop_sockets
        self._ask_to_reconnect = ask_to_reconnect

    def rate_limit(self, method: str, retry_after: int, times: int = 1) -> None:
        """Answer the next ``times`` calls of ``method`` with 429, ``Retry-After`` in seconds.

        ``response_url`` stands for every response URL; there nobody is told how long to wait.
        """
        self._limits[method] = _Limit(retry_after, times)

    def lose_answers(self, method: str, times: int = 1) -> None:
        """Carry out the next ``times`` calls of ``method``, then hang up without answering."""
        self._losses[method] = times

    def refuse(self, method: str, code: str) -> None:
        """Answer the next call of ``method`` with an error, and do nothing."""
        self._refusals[method] = code

    def stumble(self, method: str, code: str = "internal_error") -> None:
        """Carry out the next call of ``method``, then answer that it failed, with HTTP 200.

        That is what "chat.postMessage" warns of, at internal_error and at fatal_error.
        """
        self._stumbles[method] = code

    def overtake(self, method: str) -> None:
        """Answer one call of ``method`` before the next submission's acknowledgement is acted on.

        They come over two connections; nothing says in which order they are taken.
        """
        self._overtaking[method] = asyncio.Event()

    def resend_envelopes(self, on: bool) -> None:
        """Deliver each interactive or command envelope twice, the second marked as a retry."""
        self._dispatcher.resending = on

    def drop_sockets(self) -> None:
        """Cut every Socket Mode connection without a closing handshake."""
        self._drop_sockets()

    async def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """Send ``disconnect`` with ``reason`` (``refresh_requested`` or ``warning``)."""
        await self._ask_to_reconnect(reason)

    def forced_limit(self, method: str) -> int | None:
        """Return the forced Retry-After for this call of ``method``, and count it."""
        limit = self._limits.get(method)
        if limit is None:
            return None
        limit.times -= 1
        if limit.times <= 0:
            del self._limits[method]
        return limit.retry_after

    def refused(self, method: str) -> str | None:
        """Return what this call of ``method`` is refused with, if it is."""
        return self._refusals.pop(method, None)

    def stumbled(self, method: str) -> str | None:
        """Return what this call of ``method``, now carried out, is answered all the same."""
        return self._stumbles.pop(method, None)

    def answered(self, method: str) -> None:
        """Tell that a call of ``method`` was answered, in whatever way."""
        if waited := self._overtaking.get(method):
            waited.set()

    async def overtaken(self) -> None:
        """Return once the calls that overtake were answered."""
        for method, event in list(self._overtaking.items()):
            await event.wait()
            self._overtaking.pop(method, None)

    def answer_is_lost(self, method: str) -> bool:
        """Tell whether this call of ``method``, now carried out, gets no answer; count it."""
        left = self._losses.pop(method, 0)
        if left > 1:
            self._losses[method] = left - 1
        return left > 0
