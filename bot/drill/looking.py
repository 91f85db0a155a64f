"""The drill's steps on a configured mail server that only look: they change nothing there."""

import re
from dataclasses import dataclass

from bot.drill import shared
from bot.drill.before import Before, look
from bot.drill.playing import Skip
from bot.drill.report import Feature
from bot.drill.scene import Scene
from bot.drill.typed import ADDRESS
from bot.hands import Unexpected, expect
from bot.look_cards import STATES
from services.errors import Refused
from services.language import tr
from services.mail.port import Queue, SpoolQuery, UserState
from services.remedies import lacking
from services.rules import Rules
from services.targets import Target

# What can be typed after "sender:" as it is; a sender is otherwise any text at all.
_TYPEABLE = re.compile(r"[a-z0-9._+=-]+(@[a-z0-9.-]+)?\Z")
_NOBODY = "drill@nobody.invalid"
_TOP = 20
_LOOKS = 5


@dataclass(kw_only=True, slots=True)
class Real(Scene):
    """A configured mail server, and how it was before."""

    before: Before


async def answers(scene: Real, feature: Feature) -> None:
    """The server answers, and /spool shows its spool by its name."""
    feature.asked = True
    shown = (await scene.vera.type("")).text
    expect(shown, f"Spool of {scene.server.name}")
    feature.done = True
    feature.evidence = await scene.server.healthy()
    feature.verified = True


async def roles(scene: Real, feature: Feature) -> None:
    """A viewer may not act, and a stranger may not even look; both are told privately."""
    feature.asked = True
    await shared.kept_out(scene, await scene.vera.type(f"block {ADDRESS} for:1h"))
    feature.done = True
    blocked = {block.network for block in await scene.server.blocks()}
    feature.verified = ADDRESS not in blocked or ADDRESS in scene.before.blocks
    feature.evidence = f"the viewer named {ADDRESS}, and the block list does not have it from that"


async def dashboard(scene: Real, feature: Feature) -> None:
    """/spool counts as the server counts."""
    feature.asked = True
    _, counts = await shared.dashboard(scene)
    feature.done = feature.verified = True
    feature.evidence = (
        f"the server counts {counts.active} active, {counts.deferred} deferred, "
        f"{counts.held} held, {counts.quarantine} in quarantine"
    )


async def search(scene: Real, feature: Feature) -> None:
    """/spool search finds as many as the server does, of whoever has most waiting."""
    feature.asked = True
    sender = next(iter(await _queued(scene)), None)
    query = SpoolQuery(sender=sender)
    text = "search" if sender is None else f"search sender:{sender}"

    async def true() -> list[int]:
        return [await scene.total(query)]

    listed = await shared.agreed(lambda: scene.vera.type(text), shared.matches, true)
    feature.done = feature.verified = True
    feature.evidence = f"the server finds {shared.matches(listed)[0]} by “{text}”"


async def looks(scene: Real, feature: Feature) -> None:
    """/spool why, top, ip and report tell a state, who sends most, blocks, how much there was."""
    feature.asked = True
    expect((await scene.vera.type("top 24h")).text, "Top users, last 24 h")
    name = next(iter(await _queued(scene)), _NOBODY)
    evidence = (await scene.vera.type(f"why {name}")).text
    address = (await scene.vera.type(f"ip {ADDRESS}")).text
    expect((await scene.vera.type("report")).text, "Outgoing: ", "Incoming: ")
    feature.done = True
    user = await scene.server.user(name)
    expect(evidence, name, tr(STATES[user.state]) if user else "mailbox")
    blocks = await scene.server.blocks()
    blocked = any(ADDRESS.network_address in block.network for block in blocks)
    expect(address, "is blocked since" if blocked else "is not blocked.")
    feature.verified = True
    feature.evidence = (
        f"{name} is {user.state.value if user else 'no mailbox'} on the server, "
        f"{ADDRESS} is {'blocked' if blocked else 'not blocked'}"
    )


async def preview(scene: Real, feature: Feature) -> None:
    """Preview shows the head of a message that the server has; the look is audited."""
    able = scene.server.capabilities.preview
    if not able.able:
        raise Skip(able.why)
    for _ in range(_LOOKS):
        if not await scene.total(SpoolQuery()):
            raise Skip("The spool is empty, so there is no message to look into.")
        feature.asked = True
        listed = await scene.otto.type("search")
        looked = await shared.preview(scene, listed) if shared.matches(listed) != [0] else None
        there = await scene.server.preview(looked[1]) if looked else None
        if looked is None or there is None:
            continue  # delivered since: there is nothing to compare with
        feature.done = True
        to = len(there.message.recipients)
        expect(looked[0], "Headers", f"To {to:,} recipient", "Authenticated as")
        feature.verified = True
        feature.evidence = f"the server has {looked[1]} too; the look is audited"
        return
    raise Skip("Each message was delivered before it could be compared.")


async def capabilities(scene: Real, feature: Feature) -> None:
    """What the server cannot do is refused with its reason; the rest asks back, and no more."""
    feature.asked = True
    said = []
    for text, target, asks_back in await _acts(scene):
        why = lacking(text.split()[0], scene.server.capabilities, target)
        if why is not None:
            expect((await scene.otto.type(text)).text, why)
            said.append(f"{text} is refused: {why}")
        elif asks_back:
            await scene.otto.close(await scene.otto.type_for_form(text))
        else:
            expect((await scene.otto.type(text)).text, "No message in the spool matches")
    for queue in (Queue.DEFERRED, Queue.HELD):
        await _buttons(scene, queue)
    feature.done = True
    after = await look(scene.server, scene.before.states)
    feature.verified = not scene.before.changes(after, scene.app.clock.now())
    feature.evidence = " ".join(said) or "the server can do all that was asked for"


async def words(scene: Real, feature: Feature) -> None:
    """A wrong argument gets a private sentence; help, incidents and audit answer."""
    await shared.words(scene, feature)


async def unchanged(scene: Real, feature: Feature) -> None:
    """What users may do, the block list and the folders are as they were before."""
    feature.asked = feature.done = True
    after = await look(scene.server, scene.before.states)
    changes = scene.before.changes(after, scene.app.clock.now())
    feature.verified = not changes
    feature.evidence = (
        "; ".join(changes)
        or f"{len(after.states)} users, {len(after.blocks)} blocks and "
        f"{len(after.folders)} folders are as before"
    )


async def _acts(scene: Real) -> list[tuple[str, Target, bool]]:
    """Return what is typed, what is aimed at, and whether the bot would ask back."""
    acts = [
        (f"move sender:{_NOBODY}", Target(), False),
        (f"delete sender:{_NOBODY}", Target(), False),
        (f"block {ADDRESS} for:1h", Target(), True),
    ]
    account = await _somebody(scene)
    if account is not None:
        acts += [
            (f"disable {account}", Target(user_state=UserState.NO_SENDING), True),
            (f"disable {account} receive:no", Target(user_state=UserState.REFUSING), True),
        ]
    return acts


async def _buttons(scene: Real, queue: Queue) -> None:
    """See that a list of messages has a button for what can be done with them, and no other."""
    listed = await scene.otto.type(f"search queue:{queue}")
    if shared.matches(listed) == [0]:
        return
    able = scene.server.capabilities
    # Where nothing can be kept, only deleting for good is offered.
    deletion = Target(permanent=not able.quarantine.able)
    for action, label, target in (
        ("move", "Move these…", Target()),
        ("delete", "Delete these…", deletion),
    ):
        why = lacking(action, able, target)
        if (label in listed.labels) is not (why is None):
            raise Unexpected(f"the button “{label}” is {'missing' if why is None else 'there'}")
        expect(listed.text, why or "")


async def _queued(scene: Real) -> list[str]:
    """Return who has most messages waiting, as far as it can be typed."""
    tops = await scene.server.top_queued(_TOP)
    return [top.sender for top in tops if _TYPEABLE.match(top.sender)]


async def _somebody(scene: Real) -> str | None:
    """Return a user whose disabling can be asked for, and is not confirmed then."""
    rules = Rules(scene.app.settings.safety)
    for name in await _queued(scene):
        try:
            rules.check_account(name)
        except Refused:
            continue
        if await scene.server.user(name) is not None:
            return name
    return None
