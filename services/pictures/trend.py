"""A report's picture: outgoing, incoming, deferred and rejected mail over a period."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.language import trn
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

_HEIGHT = 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 140, WIDTH - MARGIN, 250, 640


def described(period: Period, tallies: Sequence[Tally]) -> str:
    """Return the picture's facts in words."""
    by = "hour" if period.step < timedelta(days=1) else "day"
    whole = sum(tallies, Tally())
    parts = [f"Messages in each {by}, from {period.first} to {period.last} UTC."]
    for name, _ in SERIES:
        numbers = [getattr(tally, name) for tally in tallies]
        most = max(numbers, default=0)
        said = f"{name.capitalize()}: {getattr(whole, name):,}"
        if most and len(numbers) > 1:
            at = period.begin + period.step * numbers.index(most)
            look = "%Y-%m-%d %H:%M" if by == "hour" else "%Y-%m-%d"
            said += f", most at {at:{look}} ({most:,})"
        parts.append(f"{said}.")
    return " ".join(parts)


def drawn(period: Period, tallies: Sequence[Tally]) -> bytes:
    """Return the picture as PNG. Takes some hundredths of a second: not for the event loop."""
    canvas = Canvas(_HEIGHT)
    by = "hour" if period.step < timedelta(days=1) else "day"
    days = "1 day" if period.days == 1 else f"{period.days} days"
    canvas.write(MARGIN, 60, f"Messages in each {by}", LARGE)
    canvas.write(_RIGHT, 60, days, colour=QUIET, anchor="rm")
    whole = sum(tallies, Tally())
    for place, (name, colour) in enumerate(SERIES):
        x, y = MARGIN + (place % 2) * 500, 130 + (place // 2) * 54
        canvas.box(x, y - 16, x + 32, y + 16, colour)
        canvas.write(x + 48, y, f"{name} {getattr(whole, name):,}")
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
    if period.days > 1 or by == "hour":
        canvas.write((_LEFT + _RIGHT) / 2, y, _when(period, middle), colour=QUIET, anchor="mm")
        canvas.write(_RIGHT, y, f"{_when(period, last)} UTC", colour=QUIET, anchor="rm")
    return canvas.png()


def _when(period: Period, at: datetime) -> str:
    at = at.astimezone(UTC)
    if period.days == 1:
        return f"{at:%H:%M}"
    return f"{at.day} {at:%b}"


def title(period: Period) -> str:
    """Return a period in a few words."""
    if period.days == 1:
        return f"{period.first}"
    return f"{period.first} to {period.last}, {trn('{n} day', '{n} days', period.days)}"
