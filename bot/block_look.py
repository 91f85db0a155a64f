"""/spool blocks: which addresses are blocked, why, by whom and until when."""

from collections.abc import Mapping

from sqlmodel import col, select

from bot import block_card
from bot.arguments import Arguments
from bot.block_card import PER_PAGE, Blocked
from bot.buttons import Buttons
from bot.desk import Desk, Reply, Request
from bot.elements import Menu, Option, named
from services.errors import MailServerError
from services.language import later, tr
from services.mail.port import Block, MailServer, Network
from services.models import AuditEntry, Intent
from services.remedies import lacking
from services.targets import Target
from services.words import show_network

EVERY_DOMAIN = later(
    "Blocking it, or lifting a block, would concern senders of every domain: somebody whose role "
    "is not limited to domains can do that."
)


async def blocks(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with a page of the block list."""
    return await _blocks(desk, request, (asked.page - 1) * PER_PAGE)


async def blocks_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer another page."""
    return await _blocks(desk, request, Target.model_validate_json(intent.target).offset)


async def _blocks(desk: Desk, request: Request, offset: int) -> Reply:
    server = desk.pipeline.server(request.server)
    standing = list(reversed(await server.blocks()))
    last = max(0, (len(standing) - 1) // PER_PAGE * PER_PAGE)
    offset = min(offset, last)  # asked for a page past the end, or fewer are blocked meanwhile
    page = standing[offset : offset + PER_PAGE]
    refused, lacks = await _refused(server) if page else ({}, [])
    made = Buttons()
    extend: list[Option] = []
    if not request.scope.everything:
        lacks += [tr(EVERY_DOMAIN)] if page else []
    else:
        for action in ("unblock", "block"):
            if (cannot := lacking(action, server.capabilities, Target())) is not None:
                lacks.append(cannot)
                continue
            for number, block in enumerate(page):
                label = tr("Unblock…") if action == "unblock" else tr("Extend…")
                slot = f"unblock-{number}" if action == "unblock" else f"extend-{number}"
                made.add(slot, label, action, Target(networks=(block.network,)))
    made.pages("blocks", lambda at: Target(offset=at), offset, len(standing), PER_PAGE)
    made.add("again", tr("Refresh"), "blocks", Target(offset=offset))
    buttons = await made.offered(desk, request)
    # One person has often blocked several.
    who = {reason: await by(desk, block) for reason, block in {b.reason: b for b in page}.items()}
    for number, block in enumerate(page):
        if button := buttons.pop(f"extend-{number}", None):
            extend.append(Option(named(show_network(block.network)), button.intent_id))
    return block_card.blocks(
        block_card.Blocks(
            server=server.name,
            page=[Blocked(b, who[b.reason], refused.get(b.network)) for b in page],
            offset=offset,
            total=len(standing),
            listings=[row for row in await desk.listings.known() if row.server == server.name],
            zones=desk.listings.zones,
            taken_at=desk.clock.now(),
            lacking=tuple(dict.fromkeys(lacks)),
            buttons=buttons,
            extend=Menu("extend", tr("Extend…"), tuple(extend)) if extend else None,
        )
    )


async def _refused(server: MailServer) -> tuple[Mapping[Network, int], list[str]]:
    """Return how often each block has refused somebody, and why that is not known, if it is not."""
    able = server.capabilities.count_refused
    if not able.able:
        return {}, [able.why]
    try:
        return await server.refused(), []
    except MailServerError as error:
        return {}, [error.sentence]


async def by(desk: Desk, block: Block) -> str:
    """Return a block's reason, with the name of who blocked it where that was done here."""
    key = block.reason.removesuffix(" through Spoolwarden")  # not shown
    if key == block.reason:
        return block.reason
    async with desk.store.reading() as session:
        rows = await session.exec(
            select(AuditEntry.actor_name)
            .where(AuditEntry.actor == key)
            .order_by(col(AuditEntry.seq).desc())
            .limit(1)
        )
        name = rows.first()
    return tr("by {name} through Spoolwarden", name=name) if name else block.reason
