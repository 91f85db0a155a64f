"""The command that lists a campaign's accounts: each with a way to look at it."""

from bot import campaign_cards
from bot.arguments import Arguments
from bot.campaign_cards import PER_PAGE
from bot.desk import Desk, Reply, Request
from bot.elements import Button
from services.errors import BadArgument
from services.incidents import campaign_of, group_of
from services.models import Incident, Intent
from services.targets import Target

_UNKNOWN = "There is no incident {} of yours. /spool incidents lists them."


async def campaign(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with the accounts of an incident's campaign."""
    async with desk.store.reading() as session:
        incident = await session.get(Incident, asked.incident)
    if incident is None:
        raise BadArgument(_UNKNOWN.format(asked.incident))
    return await _page(desk, request, campaign_of(incident), (asked.page - 1) * PER_PAGE)


async def campaign_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer a card's button, or another page."""
    target = Target.model_validate_json(intent.target)
    async with desk.store.reading() as session:
        incident = await session.get(Incident, intent.incident_id or 0)
    if incident is None:
        raise BadArgument(_UNKNOWN.format(intent.incident_id))
    return await _page(desk, request, campaign_of(incident), target.offset)


async def _page(desk: Desk, request: Request, campaign_id: int, offset: int) -> Reply:
    async with desk.store.reading() as session:
        everybody = campaign_cards.ordered(await group_of(session, campaign_id))
        lead = await session.get(Incident, campaign_id)
    theirs = [row for row in everybody if request.scope.holds(row.sender)]
    if lead is None or not theirs:
        raise BadArgument(_UNKNOWN.format(campaign_id))
    offset = min(offset, (len(theirs) - 1) // PER_PAGE * PER_PAGE)
    rows = theirs[offset : offset + PER_PAGE]
    wanted: list[tuple[str, Target, int | None]] = []
    labels: list[tuple[str, str]] = []
    for number, row in enumerate(rows):
        wanted.append(("why", Target(account=row.sender), row.id))
        labels.append((f"account-{number}", "Why"))
    for step, slot, label in ((-PER_PAGE, "before", "◀ Previous"), (PER_PAGE, "after", "Next ▶")):
        if 0 <= offset + step < len(theirs):
            target = Target(account=lead.sender, offset=offset + step)
            wanted.append(("campaign", target, campaign_id))
            labels.append((slot, label))
    ids = await desk.intents.offer_to(request.actor, request.place, lead.server, wanted)
    buttons = {
        slot: Button(slot, label, made) for (slot, label), made in zip(labels, ids, strict=True)
    }
    return campaign_cards.page(lead, rows, offset, len(theirs), buttons, request.scope.note)
