"""What an incident or a campaign came to, told once it is closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.evidence import Evidence
from services.intents import UNDO, undo_of
from services.language import tr, trn
from services.models import Incident, Intent, IntentState
from services.people import BOT
from services.remedy import STOPS
from services.targets import Target
from services.words import listed, span

#: Acts after which what it sent no longer goes out.
_HOLDS = ("stop", "contain")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands of the acts on a campaign."""

    held: int = 0
    moved: int = 0
    deleted: int = 0
    blocked: int = 0
    stopped_at: datetime | None = None
    held_at: datetime | None = None  # by the bot itself
    who: tuple[str, ...] = ()


async def acts_on(session: AsyncSession, incidents: Sequence[Incident]) -> list[Intent]:
    """Return the acts on a campaign that were done, oldest first; those taken back, too."""
    rows = await session.exec(
        select(Intent)
        .where(
            col(Intent.incident_id).in_([one.id for one in incidents]),
            col(Intent.state).in_((IntentState.DONE, IntentState.FAILED)),
            col(Intent.claimed_by).is_not(None),
        )
        .order_by(col(Intent.finished_at))
    )
    return list(rows.all())


def facts_of(acts: Sequence[Intent]) -> Facts:
    """Return what stands of these acts, and who did any of them."""
    held = moved = deleted = blocked = 0
    stopped_at = held_at = None
    who: dict[str, None] = {}
    for act in acts:
        who.setdefault(act.claimed_name or tr("somebody"))
        if act.undone or act.action == UNDO or act.undo is None:
            if act.action == "delete" and not act.undone:  # for good
                target = Target.model_validate_json(act.target)
                deleted += len(target.queue_ids) if target.permanent else 0
            continue
        undo = undo_of(act)
        if act.action in _HOLDS:
            held += len(undo.held)
        elif act.action == "move":
            moved += len(undo.in_folder)
        elif act.action == "delete":
            deleted += len(undo.in_folder)
        elif act.action == "block":
            blocked += len(undo.blocked)
        if act.action in STOPS and (act.state is IntentState.DONE or undo.states):
            stopped_at = stopped_at or act.finished_at
        if act.action == "contain" and act.state is IntentState.DONE:
            held_at = held_at or act.finished_at
    return Facts(held, moved, deleted, blocked, stopped_at, held_at, tuple(who))


async def summary_of(session: AsyncSession, incidents: Sequence[Incident]) -> tuple[str, ...]:
    """Return in sentences what was sent and stopped, how long that took, and who acted."""
    evidences = [Evidence.model_validate_json(one.evidence) for one in incidents]
    acts = await acts_on(session, incidents)
    facts = facts_of(acts)
    opened = min(one.opened_at for one in incidents)
    first = min(one.first_at for one in evidences)
    last = max(one.last_at for one in evidences)
    # What stopped one that was opened again since did not last.
    again = max((one.reopened_at for one in incidents if one.reopened_at), default=None)
    late = [a for a in acts if again is None or (a.finished_at and a.finished_at >= again)]
    held = sum(one.held for one in evidences)
    waiting = sum(one.queued for one in evidences)
    lines = [
        _sent(sum(one.total for one in evidences), len(incidents), span(last - first)),
        f"{_kept(facts)} {tr('Now {held} held, {waiting} waiting.', held=held, waiting=waiting)}",
        _found(facts_of(late), again or opened, span(max(timedelta(0), opened - first))),
    ]
    people = [name for name in facts.who if name != BOT.name]
    if len(people) > _NAMED:
        people = [*people[:_NAMED], tr("{n} more", n=len(people) - _NAMED)]
    by_itself = [tr("Spoolwarden itself")] if BOT.name in facts.who else []
    lines.append(tr("Acted: {names}.", names=listed([*people, *by_itself]) or tr("nobody")))
    return tuple(lines)


def _sent(messages: int, accounts: int, time: str) -> str:
    if accounts == 1:
        return trn(
            "{n} message in all, within {time}.",
            "{n} messages in all, within {time}.",
            messages,
            time=time,
        )
    return trn(
        "{n} message in all by {accounts}, within {time}.",
        "{n} messages in all by {accounts}, within {time}.",
        messages,
        accounts=trn("{n} account", "{n} accounts", accounts),
        time=time,
    )


def _kept(facts: Facts) -> str:
    done = []
    if facts.held:
        done.append(tr("{n} held", n=facts.held))
    if facts.moved:
        done.append(tr("{n} moved to a folder", n=facts.moved))
    if facts.deleted:
        done.append(tr("{n} deleted", n=facts.deleted))
    if facts.blocked:
        done.append(trn("{n} network blocked", "{n} networks blocked", facts.blocked))
    if not done:
        return tr("Nothing was held, moved or deleted.")
    return tr("By acts: {done}.", done=listed(done))


def _found(facts: Facts, opened: datetime, after: str) -> str:
    if facts.stopped_at is not None:
        return tr(
            "Detected {after} after the first message; stopped {time} after the alert.",
            after=after,
            time=span(max(timedelta(0), facts.stopped_at - opened)),
        )
    if facts.held_at is not None:
        return tr(
            "Detected {after} after the first message; held {time} after the alert.",
            after=after,
            time=span(max(timedelta(0), facts.held_at - opened)),
        )
    return tr("Detected {after} after the first message; nobody stopped it.", after=after)
