"""The drill's steps that act: each one done in chat, seen on the mail server, taken back."""

import asyncio
from ipaddress import ip_network

from bot.drill.hands import Unexpected, expect
from bot.drill.report import Feature
from bot.drill.scene import (
    ACCOUNT,
    COLLEAGUE,
    LOUD_NOW,
    QUIET_MESSAGES,
    QUIET_NOW,
    SECOND,
    Scene,
)
from bot.workspace.reading import ShownMessage, plain_text
from services.audit import Phase
from services.mail.port import SpoolQuery, UserState


async def acknowledge(scene: Scene, feature: Feature) -> None:
    """Acknowledge, and take it back."""
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    await scene.otto.press(card, "Acknowledge")
    card = await scene.otto.card_with(ACCOUNT, "Acknowledged by otto")
    expect(plain_text(await scene.vera.type("incidents")), "acknowledged by otto")
    await scene.otto.press(card, "Undo acknowledge")
    await scene.otto.card_with(ACCOUNT, "nobody has taken this on yet")
    feature.done = True
    feature.verified = await _untouched(scene)
    feature.evidence = f"{ACCOUNT} is active and has {scene.sent} waiting, as before"


async def snooze(scene: Scene, feature: Feature) -> None:
    """Snooze for a chosen time, and end it."""
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Snooze…")
    expect(await scene.otto.choose(form, lasting="4 h"), "Snoozed for 4 h")
    card = await scene.otto.card_with(ACCOUNT, "Snoozed by otto")
    await scene.otto.pick(card, "End snooze")
    await scene.otto.card_with(ACCOUNT, "nobody has taken this on yet")
    feature.done = True
    feature.verified = await _untouched(scene)
    feature.evidence = f"{ACCOUNT} is active and has {scene.sent} waiting, as before"


async def stop(scene: Scene, feature: Feature) -> None:
    """Stop sending, pressed twice: held and disabled once, open sessions refused, mail received."""
    session = await scene.wire.logged_in(ACCOUNT, LOUD_NOW.addresses[0])
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    await asyncio.gather(
        scene.otto.press(card, "Stop sending"), scene.otto.press(card, "Stop sending")
    )
    await scene.otto.line(card, f"{scene.sent} messages held")
    await scene.otto.card_with(ACCOUNT, "Stopped by otto")
    feature.done = True
    reply = await scene.wire.mail_from(session, ACCOUNT)
    received = await scene.wire.rcpt_to(COLLEAGUE, ACCOUNT)
    held, waiting = await scene.held(), await scene.waiting()
    await session.close()
    results = await _results(scene, "stop")
    feature.verified = (
        reply.startswith("550")
        and received.startswith("250")
        and (held, waiting) == (scene.sent, 0)
        and results == 1
    )
    feature.evidence = (
        f"MAIL FROM in the open session: {reply!r}; mail to it: {received!r}; "
        f"held {held}, waiting {waiting}; done {results} time for two presses"
    )


async def undo_stop(scene: Scene, feature: Feature) -> None:
    """Undo the stop: it can send again, and what was held is in the queue again."""
    card = await scene.otto.card_with(ACCOUNT, "Undo stop")
    feature.asked = True
    form = await scene.otto.press_for_form(card, "Undo stop")
    expect(await scene.otto.choose(form), f"{scene.sent} messages released")
    await scene.otto.card_with(ACCOUNT, "Stop sending")
    feature.done = True
    session = await scene.wire.logged_in(ACCOUNT, LOUD_NOW.addresses[0])
    reply = await scene.wire.mail_from(session, ACCOUNT)
    await session.close()
    held, waiting = await scene.held(), await scene.waiting()
    feature.verified = reply.startswith("250") and (held, waiting) == (0, scene.sent)
    feature.evidence = f"MAIL FROM: {reply!r}; held {held}, waiting {waiting}"


async def disable(scene: Scene, feature: Feature) -> None:
    """Disable from the More menu, refusing mail too, and take it back exactly."""
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Disable only…")
    expect(await scene.otto.choose(form, state="is refused too"), "mail to it is refused")
    card = await scene.otto.card_with(ACCOUNT, "Disabled by otto")
    refused = await scene.wire.rcpt_to(COLLEAGUE, ACCOUNT)
    await _take_back(scene, card, "Undo disable")
    feature.done = True
    taken = await scene.wire.rcpt_to(COLLEAGUE, ACCOUNT)
    feature.verified = (
        refused.startswith("550") and taken.startswith("250") and await _untouched(scene)
    )
    feature.evidence = f"RCPT TO while disabled: {refused!r}; after the undo: {taken!r}"


async def move(scene: Scene, feature: Feature) -> None:
    """Move to a folder, and back: the same bytes."""
    card = await scene.otto.alert(ACCOUNT)
    queue_id, before = await scene.oldest()
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Move to a folder…")
    expect(plain_text(form), f"{scene.sent} messages")
    expect(await scene.otto.choose(form), f"{scene.sent} messages moved")
    moved, left = await scene.in_folder("review"), await scene.waiting()
    await _take_back(scene, await scene.otto.card_with(ACCOUNT, "More"), "Undo move")
    feature.done = True
    after = await scene.stage.server.raw(queue_id)
    feature.verified = (moved, left) == (scene.sent, 0) and (
        after == before and await scene.waiting() == scene.sent
    )
    feature.evidence = f"folder review {moved}, queue {left}; back: {await scene.waiting()}"


async def delete(scene: Scene, feature: Feature) -> None:
    """Delete, and bring back: the same bytes."""
    card = await scene.otto.alert(ACCOUNT)
    queue_id, before = await scene.oldest()
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Delete messages…")
    expect(await scene.otto.choose(form), f"{scene.sent} messages deleted", "brought back for")
    left = await scene.waiting()
    await _take_back(scene, await scene.otto.alert(ACCOUNT), "Bring back deleted")
    feature.done = True
    after = await scene.stage.server.raw(queue_id)
    back = await scene.waiting()
    feature.verified = left == 0 and after == before and back == scene.sent
    feature.evidence = f"queue {left} after deletion, {back} after; the same bytes"


async def block(scene: Scene, feature: Feature) -> None:
    """Block all addresses of the account for SMTP, and lift them again."""
    address = LOUD_NOW.addresses[0]
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Block IPs…")
    said = await scene.otto.choose(form, lasting="for 24 h")
    expect(said, "is refused for 24 h")
    refused, other = await scene.wire.greeting(address), await scene.wire.greeting("10.20.0.9")
    blocks = await scene.stage.server.blocks()
    await _take_back(scene, await scene.otto.alert(ACCOUNT), "Undo block")
    feature.done = True
    again = await scene.wire.greeting(address)
    feature.verified = (
        refused.startswith("5")
        and other == again == "220"
        and len(blocks) == len(LOUD_NOW.addresses)
        and not await scene.stage.server.blocks()
    )
    feature.evidence = f"{address} is greeted with {refused!r}, others with {other}; undone {again}"


async def commands(scene: Scene, feature: Feature) -> None:
    """/spool block, unblock, disable and enable; what must not be blocked is refused."""
    feature.asked = True
    address = "203.0.113.250"
    await _typed(scene, f"block {address} for:1h", "is refused for 1 h")
    refused = await scene.wire.greeting(address)
    entry = next(b for b in await scene.stage.server.blocks() if b.network == ip_network(address))
    await _typed(scene, f"unblock {address}", "may use SMTP again")
    free = await scene.wire.greeting(address)
    own = plain_text(await scene.otto.type("block 127.0.0.1"))
    expect(own, "the mail server's own address")
    await _typed(scene, f"disable {COLLEAGUE}", "can no longer send and still receives")
    stopped = await scene.stage.server.user(COLLEAGUE)
    await _typed(scene, f"enable {COLLEAGUE}", "can send and receive again")
    feature.done = True
    enabled = await scene.stage.server.user(COLLEAGUE)
    feature.verified = (
        refused.startswith("5")
        and free == "220"
        and entry.until is not None
        and stopped is not None
        and stopped.state is UserState.NO_SENDING
        and enabled is not None
        and enabled.state is UserState.ACTIVE
    )
    feature.evidence = f"{address} blocked: {refused!r}, lifted: {free}"


async def folders(scene: Scene, feature: Feature) -> None:
    """/spool move to a named folder and /spool restore from it: the same bytes."""
    feature.asked = True
    queue_id, before = await scene.oldest()
    await _typed(scene, f"move sender:{ACCOUNT} folder:evidence", f"{scene.sent} messages moved")
    moved = await scene.in_folder("evidence")
    listed = plain_text(await scene.otto.type("search folder:evidence"))
    expect(listed, f"{scene.sent} messages match")
    await _typed(scene, "restore folder:evidence", f"{scene.sent} messages put back")
    feature.done = True
    after = await scene.stage.server.raw(queue_id)
    feature.verified = moved == scene.sent and after == before and await _untouched(scene)
    feature.evidence = f"folder evidence {moved}; back with the same bytes"


async def for_good(scene: Scene, feature: Feature) -> None:
    """/spool delete permanent: refused to an operator, done for an admin, gone."""
    await scene.wire.send(COLLEAGUE, "x@list1.invalid", "not spam after all")
    feature.asked = True
    asked = f"delete sender:{COLLEAGUE} permanent:yes"
    expect(plain_text(await scene.otto.type(asked)), "needs the role admin")
    query = SpoolQuery(sender=COLLEAGUE)
    (queue_id,) = await scene.stage.server.matching_ids(query, limit=5)
    form = await scene.ada.type_for_form(asked)
    expect(await scene.ada.choose(form), "For good: 1 message deleted")
    feature.done = True
    gone = await scene.stage.server.raw(queue_id)
    feature.verified = gone is None and not await scene.stage.server.matching_ids(query, limit=5)
    feature.evidence = f"the server no longer has {queue_id}"


async def false_alarm(scene: Scene, feature: Feature) -> None:
    """A second, quieter account alerts too; called a false alarm, as much alerts no more."""
    feature.asked = True
    await scene.stage.traffic.attack(QUIET_NOW, limit=QUIET_MESSAGES)
    card = await scene.otto.alert(SECOND)
    form = await scene.otto.pick_for_form(card, "False alarm…")
    expect(await scene.otto.choose(form), "A false alarm")
    await scene.otto.card_with(SECOND, "says otto")
    feature.done = True
    await scene.stage.traffic.attack(QUIET_NOW, limit=10)
    poll = await scene.stage.app.detector.poll(scene.stage.server)
    user = await scene.stage.server.user(SECOND)
    feature.verified = poll.opened == 0 and user is not None and user.state is UserState.ACTIVE
    feature.evidence = f"10 more messages of {SECOND}: {poll.opened} new alerts; it was not touched"


async def one_each(scene: Scene, feature: Feature) -> None:
    """In the end the channel has one message for each incident, and nothing was done twice."""
    feature.asked = feature.done = True
    cards = await scene.otto.wait(
        lambda state: [m for m in state.messages if m.bot and m.blocks[0]["type"] == "header"]
    )
    entries = [entry async for entry in scene.stage.app.audit.entries()]
    open_intents: set[str] = set()
    for entry in entries:
        intent = entry.intent_id or ""
        if entry.phase == Phase.INTENT:
            if intent in open_intents:
                raise Unexpected(f"intent {intent} was begun twice")
            open_intents.add(intent)
        elif entry.phase == Phase.RESULT:
            open_intents.remove(intent)
    feature.verified = len(cards) == 2 and not open_intents
    feature.evidence = f"{len(cards)} cards; each of {len(entries)} audit entries in its place"


async def _typed(scene: Scene, text: str, said: str) -> None:
    form = await scene.otto.type_for_form(text)
    expect(await scene.otto.choose(form), said)


async def _take_back(scene: Scene, card: ShownMessage, option: str) -> None:
    """Pick an undo once the card offers it, and confirm it."""
    card = await scene.otto.wait(
        lambda state: next(
            (m for m in state.messages if m.ts == card.ts and _offers(m, option)), None
        )
    )
    form = await scene.otto.pick_for_form(card, option)
    await scene.otto.choose(form)


def _offers(message: ShownMessage, option: str) -> bool:
    return option in str(message.blocks)


async def _untouched(scene: Scene) -> bool:
    user = await scene.stage.server.user(ACCOUNT)
    active = user is not None and user.state is UserState.ACTIVE
    return active and await scene.waiting() == scene.sent


async def _results(scene: Scene, action: str) -> int:
    return len(
        [
            entry
            async for entry in scene.stage.app.audit.entries()
            if entry.phase == Phase.RESULT and entry.action == action
        ]
    )
