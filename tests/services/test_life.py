"""Any order of alerts, acts, undos, old buttons and restarts: what must hold, holds."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from services.errors import Expired
from services.mail.port import SpoolQuery, UserState
from services.pipeline import Outcome
from services.targets import Target

from ..mail.harness import ANN
from .bench import CEO, CHANNEL, OPERATOR, Bench, open_bench

_T = TypeVar("_T")
_MINE = SpoolQuery(sender=ANN)
_ACTS = {
    "stop": Target(account=ANN),
    "disable": Target(account=ANN, user_state=UserState.REFUSING),
    "enable": Target(account=ANN),
    "move": Target(query=_MINE, folder="evidence"),
    "delete": Target(query=_MINE),
    "restore": Target(query=_MINE),
    "retry": Target(query=_MINE),
    "block": Target(networks=(ip_network("198.51.100.7"),), lasting=timedelta(days=30)),
    "unblock": Target(networks=(ip_network("198.51.100.7"),)),
    "acknowledge": Target(account=ANN),
    "snooze": Target(account=ANN, lasting=timedelta(minutes=20)),
    "false_alarm": Target(account=ANN),
}
_actions = st.sampled_from(sorted(_ACTS))


class Life(RuleBasedStateMachine):
    """One mail server and its bot; hypothesis decides what happens to them."""

    undos = Bundle("undos")
    used = Bundle("used")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.folder = TemporaryDirectory()
        self.sent = 0
        self.versions: dict[int, int] = {}

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.bench: Bench = self.run(
            self.stack.enter_async_context(open_bench(Path(self.folder.name)))
        )

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    async def _server(self) -> object:
        """All that acts can change on the mail server."""
        server = self.bench.server
        blocks = [(b.network, b.reason, b.until) for b in await server.blocks()]
        page = await server.search(SpoolQuery(), limit=1000)
        return await self.bench.state(), blocks, page.messages

    async def _press(self, action: str) -> Outcome | None:
        """Press a live incident's button, or ask for it by name."""
        live = [i for i in await self.bench.incidents() if i.open_key is not None]
        try:
            return await self.bench.act(
                action, _ACTS[action], incident_id=live[0].id if live else None
            )
        except Expired:
            return None  # it stands already

    # -- what happens -------------------------------------------------------------------

    @rule(number=st.integers(1, 4))
    def somebody_sends(self, number: int) -> None:
        async def send() -> None:
            if await self.bench.state() is UserState.ACTIVE:
                await self.bench.burst(number)
                self.sent += number

        self.run(send())

    @rule()
    def an_alert_opens(self) -> None:
        async def alert() -> None:
            live = [i for i in await self.bench.incidents() if i.open_key is not None]
            if not live and await self.bench.state() is UserState.ACTIVE:
                await self.bench.alert(2)
                self.sent += 2

        self.run(alert())

    @rule(minutes=st.sampled_from([1, 7, 40]))
    def time_passes_and_the_bot_looks(self, minutes: int) -> None:
        self.bench.pass_time(minutes=minutes)
        self.run(self.bench.poll())

    @rule(target=undos, action=_actions)
    def somebody_acts(self, action: str) -> Any:
        outcome = self.run(self._press(action))
        return multiple(*([outcome] if outcome and outcome.undo_id else []))

    @rule(action=_actions)
    def somebody_acts_and_takes_it_back_at_once(self, action: str) -> None:
        async def act_and_undo() -> None:
            before = await self._server()
            outcome = await self._press(action)
            if outcome is not None and outcome.undo_id is not None:
                assert (await self.bench.undo(outcome)).ok
                assert await self._server() == before

        self.run(act_and_undo())

    @rule(target=used, outcome=consumes(undos))
    def somebody_takes_an_old_act_back(self, outcome: Outcome) -> Any:
        undone = self.run(self.bench.undo(outcome))
        assert undone.ok
        return multiple(outcome.intent_id, undone.intent_id)

    @rule(intent_id=used)
    def somebody_presses_a_used_button(self, intent_id: str) -> None:
        async def press() -> None:
            before = await self._server()
            with pytest.raises(Expired):
                await self.bench.pipeline.execute(OPERATOR, CHANNEL, intent_id)
            assert await self._server() == before

        self.run(press())

    @rule()
    def the_bot_and_the_server_restart(self) -> None:
        async def restart() -> None:
            await self.bench.mail.restart()
            self.bench.build()
            assert await self.bench.upkeep.recover() == 0

        self.run(restart())

    # -- what must hold -----------------------------------------------------------------

    @invariant()
    def no_message_is_lost_or_sent_twice(self) -> None:
        assert len(self.run(self.bench.queues())) == self.sent

    @invariant()
    def there_is_one_live_incident_and_its_version_only_rises(self) -> None:
        incidents = self.run(self.bench.incidents())
        assert len([i for i in incidents if i.open_key is not None]) <= 1
        for incident in incidents:
            assert incident.id is not None
            assert incident.version >= self.versions.get(incident.id, 1)
            self.versions[incident.id] = incident.version

    @invariant()
    def every_act_is_audited_once_before_and_once_after(self) -> None:
        entries = self.run(self.bench.log())
        phases = Counter((e.phase, e.intent_id) for e in entries if e.intent_id is not None)
        begun = {intent for phase, intent in phases if phase == "intent"}
        ended = {intent for phase, intent in phases if phase == "result"}
        assert begun == ended
        assert all(phases[phase, i] == 1 for i in begun for phase in ("intent", "result"))
        assert self.run(self.bench.audit.verify()).broken_at is None

    @invariant()
    def the_protected_account_is_left_alone(self) -> None:
        assert self.run(self.bench.state(CEO)) is UserState.ACTIVE


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
