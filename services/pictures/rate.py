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
from services.models import Incident, Lesson, SenderHabit
from services.pictures.canvas import (
    ALARM,
    BAND,
    GRID,
    LARGE,
    MARGIN,
    PANEL,
    QUIET,
    SHARE,
    SMALL,
    TEXT,
    USUAL,
    WIDTH,
    Canvas,
    nice,
    short_number,
)
from services.traffic import WINDOW
from services.words import count, span

#: How long a bar may stand for; the shortest that leaves few enough bars is taken.
_STRETCHES = tuple(timedelta(minutes=n) for n in (5, 15, 30, 60, 180, 360, 1440))
_BARS = 40
_BEFORE = timedelta(hours=1)  # shown before it began
_LEAST = timedelta(hours=2)  # shown in all
_NAMED = 4  # addresses

_HEIGHT = 900
_LEFT, _RIGHT, _TOP, _BOTTOM = 140, WIDTH - MARGIN, 190, 520
_ROWS, _ROW = 650, 58


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
        rows = [(share.name, share.messages / whole) for share in named]
        if others > 0:
            left = whole - sum(share.messages for share in named)
            rows.append((count(others, "other"), left / whole))
        return rows


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
    lesson = await session.get(Lesson, (incident.server, incident.sender))
    if lesson is not None and lesson.taught_at < opened:
        high = max(high, lesson.messages)
    return Rate(
        sender=incident.sender,
        begin=begin,
        stretch=stretch,
        counts=tuple(counts),
        usual=middle,
        high=high,
        detected_at=opened,
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
        f"Messages sent in each {span(rate.stretch)}, from {_moment(rate.begin)} to "
        f"{_moment(rate.end)} UTC: at most {most:,}, from {_moment(at)} on; "
        f"{rate.counts[-1]:,} in the last.",
        f"Usual when it sends: {_usual(rate)}."
        if rate.high
        else "It was never seen sending before.",
        f"Detected at {_moment(rate.detected_at)} UTC.",
    ]
    shares = rate.shares()
    if shares:
        named = ", ".join(f"{name[:64]} {_percent(share)}" for name, share in shares)
        parts.append(f"Sent from: {named}.")
    return " ".join(parts)


def drawn(rate: Rate) -> bytes:
    """Return the picture as PNG. Takes some hundredths of a second: not for the event loop."""
    canvas = Canvas(_HEIGHT)
    most = max(rate.counts)
    # With room for the number above the highest bar.
    top = nice(max(round(most * 1.15), rate.high, 4))

    def y_of(number: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * number / top

    canvas.write(MARGIN, 60, f"Messages in {span(rate.stretch)}", LARGE)
    _legend(canvas, rate)
    if rate.high:
        band = min(y_of(rate.high), _BOTTOM - 10)
        canvas.box(_LEFT, band, _RIGHT, _BOTTOM, BAND)
        canvas.across(_LEFT, _RIGHT, band, USUAL, 4)
    for number in (top // 2, top):
        canvas.across(_LEFT, _RIGHT, y_of(number), GRID)
        canvas.write(_LEFT - 16, y_of(number), short_number(number), colour=QUIET, anchor="rm")
    canvas.write(_LEFT - 16, _BOTTOM, "0", colour=QUIET, anchor="rm")
    step = (_RIGHT - _LEFT) / len(rate.counts)
    for place, number in enumerate(rate.counts):
        if number:
            left = _LEFT + step * place
            colour = ALARM if number > rate.high else USUAL
            height = min(y_of(number), _BOTTOM - 5)
            canvas.box(left + step * 0.1, height, left + step * 0.9, _BOTTOM, colour)
    canvas.across(_LEFT, _RIGHT, _BOTTOM, QUIET, 3)
    _times(canvas, rate)
    _detection(canvas, rate)
    if most:
        half = canvas.width_of(f"{most:,}") / 2
        x = _LEFT + step * (rate.counts.index(most) + 0.5)
        x, y = min(max(x, _LEFT + half), _RIGHT - half), y_of(most) - 26
        canvas.box(x - half - 6, y - 20, x + half + 6, y + 20, PANEL)
        canvas.write(x, y, f"{most:,}", colour=ALARM, anchor="mm")
    _shares(canvas, rate)
    return canvas.png()


def _legend(canvas: Canvas, rate: Rate) -> None:
    if not rate.high:
        canvas.write(_RIGHT, 60, "never seen sending before", colour=QUIET, anchor="rm")
        return
    text = f"usual when it sends: {_usual(rate)}"
    canvas.write(_RIGHT, 60, text, colour=QUIET, anchor="rm")
    left = _RIGHT - canvas.width_of(text) - 66
    canvas.box(left, 44, left + 46, 76, BAND)
    canvas.across(left, left + 46, 46, USUAL, 4)


def _x_of(rate: Rate, at: datetime) -> float:
    part = (at - rate.begin) / (rate.end - rate.begin)
    return _LEFT + (_RIGHT - _LEFT) * min(max(part, 0.0), 1.0)


def _times(canvas: Canvas, rate: Rate) -> None:
    """Write when it begins, is half over and ends, below the axis."""
    middle = rate.begin + (rate.end - rate.begin) / 2
    days = rate.end - rate.begin > timedelta(days=2)
    look = "%d %b" if days else "%H:%M"
    y = _BOTTOM + 42
    canvas.write(_LEFT, y, f"{rate.begin:{look}}", colour=QUIET)
    canvas.write((_LEFT + _RIGHT) / 2, y, f"{middle:{look}}", colour=QUIET, anchor="mm")
    canvas.write(_RIGHT, y, f"{rate.end:{look}} UTC", colour=QUIET, anchor="rm")


def _detection(canvas: Canvas, rate: Rate) -> None:
    """Mark when the alert came, where that is in view."""
    if not rate.begin <= rate.detected_at <= rate.end:
        return
    x = _x_of(rate, rate.detected_at)
    canvas.dashed(x, _TOP - 30, _BOTTOM, TEXT)
    text = f"detected {rate.detected_at:%H:%M}"
    half = canvas.width_of(text) / 2
    middle = min(max(x, MARGIN + half), _RIGHT - half)
    canvas.write(middle, _TOP - 52, text, anchor="mm")


def _shares(canvas: Canvas, rate: Rate) -> None:
    """Show from where it is sent: each address on a bar as long as its share."""
    shares = rate.shares()
    title = "Sent from" if shares else "From where is not known"
    canvas.write(MARGIN, _ROWS - 34, title, SMALL, QUIET)
    for place, (name, share) in enumerate(shares):
        top = _ROWS + place * _ROW
        canvas.box(MARGIN, top, MARGIN + (WIDTH - 2 * MARGIN) * share, top + _ROW - 8, SHARE)
        middle = top + (_ROW - 8) / 2
        canvas.write(MARGIN + 16, middle, name, widest=WIDTH - 2 * MARGIN - 180)
        canvas.write(_RIGHT - 12, middle, _percent(share), anchor="rm")


def _usual(rate: Rate) -> str:
    return f"{rate.usual:,.0f} to {rate.high:,}" if rate.usual < rate.high else f"{rate.high:,}"


def _percent(share: float) -> str:
    return "<1%" if 0 < share < 0.01 else f"{share:.0%}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
