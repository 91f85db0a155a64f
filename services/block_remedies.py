"""What can be done about client addresses: blocked for SMTP, and let in again."""

from collections.abc import Sequence

from services.errors import BadArgument, SpoolwardenError
from services.language import later, tr, trn
from services.mail.port import Block, Network
from services.people import Role
from services.remedy import Aim, Remedy, Result
from services.targets import Undo
from services.words import listed, sentences, show_network, span


async def _look_blocks(aim: Aim) -> Undo:
    named = _named(aim)
    standing = await aim.server.blocks()
    return Undo(blocked=tuple(named), replaced=tuple(b for b in standing if b.network in named))


async def _look_lifted(aim: Aim) -> Undo:
    return Undo(replaced=(await _look_blocks(aim)).replaced)


async def _block(aim: Aim) -> Result:
    replaced: list[Block] = []
    blocked: list[Network] = []
    failed = ""
    # Put for a shorter time in a longer one's place, it would let them in too early.
    longer = await _longer(aim)
    for network in _named(aim):
        if network in longer:
            continue
        try:
            before = await aim.server.block(network, reason=aim.reason, lasting=aim.target.lasting)
        except SpoolwardenError as error:
            if not blocked:
                raise
            failed = tr(
                "Then it failed: {why} The other addresses were not blocked.", why=error.sentence
            )
            break
        blocked.append(network)
        if before:
            replaced.append(before)
    stays = trn(
        "{networks} is blocked for longer already, and stays so.",
        "{networks} are blocked for longer already, and stay so.",
        len(longer),
        networks=_networks(longer),
    )
    if not blocked:
        return Result(stays)
    networks, lasting = _networks(blocked), aim.target.lasting
    said = (
        tr("SMTP from {networks} is refused for {time}.", networks=networks, time=span(lasting))
        if lasting
        else tr("SMTP from {networks} is refused until lifted.", networks=networks)
    )
    return Result(
        sentences(said, stays if longer else "", failed),
        undo=Undo(blocked=tuple(blocked), replaced=tuple(replaced)),
        ok=not failed,
    )


async def _longer(aim: Aim) -> Sequence[Network]:
    """Return those of the networks that are blocked for longer than they are to be."""
    if aim.target.lasting is None:
        return ()
    until = aim.now + aim.target.lasting
    standing = (aim.before or await _look_blocks(aim)).replaced
    return [block.network for block in standing if block.until is None or block.until > until]


async def _undo_block(aim: Aim, undo: Undo) -> Result:
    before = {block.network: block for block in undo.replaced if not _over(aim, block)}
    for network in undo.blocked:
        if network in before:
            await _put_block_back(aim, before[network])
        else:
            await aim.server.unblock(network)
    said = []
    if free := [network for network in undo.blocked if network not in before]:
        said.append(tr("{networks} may use SMTP again.", networks=_networks(free)))
    if before:
        said.append(
            trn(
                "{networks} stays blocked, as before.",
                "{networks} stay blocked, as before.",
                len(before),
                networks=_networks(list(before)),
            )
        )
    return Result(sentences(*said))


async def _unblock(aim: Aim) -> Result:
    entries: list[Block] = []
    failed = ""
    for network in _named(aim):
        try:
            lifted = await aim.server.unblock(network)
        except SpoolwardenError as error:
            if not entries:
                raise
            failed = tr("Then it failed: {why} The other blocks stand.", why=error.sentence)
            break
        if lifted:
            entries.append(lifted)
    if not entries:
        named = _networks(aim.target.networks)
        return Result(
            trn(
                "{networks} was not on the block list.",
                "{networks} were not on the block list.",
                len(aim.target.networks),
                networks=named,
            )
        )
    lifted_now = _networks([block.network for block in entries])
    return Result(
        sentences(tr("{networks} may use SMTP again.", networks=lifted_now), failed),
        undo=Undo(replaced=tuple(entries)),
        ok=not failed,
    )


async def _undo_unblock(aim: Aim, undo: Undo) -> Result:
    again = [block for block in undo.replaced if not _over(aim, block)]
    for block in again:
        await _put_block_back(aim, block)
    if not again:
        return Result(tr("The block would have run out by now, so it was not put back."))
    networks = _networks([block.network for block in again])
    return Result(tr("SMTP from {networks} is refused again.", networks=networks))


async def _put_block_back(aim: Aim, block: Block) -> None:
    lasting = block.until - aim.now if block.until else None
    await aim.server.block(block.network, reason=block.reason, lasting=lasting)


def _over(aim: Aim, block: Block) -> bool:
    """Tell whether an entry would have run out by now."""
    return block.until is not None and block.until <= aim.now


def _named(aim: Aim) -> Sequence[Network]:
    if not aim.target.networks:
        raise BadArgument(tr("No address was named. Nothing was done."))
    return aim.target.networks


def _networks(networks: Sequence[Network]) -> str:
    names = [show_network(network) for network in networks]
    more = tr("{n} more", n=len(names) - 4)
    return listed(names if len(names) <= 5 else [*names[:4], more])


BLOCK_REMEDIES = (
    Remedy(
        "block",
        later("blocking addresses"),
        Role.OPERATOR,
        _block,
        _undo_block,
        _look_blocks,
        needs=lambda c, t: (c.block,),
        reverse="unblock",
    ),
    Remedy(
        "unblock",
        later("lifting blocks"),
        Role.OPERATOR,
        _unblock,
        _undo_unblock,
        _look_lifted,
        needs=lambda c, t: (c.block,),
        reverse="block",
    ),
)
