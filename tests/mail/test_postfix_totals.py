"""Totals of a log: what the reading line by line tells, whatever stands where a block ends."""

from collections import Counter
from datetime import UTC, datetime
from io import BytesIO, RawIOBase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mail.postfix.lines import Intake, LineParser
from services.mail.postfix.totals import totals

from ..bench.maillog import lines

WRITTEN = datetime(2026, 3, 3, tzinfo=UTC)
LOG = "".join(lines(3000)).encode()


class _Trickle(RawIOBase):
    """A stream that gives few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._stream = BytesIO(content)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(self._size)


def _by_lines(log: bytes) -> tuple[int, Counter[str], Counter[str]]:
    events = [event for _, _, event in LineParser("postfix", UTC).events(log, WRITTEN)]
    taken = [event for event in events if isinstance(event, Intake) and not event.again]
    users = Counter(event.user for event in taken if event.user is not None)
    return len(taken), users, Counter(event.ip for event in taken if event.ip is not None)


@given(st.integers(1, len(LOG)))
def test_the_totals_are_those_of_the_lines_however_the_log_is_cut(size: int) -> None:
    log = LOG[: 40 * 1024]
    found = totals(_Trickle(log, max(size % len(log), 50)), LineParser("postfix", UTC))
    assert (found.messages, found.users, found.ips) == _by_lines(log)
    assert found.messages > 20


def test_a_client_line_counts_by_login_and_by_address() -> None:
    stamp = b"2026-03-02T09:00:00Z mx postfix"
    found = totals(
        _Trickle(
            stamp + b"/smtpd[1]: 4fPq111111zAB: client=a.test[::ffff:192.0.2.1], "
            b"sasl_method=PLAIN, sasl_username=ann\n"
            + stamp + b"/smtpd[1]: 4fPq222222zAB: client=a.test[192.0.2.1]\n"
            # What a content filter hands back was counted before.
            + stamp + b"/smtpd[1]: 4fPq333333zAB: client=localhost[127.0.0.1], "
            b"orig_queue_id=4fPq111111zAB, orig_client=a.test[192.0.2.1]\n"
            # A last line without its end.
            + stamp + b"/smtpd[1]: 4fPq444444zAB: client=b.test[192.0.2.2]",
            1000,
        ),
        LineParser("postfix", UTC),
    )  # fmt: skip
    assert (found.messages, found.users) == (3, {"ann": 1})
    assert found.ips == {"192.0.2.1": 2, "192.0.2.2": 1}


@pytest.mark.parametrize("kind", ["info: header Subject: ", "message-id=<", "from=<", "to=<"])
def test_a_sender_cannot_write_clients_into_the_totals(kind: str) -> None:
    begin = "2026-03-02T09:00:00Z mx postfix/smtpd[1]: 4fPq111111zAB: "
    forged = f"{begin}client=x[192.0.2.9], sasl_username=eve: client=x[192.0.2.9]"
    log = f"{begin}{kind}{forged}\n{begin}client=x[192.0.2.1], sasl_username=ann\n".encode()
    found = totals(_Trickle(log, 1000), LineParser("postfix", UTC))
    assert (found.users, found.ips) == ({"ann": 1}, {"192.0.2.1": 1})


def test_a_line_longer_than_any_keeps_its_beginning_and_the_next_its_own() -> None:
    begin = b"2026-03-02T09:00:00Z mx postfix/smtpd[1]: 4fPq111111zAB: "
    log = begin + b"x" * (3 * 256 * 1024) + b"\n" + begin + b"client=x[192.0.2.1]\n"
    found = totals(_Trickle(log, 100_000), LineParser("postfix", UTC))
    assert found.ips == {"192.0.2.1": 1}


@given(st.binary(max_size=300))
def test_no_bytes_break_the_totals(junk: bytes) -> None:
    begin = b"Mar  2 09:00:00 mx postfix/smtpd[1]: 4fPq111111zAB: client="
    found = totals(_Trickle(begin + junk, 60), LineParser("postfix", UTC))
    assert found.messages <= 1 + junk.count(b"\n")
