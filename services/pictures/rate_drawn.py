"""The alert's picture, drawn."""

from datetime import datetime, timedelta

from services.language import clock, short_day, tr
from services.language import number as written
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
from services.pictures.rate import Rate, usual
from services.words import in_percent, span

_HEIGHT = 900
_LEFT, _RIGHT, _TOP, _BOTTOM = 140, WIDTH - MARGIN, 190, 520
_ROWS, _ROW = 650, 58


def drawn(rate: Rate) -> bytes:
    """Return the picture as PNG. Takes some hundredths of a second: not for the event loop."""
    canvas = Canvas(_HEIGHT)
    most = max(rate.counts)
    # With room for the number above the highest bar.
    top = nice(max(round(most * 1.15), rate.high, 4))

    def y_of(number: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * number / top

    title = tr("Messages in {span}", span=span(rate.stretch))
    canvas.write(MARGIN, 60, title, LARGE)
    _legend(canvas, rate, MARGIN + canvas.width_of(title, LARGE))
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
        half = canvas.width_of(written(most)) / 2
        x = _LEFT + step * (rate.counts.index(most) + 0.5)
        x, y = min(max(x, _LEFT + half), _RIGHT - half), y_of(most) - 26
        canvas.box(x - half - 6, y - 20, x + half + 6, y + 20, PANEL)
        canvas.write(x, y, written(most), colour=ALARM, anchor="mm")
    _shares(canvas, rate)
    return canvas.png()


def _legend(canvas: Canvas, rate: Rate, title_ends: float) -> None:
    text = (
        tr("usual when it sends: {usual}", usual=usual(rate))
        if rate.high
        else tr("never seen sending before")
    )
    left = _RIGHT - canvas.width_of(text) - 66
    # Below the title where there is no room beside it.
    y = 60 if left > title_ends + 20 else 102
    canvas.write(_RIGHT, y, text, colour=QUIET, anchor="rm")
    if rate.high:
        canvas.box(left, y - 16, left + 46, y + 16, BAND)
        canvas.across(left, left + 46, y - 14, USUAL, 4)


def _x_of(rate: Rate, at: datetime) -> float:
    part = (at - rate.begin) / (rate.end - rate.begin)
    return _LEFT + (_RIGHT - _LEFT) * min(max(part, 0.0), 1.0)


def _times(canvas: Canvas, rate: Rate) -> None:
    """Write when it begins, is half over and ends, below the axis."""
    middle = rate.begin + (rate.end - rate.begin) / 2
    days = rate.end - rate.begin > timedelta(days=2)
    look = short_day if days else clock
    y = _BOTTOM + 42
    canvas.write(_LEFT, y, look(rate.begin), colour=QUIET)
    canvas.write((_LEFT + _RIGHT) / 2, y, look(middle), colour=QUIET, anchor="mm")
    canvas.write(_RIGHT, y, f"{look(rate.end)} UTC", colour=QUIET, anchor="rm")


def _detection(canvas: Canvas, rate: Rate) -> None:
    """Mark when the alert came, where that is in view."""
    if not rate.begin <= rate.detected_at <= rate.end:
        return
    x = _x_of(rate, rate.detected_at)
    canvas.dashed(x, _TOP - 30, _BOTTOM, TEXT)
    text = tr("detected {time}", time=clock(rate.detected_at))
    half = canvas.width_of(text) / 2
    middle = min(max(x, MARGIN + half), _RIGHT - half)
    canvas.write(middle, _TOP - 52, text, anchor="mm")


def _shares(canvas: Canvas, rate: Rate) -> None:
    """Show from where it is sent: each address on a bar as long as its share."""
    shares = rate.shares()
    title = tr("Sent from") if shares else tr("From where is not known")
    canvas.write(MARGIN, _ROWS - 34, title, SMALL, QUIET)
    # The card beside it is drawn anew more often.
    until = tr("counted until {time} UTC", time=clock(rate.until, seconds=True))
    canvas.write(_RIGHT, _ROWS - 34, until, SMALL, QUIET, anchor="rm")
    for place, (name, share) in enumerate(shares):
        top = _ROWS + place * _ROW
        canvas.box(MARGIN, top, MARGIN + (WIDTH - 2 * MARGIN) * share, top + _ROW - 8, SHARE)
        middle = top + (_ROW - 8) / 2
        canvas.write(MARGIN + 16, middle, name, widest=WIDTH - 2 * MARGIN - 180)
        canvas.write(_RIGHT - 12, middle, in_percent(share), anchor="rm")
