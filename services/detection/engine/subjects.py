"""Which subjects are nearly the same. Pure.

A subject becomes four numbers: the smallest of four hashes over its words (min-hash).
Two subjects agree in each with the chance that their words overlap, so that counting
equal numbers finds the largest group of near-duplicates without comparing any two.
"""

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import lru_cache
from zlib import crc32

Sketch = tuple[int, int, int, int]

_ANSWER = re.compile(r"^(?:(?:re|aw|sv|fw|fwd|wg|tr|vs)(?:\[\d+\])?\s*:\s*)+")
_WORD = re.compile(r"\w+")
# Random letters put in to make copies differ: with a digit inside, or long beyond any word.
_NOISE = re.compile(r"\d")
_LONG = 22
_READ = 120
_SALTS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)
_MASK = 0xFFFFFFFF


def words_of(subject: str) -> list[str]:
    """Return what tells subjects apart: words folded, answers' marks and numbers gone."""
    folded = _ANSWER.sub("", subject[:_READ].casefold().strip())
    return ["#" if _NOISE.search(w) or len(w) > _LONG else w for w in _WORD.findall(folded)]


@lru_cache(maxsize=32_768)
def sketch_of(subject: str) -> Sketch:
    """Return a subject's sketch; one without any word has that of its whole text."""
    words = set(words_of(subject)) or {subject[:_READ]}
    hashes = [crc32(word.encode("utf-8", "surrogatepass")) for word in words]
    a, b, c, d = _SALTS
    return (
        min([h * a & _MASK for h in hashes]),
        min([h * b & _MASK for h in hashes]),
        min([h * c & _MASK for h in hashes]),
        min([h * d & _MASK for h in hashes]),
    )


def size_sketch(size: int) -> Sketch:
    """Return a sketch for a letter without a subject: of its size, within about 2%."""
    step = -1 - size.bit_length() * 64 - (size << 6 >> size.bit_length()) if size else 0
    return step, step, step, step


def largest_group(keys: Sequence[Hashable], sketches: Sequence[Sketch]) -> tuple[int, int]:
    """Return the size of the largest group of near-duplicates, and its number in the first place.

    ``keys`` says whom each went to: a conversation with the same people counts once, and
    who is not known counts each time. Two places must agree: one shared word is not enough.
    """
    # In their order: of groups as large as each other the first one's number is returned.
    known = dict.fromkeys([pair for pair in zip(keys, sketches, strict=True) if pair[0]])
    counted = [sketch for _, sketch in known]
    counted += [sketch for key, sketch in zip(keys, sketches, strict=True) if not key]
    places = [Counter(place) for place in zip(*counted, strict=True)]
    number = sorted([max(place.values()) for place in places])[-2]
    return number, max(places[0], key=places[0].__getitem__)
