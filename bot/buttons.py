"""The buttons of a private card, collected first, so that their intents are made all at once."""

from collections.abc import Callable

from bot.desk import Desk, Request
from bot.elements import Button, Confirm, Style
from services.language import tr
from services.targets import Target

#: An action, what it is aimed at, and the incident that it belongs to.
_Wanted = tuple[str, Target, int | None]


class Buttons:
    """The buttons of one card, for who asked and nobody else."""

    def __init__(self) -> None:
        """Add one in a place, with what it does and to what."""
        self._wanted: list[_Wanted] = []
        self._made: list[tuple[str, str, Style, Confirm | None]] = []

    def add(
        self,
        slot: str,
        label: str,
        action: str,
        target: Target,
        *,
        style: Style = Style.PLAIN,
        confirm: Confirm | None = None,
        incident_id: int | None = None,
    ) -> None:
        """Add one in a place, with what it does and to what."""
        self._wanted.append((action, target, incident_id))
        self._made.append((slot, label, style, confirm))

    def pages(
        self,
        action: str,
        at: Callable[[int], Target],
        offset: int,
        rows: int,
        size: int,
        *,
        incident_id: int | None = None,
    ) -> None:
        """Add the ways to the pages before and after, where there are such.

        The page begins at ``offset`` of ``rows`` in all and holds ``size``; ``at`` is what the
        button of a page aims at, by that page's offset.
        """
        for step, slot, label in (
            (-size, "before", tr("◀ Previous")),
            (size, "after", tr("Next ▶")),
        ):
            if 0 <= offset + step < rows:
                self.add(slot, label, action, at(offset + step), incident_id=incident_id)

    async def offered(self, desk: Desk, request: Request) -> dict[str, Button]:
        """Return them by their slots, in the order they were added."""
        ids = await desk.intents.offer_to(
            request.actor, request.place, request.server, self._wanted
        )
        return {
            slot: Button(slot, label, intent_id, style, confirm)
            for (slot, label, style, confirm), intent_id in zip(self._made, ids, strict=True)
        }
