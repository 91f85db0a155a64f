"""The report's arguments, its card and its file, whatever names there are."""

import csv
from datetime import UTC, date, datetime, timedelta
from io import BytesIO, StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot import report_cards
from bot.arguments import MOST_DAYS, During, read_domain, read_during
from bot.elements import Button, Card, Figure, Option, Paragraph, Points, Row, Small, plain
from bot.report import _cell
from bot.report_cards import Facts, both_forms
from services import reports
from services.pictures.trend import described, drawn
from services.reports import Period, Tally, View
from services.targets import Report

DAY = date(2026, 3, 2)
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("today", During()),
        ("7d", During(7)),
        ("30 days", During(30)),
        ("2026-02-01..2026-02-07", During(7, date(2026, 2, 1), date(2026, 2, 7))),
        ("2026-02-01", During(1, date(2026, 2, 1), date(2026, 2, 1))),
    ],
)
def test_a_period_is_read(typed: str, read: During) -> None:
    assert read_during(typed) == read


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("2026-02-07..2026-02-01", "ends before it begins"),
        ("0d", f"1 to {MOST_DAYS} days"),
        ("367d", f"1 to {MOST_DAYS} days"),
        ("2020-01-01..2026-01-01", f"1 to {MOST_DAYS} days"),
        ("2026-02-30", "it is today, 7d"),
        ("yesterday", "it is today, 7d"),
        ("..", "it is today, 7d"),
    ],
)
def test_what_is_no_period_is_told(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_during(typed)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_period_or_a_fault_with_a_sentence(typed: str) -> None:
    try:
        during = read_during(typed)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either may be
    else:
        assert 1 <= during.days <= MOST_DAYS


def test_a_domain_is_read_in_either_form() -> None:
    assert read_domain("bücher.example") == read_domain("@xn--bcher-kva.example")
    assert both_forms("xn--bcher-kva.example") == "bücher.example (xn--bcher-kva.example)"
    assert both_forms("a@xn--bcher-kva.example") == "a@bücher.example (xn--bcher-kva.example)"
    assert both_forms("xn--.example") == "xn--.example"
    assert both_forms("example.com") == "example.com"


def facts(**over: object) -> Facts:
    values: dict[str, object] = {
        "server": "mail",
        "shown": Report(first=DAY, last=DAY),
        "whole": Tally(100, 50, 3, 1),
        "before": Tally(50, 50, 0, 2),
        "rows": [],
        "names": 0,
        "since": date(2026, 1, 1),
        "taken_at": AT,
        **over,
    }
    return Facts(**values)  # type: ignore[arg-type]


def said(card: Card) -> str:
    lines = []
    for section in card.sections:
        if isinstance(section, Row | Paragraph):
            lines.append(plain(section.text))
        elif isinstance(section, Points):
            lines += [plain(item) for item in section.items]
        elif isinstance(section, Small):
            lines.append(plain(section.text))
    return "\n".join(lines)


def shown(**over: object) -> str:
    options = (Option("Domains", "i1"),)
    return said(report_cards.card(facts(**over), None, {}, options))


def test_a_trend_has_its_numbers_against_the_period_before_and_says_where_they_are_from() -> None:
    text = shown()
    assert "Outgoing: 100 (+100% against the period before)" in text
    assert "Deferred: 3 (none in the period before)" in text
    assert "Counted from the log of mail since 2026-01-01." in text


def test_what_the_log_does_not_tell_is_said() -> None:
    assert shown(lacking=("The log does not tell it.",)).count("The log does not tell it.") == 1


def test_what_was_not_counted_yet_is_not_compared_and_told() -> None:
    assert "against" not in shown(since=DAY)
    assert "Not long enough to compare with the period before." in shown(since=DAY)
    late = shown(since=DAY + timedelta(days=1))
    assert "What was before that is not in it." in late
    assert "Nothing was counted yet" in shown(since=None)


def test_a_day_that_is_not_over_is_said_to_be_beside_whole_ones() -> None:
    assert "Today is not over" in shown()
    yesterday = DAY - timedelta(days=1)
    assert "not over" not in shown(shown=Report(first=yesterday, last=yesterday))
    assert "not over" not in shown(since=DAY)  # nothing is compared


@given(
    st.lists(
        st.tuples(st.text(max_size=80), st.integers(0, 10**9), st.integers(0, 10**9)),
        min_size=1,
        max_size=8,
    ),
)
def test_a_table_shows_any_names(rows: list[tuple[str, int, int]]) -> None:
    made = [reports.Row(name, Tally(outgoing=n), before) for name, n, before in rows]
    buttons = {f"row-{n}": Button(f"row-{n}", "Users", f"i{n}") for n in range(len(rows))}
    report = Report(first=DAY, last=DAY, view=View.DOMAINS, offset=8)
    table = facts(rows=made, names=1000, shown=report, whole=Tally(10**9))
    card = report_cards.card(table, None, buttons, ())
    assert "9 to " in said(card)
    assert len([s for s in card.sections if isinstance(s, Row)]) == len(rows)


@given(st.lists(st.text(max_size=30), max_size=10))
def test_a_file_reads_back_and_no_name_in_it_is_a_formula(names: list[str]) -> None:
    text = StringIO()
    csv.writer(text).writerows([[_cell(name), 1] for name in names])
    for row, name in zip(csv.reader(StringIO(text.getvalue(), newline="")), names, strict=True):
        assert row[0] in (name, f"'{name}")
        assert row[0][:1] not in ("=", "+", "-", "@")


@given(
    days=st.integers(1, 366),
    numbers=st.lists(st.integers(0, 10**9), max_size=60),
)
@settings(max_examples=30, deadline=None)
def test_any_trend_is_a_small_picture_with_its_facts_in_words(
    days: int, numbers: list[int]
) -> None:
    period = Period(DAY - timedelta(days=days - 1), DAY)
    tallies = [Tally(n, n // 2, n // 3, n // 7) for n in numbers]
    figure = Figure(drawn(period, tallies), described(period, tallies))
    with Image.open(BytesIO(figure.png)) as image:
        image.load()
        assert image.size == (1080, 760)
    assert len(figure.png) < 100_000
    assert f"Outgoing: {sum(numbers):,}" in figure.words
    assert len(figure.words) < 1000
