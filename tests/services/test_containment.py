"""Automatic containment: when the bot holds by itself, when it does not, and how it is undone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from services.audit import Phase
from services.containment import CONTAIN, Containment, findings
from services.detection.confidence import confidence, shown
from services.detection.engine import OPENS_AT
from services.errors import ServerDown
from services.mail.port import Capability, MailServer, SpoolQuery, UserState
from services.models import Announcement, Incident, IncidentState, Intent, IntentState
from services.people import BOT
from services.settings import ContainmentSettings, SafetySettings
from services.targets import Target

from ..mail.harness import ANN, BOB
from .bench import CHANNEL, OPERATOR, Bench, containment_of, open_bench
from .test_cut_off import cut_off_in

_BURST = 60


def _containment(bench: Bench, **settings: Any) -> Containment:
    return containment_of(bench, **{"confidence": 90, **settings})


async def _attack(bench: Bench, user: str = ANN, number: int = _BURST, **over: Any) -> None:
    await bench.burst(number, user=user, **over)
    await bench.poll()


async def _held_and_goes_on(bench: Bench) -> None:
    """Have the bot hold what an account sends, and more of it come."""
    await _attack(bench)
    await _containment(bench).run(bench.server)
    bench.pass_time(seconds=20)
    await _attack(bench, number=7)


async def _counts(bench: Bench, user: str = ANN) -> tuple[int, int]:
    spool = (await bench.server.spool_of((user,)))[user]
    return spool.waiting, spool.held


async def test_it_holds_what_waits_says_why_and_leaves_the_account_alone(bench: Bench) -> None:
    await _attack(bench)
    assert await _containment(bench).run(bench.server) is True
    assert await _counts(bench) == (0, _BURST)
    assert await bench.state() is UserState.ACTIVE
    incident = await bench.incident()
    assert incident.state is IncidentState.OPEN
    assert incident.containment.startswith(
        "Spoolwarden itself holds what this account has waiting (confidence 9"
    )
    assert "90% is set): 60 messages in 5 min" in incident.containment
    log = [entry for entry in await bench.log() if entry.action == CONTAIN]
    assert [(entry.phase, entry.actor) for entry in log] == [
        (Phase.INTENT, BOT.key),
        (Phase.RESULT, BOT.key),
    ]
    # There is nothing more to hold.
    await bench.poll()
    assert await _containment(bench).run(bench.server) is False


async def test_what_comes_later_is_held_too_in_one_line_and_one_undo(bench: Bench) -> None:
    await _attack(bench)
    await _containment(bench).run(bench.server)
    await _attack(bench, number=7)
    bench.pass_time(seconds=20)
    assert await _containment(bench).run(bench.server) is True
    assert await _counts(bench) == (0, _BURST + 7)
    async with bench.store.reading() as session:
        done = await bench.intents.done_on((await bench.incident()).id or 0)
        del session
    assert done[CONTAIN].summary == (
        "7 messages held. The account was not touched. In all 67 held since it began."
    )
    assert len(await bench.told()) == 1
    undo_id = await bench.intents.offer_undo(CHANNEL, done[CONTAIN].id)
    assert undo_id is not None
    outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, undo_id)
    assert "67 messages released" in outcome.sentence
    assert (await _counts(bench))[1] == 0
    # Somebody took it back: it is people's now.
    await _attack(bench, number=7)
    assert await _containment(bench).run(bench.server) is False


async def test_what_goes_on_and_is_cut_off_is_taken_back_with_what_went_before(
    bench: Bench,
) -> None:
    await _held_and_goes_on(bench)
    await cut_off_in(bench, lambda: _containment(bench).run(bench.server))
    assert await _counts(bench) == (6, _BURST + 1)
    (_, cut) = await _acts(bench)
    assert cut.state is IntentState.INTERRUPTED
    # There is one line for both, hence one button.
    assert len(await bench.told()) == 1
    undo_id = await bench.intents.offer_undo(CHANNEL, cut.id)
    assert undo_id is not None
    assert (await bench.pipeline.execute(OPERATOR, CHANNEL, undo_id)).ok
    assert await _counts(bench) == (_BURST + 7, 0)


async def test_what_goes_on_after_it_was_cut_off_has_a_line_and_takes_all_of_it_back(
    bench: Bench,
) -> None:
    await _held_and_goes_on(bench)
    await cut_off_in(bench, lambda: _containment(bench).run(bench.server))
    bench.pass_time(seconds=20)
    assert await _containment(bench).run(bench.server) is True
    assert await _counts(bench) == (0, _BURST + 7)
    (first, cut, last) = await _acts(bench)
    async with bench.store.reading() as session:
        told_of = set((await session.exec(select(Announcement.intent_id))).all())
    assert told_of == {cut.id, last.id}
    assert [await bench.intents.offer_undo(CHANNEL, act.id) for act in (first, cut)] == [None, None]
    undo_id = await bench.intents.offer_undo(CHANNEL, last.id)
    assert undo_id is not None
    assert (await bench.pipeline.execute(OPERATOR, CHANNEL, undo_id)).ok
    assert await _counts(bench) == (_BURST + 7, 0)


async def test_what_goes_on_and_fails_leaves_what_went_before_to_be_taken_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _held_and_goes_on(bench)

    async def down(*_: object, **__: object) -> tuple[str, ...]:
        raise ServerDown("The mail server mail cannot be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(bench.server, "matching_ids", down)
        await _containment(bench).run(bench.server)
    assert await _counts(bench) == (7, _BURST)
    failed = (await _acts(bench))[-1]
    assert failed.state is IntentState.FAILED
    undo_id = await bench.intents.offer_undo(CHANNEL, failed.id)
    assert undo_id is not None
    assert (await bench.pipeline.execute(OPERATOR, CHANNEL, undo_id)).ok
    assert await _counts(bench) == (_BURST + 7, 0)


async def test_the_card_says_that_it_holds_once_it_does(bench: Bench) -> None:
    await _attack(bench)
    await cut_off_in(bench, lambda: _containment(bench).run(bench.server))
    assert (await bench.incident()).containment == ""
    assert await _containment(bench).run(bench.server) is True
    assert (await bench.incident()).containment.startswith("Spoolwarden itself holds")


async def _acts(bench: Bench) -> Sequence[Intent]:
    """Return what was begun by itself, in turn."""
    async with bench.store.reading() as session:
        rows = await session.exec(
            select(Intent)
            .where(Intent.action == CONTAIN, Intent.state != IntentState.OFFERED)
            .order_by(col(Intent.claimed_at))
        )
        return rows.all()


async def test_it_is_off_and_below_its_confidence_nothing_is_done(bench: Bench) -> None:
    await _attack(bench)
    assert await _containment(bench, enabled=False).run(bench.server) is False
    assert await _containment(bench, confidence=99.9999).run(bench.server) is False
    assert await _counts(bench) == (_BURST, 0)
    assert (await bench.incident()).containment == ""


async def test_a_dry_run_only_says_what_it_would_have_done_and_once(bench: Bench) -> None:
    await _attack(bench)
    dry = _containment(bench, dry_run=True)
    assert await dry.run(bench.server) is True
    await _attack(bench, number=5)
    assert await dry.run(bench.server) is False
    assert await _counts(bench) == (_BURST + 5, 0)
    (line,) = await bench.told()
    assert line.startswith("🤖 Dry run: its 60 waiting messages would have been held (confidence ")
    assert line.endswith("90% is set). Nothing was done.")


async def test_it_disables_only_where_told_so_and_the_undo_enables(bench: Bench) -> None:
    await _attack(bench)
    await _containment(bench, disable=True).run(bench.server)
    assert await bench.state() is UserState.NO_SENDING
    done = await bench.intents.done_on((await bench.incident()).id or 0)
    undo_id = await bench.intents.offer_undo(CHANNEL, done[CONTAIN].id)
    assert undo_id is not None
    assert (await bench.pipeline.execute(OPERATOR, CHANNEL, undo_id)).ok
    assert await bench.state() is UserState.ACTIVE
    assert (await _counts(bench))[1] == 0


async def test_no_more_accounts_an_hour_than_are_set(bench: Bench) -> None:
    await _attack(bench)
    contains = _containment(bench, accounts_an_hour=1)
    await contains.run(bench.server)
    await _attack(bench, BOB, subject="Cheap watches", client_ip="198.51.100.7")
    assert await contains.run(bench.server) is True  # it says so
    assert await _counts(bench, BOB) == (_BURST, 0)
    assert "1 account an hour is the limit that is set" in (await bench.told())[-1]
    bench.pass_time(hours=1, seconds=1)
    await _attack(bench, BOB, subject="Cheap watches", client_ip="198.51.100.7")
    await contains.run(bench.server)
    assert (await _counts(bench, BOB))[0] == 0


async def test_two_servers_looked_at_at_once_keep_to_one_limit(bench: Bench) -> None:
    await _attack(bench)
    await _attack(bench, BOB, subject="Cheap watches", client_ip="198.51.100.7")
    async with bench.store.session() as session:
        (row,) = (await session.exec(select(Incident).where(Incident.sender == BOB))).all()
        row.server = "other"
        session.add(row)
    other = cast(
        "MailServer", SimpleNamespace(name="other", capabilities=bench.server.capabilities)
    )
    bench.pipeline = bench.pipeline_of({"mail": bench.server, "other": bench.server})
    contains = _containment(bench, accounts_an_hour=1)
    await asyncio.gather(contains.run(bench.server), contains.run(other))
    held = [(await _counts(bench, user))[1] for user in (ANN, BOB)]
    assert sorted(held) == [0, _BURST]
    assert sum("is the limit that is set" in text for text in await bench.told()) == 1


async def test_a_protected_account_is_never_held(tmp_path_factory: pytest.TempPathFactory) -> None:
    safety = SafetySettings(protected_accounts=(ANN,))
    async with open_bench(tmp_path_factory.mktemp("protected"), safety) as bench:
        await _attack(bench)
        assert await _containment(bench).run(bench.server) is True
        assert await _counts(bench) == (_BURST, 0)
        assert "protected account" in (await bench.incident()).containment


async def test_who_is_known_to_send_much_is_never_held(bench: Bench) -> None:
    for _ in range(5):
        await bench.burst(30, subject="Newsletter")
        await bench.poll()
        bench.pass_time(days=1)
    await bench.burst(20, subject="Prize", client_ip="198.51.100.9")
    for number in range(6):
        await bench.burst(60, subject="Prize", client_ip=f"198.51.{number}.9")
    await bench.poll()
    assert (await bench.incident()).state is IncidentState.OPEN
    assert await _containment(bench, bulk_a_day=25).run(bench.server) is True
    assert "it is known to send as many as 30 a day" in (await bench.incident()).containment
    assert (await _counts(bench))[1] == 0


async def test_what_somebody_has_taken_on_is_left_to_them(bench: Bench) -> None:
    await _attack(bench)
    await bench.act("acknowledge", Target(account=ANN), incident_id=(await bench.incident()).id)
    assert await _containment(bench).run(bench.server) is False
    assert await _counts(bench) == (_BURST, 0)
    assert (await bench.server.search(SpoolQuery(sender=ANN), limit=1)).total == _BURST


class _CannotHold:
    """The mail server, as one that cannot hold."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        why = Capability(able=False, why="This server cannot hold messages.")
        self.capabilities = replace(server.capabilities, hold=why)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)


async def test_a_server_that_cannot_hold_is_told_of_and_nothing_is_tried(bench: Bench) -> None:
    server = cast(MailServer, _CannotHold(bench.server))
    settings = ContainmentSettings(enabled=True)
    assert findings(settings, bench.server) is None
    assert findings(ContainmentSettings(), server) is None
    assert findings(settings, server) == (
        "containment is on, but it can do nothing here: This server cannot hold messages."
    )
    await _attack(bench)
    assert await _containment(bench).run(server) is True
    assert (await bench.incident()).containment.endswith("This server cannot hold messages.")
    assert await _counts(bench) == (_BURST, 0)


@given(score=st.floats(0, 400), more=st.floats(0.001, 200))
def test_confidence_rises_with_the_score_and_never_is_certain(score: float, more: float) -> None:
    assert 0 <= confidence(score) <= confidence(score + more) <= 100
    assert confidence(OPENS_AT) == 50
    assert float(shown(confidence(score)).removesuffix("%")) <= confidence(score)


async def test_who_was_asked_before_it_went_on_takes_all_of_it_back(bench: Bench) -> None:
    await _attack(bench)
    await _containment(bench).run(bench.server)
    (first,) = await _acts(bench)
    asked = await bench.intents.offer_undo(CHANNEL, first.id)
    assert asked is not None
    # While somebody reads what is asked, more comes and is held.
    bench.pass_time(seconds=20)
    await _attack(bench, number=7)
    await _containment(bench).run(bench.server)
    assert await _counts(bench) == (0, _BURST + 7)
    outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, asked)
    assert (outcome.ok, outcome.sentence) == (True, "67 messages released.")
    assert await _counts(bench) == (_BURST + 7, 0)
    assert await _containment(bench).run(bench.server) is False


async def test_what_is_being_taken_back_is_not_gone_on_with(bench: Bench) -> None:
    await _held_and_goes_on(bench)
    (first,) = await _acts(bench)
    undo_id = await bench.intents.offer_undo(CHANNEL, first.id)
    assert undo_id is not None
    await _claim(bench, undo_id)
    assert await _containment(bench).run(bench.server) is False
    assert await _counts(bench) == (7, _BURST)
    assert [act.id for act in await _acts(bench)] == [first.id]


async def _claim(bench: Bench, intent_id: str) -> None:
    """Have an intent stand as one that is under way."""
    async with bench.store.session() as session:
        row = await session.get(Intent, intent_id)
        assert row is not None
        row.state, row.claimed_at = IntentState.CLAIMED, bench.clock.now()
        session.add(row)


async def test_whom_somebody_let_send_again_it_does_not_stop_anew(bench: Bench) -> None:
    await _attack(bench)
    await _containment(bench, disable=True).run(bench.server)
    bench.pass_time(seconds=20)
    assert (await bench.act("enable", Target(account=ANN))).ok
    await _attack(bench, number=7)
    assert (await bench.incident()).state is IncidentState.OPEN
    assert await _containment(bench, disable=True).run(bench.server) is False
    assert await bench.state() is UserState.ACTIVE
    assert await _counts(bench) == (7, _BURST)


async def test_what_was_cut_off_is_no_other_account_of_the_hour(bench: Bench) -> None:
    await _attack(bench)
    one_an_hour = {"accounts_an_hour": 1}
    await cut_off_in(bench, lambda: _containment(bench, **one_an_hour).run(bench.server))
    assert await _counts(bench) == (_BURST - 1, 1)
    bench.pass_time(seconds=20)
    await _containment(bench, **one_an_hour).run(bench.server)
    assert await _counts(bench) == (0, _BURST)
    assert (await bench.incident()).containment.startswith("Spoolwarden itself holds")
