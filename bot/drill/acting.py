"""The drill's steps that press buttons: each one done, seen on the mail server, taken back."""

import asyncio
from dataclasses import replace

from bot.drill import typed
from bot.drill.playing import needs
from bot.drill.report import Feature
from bot.drill.scene import (
    ACCOUNT,
    COLLEAGUE,
    LOUD_NOW,
    QUIET_MESSAGES,
    QUIET_NOW,
    SECOND,
    Acting,
    Attack,
)
from bot.drill.wire import is_refused, is_taken
from bot.hands import PATIENCE, Hands, Shown, Unexpected, expect
from services.audit import Phase
from services.language import trn
from services.mail.port import DELIVERING, Queue, SpoolQuery, UserState
from services.message_remedies import REVIEW

_LOOKS = 200
_MORE = 10  # messages after a false alarm
_JOINING = 60  # messages of the account that joins a campaign
_STOP_BOTH = "Stop all 2 accounts"
_MOVE_ALL = "Move all to a folder…"


async def acknowledge(scene: Attack, feature: Feature) -> None:
    """Acknowledge, and take it back."""
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    await scene.otto.press(card, "Acknowledge")
    card = await scene.otto.card_with(ACCOUNT, "Acknowledged by otto")
    expect((await scene.vera.type("incidents")).text, "acknowledged by otto")
    await scene.otto.press(card, "Undo acknowledge")
    await scene.otto.card_with(ACCOUNT, "nobody has taken this on yet")
    feature.done = True
    feature.verified = await _untouched(scene)
    feature.evidence = f"{ACCOUNT} is active and has {scene.sent} waiting, as before"


async def snooze(scene: Attack, feature: Feature) -> None:
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


async def stop(scene: Acting, feature: Feature) -> None:
    """Stop sending, pressed twice: held and disabled once, open sessions refused, mail received."""
    needs(scene, "stop")
    holds = scene.server.capabilities.hold.able
    scene.before_stop = await scene.held(), await scene.waiting()
    session = await scene.wire.logged_in(scene.account)
    try:
        card = await scene.otto.alert(scene.account)
        received_before = await scene.may_receive()
        feature.asked = True
        await asyncio.gather(
            scene.otto.press(card, "Stop sending"), scene.otto.press(card, "Stop sending")
        )
        await scene.otto.line(
            card,
            f"{trn('{n} message', '{n} messages', scene.before_stop[1])} held"
            if holds
            else "What it has waiting goes out",
        )
        await scene.otto.card_with(scene.account, "Stopped by otto")
        feature.done = True
        reply = await scene.wire.next_message(session, scene.account, scene.recipient)
    finally:
        await session.close()
    received = await scene.may_receive()
    held, waiting = await scene.held(), await scene.waiting()
    results = await _results(scene, "stop")
    feature.verified = (
        is_refused(reply)
        and is_taken(received) == is_taken(received_before)
        and (not holds or (held, waiting) == (sum(scene.before_stop), 0))
        and results == 1
    )
    feature.evidence = (
        f"the open session's next message: {reply!r}; mail to it: {received!r}; "
        f"held {held}, waiting {waiting}; done {results} time for two presses"
    )


async def undo_stop(scene: Acting, feature: Feature) -> None:
    """Undo the stop: it can send again, and what was held is in the queue again."""
    needs(scene, "stop")
    card = await scene.otto.card_with(scene.account, "Undo stop")
    feature.asked = True
    form = await scene.otto.press_for_form(card, "Undo stop")
    holds = scene.server.capabilities.hold.able
    released = f"{trn('{n} message', '{n} messages', scene.before_stop[1])} released"
    expect(
        await scene.otto.choose(form),
        released if holds and scene.before_stop[1] else "Nothing of it was held",
    )
    await scene.otto.card_with(scene.account, "Stop sending")
    feature.done = True
    reply = await scene.wire.may_send(scene.account, recipient=scene.recipient)
    held, waiting = await scene.held(), await scene.waiting()
    as_before = not holds or (held, waiting) == scene.before_stop
    feature.verified = is_taken(reply) and as_before
    feature.evidence = f"a new message: {reply!r}; held {held}, waiting {waiting}"


async def disable(scene: Attack, feature: Feature) -> None:
    """Disable from the More menu, refusing mail too, and take it back exactly."""
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Disable only…")
    expect(await scene.otto.choose(form, state="is refused too"), "mail to it is refused")
    card = await scene.otto.card_with(ACCOUNT, "Disabled by otto")
    refused = await scene.may_receive()
    await _take_back(scene, card, "Undo disable")
    feature.done = True
    taken = await scene.may_receive()
    feature.verified = is_refused(refused) and is_taken(taken) and await _untouched(scene)
    feature.evidence = f"RCPT TO while disabled: {refused!r}; after the undo: {taken!r}"


async def move(scene: Attack, feature: Feature) -> None:
    """Move to a folder, and back: the same bytes."""
    card = await scene.otto.alert(ACCOUNT)
    queue_id, before = await scene.oldest()
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Move to a folder…")
    expect(form.text, f"{scene.sent} messages")
    expect(await scene.otto.choose(form), f"{scene.sent} messages moved")
    moved, left = await scene.in_folder(REVIEW), await scene.waiting()
    await _take_back(scene, await scene.otto.card_with(ACCOUNT, "More"), "Undo move")
    feature.done = True
    after = await scene.server.raw(queue_id)
    feature.verified = (moved, left) == (scene.sent, 0) and (
        after == before and await scene.waiting() == scene.sent
    )
    feature.evidence = f"folder review {moved}, queue {left}; back: {await scene.waiting()}"


async def delete(scene: Attack, feature: Feature) -> None:
    """Delete, and bring back: the same bytes."""
    card = await scene.otto.alert(ACCOUNT)
    queue_id, before = await scene.oldest()
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Delete messages…")
    expect(await scene.otto.choose(form), f"{scene.sent} messages deleted", "brought back for")
    left = await scene.waiting()
    await _take_back(scene, await scene.otto.alert(ACCOUNT), "Bring back deleted")
    feature.done = True
    after = await scene.server.raw(queue_id)
    back = await scene.waiting()
    feature.verified = left == 0 and after == before and back == scene.sent
    feature.evidence = f"queue {left} after deletion, {back} after; the same bytes"


async def block(scene: Attack, feature: Feature) -> None:
    """Block all addresses of the account for SMTP, and lift them again."""
    address = LOUD_NOW.addresses[0]
    card = await scene.otto.alert(ACCOUNT)
    feature.asked = True
    form = await scene.otto.pick_for_form(card, "Block IPs…")
    said = await scene.otto.choose(form, lasting="for 24 h")
    expect(said, "is refused for 24 h")
    refused = await scene.wire.may_send(ACCOUNT, address)
    other = await scene.wire.may_send(ACCOUNT, "10.20.0.9")
    blocks = await scene.server.blocks()
    await _take_back(scene, await scene.otto.alert(ACCOUNT), "Undo block")
    feature.done = True
    again = await scene.wire.may_send(ACCOUNT, address)
    feature.verified = (
        is_refused(refused)
        and is_taken(other)
        and is_taken(again)
        and len(blocks) == len(LOUD_NOW.addresses)
        and not await scene.server.blocks()
    )
    feature.evidence = f"{address} is told {refused!r}, others {other!r}; undone: {again!r}"


async def retried(scene: Attack, feature: Feature) -> None:
    """Good mail that was moved and put back goes out by /spool retry, and not at the next run."""
    recipient, subject, sink = "y@list1.invalid", "not spam at all", scene.stage.sink
    await scene.wire.send(COLLEAGUE, recipient, subject)
    theirs, words = SpoolQuery(sender=COLLEAGUE), f"sender:{COLLEAGUE}"

    async def taken() -> int:
        return sum(subject.encode() in one.content for one in sink.latest)

    async with asyncio.timeout(PATIENCE):
        while not await scene.total(replace(theirs, queues=(Queue.DEFERRED,))):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # nothing tells us
    await typed.say(scene, f"move {words} folder:{scene.folder}", "1 message moved")
    await typed.say(scene, f"restore folder:{scene.folder} {words}", "1 message put back")
    before, refusing = await taken(), sink.policy
    # The other side takes it now; when the server would next ask it by itself is minutes away.
    sink.policy = lambda sender, to: None if to == recipient else refusing(sender, to)
    try:
        feature.asked = True
        await typed.say(scene, f"retry {words}", "1 message tried again")
        async with asyncio.timeout(PATIENCE):
            while await scene.total(theirs):  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.05)
    finally:
        sink.policy = refusing
    feature.done = True
    after = await taken()
    feature.verified = (before, after) == (0, 1)
    feature.evidence = f"put back, the relay had taken {before}; tried again, {after}"


async def for_good(scene: Attack, feature: Feature) -> None:
    """/spool delete permanent: refused to an operator, done for an admin, gone."""
    await scene.wire.send(COLLEAGUE, "x@list1.invalid", "not spam after all")
    theirs = SpoolQuery(sender=COLLEAGUE)
    await typed.for_good(replace(scene, mine=theirs, words=f"sender:{COLLEAGUE}"), feature)


async def false_alarm(scene: Attack, feature: Feature) -> None:
    """A second, quieter account alerts too; called a false alarm, as much alerts no more."""
    feature.asked = True
    await scene.stage.traffic.attack(QUIET_NOW, limit=QUIET_MESSAGES)
    card = await scene.otto.alert(SECOND)
    form = await scene.otto.pick_for_form(card, "False alarm…")
    expect(await scene.otto.choose(form), "A false alarm")
    await scene.otto.card_with(SECOND, "says otto")
    feature.done = True
    await scene.stage.traffic.attack(QUIET_NOW, limit=_MORE)
    poll = await scene.app.detector.poll(scene.server)
    user = await scene.server.user(SECOND)
    feature.verified = poll.opened == 0 and user is not None and user.state is UserState.ACTIVE
    feature.evidence = (
        f"{_MORE} more messages of {SECOND}: {poll.opened} new alerts; it was not touched"
    )


async def campaign(scene: Attack, feature: Feature) -> None:
    """A third account sends what the first sends: one campaign, stopped and put back at once."""
    both = (ACCOUNT, COLLEAGUE)
    feature.asked = True
    before = {account: await _state_of(scene, account) for account in both}
    await scene.stage.traffic.attack(replace(LOUD_NOW, account=COLLEAGUE), limit=_JOINING)
    card = await scene.otto.card_with(ACCOUNT, "2 accounts, one campaign")
    await scene.otto.line(card, f"{COLLEAGUE} joins, sharing")
    expect((await scene.vera.type("campaign 1")).text, *both)
    # The response that was begun on the first one's alert is about both now.
    await scene.otto.line(card, f"Response to {ACCOUNT} and {COLLEAGUE}")
    await scene.otto.press(await scene.otto.offering(card, _STOP_BOTH), _STOP_BOTH)
    await scene.otto.line(card, "2 accounts can no longer send and still receive")
    stopped = [await _state_of(scene, account) for account in both]
    card = await scene.otto.card_with(ACCOUNT, "Stopped by otto")
    await scene.otto.choose(await scene.otto.press_for_form(card, "Undo stop"))
    await scene.otto.line(card, "2 accounts put back as before")
    moved = await _moved_all(scene, card)
    feature.done = True
    after = {account: await _state_of(scene, account) for account in both}
    feature.verified = (
        stopped == [UserState.NO_SENDING] * 2
        and after == before
        and moved > 0
        and len(scene.otto.cards()) == 2
    )
    feature.evidence = (
        f"{len(both)} accounts on one card, both stopped by one press, and their {moved} messages "
        "moved by another; undone: "
        + ", ".join(f"{account} {state}" for account, state in after.items())
    )


async def _moved_all(scene: Attack, card: Shown) -> int:
    """Move what all of a campaign have in the spool, and back; return how many were moved."""
    before = await _in_spool(scene)
    form = await scene.otto.pick_for_form(await scene.otto.offering(card, _MOVE_ALL), _MOVE_ALL)
    expect(form.text, f"{before:,} messages", ACCOUNT, COLLEAGUE)
    said = f"{trn('{n} message', '{n} messages', before)} moved"
    expect(await scene.otto.choose(form), said)
    left = await _in_spool(scene)
    # By its own line: the card may still offer to take an earlier move back.
    line = await scene.otto.offering(await scene.otto.line(card, said), "Undo move")
    await scene.otto.choose(await scene.otto.press_for_form(line, "Undo move"))
    await scene.otto.line(card, f"{trn('{n} message', '{n} messages', before)} put back")
    if left or await _in_spool(scene) != before:
        raise Unexpected(f"{left} of {before} messages were left, and not all came back")
    return before


async def _in_spool(scene: Attack) -> int:
    """Return how many messages both accounts have in the queue."""
    queues = (*DELIVERING, Queue.HELD)
    found = [
        await scene.server.search(SpoolQuery(sender=account, queues=queues), limit=1)
        for account in (ACCOUNT, COLLEAGUE)
    ]
    return sum(page.total for page in found)


async def _state_of(scene: Attack, account: str) -> UserState | None:
    user = await scene.server.user(account)
    return user.state if user else None


async def one_each(scene: Attack, feature: Feature) -> None:
    """In the end the channel has one message for each incident, and nothing was done twice."""
    feature.asked = feature.done = True
    alerts = [card for card in scene.otto.cards() if " · score " in card.text]
    entries = [entry async for entry in scene.app.audit.entries()]
    open_intents: set[str] = set()
    for entry in entries:
        intent = entry.intent_id or ""
        if entry.phase == Phase.INTENT:
            if intent in open_intents:
                raise Unexpected(f"intent {intent} was begun twice")
            open_intents.add(intent)
        elif entry.phase == Phase.RESULT:
            open_intents.remove(intent)
    feature.verified = len(alerts) == 3 and not open_intents
    feature.evidence = f"{len(alerts)} alerts; each of {len(entries)} audit entries in its place"


async def mirrored(scene: Attack, feature: Feature) -> None:
    """Every chat has the same cards, and in each one's thread the same acts."""
    feature.asked = feature.done = True
    here, *others = scene.everywhere
    for other in others:
        for one, another in ((here, other), (other, here)):
            while len(one.cards()) < len(another.cards()):
                await one.new_card({card.id for card in one.cards()})
        await _alike(here, other)
        for mine, theirs in zip(here.cards(), other.cards(), strict=True):
            # A line comes to each chat by itself, so the last may still be under way.
            await _told_too(here, mine, other, theirs)
            await _told_too(other, theirs, here, mine)
    feature.verified = bool(others)
    feature.evidence = (
        f"{len(here.cards())} cards in each of {len(scene.everywhere)} chats, with the same "
        f"{sum(len(here.lines(card)) for card in here.cards())} lines"
    )


async def _alike(here: Hands, other: Hands) -> None:
    """Return once the cards of both say the same on top: each chat is told by itself."""
    for _ in range(_LOOKS):
        mine, theirs = [_first(c) for c in here.cards()], [_first(c) for c in other.cards()]
        if mine == theirs:
            return
        await asyncio.sleep(PATIENCE / _LOOKS)
    raise Unexpected(f"{theirs} is not told as {mine} is")


async def _told_too(here: Hands, mine: Shown, other: Hands, theirs: Shown) -> None:
    for number, line in enumerate(here.lines(mine)):
        await other.line(theirs, _first(line), after=number)


def _first(shown: Shown) -> str:
    return shown.text.partition("\n")[0]


async def _take_back(scene: Acting, card: Shown, option: str) -> None:
    """Pick an undo once the card offers it, and confirm it."""
    card = await scene.otto.offering(card, option)
    form = await scene.otto.pick_for_form(card, option)
    await scene.otto.choose(form)


async def _untouched(scene: Acting) -> bool:
    user = await scene.server.user(scene.account)
    active = user is not None and user.state is UserState.ACTIVE
    return active and await scene.waiting() == scene.sent


async def _results(scene: Acting, action: str) -> int:
    return len(
        [
            entry
            async for entry in scene.app.audit.entries()
            if entry.phase == Phase.RESULT and entry.action == action
        ]
    )
