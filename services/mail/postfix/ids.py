"""Queue ids: which texts can be one, and the moment of arrival that a long one holds."""

import re

_BASE_52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
# Short ids are hexadecimal, long ones are base 52 and 51 with a "z" between. None is as
# short as "ALL", which Postfix's commands take for every message.
_ID = re.compile(r"[0-9A-Za-z]{6,64}\Z")
# Seconds, then four digits of microseconds, then a "z", which is also a digit of those two
# but not of the inode that follows it.
_LONG = re.compile(rf"([{_BASE_52}]{{6,}})([{_BASE_52}]{{4}})z[{_BASE_52[:-1]}]+\Z")
_DIGITS = {digit: value for value, digit in enumerate(_BASE_52)}
_MILLION = 1_000_000
_DAY = 24 * 60 * 60


def is_id(text: str) -> bool:
    """Tell whether this can be a queue id, and so may be passed to a command."""
    return _ID.match(text) is not None


def arrival(queue_id: str, seconds: int) -> int:
    """Return the microsecond a message arrived; ``seconds`` is what the queue says.

    A long id tells it exactly. Where it disagrees by a day the file was renamed by hand.
    """
    found = _LONG.match(queue_id)
    if found is not None:
        exact = _number(found[1]) * _MILLION + _number(found[2])
        if abs(exact // _MILLION - seconds) < _DAY:
            return exact
    return seconds * _MILLION


def _number(text: str) -> int:
    value = 0
    for digit in text:
        value = value * 52 + _DIGITS[digit]
    return value
