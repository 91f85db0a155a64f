"""Keeps a chat's channel equal to the database: each incident one message, each line once.

Nothing is pushed at a chat: the tables say what should be shown (Incident and
Announcement, each with a version) and Posted says what is. Whatever is missing
or older is shown next, so an outage loses nothing and, however long it was,
leaves one message an incident.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlmodel import col, select

from bot import line_cards
from bot.alerts import AlertCards
from bot.boards import BOARD, Boards
from bot.chat import Chat, ChatDown, ChatGone, ChatRefused, PictureRefused
from bot.digest_card import digest
from bot.elements import Card, Picture
from bot.guide import guide
from services.clock import Clock
from services.digest import Report
from services.errors import SpoolwardenError, StoreError
from services.incidents import group_of
from services.intents import APPROVE, DECLINE, UNDO, Intents
from services.lease import Lease
from services.mail.port import MailServer
from services.models import (
    LIVE,
    Announcement,
    Board,
    Digest,
    Incident,
    Intent,
    IntentState,
    Posted,
)
from services.responding import RESPOND
from services.store import Store

_log = logging.getLogger(__name__)
_BATCH = 200
# A chat takes about one message a second. Before so many older ones have been shown, it is looked
# whether there is a new alert: that must not wait for what is known already.
_FEW = 5
_AFTER_FAILURE = 5.0  # seconds
INCIDENT, LINE = "incident", "announcement"
# Why something is not shown, where nobody misses it.
NOTHING, GONE = "there is nothing to show", "somebody deleted it"  # not shown
_FAILED = "Showing something failed inside the bot; its log has the details."  # not shown


class _Unforeseen(Exception):
    """Something could not be shown for a reason that nobody foresaw, and all else is."""


class Publisher:
    """Shows one chat's channel what there is to show."""

    def __init__(
        self,
        chat: Chat,
        store: Store,
        intents: Intents,
        servers: Mapping[str, MailServer],
        clock: Clock,
        lease: Lease,
    ) -> None:
        self._chat = chat
        self._store = store
        self._intents = intents
        self._servers = servers
        self._alerts = AlertCards(chat.place, store, intents, servers)
        self._clock = clock
        self._lease = lease
        self._boards = Boards(chat.place.chat, store, servers, clock)
        self._wake = asyncio.Event()
        self._showing = asyncio.Lock()
        # What cannot be shown now, for reasons nobody foresaw: kinds and refs.
        self._failed: set[tuple[str, int]] = set()
        #: Called when all is told, as there may be something to draw then.
        self.told: Callable[[], None] = lambda: None
        self.trouble: str | None = None  # why the channel is behind, if it is

    def wake(self) -> None:
        """Say that there is something new to show."""
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            await self._run()
        finally:
            await self._boards.stop()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            wait: float | None = None
            try:
                await self.catch_up()
                self.trouble = None
                self.told()
            except (ChatDown, StoreError) as error:
                if self.trouble != error.sentence:
                    _log.warning("the channel is behind: %s", error.sentence)
                self.trouble = error.sentence
                wait = error.retry_after if isinstance(error, ChatDown) else 1.0
            except _Unforeseen:
                self.trouble = _FAILED
                wait = _AFTER_FAILURE
            except Exception:  # noqa: BLE001 - whatever it is, it is tried again
                _log.exception("the channel is behind for a reason nobody foresaw")
                self.trouble = _FAILED
                wait = _AFTER_FAILURE
            if wait is None:
                await self._wake.wait()
            else:
                # While the chat says to wait, being woken changes nothing.
                await asyncio.sleep(wait)

    async def catch_up(self) -> int:
        """Show everything that is new; return how many messages. Raises ChatDown, StoreError."""
        async with self._showing:
            return await self._catch_up()

    async def show_picture(
        self, incident_id: int, handle: str, words: str, version: int
    ) -> str | None:
        """Show a picture on an incident's alert, in place of the one that it has.

        ``version`` is the incident's that was drawn, which may be older than it is now.

        Returns the handle of what is shown no more, which may be the new one's: the alert
        may be gone. Raises ChatDown, ChatRefused, StoreError; then the alert is as before.
        """
        async with self._showing:
            posted = await self._posted(INCIDENT, incident_id)
            async with self._store.reading() as session:
                incident = await session.get(Incident, incident_id)
            if incident is None or posted is None or not posted.message_id or posted.error:
                return handle
            before, posted.picture, posted.picture_words = posted.picture, handle, words
            card = await self._alert(incident_id, posted)
            if card is None:
                return handle
            await self._chat.update(posted.message_id, card)
            posted.version = max(posted.version, incident.version)
            posted.picture_version, posted.picture_at = version, self._clock.now()
            await self._save(posted)
            return before

    async def has_picture(self, incident_id: int, words: str, version: int) -> bool:
        """Return whether an alert's picture says this already, and note it as looked at if so."""
        async with self._showing:
            posted = await self._posted(INCIDENT, incident_id)
            if posted is None or not posted.picture or posted.picture_words != words:
                return False
            posted.picture_version = version
            await self._save(posted)
            return True

    async def no_picture(self, incident_id: int, version: int) -> None:
        """Note that an alert as it was in this version is not drawn."""
        async with self._showing:
            if posted := await self._posted(INCIDENT, incident_id):
                posted.picture_version, posted.picture_at = version, self._clock.now()
                await self._save(posted)

    async def finish(self, seconds: float) -> bool:
        """Show what is left, for so long at most; return whether that was all there was."""
        try:
            async with asyncio.timeout(seconds):
                await self.catch_up()
        except (ChatDown, StoreError, TimeoutError) as error:
            _log.warning(
                "%s is behind, and is told the rest at the next start: %s",
                self._chat.place.chat,
                error.sentence if isinstance(error, SpoolwardenError) else "it answers too slowly",
            )
            return False
        except Exception:  # noqa: BLE001 - as in run(); the next start shows it
            _log.exception("the channel is behind for a reason nobody foresaw")
            return False
        return True

    async def _catch_up(self) -> int:
        shown = 0
        self._failed.clear()
        while True:
            # Lines first: they are what somebody who pressed a button is waiting for.
            # They come after their incident's card, which they hang under.
            failed = len(self._failed)
            now = await self._new_incidents() + await self._lines() + await self._changed()
            if not now and len(self._failed) == failed:
                break
            shown += now
        await self._dashboards()
        if self._failed:
            raise _Unforeseen
        return shown

    async def _dashboards(self) -> None:
        """Bring the dashboards in the channel up to date, at most once in each turn of theirs."""
        for board in await self._boards.all():
            posted = await self._posted(BOARD, board.id or 0)
            if not board.wanted:
                await self._take_away(board, posted)
                continue
            if posted is None or posted.version < self._boards.turn:
                turn = self._boards.turn
                card, is_drawn = await self._boards.drawn(board.id or 0, self.wake)
                if not is_drawn:
                    continue
                await self._show(BOARD, board.id or 0, turn, None, _always(card))
                posted = await self._posted(BOARD, board.id or 0)
            if posted is None or posted.message_id is None:
                continue
            if posted.error == GONE:
                await self._boards.forget(board)  # somebody deleted it: it is not wanted any more
            elif not board.pinned and not board.trouble:
                await self._pin(board, posted.message_id)

    async def _take_away(self, board: Board, posted: Posted | None) -> None:
        why = ""
        if posted is not None and posted.message_id is not None:
            try:
                await self._chat.remove(posted.message_id)
            except ChatRefused as error:
                why = error.sentence
        await self._boards.forget(board, why)
        if why:
            self.wake()

    async def _pin(self, board: Board, message_id: str) -> None:
        try:
            await self._chat.pin(message_id)
        except ChatGone:
            return  # the next turn finds that out
        except ChatRefused as error:
            await self._boards.pinned(board, error.sentence)
            self.wake()
        else:
            await self._boards.pinned(board)

    async def _new_incidents(self) -> int:
        posted = select(Posted.ref).where(
            Posted.chat == self._chat.place.chat,
            Posted.kind == INCIDENT,
            col(Posted.message_id).is_not(None) | col(Posted.error).is_not(None),
        )
        query = (
            select(Incident)
            .where(
                col(Incident.id).not_in(posted),
                col(Incident.id).not_in(self._not_shown(INCIDENT)),
            )
            .order_by(col(Incident.id))
        )
        async with self._store.reading() as session:
            rows = (await session.exec(query.limit(_BATCH))).all()
        shown = 0
        for incident in rows:
            shown += await self._try(
                INCIDENT, incident.id or 0, incident.version, None, self._alert
            )
        return shown

    async def _changed(self) -> int:
        query = (
            select(Incident)
            .join(Posted, col(Posted.ref) == col(Incident.id))
            .where(
                Posted.chat == self._chat.place.chat,
                Posted.kind == INCIDENT,
                # One that was deleted when it was over may matter again.
                col(Posted.error).is_(None) | (col(Posted.error) == GONE),
                col(Posted.version) < col(Incident.version),
                col(Incident.id).not_in(self._not_shown(INCIDENT)),
            )
            .order_by(col(Posted.version))
        )
        async with self._store.reading() as session:
            rows = (await session.exec(query.limit(_FEW))).all()
        shown = 0
        for incident in rows:
            shown += await self._try(
                INCIDENT, incident.id or 0, incident.version, None, self._alert
            )
        return shown

    async def _lines(self) -> int:
        place = self._chat.place
        current = (
            select(Posted.ref)
            .join(Announcement, col(Announcement.id) == col(Posted.ref))
            .where(
                Posted.chat == place.chat,
                Posted.kind == LINE,
                (col(Posted.version) >= col(Announcement.version)) | col(Posted.error).is_not(None),
            )
        )
        query = (
            select(Announcement)
            .where(
                col(Announcement.id).not_in(current),
                col(Announcement.id).not_in(self._not_shown(LINE)),
            )
            .order_by(col(Announcement.id))
        )
        async with self._store.reading() as session:
            rows = (await session.exec(query.limit(_FEW))).all()
        shown = 0
        for line in rows:
            thread = None
            if line.incident_id is not None:
                thread = await self._thread(line.incident_id)
            shown += await self._try(LINE, line.id or 0, line.version, thread, self._line)
        return shown

    def _not_shown(self, kind: str) -> list[int]:
        """Return which of a kind cannot be shown now, and so must not stand before the others."""
        return [ref for failed, ref in self._failed if failed == kind]

    async def _thread(self, incident_id: int) -> str | None:
        """Return the message that an incident's lines hang under: a campaign's is one for all."""
        async with self._store.reading() as session:
            incident = await session.get(Incident, incident_id)
        places = [incident.campaign] if incident and incident.campaign else []
        for ref in (*places, incident_id):
            above = await self._posted(INCIDENT, ref)
            if above is not None and above.message_id is not None:
                return above.message_id
        return None

    async def _try(
        self,
        kind: str,
        ref: int,
        version: int,
        thread: str | None,
        draw: Callable[[int, Posted], Awaitable[Card | None]],
    ) -> bool:
        """Show one message; where that fails unforeseen, the others are shown all the same."""
        try:
            await self._show(kind, ref, version, thread, draw)
        except (ChatDown, StoreError):
            raise
        except Exception:  # noqa: BLE001 - one card that fails must not silence the channel
            _log.exception("%s:%d cannot be shown for a reason nobody foresaw", kind, ref)
            self._failed.add((kind, ref))
            return False
        return True

    async def _show(
        self,
        kind: str,
        ref: int,
        version: int,
        thread: str | None,
        draw: Callable[[int, Posted], Awaitable[Card | None]],
    ) -> None:
        """Post or update one message, and write down what is shown."""
        name = f"{kind}:{ref}"
        posted = await self._posted(kind, ref) or Posted(
            chat=self._chat.place.chat, kind=kind, ref=ref, channel=self._chat.place.channel
        )
        if posted.error == GONE:
            posted.version = version
            if not await self._is_live(ref):
                await self._save(posted)
                return
            _forget_message(posted)
        card = await draw(ref, posted)
        try:
            if card is None:
                posted.error = NOTHING
            elif posted.message_id is not None:
                try:
                    await self._chat.update(posted.message_id, card)
                except PictureRefused:
                    # Somebody deleted it, perhaps. Another one is drawn.
                    _forget_picture(posted)
                    card = await draw(ref, posted)
                    if card is not None:
                        await self._chat.update(posted.message_id, card)
            else:
                if posted.tried_at is not None:
                    # A post whose answer never came may have arrived all the same.
                    posted.message_id = await self._chat.find(
                        name, thread=thread, since=posted.tried_at
                    )
                if posted.message_id is None:
                    posted.tried_at = self._clock.now()
                    posted = await self._save(posted, leading=True)
                    await self._post(posted, card, name, thread)
                else:
                    await self._chat.update(posted.message_id, card)
            if card is not None:
                posted.error = None  # what was refused before is shown now
        except ChatGone:
            # An alert that was deleted comes back while it matters; a line does not.
            if kind == INCIDENT and await self._is_live(ref):
                _forget_message(posted)
                posted.channel = self._chat.place.channel
                await self._save(posted)
                return
            posted.error = GONE
        except ChatRefused as error:
            _log.error("%s cannot be shown: %s", name, error.sentence)
            posted.error = error.sentence
        posted.version = version
        await self._save(posted)

    async def _post(self, posted: Posted, card: Card, name: str, thread: str | None) -> None:
        try:
            posted.message_id = await self._chat.post(card, ref=name, thread=thread)
        except ChatDown as error:
            if not error.unsure:
                # It surely did not arrive. Where searching for it fails that is not known.
                posted.tried_at = None
                await self._save(posted)
            raise
        posted.tried_at = None

    async def _is_live(self, incident_id: int) -> bool:
        async with self._store.reading() as session:
            incident = await session.get(Incident, incident_id)
            if incident is None or incident.campaign is not None:
                return False
            return any(row.state in LIVE for row in await group_of(session, incident_id))

    async def _posted(self, kind: str, ref: int) -> Posted | None:
        async with self._store.reading() as session:
            rows = await session.exec(
                select(Posted).where(
                    Posted.chat == self._chat.place.chat, Posted.kind == kind, Posted.ref == ref
                )
            )
            return rows.first()

    async def _save(self, posted: Posted, *, leading: bool = False) -> Posted:
        async with self._store.session() as session:
            saved = await session.merge(posted)
            if leading:
                # Nothing is posted by one whose place another instance has taken.
                await self._lease.check(session)
            return saved

    async def _alert(self, incident_id: int, posted: Posted) -> Card | None:
        shown = posted.message_id is not None or posted.tried_at is not None
        picture = Picture(posted.picture, posted.picture_words) if posted.picture else None
        return await self._alerts.card(incident_id, shown=shown, link=self._link, picture=picture)

    async def _link(self, incident_id: int) -> str | None:
        posted = await self._posted(INCIDENT, incident_id)
        if posted is None or posted.message_id is None:
            return None
        return await self._chat.link(posted.message_id)

    async def _line(self, line_id: int, _: Posted) -> Card | None:
        async with self._store.reading() as session:
            line = await session.get(Announcement, line_id)
            if line is None:
                return None
            if line.intent_id is None:
                told = await session.exec(select(Digest).where(Digest.announcement_id == line_id))
                summary = told.first() if not line.text else None
                if summary is None:
                    return line_cards.note(line.text)
                return digest(summary.kind, Report.model_validate_json(summary.report))
            intent = await session.get(Intent, line.intent_id)
            if intent is None:
                return None
            acted = intent
            if intent.undo_of is not None:
                acted = await session.get(Intent, intent.undo_of) or intent
        place = self._chat.place
        if intent.state is IntentState.WAITING:
            return line_cards.asked_line(
                intent,
                await self._intents.offer_decision(place, APPROVE, intent),
                await self._intents.offer_decision(place, DECLINE, intent),
            )
        if acted.action == RESPOND and intent.state is IntentState.DONE:
            return await guide(self._store, self._intents, self._servers, place, intent)
        if acted.action == UNDO:
            return line_cards.note(intent.summary)
        undo_id = await self._intents.offer_undo(place, intent.id)
        return line_cards.act_line(intent, acted.action, undo_id)


def _always(card: Card | None) -> Callable[[int, Posted], Awaitable[Card | None]]:
    async def drawn(_: int, __: Posted) -> Card | None:
        return card

    return drawn


def _forget_message(posted: Posted) -> None:
    posted.message_id = posted.error = None
    _forget_picture(posted)


def _forget_picture(posted: Posted) -> None:
    posted.picture, posted.picture_words = None, ""
    posted.picture_version, posted.picture_at = 0, None


async def given_up(store: Store, limit: int = 20) -> Sequence[Posted]:
    """Return what a chat would never take, newest first: nobody was told of it there."""
    async with store.reading() as session:
        query = select(Posted).where(col(Posted.error).not_in((NOTHING, GONE)))
        return (await session.exec(query.order_by(col(Posted.id).desc()).limit(limit))).all()
