"""Several accounts that are one campaign: who is merged, who is not, and acts on all of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from services.access import Access
from services.detection.campaigns import Traits, ties, traits
from services.detection.closing import summary_of
from services.detection.evidence import Evidence
from services.errors import Refused, ServerDown
from services.history import acts_on
from services.incidents import campaign_of, group_of
from services.intents import Intents
from services.mail.embedded import EmbeddedServer
from services.mail.port import Queue, SpoolQuery, UserState
from services.models import Announcement, Incident, IncidentState, Lesson, LessonKind
from services.people import Role
from services.responding import done_steps
from services.scope import Scope
from services.settings import AccessSettings, SafetySettings
from services.summary import summary
from services.targets import Target

from ..mail.harness import ANN, BOB, DOMAIN
from .bench import CEO, CHANNEL, OPERATOR, Bench, open_bench
from .test_cut_off import cut_off

_BURST = 44
CAT = f"cat@{DOMAIN}"


async def _attack(bench: Bench, *users: str, subject: str = "You won", ip: str = "") -> None:
    for number, user in enumerate(users):
        address = ip or f"198.51.{number + 1}.7"
        await bench.burst(_BURST, user=user, subject=subject, client_ip=address)


async def _both(bench: Bench) -> tuple[Incident, Incident]:
    await _attack(bench, ANN, BOB)
    await bench.poll()
    one, other = await bench.incidents()
    return one, other


# -- who is one campaign ---------------------------------------------------------------------


async def test_accounts_that_send_the_same_from_anywhere_are_one_campaign(bench: Bench) -> None:
    lead, other = await _both(bench)
    assert (lead.campaign, other.campaign) == (None, lead.id)
    assert other.joined_by == "the same subject: “You won”"
    (line,) = await bench.told()
    assert line == (
        f"{other.sender} joins, sharing the same subject: “You won”. 2 accounts, one campaign."
    )
    assert [e.action for e in await bench.log()].count("campaign merged") == 1
    # Looking again changes nothing.
    assert (await bench.poll()).changed is False
    assert len(await bench.told()) == 1


async def test_accounts_of_one_network_are_one_campaign_whatever_they_send(bench: Bench) -> None:
    await _attack(bench, ANN, ip="198.51.100.7")
    await bench.poll()
    await _attack(bench, BOB, subject="Cheap watches", ip="198.51.100.200")
    await bench.poll()
    lead, other = await bench.incidents()
    assert (lead.campaign, other.campaign) == (None, lead.id)
    assert other.joined_by == "the network 198.51.100.0/24"


async def test_accounts_with_nothing_in_common_stay_apart(bench: Bench) -> None:
    await _attack(bench, ANN)
    await _attack(bench, BOB, subject="Cheap watches", ip="203.0.113.9")
    await bench.poll()
    assert [row.campaign for row in await bench.incidents()] == [None, None]


@pytest.mark.parametrize("ip", ["10.1.2.3", "127.0.0.1", "192.0.2.77"])
async def test_a_private_own_or_trusted_network_merges_nobody(
    tmp_path_factory: pytest.TempPathFactory, ip: str
) -> None:
    safety = SafetySettings(trusted_networks=("192.0.2.0/24",))
    async with open_bench(tmp_path_factory.mktemp("trusted"), safety) as bench:
        await _attack(bench, ANN, ip=ip)
        await _attack(bench, BOB, subject="Cheap watches", ip=ip)
        await bench.poll()
        assert [row.campaign for row in await bench.incidents()] == [None, None]


async def test_an_office_whose_other_accounts_do_not_alarm_merges_nobody(bench: Bench) -> None:
    for number in range(3):
        user = f"colleague{number}@{DOMAIN}"
        await bench.mail.add_user(user)
        await bench.burst(1, user=user, subject="Minutes", client_ip="198.51.100.50")
    await _attack(bench, ANN, ip="198.51.100.7")
    await _attack(bench, BOB, subject="Cheap watches", ip="198.51.100.8")
    await bench.poll()
    assert [row.sender for row in await bench.incidents()] == [ANN, BOB]
    assert [row.campaign for row in await bench.incidents()] == [None, None]


async def test_who_alarmed_from_a_network_within_a_day_makes_it_no_offices(bench: Bench) -> None:
    first = [f"first{n}@{DOMAIN}" for n in range(3)]
    for address in (*first, CAT):
        await bench.mail.add_user(address)
    await _attack(bench, *first, subject="Cheap watches", ip="198.51.100.7")
    await bench.poll()
    for address in first:
        await bench.act("stop", Target(account=address))
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    assert {row.state for row in await bench.incidents()} == {IncidentState.CLOSED}
    bench.pass_time(hours=1)
    await _attack(bench, ANN, subject="You won", ip="198.51.100.7")
    await _attack(bench, CAT, subject="Your parcel waits", ip="198.51.100.8")
    await bench.poll()
    ann, cat = (await bench.incidents())[3:]
    assert cat.campaign == ann.id
    assert cat.joined_by == "the network 198.51.100.0/24"


async def test_two_incidents_that_turn_out_to_be_one_go_on_as_the_older(bench: Bench) -> None:
    await _attack(bench, ANN)
    await bench.poll()
    await _attack(bench, BOB, subject="Cheap watches", ip="203.0.113.9")
    await bench.poll()
    bench.pass_time(seconds=40)
    await _attack(bench, BOB, ip="203.0.113.9")
    before = {row.id: row.version for row in await bench.incidents()}
    assert (await bench.poll()).changed is True
    lead, younger = await bench.incidents()
    assert younger.campaign == lead.id
    assert all(row.version > before[row.id] for row in (lead, younger))


_kinds = st.lists(
    st.tuples(
        st.sampled_from(["198.51.100.7", "198.51.100.9", "203.0.113.5", "10.0.0.1", None]),
        st.sampled_from(["You won 1", "You won 2", "Minutes of Monday", "hello", ""]),
        st.integers(1, 50),
    ),
    max_size=6,
)


@given(found=st.dictionaries(st.sampled_from("abcdef"), _kinds, max_size=6))
def test_a_tie_is_of_accounts_that_each_have_what_it_names(
    found: dict[str, list[tuple[str | None, str, int]]],
) -> None:
    known = {sender: traits(kinds) for sender, kinds in found.items()}
    alike, networks = ties(known, lambda sender: sender)
    for tie in alike:
        assert len(set(tie.senders)) == len(tie.senders) > 1
        assert all(known[sender].contents for sender in tie.senders)
    for network, senders in networks.items():
        assert len(senders) > 1
        assert all(network in known[sender].networks for sender in senders)
    # Who is one already is tied to nobody new.
    assert ties(known, lambda _: 1) == ([], {})


def test_subjects_that_share_a_number_and_a_small_word_are_not_the_same() -> None:
    one = traits([("192.0.2.1", "Your parcel 2309 is waiting: confirm your address", 50)])
    other = traits([("198.51.100.1", "Invoice 1234 is due", 50)])
    varied = traits([("203.0.113.1", "Your parcel 17 is waiting, confirm the address", 50)])
    alike, _ = ties({"a": one, "b": other, "c": varied}, lambda sender: sender)
    assert {tie.senders for tie in alike} == {("a", "c")}


def test_a_few_messages_or_a_word_that_anybody_writes_are_no_trait() -> None:
    few = traits([("198.51.100.7", "You won", 2), ("203.0.113.5", "Minutes", 400)])
    assert few == Traits(frozenset({"203.0.113.0/24"}), {})
    copies = traits([("198.51.100.7", f"You won {n}", 1) for n in range(6)])
    assert "You won 0" in copies.contents.values()


# -- acts on all of them ---------------------------------------------------------------------


async def test_all_accounts_are_stopped_in_one_act_and_put_back_by_one_undo(bench: Bench) -> None:
    lead, _ = await _both(bench)
    outcome = await bench.act("stop", Target(accounts=(ANN, BOB)), incident_id=lead.id)
    assert outcome.sentence == (
        "2 accounts can no longer send and still receive; 88 messages held. "
        f"{ANN}: 44 held. {BOB}: 44 held."
    )
    assert [await bench.state(user) for user in (ANN, BOB)] == [UserState.NO_SENDING] * 2
    assert {row.state for row in await bench.incidents()} == {IncidentState.REMEDIED}
    assert (await bench.undo(outcome)).sentence == (
        "2 accounts put back as before. 88 messages released."
    )
    assert [await bench.state(user) for user in (ANN, BOB)] == [UserState.ACTIVE] * 2
    assert {row.state for row in await bench.incidents()} == {IncidentState.OPEN}
    assert set((await bench.queues()).values()) == {Queue.ACTIVE}


async def test_an_act_on_one_account_leaves_the_others_of_its_campaign(bench: Bench) -> None:
    lead, other = await _both(bench)
    mine = other if other.sender == BOB else lead
    await bench.act("stop", Target(account=BOB), incident_id=mine.id)
    states = {row.sender: row.state for row in await bench.incidents()}
    assert states == {ANN: IncidentState.OPEN, BOB: IncidentState.REMEDIED}
    # What is left is stopped by an act on the campaign, which is no repetition of the first.
    outcome = await bench.act("stop", Target(accounts=(ANN,)), incident_id=lead.id)
    assert outcome.ok
    assert {row.state for row in await bench.incidents()} == {IncidentState.REMEDIED}


async def test_the_card_is_drawn_anew_when_an_act_on_one_account_of_it_was_cut_off(
    bench: Bench,
) -> None:
    lead, other = await _both(bench)
    outcome = await bench.act("stop", Target(account=other.sender), incident_id=other.id)
    shown = (await bench.incidents())[0].version
    # Its button is on the campaign's card, and is used up.
    assert outcome.undo_id is not None
    await cut_off(bench, outcome.undo_id)
    assert (await bench.incidents())[0].id == lead.id
    assert (await bench.incidents())[0].version > shown


async def test_a_protected_account_is_left_out_and_said_so(bench: Bench) -> None:
    lead, _ = await _both(bench)
    outcome = await bench.act("stop", Target(accounts=(ANN, CEO)), incident_id=lead.id)
    assert outcome.ok
    assert "Not touched: ceo@" in outcome.sentence
    assert "is a protected account" in outcome.sentence
    assert await bench.state(CEO) is UserState.ACTIVE
    with pytest.raises(Refused, match="protected"):
        await bench.act("stop", Target(accounts=(CEO,)), incident_id=lead.id)


async def test_somebody_of_one_domain_stops_that_domains_accounts_only(bench: Bench) -> None:
    lead, _ = await _both(bench)
    access = AccessSettings(operators=(OPERATOR.user_id,), domains={OPERATOR.user_id: (DOMAIN,)})
    bench.access = Access(access, {}, bench.clock)
    bench.build()
    outsider = "eve@elsewhere.test"
    outcome = await bench.act("stop", Target(accounts=(ANN, outsider)), incident_id=lead.id)
    assert outcome.ok
    assert f"Not touched: 1 account of other domains than {DOMAIN}." in outcome.sentence
    assert outsider not in outcome.sentence
    with pytest.raises(Refused, match="other domains"):
        await bench.act("acknowledge", Target(accounts=(outsider,)), incident_id=lead.id)


async def test_what_fails_with_one_account_keeps_no_other_from_being_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _ = await _both(bench)
    nobody = f"nobody@{DOMAIN}"  # sends, and is no mailbox: there is nothing to disable
    outcome = await bench.act("stop", Target(accounts=(nobody, ANN)), incident_id=lead.id)
    assert outcome.ok
    assert await bench.state(ANN) is UserState.NO_SENDING
    states = {row.sender: row.state for row in await bench.incidents()}
    assert states == {ANN: IncidentState.REMEDIED, BOB: IncidentState.OPEN}


async def test_who_was_stopped_counts_as_stopped_where_another_could_not_be(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, other = await _both(bench)
    set_state = EmbeddedServer.set_user_state

    async def failing(self: EmbeddedServer, address: str, state: UserState) -> UserState:
        if address == BOB:
            raise ServerDown("It does not answer.")
        return await set_state(self, address, state)

    monkeypatch.setattr(EmbeddedServer, "set_user_state", failing)
    bench.pass_time(minutes=1)
    outcome = await bench.act("stop", Target(accounts=(ANN, BOB)), incident_id=lead.id)
    assert not outcome.ok
    for minutes in (6, 31):
        bench.pass_time(minutes=minutes)
        await bench.poll()
    lead, other = await bench.incidents()
    assert lead.state is other.state is IncidentState.CLOSED
    assert json.loads(lead.summary)[2] == (
        "Detected 0 s after the first message; stopped 1 min after the alert."
    )
    async with bench.store.reading() as session:
        assert "**Stopped**: 1 of 2 accounts" in await summary(session, lead)
        lessons = (await session.exec(select(Lesson))).all()
    assert [(lesson.sender, lesson.kind) for lesson in lessons] == [(ANN, LessonKind.ABUSED)]


async def test_a_false_alarm_of_a_campaign_teaches_of_each_account(bench: Bench) -> None:
    lead, _ = await _both(bench)
    await bench.act("false_alarm", Target(accounts=(ANN, BOB)), incident_id=lead.id)
    assert {row.state for row in await bench.incidents()} == {IncidentState.FALSE_ALARM}
    assert (await bench.poll()).opened == 0


# -- its life --------------------------------------------------------------------------------


async def test_an_account_that_joins_an_acknowledged_campaign_waits_with_it(bench: Bench) -> None:
    await bench.burst(120, user=ANN)
    await bench.poll()
    lead = await bench.incident()
    await bench.act("acknowledge", Target(account=ANN), incident_id=lead.id)
    await _attack(bench, BOB)
    await bench.poll()
    states = {row.sender: (row.state, row.state_by) for row in await bench.incidents()}
    assert states[BOB] == (IncidentState.ACKNOWLEDGED, OPERATOR.name)
    # 120 when it was acknowledged: with the newcomer's it doubles.
    await bench.burst(80, user=BOB)
    await bench.poll()
    assert {row.state for row in await bench.incidents()} == {IncidentState.OPEN}
    assert (
        "It has doubled since it was acknowledged: 244 messages by now, 120 then. It is open again."
    ) in await bench.told()


async def test_a_campaign_is_closed_once_all_of_it_is_quiet(bench: Bench) -> None:
    lead, _ = await _both(bench)
    await bench.act("stop", Target(accounts=(ANN, BOB)), incident_id=lead.id)
    for minutes in (6, 20):
        bench.pass_time(minutes=minutes)
        await bench.poll()
    assert {row.state for row in await bench.incidents()} == {IncidentState.REMEDIED}
    bench.pass_time(minutes=11)
    await bench.poll()
    rows = await bench.incidents()
    assert {(row.state, row.open_key) for row in rows} == {(IncidentState.CLOSED, None)}
    assert json.loads(rows[0].summary)[0] == "88 messages in all by 2 accounts, within 0 s."
    assert (await bench.told())[-1].startswith("Closed: quiet for 30 min. 88 messages in all by 2")
    await bench.server.set_user_state(BOB, UserState.ACTIVE)
    bench.pass_time(minutes=1)
    await _attack(bench, BOB)
    await bench.poll()
    rows = await bench.incidents()
    assert {row.sender: row.state for row in rows} == {
        ANN: IncidentState.CLOSED,
        BOB: IncidentState.OPEN,
    }
    told = await bench.told()
    assert any(line.startswith(f"Reopened: {BOB} alarms again, ") for line in told)
    # How bad it is needs no line beside that one.
    assert [row.reopened_at for row in rows] == [None, bench.clock.now()]
    assert not any(line.startswith("Severity rises") for line in told)


async def test_what_waits_of_a_campaign_is_of_now_also_of_who_was_closed_before(
    bench: Bench,
) -> None:
    await _both(bench)
    stop = await bench.act("stop", Target(account=ANN), incident_id=1)
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    rows = await bench.incidents()
    assert json.loads(rows[0].summary)[1].endswith("Now 44 held, 44 waiting.")
    assert (await bench.undo(stop)).ok  # what was held of Ann waits again
    bench.pass_time(minutes=1)
    await _attack(bench, BOB)
    await bench.poll()
    assert (await bench.incidents())[1].state is IncidentState.OPEN
    await bench.poll()
    evidence = Evidence.model_validate_json((await bench.incidents())[0].evidence)
    assert (evidence.queued, evidence.held) == (44, 0)
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    rows = await bench.incidents()
    assert json.loads(rows[0].summary)[1].endswith("Now 0 held, 132 waiting.")


async def test_what_waits_of_an_account_with_two_incidents_of_a_campaign_counts_once(
    bench: Bench,
) -> None:
    await _both(bench)
    await bench.act("false_alarm", Target(account=BOB), incident_id=2)
    bench.pass_time(minutes=1)
    for _ in range(4):
        await _attack(bench, BOB, ip="203.0.113.9")
    await _attack(bench, ANN)
    for _ in range(2):
        bench.pass_time(seconds=40)
        await bench.burst(1)
        await bench.burst(1, user=BOB, client_ip="203.0.113.9")
        await bench.poll()
    rows = await bench.incidents()
    assert [(row.sender, row.campaign) for row in rows] == [(ANN, None), (BOB, 1), (BOB, 1)]
    queued = [Evidence.model_validate_json(row.evidence).queued for row in rows]
    assert queued == [2 * _BURST + 2, 0, 5 * _BURST + 2]


async def test_offers_of_a_campaign_hold_the_accounts_that_were_shown(bench: Bench) -> None:
    lead, _ = await _both(bench)
    assert lead.id is not None
    intents: Intents = bench.intents
    shown = await intents.offers(CHANNEL, "mail", {"stop": Target(accounts=(ANN,))}, lead.id)
    await bench.pipeline.execute(OPERATOR, CHANNEL, shown["stop"])
    assert await bench.state(BOB) is UserState.ACTIVE
    assert (await bench.server.search(SpoolQuery(queues=(Queue.HELD,)), limit=1)).total == 44


async def test_severity_rises_and_falls_and_a_rise_is_told_once(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    first = await bench.incident()
    assert (first.severity, first.worst) == (1, 1)
    bench.pass_time(minutes=1)
    await bench.burst(120)
    await bench.poll()
    assert (await bench.incident()).severity == 2
    bench.pass_time(minutes=6)
    await bench.poll()
    assert (await bench.incident()).severity == 0
    await bench.burst(150)
    await bench.poll()
    (line,) = [line for line in await bench.told() if "Severity" in line]
    assert line.startswith("Severity rises to high: 164 messages in the last 5 min, score ")


async def test_who_was_enabled_after_all_were_stopped_can_be_stopped_alone(bench: Bench) -> None:
    lead, _ = await _both(bench)
    everybody = Target(accounts=(ANN, BOB))
    assert (await bench.act("stop", everybody, incident_id=lead.id)).ok
    for action in ("password", "enable"):
        bench.pass_time(seconds=1)
        assert (await bench.act(action, Target(account=ANN), incident_id=lead.id)).ok
    bench.pass_time(seconds=1)
    assert (await bench.act("stop", Target(account=ANN), incident_id=lead.id)).ok
    user = await bench.server.user(ANN)
    assert user is not None
    assert user.state is UserState.NO_SENDING


# -- the checklist of a campaign ---------------------------------------------------------------


async def test_a_campaigns_steps_are_done_once_they_are_for_all_of_its_accounts(
    bench: Bench,
) -> None:
    lead, other = await _both(bench)
    await bench.act("stop", Target(account=lead.sender), incident_id=lead.id)
    await bench.act("password", Target(account=other.sender), incident_id=other.id)

    async def done() -> set[str]:
        async with bench.store.reading() as session:
            return set(await done_steps(session, *await group_of(session, lead.id or 0)))

    assert not await done() & {"disable", "password"}
    await bench.act("stop", Target(account=other.sender), incident_id=other.id)
    assert await done() & {"disable", "password"} == {"disable"}
    await bench.act("password", Target(account=lead.sender), incident_id=lead.id)
    assert await done() >= {"disable", "password"}
    enabled = Target(account=other.sender, user_state=UserState.ACTIVE)
    await bench.undo(await bench.act("enable", enabled, incident_id=other.id))
    assert await done() >= {"disable", "password"}


async def test_its_checklist_is_told_anew_when_an_account_joins_is_acted_on_or_it_is_closed(
    bench: Bench,
) -> None:
    await _attack(bench, ANN)
    await bench.poll()
    (lead,) = await bench.incidents()
    began = await bench.act("respond", Target(account=ANN), incident_id=lead.id)

    async def version() -> int:
        async with bench.store.reading() as session:
            query = select(Announcement).where(Announcement.intent_id == began.intent_id)
            return (await session.exec(query)).one().version

    seen = await version()
    await _attack(bench, BOB)
    await bench.poll()
    assert (joined := await version()) > seen
    _, other = await bench.incidents()
    await bench.act("stop", Target(account=BOB), incident_id=other.id)
    assert (stopped := await version()) > joined
    bench.pass_time(minutes=6)
    await bench.poll()
    bench.pass_time(minutes=31)
    await bench.poll()
    assert {row.state for row in await bench.incidents()} == {IncidentState.CLOSED}
    assert await version() > stopped


async def test_an_act_on_all_of_a_campaign_is_told_of_each_account_and_a_look_of_none(
    bench: Bench,
) -> None:
    lead, other = await _both(bench)
    whole = Target(accounts=(lead.sender, other.sender))
    await bench.act("respond", whole, incident_id=lead.id)
    await bench.act("stop", whole, incident_id=lead.id)
    for account in (lead.sender, other.sender):
        async with bench.store.reading() as session:
            done = await acts_on(session, "mail", account, 5)
        assert [(entry.action, entry.actor_name) for entry in done] == [("stop", "Olga")]
    async with bench.store.reading() as session:
        assert not await acts_on(session, "mail", CAT, 5)


async def test_a_summary_is_of_the_whole_campaign_whichever_of_its_incidents_is_asked_for(
    bench: Bench,
) -> None:
    lead, other = await _both(bench)
    await bench.act(
        "stop", Target(accounts=(lead.sender, other.sender)), incident_id=lead.id
    )  # the card's button
    await bench.poll()
    async with bench.store.reading() as session:
        text = await summary(session, lead)
        assert await summary(session, other) == text
    assert text.startswith(f"# Campaign of incident {lead.id}: 2 accounts on mail\n")
    assert "- **One campaign**: they share the same subject: “You won”\n" in text
    assert "- **State**: remedied by Olga\n" in text
    assert (
        "- **Stopped**: 2 of 2 accounts, the last 2026-03-02 09:00:00 UTC by Olga, 0 s after the "
        "alert\n"
    ) in text
    assert "- 88 messages sent in this burst, at most 88 in 5 min\n" in text
    assert "- From 2 addresses: 198.51.1.7 (44), 198.51.2.7 (44)\n" in text
    for row in (lead, other):
        assert (
            f"- {row.sender} (incident {row.id}, remedied by Olga): 44 messages, 0 waiting, "
            "44 held\n"
        ) in text
    assert text.count("**Olga**: ") == 1
    assert "0 waiting and 88 held" in text


async def test_a_campaigns_summary_tells_each_act_on_one_of_its_accounts(bench: Bench) -> None:
    lead, other = await _both(bench)
    await bench.act("stop", Target(account=other.sender), incident_id=other.id)
    async with bench.store.reading() as session:
        text = await summary(session, lead)
    assert "- **Stopped**: 1 of 2 accounts, the last " in text
    assert text.count("**Olga**: ") == 1
    assert "- **State**: open\n" in text


async def test_a_summary_for_some_domains_has_their_accounts_alone(bench: Bench) -> None:
    outside = "dan@other.test"
    await bench.mail.add_user(outside)
    await _attack(bench, ANN, BOB, outside)
    await bench.poll()
    rows = {row.sender: row for row in await bench.incidents()}
    theirs = rows[outside]
    everybody = Target(accounts=tuple(rows))
    await bench.act("stop", everybody, incident_id=min(row.id or 0 for row in rows.values()))
    only = Scope(Role.OPERATOR, frozenset({"other.test"}))
    async with bench.store.reading() as session:
        text = await summary(session, theirs, only)
        both = await summary(session, rows[ANN], Scope(Role.OPERATOR, frozenset({DOMAIN})))
    assert text.startswith(f"# Incident {theirs.id}: {outside} on mail\n")
    assert DOMAIN not in text
    assert "44 messages sent in this burst" in text
    assert "- **Stopped**: 2026-03-02 09:00:00 UTC by Olga, 0 s after the alert\n" in text
    assert outside not in both
    assert "88 messages sent in this burst" in both


async def test_the_summary_of_each_account_tells_of_the_act_that_stopped_all(bench: Bench) -> None:
    lead, other = await _both(bench)
    bench.pass_time(minutes=3)
    await bench.act("stop", Target(accounts=(ANN, BOB)), incident_id=lead.id)
    for incident in (lead, other):
        async with bench.store.reading() as session:
            text = await summary(session, incident)
        assert "by Olga, 3 min after the alert" in text, incident.sender
        assert "**Olga**: 2 accounts can no longer send" in text, incident.sender


async def test_a_summary_names_nobody_of_other_domains_to_who_may_not_see_them(
    bench: Bench,
) -> None:
    eve = "eve@evil.test"
    await bench.mail.add_user(eve)
    await _attack(bench, ANN, eve)
    await bench.poll()
    rows = {row.sender: row for row in await bench.incidents()}
    assert len({campaign_of(row) for row in rows.values()}) == 1
    lead = rows[ANN].campaign or rows[ANN].id
    await bench.act("stop", Target(accounts=(ANN, eve)), incident_id=lead)
    async with bench.store.reading() as session:
        mine = await summary(session, rows[ANN], Scope(Role.OPERATOR, frozenset({DOMAIN})))
        whole = await summary(session, rows[ANN])
    assert eve in whole
    assert "evil" not in mine
    assert "**One campaign with**: 1 incident of other domains" in mine
    assert "**Olga**: stopping its sending" in mine


async def test_the_summary_of_an_incident_that_was_opened_again_tells_when_and_of_its_last_stop(
    bench: Bench,
) -> None:
    incident_id = await bench.alert()
    await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    await bench.server.set_user_state(ANN, UserState.ACTIVE)
    bench.pass_time(hours=2)
    async with bench.store.session() as session:
        row = await session.get(Incident, incident_id)
        assert row is not None
        row.state, row.state_at = IncidentState.OPEN, bench.clock.now()
        row.reopened_at = bench.clock.now()
        session.add(row)
        text = await summary(session, row)
        said = await summary_of(session, [row])
    assert "**Alerted again**: 2026-03-02 11:00:00 UTC" in text
    assert "- 2026-03-02 11:00:00 incident opened again" in text
    assert "**Stopped**: not through Spoolwarden" in text
    # Neither does what is told when it is closed.
    assert said[2] == "Detected 0 s after the first message; nobody stopped it."
    bench.pass_time(minutes=4)
    await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    async with bench.store.reading() as session:
        text = await summary(session, await bench.incident())
        said = await summary_of(session, [await bench.incident()])
    assert "by Olga, 4 min after the alert" in text
    assert "stopped 4 min after the alert" in said[2]
