"""The score: pure, checkable by hand, monotone, and silent under the floor."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.detection.evidence import Evidence, Habit
from services.detection.ingest import subject_key
from services.detection.scoring import OPENS_AT, judge
from services.settings import DetectionSettings

from ..mail.harness import START

_SETTINGS = DetectionSettings()


def _evidence(messages: int, **facts: Any) -> Evidence:
    given_facts: dict[str, Any] = {
        "taken_at": START,
        "window": 300,
        "messages": messages,
        "peak": messages,
        "recipients": messages,
        "addresses": (),
        "address_count": 1,
        "network_count": 1,
        "subject": "You won",
        "subject_messages": 0,
        "first_at": START - timedelta(minutes=5),
        "last_at": START,
        "total": messages,
        "habit": Habit(),
    }
    return Evidence(**(given_facts | facts))


_habits = st.builds(
    Habit,
    windows=st.integers(0, 500),
    usual=st.integers(0, 300),
    high=st.integers(0, 2000),
    taught=st.integers(0, 2000),
)


@st.composite
def _any_evidence(draw: st.DrawFn) -> Evidence:
    messages = draw(st.integers(0, 5000))
    return _evidence(
        messages,
        recipients=messages * draw(st.integers(0, 20)),
        network_count=draw(st.integers(0, 60)),
        address_count=draw(st.integers(0, 90)),
        subject_messages=draw(st.integers(0, messages)),
        habit=draw(_habits),
        queued=draw(st.integers(0, 5000)),
        spool_waiting=draw(st.integers(0, 9000)),
    )


@given(evidence=_any_evidence(), times=st.integers(1, 50))
def test_more_of_the_same_never_scores_lower(evidence: Evidence, times: int) -> None:
    more = evidence.model_copy(
        update={
            name: getattr(evidence, name) * times
            for name in ("messages", "recipients", "subject_messages")
        }
    )
    assert judge(more, _SETTINGS).score >= judge(evidence, _SETTINGS).score


@given(evidence=_any_evidence(), more=st.integers(0, 5000))
def test_more_messages_with_nothing_else_to_them_never_score_lower(
    evidence: Evidence, more: int
) -> None:
    plain = evidence.model_copy(update={"subject_messages": 0, "recipients": 0})
    louder = plain.model_copy(update={"messages": plain.messages + more})
    assert judge(louder, _SETTINGS).score >= judge(plain, _SETTINGS).score


@given(evidence=_any_evidence(), networks=st.integers(0, 60))
def test_more_networks_never_score_lower(evidence: Evidence, networks: int) -> None:
    wider = evidence.model_copy(update={"network_count": evidence.network_count + networks})
    assert judge(wider, _SETTINGS).score >= judge(evidence, _SETTINGS).score


@given(evidence=_any_evidence(), more=st.integers(0, 5000))
def test_what_a_sender_is_used_to_never_raises_its_score(evidence: Evidence, more: int) -> None:
    habit = evidence.habit.model_copy(update={"high": evidence.habit.high + more})
    used = evidence.model_copy(update={"habit": habit})
    assert judge(used, _SETTINGS).score <= judge(evidence, _SETTINGS).score


@given(
    evidence=_any_evidence(),
    floor=st.integers(1, 5000),
    floor_spread=st.integers(1, 5000),
)
def test_nothing_alarms_under_the_floor(evidence: Evidence, floor: int, floor_spread: int) -> None:
    settings = DetectionSettings(min_messages=floor, min_messages_spread=floor_spread)
    assume(evidence.messages < (floor_spread if evidence.network_count >= 3 else floor))
    assert not judge(evidence, settings).alarming


@given(evidence=_any_evidence())
def test_what_is_expected_of_a_sender_does_not_alarm(evidence: Evidence) -> None:
    assume(evidence.messages <= evidence.habit.expected)
    assert not judge(evidence, _SETTINGS).alarming


@given(evidence=_any_evidence())
def test_the_score_is_bounded_and_always_has_a_reason_with_the_number(evidence: Evidence) -> None:
    verdict = judge(evidence, _SETTINGS)
    assert 0 <= verdict.score <= 115
    assert verdict.reasons[0].startswith(f"{evidence.messages:,} message")
    assert verdict.alarming == (verdict.score >= OPENS_AT)


@pytest.mark.parametrize(
    ("evidence", "score"),
    [
        (_evidence(10), 0.0),
        (_evidence(40), 50.0),
        (_evidence(80), 75.0),
        (_evidence(5000), 75.0),
        (_evidence(40, subject_messages=24), 60.0),
        (_evidence(40, subject_messages=23), 50.0),
        (_evidence(40, recipients=400), 60.0),
        (_evidence(40, recipients=399), 50.0),
        (_evidence(40, network_count=2), 50.0),
        (_evidence(40, network_count=3), 55.0),
        (_evidence(40, network_count=40), 70.0),
        (_evidence(400, habit=Habit(windows=9, usual=50, high=100)), 50.0),
        (_evidence(400, habit=Habit(windows=9, usual=50, high=100, taught=200)), 25.0),
        # Under the floor it stays just short of an alert, however bad the rest is.
        (_evidence(39, subject_messages=39, recipients=4000), 59.0),
        (_evidence(19, subject_messages=19, recipients=4000, network_count=40), 53.1),
    ],
)
def test_the_points_can_be_checked_by_hand(evidence: Evidence, score: float) -> None:
    assert judge(evidence, _SETTINGS).score == score


def test_the_reasons_tell_the_numbers() -> None:
    verdict = judge(
        _evidence(
            1840,
            habit=Habit(windows=200, usual=12, high=31),
            address_count=14,
            network_count=9,
            subject_messages=1700,
            recipients=36_800,
            queued=1500,
            spool_waiting=2000,
        ),
        _SETTINGS,
    )
    assert verdict.reasons == (
        "1,840 messages in 5 min; usual: 12, at most 31",
        "from 14 addresses in 9 networks",
        "92% the same subject: “You won”",
        "to 36,800 recipients",
    )


def test_a_stranger_and_a_taught_sender_are_told_so() -> None:
    assert judge(_evidence(50), _SETTINGS).reasons[0] == (
        "50 messages in 5 min; never seen sending before"
    )
    taught = judge(_evidence(1, habit=Habit(windows=3, usual=2, high=5, taught=72)), _SETTINGS)
    assert taught.reasons[0] == "1 message in 5 min; taught as ordinary: up to 72"


def test_a_long_subject_is_cut_in_the_reason() -> None:
    verdict = judge(_evidence(50, subject="x" * 998, subject_messages=50), _SETTINGS)
    assert len(verdict.reasons[2]) < 120


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Invoice 1234 due", "invoice 99 DUE"),
        ("Order #7", "ORDER #80000"),
        ("STRASSE", "straße"),
        ("Rechnung ١٢", "rechnung 5"),
        ("x" * 120 + "one", "x" * 120 + "two"),
    ],
)
def test_numbered_copies_of_a_subject_are_one(one: str, other: str) -> None:
    assert subject_key(one) == subject_key(other)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a1", "a"), ("", "1")])
def test_other_subjects_stay_apart(one: str, other: str) -> None:
    assert subject_key(one) != subject_key(other)


@given(subject=st.text(max_size=2000))
def test_a_subject_key_is_bounded_and_holds_no_digit(subject: str) -> None:
    key = subject_key(subject)
    assert len(key) <= 120
    assert not any(letter.isdecimal() for letter in key)
