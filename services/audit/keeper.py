"""What is done with the log from time to time: its head is told, its oldest part archived."""

from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit.archive import ArchiveWriter
from services.audit.chain import Anchor
from services.audit.entries import Line, Phase
from services.audit.log import AuditLog, head
from services.clock import Clock
from services.errors import StoreError
from services.language import later, tr
from services.models import Announcement, AuditEntry
from services.people import BOT
from services.settings import AuditSettings
from services.store import Store, removing_from_log

#: Entries in one file: nobody who acts waits longer than removing these takes.
_AT_ONCE = 50_000
#: Archived once the oldest entry is this much too old, so that a file is not one entry.
_LEEWAY = timedelta(days=1)
_CHANGED = later("The audit log was not archived: it changed meanwhile.")


class AuditKeeper:
    """Runs from time to time. Its memory is only what the channel was told."""

    def __init__(
        self,
        store: Store,
        audit: AuditLog,
        clock: Clock,
        settings: AuditSettings,
        changed: Callable[[], None],
        *,
        at_once: int = _AT_ONCE,
    ) -> None:
        """Take ``changed``, which is called when the chats have something new to show."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._settings = settings
        self._changed = changed
        self._at_once = at_once
        self._told = ""

    async def anchor(self) -> bool:
        """Tell the chats the head of the log, if it is time; return whether they are told."""
        async with self._store.reading() as session:
            if await self._to_anchor(session) is None:
                return False
        async with self._store.session() as session:
            last = await self._to_anchor(session)
            if last is None:
                return False  # another instance was faster
            anchor = Anchor(last.seq or 0, last.hash)
            line = Line(Phase.ANCHOR, "anchor", BOT, detail={"anchor": str(anchor)})
            await self._audit.append(session, line)
            session.add(
                Announcement(
                    at=self._clock.now(),
                    text=tr(
                        "🔗 Audit log anchor {anchor} – keep this line: “spoolwarden audit verify "
                        "--anchor” with it proves that nothing up to entry {number} was cut off "
                        "or rewritten.",
                        anchor=anchor,
                        number=str(anchor.seq),
                    ),
                )
            )
        self._changed()
        return True

    async def _to_anchor(self, session: AsyncSession) -> AuditEntry | None:
        """Return the newest entry if something was written since the last anchor, long ago."""
        hours = self._settings.anchor_hours
        last = await head(session)
        if not hours or last is None or last.phase == Phase.ANCHOR:
            return None
        by_age = col(AuditEntry.seq)
        anchored = select(AuditEntry).where(AuditEntry.phase == Phase.ANCHOR.value)
        since = (await session.exec(anchored.order_by(by_age.desc()).limit(1))).first() or (
            await session.exec(select(AuditEntry).order_by(by_age).limit(1))
        ).first()
        due = since is None or since.at + timedelta(hours=hours) <= self._clock.now()
        return last if due else None

    async def archive(self) -> int:
        """Move entries that are too old into files; return how many.

        Raises StoreError, with nothing removed that is not in a file, when that cannot be.
        """
        days, folder = self._settings.keep_days, self._settings.archive_folder
        if days is None or folder is None:
            return 0
        before = self._clock.now() - timedelta(days=days)
        async with self._store.reading() as session:
            oldest = (
                await session.exec(select(AuditEntry.at).order_by(col(AuditEntry.seq)).limit(1))
            ).first()
        if oldest is None or oldest > before - _LEEWAY:
            return 0
        # A checkpoint says that what it stands for was whole; so that must be so.
        verdict = await self._audit.verify()
        if verdict.broken_at is not None:
            why = f"{tr('Nothing of the audit log was archived.')} {verdict.sentence}"
            await self._tell(f"⚠️ {why}")
            raise StoreError(why)
        moved = 0
        while number := await self._move(folder, before):
            moved += number
        self._told = ""
        return moved

    async def _move(self, folder: Path, before: datetime) -> int:
        seq = col(AuditEntry.seq)
        async with self._store.reading() as session:
            first, newest = (await session.exec(select(func.min(seq), func.max(seq)))).one()
            young = (
                await session.exec(select(func.min(seq)).where(col(AuditEntry.at) >= before))
            ).one()
        if first is None or newest is None or first == young:
            return 0
        last = min(newest if young is None else young - 1, first + self._at_once - 1)
        number, hash = 0, ""
        try:
            with ArchiveWriter(folder, first, last) as archive:
                async with aclosing(self._audit.pages(last)) as pages:
                    async for page in pages:
                        archive.add(page)
                        number, hash = number + len(page), page[-1].hash
                if number != last - first + 1:
                    # Another instance has moved them meanwhile; its file must not be touched.
                    raise StoreError(tr(_CHANGED))
                archive.finish()
        except OSError as error:
            raise StoreError(
                tr(
                    "The audit log was not archived: {folder} cannot be written ({why}). Nothing "
                    "was removed; make it writable or give it space.",
                    folder=folder,
                    why=error.strerror,
                )
            ) from error
        async with self._store.session() as session:
            await self._audit.append(
                session,
                Line(
                    Phase.CHECKPOINT,
                    "archive",
                    BOT,
                    subject=archive.file.name,
                    detail={"first": first, "last": last, "count": number, "hash": hash},
                ),
            )
            async with removing_from_log(session):
                removed = await session.exec(delete(AuditEntry).where(seq <= last))
            if removed.rowcount != number:
                raise StoreError(tr(_CHANGED))
        archive.clean()
        return number

    async def _tell(self, text: str) -> None:
        if text != self._told:
            async with self._store.session() as session:
                session.add(Announcement(at=self._clock.now(), text=text))
            self._told = text
            self._changed()
