"""Draws the alerts' pictures and has a chat show them, after everything else is told.

No alert waits for its picture: it is posted without one and changed when the picture is there.
What is shown is in the database, as all else that is posted: another instance, or this one after
a restart, goes on from there.
"""

import asyncio
import logging
from collections import deque
from datetime import datetime, timedelta

from sqlmodel import col, select

from bot.chat import ChatDown, ChatRefused, Drawing, NoPictures, PictureChat, PictureRefused
from bot.publisher import INCIDENT, Publisher
from services.clock import Clock
from services.errors import StoreError
from services.models import LIVE, Incident, Posted
from services.pictures.rate import Rate, described, rate_of
from services.store import Store

_log = logging.getLogger(__name__)
#: An alert's picture is drawn anew at most this often.
EVERY = timedelta(minutes=1)
#: The first one, which came when it had just begun, so soon after.
SOON = timedelta(seconds=15)
#: Pictures a minute in one chat: chats let a bot change some 50 messages a minute, and most of
#: that the alerts themselves need.
_A_MINUTE = 15
#: What is long over needs no picture: the bot may be new to these alerts.
_OVER = timedelta(hours=1)
# A chat may take some seconds to look at a picture before it lets it be shown.
_WAITS = (0.3, 0.7, 1.0, 2.0, 4.0, 8.0)
_UNALLOWED = 600.0  # seconds until it is tried again
_AFTER_FAILURE = 30.0
_FAILED = "Drawing failed inside the bot; its log has the details."  # not shown


class Pictures:
    """Keeps the pictures in one chat's channel up to date."""

    def __init__(self, chat: PictureChat, store: Store, publisher: Publisher, clock: Clock) -> None:
        self._chat = chat
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._wake = asyncio.Event()
        self._lately: deque[float] = deque(maxlen=_A_MINUTE)
        self.every, self.soon = EVERY, SOON
        self.trouble: str | None = None  # why alerts have no new pictures, if they have none
        publisher.told = self._wake.set

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._wake.clear()
            try:
                wait = await self.catch_up()
                self.trouble = None
            except NoPictures as error:
                wait = self._troubled(
                    f"alerts come without a picture: {error.sentence}"  # not shown
                )
                await asyncio.sleep(_UNALLOWED)
            except (ChatDown, StoreError) as error:
                self._troubled(f"pictures are behind: {error.sentence}")  # not shown
                wait = error.retry_after if isinstance(error, ChatDown) else 1.0
                await asyncio.sleep(wait)
            except Exception:  # noqa: BLE001 - a picture that fails must not end all others
                _log.exception("a picture failed for a reason nobody foresaw")
                wait = self._troubled(_FAILED)
                await asyncio.sleep(_AFTER_FAILURE)
            else:
                try:
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                except TimeoutError:
                    pass  # then one may be drawn anew

    def _troubled(self, why: str) -> float:
        if self.trouble != why:
            _log.warning("%s", why)
        self.trouble = why
        return 0.0

    async def catch_up(self) -> float | None:
        """Draw what is due; return in how many seconds the next will be, None if none is known.

        Raises ChatDown, NoPictures, StoreError.
        """
        while True:
            due, wait = await self._due()
            if due is None:
                return wait
            now = asyncio.get_running_loop().time()
            if len(self._lately) == _A_MINUTE and now - self._lately[0] < 60:
                return 60 - (now - self._lately[0])
            await self._draw(due)

    async def _due(self) -> tuple[Incident | None, float | None]:
        """Return the alert whose picture is due first: new ones come before redrawn ones."""
        now = self._clock.now()
        query = (
            select(Incident, Posted.picture_at)
            .join(Posted, col(Posted.ref) == col(Incident.id))
            .where(
                Posted.chat == self._chat.place.chat,
                Posted.kind == INCIDENT,
                col(Posted.message_id).is_not(None),
                col(Posted.error).is_(None),
                col(Posted.picture_version) < col(Incident.version),
                col(Incident.campaign).is_(None),  # another's card tells of it
                col(Incident.state).in_(LIVE) | (col(Incident.updated_at) > now - _OVER),
            )
            .order_by(col(Posted.picture_at).is_not(None), col(Posted.picture_at))
            .order_by(col(Incident.id).desc())
            .limit(1)
        )
        async with self._store.reading() as session:
            found = (await session.exec(query)).first()
        if found is None:
            return None, None
        incident, before = found
        rest = self._rest(incident, before, now)
        return (None, rest) if rest > 0 else (incident, None)

    def _rest(self, incident: Incident, before: datetime | None, now: datetime) -> float:
        # A clock that was put back must not stop the pictures.
        if before is None or before > now:
            return 0.0
        # What is seen at the first moment is the least of it.
        soon = before < incident.opened_at + self.soon
        return (before + (self.soon if soon else self.every) - now).total_seconds()

    async def _draw(self, incident: Incident) -> None:
        number = incident.id or 0
        async with self._store.reading() as session:
            rate = await rate_of(session, incident)
        words = described(rate)
        if await self._publisher.has_picture(number, words, incident.version):
            return
        drawing = Drawing(await asyncio.to_thread(_png, rate), words)
        self._lately.append(asyncio.get_running_loop().time())
        unused: str | None = None
        try:
            unused = handle = await self._chat.take(drawing)
            unused = await self._shown(number, handle, words, incident.version)
        except ChatRefused as error:
            _log.warning("the picture of incident %d is not shown: %s", number, error.sentence)
            await self._publisher.no_picture(number, incident.version)
        finally:
            if unused is not None:
                await self._drop(unused)

    async def _shown(self, number: int, handle: str, words: str, version: int) -> str | None:
        for wait in _WAITS:
            try:
                return await self._publisher.show_picture(number, handle, words, version)
            except PictureRefused:
                await asyncio.sleep(wait)
        return await self._publisher.show_picture(number, handle, words, version)

    async def _drop(self, handle: str) -> None:
        try:
            await self._chat.drop(handle)
        except (ChatDown, ChatRefused) as error:
            # It is seen by nobody, and in nobody's way.
            _log.info("an old picture stays in the chat's store: %s", error.sentence)


def _png(rate: Rate) -> bytes:
    # Here, as what draws takes a moment to load and is not always wanted.
    from services.pictures.rate_drawn import drawn

    return drawn(rate)
