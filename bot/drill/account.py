"""The drill's steps on the test account of a configured server, beside those of the stage."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import col, select

from bot.drill.playing import needs
from bot.drill.report import Feature
from bot.drill.scene import Acting
from bot.hands import Unexpected
from services.incidents import open_key
from services.language import trn
from services.models import Incident, RecentSubmission

#: Enough to be told apart from one, few enough for somebody's mailbox.
_MESSAGES = 3
#: Seconds that the bot has, past its next poll, to read of a message in the log.
_PATIENCE = 15.0


@dataclass(kw_only=True, slots=True)
class Trial(Acting):
    """A scene with an account that somebody offered for the drill."""

    subject: str  # of the drill's own messages, like no other's


async def sends(scene: Trial, feature: Feature) -> None:
    """The account logs in and sends; the bot reads of it in the server's log."""
    # A log's times may be whole seconds.
    began = scene.app.clock.now() - timedelta(seconds=1)
    feature.asked = True
    reply = await scene.wire.send(scene.account, scene.recipient, scene.subject, times=_MESSAGES)
    scene.sent = _MESSAGES
    feature.done = True
    async with asyncio.timeout(_PATIENCE + scene.app.settings.detection.poll_seconds):
        while (counted := await _counted(scene, began)) < _MESSAGES:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.2)
    feature.verified = True
    feature.evidence = (
        f"{_MESSAGES} messages to {scene.recipient}, the last one taken with {reply!r}; "
        f"the bot has read of {counted} in the server's log"
    )


async def incident(scene: Trial, feature: Feature) -> None:
    """An incident of the account comes to the channel as an alert.

    So few messages alarm nobody, so the drill opens it; what it shows is what was sent.
    """
    needs(scene, "stop")
    app, now = scene.app, scene.app.clock.now()
    name = scene.server.name
    feature.asked = True
    key = open_key(name, scene.account)
    known = await app.detector.why(name, scene.account)
    if known is None:
        raise Unexpected(f"the bot knows nothing of {scene.account}, which sent just now")
    evidence, verdict = known
    async with app.store.session() as session:
        found = await session.exec(select(Incident).where(Incident.open_key == key))
        if found.first() is None:  # none of the bot's own making
            session.add(
                Incident(
                    server=name,
                    sender=scene.account,
                    open_key=key,
                    opened_at=now,
                    updated_at=now,
                    evidence=evidence.model_dump_json(),
                    score=verdict.score,
                )
            )
    for publisher in app.publishers:
        publisher.wake()
    await scene.otto.card_with(scene.account, "Stop sending")
    feature.done = True
    feature.verified = evidence.total >= scene.sent
    sent = trn("{n} message", "{n} messages", evidence.total)
    feature.evidence = f"the alert is in the channel, with {sent} sent"


async def _counted(scene: Trial, since: datetime) -> int:
    """Return how many messages of the account the bot has read of since then."""
    query = select(func.count()).where(
        RecentSubmission.server == scene.server.name,
        RecentSubmission.sender == scene.account,
        col(RecentSubmission.at) >= since,
        col(RecentSubmission.recipients) > 0,
    )
    async with scene.app.store.reading() as session:
        return (await session.exec(query)).one()
