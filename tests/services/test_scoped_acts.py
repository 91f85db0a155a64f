"""A role for one domain's senders: everything may be done to theirs, nothing to others'."""

import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from services.access import Access
from services.errors import Expired, Refused
from services.mail.port import Queue, SpoolQuery, UserState
from services.models import Intent, IntentState
from services.people import Actor
from services.remedies import REMEDIES
from services.settings import AccessSettings
from services.targets import Target

from ..mail.harness import ANN, DOMAIN
from .bench import ACCESS, ADMIN, CHANNEL, OPERATOR, Bench, open_bench

SUE = Actor("slack", "USUE", "Sue")
EVE = "eve@evil-example.test"
_ALL = SpoolQuery(queues=(Queue.DEFERRED,))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """The bench, with a mailbox of another domain, and Sue, who is an operator for ann's."""
    async with open_bench(tmp_path) as bench:
        await bench.mail.add_user(EVE)
        limit(bench, DOMAIN)
        yield bench


def limit(bench: Bench, *domains: str, **more: Any) -> None:
    """Make Sue an operator for these."""
    operators = (*ACCESS.operators, SUE.user_id)
    access = AccessSettings(
        viewers=ACCESS.viewers,
        operators=operators,
        admins=ACCESS.admins,
        domains={SUE.user_id: domains},
        **more,
    )
    bench.access = Access(access, {}, bench.clock)
    bench.build()


async def last(bench: Bench) -> tuple[str, str, str, str]:
    (entry,) = await bench.audit.newest(1)
    return entry.phase, entry.action, entry.actor, entry.subject


async def test_all_that_matches_is_all_of_theirs(bench: Bench) -> None:
    mine = await bench.deferred(2)
    others = await bench.deferred(3, user=EVE)
    proposal = await bench.propose("delete", Target(query=_ALL), actor=SUE)
    assert set(proposal.target.queue_ids) == set(mine)
    outcome = await bench.pipeline.execute(SUE, CHANNEL, proposal.intent_id)
    assert "2 messages" in outcome.sentence
    queues = await bench.queues()
    assert {queues[queue_id] for queue_id in others} == {Queue.DEFERRED}
    assert {queues[queue_id] for queue_id in mine} == {Queue.QUARANTINE}
    entry = (await bench.log())[-1]
    assert json.loads(entry.detail)["domains"] == [DOMAIN]
    # And it is theirs to take back.
    assert (await bench.undo(outcome, actor=SUE)).ok
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}


@pytest.mark.parametrize("action", sorted(REMEDIES))
async def test_nothing_is_done_to_anothers_by_asking_nor_by_a_button(
    bench: Bench, action: str
) -> None:
    limit(bench, DOMAIN, remedies={"delete_account": "operator"})
    ids = await bench.deferred(1, user=EVE)
    net = (ip_network("198.51.100.7"),)
    targets = [
        Target(account=EVE, query=SpoolQuery(sender=EVE), networks=net),
        Target(queue_ids=tuple(ids)),
        Target(query=_ALL, queue_ids=tuple(ids)),
        Target(networks=net),
    ]
    for target in targets:
        with pytest.raises(Refused, match=f"operator is for senders of {DOMAIN} only"):
            await bench.propose(action, target, actor=SUE)
        with pytest.raises(Refused, match=f"operator is for senders of {DOMAIN} only"):
            await bench.pipeline.allow(SUE, action, server="mail", target=target)
        offer = await bench.intents.offer(CHANNEL, action, server="mail", target=target)
        with pytest.raises(Refused, match=f"operator is for senders of {DOMAIN} only"):
            await bench.pipeline.execute(SUE, CHANNEL, offer)
        assert (await last(bench))[:3] == ("refused", action, SUE.key)
    assert await bench.phases() == [("refused", action)] * 3 * len(targets)
    assert (await bench.queues())[ids[0]] is Queue.DEFERRED
    assert await bench.state(EVE) is UserState.ACTIVE
    assert list(await bench.server.blocks()) == []


async def test_one_message_of_anothers_among_many_refuses_them_all(bench: Bench) -> None:
    mine, others = await bench.deferred(2), await bench.deferred(1, user=EVE)
    with pytest.raises(Refused, match="a message of these is another's or gone"):
        await bench.propose("move", Target(queue_ids=(*mine, *others)), actor=SUE)
    assert (await bench.act("move", Target(queue_ids=tuple(mine)), actor=SUE)).ok
    assert (await bench.queues())[others[0]] is Queue.DEFERRED


async def test_their_account_is_stopped_and_given_back(bench: Bench) -> None:
    mine, others = await bench.deferred(2), await bench.deferred(1, user=EVE)
    outcome = await bench.act("stop", Target(account=ANN.upper()), actor=SUE)
    assert outcome.ok
    queues = await bench.queues()
    assert {queues[queue_id] for queue_id in mine} == {Queue.HELD}
    assert queues[others[0]] is Queue.DEFERRED
    assert (await bench.undo(outcome, actor=SUE)).ok
    assert await bench.state() is UserState.ACTIVE


async def test_a_limit_set_between_asking_and_confirming_counts(bench: Bench) -> None:
    await bench.deferred(1)
    by_sender = await bench.propose("stop", Target(account=ANN), actor=SUE)
    by_query = await bench.propose("delete", Target(query=_ALL), actor=SUE)
    limit(bench, "other.test")
    for proposal in (by_sender, by_query):
        with pytest.raises(Refused, match=r"operator is for senders of other\.test only"):
            await bench.pipeline.execute(SUE, CHANNEL, proposal.intent_id)
    assert await bench.state() is UserState.ACTIVE
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}


async def test_what_a_form_changes_is_looked_at_too(bench: Bench) -> None:
    proposal = await bench.propose("disable", Target(account=ANN), actor=SUE)
    with pytest.raises(Refused, match="for senders of"):
        await bench.pipeline.execute(
            SUE,
            CHANNEL,
            proposal.intent_id,
            lambda target: target.model_copy(update={"account": EVE}),
        )
    assert await bench.state(EVE) is UserState.ACTIVE


async def test_what_others_did_to_everybodys_is_not_theirs_to_take_back(bench: Bench) -> None:
    mine, others = await bench.deferred(1), await bench.deferred(1, user=EVE)
    both = await bench.act("move", Target(query=_ALL))
    theirs = await bench.act("stop", Target(account=EVE))
    for outcome in (both, theirs):
        with pytest.raises(Refused, match=f"for senders of {DOMAIN} only"):
            await bench.undo(outcome, actor=SUE)
    queues = await bench.queues()
    assert {queues[i] for i in (*mine, *others)} == {Queue.QUARANTINE}
    assert await bench.state(EVE) is not UserState.ACTIVE
    assert (await bench.undo(both, actor=OPERATOR)).ok


async def test_a_second_person_must_be_one_for_these_senders(bench: Bench) -> None:
    bench.approval = bench.approval.model_copy(update={"remedies": ("stop",)})
    limit(bench, DOMAIN)

    async def asked_for(account: str) -> Intent:
        outcome = await bench.act("stop", Target(account=account))
        return await bench.intent(outcome.intent_id)

    for approve, action in ((True, "approve"), (False, "decline")):
        asked = await asked_for(EVE)
        button = await bench.intents.offer_decision(CHANNEL, action, asked)
        with pytest.raises(Refused, match=f"for senders of {DOMAIN} only"):
            await bench.pipeline.decide(SUE, CHANNEL, button, approve=approve)
        assert (await last(bench))[:3] == ("refused", "stop", SUE.key)
    assert await bench.state(EVE) is UserState.ACTIVE
    button = await bench.intents.offer_decision(CHANNEL, "approve", await asked_for(ANN))
    assert (await bench.pipeline.decide(SUE, CHANNEL, button, approve=True)).ok
    assert await bench.state() is not UserState.ACTIVE


async def test_a_form_of_somebody_unlimited_is_not_theirs_to_use(bench: Bench) -> None:
    await bench.deferred(1, user=EVE)
    proposal = await bench.propose("delete", Target(query=_ALL), actor=ADMIN)
    with pytest.raises(Expired, match="belongs to somebody else"):
        await bench.pipeline.execute(SUE, CHANNEL, proposal.intent_id)
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}


async def test_a_role_for_nobody_left_acts_on_no_message(bench: Bench) -> None:
    (queue_id,) = await bench.deferred(1)
    limit(bench, "nowhere.test")
    proposal = await bench.propose("delete", Target(query=_ALL), actor=SUE)
    assert proposal.target.queue_ids == ()
    with pytest.raises(Refused):
        await bench.propose("delete", Target(queue_ids=(queue_id,)), actor=SUE)
    assert set(await bench.queues()) == {queue_id}


async def test_of_a_campaign_only_their_accounts_messages_are_moved(bench: Bench) -> None:
    mine, others = await bench.deferred(2), await bench.deferred(3, user=EVE)
    both = Target(accounts=(ANN, EVE))
    proposal = await bench.propose("move", both, actor=SUE)
    assert set(proposal.target.queue_ids) == set(mine)
    later = await bench.deferred(1)
    outcome = await bench.pipeline.execute(SUE, CHANNEL, proposal.intent_id)
    assert outcome.sentence.startswith("To the folder review: 2 messages moved.")
    assert f"Not touched: 1 account of other domains than {DOMAIN}." in outcome.sentence
    queues = await bench.queues()
    assert {queues[queue_id] for queue_id in mine} == {Queue.QUARANTINE}
    assert {queues[queue_id] for queue_id in (*others, *later)} == {Queue.DEFERRED}
    assert (await bench.undo(outcome, actor=SUE)).ok
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}


async def test_a_role_that_shrank_meanwhile_moves_no_message_of_the_others(bench: Bench) -> None:
    limit(bench, DOMAIN, EVE.partition("@")[2])
    ids = (*await bench.deferred(2), *await bench.deferred(3, user=EVE))
    proposal = await bench.propose("delete", Target(accounts=(ANN, EVE)), actor=SUE)
    assert set(proposal.target.queue_ids) == set(ids)
    limit(bench, DOMAIN)
    with pytest.raises(Refused, match="a message of these is another's or gone"):
        await bench.pipeline.execute(SUE, CHANNEL, proposal.intent_id)
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}


@pytest.mark.parametrize("approve", [True, False])
async def test_who_is_for_some_of_the_accounts_decides_nothing_of_all_of_them(
    bench: Bench, approve: bool
) -> None:
    bench.approval = bench.approval.model_copy(update={"remedies": ("stop",)})
    bench.build()
    outcome = await bench.act("stop", Target(accounts=(ANN, EVE)))
    asked = await bench.intent(outcome.intent_id)
    action = "approve" if approve else "decline"
    button = await bench.intents.offer_decision(CHANNEL, action, asked)
    with pytest.raises(Refused, match="other domains' accounts were concerned too"):
        await bench.pipeline.decide(SUE, CHANNEL, button, approve=approve)
    assert (await bench.intent(asked.id)).state is IntentState.WAITING
    assert (await last(bench))[0] == "refused"
    assert await bench.state(ANN) is UserState.ACTIVE
    assert (await bench.pipeline.decide(ADMIN, CHANNEL, button, approve=True)).ok
    assert await bench.state(EVE) is UserState.NO_SENDING
