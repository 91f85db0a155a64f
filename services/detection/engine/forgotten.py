"""Letters of senders that nothing else is kept of, counted in a fixed room. Pure.

A newcomer that sent one letter is forgotten when there are too many senders. Its letter is
counted here, in a count-min sketch of the day, so that who sends one now and then among a
flood of other names is not a newcomer each time.

The sketch is that of pyprobables: kept up for years, with types, needs nothing else, and takes
5 µs a letter. Apache DataSketches is faster, and brings numpy, which takes more memory than
all that is kept here.
"""

from base64 import b64decode, b64encode
from hashlib import blake2b
from math import ceil
from secrets import token_bytes
from struct import unpack
from typing import Any
from zlib import compress, decompress

from probables import CountMinSketch

from services.detection.engine import tuning

_ITEM = 4  # bytes of a hash


class Forgotten:
    """How many letters the forgotten sent on the newest day of any of them (UTC).

    Takes no memory before the first one. Then it is 4 bytes for each cell: of the sizes in
    tuning, 2.8 MB, for however many names.
    """

    def __init__(self) -> None:
        self._day = -1
        self._sketch: CountMinSketch | None = None
        # Nobody can look for names that are counted as somebody else's.
        self._key = token_bytes(16)

    def count(self, name: str, day: int) -> None:
        """Count a letter of this day; ``day`` counts from 1970. Of past days none counts."""
        if day > self._day or self._sketch is None:
            self._day, self._sketch = day, self._empty()
        if day == self._day:
            self._sketch.add(name)

    def surely(self, name: str, day: int) -> int:
        """Return how many of a name were counted on this day, at the least.

        The sketch's count is never too low, and seldom too high by more than its error: that is
        taken off, as a letter too many could be an alarm, and one too few is only a late one.
        """
        sketch = self._sketch
        if sketch is None or day != self._day:
            return 0
        error = ceil(sketch.elements_added * tuning.FORGOTTEN_ERROR)
        return max(0, sketch.check(name) - error)

    def not_after(self, day: int) -> None:
        """Count anew if what was counted is of a day that is yet to come: the clock went back."""
        if self._day > day:
            self._day, self._sketch = -1, None

    def pack(self) -> dict[str, Any]:
        """Return everything as what JSON can say, from which :meth:`restore` makes the same."""
        if self._sketch is None:
            return {}
        # Most cells hold the same few small numbers, also when there are very many names.
        cells = compress(bytes(self._sketch), 1)
        return {
            "day": self._day,
            "key": b64encode(self._key).decode(),
            "cells": b64encode(cells).decode(),
        }

    def restore(self, packed: dict[str, Any]) -> None:
        """Take up what :meth:`pack` returned; of other sizes than today's nothing is taken."""
        if not packed:
            return
        self._key = b64decode(packed["key"])
        cells = decompress(b64decode(packed["cells"]))
        sketch, empty = CountMinSketch.frombytes(cells, self._hashes), self._empty()
        if (sketch.width, sketch.depth) == (empty.width, empty.depth):
            self._day, self._sketch = packed["day"], sketch

    def _empty(self) -> CountMinSketch:
        return CountMinSketch(
            confidence=tuning.FORGOTTEN_CONFIDENCE,
            error_rate=tuning.FORGOTTEN_ERROR,
            hash_function=self._hashes,
        )

    def _hashes(self, name: str | bytes, depth: int) -> list[int]:
        text = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name
        digest = blake2b(text, digest_size=_ITEM * depth, key=self._key).digest()
        return list(unpack(f"<{depth}I", digest))
