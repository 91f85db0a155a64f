"""The commands that only read: dashboard, search, preview, incidents, audit, help."""

from collections.abc import Sequence
from dataclasses import replace

from sqlmodel import col, select

from bot import spool_cards
from bot.arguments import Arguments
from bot.dashboards import dashboard as state_of
from bot.desk import Desk, Reply, Request
from bot.elements import Bold, Button, Card, Points, Small, Style, rich, say
from services.audit import Line, Phase
from services.errors import BadArgument, Refused
from services.language import tr
from services.mail.port import DELIVERING, Queue, SpoolQuery
from services.models import Incident, Intent
from services.remedies import lacking
from services.targets import Target, describe

#: Messages on one page of a search: as many as a phone shows with their previews.
PER_PAGE = 5
_LISTED = 15


async def dashboard(desk: Desk, request: Request, _: Arguments) -> Reply:
    """Answer with the spool's state and the last hour's top senders and addresses."""
    server = desk.pipeline.server(request.server)
    state = await state_of(server, desk.store, desk.clock.now(), request.scope)
    return spool_cards.dashboard(state)


async def search(desk: Desk, request: Request, asked: Arguments, query: SpoolQuery) -> Reply:
    """Answer with one page of what matches."""
    try:
        query = request.scope.query(query)
    except Refused as refusal:
        await desk.refuse(
            request.actor, "search", request.server, refusal, Target(query=query).subject
        )
    return await _page(desk, request, query, (asked.page - 1) * PER_PAGE)


async def search_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer a Review or a page button."""
    target = Target.model_validate_json(intent.target)
    query = request.scope.query(target.query or SpoolQuery())
    return await _page(desk, request, query, target.offset)


async def _page(desk: Desk, request: Request, query: SpoolQuery, offset: int) -> Reply:
    server = desk.pipeline.server(request.server)
    page = await server.search(query, offset=offset, limit=PER_PAGE)
    last = max(1, -(-page.total // PER_PAGE))
    if page.total and not page.messages:
        # Asked for a page past the end, or the spool has shrunk meanwhile.
        offset = (last - 1) * PER_PAGE
        page = await server.search(query, offset=offset, limit=PER_PAGE)

    async def button(action: str, target: Target) -> str:
        return await desk.intents.offer(
            request.place, action, server=request.server, target=target, actor=request.actor
        )

    lacks: dict[str, str] = {}
    can_look = server.capabilities.preview
    if page.messages and not can_look.able:
        lacks[can_look.why] = "preview"
    previews = [
        await button("preview", Target(queue_ids=(message.queue_id,)))
        for message in page.messages
        if can_look.able
    ]
    buttons: list[Button] = []
    if offset > 0:
        before = Target(query=query, offset=max(0, offset - PER_PAGE))
        buttons.append(Button("before", tr("◀ Previous"), await button("search", before)))
    if offset + PER_PAGE < page.total:
        after = Target(query=query, offset=offset + PER_PAGE)
        buttons.append(Button("after", tr("Next ▶"), await button("search", after)))
    for name, label, style, target in _acts(
        query, page.total, keeps=server.capabilities.quarantine.able
    ):
        if (why := lacking(name, server.capabilities, target)) is not None:
            lacks[why] = name
        else:
            buttons.append(Button(name, label, await button(name, target), style))
    number = offset // PER_PAGE + 1
    return spool_cards.results(
        spool_cards.Found(
            describe(query), page, number, last, previews, tuple(buttons), tuple(lacks)
        )
    )


def _acts(query: SpoolQuery, total: int, *, keeps: bool) -> list[tuple[str, str, Style, Target]]:
    """Return what can be done with all that a search found; nothing with the whole spool."""
    if not total or replace(query, sender_domains=()) == SpoolQuery():
        return []
    if query.queues == (Queue.QUARANTINE,) or query.folder:
        stored = Target(query=replace(query, queues=(Queue.QUARANTINE,)))
        return [("restore", tr("Put back…"), Style.PLAIN, stored)]
    if Queue.QUARANTINE in query.queues:
        return []
    waiting = query if query.queues else replace(query, queues=(*DELIVERING, Queue.HELD))
    target = Target(query=waiting)
    return [
        ("move", tr("Move these…"), Style.PLAIN, target),
        ("delete", tr("Delete these…"), Style.DANGER, Target(query=waiting, permanent=not keeps)),
    ]


async def preview(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer with the head of one message. Who looked is audited: it is somebody's mail."""
    queue_id = Target.model_validate_json(intent.target).queue_ids[0]
    shown = await desk.pipeline.server(request.server).preview(queue_id)
    if shown is None:
        raise BadArgument(
            tr("Message {id} is no longer in the spool: delivered or deleted.", id=queue_id)
        )
    sender = shown.message.sender
    if not request.scope.holds(sender):
        refusal = request.scope.refusal(tr("look into this message"))
        await desk.refuse(request.actor, "preview", request.server, refusal, sender)
    await desk.audit.write(
        Line(
            Phase.READ,
            "preview",
            request.actor,
            request.server,
            sender,
            intent.incident_id,
            detail={"queue_id": queue_id},
        )
    )
    return spool_cards.preview(shown)


async def incidents(desk: Desk, request: Request, _: Arguments) -> Reply:
    """Answer with the newest incidents."""
    newest = select(Incident).order_by(col(Incident.id).desc())
    if request.scope.everything:
        newest = newest.limit(_LISTED)
    async with desk.store.reading() as session:
        rows = (await session.exec(newest)).all()
    theirs = [row for row in rows if request.scope.holds(row.sender)]
    return spool_cards.incidents(theirs[:_LISTED], request.scope.note)


async def audit(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with the newest audit entries, and whether the newest part of the chain is whole."""
    entries = await desk.audit.newest_of(request.scope, _LISTED, offset=(asked.page - 1) * _LISTED)
    verdict = await desk.audit.verify_newest()
    return spool_cards.audit(entries, verdict.sentence, request.scope.note)


def help_card(rows: Sequence[tuple[str, str]], detail: Sequence[tuple[str, str]]) -> Card:
    """Return the help: every command, or one with its arguments."""
    points = tuple(say(Bold(usage), f": {summary}") for usage, summary in rows)
    arguments = tuple(say(Bold(f"{name}: "), means) for name, means in detail)
    title = tr("Spoolwarden's commands")
    return Card(
        title,
        (
            Points(points),
            *((Points(arguments),) if arguments else ()),
            Small(
                rich(
                    "What changes something on the mail server asks first and is written down; "
                    "most of it can be undone."
                )
            ),
        ),
        fallback=title,
    )
