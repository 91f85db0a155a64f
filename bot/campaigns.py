"""The command that lists a campaign's accounts: each with a way to look at it."""

from dataclasses import replace

from bot import campaign_cards
from bot.arguments import Arguments
from bot.buttons import Buttons
from bot.campaign_cards import PER_PAGE
from bot.desk import Desk, Reply, Request
from services.errors import BadArgument
from services.incidents import campaign_of, group_of
from services.language import later, tr
from services.models import Incident, Intent
from services.targets import Target

_UNKNOWN = later("There is no incident {number} of yours. /spool incidents lists them.")


async def campaign(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with the accounts of an incident's campaign."""
    async with desk.store.reading() as session:
        incident = await session.get(Incident, asked.incident)
    if incident is None:
        raise BadArgument(tr(_UNKNOWN, number=str(asked.incident)))
    return await _page(desk, request, campaign_of(incident), (asked.page - 1) * PER_PAGE)


async def campaign_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer a card's button, or another page."""
    target = Target.model_validate_json(intent.target)
    async with desk.store.reading() as session:
        incident = await session.get(Incident, intent.incident_id or 0)
    if incident is None:
        raise BadArgument(tr(_UNKNOWN, number=str(intent.incident_id)))
    return await _page(desk, request, campaign_of(incident), target.offset)


async def _page(desk: Desk, request: Request, campaign_id: int, offset: int) -> Reply:
    async with desk.store.reading() as session:
        everybody = campaign_cards.ordered(await group_of(session, campaign_id))
        lead = await session.get(Incident, campaign_id)
    theirs = [row for row in everybody if request.scope.holds(row.sender)]
    if lead is None or not theirs:
        raise BadArgument(tr(_UNKNOWN, number=str(campaign_id)))
    offset = min(offset, (len(theirs) - 1) // PER_PAGE * PER_PAGE)
    rows = theirs[offset : offset + PER_PAGE]
    made, leads = Buttons(), lead.sender
    for number, row in enumerate(rows):
        account = Target(account=row.sender)
        made.add(f"account-{number}", tr("Why"), "why", account, incident_id=row.id)
    made.pages(
        "campaign",
        lambda at: Target(account=leads, offset=at),
        offset,
        len(theirs),
        PER_PAGE,
        incident_id=campaign_id,
    )
    buttons = await made.offered(desk, replace(request, server=lead.server))
    return campaign_cards.page(lead, rows, offset, len(theirs), buttons, request.scope.note)
