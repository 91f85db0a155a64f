"""The drill's steps on what stands or comes by itself: dashboards, holding, closing, a summary."""

from datetime import timedelta

from sqlmodel import col, func, select

from bot.drill import shared
from bot.drill.playing import Skip
from bot.drill.report import Feature
from bot.drill.scene import ACCOUNT, THIRD, THIRD_MESSAGES, THIRD_NOW, Attack
from bot.hands import Shown, expect
from services.mail.port import DELIVERING, Queue, SpoolQuery, UserState
from services.models import LIVE, Announcement, Incident

#: When a day's summary comes, after the beginning of the drill: not before it is asked for.
DIGEST_AFTER = timedelta(minutes=20)
_QUIET_BEGINS, _QUIET = timedelta(minutes=10), timedelta(minutes=31)


async def pinned(scene: Attack, feature: Feature) -> None:
    """/spool pin puts a dashboard into the channel, pinned, and takes it away; not for a viewer."""
    expect((await scene.vera.type("pin")).text, "needs the role operator")
    feature.asked = True
    expect((await scene.otto.type("pin")).text, "comes into the alerts' channel")
    shown = await scene.otto.message(f"Spool of {scene.server.name}")
    await shared.until(lambda: _pinned(scene, shown), "the dashboard is pinned")
    right = await _as_the_server(scene, shown)
    expect((await scene.otto.type("pin remove")).text, "is taken out")
    await shared.until(lambda: _pinned(scene), "the dashboard is taken away")
    feature.done = True
    feature.verified = right
    feature.evidence = f"pinned it counted {shared.counted(shown)[0]:,} waiting, as the server did"


async def home(scene: Attack, feature: Feature) -> None:
    """The app's Home is the dashboard of who opens it, where the chat has such a page."""
    feature.asked = True
    found = [await hands.home() for hands in scene.everywhere]
    shown = next((one for one in found if one is not None), None)
    if shown is None:
        raise Skip("An app has no Home in this chat; the dashboard that /spool pin puts up is it.")
    expect(shown.text, f"Spool of {scene.server.name}", ACCOUNT, "Kept up to date until")
    feature.done = True
    feature.verified = await _as_the_server(scene, shown)
    feature.evidence = f"the Home counts {shared.counted(shown)[0]:,} waiting, as the server does"


async def contained(scene: Attack, feature: Feature) -> None:
    """Allowed to, the bot holds what an account has waiting by itself; a button takes it back."""
    taken_on = await scene.otto.alert(ACCOUNT)
    if "Acknowledge" in taken_on.labels:
        await scene.otto.press(taken_on, "Acknowledge")
        await scene.otto.card_with(ACCOUNT, "Acknowledged by otto")
    containment = scene.app.containment
    as_set = containment.settings
    containment.settings = as_set.model_copy(update={"enabled": True, "confidence": 90.0})
    feature.asked = True
    try:
        sent = await scene.stage.traffic.attack(THIRD_NOW, limit=THIRD_MESSAGES)
        await scene.otto.card_with(THIRD, "Spoolwarden itself holds what this account has waiting")
        card = await scene.otto.card_with(THIRD, f"{sent} held")
        held = await _in(scene, Queue.HELD)
        card = await scene.otto.offering(card, "Undo hold")
        await scene.otto.choose(await scene.otto.press_for_form(card, "Undo hold"))
        await scene.otto.line(card, f"{sent} messages released")
    finally:
        containment.settings = as_set
    feature.done = True
    waiting, user = await _in(scene, *DELIVERING), await scene.server.user(THIRD)
    feature.verified = (
        (held, waiting) == (sent, sent)
        and user is not None
        and user.state is UserState.ACTIVE
        and not await scene.held()  # of whom somebody has taken on
    )
    feature.evidence = f"held {held} of {sent}; taken back: {waiting} waiting"


async def closed(scene: Attack, feature: Feature) -> None:
    """After half an hour of quiet an incident is closed, with what it came to."""
    feature.asked = True
    scene.stage.clock.skip(_QUIET_BEGINS)
    await shared.until(lambda: _all_are_quiet(scene), "nobody sends any more")
    scene.stage.clock.skip(_QUIET)
    card = await scene.otto.card_with(THIRD, f"{THIRD_MESSAGES} messages in all, within")
    expect(card.text, "Closed", "Detected ", f"Now 0 held, {THIRD_MESSAGES} waiting.", "Acted: ")
    await scene.otto.line(card, "Acted: otto and Spoolwarden itself.")
    feature.done = True
    waiting = await _in(scene, *DELIVERING)
    feature.verified = waiting == THIRD_MESSAGES
    feature.evidence = f"the server has {waiting} of {THIRD} waiting, as the summary says"


async def digest(scene: Attack, feature: Feature) -> None:
    """The day's summary comes at its time, once, into every channel."""
    feature.asked = True
    told = []
    for _ in range(2):
        await scene.app.jobs.digests()
        async with scene.app.store.reading() as session:
            told.append((await session.exec(select(func.count()).select_from(Announcement))).one())
            incidents = (await session.exec(select(func.count()).select_from(Incident))).one()
    for hands in scene.everywhere:
        shown = await hands.message("Grew most against the time before")
        expect(shown.text, "Summary of the day", f"{incidents} incidents", f"{THIRD} on", "Found ")
    feature.done = True
    feature.verified = incidents > 0 and told[0] == told[1]
    feature.evidence = f"{incidents} incidents in the database, and in the day's summary"


async def _pinned(scene: Attack, *shown: Shown) -> bool:
    return scene.room.pinned() == [one.id for one in shown]


async def _all_are_quiet(scene: Attack) -> bool:
    loud = select(func.count()).where(
        col(Incident.state).in_(LIVE), col(Incident.quiet_since).is_(None)
    )
    async with scene.app.store.reading() as session:
        return not (await session.exec(loud.select_from(Incident))).one()


async def _as_the_server(scene: Attack, shown: Shown) -> bool:
    counts = await scene.server.counts()
    return shared.counted(shown) == (counts.waiting, counts.held, counts.quarantine)


async def _in(scene: Attack, *queues: Queue) -> int:
    return await scene.total(SpoolQuery(sender=THIRD, queues=queues))
