"""Makes incidents one campaign in the database, once what they share is known."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import AuditLog, Line, Phase
from services.detection.campaigns import WINDOW, Tie, Traits, is_theirs, ties, traits_of
from services.detection.evidence import Evidence
from services.detection.life import Member, inherit
from services.incidents import campaign_of, group_of
from services.intents import touch_responses
from services.language import later, tr, trn
from services.mail.port import Network
from services.models import Announcement, Incident
from services.people import BOT
from services.rules import Rules
from services.words import listed, short

#: An account that goes on sending is looked at again for what it shares, at most so often.
_AGAIN = timedelta(seconds=30)
#: What was found out about a network holds for so long, and so many are asked about at once.
_KNOWN = timedelta(minutes=10)
_ASKED = 10


class Merging:
    """Keeps what the live incidents of one mail server have in common."""

    def __init__(self, server: str, rules: Rules, audit: AuditLog) -> None:
        self._server = server
        self._rules = rules
        self._audit = audit
        self._traits: dict[str, tuple[datetime, Traits]] = {}
        self._theirs: dict[str, tuple[datetime, bool]] = {}

    async def look(
        self,
        session: AsyncSession,
        live: Mapping[str, tuple[int, datetime]],
        alarming: Mapping[str, datetime],
        busy: Collection[str],
        own: Sequence[Network],
        now: datetime,
    ) -> list[Tie]:
        """Return which of these accounts are one campaign and not yet known as one.

        ``live`` has the campaign of each account with an incident, and since when it sends;
        ``alarming`` those about to get one. ``busy`` sent something lately.
        """
        since = {name: begun for name, (_, begun) in live.items()} | dict(alarming)
        if len(since) < 2:
            return []
        self._traits = {name: one for name, one in self._traits.items() if name in since}
        for name, begun in since.items():
            kept = self._traits.get(name)
            if kept is None or (name in busy and now - kept[0] >= _AGAIN):
                begin = max(begun, now - WINDOW)
                self._traits[name] = now, await traits_of(session, self._server, name, begin)

        def campaign(sender: str) -> object:
            return live[sender][0] if sender in live else sender

        found, networks = ties({name: one for name, (_, one) in self._traits.items()}, campaign)
        joined: dict[object, object] = {}
        for tie in found:
            _join(joined, map(campaign, tie.senders))
        asked = 0
        for network, senders in sorted(networks.items(), key=lambda one: -len(one[1])):
            # One network is enough to make accounts one campaign, and asking takes its time.
            apart = len({_root(joined, campaign(sender)) for sender in senders}) > 1
            if apart and asked < _ASKED:
                asked += network not in self._theirs
                if await self._is_theirs(session, network, since, own, now):
                    found.append(Tie(senders, tr("the network {network}", network=network)))
                    _join(joined, map(campaign, senders))
        return found

    async def _is_theirs(
        self,
        session: AsyncSession,
        network: str,
        alarming: Collection[str],
        own: Sequence[Network],
        now: datetime,
    ) -> bool:
        self._theirs = {n: one for n, one in self._theirs.items() if now - one[0] < _KNOWN}
        if network not in self._theirs:
            theirs = await is_theirs(
                session, self._server, network, alarming, now, self._rules, own
            )
            self._theirs[network] = now, theirs
        return self._theirs[network][1]

    async def merge(
        self,
        session: AsyncSession,
        members: Mapping[str, Member],
        found: Sequence[Tie],
        now: datetime,
    ) -> bool:
        """Make them one; return whether there was anything to do."""
        merged = False
        for tie in found:
            for sender in tie.senders:
                here = [members[s] for s in tie.senders if s in members]
                if sender not in members or len(here) < 2:
                    continue
                first = min(campaign_of(one.incident) for one in here)
                mine = campaign_of(members[sender].incident)
                if mine != first:
                    await self._join(session, members, first, mine, tie.why, now)
                    merged = True
        return merged

    async def _join(
        self,
        session: AsyncSession,
        members: Mapping[str, Member],
        first: int,
        second: int,
        why: str,
        now: datetime,
    ) -> None:
        """Have everybody of the second campaign be of the first."""
        lead = await session.get(Incident, first)
        younger = await session.get(Incident, second)
        if lead is None or younger is None:
            return
        others = [m.incident for m in members.values() if campaign_of(m.incident) == first]
        joining = [m for m in members.values() if campaign_of(m.incident) == second]
        for row in await group_of(session, second):
            row.campaign = first
            row.joined_by = row.joined_by or why
            row.version += 1
            session.add(row)
        lead.worst = max(lead.worst, younger.worst)
        lead.version += 1
        session.add(lead)
        for member in joining:
            inherit(member, others, now)
            member.changed = True
        live = len(others) + len(joining)
        names = [short(m.incident.sender or "<>", 80) for m in joining[:2]]
        if len(joining) > 2:
            names[1:] = [tr("{n} more", n=len(joining) - 1)]
        joins = trn(
            "{names} joins, sharing {why}.",
            "{names} join, sharing {why}.",
            len(joining),
            names=listed(names),
            why=why,
        )
        one = trn("{n} account, one campaign.", "{n} accounts, one campaign.", live)
        session.add(Announcement(at=now, incident_id=first, text=f"{joins} {one}"))
        await touch_responses(session, self._server, first)
        await self._audit.append(
            session,
            Line(
                Phase.NOTE,
                later("campaign merged"),
                BOT,
                self._server,
                younger.sender,
                first,
                detail={"incident": second, "why": why, "accounts": live},
            ),
        )


def _root(joined: Mapping[object, object], of: object) -> object:
    while of in joined:
        of = joined[of]
    return of


def _join(joined: dict[object, object], those: Iterable[object]) -> None:
    roots = list(dict.fromkeys(_root(joined, one) for one in those))
    joined.update(dict.fromkeys(roots[1:], roots[0]))


def since_of(incident: Incident) -> datetime:
    """Return since when an incident's account sends."""
    return Evidence.model_validate_json(incident.evidence).first_at
