"""What the pictures are drawn on: a panel of its own, good to see on light and on dark."""

import unicodedata
from functools import lru_cache
from importlib.metadata import distribution
from io import BytesIO
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from services.language import decimal

#: Three dots for each point of a phone's card, which is 360 points wide.
WIDTH = 1080
MARGIN = 40
#: Nothing is smaller than 12 points on that phone.
SMALL, LARGE = 36, 46

# Okabe and Ito's colours, which colour-blind people can tell apart, on a panel dark enough for
# night and light enough to stand out from a black page. Text on it has a contrast of 7 or more.
PANEL, EDGE = "#1f2733", "#52607a"
TEXT, QUIET = "#f4f6fa", "#b9c3d3"
ALARM, USUAL, BAND, SHARE = "#e69f00", "#56b4e9", "#2c5470", "#2b587a"
GREEN, RED = "#00a878", "#e0642a"
GRID = "#39445a"

Anchor = Literal["la", "ra", "ma", "lm", "rm", "mm", "ld", "rd", "md"]
_LONGEST = 64  # characters of anything written in a picture
# That Pillow brings along has shapes for ASCII alone; this one, too, for the other letters of
# Latin, for Greek and for Cyrillic.
_TYPE = "ziafont/fonts/DejaVuSans.ttf"
#: The directions of what stands from left to right (Unicode, annex 9).
_DIRECTIONS = {"L", "EN", "ES", "ET", "CS", "ON"}
_NOWHERE = "\uffff"  # no character (Unicode, chapter 23), so no type has a shape for it


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Letter by letter: what a sender wrote is not to be arranged by rules of its own.
    basic = ImageFont.Layout.BASIC
    return ImageFont.truetype(str(distribution("ziafont").locate_file(_TYPE)), size, 0, "", basic)


def printable(text: str) -> str:
    """Return a text as the type can show it, in one line from left to right.

    A letter that the type has no shape for loses its accents, and a space of any width is one;
    what is left (other scripts, control and format characters) is a question mark.
    """
    return "".join(map(_shown, unicodedata.normalize("NFC", text[:_LONGEST])))[:_LONGEST]


@lru_cache(maxsize=4096)
def _shown(char: str) -> str:
    if unicodedata.category(char) == "Zs":
        return " "
    if _has_shape(char):
        return char
    letter = unicodedata.normalize("NFD", char)[0]
    return letter if letter.isascii() and letter.isalpha() else "?"


def _has_shape(char: str) -> bool:
    if unicodedata.category(char)[0] not in "LNPS":
        return False
    if unicodedata.bidirectional(char) not in _DIRECTIONS:
        return False
    return any(_shape(char)[1]) and _shape(char) != _shape(_NOWHERE)


def _shape(char: str) -> tuple[tuple[int, int], bytes]:
    mask = _font(SMALL).getmask(char)
    return mask.size, bytes(mask)


class Canvas:
    """A panel to draw on; x goes to the right and y down, in dots. Not for several threads."""

    def __init__(self, height: int) -> None:
        self.height = height
        self._image = Image.new("RGB", (WIDTH, height), PANEL)
        self._draw = ImageDraw.Draw(self._image)
        self._draw.rectangle((0, 0, WIDTH - 1, height - 1), outline=EDGE, width=3)

    def width_of(self, text: str, size: int = SMALL) -> int:
        """Return how wide a text is, in dots."""
        return round(self._draw.textlength(printable(text), font=_font(size)))

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: int = SMALL,
        colour: str = TEXT,
        anchor: Anchor = "lm",
        widest: int | None = None,
    ) -> None:
        """Write a text, cut with two dots where it would be wider than ``widest``."""
        shown = printable(text)
        if widest is not None and self.width_of(shown, size) > widest:
            while shown and self.width_of(f"{shown}..", size) > widest:
                shown = shown[:-1]
            shown = f"{shown}.."
        self._draw.text((x, y), shown, fill=colour, font=_font(size), anchor=anchor)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """Fill a rectangle; an empty one is not drawn."""
        if right > left and bottom > top:
            # Pillow fills the last dot, too.
            self._draw.rectangle(
                (round(left), round(top), round(right) - 1, round(bottom) - 1), fill=colour
            )

    def across(self, left: float, right: float, y: float, colour: str, width: int = 2) -> None:
        """Draw a level line."""
        self._draw.line((left, y, right, y), fill=colour, width=width)

    def dashed(self, x: float, top: float, bottom: float, colour: str) -> None:
        """Draw an upright dashed line."""
        y = top
        while y < bottom:
            self._draw.line((x, y, x, min(y + 14, bottom)), fill=colour, width=5)
            y += 24

    def path(self, points: list[tuple[float, float]], colour: str, width: int = 6) -> None:
        """Draw a line through points, with a dot where there is one alone."""
        if len(points) > 1:
            self._draw.line(points, fill=colour, width=width, joint="curve")
        for x, y in points[:: max(1, len(points) - 1)]:
            self._draw.ellipse((x - width, y - width, x + width, y + width), fill=colour)

    def png(self) -> bytes:
        """Return the picture as PNG."""
        stream = BytesIO()
        # Few colours, so that it is small: a phone far away fetches it.
        few = self._image.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(stream, "PNG")
        return stream.getvalue()


def nice(most: int) -> int:
    """Return a round number that is at least ``most`` and 1: the top of an axis."""
    step = 1
    while True:
        for factor in (1, 2, 3, 4, 5, 6, 8):
            if step * factor >= most:
                return step * factor
        step *= 10


def short_number(number: int) -> str:
    """Return a number as an axis has room for it: 950, 12k, 3.4M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size * 10 or (number >= size and number % size == 0):
            return f"{number / size:.0f}{unit}"
        if number >= size:
            return f"{decimal(number / size)}{unit}"
    return f"{number}"
