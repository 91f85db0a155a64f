"""The drill's steps that act by what is typed after /spool, and take it back the same way."""

import asyncio
import contextlib
from dataclasses import replace
from ipaddress import ip_network

from bot.drill.playing import Skip, needs
from bot.drill.report import Feature
from bot.drill.scene import Acting
from bot.drill.wire import is_refused, is_taken
from bot.hands import expect
from services.language import trn
from services.mail.port import DELIVERING, Queue, User, UserState
from services.message_remedies import DELETED
from services.targets import Target

#: Of a network for documentation (RFC 5737), so that nobody is shut out.
ADDRESS = ip_network("192.0.2.250/32")
#: Seconds that the other side has to answer, once messages are tried again.
_PATIENCE = 10.0


async def disabled(scene: Acting, feature: Feature) -> None:
    """/spool disable and enable: an open session's next message is refused, then taken again."""
    needs(scene, "disable", Target(user_state=UserState.NO_SENDING))
    session = await scene.wire.logged_in(scene.account)
    try:
        before = await scene.may_receive()
        feature.asked = True
        await say(scene, f"disable {scene.account}", "can no longer send and still receives")
        stopped = await _user(scene)
        refused = await scene.wire.next_message(session, scene.account, scene.recipient)
        received = await scene.may_receive()
    finally:
        await session.close()
    await say(scene, f"enable {scene.account}", "can send and receive again")
    feature.done = True
    again = await scene.wire.may_send(scene.account, recipient=scene.recipient)
    feature.verified = (
        is_refused(refused)
        and is_taken(again)
        and is_taken(received) == is_taken(before)
        and stopped.state is UserState.NO_SENDING
        and (await _user(scene)).state is UserState.ACTIVE
    )
    feature.evidence = (
        f"the open session's next message: {refused!r}; enabled: {again!r}; "
        f"mail to it while disabled: {received!r}"
    )


async def refusing(scene: Acting, feature: Feature) -> None:
    """/spool disable receive:no and enable: mail to the account is refused, then taken again."""
    needs(scene, "disable", Target(user_state=UserState.REFUSING))
    before = await scene.may_receive()
    feature.asked = True
    await say(scene, f"disable {scene.account} receive:no", "mail to it is refused")
    stopped, during = await _user(scene), await scene.may_receive()
    await say(scene, f"enable {scene.account}", "can send and receive again")
    feature.done = True
    after = await scene.may_receive()
    feature.verified = (
        stopped.state is UserState.REFUSING
        and (await _user(scene)).state is UserState.ACTIVE
        and is_refused(during)
        and is_taken(after) == is_taken(before)
    )
    feature.evidence = f"RCPT TO before, meanwhile and after: {before!r}, {during!r}, {after!r}"
    if not is_taken(before):
        feature.evidence += "; mail to it is not taken here anyway, so the server's word stands"


async def moved(scene: Acting, feature: Feature) -> None:
    """/spool move to a named folder and /spool restore from it: the same bytes."""
    needs(scene, "move")
    ask = f"move {scene.words} folder:{scene.folder}"
    await _there_and_back(scene, feature, ask, "moved", scene.folder)


async def deleted(scene: Acting, feature: Feature) -> None:
    """/spool delete and /spool restore what was deleted: the same bytes."""
    needs(scene, "delete")
    await _there_and_back(scene, feature, f"delete {scene.words}", "deleted", DELETED)


async def retried(scene: Acting, feature: Feature) -> None:
    """/spool retry what waits, after it was put back: the server takes each to try at once."""
    needs(scene, "retry")
    number = await _movable(scene)
    ids = set(await scene.server.matching_ids(replace(scene.mine, queues=DELIVERING), limit=number))
    kept = replace(scene.mine, queues=(Queue.HELD, Queue.QUARANTINE))
    before = await scene.total(kept)
    feature.asked = True
    said = f"{trn('{n} message', '{n} messages', number)} tried again"
    await say(scene, f"retry {scene.words}", said)
    feature.done = True
    active = replace(scene.mine, queues=(Queue.ACTIVE,))
    with contextlib.suppress(TimeoutError):  # the other side may be slow to answer
        async with asyncio.timeout(_PATIENCE):
            while await scene.total(active):  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.2)
    left = set(
        await scene.server.matching_ids(replace(scene.mine, queues=DELIVERING), limit=number)
    )
    feature.verified = left <= ids and await scene.total(kept) == before
    feature.evidence = f"of {len(ids)} handed over, {len(ids - left)} went out, {len(left)} wait"


async def for_good(scene: Acting, feature: Feature) -> None:
    """/spool delete permanent: refused to an operator, done for an admin, gone."""
    needs(scene, "delete", Target(permanent=True))
    number = await _movable(scene)
    ids = await scene.server.matching_ids(replace(scene.mine, queues=DELIVERING), limit=1)
    feature.asked = True
    asked = f"delete {scene.words} permanent:yes"
    expect((await scene.otto.type(asked)).text, "needs the role admin")
    form = await scene.ada.type_for_form(asked)
    expect(
        await scene.ada.choose(form),
        f"For good: {trn('{n} message', '{n} messages', number)} deleted",
    )
    feature.done = True
    left = await scene.total(scene.mine)
    feature.verified = bool(ids) and not left
    feature.evidence = (
        f"of {trn('{n} message', '{n} messages', number)}, {', '.join(ids)} first, {left} are left"
    )


async def blocked(scene: Acting, feature: Feature) -> None:
    """/spool block and unblock an address; the server's own must not be blocked."""
    needs(scene, "block")
    if await _entry(scene):
        raise Skip(f"{ADDRESS} is on the block list already, so it was left alone.")
    address = str(ADDRESS.network_address)
    feature.asked = True
    own = (await scene.otto.type("block 127.0.0.1")).text
    expect(own, "the mail server's own address")
    await say(scene, f"block {address} for:1h", "is refused for 1 h")
    entry = await _entry(scene)
    refused = await _from(scene, address)
    expect((await scene.vera.type("blocks")).text, address, "through Spoolwarden")
    await say(scene, f"unblock {address}", "may use SMTP again")
    feature.done = True
    lifted = not await _entry(scene)
    free = await _from(scene, address)
    feature.verified = bool(entry) and lifted
    feature.evidence = f"{ADDRESS} was in the server's block list, and no longer is"
    if scene.wire.announces:
        feature.verified &= is_refused(refused) and is_taken(free)
        feature.evidence += f"; from there by SMTP: {refused!r}, then {free!r}"


async def say(scene: Acting, text: str, said: str) -> None:
    """Type a command that asks back, confirm it, and expect what it says then."""
    form = await scene.otto.type_for_form(text)
    expect(await scene.otto.choose(form), said)


async def _there_and_back(
    scene: Acting, feature: Feature, ask: str, done: str, folder: str
) -> None:
    number = await _movable(scene)
    queue_id, before = await scene.oldest()
    feature.asked = True
    await say(scene, ask, f"{trn('{n} message', '{n} messages', number)} {done}")
    there, left = await scene.in_folder(folder), await scene.movable()
    stored = f"folder:{folder} {scene.words}"
    listed = (await scene.otto.type(f"search {stored}")).text
    expect(listed, f"{trn('{n} message', '{n} messages', number)} match")
    await say(scene, f"restore {stored}", f"{trn('{n} message', '{n} messages', number)} put back")
    feature.done = True
    after, back = await scene.server.raw(queue_id), await scene.movable()
    feature.verified = (there, left, back) == (number, 0, number) and after == before
    feature.evidence = (
        f"in the folder {folder} {there}, waiting {left}; put back {back}, with the same bytes"
    )


async def _movable(scene: Acting) -> int:
    number = await scene.movable()
    if not number:
        raise Skip(
            "None of the drill's messages waits: they were delivered at once. A test recipient "
            "whose mail cannot be delivered for now would let this be tried."
        )
    return number


async def _user(scene: Acting) -> User:
    user = await scene.server.user(scene.account)
    if user is None:
        raise LookupError(f"{scene.account} is no mailbox any more")
    return user


async def _entry(scene: Acting) -> bool:
    return any(block.network == ADDRESS for block in await scene.server.blocks())


async def _from(scene: Acting, address: str) -> str:
    """Return how the account fares from an address, nothing where that cannot be tried."""
    if not scene.wire.announces:
        return ""
    return await scene.wire.may_send(scene.account, address, scene.recipient)
