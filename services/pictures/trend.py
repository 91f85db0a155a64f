"""A report's picture: outgoing, incoming, deferred and rejected mail over a period."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.language import clock, later, moment, short_day, tr, trn
from services.language import day as written_day
from services.language import number as written
from services.pictures.canvas import (
    ALARM,
    GREEN,
    GRID,
    LARGE,
    MARGIN,
    QUIET,
    RED,
    USUAL,
    WIDTH,
    Canvas,
    nice,
    short_number,
)
from services.reports import Period, Tally

#: What is drawn, in the order of the legend, each in a colour that colour-blind people tell apart.
SERIES = (("outgoing", ALARM), ("incoming", USUAL), ("deferred", GREEN), ("rejected", RED))
_NAMES = {
    "outgoing": (later("outgoing"), later("Outgoing")),
    "incoming": (later("incoming"), later("Incoming")),
    "deferred": (later("deferred"), later("Deferred")),
    "rejected": (later("rejected"), later("Rejected")),
}

_HEIGHT = 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 140, WIDTH - MARGIN, 250, 640


def described(period: Period, tallies: Sequence[Tally]) -> str:
    """Return the picture's facts in words."""
    whole, hourly = sum(tallies, Tally()), _hourly(period)
    first, last = written_day(period.first), written_day(period.last)
    parts = [
        tr("Messages in each hour, from {first} to {last} UTC.", first=first, last=last)
        if hourly
        else tr("Messages in each day, from {first} to {last} UTC.", first=first, last=last)
    ]
    for name, _ in SERIES:
        numbers = [getattr(tally, name) for tally in tallies]
        most = max(numbers, default=0)
        said = f"{tr(_NAMES[name][1])}: {written(getattr(whole, name))}"
        if most and len(numbers) > 1:
            at = period.begin + period.step * numbers.index(most)
            when = moment(at) if hourly else written_day(at.date())
            said += ", " + tr("most at {when} ({n})", when=when, n=most)
        parts.append(f"{said}.")
    return " ".join(parts)


def _hourly(period: Period) -> bool:
    return period.step < timedelta(days=1)


def drawn(period: Period, tallies: Sequence[Tally]) -> bytes:
    """Return the picture as PNG. Takes some hundredths of a second: not for the event loop."""
    canvas = Canvas(_HEIGHT)
    days = trn("{n} day", "{n} days", period.days)
    heading = tr("Messages in each hour") if _hourly(period) else tr("Messages in each day")
    canvas.write(MARGIN, 60, heading, LARGE)
    canvas.write(_RIGHT, 60, days, colour=QUIET, anchor="rm")
    whole = sum(tallies, Tally())
    for place, (name, colour) in enumerate(SERIES):
        x, y = MARGIN + (place % 2) * 500, 130 + (place // 2) * 54
        canvas.box(x, y - 16, x + 32, y + 16, colour)
        canvas.write(x + 48, y, f"{tr(_NAMES[name][0])} {written(getattr(whole, name))}")
    top = nice(max([getattr(t, name) for t in tallies for name, _ in SERIES], default=0) or 4)

    def y_of(number: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * number / top

    for number in {top // 2, top} - {0}:
        canvas.across(_LEFT, _RIGHT, y_of(number), GRID)
        canvas.write(_LEFT - 16, y_of(number), short_number(number), colour=QUIET, anchor="rm")
    canvas.write(_LEFT - 16, _BOTTOM, "0", colour=QUIET, anchor="rm")
    canvas.across(_LEFT, _RIGHT, _BOTTOM, QUIET, 3)
    steps = max(1, round((period.end - period.begin) / period.step) - 1)
    # The last ones are drawn first, so that what there is most of lies on top.
    for name, colour in reversed(SERIES):
        points = [
            (_LEFT + (_RIGHT - _LEFT) * place / steps, y_of(getattr(tally, name)))
            for place, tally in enumerate(tallies)
        ]
        canvas.path(points, colour)
    last = period.end - period.step
    middle = period.begin + (last - period.begin) / 2
    y = _BOTTOM + 46
    canvas.write(_LEFT, y, _when(period, period.begin), colour=QUIET)
    if period.days > 1 or _hourly(period):
        canvas.write((_LEFT + _RIGHT) / 2, y, _when(period, middle), colour=QUIET, anchor="mm")
        canvas.write(_RIGHT, y, f"{_when(period, last)} UTC", colour=QUIET, anchor="rm")
    return canvas.png()


def _when(period: Period, at: datetime) -> str:
    at = at.astimezone(UTC)
    if period.days == 1 and _hourly(period):
        return clock(at)
    return short_day(at).lstrip("0")


def title(period: Period) -> str:
    """Return a period in a few words."""
    if period.days == 1:
        return written_day(period.first)
    return tr(
        "{first} to {last}, {days}",
        first=written_day(period.first),
        last=written_day(period.last),
        days=trn("{n} day", "{n} days", period.days),
    )
