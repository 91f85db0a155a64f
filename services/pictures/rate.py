"""The alert's picture: how much a sender sends, against what is usual for it, and from where.

It is made of what the database keeps, and of nothing else, so that every instance of the bot
draws the same one, at any later time.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.evidence import Evidence, Share
from services.detection.ingest import SETTLED, ordinary_stretches, spread_of, stretch_of
from services.language import decimal, moment, number, tr, trn
from services.models import Incident, SenderHabit
from services.traffic import WINDOW
from services.tuning import ordinary as taught_ordinary
from services.words import in_percent, span

#: How long a bar may stand for; the shortest that leaves few enough bars is taken.
_STRETCHES = tuple(timedelta(minutes=n) for n in (5, 15, 30, 60, 180, 360, 1440))
_BARS = 40
_BEFORE = timedelta(hours=1)  # shown before it began
_LEAST = timedelta(hours=2)  # shown in all
_NAMED = 4  # addresses


@dataclass(frozen=True, slots=True)
class Rate:
    """What a sender sent in each stretch of time, the first one beginning at ``begin``.

    ``usual`` and ``high`` are the median and the 95th percentile of the stretches in which it
    ordinarily sends at all; both are 0 where it was never seen before.
    """

    sender: str
    begin: datetime
    stretch: timedelta
    counts: tuple[int, ...]
    usual: float
    high: int
    detected_at: datetime
    until: datetime  # when the newest message that is counted was sent
    addresses: tuple[Share, ...]  # the client IPs with most messages, most first
    address_count: int

    @property
    def end(self) -> datetime:
        """When the last stretch ends."""
        return self.begin + self.stretch * len(self.counts)

    def shares(self) -> list[tuple[str, float]]:
        """Return the addresses that are named, and the others as one, each with its share."""
        whole = sum(share.messages for share in self.addresses)
        if not whole:
            return []
        named = self.addresses[:_NAMED]
        others = self.address_count - len(named)
        if others > 0:
            named = self.addresses[: _NAMED - 1]
            others = self.address_count - len(named)
        rows = [(_placed(share), share.messages / whole) for share in named]
        if others > 0:
            left = whole - sum(share.messages for share in named)
            rows.append((trn("{n} other", "{n} others", others), left / whole))
        return rows


def _placed(share: Share) -> str:
    """Return an address with its country's code, where that is known: the type is ASCII only."""
    country = share.origin.country if share.origin is not None else ""
    return f"{share.name} ({country})" if country else share.name


async def rate_of(session: AsyncSession, incident: Incident) -> Rate:
    """Return what an incident's picture shows."""
    evidence = Evidence.model_validate_json(incident.evidence)
    opened = incident.opened_at
    end = stretch_of(max(evidence.last_at, opened)) + WINDOW
    begin = stretch_of(min(min(evidence.first_at, opened) - _BEFORE, end - _LEAST))
    stretch = next((s for s in _STRETCHES if end - begin <= s * _BARS), _STRETCHES[-1])
    begin = _floor(max(begin, end - stretch * _BARS), stretch)
    sent = select(SenderHabit.start, SenderHabit.messages).where(
        SenderHabit.server == incident.server,
        SenderHabit.sender == incident.sender,
        col(SenderHabit.start) >= begin,
        col(SenderHabit.start) < end,
    )
    starts = [begin]
    while starts[-1] + stretch < end:
        starts.append(starts[-1] + stretch)
    counts = [0] * len(starts)
    for start, messages in (await session.exec(sent)).all():
        counts[bisect_right(starts, start) - 1] += messages
    # What came after the alert changes nothing of what was usual at it.
    ordinary = await ordinary_stretches(session, incident.server, incident.sender, opened - SETTLED)
    usual: dict[datetime, int] = {}
    for start, messages in ordinary:
        place = _floor(start, stretch)
        usual[place] = usual.get(place, 0) + messages
    middle, high = spread_of(usual.values())
    high = max(high, await taught_ordinary(session, incident.server, incident.sender, opened))
    return Rate(
        sender=incident.sender,
        begin=begin,
        stretch=stretch,
        counts=tuple(counts),
        usual=middle,
        high=high,
        detected_at=opened,
        until=evidence.last_at,
        addresses=evidence.addresses,
        address_count=evidence.address_count,
    )


def _floor(at: datetime, stretch: timedelta) -> datetime:
    seconds = int(stretch.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def described(rate: Rate) -> str:
    """Return the picture's facts in words, in at most 1,000 characters."""
    most = max(rate.counts)
    at = rate.begin + rate.stretch * rate.counts.index(most)
    parts = [
        tr(
            "Messages sent in each {span}, from {begin} to {end} UTC: at most {most}, in "
            "the {span} from {at}; {last} in the last.",
            span=span(rate.stretch),
            begin=_moment(rate.begin),
            end=_moment(rate.end),
            most=most,
            at=_moment(at),
            last=rate.counts[-1],
        ),
        tr("Usual when it sends: {usual}.", usual=usual(rate))
        if rate.high
        else tr("It was never seen sending before."),
        tr("Detected at {moment} UTC.", moment=_moment(rate.detected_at)),
        tr("Counted until {moment} UTC.", moment=moment(rate.until.astimezone(UTC), seconds=True)),
    ]
    shares = rate.shares()
    if shares:
        named = ", ".join(f"{name[:64]} {in_percent(share)}" for name, share in shares)
        parts.append(tr("Sent from: {addresses}.", addresses=named))
    return " ".join(parts)


def _moment(at: datetime) -> str:
    return moment(at.astimezone(UTC))


def usual(rate: Rate) -> str:
    """Return what is usual in a few words."""
    if rate.usual >= rate.high:
        return number(rate.high)
    return tr("{least} to {most}", least=decimal(rate.usual, 0), most=rate.high)
