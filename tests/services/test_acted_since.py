"""What somebody has done since stands, when something else is taken back or its time is over."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from sqlmodel import col, select

from services.errors import ServerDown
from services.expiry import Expiry
from services.mail.embedded import EmbeddedServer
from services.mail.port import UserState
from services.models import IncidentState, Intent, IntentState
from services.targets import Target

from ..mail.harness import ANN
from .bench import ADMIN, OTHER_OPERATOR, Bench

_FOR_A_DAY = Target(account=ANN, user_state=UserState.NO_SENDING, lasting=timedelta(hours=24))


def _expiry(bench: Bench) -> Expiry:
    return Expiry(bench.store, bench.intents, bench.pipeline, bench.clock)


async def _tries(bench: Bench, of: str) -> list[Intent]:
    async with bench.store.reading() as session:
        rows = await session.exec(
            select(Intent).where(Intent.undo_of == of, col(Intent.state) != IntentState.OFFERED)
        )
        return list(rows.all())


@pytest.mark.parametrize("again", ["stop", "disable"])
async def test_the_end_of_a_time_does_not_enable_whom_somebody_else_stopped_since(
    bench: Bench, again: str
) -> None:
    first = await bench.act("disable", _FOR_A_DAY)
    bench.pass_time(hours=1)
    later = await bench.act(again, Target(account=ANN), actor=OTHER_OPERATOR)
    bench.pass_time(hours=24)
    assert await _expiry(bench).run() == 1
    assert await bench.state() is UserState.NO_SENDING
    (ended,) = await _tries(bench, first.intent_id)
    assert ended.summary == (
        f"{ANN} stays as it is: Otto has changed that since, and undoing that puts it back as "
        "it was."
    )
    assert (await bench.undo(later)).ok
    assert await bench.state() is UserState.ACTIVE


async def test_the_end_of_a_time_does_not_disable_whom_somebody_enabled_since(
    bench: Bench,
) -> None:
    await bench.server.set_user_state(ANN, UserState.REFUSING)
    await bench.act("disable", _FOR_A_DAY)
    bench.pass_time(hours=1)
    await bench.act("enable", Target(account=ANN), actor=OTHER_OPERATOR)
    bench.pass_time(hours=24)
    assert await _expiry(bench).run() == 1
    assert await bench.state() is UserState.ACTIVE


async def test_the_end_of_a_time_leaves_what_was_changed_on_the_mail_server_itself(
    bench: Bench,
) -> None:
    first = await bench.act("disable", _FOR_A_DAY)
    await bench.server.set_user_state(ANN, UserState.REFUSING)
    bench.pass_time(hours=25)
    assert await _expiry(bench).run() == 1
    assert await bench.state() is UserState.REFUSING
    (ended,) = await _tries(bench, first.intent_id)
    assert ended.summary == f"{ANN} is refusing since, and stays so."


async def test_of_two_that_stopped_it_the_first_is_taken_back_and_the_card_tells_the_truth(
    bench: Bench,
) -> None:
    incident_id = await bench.alert()
    first = await bench.act("disable", Target(account=ANN), incident_id=incident_id)
    bench.pass_time(minutes=1)
    second = await bench.act(
        "stop", Target(account=ANN), actor=OTHER_OPERATOR, incident_id=incident_id
    )
    assert (await bench.undo(first)).ok
    assert await bench.state() is UserState.NO_SENDING
    assert (await bench.incident()).state is IncidentState.REMEDIED
    assert (await bench.undo(second)).ok
    assert await bench.state() is UserState.ACTIVE
    assert (await bench.incident()).state is IncidentState.OPEN


async def test_an_account_that_was_deleted_since_is_no_failure_for_ever(bench: Bench) -> None:
    first = await bench.act("disable", _FOR_A_DAY)
    await bench.act("delete_account", Target(account=ANN), actor=ADMIN)
    bench.pass_time(hours=25)
    assert await _expiry(bench).run() == 1
    (ended,) = await _tries(bench, first.intent_id)
    assert (ended.state, ended.summary) == (
        IntentState.DONE,
        f"{ANN} is no mailbox here any more.",
    )


async def test_what_cannot_end_is_tried_ever_more_seldom_and_ends_however_late(
    bench: Bench,
) -> None:
    first = await bench.act("disable", _FOR_A_DAY)
    bench.pass_time(hours=24)
    await bench.mail.stop()
    expiry = _expiry(bench)
    for _ in range(24 * 6 * 9):
        await expiry.run()
        bench.pass_time(minutes=10)
    assert 5 < len(await _tries(bench, first.intent_id)) < 20
    await bench.mail.restart()
    bench.build()
    bench.pass_time(days=1)
    assert await _expiry(bench).run() == 1
    assert await bench.state() is UserState.ACTIVE


async def test_undoing_a_block_leaves_the_one_that_somebody_else_made_since(bench: Bench) -> None:
    shared, alone = ip_network("198.51.100.7"), ip_network("198.51.100.8")
    await bench.server.block(shared, reason="by hand", lasting=timedelta(minutes=30))
    first = await bench.act("block", Target(networks=(shared, alone), lasting=timedelta(hours=1)))
    bench.pass_time(minutes=1)
    later = await bench.act(
        "block", Target(networks=(shared,), lasting=timedelta(days=30)), actor=OTHER_OPERATOR
    )
    undone = await bench.undo(first)
    assert undone.sentence == (
        "198.51.100.7 stays as it is: Otto has changed that since, and undoing that puts it back "
        "as it was. 198.51.100.8 may use SMTP again."
    )
    (stands,) = await bench.server.blocks()
    assert (stands.network, stands.until is None) == (shared, False)
    assert (await bench.undo(later)).ok
    assert [(b.network, b.reason) for b in await bench.server.blocks()] == [(shared, "by hand")]


async def test_a_block_for_a_time_leaves_one_that_lasts_longer_as_it_is(bench: Bench) -> None:
    shared, alone = ip_network("198.51.100.7"), ip_network("198.51.100.8")
    await bench.act("block", Target(networks=(shared,)), actor=OTHER_OPERATOR)
    outcome = await bench.act("block", Target(networks=(shared, alone), lasting=timedelta(hours=1)))
    assert outcome.sentence == (
        "SMTP from 198.51.100.8 is refused for 1 h. 198.51.100.7 is blocked for longer already, "
        "and stays so."
    )
    bench.pass_time(hours=2)
    assert [block.network for block in await bench.server.blocks()] == [shared]
    again = await bench.act("block", Target(networks=(shared,), lasting=timedelta(hours=1)))
    assert (again.sentence, again.undo_id) == (
        "198.51.100.7 is blocked for longer already, and stays so.",
        None,
    )


class _NeverAnswers(EmbeddedServer):
    """A server that does what it is told, and whose answer does not arrive."""

    async def set_user_state(self, address: str, state: UserState) -> UserState:
        await super().set_user_state(address, state)
        raise ServerDown("It is not known whether it was done: look before you try again.")


async def _become(bench: Bench, kind: type[EmbeddedServer]) -> None:
    await bench.mail.stop()
    bench.mail.server = kind(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()


@pytest.mark.parametrize("action", ["stop", "disable"])
async def test_what_may_have_been_done_can_be_taken_back(bench: Bench, action: str) -> None:
    await _become(bench, _NeverAnswers)
    doubtful = await bench.act(action, Target(account=ANN))
    assert not doubtful.ok
    assert await bench.state() is UserState.NO_SENDING
    await _become(bench, EmbeddedServer)
    bench.pass_time(minutes=1)
    again = await bench.act(action, Target(account=ANN))
    assert (await bench.undo(again)).ok
    assert (await bench.undo(doubtful)).ok
    assert await bench.state() is UserState.ACTIVE


class _DisabledJustBefore(EmbeddedServer):
    """A server on which somebody else disables the account when it was just looked at."""

    async def set_user_state(self, address: str, state: UserState) -> UserState:
        await super().set_user_state(address, UserState.NO_SENDING)
        return await super().set_user_state(address, state)


async def test_who_was_disabled_a_moment_before_a_stop_stays_so_after_its_undo(
    bench: Bench,
) -> None:
    await _become(bench, _DisabledJustBefore)
    outcome = await bench.act("stop", Target(account=ANN))
    await _become(bench, EmbeddedServer)
    assert (await bench.undo(outcome)).ok
    assert await bench.state() is UserState.NO_SENDING
