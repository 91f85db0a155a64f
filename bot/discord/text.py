"""Text as Discord's markdown that shows it as it is.

Discord has no place in a message that shows text and parses nothing, so every mark
that means something to its markdown is written with a backslash before it. That
depends on nothing around it: what is escaped in parts is escaped as a whole, and the
beginning of a line needs no care of its own.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, groupby

from bot.elements import Bold, Code, Link, Moment, Plain, Text, visible

# Emphasis, code, strikes, spoilers; links, mentions, emoji, timestamps (all between < and >
# or colons); headers, lists, quotes, small print. The full stop also ends a list's number
# and stands in an invitation's address, which Discord finds without a scheme.
_MARKS = "\\`*_~|<>:@#[]()+-."
_ESCAPED = {ord(mark): f"\\{mark}" for mark in _MARKS}
_MORE = "…"
#: A line that can be made as long as is asked for, and no longer.
Line = Callable[[int], str]
# With less room than this a line says nothing.
_LEAST = 20


def escape(text: str) -> str:
    """Return markdown that shows ``text``, its unseen characters as their numbers."""
    return visible(text).translate(_ESCAPED)


def markdown(text: Text, longest: int, *, lines: bool = False) -> str:
    """Return a text's markdown in at most ``longest`` characters, an ellipsis if it was cut.

    With ``lines`` its line feeds stay.
    """
    runs = list(_runs(text, longest, lines=lines))
    whole = "".join(f"{before}{''.join(atoms)}{after}" for before, atoms, after in runs)
    if len(whole) <= longest:
        return whole
    # Cut between characters, so that no mark and no pair of marks is torn apart.
    shown: list[str] = []
    left = longest - len(_MORE)
    for before, atoms, after in runs:
        left -= len(before) + len(after)
        ends = list(accumulate(map(len, atoms)))
        kept = bisect_right(ends, left)
        if not kept:
            break
        shown.append(f"{before}{''.join(atoms[:kept])}{after}")
        left -= ends[kept - 1]
        if kept < len(atoms):
            break
    return "".join([*shown, _MORE])


def block(text: str, longest: int) -> str:
    """Return a text with its line breaks and spaces kept, set off as code."""
    shown = visible(text[:longest], lines=True)
    # Nothing is escaped in there, and three of these in a row would end it.
    shown = shown.replace("```", "``〈0060〉")
    room = longest - len("```\n\n```")
    if len(text) > longest or len(shown) > room:
        shown = f"{shown[: room - 1]}{_MORE}"
    # A block that holds nothing is no block.
    return f"```\n{shown if shown.strip() else ' '}\n```"


def stack(lines: Sequence[Line], longest: int) -> str:
    """Return lines one below the other; what finds no room is left out from the end."""
    whole = "\n".join(line(longest) for line in lines)
    if len(whole) <= longest:
        return whole
    shown: list[str] = []
    left = longest - len(_MORE)
    for line in lines:
        if left < _LEAST:
            break
        shown.append(line(left - 1))
        left -= len(shown[-1]) + 1
    return "\n".join([*shown, _MORE])


def _runs(text: Text, longest: int, *, lines: bool) -> Iterator[tuple[str, list[str], str]]:
    """Yield what stands before each run of like spans, its characters, and what ends it.

    Like spans are one run, as the marks of two in a row would be read as other marks.
    """
    said = [span for span in text if isinstance(span, Moment) or span.text]
    for kind, spans in groupby(said, type):
        words = ""
        for span in spans:
            if isinstance(span, Moment):
                yield "", [_moment(span)], ""
            elif isinstance(span, Link):
                atoms = [char.translate(_ESCAPED) for char in visible(span.text[: longest + 1])]
                yield "[", atoms, f"]({span.url})"
            else:
                words += span.text
        if not words:
            continue
        words = visible(words[: longest + 1], lines=lines and kind is Plain)
        if kind is Code and "`" not in words:
            yield "`", list(words), "`"
            continue
        # Code cannot hold its own mark, so such a text is shown without the look.
        mark = "**" if kind is Bold else ""
        yield mark, [char.translate(_ESCAPED) for char in words], mark


def _moment(moment: Moment) -> str:
    # In the reader's own time zone ("Timestamp styles" of the reference), always in one shape,
    # and one that a phone's line has room for.
    at = int(moment.at.timestamp())
    return f"<t:{at}:d> <t:{at}:{'T' if moment.seconds else 't'}>"
