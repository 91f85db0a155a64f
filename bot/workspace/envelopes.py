"""An interaction on its way to the app, and the two ways there."""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.local.clock import Clock
from bot.workspace.values import JsonObject

ACK_SECONDS = 3.0  # "Handling user interaction": acknowledge within 3 seconds
EVENT_RETRIES = (0.0, 60.0, 300.0)  # "Events API": at once, after a minute, after five minutes


class NotAcknowledged(Exception):
    """The app did not acknowledge in time, or answered with an HTTP error.

    ``reason`` is the retry reason of the "Events API" page: http_timeout or http_error.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def code(self) -> str:
        """What Slack tells the member: operation_timeout or dispatch_failed."""
        return "operation_timeout" if self.reason == "http_timeout" else "dispatch_failed"


@dataclass(slots=True)
class Envelope:
    """One delivery. ``answer`` resolves with the acknowledgement's payload, {} for none."""

    kind: str
    payload: JsonObject
    accepts_payload: bool
    answer: "asyncio.Future[JsonObject]"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    retry_attempt: int | None = None
    retry_reason: str | None = None

    def frame(self) -> JsonObject:
        """Return the Socket Mode message ("Using Socket Mode")."""
        frame: JsonObject = {
            "envelope_id": self.id,
            "payload": self.payload,
            "type": self.kind,
            "accepts_response_payload": self.accepts_payload,
        }
        if self.retry_attempt is not None:
            frame |= {"retry_attempt": self.retry_attempt, "retry_reason": self.retry_reason}
        return frame

    def acknowledge(self, payload: JsonObject) -> None:
        """Take the first acknowledgement; later ones change nothing."""
        if not self.answer.done():
            self.answer.set_result(payload if self.accepts_payload else {})


class Carrier(Protocol):
    """Brings envelopes to the app."""

    async def carry(self, envelope: Envelope) -> None:
        """Hand the envelope over; the acknowledgement may come later."""
        ...


class Dispatcher:
    """Sends interactions through the present carrier and waits for their acknowledgement."""

    def __init__(self, carrier: Carrier, clock: Clock) -> None:
        self.carrier = carrier
        self.resending = False
        self._clock = clock

    async def deliver(self, kind: str, payload: JsonObject, *, accepts_payload: bool) -> JsonObject:
        """Deliver and return the acknowledgement's payload, {} for none.

        Raises NotAcknowledged after 3 seconds.
        """
        envelope = self._envelope(kind, payload, accepts_payload)
        await self.carrier.carry(envelope)
        if self.resending:
            envelope.retry_attempt, envelope.retry_reason = 1, "timeout"
            await self.carrier.carry(envelope)
        return await self._answer(envelope)

    async def deliver_event(self, payload: JsonObject) -> None:
        """Deliver an Events API payload, retrying as the "Events API" page says.

        Raises NotAcknowledged when the last retry is not acknowledged either.
        """
        reason = ""
        for attempt, pause in enumerate((None, *EVENT_RETRIES)):
            if pause:
                await self._clock.sleep(pause)
            envelope = self._envelope("events_api", payload, accepts_payload=False)
            if attempt:
                envelope.retry_attempt, envelope.retry_reason = attempt, reason
            await self.carrier.carry(envelope)
            try:
                await self._answer(envelope)
            except NotAcknowledged as failure:
                reason = failure.reason
            else:
                return
        raise NotAcknowledged(reason)

    def _envelope(self, kind: str, payload: JsonObject, accepts_payload: bool) -> Envelope:
        answer: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        return Envelope(kind, payload, accepts_payload, answer)

    async def _answer(self, envelope: Envelope) -> JsonObject:
        deadline = asyncio.ensure_future(self._clock.sleep(ACK_SECONDS))
        waiting: set[asyncio.Future[Any]] = {envelope.answer, deadline}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            deadline.cancel()
        if not envelope.answer.done():
            envelope.answer.cancel()  # a later acknowledgement changes nothing
            raise NotAcknowledged("http_timeout")
        return envelope.answer.result()
