"""Makes the card of an incident, or of a campaign of several, with the buttons it has now."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot import alert_card, campaign_cards
from bot.commands import CARD_ACTIONS
from bot.elements import Card, Picture
from services.aims import ON_ALL_MESSAGES, aim, aim_at_all, fits
from services.incidents import campaign_of, group_of
from services.intents import Intents
from services.language import tr
from services.mail.port import MailServer
from services.models import LIVE, Incident, IncidentState, Intent
from services.people import Place
from services.remedies import lacking
from services.responding import RESPOND
from services.store import Store
from services.targets import Target

#: What a campaign's card offers for all of its accounts at once.
_FOR_ALL = ("stop", "acknowledge", "snooze", "false_alarm")
_WAITING = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.SNOOZED)


class AlertCards:
    """Makes them for one chat's channel."""

    def __init__(
        self, place: Place, store: Store, intents: Intents, servers: Mapping[str, MailServer]
    ) -> None:
        self._place = place
        self._store = store
        self._intents = intents
        self._servers = servers

    async def card(
        self,
        incident_id: int,
        *,
        shown: bool,
        link: Callable[[int], Awaitable[str | None]],
        picture: Picture | None = None,
    ) -> Card | None:
        """Return an incident's card, None where another's tells of it.

        ``shown`` is whether it has a card already, which then says where it went, with the
        ``link`` to that incident's card. ``picture`` is of that account, a campaign's first.
        """
        async with self._store.reading() as session:
            incident = await session.get(Incident, incident_id)
            group = await group_of(session, campaign_of(incident)) if incident else []
        if incident is None:
            return None
        if incident.campaign is not None:
            if not shown:
                return None
            leads_to = await link(incident.campaign)
            return campaign_cards.moved(incident, incident.campaign, leads_to)
        done = await self._intents.done_on(*(row.id or 0 for row in group))
        undos = await self._undos(done, group)
        if len(group) > 1:
            return await self._campaign(incident, group, done, undos, picture)
        server = self._servers.get(incident.server)
        targets = {
            action: aim(action, incident.sender, server)
            for action in (CARD_ACTIONS if incident.state in LIVE else ("search",))
            if action not in undos
            and fits(action, incident.sender)
            and not (action == RESPOND and action in done)
        }
        offers, lacks, holds = await self._offers(incident, targets)
        buttons = alert_card.Buttons(offers, undos, lacks, holds)
        return alert_card.alert(incident, done, buttons, picture)

    async def _undos(self, done: Mapping[str, Intent], group: Sequence[Incident]) -> dict[str, str]:
        undos: dict[str, str] = {}
        snoozed = any(row.state is IncidentState.SNOOZED for row in group)
        for action, intent in done.items():
            if action == "snooze" and not snoozed:
                continue  # it ran out: there is nothing to end, and it can be asked for again
            if undo_id := await self._intents.offer_undo(self._place, intent.id):
                undos[action] = undo_id
        return undos

    async def _offers(
        self, incident: Incident, targets: Mapping[str, Target]
    ) -> tuple[dict[str, str], tuple[str, ...], bool]:
        """Return the intents for these, what the server can't do, and whether stopping holds."""
        server = self._servers.get(incident.server)
        lacks = {
            action: why
            for action, target in targets.items()
            if (why := _lacking(action, incident.server, server, target)) is not None
        }
        offered = {action: target for action, target in targets.items() if action not in lacks}
        offers = await self._intents.offers(self._place, incident.server, offered, incident.id or 0)
        holds = server is None or server.capabilities.hold.able
        return offers, tuple(dict.fromkeys(lacks.values())), holds

    async def _campaign(
        self,
        lead: Incident,
        group: Sequence[Incident],
        done: Mapping[str, Intent],
        undos: Mapping[str, str],
        picture: Picture | None,
    ) -> Card:
        rows = campaign_cards.ordered(group)
        waiting = [row for row in rows if row.state in _WAITING]
        accounts = tuple(row.sender for row in waiting)
        # What those have held that were stopped is to be cleared away, too.
        everybody = tuple(row.sender for row in rows if row.state in LIVE)
        server = self._servers.get(lead.server)
        targets = {"campaign": Target(account=lead.sender)}
        if everybody:
            targets |= {one: aim_at_all(one, everybody, server) for one in ON_ALL_MESSAGES}
        if accounts:
            targets |= {action: Target(accounts=accounts) for action in _FOR_ALL}
            # The checklist of one that joined stays in that one's thread.
            if RESPOND not in await self._intents.done_on(lead.id or 0):
                targets[RESPOND] = Target(accounts=accounts)
        if everybody:
            targets["block"] = Target(account=lead.sender)
        kept = {
            action: target
            for action, target in targets.items()
            # One account may be stopped while others of the campaign still send,
            # and what was moved or deleted of it is seldom the last that it sends.
            if action not in undos or (action == "stop" and accounts) or action in ON_ALL_MESSAGES
        }
        offers, lacks, holds = await self._offers(lead, kept)
        stops: dict[str, str] = {}
        looks: dict[str, str] = {}
        for row in rows[: campaign_cards.ON_CARD]:
            action = "stop" if row in waiting and "stop" in offers else "why"
            target = {action: Target(account=row.sender)}
            # Its own incident, so that the act is told and taken back as that account's.
            made = await self._intents.offers(self._place, row.server, target, row.id or 0)
            (stops if action == "stop" else looks)[row.sender] = made[action]
        queued = [alert_card.evidence_of(row).queued for row in waiting]
        buttons = campaign_cards.Buttons(
            offers, undos, stops, looks, accounts, sum(queued), lacks, holds
        )
        return campaign_cards.campaign(lead, group, done, buttons, picture)


def _lacking(action: str, name: str, server: MailServer | None, target: Target) -> str | None:
    if server is None:
        return tr("The mail server {server} is no longer configured.", server=name)
    return lacking(action, server.capabilities, target)
