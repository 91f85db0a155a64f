"""Plays the drill from the first spam to the last audit entry."""

import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from bot.demo.sender import SmtpRefused
from bot.demo.stage import ADA, NOBU, OTTO, VERA, Plan, Stage, stage
from bot.drill import acting, reading
from bot.drill.hands import Hands
from bot.drill.report import Feature, Report
from bot.drill.scene import ACCOUNT, Scene, remote_waits
from bot.drill.wire import Wire
from services.errors import SpoolwardenError

Step = Callable[[Scene, Feature], Awaitable[None]]

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
    acting.commands,
    acting.folders,
    acting.for_good,
    acting.false_alarm,
    reading.words,
    acting.one_each,
)
#: Whatever a step may meet that says that the feature does not work.
_WRONG = (
    AssertionError,
    LookupError,
    TimeoutError,
    ValueError,
    OSError,
    SmtpRefused,
    SpoolwardenError,
    aiohttp.ClientError,
    ExceptionGroup,
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
            async with stage(plan) as set_up, contextlib.AsyncExitStack() as people:
                await set_up.workspace.until_app_connected()
                hands = [
                    Hands(await people.enter_async_context(set_up.workspace.member(member.id)))
                    for member in (OTTO, VERA, ADA, NOBU)
                ]
                wire = Wire("127.0.0.1", set_up.server.port)
                scene = Scene(set_up, hands[0], hands[1], hands[2], hands[3], wire)
                for step in STEPS:
                    report.features.append(feature := await _play(step, scene))
                    said(feature)
                    if step is reading.alert:
                        report.first_spam_to_alert_seconds = await _delay(scene)
                report.audit = (await set_up.app.audit.verify()).sentence
                watch(set_up)
        except _WRONG as error:
            report.problem = f"{type(error).__name__}: {error}"
    report.close(time.monotonic() - began)
    return report


async def _play(step: Step, scene: Scene) -> Feature:
    feature, began = Feature(step.__name__), time.monotonic()
    try:
        await step(scene, feature)
    except _WRONG as error:
        feature.problem = f"{type(error).__name__}: {error}"
    feature.seconds = round(time.monotonic() - began, 2)
    return feature


async def _delay(scene: Scene) -> float:
    """Return the seconds from the first spam the server took to the alert's own time stamp."""
    first = next(s for s in await scene.stage.server.submissions(None, 5000) if s.sender == ACCOUNT)
    card = await scene.otto.alert(ACCOUNT)
    return round(float(card.ts) - first.at.timestamp(), 2)
