"""How a configured mail server was before the drill, and putting the test account back so."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.errors import SpoolwardenError
from services.language import trn
from services.mail.port import Block, MailServer, Network, Queue, SpoolQuery, UserState
from services.message_remedies import MAX_MESSAGES

#: How many of those with most messages waiting are looked at.
_TOP = 20


@dataclass(frozen=True, slots=True)
class Before:
    """What a drill must leave as it found it, as far as the server can be asked."""

    states: Mapping[str, UserState]
    blocks: Mapping[Network, Block]
    folders: Mapping[str, int]

    def changes(self, after: "Before", now: datetime) -> list[str]:
        """Return in words what is different, but for blocks that ran out meanwhile."""
        found = [
            f"{name} was {state.value} and is {after.states[name].value}"
            for name, state in self.states.items()
            if after.states.get(name, state) is not state
        ]
        standing = {n: b for n, b in self.blocks.items() if b.until is None or b.until > now}
        found += [f"{n} is no longer blocked" for n in standing if n not in after.blocks]
        found += [f"{n} is newly blocked" for n in after.blocks if n not in self.blocks]
        for folder in sorted({*self.folders, *after.folders}):
            was, now_is = self.folders.get(folder, 0), after.folders.get(folder, 0)
            if was != now_is:
                before = trn("{n} message", "{n} messages", was)
                found.append(f"the folder {folder} had {before} and has {now_is:,}")
        return found


async def look(server: MailServer, names: Iterable[str]) -> Before:
    """Return how the server is now, and what these users may do. Raises MailServerError."""
    states: dict[str, UserState] = {}
    for name in names:
        user = await server.user(name)
        if user is not None:
            states[name] = user.state
    blocks = {block.network: block for block in await server.blocks()}
    return Before(states, blocks, await server.folders())


async def senders(server: MailServer) -> list[str]:
    """Return whose state a drill watches: those with most messages waiting."""
    return [top.sender for top in await server.top_queued(_TOP) if top.sender]


@dataclass(frozen=True, slots=True)
class Account:
    """The test account as it was: its state, and which of its messages lay where."""

    name: str
    state: UserState
    held: frozenset[str]
    quarantined: frozenset[str]


async def account_as_it_is(server: MailServer, name: str) -> Account | None:
    """Return how an account is now, None where the server has no such mailbox."""
    user = await server.user(name)
    if user is None:
        return None
    held, quarantined = [await _ids(server, name, q) for q in (Queue.HELD, Queue.QUARANTINE)]
    return Account(name, user.state, held, quarantined)


async def put_back(
    server: MailServer, account: Account, mine: SpoolQuery, lift: Network | None
) -> list[str]:
    """Put the account back as it was, whatever state a drill broke off in.

    Its state first, then what was moved or held, then the ``mine`` that are left of the
    drill's own are deleted, and the block that the drill made is lifted. Return in words
    what had to be done. What fails keeps none of the rest from being tried; what did is
    raised at the end, as an ExceptionGroup.
    """
    said: list[str] = []
    failed: list[SpoolwardenError] = []

    async def state() -> None:
        user = await server.user(account.name)
        if user is not None and user.state is not account.state:
            await server.set_user_state(account.name, account.state)
            said.append(f"{account.name} was set back to {account.state.value}")

    async def folders() -> None:
        moved = await _ids(server, account.name, Queue.QUARANTINE) - account.quarantined
        if moved:
            await server.restore(sorted(moved))
            said.append(f"{trn('{n} message', '{n} messages', len(moved))} restored")

    async def held() -> None:
        holding = await _ids(server, account.name, Queue.HELD) - account.held
        if holding:
            await server.release(sorted(holding))
            said.append(f"{trn('{n} message', '{n} messages', len(holding))} released")

    async def own() -> None:
        ids = await server.matching_ids(mine, limit=MAX_MESSAGES)
        if ids:
            await server.delete(ids)
            waiting = trn("{n} waiting message", "{n} waiting messages", len(ids))
            said.append(f"{waiting} of the drill's own deleted")

    async def block() -> None:
        if lift is not None and any(b.network == lift for b in await server.blocks()):
            await server.unblock(lift)
            said.append(f"the block of {lift} lifted")

    steps: tuple[Callable[[], Awaitable[None]], ...] = (state, folders, held, own, block)
    for step in steps:
        try:
            await step()
        except SpoolwardenError as error:
            failed.append(error)
    if failed:
        raise ExceptionGroup(f"{account.name} could not be put back", failed)
    return said


async def _ids(server: MailServer, sender: str, queue: Queue) -> frozenset[str]:
    query = replace(SpoolQuery(sender=sender), queues=(queue,))
    return frozenset(await server.matching_ids(query, limit=MAX_MESSAGES))
