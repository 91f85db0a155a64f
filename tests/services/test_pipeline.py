"""The one way anything is done: who may, which button counts, once only, and all of it audited."""

import asyncio
import json
from ipaddress import ip_network

import pytest
from sqlmodel import col, select

from services.access import Access
from services.clock import Clock
from services.errors import BadArgument, Expired, NotCapable, Refused, ServerDown
from services.mail.embedded import EmbeddedConfig, EmbeddedServer
from services.mail.port import Capabilities, Capability, Queue, SpoolQuery, UserState
from services.models import Announcement, Incident, IncidentState, Intent, IntentState
from services.people import BOT, Actor, Place
from services.pipeline import Pipeline
from services.remedies import REMEDIES
from services.responding import done_steps
from services.rules import Rules
from services.settings import AccessSettings, SafetySettings
from services.targets import Target

from ..mail.harness import ANN, BOB
from .bench import (
    ADMIN,
    CEO,
    CHANNEL,
    OPERATOR,
    OTHER_OPERATOR,
    STRANGER,
    VIEWER,
    Bench,
)

_NET = ip_network("198.51.100.7")
_OTHER_CHANNEL = Place("slack", "C2")
_ELSEWHERE = Place("discord", "C1")
_UNKNOWN = "This button is unknown to Spoolwarden. Nothing was done."


async def _last(bench: Bench) -> tuple[str, str, str, str]:
    (entry,) = await bench.audit.newest(1)
    return entry.phase, entry.action, entry.actor, json.loads(entry.detail).get("why", "")


# -- who may ---------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [STRANGER, VIEWER], ids=["stranger", "viewer"])
async def test_who_has_not_the_role_can_neither_ask_nor_confirm(bench: Bench, actor: Actor) -> None:
    ids = await bench.deferred(1)
    target = Target(account=ANN, queue_ids=tuple(ids), networks=(_NET,))
    for action in REMEDIES:
        with pytest.raises(Refused, match=r"needs the role (operator|admin)") as refused:
            await bench.propose(action, target, actor=actor)
        # A card's button is for everybody who sees it, hence for nobody in particular.
        offer = await bench.intents.offer(CHANNEL, action, server="mail", target=target)
        with pytest.raises(Refused):
            await bench.pipeline.execute(actor, CHANNEL, offer)
        entries = (await bench.log())[-2:]
        assert [(e.phase, e.action, e.actor) for e in entries] == [
            ("refused", action, actor.key)
        ] * 2
        assert json.loads(entries[0].detail)["why"] == refused.value.sentence
        assert (await bench.intent(offer)).state is IntentState.OFFERED
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}
    assert await bench.state() is UserState.ACTIVE
    assert list(await bench.server.blocks()) == []


@pytest.mark.parametrize("actor", [OPERATOR, ADMIN], ids=["operator", "admin"])
async def test_operators_and_admins_may(bench: Bench, actor: Actor) -> None:
    assert (await bench.act("disable", Target(account=ANN), actor=actor)).ok


async def test_a_role_taken_away_between_asking_and_confirming_counts(
    bench: Bench,
) -> None:
    proposal = await bench.propose("disable", Target(account=ANN))
    bench.access = Access(AccessSettings(viewers=(OPERATOR.user_id,)), {}, bench.clock)
    bench.build()
    with pytest.raises(Refused, match="yours is viewer"):
        await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    assert await bench.state() is UserState.ACTIVE


async def test_deleting_for_good_needs_an_admin_and_has_no_undo(bench: Bench) -> None:
    (queue_id,) = await bench.deferred(1)

    def permanently(target: Target) -> Target:
        return target.model_copy(update={"permanent": True})

    proposal = await bench.propose("delete", Target(queue_ids=(queue_id,)))
    with pytest.raises(Refused, match="needs the role admin, and yours is operator"):
        await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id, permanently)
    assert queue_id in await bench.queues()
    proposal = await bench.propose("delete", Target(queue_ids=(queue_id,)), actor=ADMIN)
    outcome = await bench.pipeline.execute(ADMIN, CHANNEL, proposal.intent_id, permanently)
    assert (outcome.sentence, outcome.undo_id) == ("For good: 1 message deleted.", None)
    assert await bench.queues() == {}
    assert await bench.intents.offer_undo(CHANNEL, outcome.intent_id) is None
    entry = (await bench.log())[-2]
    assert (entry.phase, json.loads(entry.detail)["permanent"]) == ("intent", True)


# -- what must never be touched --------------------------------------------------------------


@pytest.mark.parametrize("action", ["stop", "disable"])
async def test_a_protected_account_is_never_disabled(bench: Bench, action: str) -> None:
    for account in (CEO, CEO.upper(), CEO.replace("s", "ſ")):
        with pytest.raises(Refused, match=r"safety\.protected_accounts"):
            await bench.act(action, Target(account=account), actor=ADMIN)
        offer = await bench.intents.offer(
            CHANNEL, action, server="mail", target=Target(account=account)
        )
        with pytest.raises(Refused):
            await bench.pipeline.execute(ADMIN, CHANNEL, offer)
    assert await bench.state(CEO) is UserState.ACTIVE
    assert await bench.phases() == [("refused", action)] * 6


async def test_a_protected_account_can_be_enabled_but_that_not_undone(bench: Bench) -> None:
    await bench.server.set_user_state(CEO, UserState.REFUSING)
    outcome = await bench.act("enable", Target(account=CEO))
    assert outcome.ok
    with pytest.raises(Refused, match=r"safety\.protected_accounts"):
        await bench.undo(outcome)
    assert await bench.state(CEO) is UserState.ACTIVE


async def test_a_stop_can_be_undone_after_the_account_became_protected(bench: Bench) -> None:
    outcome = await bench.act("stop", Target(account=ANN))
    bench.rules = Rules(SafetySettings(protected_accounts=(ANN,)))
    bench.build()
    assert (await bench.undo(outcome)).ok
    assert await bench.state() is UserState.ACTIVE


async def test_what_may_not_be_blocked_is_left_out_and_said(bench: Bench) -> None:
    target = Target(networks=(_NET, ip_network("10.0.0.1"), ip_network("127.0.0.1")))
    proposal = await bench.propose("block", target)
    assert proposal.target.networks == (_NET,)
    assert ["10.0.0.1" in said for said in proposal.left_out] == [True, False]
    assert "own address" in proposal.left_out[1]
    await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    assert [block.network for block in await bench.server.blocks()] == [_NET]


async def test_nothing_that_may_be_blocked_is_a_refusal(bench: Bench) -> None:
    with pytest.raises(Refused, match="private range"):
        await bench.propose("block", Target(networks=(ip_network("10.0.0.1"),)), actor=ADMIN)
    assert await _last(bench) == (
        "refused",
        "block",
        ADMIN.key,
        "10.0.0.1 is in a private range, which is never blocked unless it is listed in "
        "safety.blockable_private_networks. Nothing was blocked.",
    )


@pytest.mark.parametrize("way", ["button", "form"])
async def test_no_button_and_no_form_gets_around_the_network_rules(bench: Bench, way: str) -> None:
    for network in ("127.0.0.1", "::ffff:127.0.0.1", "10.1.2.3", "::/0"):
        forbidden = Target(networks=(ip_network(network),))
        if way == "button":
            intent_id = await bench.intents.offer(CHANNEL, "block", server="mail", target=forbidden)
        else:
            intent_id = (await bench.propose("block", Target(networks=(_NET,)))).intent_id

        def choose(_: Target, chosen: Target = forbidden) -> Target:
            return chosen

        with pytest.raises(Refused, match=r"Nothing was blocked\.$"):
            await bench.pipeline.execute(OPERATOR, CHANNEL, intent_id, choose)
    assert list(await bench.server.blocks()) == []
    assert await bench.phases() == [("refused", "block")] * 4


async def test_a_block_is_not_put_back_on_what_has_become_trusted(bench: Bench) -> None:
    await bench.server.block(_NET, reason="by hand", lasting=None)
    lifted = await bench.act("unblock", Target(networks=(_NET,)))
    bench.rules = Rules(SafetySettings(trusted_networks=(_NET,)))
    bench.build()
    with pytest.raises(Refused, match=r"safety\.trusted_networks\).* Nothing was blocked\.$"):
        await bench.undo(lifted)
    assert list(await bench.server.blocks()) == []
    assert (await bench.phases())[-1] == ("refused", "undo")
    # What only lets somebody in again is no matter of these rules.
    blocked = await bench.act("block", Target(networks=(ip_network("203.0.113.9"),)))
    bench.rules = Rules(SafetySettings(trusted_networks=(ip_network("203.0.113.9"),)))
    bench.build()
    assert (await bench.undo(blocked)).ok


class _Incapable(EmbeddedServer):
    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            hold=Capability(able=False, why="This server cannot hold mail."),
            quarantine=Capability(able=False, why="This server has no folders."),
        )


async def test_what_the_server_cannot_do_is_refused_with_its_reason(bench: Bench) -> None:
    await bench.mail.stop()
    bench.mail.server = _Incapable(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()
    with pytest.raises(NotCapable, match=r"^This server has no folders\. Nothing was done\.$"):
        await bench.propose("move", Target(account=ANN))
    assert (await _last(bench))[:2] == ("refused", "move")


async def test_a_server_that_cannot_hold_still_stops_the_account_and_says_so(bench: Bench) -> None:
    await bench.mail.stop()
    bench.mail.server = _Incapable(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()
    stopped = await bench.act("stop", Target(account=ANN))
    assert "What it has waiting goes out. This server cannot hold mail." in stopped.sentence
    assert await bench.state() is UserState.NO_SENDING
    assert "Nothing of it was held." in (await bench.undo(stopped)).sentence
    assert await bench.state() is UserState.ACTIVE


async def test_an_unknown_mail_server_is_named_with_the_known_ones(bench: Bench) -> None:
    with pytest.raises(BadArgument, match=r"no mail server 'post'\. Known: mail\."):
        await bench.pipeline.propose(
            OPERATOR, CHANNEL, "stop", server="post", target=Target(account=ANN)
        )


# -- which button counts ---------------------------------------------------------------------


async def _refused_button(
    bench: Bench, actor: Actor, place: Place, intent_id: str, why: str
) -> None:
    before = len(await bench.log())
    with pytest.raises(Expired) as expired:
        await bench.pipeline.execute(actor, place, intent_id)
    assert expired.value.sentence == why
    entries = await bench.log()
    assert len(entries) == before + 1
    assert (entries[-1].phase, entries[-1].actor) == ("refused", actor.key)
    assert json.loads(entries[-1].detail) == {"why": why}
    assert await bench.state() is UserState.ACTIVE


_FORGED = ["", "forged", "x" * 100_000, "' OR 1=1 --", "a\0b", "\ud800", "../../x", "\n"]


async def test_a_forged_button_does_nothing_and_is_audited(bench: Bench) -> None:
    await bench.propose("disable", Target(account=ANN))
    for intent_id in _FORGED:
        await _refused_button(bench, ADMIN, CHANNEL, intent_id, _UNKNOWN)
    assert (await bench.audit.verify()).broken_at is None


@pytest.mark.parametrize("place", [_OTHER_CHANNEL, _ELSEWHERE])
async def test_a_button_of_another_channel_does_nothing(bench: Bench, place: Place) -> None:
    offer = await bench.intents.offer(CHANNEL, "disable", server="mail", target=Target(account=ANN))
    why = "This button belongs to another channel. Nothing was done."
    await _refused_button(bench, ADMIN, place, offer, why)


@pytest.mark.parametrize("actor", [OTHER_OPERATOR, ADMIN, STRANGER])
async def test_a_form_of_somebody_else_does_nothing(bench: Bench, actor: Actor) -> None:
    proposal = await bench.propose("disable", Target(account=ANN))
    why = "This form belongs to somebody else. Nothing was done."
    await _refused_button(bench, actor, CHANNEL, proposal.intent_id, why)


async def test_a_form_is_good_for_its_minutes_and_a_card_for_its_days(bench: Bench) -> None:
    why = "This button is too old. Nothing was done; ask for it again with /spool."
    proposal = await bench.propose("disable", Target(account=ANN))
    offer = await bench.intents.offer(CHANNEL, "disable", server="mail", target=Target(account=ANN))
    bench.pass_time(minutes=15)
    await _refused_button(bench, OPERATOR, CHANNEL, proposal.intent_id, why)
    bench.pass_time(days=7, minutes=-15)
    await _refused_button(bench, OPERATOR, CHANNEL, offer, why)


async def test_a_card_keeps_its_button_until_it_is_used_or_too_old(bench: Bench) -> None:
    async def offer(target: Target, place: Place = CHANNEL) -> str:
        return await bench.intents.offer(place, "disable", server="mail", target=target)

    first = await offer(Target(account=ANN))
    assert await offer(Target(account=ANN)) == first
    assert await offer(Target(account=BOB)) != first
    assert await offer(Target(account=ANN), _OTHER_CHANNEL) != first
    await bench.pipeline.execute(OPERATOR, CHANNEL, first)
    second = await offer(Target(account=ANN))
    assert second != first
    bench.pass_time(days=4)
    assert await offer(Target(account=ANN)) != second


async def test_a_button_for_one_person_is_always_a_new_one(bench: Bench) -> None:
    ids = [
        await bench.intents.offer(
            CHANNEL, "disable", server="mail", target=Target(account=ANN), actor=OPERATOR
        )
        for _ in range(2)
    ]
    assert ids[0] != ids[1]
    why = "This form belongs to somebody else. Nothing was done."
    await _refused_button(bench, ADMIN, CHANNEL, ids[0], why)


# -- once ------------------------------------------------------------------------------------


async def test_a_second_click_does_nothing_twice(bench: Bench) -> None:
    proposal = await bench.propose("disable", Target(account=ANN))
    assert (await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)).ok
    await bench.server.set_user_state(ANN, UserState.ACTIVE)
    with pytest.raises(Expired) as repeated:
        await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    assert repeated.value.sentence == "This was already done by Olga; nothing was done twice."
    assert await bench.state() is UserState.ACTIVE
    assert [phase for phase, _ in await bench.phases()] == ["intent", "result", "repeated"]


async def test_clicks_at_once_act_exactly_once(bench: Bench) -> None:
    incident_id = await bench.alert()
    offer = await bench.intents.offer(
        CHANNEL, "stop", server="mail", target=Target(account=ANN), incident_id=incident_id
    )
    people = [OPERATOR, OTHER_OPERATOR, ADMIN, OPERATOR]
    outcomes = await asyncio.gather(
        *(bench.pipeline.execute(actor, CHANNEL, offer) for actor in people),
        return_exceptions=True,
    )
    done = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(done) == 1
    assert done[0].ok
    assert sum(isinstance(outcome, Expired) for outcome in outcomes) == 3
    phases = [phase for phase, action in await bench.phases() if action == "stop"]
    assert sorted(phases) == ["intent", "repeated", "repeated", "repeated", "result"]
    assert await _announced(bench) == [offer]


async def _announced(bench: Bench) -> list[str | None]:
    async with bench.store.reading() as session:
        rows = await session.exec(select(Announcement.intent_id).order_by(col(Announcement.id)))
        return list(rows.all())


@pytest.mark.parametrize("action", [name for name, r in REMEDIES.items() if r.once])
async def test_two_buttons_for_the_same_act_on_an_incident_act_once(
    bench: Bench, action: str
) -> None:
    incident_id = await bench.alert()
    buttons = [
        (
            place,
            await bench.intents.offer(
                place, action, server="mail", target=Target(account=ANN), incident_id=incident_id
            ),
        )
        for place in (CHANNEL, _OTHER_CHANNEL, _ELSEWHERE)
    ]
    outcomes = await asyncio.gather(
        *(bench.pipeline.execute(OPERATOR, place, button) for place, button in buttons),
        return_exceptions=True,
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Expired) for outcome in outcomes) == 2
    phases = [phase for phase, done in await bench.phases() if done == action]
    assert phases.count("intent") == phases.count("result") == 1
    assert phases.count("repeated") == 2


async def test_the_same_act_on_another_incident_is_no_repeat(bench: Bench) -> None:
    for user in (ANN, BOB):
        incident_id = await bench.alert(user=user)
        assert (await bench.act("stop", Target(account=user), incident_id=incident_id)).ok
    assert [await bench.state(user) for user in (ANN, BOB)] == [UserState.NO_SENDING] * 2


async def test_an_undone_act_can_be_done_again(bench: Bench) -> None:
    incident_id = await bench.alert()
    for _ in range(2):
        outcome = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
        assert outcome.ok
        await bench.undo(outcome)
    assert await bench.state() is UserState.ACTIVE


async def test_an_account_that_was_let_go_can_be_stopped_again(bench: Bench) -> None:
    incident_id = await bench.alert()
    await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    assert list(await bench.intents.done_on(incident_id)) == ["stop"]
    await bench.act("enable", Target(account=ANN), incident_id=incident_id)
    # Its card offers the stop again, and not the undo of the one that is overtaken.
    assert list(await bench.intents.done_on(incident_id)) == ["enable"]
    bench.pass_time(seconds=1)
    assert (await bench.act("stop", Target(account=ANN), incident_id=incident_id)).ok
    assert await bench.state() is UserState.NO_SENDING
    with pytest.raises(Expired, match="already done by Olga"):
        await bench.act("stop", Target(account=ANN), incident_id=incident_id)


async def test_an_account_enabled_with_a_new_password_stays_dealt_with(bench: Bench) -> None:
    incident_id = await bench.alert()
    for action in ("stop", "password"):
        assert (await bench.act(action, Target(account=ANN), incident_id=incident_id)).ok
        bench.pass_time(seconds=1)
    enabled = await bench.act("enable", Target(account=ANN.upper()), incident_id=incident_id)
    assert await bench.state() is UserState.ACTIVE
    incident = await bench.incident()
    assert (incident.state, incident.state_by) == (IncidentState.REMEDIED, OPERATOR.name)
    async with bench.store.reading() as session:
        assert {"disable", "password"} <= set(await done_steps(session, incident))
    # Taking the enabling back is no news, and neither is doing so twice.
    await bench.undo(enabled)
    assert await bench.state() is UserState.NO_SENDING
    assert (await bench.incident()).state is IncidentState.REMEDIED
    await bench.act("enable", Target(account=ANN), incident_id=incident_id)
    # Whoever came in again is stopped again, which the card offers.
    assert "stop" not in await bench.intents.done_on(incident_id)
    bench.pass_time(seconds=1)
    assert (await bench.act("stop", Target(account=ANN), incident_id=incident_id)).ok
    bench.pass_time(seconds=1)
    # And then the new password is known, too.
    await bench.act("enable", Target(account=ANN), incident_id=incident_id)
    incident = await bench.incident()
    assert incident.state is IncidentState.OPEN
    async with bench.store.reading() as session:
        assert "disable" not in await done_steps(session, incident)


async def test_the_steps_of_an_alert_that_is_reopened_are_to_be_done_anew(bench: Bench) -> None:
    incident_id = await bench.alert()
    for action in ("look", "judge", "stop", "password", "enable", "reported"):
        await bench.act(action, Target(account=ANN), incident_id=incident_id)
        bench.pass_time(seconds=1)
    async with bench.store.session() as session:
        row = await session.get(Incident, incident_id)
        assert row is not None
        assert {"look", "judge", "password", "report"} <= set(await done_steps(session, row))
        row.state, row.state_at = IncidentState.OPEN, bench.clock.now()
        row.reopened_at = bench.clock.now()
        session.add(row)
    async with bench.store.reading() as session:
        assert await done_steps(session, await bench.incident()) == {}
    bench.pass_time(seconds=1)
    await bench.act("password", Target(account=ANN), incident_id=incident_id)
    async with bench.store.reading() as session:
        assert set(await done_steps(session, await bench.incident())) == {"password"}


async def test_who_takes_on_a_reopened_alert_can_look_judge_and_stop_anew(bench: Bench) -> None:
    incident_id = await bench.alert()
    for action in ("look", "judge", "stop"):
        await bench.act(action, Target(account=ANN), incident_id=incident_id)
        bench.pass_time(seconds=1)
    await bench.server.set_user_state(ANN, UserState.ACTIVE)  # on the mail server itself
    async with bench.store.session() as session:
        row = await session.get(Incident, incident_id)
        assert row is not None
        row.state, row.state_at = IncidentState.OPEN, bench.clock.now()
        row.reopened_at = bench.clock.now()
        session.add(row)
    bench.pass_time(seconds=1)
    await bench.act("acknowledge", Target(account=ANN), incident_id=incident_id)
    assert list(await bench.intents.done_on(incident_id)) == ["acknowledge"]
    for action in ("look", "judge", "stop"):
        assert (await bench.act(action, Target(account=ANN), incident_id=incident_id)).ok
    assert await bench.state() is UserState.NO_SENDING


async def test_an_alert_that_is_open_again_is_not_dealt_with_by_an_older_password(
    bench: Bench,
) -> None:
    incident_id = await bench.alert()
    for action in ("stop", "password", "enable"):
        await bench.act(action, Target(account=ANN), incident_id=incident_id)
        bench.pass_time(seconds=1)
    async with bench.store.session() as session:
        row = await session.get(Incident, incident_id)
        assert row is not None
        assert row.state is IncidentState.REMEDIED
        row.state, row.state_at = IncidentState.OPEN, bench.clock.now()  # it sends again
        session.add(row)
    async with bench.store.reading() as session:
        # Whoever sends has the new password, too.
        assert not {"disable", "password"} & set(await done_steps(session, await bench.incident()))
    taken_on = await bench.act("acknowledge", Target(account=ANN), incident_id=incident_id)
    await bench.undo(taken_on)
    assert (await bench.incident()).state is IncidentState.OPEN
    # Who took it on before did so once, whatever was enabled since.
    await bench.act("acknowledge", Target(account=ANN), incident_id=incident_id)
    bench.pass_time(seconds=1)
    await bench.act("enable", Target(account=ANN), incident_id=incident_id)
    async with bench.store.session() as session:
        row = await session.get(Incident, incident_id)
        assert row is not None
        row.state = IncidentState.ACKNOWLEDGED
        session.add(row)
    with pytest.raises(Expired, match="already done by Olga"):
        await bench.act("acknowledge", Target(account=ANN), incident_id=incident_id)
    # Nor does enabling it, once more, end that.
    await bench.act("enable", Target(account=ANN), incident_id=incident_id)
    assert (await bench.incident()).state is IncidentState.OPEN


async def test_an_act_is_undone_once_whichever_channels_button_is_used(bench: Bench) -> None:
    incident_id = await bench.alert()
    outcome = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    there = await bench.intents.offer_undo(_OTHER_CHANNEL, outcome.intent_id)
    assert there is not None
    await bench.undo(outcome)
    await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    # By now the account is stopped anew: the old button must not let it go.
    with pytest.raises(Expired, match=r"already done by Olga; nothing was done twice\."):
        await bench.pipeline.execute(ADMIN, _OTHER_CHANNEL, there)
    assert await bench.state() is UserState.NO_SENDING
    assert (await bench.server.counts()).held == 3
    assert await bench.intents.offer_undo(CHANNEL, outcome.intent_id) is None


async def test_two_undo_buttons_at_once_undo_once(bench: Bench) -> None:
    outcome = await bench.act("disable", Target(account=ANN))
    places = [CHANNEL, _OTHER_CHANNEL]
    buttons = [await bench.intents.offer_undo(place, outcome.intent_id) for place in places]
    results = await asyncio.gather(
        *(
            bench.pipeline.execute(OPERATOR, place, button or "")
            for place, button in zip(places, buttons, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Expired) for result in results) == 1
    assert await bench.state() is UserState.ACTIVE


async def test_the_undo_button_of_a_channel_is_one_until_it_is_used(bench: Bench) -> None:
    outcome = await bench.act("disable", Target(account=ANN))
    assert outcome.undo_id == await bench.intents.offer_undo(CHANNEL, outcome.intent_id)
    assert outcome.undo_id != await bench.intents.offer_undo(_OTHER_CHANNEL, outcome.intent_id)
    for actor in (STRANGER, VIEWER):
        with pytest.raises(Refused):
            await bench.undo(outcome, actor=actor)
    assert (await bench.undo(outcome, actor=OTHER_OPERATOR)).ok


async def test_an_undo_is_good_for_a_week(bench: Bench) -> None:
    outcome = await bench.act("disable", Target(account=ANN))
    assert outcome.undo_id is not None
    bench.pass_time(days=7)
    assert await bench.intents.offer_undo(CHANNEL, outcome.intent_id) is None
    with pytest.raises(Expired, match="too old"):
        await bench.pipeline.execute(OPERATOR, CHANNEL, outcome.undo_id)
    assert await bench.state() is UserState.NO_SENDING


# -- audit -----------------------------------------------------------------------------------


class _Witness(EmbeddedServer):
    """Looks, at the moment of the act, at what the audit log says already."""

    seen: list[list[tuple[str, str]]]
    bench: Bench

    async def set_user_state(self, address: str, state: UserState) -> UserState:
        self.seen.append(await self.bench.phases())
        return await super().set_user_state(address, state)


async def test_the_intent_is_audited_before_the_act_and_the_result_after(bench: Bench) -> None:
    await bench.mail.stop()
    witness = bench.mail.server = _Witness(bench.mail.config, bench.clock)
    witness.seen, witness.bench = [], bench
    await bench.mail.start()
    bench.build()
    outcome = await bench.act("disable", Target(account=ANN))
    await bench.undo(outcome)
    done = [("intent", "disable"), ("result", "disable")]
    assert witness.seen == [done[:1], [*done, ("intent", "undo disable")]]
    assert await bench.phases() == [*done, ("intent", "undo disable"), ("result", "undo disable")]
    entries = await bench.log()
    assert {(e.actor, e.server, e.subject) for e in entries} == {(OPERATOR.key, "mail", ANN)}
    assert [e.intent_id == outcome.intent_id for e in entries] == [True, True, False, False]
    assert json.loads(entries[1].detail)["summary"] == outcome.sentence
    assert (await bench.audit.verify()).broken_at is None


async def test_the_audit_holds_which_messages_were_meant_and_what_became_of_them(
    bench: Bench,
) -> None:
    ids = await bench.deferred(2)
    await bench.act("delete", Target(query=SpoolQuery(sender=ANN)))
    intent, result = await bench.log()
    assert sorted(json.loads(intent.detail)["queue_ids"]) == sorted(ids)
    assert json.loads(intent.detail)["messages"] == 2
    assert json.loads(intent.detail)["query"]["sender"] == ANN
    assert intent.subject == f"sender:{ANN}"
    assert json.loads(result.detail)["messages"] == {"done": 2, "already gone": 0, "failed": 0}


async def test_a_server_that_is_down_is_an_outcome_that_says_so(bench: Bench) -> None:
    proposal = await bench.propose("disable", Target(account=ANN))
    await bench.mail.stop()
    outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    assert not outcome.ok
    assert outcome.sentence == "It failed: The embedded mail server mail is not running."
    assert await bench.phases() == [("intent", "disable"), ("result", "disable")]
    assert (await bench.intent(proposal.intent_id)).state is IntentState.FAILED
    with pytest.raises(Expired, match="did not work out; nothing was done now"):
        await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    with pytest.raises(ServerDown):
        await bench.propose("delete", Target(query=SpoolQuery(sender=ANN)))
    await bench.mail.restart()


class _Broken(EmbeddedServer):
    async def set_user_state(self, address: str, state: UserState) -> UserState:
        raise RuntimeError("nobody foresaw this, and it names a secret")


async def test_a_failure_that_nobody_foresaw_is_told_without_its_text(bench: Bench) -> None:
    await bench.mail.stop()
    bench.mail.server = _Broken(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()
    outcome = await bench.act("disable", Target(account=ANN))
    assert not outcome.ok
    assert outcome.sentence.startswith("It failed inside Spoolwarden; part of it may have been")
    assert "secret" not in outcome.sentence
    assert (await bench.phases())[-1] == ("result", "disable")


_HOSTILE = ["<!channel> *x*", "\u202eevil", "a\r\nb", "\ud83d lone", "x" * 5000, "nul \0", ""]


@pytest.mark.parametrize("name", _HOSTILE, ids=range(len(_HOSTILE)))
async def test_whoever_acts_under_whatever_name_it_is_done_and_kept(
    bench: Bench, name: str
) -> None:
    actor = Actor(OPERATOR.chat, OPERATOR.user_id, name)
    incident_id = await bench.alert()
    outcome = await bench.act("stop", Target(account=ANN), actor=actor, incident_id=incident_id)
    assert outcome.ok
    assert (await bench.undo(outcome, actor=actor)).ok
    claimed = (await bench.intent(outcome.intent_id)).claimed_name
    assert claimed is not None
    assert len(claimed) <= 512
    assert (await bench.audit.verify()).broken_at is None


_HOSTILE_ACCOUNTS = [
    "'; DROP TABLE intent; --@example.test",
    "<@U1>@example.test",
    "\u202eann@example.test",
    "ann@example.test\r\nX: y",
    "x" * 600 + "@example.test",
    "ann%@example.test",
    "%",
]


async def test_hostile_accounts_are_only_names(bench: Bench) -> None:
    (queue_id,) = await bench.deferred(1)
    for account in _HOSTILE_ACCOUNTS:
        outcome = await bench.act("stop", Target(account=account))
        assert "is no mailbox here" in outcome.sentence
        assert "0 messages held" in outcome.sentence
        assert (await bench.log())[-1].subject == account[:512]
    assert await bench.state() is UserState.ACTIVE
    assert await bench.queues() == {queue_id: Queue.DEFERRED}


# -- a stop in the middle --------------------------------------------------------------------


class _Stuck(EmbeddedServer):
    """Does what it is asked, but its answer never comes."""

    def __init__(self, config: EmbeddedConfig, clock: Clock) -> None:
        super().__init__(config, clock)
        self.reached = asyncio.Event()

    async def set_user_state(self, address: str, state: UserState) -> UserState:
        await super().set_user_state(address, state)
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def test_an_act_cut_off_by_a_crash_is_told_and_can_be_done_again(bench: Bench) -> None:
    incident_id = await bench.alert()

    async def press() -> str:
        return await bench.intents.offer(
            CHANNEL, "stop", server="mail", target=Target(account=ANN), incident_id=incident_id
        )

    await bench.mail.stop()
    stuck = bench.mail.server = _Stuck(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()
    button = await press()
    act = asyncio.create_task(bench.pipeline.execute(OPERATOR, CHANNEL, button))
    await stuck.reached.wait()
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    assert (await bench.intent(button)).state is IntentState.CLAIMED
    await bench.mail.restart()
    version, changes = (await bench.incident()).version, bench.changes
    bench.build()
    assert await bench.upkeep.recover() == 1
    assert await bench.upkeep.recover() == 0
    intent = await bench.intent(button)
    assert intent.state is IntentState.INTERRUPTED
    assert "part of it may have been done" in intent.summary
    # The card and the line in the thread are drawn anew.
    assert (await bench.incident()).version == version + 1
    assert bench.changes == changes + 1
    async with bench.store.reading() as session:
        (line,) = (await session.exec(select(Announcement))).all()
    # Once that it was cut off, once how it stands now.
    assert (line.intent_id, line.version) == (button, 3)
    entries = await bench.log()
    assert [(e.phase, e.action, e.actor) for e in entries] == [
        ("intent", "stop", OPERATOR.key),
        ("result", "stop", BOT.key),
    ]
    assert json.loads(entries[1].detail) == {"interrupted": True}
    with pytest.raises(Expired, match="did not work out; nothing was done now"):
        await bench.pipeline.execute(OPERATOR, CHANNEL, button)
    assert await press() != button
    outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, await press())
    assert outcome.ok
    assert (await bench.server.counts()).held == 3


async def test_what_was_finished_or_never_begun_is_not_recovered(bench: Bench) -> None:
    await bench.propose("disable", Target(account=BOB))
    outcome = await bench.act("disable", Target(account=ANN))
    assert await bench.upkeep.recover() == 0
    assert (await bench.intent(outcome.intent_id)).state is IntentState.DONE


# -- purging ---------------------------------------------------------------------------------


async def test_deleted_messages_are_purged_after_the_kept_time_and_not_before(
    bench: Bench,
) -> None:
    ids = await bench.deferred(3)
    outcome = await bench.act("delete", Target(queue_ids=tuple(ids[:2])))
    assert outcome.undo_id is not None
    bench.pass_time(days=7, seconds=-1)
    assert await bench.upkeep.purge() == 0
    assert len(await bench.queues()) == 3
    bench.pass_time(seconds=1)
    assert await bench.upkeep.purge() == 2
    assert list(await bench.queues()) == ids[2:]
    assert await bench.upkeep.purge() == 0
    assert await bench.intents.offer_undo(CHANNEL, outcome.intent_id) is None
    with pytest.raises(Expired, match="too old"):
        await bench.pipeline.execute(OPERATOR, CHANNEL, outcome.undo_id)
    intent, result = (await bench.log())[2:4]
    assert [(e.phase, e.action, e.actor) for e in (intent, result)] == [
        ("intent", "purge", BOT.key),
        ("result", "purge", BOT.key),
    ]
    assert json.loads(result.detail)["done"] == 2


async def test_what_was_brought_back_is_not_purged(bench: Bench) -> None:
    undone, restored, moved, gone = await bench.deferred(4)
    first = await bench.act("delete", Target(queue_ids=(undone,)))
    await bench.act("delete", Target(queue_ids=(restored, moved, gone)))
    await bench.undo(first)
    await bench.act("restore", Target(queue_ids=(restored,)))
    await bench.act("move", Target(queue_ids=(moved,), folder="evidence"))
    bench.pass_time(days=8)
    assert await bench.upkeep.purge() == 1
    assert set(await bench.queues()) == {undone, restored, moved}


async def test_what_is_deleted_anew_is_kept_as_long_as_the_later_deletion_says(
    bench: Bench,
) -> None:
    (queue_id,) = await bench.deferred(1)
    target = Target(queue_ids=(queue_id,))
    await bench.act("delete", target)
    bench.pass_time(days=3)
    await bench.act("restore", target)
    later = await bench.act("delete", target)
    bench.pass_time(days=5)
    assert await bench.upkeep.purge() == 0
    assert (await bench.undo(later)).sentence == "1 message put back."
    assert await bench.queues() == {queue_id: Queue.DEFERRED}


async def _stands_claimed(bench: Bench, intent_id: str) -> None:
    async with bench.store.session() as session:
        row = await session.get(Intent, intent_id)
        assert row is not None
        row.state, row.claimed_at = IntentState.CLAIMED, bench.clock.now()
        session.add(row)


async def test_what_is_being_brought_back_is_not_purged_meanwhile(bench: Bench) -> None:
    ids = await bench.deferred(2)
    outcome = await bench.act("delete", Target(queue_ids=tuple(ids)))
    assert outcome.undo_id is not None
    # Somebody presses it in the last moment, and to put many back takes a while.
    bench.pass_time(days=7, seconds=-1)
    await _stands_claimed(bench, outcome.undo_id)
    bench.pass_time(minutes=1)
    assert await bench.upkeep.purge() == 0
    assert set(await bench.queues()) == set(ids)


async def test_what_is_being_deleted_anew_is_not_purged_for_the_earlier_deletion(
    bench: Bench,
) -> None:
    (queue_id,) = await bench.deferred(1)
    target = Target(queue_ids=(queue_id,))
    await bench.act("delete", target)
    await bench.act("restore", target)
    bench.pass_time(days=7)
    later = await bench.act("delete", target)
    await _stands_claimed(bench, later.intent_id)
    assert await bench.upkeep.purge() == 0
    assert set(await bench.queues()) == {queue_id}


async def test_a_server_that_is_gone_does_not_keep_the_others_from_being_purged(
    bench: Bench,
) -> None:
    (queue_id,) = await bench.deferred(1)
    for name in ("gone", "mail"):
        pipeline = Pipeline(
            store=bench.store,
            intents=bench.intents,
            servers={name: bench.server},
            access=bench.access,
            audit=bench.audit,
            rules=Rules(bench.safety),
            clock=bench.clock,
            safety=bench.safety,
            approval=bench.approval,
            changed=lambda: None,
        )
        proposal = await pipeline.propose(
            OPERATOR, CHANNEL, "delete", server=name, target=Target(queue_ids=(queue_id,))
        )
        await pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    bench.pass_time(days=7)
    assert await bench.upkeep.purge() == 1
    assert await bench.queues() == {}


async def test_a_purge_waits_for_a_server_that_is_down(bench: Bench) -> None:
    ids = await bench.deferred(1)
    await bench.act("delete", Target(queue_ids=tuple(ids)))
    bench.pass_time(days=7)
    await bench.mail.stop()
    assert await bench.upkeep.purge() == 0
    await bench.mail.restart()
    bench.build()
    assert await bench.upkeep.purge() == 1


async def test_what_nobody_pressed_is_forgotten_long_after_it_could_be(bench: Bench) -> None:
    unused = await bench.propose("disable", Target(account=ANN))
    done = await bench.act("disable", Target(account=ANN))
    asked = await bench.act(
        "delete", Target(queue_ids=("a", "b", "c"), permanent=True), actor=ADMIN
    )
    bench.pass_time(days=30)
    assert await bench.upkeep.forget() == 0
    with pytest.raises(Expired, match="too old"):
        await bench.pipeline.look(OPERATOR, CHANNEL, unused.intent_id)
    bench.pass_time(days=8)
    assert await bench.upkeep.forget() == 2  # and the button to take the other one back
    with pytest.raises(Expired, match="unknown"):
        await bench.pipeline.look(OPERATOR, CHANNEL, unused.intent_id)
    assert (await bench.intent(done.intent_id)).state is IntentState.DONE
    assert (await bench.intent(asked.intent_id)).state is IntentState.WAITING


async def test_a_change_is_reported_to_the_chats(bench: Bench) -> None:
    incident_id = await bench.alert()
    version = (await bench.incident()).version
    await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    assert bench.changes == 2  # under way, and done
    incident = await bench.incident()
    assert (incident.version, incident.state) == (version + 1, IncidentState.REMEDIED)
    assert (incident.state_by, incident.state_at) == ("Olga", bench.clock.now())
