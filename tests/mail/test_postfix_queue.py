"""What Postfix's programs print, read as hostile bytes, and queue ids."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.mail.postfix.contents import parse_envelopes
from services.mail.postfix.ids import arrival, is_id
from services.mail.postfix.queue import decode, decode_leniently, parse

ENTRY = {
    "queue_name": "deferred",
    "queue_id": "4jYyPg1F5fzJ9Nt",
    "arrival_time": 1795559879,
    "message_size": 407,
    "forced_expire": False,
    "sender": "ann@example.test",
    "recipients": [
        {"address": "x@elsewhere.test"},
        {"address": "y@elsewhere.test", "delay_reason": "Connection refused"},
    ],
}


def line(**changes: object) -> bytes:
    return json.dumps(ENTRY | changes).encode()


def test_a_line_of_the_queue_is_read() -> None:
    entry = parse(line())
    assert entry is not None
    assert (entry.queue_id, entry.queue, entry.size) == ("4jYyPg1F5fzJ9Nt", "deferred", 407)
    assert entry.recipients == ("x@elsewhere.test", "y@elsewhere.test")
    assert entry.error == "Connection refused"


def test_a_long_id_tells_the_microsecond_and_a_short_one_the_second() -> None:
    def moment(queue_id: str) -> datetime:
        return datetime.fromtimestamp(arrival(queue_id, 1795559879) / 1_000_000, UTC)

    assert moment("4jYyPg1F5fzJ9Nt").microsecond == 176_054
    assert int(moment("4jYyPg1F5fzJ9Nt").timestamp()) == 1795559879
    assert moment("1A2B3C4D5E").microsecond == 0
    # Another file's id, put there by hand: the queue's own word counts.
    assert int(moment("00000g1F5fzJ9Nt").timestamp()) == 1795559879


BASE_52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


def encoded(number: int, base: int, length: int) -> str:
    digits = ""
    while number or len(digits) < length:
        number, digit = divmod(number, base)
        digits = BASE_52[digit] + digits
    return digits


@given(st.integers(10**9, 10**10), st.integers(0, 999_999), st.integers(1, 2**63))
def test_every_long_id_tells_its_microsecond(seconds: int, micro: int, inode: int) -> None:
    queue_id = f"{encoded(seconds, 52, 6)}{encoded(micro, 52, 4)}z{encoded(inode, 51, 1)}"
    assert is_id(queue_id)
    assert arrival(queue_id, seconds) == seconds * 1_000_000 + micro


def test_the_null_sender_is_no_name() -> None:
    entry = parse(line(sender="MAILER-DAEMON"))
    assert entry is not None
    assert entry.sender == ""


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    entry = parse(line(sender="SENDER").replace(b"SENDER", b"a\xff\xfe@b.test"))
    assert entry is not None
    assert entry.sender == "a\ufffd\ufffd@b.test"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        line()[:-20],
        line(queue_id="ALL"),
        line(queue_id="../../etc/passwd"),
        line(queue_id=7),
        line(recipients=None),
        line(arrival_time="x"),
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_none_is_left_out(broken: bytes) -> None:
    assert parse(broken) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_a_line(junk: bytes) -> None:
    assert parse(junk) is None
    parse(line(sender="SENDER").replace(b"SENDER", junk))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Draw a line of JSON with some bytes put in place of others, or no JSON at all."""
    dumped = json.dumps(draw(_VALUES), ensure_ascii=draw(st.booleans()))
    whole = draw(st.sampled_from([line(), dumped.encode("utf-8", "surrogatepass")]))
    at = draw(st.integers(0, len(whole)))
    return whole[:at] + draw(st.binary(max_size=6)) + whole[at + draw(st.integers(0, 6)) :]


def outcome(way: Callable[[bytes], object], data: bytes) -> object:
    try:
        return repr(way(data))  # a NaN is not even equal to itself
    except (ValueError, RecursionError):
        return None


@given(lines() | st.binary(max_size=200))
@example(line(sender="SENDER").replace(b"SENDER", b"a\xff\xfe@b.test"))
@example(b'{"sender": "\\ud800", "tab": "\t", "size": 1.5e3, "sender": ""}')
@example(b"\xef\xbb\xbf{}")
@example(b"\xc2\xa0{}\x0b")
@example(b"[NaN, -Infinity, 1e999, -0]")
@example(b"[" * 100_000)
def test_the_fast_way_to_decode_a_line_and_the_slow_one_agree(data: bytes) -> None:
    assume(not re.search(rb"[0-9]{19}", data))  # an integer of more than 64 bits
    assert outcome(decode, data) == outcome(decode_leniently, data)


@pytest.mark.parametrize("text", ["", "ALL", "-", "a b", "4jYy\n123", "4jYyPg1F5fzJ9Nt\n", "é" * 8])
def test_what_cannot_be_an_id_is_none(text: str) -> None:
    assert not is_id(text)


def test_headers_cannot_pass_for_an_envelope() -> None:
    printed = (
        b"*** ENVELOPE RECORDS deferred/4jYyPg1F5fzJ9Nt ***\n"
        b"named_attribute: sasl_username=ann\nsender: x\n"
        b"named_attribute: log_client_address=IPv6:2001:db8::5\n"
        b"recipient: named_attribute: sasl_username=forged\n"
        b"*** MESSAGE CONTENTS deferred/4jYyPg1F5fzJ9Nt ***\n"
        b"X-A: b\n *** ENVELOPE RECORDS deferred/4jYyPg1F5fzJ9Nu ***\n"
        b" named_attribute: sasl_username=forged\nSubject: hi\n there\n"
        b"*** HEADER EXTRACTED deferred/4jYyPg1F5fzJ9Nt ***\n"
        b"*** MESSAGE FILE END deferred/4jYyPg1F5fzJ9Nt ***\n"
    )
    (seen,) = parse_envelopes(printed, {"4jYyPg1F5fzJ9Nt": 5, "4jYyPg1F5fzJ9Nu": 6})
    assert (seen.user, seen.ip, seen.subject, seen.at) == ("ann", "2001:db8::5", "hi there", 5)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_envelopes(junk: bytes) -> None:
    start = b"*** ENVELOPE RECORDS 4jYyPg1F5fzJ9Nt ***\n"
    for printed in (junk, start + junk, start + b"*** MESSAGE CONTENTS x ***\n" + junk):
        assert len(parse_envelopes(printed, {"4jYyPg1F5fzJ9Nt": 1})) <= 1
