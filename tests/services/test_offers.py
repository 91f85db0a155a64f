"""A card's buttons, looked for or made all at once: each stays what it is while it is good."""

from datetime import timedelta

import pytest

from services.intents import overtaken
from services.mail.port import SpoolQuery
from services.models import IncidentState
from services.people import Place
from services.targets import Target

from ..bot.samples import NOW, incident, intent
from ..mail.harness import ANN
from .bench import CHANNEL, OPERATOR, Bench

MINUTE = timedelta(minutes=1)
_TARGETS = {
    "stop": Target(account=ANN),
    "move": Target(account=ANN, query=SpoolQuery(sender=ANN)),
    "search": Target(account=ANN, query=SpoolQuery(sender=ANN)),
}


async def _offers(bench: Bench, incident_id: int, place: Place = CHANNEL) -> dict[str, str]:
    return await bench.intents.offers(place, "mail", _TARGETS, incident_id)


async def test_the_buttons_of_a_card_are_the_same_each_time_it_is_drawn(bench: Bench) -> None:
    incident_id = await bench.alert()
    first = await _offers(bench, incident_id)
    assert first.keys() == _TARGETS.keys()
    assert len(set(first.values())) == 3
    assert await _offers(bench, incident_id) == first
    for action, target in _TARGETS.items():
        again = await bench.intents.offer(
            CHANNEL, action, server="mail", target=target, incident_id=incident_id
        )
        assert again == first[action]


async def test_one_that_was_used_or_is_half_as_old_as_it_may_be_is_made_anew(bench: Bench) -> None:
    incident_id = await bench.alert()
    first = await _offers(bench, incident_id)
    await bench.pipeline.execute(OPERATOR, CHANNEL, first["stop"])
    second = await _offers(bench, incident_id)
    assert second["stop"] != first["stop"]
    assert {**second, "stop": ""} == {**first, "stop": ""}
    bench.pass_time(days=4)
    assert not set((await _offers(bench, incident_id)).values()) & set(second.values())


async def test_another_place_and_another_incident_have_buttons_of_their_own(bench: Bench) -> None:
    incident_id = await bench.alert()
    here = set((await _offers(bench, incident_id)).values())
    there = set((await _offers(bench, incident_id, Place("slack", "C2"))).values())
    other = set((await _offers(bench, incident_id + 1)).values())
    assert len(here | there | other) == 9


async def test_a_form_of_somebody_is_no_button_of_the_card(bench: Bench) -> None:
    incident_id = await bench.alert()
    proposal = await bench.propose("stop", _TARGETS["stop"], incident_id=incident_id)
    assert proposal.intent_id not in (await _offers(bench, incident_id)).values()


@pytest.mark.parametrize(
    ("action", "opened_again", "closed_between", "anew"),
    [
        ("acknowledge", True, False, True),
        ("acknowledge", False, False, False),
        # Its checklist goes on while the incident does.
        ("respond", True, False, False),
        ("respond", True, True, True),
    ],
)
def test_what_can_be_done_anew_once_an_incident_is_open_again(
    action: str, *, opened_again: bool, closed_between: bool, anew: bool
) -> None:
    row, done = incident(IncidentState.OPEN), intent(action)
    done.finished_at = NOW
    row.state_at = NOW + MINUTE if opened_again else NOW - MINUTE
    row.reopened_at = NOW + MINUTE if closed_between else None
    assert overtaken(row, done) is anew
