"""The alert's picture: made of what is stored, whatever senders wrote, and told in words."""

import asyncio
import math
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from ziafont.font import Font

from services.detection.evidence import Share
from services.models import Incident, SenderHabit
from services.pictures.canvas import SMALL, WIDTH, nice, printable, short_number
from services.pictures.rate import Rate, described, rate_of
from services.pictures.rate_drawn import drawn

from .bench import Bench, open_bench

BEGIN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FIVE = timedelta(minutes=5)
ANN = "ann@example.test"


def rate(**over: object) -> Rate:
    values: dict[str, object] = {
        "sender": ANN,
        "begin": BEGIN,
        "stretch": FIVE,
        "counts": (0, 2, 7, 412, 380),
        "usual": 2,
        "high": 7,
        "detected_at": BEGIN + timedelta(minutes=17),
        "until": BEGIN + timedelta(minutes=23, seconds=4),
        "addresses": (Share(name="203.0.113.7", messages=30), Share(name="192.0.2.1", messages=10)),
        "address_count": 2,
        **over,
    }
    return Rate(**values)  # type: ignore[arg-type]


def test_the_words_have_what_the_picture_has() -> None:
    assert described(rate()) == (
        "Messages sent in each 5 min, from 2026-03-02 12:00 to 2026-03-02 12:25 UTC: at most 412, "
        "in the 5 min from 2026-03-02 12:15; 380 in the last. Usual when it sends: 2 to 7. "
        "Detected at 2026-03-02 12:17 UTC. Counted until 2026-03-02 12:23:04 UTC. "
        "Sent from: 203.0.113.7 75%, 192.0.2.1 25%."
    )


def test_who_was_never_seen_has_no_band_and_what_came_from_nowhere_no_addresses() -> None:
    new = rate(usual=0, high=0, addresses=(), address_count=0)
    assert "It was never seen sending before." in described(new)
    assert "Sent from" not in described(new)
    assert drawn(new) != drawn(rate(addresses=(), address_count=0))


_NAMES = st.text(max_size=300)


@given(
    counts=st.lists(st.integers(0, 10**9), min_size=1, max_size=60),
    usual=st.integers(0, 10**9),
    more=st.integers(0, 10**9),
    names=st.lists(_NAMES, max_size=25),
    others=st.integers(0, 10**6),
    minutes=st.integers(-(10**6), 10**6),
    stretch=st.sampled_from([5, 15, 30, 60, 180, 360, 1440]),
)
@settings(max_examples=40, deadline=None)
def test_whatever_is_drawn_is_a_small_picture_of_one_size_with_short_words(
    counts: list[int],
    usual: int,
    more: int,
    names: list[str],
    others: int,
    minutes: int,
    stretch: int,
) -> None:
    some = rate(
        counts=tuple(counts),
        usual=usual,
        high=usual + more,
        stretch=timedelta(minutes=stretch),
        detected_at=BEGIN + timedelta(minutes=minutes),
        addresses=tuple(Share(name=name, messages=n) for n, name in enumerate(names, 1)),
        address_count=len(names) + others,
    )
    png = drawn(some)
    with Image.open(BytesIO(png)) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (WIDTH, 900))
    assert len(png) < 100_000
    assert len(described(some)) <= 1000
    if names:
        assert sum(share for _, share in some.shares()) == pytest.approx(1)


# Read by another reader of types than the one that draws.
_TYPE = Font(str(distribution("ziafont").locate_file("ziafont/fonts/DejaVuSans.ttf")))


@given(st.one_of(st.text(max_size=200), st.text(st.characters(max_codepoint=0x24FF), max_size=80)))
@example("".join(map(chr, range(0x20, 0x60))))
@example("ann\u202egpj.exe \u2066\u061c\u200f\u200b\ufeff\x00\x1b\x85")
@example("e" + "\u0301" * 300)
@example("\u3164\u115f\u2800\u00ad\u0e33\ufffe\U000e0041")
@example("\u05d0\u0627\u0663")
def test_whatever_is_drawn_has_a_shape_stands_in_one_line_and_goes_from_left_to_right(
    text: str,
) -> None:
    shown = printable(text)
    assert len(shown) <= 64
    assert shown.isprintable()
    for char in shown.replace(" ", ""):
        assert _TYPE.glyphindex(char), char
        assert unicodedata.category(char)[0] in "LNPS"
        assert unicodedata.bidirectional(char) not in ("R", "AL", "AN", "BN", "NSM")


@pytest.mark.parametrize(
    "text",
    [
        "".join(map(chr, range(33, 97))),
        "".join(map(chr, range(97, 127))),
        "27. März, für 5 Größen; ÀÉÎÕÜ ŁódźČŽŞĞ",
        "Ελληνικά, Кириллица: “1” – 2…",
    ],
)
def test_what_the_type_has_shapes_for_is_drawn_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1\u202f234\u00a0MB", "1 234 MB"),
        ("a\u0308 e\u0301 \u2212", "ä é \u2212"),
        ("日本\u200b\n\u202e", "?????"),
        ("\U0001d51e", "?"),
    ],
)
def test_what_it_has_none_for_is_written_otherwise(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.integers(0, 10**12))
def test_an_axis_ends_at_a_round_number_with_room_for_all(most: int) -> None:
    top = nice(most)
    assert most <= top <= max(2 * most, 1)
    assert len(str(top).rstrip("0")) == 1


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1500, "1.5k"), (20_000, "20k"), (3_400_000, "3.4M")],
)
def test_a_number_on_an_axis_is_short(number: int, said: str) -> None:
    assert short_number(number) == said


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours ("WCAG 2.2", relative luminance)."""

    def light(colour: str) -> float:
        parts: list[float] = [part / 255 for part in bytes.fromhex(colour[1:])]
        linear = [p / 12.92 if p <= 0.04045 else math.pow((p + 0.055) / 1.055, 2.4) for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_all_that_is_written_is_easy_to_read_on_its_ground() -> None:
    from services.pictures import canvas

    for ground in (canvas.PANEL, canvas.SHARE):
        assert _contrast(canvas.TEXT, ground) >= 7 or ground == canvas.SHARE
        assert _contrast(canvas.TEXT, ground) >= 4.5
    assert _contrast(canvas.QUIET, canvas.PANEL) >= 7
    for bar in (canvas.ALARM, canvas.USUAL):
        assert _contrast(bar, canvas.PANEL) >= 4.5
    # 360 points wide on a phone, where three dots are one.
    assert SMALL * 360 / WIDTH >= 12


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path) as made:
        yield made


async def _habit(bench: Bench, sender: str, number: int, *, days_before: int) -> None:
    day = bench.clock.now().replace(minute=0, second=0) - timedelta(days=days_before)
    async with bench.store.session() as session:
        for place, messages in enumerate(range(1, number + 1)):
            session.add(
                SenderHabit(
                    server="mail",
                    sender=sender,
                    start=day + place * FIVE,
                    messages=messages,
                    recipients=messages,
                )
            )


async def _rate(bench: Bench, incident_id: int) -> Rate:
    async with bench.store.reading() as session:
        incident = await session.get(Incident, incident_id)
        assert incident is not None
        return await rate_of(session, incident)


async def test_a_rate_is_what_the_database_has_of_it(bench: Bench) -> None:
    number = await bench.alert(4)
    incident = await bench.incident()
    await _habit(bench, incident.sender, 10, days_before=3)
    found = await _rate(bench, number)
    assert sum(found.counts) == 4
    assert (found.usual, found.high) == (6, 10)
    assert found.stretch == FIVE
    assert found.end - found.begin >= timedelta(hours=2)
    assert found.begin <= found.detected_at <= found.end
    assert found.sender == incident.sender
    # What is sent later is more to see, and changes nothing of what was usual.
    bench.pass_time(minutes=50)
    await bench.burst(3, user=incident.sender)
    await bench.poll()
    later = await _rate(bench, number)
    assert (later.usual, later.high) == (found.usual, found.high)
    assert sum(later.counts) == 7
    # The same to anybody who asks, at any time.
    bench.pass_time(days=2)
    assert await _rate(bench, number) == later


@pytest.mark.parametrize("days", [1, 3, 20])
async def test_of_a_long_incident_all_is_seen_in_few_enough_bars(bench: Bench, days: int) -> None:
    number = await bench.alert(2)
    bench.pass_time(days=days)
    await bench.burst(2)
    await bench.poll()
    found = await _rate(bench, number)
    assert len(found.counts) <= 41
    assert sum(found.counts) == 4
    assert found.begin <= found.detected_at
    described(found)
    await asyncio.to_thread(drawn, found)
