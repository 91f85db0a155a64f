"""Plays the drill from the first spam to the last audit entry."""

import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from bot.demo.stage import Plan, Stage, stage
from bot.drill import acting, managing, reading, typed, unasked
from bot.drill.playing import WRONG, four_people, play, problem
from bot.drill.report import Feature, Report
from bot.drill.scene import ACCOUNT, Attack, remote_waits
from bot.drill.wire import Wire
from bot.rooms import DEFAULT_CHATS
from services.mail.port import submitted

Step = Callable[[Attack, Feature], Awaitable[None]]

STEPS: tuple[Step, ...] = (
    reading.alert,
    reading.roles,
    reading.dashboard,
    reading.search,
    reading.looks,
    reading.report,
    reading.review,
    managing.managed,
    acting.acknowledge,
    acting.snooze,
    acting.stop,
    acting.undo_stop,
    acting.disable,
    acting.move,
    acting.delete,
    acting.block,
    managing.respond,
    typed.blocked,
    typed.disabled,
    typed.refusing,
    typed.moved,
    typed.deleted,
    acting.retried,
    acting.for_good,
    acting.false_alarm,
    acting.campaign,
    unasked.contained,
    unasked.pinned,
    unasked.home,
    unasked.closed,
    unasked.digest,
    reading.words,
    acting.one_each,
)


async def drill(
    seed: int = 1,
    *,
    chats: tuple[str, ...] = DEFAULT_CHATS,
    said: Callable[[Feature], None] = lambda feature: None,
    watch: Callable[[Stage], None] = lambda stage: None,
) -> Report:
    """Play every step; return the report. ``watch`` is given the stage before it goes dark.

    In several chats the steps take turns: what one did, the next takes back in the other.
    """
    report, began = Report(seed, chats=chats), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spoolwarden-drill-") as folder:
        plan = Plan(
            Path(folder),
            seed=seed,
            # Time is skipped, in which no look at the mail server can have come to an end.
            detection={"poll_seconds": 1, "silent_minutes": 120},
            digest={"daily": f"{datetime.now(UTC) + unasked.DIGEST_AFTER:%H:%M}"},
            policy=remote_waits,
            chats=chats,
        )
        try:
            async with contextlib.AsyncExitStack() as stack:
                set_up = await stack.enter_async_context(stage(plan))
                crews = [await stack.enter_async_context(four_people(r)) for r in set_up.rooms]
                scene = Attack(
                    stage=set_up,
                    app=set_up.app,
                    server=set_up.server,
                    wire=Wire("127.0.0.1", set_up.server.port),
                    room=set_up.rooms[0],
                    everywhere=tuple(crew["otto"] for crew in crews),
                    **crews[0],
                )
                steps = STEPS if len(crews) == 1 else (*STEPS, acting.mirrored)
                places = cycle(zip(set_up.rooms, crews, strict=True))
                for step, (scene.room, crew) in zip(steps, places, strict=False):
                    scene.otto, scene.vera = crew["otto"], crew["vera"]
                    scene.ada, scene.nobu = crew["ada"], crew["nobu"]
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
    told = submitted(await scene.server.submissions(None, 5000))
    first = next(s for s in told if s.sender == ACCOUNT)
    card = await scene.otto.alert(ACCOUNT)
    return round((card.at or 0.0) - first.at.timestamp(), 2)
