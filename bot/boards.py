"""The dashboards that stand in a chat's channel: put there by /spool pin, and kept new.

The publisher shows them after everything else, so that no alert waits for one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlmodel import col, delete, select

from bot import line_cards, spool_cards
from bot.arguments import Arguments
from bot.dashboards import EVERY, dashboard
from bot.desk import Desk, Reply, Request
from bot.elements import Card, Moment, Paragraph, Small, named, rich, say
from services.audit import Line, Phase
from services.clock import Clock
from services.errors import ServerDown
from services.language import later, tr
from services.mail.port import MailServer
from services.models import Announcement, Board, Posted
from services.people import Role
from services.scope import everyone
from services.store import Store
from services.tasks import end

#: What Posted calls such a message.
BOARD = "board"
#: Seconds that alerts wait at most for one to be drawn.
_PATIENCE = 2.0


class Boards:
    """One chat's dashboards, as its publisher shows them."""

    def __init__(
        self, chat: str, store: Store, servers: Mapping[str, MailServer], clock: Clock
    ) -> None:
        self._chat = chat
        self._store = store
        self._servers = servers
        self._clock = clock
        self._drawing: dict[int, asyncio.Task[Card | None]] = {}  # those that take long

    async def drawn(self, board_id: int, woken: Callable[[], None]) -> tuple[Card | None, bool]:
        """Return a dashboard as card() does, and whether it is drawn yet.

        A mail server that hangs is waited for elsewhere, as alerts are not to wait for it;
        ``woken`` is called once it is drawn.
        """
        task = self._drawing.get(board_id)
        if task is None:
            task = self._drawing[board_id] = asyncio.create_task(self.card(board_id))
            await asyncio.wait({task}, timeout=_PATIENCE)
            if not task.done():
                task.add_done_callback(lambda _: woken())
        if not task.done():
            return None, False
        del self._drawing[board_id]
        return task.result(), True

    async def stop(self) -> None:
        """Draw nothing any more."""
        drawing, self._drawing = self._drawing, {}
        await end(drawing.values())

    @property
    def turn(self) -> int:
        """The number of the stretch of EVERY seconds that it is now."""
        return int(self._clock.now().timestamp() // EVERY)

    async def all(self) -> Sequence[Board]:
        """Return them, those to be taken away, too."""
        async with self._store.reading() as session:
            query = select(Board).where(Board.chat == self._chat).order_by(col(Board.id))
            return (await session.exec(query)).all()

    async def card(self, board_id: int) -> Card | None:
        """Return a dashboard as it is now: of everybody's mail, as the channel's alerts are."""
        async with self._store.reading() as session:
            board = await session.get(Board, board_id)
        if board is None:
            return None
        server, now = self._servers.get(board.server), self._clock.now()
        if server is None:
            sentence = tr("It is no longer among the configured mail servers.")
            return _blank(board.server, sentence, now)
        try:
            return spool_cards.dashboard(
                await dashboard(server, self._store, now, everyone(Role.VIEWER))
            )
        except ServerDown as error:
            return _blank(board.server, error.sentence, now)

    async def pinned(self, board: Board, trouble: str = "") -> None:
        """Write down that it was pinned, or tell the channel, once, why it could not be."""
        async with self._store.session() as session:
            kept = await session.get(Board, board.id)
            if kept is None:
                return
            kept.pinned, kept.trouble = not trouble, trouble
            session.add(kept)
            if trouble:
                said = tr(
                    "The dashboard of {server} stands in the channel, but is not pinned: "
                    "{trouble} Pin it by hand, or mend that and type /spool pin again.",
                    server=board.server,
                    trouble=trouble,
                )
                session.add(Announcement(at=self._clock.now(), text=said))

    async def forget(self, board: Board, trouble: str = "") -> None:
        """Let go of it: its message is no longer there, or stays for a reason that is told."""
        if (drawing := self._drawing.pop(board.id or 0, None)) is not None:
            drawing.cancel()
        async with self._store.session() as session:
            if trouble:
                said = tr(
                    "The dashboard of {server} could not be taken out of the channel and is no "
                    "longer brought up to date: {trouble} Delete it by hand.",
                    server=board.server,
                    trouble=trouble,
                )
                session.add(Announcement(at=self._clock.now(), text=said))
            await session.exec(
                delete(Posted).where(
                    col(Posted.chat) == self._chat,
                    col(Posted.kind) == BOARD,
                    col(Posted.ref) == board.id,
                )
            )
            await session.exec(delete(Board).where(col(Board.id) == board.id))


async def pin(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Have a dashboard stand in the alerts' channel of this chat, or no longer."""
    server = desk.pipeline.server(request.server).name
    chat, scope = request.place.chat, request.scope
    if not scope.everything:
        refusal = scope.refusal(tr("pin a dashboard"), because=tr("it tells of every sender"))
        await desk.refuse(request.actor, "pin", server, refusal)
    async with desk.store.session() as session:
        found = await session.exec(
            select(Board).where(Board.chat == chat, Board.server == server).with_for_update()
        )
        board = found.first()
        if asked.remove and board is None:
            return line_cards.note(
                tr("No dashboard of {server} stands in the alerts' channel.", server=server)
            )
        if board is None:
            board = Board(chat=chat, server=server)
        # What could not be pinned is tried again.
        board.wanted, board.trouble = not asked.remove, ""
        session.add(board)
        what = later("dashboard removed") if asked.remove else later("dashboard pinned")
        await desk.audit.append(session, Line(Phase.NOTE, what, request.actor, server))
    desk.changed()
    if asked.remove:
        return line_cards.success(
            tr("The dashboard of {server} is taken out of the alerts' channel.", server=server)
        )
    return line_cards.success(
        tr(
            "The dashboard of {server} comes into the alerts' channel, pinned, and is brought up "
            "to date every {seconds} s. /spool pin remove takes it away.",
            server=server,
            seconds=round(EVERY),
        )
    )


def _blank(server: str, sentence: str, now: datetime) -> Card:
    title = tr("Spool of {server}", server=named(server))
    taken = rich("as of {moment}", moment=Moment(now, seconds=True))
    sections = (Paragraph(say("⚠️ ", sentence)), Small(taken))
    return Card(title, sections, fallback=title)
