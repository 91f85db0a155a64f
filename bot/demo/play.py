"""The demo: a week goes by, an account leaks, and the alert is in the channel to act on."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from bot.demo.campaigns import LOUD, QUIET, Campaign
from bot.demo.stage import OTTO, Plan, Stage, stage
from services.tasks import end

Say = Callable[[str], None]
#: Seconds after everything is up. The quieter account comes when the first is on screen.
_LOUD_AFTER = 4.0
_NEWS_AFTER = 35.0
_QUIET_AFTER = 60.0
_LETTERS_A_SECOND = 0.7


async def play(plan: Plan, say: Say, opened: Callable[[str], None], stop: asyncio.Event) -> None:
    """Run the demo until ``stop`` is set; ``opened`` gets the page's address once it is up.

    Raises OSError for a port in use, ServerDown, StoreError.
    """
    async with stage(plan, say) as made:
        await made.workspace.until_app_connected()
        opened(f"{made.workspace.page_url}&as={OTTO.id}")
        acts = [
            made.traffic.ordinary(_LETTERS_A_SECOND),
            _attack(made, LOUD, _LOUD_AFTER, say),
            _newsletter(made, say),
            _attack(made, QUIET, _QUIET_AFTER, say),
            _tell_alerts(made, say),
        ]
        tasks = [asyncio.create_task(act) for act in acts]

        def ends_if_failed(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                stop.set()

        for task in tasks:
            task.add_done_callback(ends_if_failed)
        try:
            await stop.wait()
        finally:
            await end(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()
    say("Stopped.")


async def _attack(made: Stage, campaign: Campaign, after: float, say: Say) -> None:
    await asyncio.sleep(after)
    say(
        f"{_clock()}  {campaign.account} starts to send spam from "
        f"{len(campaign.addresses)} addresses: its password has leaked."
    )
    await made.traffic.attack(campaign)


async def _newsletter(made: Stage, say: Say) -> None:
    await asyncio.sleep(_NEWS_AFTER)
    sent = await made.traffic.newsletter()
    say(f"{_clock()}  The newsletter goes out, {sent} letters at once, as on other days: no alert.")


async def _tell_alerts(made: Stage, say: Say) -> None:
    """Say here what appears there, so that nobody waits at the wrong window."""
    told: set[str] = set()
    async with made.workspace.member(OTTO.id) as otto:
        while True:
            alert = await otto.wait_for(
                lambda state: next(
                    (m for m in state.messages if m.bot and not m.thread_ts and m.ts not in told),
                    None,
                ),
                timeout=float("inf"),
            )
            told.add(alert.ts)
            say(f"{_clock()}  In the channel: {alert.text.partition(';')[0]}")


def _clock() -> str:
    return f"{datetime.now(UTC):%H:%M:%S} UTC"
