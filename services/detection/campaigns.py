"""Which accounts are one campaign: those that alarm, and share networks or the same content.

A network that accounts share which do not alarm is an office's, a provider's or a webmail
host's, and says nothing; nor does one that may never be blocked (our own, trusted, private).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from itertools import combinations

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.engine import network_of
from services.detection.engine.subjects import Sketch, sketch_of, words_of
from services.errors import Refused
from services.language import tr
from services.mail.port import Network
from services.models import Incident, IncidentState, RecentSubmission
from services.rules import Rules
from services.traffic import SENT, users_of
from services.words import short

#: How far back shared networks and contents count.
WINDOW = timedelta(hours=24)
#: An account's own use of a network or a content counts from so many messages on, and from
#: so large a part of what it sent.
_LEAST, _PART = 3, 0.1
_LEAST_ALIKE, _PART_ALIKE = 5, 0.3
#: So many accounts that do not alarm make a network a shared one.
_INNOCENT = 3
#: A subject of one word is anybody's; near-duplicates have so large a part of theirs in common.
_WORDS, _ALIKE = 2, 0.6
#: Kinds of letters looked at of each account, the most frequent ones.
_KINDS = 500

#: A place and a value of a sketch, twice: subjects that agree in two places are near-duplicates.
_Key = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Traits:
    """What an account's messages have in common: networks, and contents with a subject each."""

    networks: frozenset[str] = frozenset()
    contents: Mapping[_Key, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tie:
    """Two accounts or more that are one campaign, and why."""

    senders: tuple[str, ...]
    why: str


async def traits_of(session: AsyncSession, server: str, sender: str, since: datetime) -> Traits:
    """Return what one account's messages since then have in common."""
    number = func.count()
    query = (
        select(col(RecentSubmission.client_ip), col(RecentSubmission.subject), number)
        .where(
            RecentSubmission.server == server,
            RecentSubmission.sender == sender,
            col(RecentSubmission.at) >= since,
            SENT,
        )
        .group_by(col(RecentSubmission.client_ip), col(RecentSubmission.subject))
        .order_by(number.desc())
        .limit(_KINDS)
    )
    return traits((await session.exec(query)).all())


def traits(kinds: Iterable[tuple[str | None, str, int]]) -> Traits:
    """Return what these have in common: client IP, subject, and how many messages of that."""
    networks: Counter[str] = Counter()
    alike: Counter[_Key] = Counter()
    subjects: dict[_Key, str] = {}
    total = 0
    for address, subject, number in kinds:
        total += number
        if address:
            networks[network_of(address)] += number
        if len(_words(subject)) >= _WORDS:
            for key in _keys(sketch_of(subject)):
                alike[key] += number
                subjects.setdefault(key, subject)
    return Traits(
        frozenset(n for n, times in networks.items() if times >= max(_LEAST, _PART * total)),
        {
            key: subjects[key]
            for key, times in alike.items()
            if times >= max(_LEAST_ALIKE, _PART_ALIKE * total)
        },
    )


def _words(subject: str) -> set[str]:
    """Return a subject's words without numbers, which anybody's may have."""
    return set(words_of(subject)) - {"#"}


def _alike(one: str, other: str) -> bool:
    mine, theirs = _words(one), _words(other)
    return len(mine & theirs) >= _ALIKE * len(mine | theirs)


def _keys(sketch: Sketch) -> Iterable[_Key]:
    for one, other in combinations(range(len(sketch)), 2):
        yield one, sketch[one], other, sketch[other]


def ties(
    found: Mapping[str, Traits], campaign_of: Callable[[str], object]
) -> tuple[list[Tie], dict[str, tuple[str, ...]]]:
    """Return who shares content, and for each network that several share, who they are.

    Accounts that are one campaign already share nothing new with each other.
    """
    networks: defaultdict[str, list[str]] = defaultdict(list)
    contents: defaultdict[_Key, list[str]] = defaultdict(list)
    subjects: dict[_Key, str] = {}
    for sender, traits in found.items():
        for network in traits.networks:
            networks[network].append(sender)
        for key, subject in traits.contents.items():
            # Sketches find candidates; what is said of two accounts must be so.
            if _alike(subject, subjects.setdefault(key, subject)):
                contents[key].append(sender)

    def several(senders: Sequence[str]) -> bool:
        return len({campaign_of(sender) for sender in senders}) > 1

    alike = {
        tuple(senders): tr("the same subject: “{subject}”", subject=short(subjects[key], 80))
        for key, senders in contents.items()
        if several(senders)
    }
    return (
        [Tie(senders, why) for senders, why in alike.items()],
        {name: tuple(senders) for name, senders in networks.items() if several(senders)},
    )


async def is_theirs(
    session: AsyncSession,
    server: str,
    network: str,
    alarming: Collection[str],
    now: datetime,
    rules: Rules,
    own: Iterable[Network],
) -> bool:
    """Tell whether a network is the attackers', as far as is known: nobody else's, or few's."""
    try:
        asked = ip_network(network)
        rules.check_network(asked, own)
    except (ValueError, Refused):
        return False
    users = await users_of(session, server, asked, now - WINDOW)
    others = {use.name for use in users}.difference(alarming)
    if len(others) < _INNOCENT:
        return True
    return len(others - await _alarmed(session, server, now - WINDOW)) < _INNOCENT


async def _alarmed(session: AsyncSession, server: str, since: datetime) -> set[str]:
    """Return whose incident is over since then, and was no false alarm: stopped accounts, mostly.

    Who comes back from a network with other accounts has used up some there.
    """
    rows = await session.exec(
        select(Incident.sender).where(
            Incident.server == server,
            Incident.state == IncidentState.CLOSED,
            col(Incident.state_at) >= since,
        )
    )
    return set(rows.all())
