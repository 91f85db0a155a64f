"""What can be suggested while somebody still types an argument."""

import sys
from collections.abc import Awaitable, Callable, Mapping

from sqlmodel import col, select

from bot.arguments import Known
from bot.desk import Desk, Request
from bot.elements import visible
from services.models import LIVE, Incident

#: As many as a chat shows at once.
MOST = 25
_LOOKED_AT = 200


async def suggest(desk: Desk, request: Request, known: Known, typed: str) -> tuple[str, ...]:
    """Return what there is that holds what was typed so far, likeliest first, at most MOST.

    Raises SpoolwardenError where the mail server cannot say.
    """
    found = await _LISTS[known](desk, request)
    wanted = typed.casefold()
    # A name that cannot be shown as it is cannot be chosen by looking at it either.
    usable = [name for name in dict.fromkeys(found) if name and visible(name) == name]
    return tuple(name for name in usable if wanted in name.casefold())[:MOST]


async def _senders(desk: Desk, request: Request) -> list[str]:
    # The senders of a few domains may all be behind many others.
    limit = _LOOKED_AT if request.scope.everything else sys.maxsize
    tops = await desk.pipeline.server(request.server).top_queued(limit)
    return [top.sender for top in tops if request.scope.holds(top.sender)]


async def _accounts(desk: Desk, request: Request) -> list[str]:
    async with desk.store.reading() as session:
        live = await session.exec(
            select(Incident.sender)
            .where(Incident.server == request.server, col(Incident.state).in_(LIVE))
            .order_by(col(Incident.id).desc())
        )
        abused = [sender for sender in live.all() if request.scope.holds(sender)]
    return [*abused, *await _senders(desk, request)]


async def _folders(desk: Desk, request: Request) -> list[str]:
    # What others named their folders after is not theirs to read.
    if not request.scope.everything:
        return []
    return list(await desk.pipeline.server(request.server).folders())


async def _blocked(desk: Desk, request: Request) -> list[str]:
    if not request.scope.everything:
        return []  # they lift none
    blocks = await desk.pipeline.server(request.server).blocks()
    return [str(block.network) for block in blocks]


async def _servers(desk: Desk, _: Request) -> list[str]:
    return list(desk.servers)


_LISTS: Mapping[Known, Callable[[Desk, Request], Awaitable[list[str]]]] = {
    Known.SENDER: _senders,
    Known.ACCOUNT: _accounts,
    Known.FOLDER: _folders,
    Known.BLOCKED: _blocked,
    Known.SERVER: _servers,
}
