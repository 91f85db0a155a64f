"""What the country and the owner of a network say, where something knows them."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detection.engine import Engine, Event, Reason, Verdict
from services.detection.engine.score import explained
from services.origin import Origin, OriginOf
from tests.services.test_engine import ANN, BOB, DAY, HOME, MONDAY, _letters, _weeks

AFTER = MONDAY + 21 * DAY
ISP, HOST = Origin(64500, "Home Provider", "CH"), Origin(64600, "Host Elsewhere", "BR")
PHONE = Origin(64501, "Telephone", "CH")
FAR = {f"203.0.{n}.5": Origin(64600 + n, f"Host {n}", code)
       for n, code in enumerate(("BR", "CN", "IN", "NG", "RO", "TR", "VN"))}  # fmt: skip


def _known(more: Mapping[str, Origin]) -> OriginOf:
    """Return what knows every address of these and of home's networks."""
    networks = {address.rpartition(".")[0]: origin for address, origin in more.items()}
    networks[HOME.rpartition(".")[0]] = ISP
    return lambda address: networks.get(address.rpartition(".")[0])


def _learnt(origin_of: OriginOf | None, days: int = 21) -> Engine:
    engine = Engine(origin_of=origin_of)
    engine.take(sorted([*_weeks(ANN, days), *_weeks(BOB, days)]), MONDAY + (days + 2) * DAY)
    assert engine.judge(MONDAY + days * DAY) == []
    return engine


def _sent(engine: Engine, addresses: list[str], number: int, *, user: str = ANN) -> Verdict:
    """Have some letters sent from each in turn, and return how the sender stands."""
    for n in range(number):
        ip = addresses[n % len(addresses)]
        event = Event(AFTER + n * 60, user, ip, 1, f"about {n} it", 5000, (f"v{n}@list.example",))
        engine.take([event], event.time)
    verdict = engine.why(user)
    assert verdict is not None
    return verdict


def _reason(verdict: Verdict, words: str) -> Reason:
    found = [reason for reason in verdict.reasons if words in reason.text]
    assert len(found) == 1, explained(verdict)
    return found[0]


def test_seven_countries_are_told_against_the_usual_one_and_alarm_sooner() -> None:
    engine, blind = _learnt(_known(FAR)), _learnt(None)
    verdict = _sent(engine, list(FAR), 7)
    reason = _reason(verdict, "countr")
    assert reason.text == (
        "from 7 countries (Brazil, China, India and 4 more), usually 1 (Switzerland)"
    )
    assert reason.points == 30.0
    unseen = _sent(blind, list(FAR), 7)
    assert verdict.score == pytest.approx(unseen.score + 30.0)
    assert sum(one.points for one in verdict.reasons) == pytest.approx(verdict.score, abs=0.2)


def test_one_strange_country_adds_a_little_and_no_letter_from_home_does() -> None:
    verdict = _sent(_learnt(_known({"203.0.113.5": HOST})), ["203.0.113.5"], 4)
    reason = _reason(verdict, "countr")
    assert reason.text == "from 1 country (Brazil), usually 1 (Switzerland)"
    assert 5 < reason.points < 12
    home = _sent(_learnt(_known({})), [HOME], 4)
    assert "countr" not in explained(home)
    assert "owner" not in explained(home)


def test_a_network_of_a_strange_owner_in_the_usual_country_is_told_with_its_name() -> None:
    new = Origin(64999, "Cheap Hosting", "CH")
    verdict = _sent(_learnt(_known({"203.0.113.5": new})), ["203.0.113.5"], 4)
    reason = _reason(verdict, "owner")
    assert reason.text == (
        "its new networks are of 1 owner never seen for it (Cheap Hosting (AS64999)), usually of 1"
    )
    assert 0 < reason.points <= 10


def test_a_new_network_of_the_usual_owner_speaks_for_the_sender() -> None:
    verdict = _sent(_learnt(_known({"203.0.113.5": ISP})), ["203.0.113.5"], 4)
    reason = _reason(verdict, "owner")
    assert reason.text == ("its new networks are of owners that it knows (Home Provider (AS64500))")
    assert -6 <= reason.points < 0


def test_an_owner_is_known_though_each_of_its_networks_is_new() -> None:
    """As a telephone's are: another network every day."""
    daily = {f"198.51.{n}.7": PHONE for n in range(30)}
    engine = _learnt(_known(daily))
    for day in range(3):
        events = _letters(ANN, AFTER - (3 - day) * DAY, 2, 60, ip=f"198.51.{day}.7")
        engine.take(events, AFTER)
    verdict = _sent(engine, ["198.51.20.7"], 4)
    assert "Telephone (AS64501)" in _reason(verdict, "owners that it knows").text


def test_what_a_thief_used_on_a_day_of_alarms_is_not_known_afterwards() -> None:
    engine = _learnt(_known(FAR))
    for day in range(4):
        burst = _letters(ANN, AFTER + day * DAY, 60, 20, ip="203.0.0.5", to="victim{}@x.example")
        for event in burst:
            engine.take([event], event.time)
        assert engine.judge(AFTER + day * DAY + 1300)
        verdict = engine.why(ANN)
        assert verdict is not None
        assert _reason(verdict, "countr").text.endswith("usually 1 (Switzerland)")


def test_several_countries_at_once_count_for_a_sender_without_history() -> None:
    engine = Engine(origin_of=_known(FAR))
    verdict = _sent(engine, list(FAR), 7, user="new@example.com")
    reason = _reason(verdict, "countr")
    assert reason.text == "from 7 countries (Brazil, China, India and 4 more)"
    assert reason.points == 30.0


def test_a_restart_and_a_database_given_later_know_the_same() -> None:
    engine, blind = _learnt(_known(FAR)), _learnt(None)
    again = Engine(origin_of=_known(FAR))
    again.restore(blind.common(), blind.changed())
    assert _sent(again, list(FAR), 7) == _sent(engine, list(FAR), 7)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([HOME, *FAR]), min_size=1, max_size=4), st.integers(1, 40))
def test_where_nothing_is_known_of_an_address_nothing_changes(
    addresses: list[str], number: int
) -> None:
    blind, none = _learnt(None, days=7), _learnt(lambda address: None, days=7)
    assert _sent(blind, addresses, number) == _sent(none, addresses, number)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([f"203.0.{n}.5" for n in range(9)]),
        st.builds(Origin, st.integers(0, 2**32 - 1), st.text(max_size=60),
                  st.sampled_from(["", "CH", "BR", "XX", "ZZ"])),
        min_size=1,
    ),
    st.integers(1, 30),
)  # fmt: skip
def test_whatever_a_database_says_the_points_stay_in_bounds(
    origins: dict[str, Origin], number: int
) -> None:
    verdict = _sent(_learnt(_known(origins), days=7), [*origins, HOME], number)
    added = [one for one in verdict.reasons if "countr" in one.text or "owner" in one.text]
    assert len(added) <= 2
    assert all(-6 <= one.points <= 30 for one in added)
    assert all(len(one.text) < 300 for one in added)
