"""What later acts have settled stays so when an earlier one is taken back.

What an account may do, and whether an address is blocked, is not put back where somebody has
set that since, and it stands. The later act is then what puts it back as it was before both.
"""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.intents import undo_of
from services.language import tr
from services.models import Intent, IntentState
from services.remedy import SET_STATES
from services.targets import Undo
from services.words import listed, show_network

_BLOCKS = ("block",)
_NAMED = 5


async def leave_to_later(session: AsyncSession, original: Intent) -> tuple[Undo, tuple[str, ...]]:
    """Return what of an act is to be put back now, and sentences on what is left to later ones.

    The later ones are changed accordingly; the caller commits.
    """
    undo = undo_of(original)
    if original.action in SET_STATES and undo.accounts:
        return _states(session, undo, await _later(session, original, SET_STATES))
    if original.action in _BLOCKS and undo.blocked:
        return _blocks(session, undo, await _later(session, original, _BLOCKS))
    return undo, ()


async def _later(
    session: AsyncSession, original: Intent, actions: Sequence[str]
) -> Sequence[Intent]:
    """Return the acts of these kinds that were done after another and stand, oldest first."""
    rows = await session.exec(
        select(Intent)
        .where(
            Intent.server == original.server,
            col(Intent.action).in_(actions),
            col(Intent.claimed_at) > original.claimed_at,
            col(Intent.undo).is_not(None),
            col(Intent.undone).is_(False),
            Intent.state != IntentState.CLAIMED,
        )
        .order_by(col(Intent.claimed_at))
    )
    return rows.all()


def _states(
    session: AsyncSession, undo: Undo, later: Sequence[Intent]
) -> tuple[Undo, tuple[str, ...]]:
    stays: list[str] = []
    for account, state in undo.accounts.items():
        for row in later:
            theirs = undo_of(row)
            same = [name for name in theirs.accounts if name.lower() == account.lower()]
            if same:
                row.undo = theirs.with_state(same[0], state).model_dump_json()
                session.add(row)
                undo = undo.with_state(account, None)
                stays.append(_said(account, row))
                break
    return undo, tuple(stays)


def _blocks(
    session: AsyncSession, undo: Undo, later: Sequence[Intent]
) -> tuple[Undo, tuple[str, ...]]:
    stays: list[str] = []
    for row in later:
        theirs = undo_of(row)
        both = [network for network in undo.blocked if network in theirs.blocked]
        if not both:
            continue
        # What was replaced first is what was there before both.
        before = tuple(block for block in undo.replaced if block.network in both)
        others = tuple(block for block in theirs.replaced if block.network not in both)
        row.undo = theirs.model_copy(update={"replaced": (*others, *before)}).model_dump_json()
        session.add(row)
        undo = undo.model_copy(
            update={
                "blocked": tuple(network for network in undo.blocked if network not in both),
                "replaced": tuple(b for b in undo.replaced if b.network not in both),
            }
        )
        names = [show_network(network) for network in both[:_NAMED]]
        more = len(both) - len(names)
        stays.append(_said(listed([*names, tr("{n} more", n=more)] if more else names), row))
    return undo, tuple(stays)


def _said(what: str, row: Intent) -> str:
    return tr(
        "{account} stays as it is: {name} has changed that since, and undoing that puts it back "
        "as it was.",
        account=what,
        name=row.claimed_name,
    )
