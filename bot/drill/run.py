"""Plays the drill from the first spam to the last audit entry."""

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.demo.stage import Plan, Stage, stage
from bot.drill import acting, reading, typed
from bot.drill.playing import WRONG, four_people, play, problem
from bot.drill.report import Feature, Report
from bot.drill.scene import ACCOUNT, Attack, remote_waits
from bot.drill.wire import Wire

Step = Callable[[Attack, Feature], Awaitable[None]]

STEPS: tuple[Step, ...] = (
    reading.alert,
    reading.roles,
    reading.dashboard,
    reading.search,
    reading.review,
    acting.acknowledge,
    acting.snooze,
    acting.stop,
    acting.undo_stop,
    acting.disable,
    acting.move,
    acting.delete,
    acting.block,
    typed.blocked,
    typed.disabled,
    typed.refusing,
    typed.moved,
    typed.deleted,
    acting.for_good,
    acting.false_alarm,
    reading.words,
    acting.one_each,
)


async def drill(
    seed: int = 1,
    *,
    said: Callable[[Feature], None] = lambda feature: None,
    watch: Callable[[Stage], None] = lambda stage: None,
) -> Report:
    """Play every step; return the report. ``watch`` is given the stage before it goes dark."""
    report, began = Report(seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spoolwarden-drill-") as folder:
        plan = Plan(Path(folder), seed=seed, detection={"poll_seconds": 1}, policy=remote_waits)
        try:
            async with stage(plan) as set_up, four_people(set_up.rooms[0]) as people:
                wire = Wire("127.0.0.1", set_up.server.port)
                scene = Attack(
                    stage=set_up, app=set_up.app, server=set_up.server, wire=wire, **people
                )
                for step in STEPS:
                    report.features.append(feature := await play(step, scene))
                    said(feature)
                    if step is reading.alert:
                        report.first_spam_to_alert_seconds = await _delay(scene)
                report.audit = (await set_up.app.audit.verify()).sentence
                watch(set_up)
        except WRONG as error:
            report.problem = problem(error)
    report.close(time.monotonic() - began)
    return report


async def _delay(scene: Attack) -> float:
    """Return the seconds from the first spam the server took to the alert's own time stamp."""
    first = next(s for s in await scene.server.submissions(None, 5000) if s.sender == ACCOUNT)
    card = await scene.otto.alert(ACCOUNT)
    return round((card.at or 0.0) - first.at.timestamp(), 2)
