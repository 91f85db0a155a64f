"""The demo: a week goes by, an account leaks, and the alert is in the channel to act on."""

import asyncio
from collections.abc import Callable, Sequence
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


async def play(
    plan: Plan, say: Say, opened: Callable[[Sequence[str]], None], stop: asyncio.Event
) -> None:
    """Run the demo until ``stop`` is set; ``opened`` gets the pages' addresses once they are up.

    Raises OSError for a port in use, ServerDown, StoreError.
    """
    async with stage(plan, say) as made:
        for room in made.rooms:
            await room.until_connected()
        opened([room.page_url(OTTO) for room in made.rooms])
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
    async with made.rooms[0].hands(OTTO) as otto:
        while True:
            card = await otto.new_card(told, patience=float("inf"))
            told.add(card.id)
            title, _, rest = card.text.partition("\n")
            say(f"{_clock()}  In the channel: {title}: {_first_reason(rest)}")


def _first_reason(text: str) -> str:
    """Return what stands after the status: the first reason."""
    return (text.splitlines()[1:2] or [""])[0]


def _clock() -> str:
    return f"{datetime.now(UTC):%H:%M:%S} UTC"
