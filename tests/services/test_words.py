"""Numbers and times in words."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language import trn
from services.remedies import REMEDIES
from services.words import ACTS, act, change, in_percent, listed, short, size, span


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (1840, "1,840 messages")],
)
def test_counts(number: int, said: str) -> None:
    assert trn("{n} message", "{n} messages", number) == said


def test_a_count_may_have_its_own_plural() -> None:
    assert [trn("{n} entry", "{n} entries", n) for n in (1, 2)] == ["1 entry", "2 entries"]


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=40), "40 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(seconds=89.4), "89 s"),
        (timedelta(seconds=89.6), "2 min"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(minutes=60), "1 h"),
        (timedelta(minutes=89), "89 min"),
        (timedelta(minutes=90), "2 h"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(hours=48), "2 days"),
        (timedelta(days=7), "7 days"),
    ],
)
def test_spans(length: timedelta, said: str) -> None:
    assert span(length) == said


@given(seconds=st.floats(0, 10**8), more=st.floats(0, 10**8))
def test_a_span_is_never_far_from_the_truth(seconds: float, more: float) -> None:
    unit = {"s": 1, "min": 60, "h": 3600, "days": 86400}
    number, word = span(timedelta(seconds=seconds)).split()
    assert abs(int(number.replace(",", "")) * unit[word] - seconds) <= max(1, 0.5 * unit[word] + 1)


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_400_000, "1.4 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (999_999_999, "1.0 GB"),
        (2_500_000_000_000, "2,500.0 GB"),
    ],
)
def test_sizes(octets: int, said: str) -> None:
    assert size(octets) == said


@given(text=st.text(max_size=50), length=st.integers(1, 40))
def test_a_short_text_fits_and_shows_where_it_was_cut(text: str, length: int) -> None:
    cut = short(text, length)
    assert len(cut) <= length
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))


@pytest.mark.parametrize(
    ("items", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_lists(items: list[str], said: str) -> None:
    assert listed(items) == said


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [(0, 4, "-100%"), (999, 1000, "-0%"), (4, 4, "+0%"), (5, 4, "+25%"), (99, 4, "+2,375%")],
)
def test_a_change_has_its_sign(now: int, before: int, said: str) -> None:
    assert change(now, before) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0, "0%"), (0.004, "<1%"), (0.125, "12%"), (0.999, "100%")]
)
def test_a_share_is_in_whole_percents(share: float, said: str) -> None:
    assert in_percent(share) == said


def test_every_remedy_has_a_name_that_can_be_translated() -> None:
    assert {act(name) for name in REMEDIES} <= set(ACTS)
    assert act("") == ""
