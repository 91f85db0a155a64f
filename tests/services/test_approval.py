"""Two persons: what needs a second one, who may be it, and what is done, once."""

import asyncio
from datetime import timedelta
from ipaddress import ip_network

import pytest
from sqlmodel import col, select

from bot.line_cards import asked_text
from services.access import Access
from services.approval import Approval
from services.errors import Expired, Refused
from services.expiry import Expiry
from services.intents import APPROVE, DECLINE
from services.mail.port import UserState
from services.models import Intent, IntentState
from services.people import Place
from services.settings import ApprovalSettings
from services.targets import Target

from ..mail.harness import ANN
from .bench import ACCESS, ADMIN, CHANNEL, OPERATOR, OTHER_OPERATOR, VIEWER, Bench

ELSEWHERE = Place("discord", "99")
WIDE = Target(networks=(ip_network("203.0.112.0/20"),))


async def asked_to_block(bench: Bench) -> Intent:
    outcome = await bench.act("block", WIDE)
    assert outcome.ok
    assert "Nothing was done yet" in outcome.sentence
    return await bench.intent(outcome.intent_id)


async def button(bench: Bench, asked: Intent, action: str, place: Place = CHANNEL) -> str:
    return await bench.intents.offer_decision(place, action, asked)


async def blocked(bench: Bench) -> list[str]:
    return [str(block.network) for block in await bench.server.blocks()]


async def test_what_needs_a_second_person_waits_and_nothing_is_done(bench: Bench) -> None:
    asked = await asked_to_block(bench)
    assert asked.state is IntentState.WAITING
    assert await blocked(bench) == []
    assert await bench.phases() == [("asked", "block")]
    with pytest.raises(Expired, match="waits for a second person"):
        await bench.pipeline.execute(OPERATOR, CHANNEL, asked.id)


async def test_somebody_else_approves_and_it_is_done_with_both_in_the_log(bench: Bench) -> None:
    asked = await asked_to_block(bench)
    approve = await button(bench, asked, APPROVE)
    outcome = await bench.pipeline.decide(OTHER_OPERATOR, CHANNEL, approve, approve=True)
    assert outcome.ok
    assert await blocked(bench) == ["203.0.112.0/20"]
    assert await bench.phases() == [
        ("asked", "block"),
        ("decided", "block"),
        ("intent", "block"),
        ("result", "block"),
    ]
    row = await bench.intent(asked.id)
    assert row.claimed_name == "Olga, approved by Otto"
    assert (row.asked_by, row.claimed_by) == (OPERATOR.key, OTHER_OPERATOR.key)
    # It can be taken back as any block can.
    await bench.undo(outcome)
    assert await blocked(bench) == []


async def test_the_asker_cannot_approve_not_even_from_another_chat(bench: Bench) -> None:
    bench.approval = ApprovalSettings(same_person=((OPERATOR.user_id, OTHER_OPERATOR.user_id),))
    bench.build()
    asked = await asked_to_block(bench)
    for actor, place in ((OPERATOR, CHANNEL), (OTHER_OPERATOR, ELSEWHERE)):
        approve = await button(bench, asked, APPROVE, place)
        with pytest.raises(Refused, match="somebody else must approve"):
            await bench.pipeline.decide(actor, place, approve, approve=True)
    assert await blocked(bench) == []
    assert (await bench.phases())[-1] == ("refused", APPROVE)


async def test_who_may_not_do_it_may_not_approve_it(bench: Bench) -> None:
    ids = await bench.deferred(3)
    outcome = await bench.act("delete", Target(queue_ids=tuple(ids), permanent=True), actor=ADMIN)
    asked = await bench.intent(outcome.intent_id)
    assert asked.state is IntentState.WAITING
    for actor in (VIEWER, OPERATOR):
        with pytest.raises(Refused, match="needs the role admin"):
            await bench.pipeline.decide(
                actor, CHANNEL, await button(bench, asked, APPROVE), approve=True
            )
    assert len(await bench.queues()) == 3


async def test_declined_nothing_is_done_and_it_cannot_be_approved_any_more(bench: Bench) -> None:
    asked = await asked_to_block(bench)
    approve = await button(bench, asked, APPROVE)
    # Who asked may think better of it.
    await bench.pipeline.decide(
        OPERATOR, CHANNEL, await button(bench, asked, DECLINE), approve=False
    )
    row = await bench.intent(asked.id)
    assert row.state is IntentState.FAILED
    assert row.summary == "Declined by Olga. Nothing was done."
    with pytest.raises(Expired, match="decided already"):
        await bench.pipeline.decide(OTHER_OPERATOR, CHANNEL, approve, approve=True)
    assert await blocked(bench) == []
    assert (await bench.phases())[-1] == ("repeated", "approve")


async def test_two_who_approve_at_once_have_it_done_once(bench: Bench) -> None:
    asked = await asked_to_block(bench)
    here, there = (
        await button(bench, asked, APPROVE),
        await button(bench, asked, APPROVE, ELSEWHERE),
    )
    results = await asyncio.gather(
        bench.pipeline.decide(OTHER_OPERATOR, CHANNEL, here, approve=True),
        bench.pipeline.decide(ADMIN, ELSEWHERE, there, approve=True),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Expired) for result in results) == 1
    assert [phase for phase, _ in await bench.phases()].count("result") == 1


async def test_what_nobody_approves_in_time_is_given_up(bench: Bench) -> None:
    asked = await asked_to_block(bench)
    approve = await button(bench, asked, APPROVE)
    assert await bench.upkeep.expire() == 0
    bench.pass_time(minutes=31)
    with pytest.raises(Expired, match="too old"):
        await bench.pipeline.decide(OTHER_OPERATOR, CHANNEL, approve, approve=True)
    assert await bench.upkeep.expire() == 1
    assert await bench.upkeep.expire() == 0
    row = await bench.intent(asked.id)
    assert row.summary == "Nobody approved it in time. Nothing was done."
    assert (await bench.phases())[-1] == ("decided", "block")
    assert (await bench.audit.verify()).broken_at is None


async def test_few_messages_are_deleted_for_good_by_one_person(bench: Bench) -> None:
    ids = await bench.deferred(2)
    outcome = await bench.act("delete", Target(queue_ids=tuple(ids), permanent=True), actor=ADMIN)
    assert "deleted" in outcome.sentence
    assert await bench.queues() == {}


def test_each_rule_says_which_setting_it_is() -> None:
    approval = Approval(ApprovalSettings(remedies=("stop",), permanent_above=10))
    many = Target(queue_ids=tuple(map(str, range(11))), permanent=True)
    assert "approval.remedies" in (approval.why("stop", Target(account=ANN)) or "")
    assert "approval.permanent_above" in (approval.why("delete", many) or "")
    assert approval.why("delete", many.model_copy(update={"permanent": False})) is None
    assert "approval.widest_v4" in (approval.why("block", WIDE) or "")
    assert approval.why("unblock", WIDE) is None
    six = Target(networks=(ip_network("2001:db8::/63"),))
    assert "approval.widest_v6" in (approval.why("block", six) or "")
    for narrow in ("203.0.113.0/24", "2001:db8::/64"):
        assert approval.why("block", Target(networks=(ip_network(narrow),))) is None


def test_one_person_is_known_by_any_of_their_ids_and_strangers_are_not() -> None:
    approval = Approval(ApprovalSettings(same_person=(("U1", "77"), ("U2", "88"))))
    assert approval.is_same("slack:U1", "discord:77")
    assert approval.is_same("slack:U9", "slack:U9")
    assert not approval.is_same("slack:U1", "discord:88")
    assert not approval.is_same("slack:U9", "discord:9")


async def test_a_disable_for_a_time_is_taken_back_by_the_bot_once_also_after_a_restart(
    bench: Bench,
) -> None:
    day = Target(account=ANN, user_state=UserState.NO_SENDING)
    outcome = await bench.act("disable", day.model_copy(update={"lasting": timedelta(hours=24)}))
    assert "for 24 h" in outcome.sentence
    expiry = Expiry(bench.store, bench.intents, bench.pipeline, bench.clock)
    bench.pass_time(hours=23)
    assert await expiry.run() == 0
    assert await bench.state() is UserState.NO_SENDING
    bench.pass_time(hours=2)
    bench.build()
    expiry = Expiry(bench.store, bench.intents, bench.pipeline, bench.clock)
    assert await expiry.run() == 1
    assert await bench.state() is UserState.ACTIVE
    assert await expiry.run() == 0
    last = (await bench.log())[-1]
    assert (last.phase, last.action, last.actor) == ("result", "undo disable", "spoolwarden:bot")


async def test_a_disable_for_a_time_that_somebody_took_back_is_left_alone(bench: Bench) -> None:
    target = Target(account=ANN, user_state=UserState.REFUSING, lasting=timedelta(hours=1))
    outcome = await bench.act("disable", target)
    await bench.undo(outcome)
    await bench.act("disable", Target(account=ANN, user_state=UserState.NO_SENDING))
    bench.pass_time(hours=2)
    assert await Expiry(bench.store, bench.intents, bench.pipeline, bench.clock).run() == 0
    assert await bench.state() is UserState.NO_SENDING


async def test_what_cannot_be_taken_back_now_is_tried_again_later_not_at_once(
    bench: Bench,
) -> None:
    target = Target(account=ANN, user_state=UserState.NO_SENDING, lasting=timedelta(hours=1))
    outcome = await bench.act("disable", target)
    expiry = Expiry(bench.store, bench.intents, bench.pipeline, bench.clock)
    bench.pass_time(hours=2)
    await bench.server.stop()
    assert await expiry.run() == 0
    assert await expiry.run() == 0
    async with bench.store.reading() as session:
        tries = (
            await session.exec(select(Intent).where(col(Intent.undo_of) == outcome.intent_id))
        ).all()
    assert [row.state for row in tries] == [IntentState.FAILED]
    await bench.server.start()
    bench.pass_time(minutes=11)
    assert await expiry.run() == 1
    assert await bench.state() is UserState.ACTIVE


async def test_to_take_anothers_act_back_takes_what_doing_the_opposite_takes(
    bench: Bench,
) -> None:
    bench.approval = ApprovalSettings(remedies=("enable",))
    bench.build()
    day = Target(account=ANN, user_state=UserState.NO_SENDING, lasting=timedelta(hours=24))
    outcome = await bench.act("disable", day)
    with pytest.raises(Refused, match="comes to “enable”, and “enable” always takes two persons"):
        await bench.undo(outcome, actor=OTHER_OPERATOR)
    assert await bench.state() is UserState.NO_SENDING
    assert (await bench.phases())[-1] == ("refused", "undo")
    # Who did it puts it right alone, and the bot takes it back when its time is over.
    await bench.undo(outcome)
    assert await bench.state() is UserState.ACTIVE
    await bench.act("disable", day)
    bench.pass_time(hours=25)
    assert await Expiry(bench.store, bench.intents, bench.pipeline, bench.clock).run() == 1
    assert await bench.state() is UserState.ACTIVE


async def test_to_take_anothers_act_back_takes_the_role_of_doing_the_opposite(
    bench: Bench,
) -> None:
    strict = ACCESS.model_copy(update={"remedies": {"enable": "admin"}})
    bench.access = Access(strict, {}, bench.clock)
    bench.build()
    target = Target(account=ANN, user_state=UserState.NO_SENDING)
    outcome = await bench.act("disable", target)
    with pytest.raises(Refused, match="You may not use “enable”: that needs the role admin"):
        await bench.undo(outcome, actor=OTHER_OPERATOR)
    assert await bench.state() is UserState.NO_SENDING
    await bench.undo(outcome, actor=ADMIN)
    assert await bench.state() is UserState.ACTIVE
    mine = await bench.act("disable", target)
    await bench.undo(mine)
    assert await bench.state() is UserState.ACTIVE


async def test_who_is_asked_sees_how_many_networks_there_are_and_the_widest_of_them(
    bench: Bench,
) -> None:
    few = tuple(ip_network(f"198.51.100.{number}") for number in range(1, 31))
    networks = (ip_network("203.0.112.0/23"), *few, ip_network("100.128.0.0/17"))
    outcome = await bench.act("block", Target(networks=networks, lasting=timedelta(hours=24)))
    said = asked_text(await bench.intent(outcome.intent_id))
    assert said == (
        "Olga asks for blocking addresses: 100.128.0.0/17, 203.0.112.0/23, 198.51.100.1, "
        "198.51.100.2, 198.51.100.3 and 27 more for 24 h. 100.128.0.0/17 is wider than /24, "
        "which takes two persons (setting approval.widest_v4)."
    )
