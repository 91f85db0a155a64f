"""Intents: what each button and form stands for, and which of them are still worth offering."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.clock import Clock
from services.models import LIVE, Announcement, Incident, IncidentState, Intent, IntentState
from services.people import Actor, Place
from services.remedies import REMEDIES
from services.remedy import STOPS
from services.responding import RESPOND
from services.store import Store
from services.targets import Target, Undo

UNDO = "undo"
APPROVE, DECLINE = "approve", "decline"
#: How long a card's button can be pressed before the card must be drawn anew.
_OFFER_LASTS = timedelta(days=7)


class Intents:
    """Makes intents and looks them up; using one is the pipeline's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def offer(
        self,
        place: Place,
        action: str,
        *,
        server: str,
        target: Target,
        incident_id: int | None = None,
        actor: Actor | None = None,
    ) -> str:
        """Return the intent id for a button that stays: the one there is, else a new one.

        With ``actor`` only that person may use it, and it is always a new one.
        """
        now = self._clock.now()
        async with self._store.session() as session:
            standing = (
                Intent.incident_id == incident_id,
                Intent.action == action,
                Intent.server == server,
                Intent.target == target.model_dump_json(),
                col(Intent.bound_to).is_(None),
                col(Intent.expires_at) > now + _OFFER_LASTS / 2,
            )
            if actor is None and (found := await _offered(session, place, *standing)):
                return found
            intent = self.new(place, action, server, target, _OFFER_LASTS)
            intent.incident_id = incident_id
            intent.bound_to = actor.key if actor else None
            session.add(intent)
            return intent.id

    async def offer_to(
        self,
        actor: Actor,
        place: Place,
        server: str,
        wanted: Sequence[tuple[str, Target, int | None]],
    ) -> list[str]:
        """Return the intent ids for the buttons of a message that one person sees.

        Each is wanted for an action, with its target and the incident it belongs to, if any.
        """
        intents: list[Intent] = []
        for action, target, incident_id in wanted:
            intent = self.new(place, action, server, target, _OFFER_LASTS)
            intent.incident_id, intent.bound_to = incident_id, actor.key
            intents.append(intent)
        ids = [intent.id for intent in intents]
        async with self._store.session() as session:
            session.add_all(intents)
        return ids

    async def offers(
        self, place: Place, server: str, targets: Mapping[str, Target], incident_id: int
    ) -> dict[str, str]:
        """Return the intent ids for all the buttons of an incident's card that stay, by action."""
        lasting = self._clock.now() + _OFFER_LASTS / 2
        wanted = {action: target.model_dump_json() for action, target in targets.items()}
        async with self._store.session() as session:
            standing = await session.exec(
                select(Intent.action, Intent.target, Intent.id).where(
                    Intent.incident_id == incident_id,
                    col(Intent.action).in_(wanted),
                    Intent.server == server,
                    *_free(place),
                    col(Intent.bound_to).is_(None),
                    col(Intent.expires_at) > lasting,
                )
            )
            found = {
                action: intent_id
                for action, target, intent_id in standing.all()
                if target == wanted[action]
            }
            for action in wanted.keys() - found.keys():
                intent = self.new(place, action, server, targets[action], _OFFER_LASTS)
                intent.incident_id = incident_id
                session.add(intent)
                found[action] = intent.id
        return found

    async def offer_undo(self, place: Place, intent_id: str) -> str | None:
        """Return the intent id of a button that undoes that act; None if it can't be undone."""
        now = self._clock.now()
        async with self._store.session() as session:
            done = await session.get(Intent, intent_id)
            if done is None or not undoable(done) or (done.undo_until or now) <= now:
                return None
            lasts = col(Intent.expires_at) > now
            if found := await _offered(session, place, Intent.undo_of == intent_id, lasts):
                return found
            undo = self.new(place, UNDO, done.server, Target(), timedelta(0))
            undo.incident_id = done.incident_id
            undo.undo_of = done.id
            undo.target = done.target
            undo.expires_at = done.undo_until or now
            session.add(undo)
            return undo.id

    async def offer_decision(self, place: Place, action: str, asked: Intent) -> str:
        """Return the intent id of a button that approves or declines what somebody asks for."""
        async with self._store.session() as session:
            if found := await _offered(
                session, place, Intent.decides == asked.id, Intent.action == action
            ):
                return found
            button = self.new(place, action, asked.server, Target(), timedelta(0))
            button.incident_id, button.decides = asked.incident_id, asked.id
            button.target, button.expires_at = asked.target, asked.expires_at
            session.add(button)
            return button.id

    async def done_on(self, *incident_ids: int) -> dict[str, Intent]:
        """Return the acts on these incidents that stand, each remedy's newest, by its name.

        One that a later act took the effect of (the account was enabled, the incident opened
        again) stands no more.
        """
        async with self._store.reading() as session:
            found = await session.exec(select(Incident).where(col(Incident.id).in_(incident_ids)))
            incidents = list(found.all())
            rows = await session.exec(
                select(Intent)
                .where(
                    col(Intent.incident_id).in_(incident_ids),
                    Intent.state == IntentState.DONE,
                    col(Intent.undone).is_(False),
                    Intent.action != UNDO,
                )
                .order_by(col(Intent.finished_at))
            )
            done: dict[str, Intent] = {}
            for intent in rows.all():
                if REMEDIES[intent.action].once and _all_overtaken(incidents, intent):
                    continue
                if intent.action == "enable":
                    done = {name: act for name, act in done.items() if not enabled_by(intent, act)}
                done[intent.action] = intent
            return done

    async def original(self, intent: Intent) -> Intent | None:
        """Return the act that this intent takes back, None if it is no undo."""
        if intent.undo_of is None:
            return None
        async with self._store.reading() as session:
            return await session.get(Intent, intent.undo_of)

    def new(
        self, place: Place, action: str, server: str, target: Target, lasts: timedelta
    ) -> Intent:
        """Return an intent that nobody has used; adding it to a session is the caller's."""
        now = self._clock.now()
        return Intent(
            id=secrets.token_urlsafe(16),
            action=action,
            server=server,
            chat=place.chat,
            channel=place.channel,
            created_at=now,
            expires_at=now + lasts,
            target=target.model_dump_json(),
        )


async def _offered(
    session: AsyncSession, place: Place, *which: ColumnElement[bool] | bool
) -> str | None:
    """Return the id of such an intent that stands in a place, used by nobody yet."""
    there = await session.exec(select(Intent.id).where(*which, *_free(place)))
    return there.first()


def _free(place: Place) -> tuple[ColumnElement[bool] | bool, ...]:
    """Return the condition of intents in a place that nobody has used."""
    return (
        Intent.chat == place.chat,
        Intent.channel == place.channel,
        Intent.state == IntentState.OFFERED,
    )


def undoable(intent: Intent) -> bool:
    """Tell whether there is something of an act to take back, as far as it goes by itself."""
    return (
        intent.undo is not None
        and not intent.undone
        and intent.state in (IntentState.DONE, IntentState.FAILED, IntentState.INTERRUPTED)
    )


def undo_of(intent: Intent) -> Undo:
    """Return what must be known to take an act back."""
    return Undo.model_validate_json(intent.undo or "{}")


def overtaken(incident: Incident | None, done: Intent) -> bool:
    """Tell whether an incident was opened again since, so that the act can be done anew."""
    if incident is None or incident.state not in LIVE or done.finished_at is None:
        return False
    # Whoever takes on one that was over and is open again finds nothing done.
    if incident.reopened_at is not None and incident.reopened_at >= done.finished_at:
        return True
    # A checklist goes on while its incident does: only one that was over has another begun.
    if incident.state is not IncidentState.OPEN or done.action == RESPOND:
        return False
    return incident.state_at is not None and incident.state_at >= done.finished_at


def _all_overtaken(incidents: Sequence[Incident], done: Intent) -> bool:
    """Tell whether all that an act was about were opened again since."""
    chosen = _of(done).members
    about = [
        row for row in incidents if (row.sender in chosen if chosen else row.id == done.incident_id)
    ]
    return bool(about) and all(overtaken(row, done) for row in about)


def enabled_by(enabled: Intent, stop: Intent) -> bool:
    """Tell whether all that an act had stopped can send again by a later one."""
    return stop.action in STOPS and people_of(stop).issubset(people_of(enabled))


async def cut_off_before(session: AsyncSession, intent: Intent) -> list[Intent]:
    """Return the tries at the same act that were cut off, oldest first.

    Not those after which something else was done there: what they found is history.
    """
    target = Target.model_validate_json(intent.target)
    there = select(Intent).where(Intent.server == intent.server, Intent.id != intent.id)
    tries = await session.exec(
        there.where(
            Intent.action == intent.action,
            Intent.state == IntentState.INTERRUPTED,
            col(Intent.undo).is_not(None),
            col(Intent.undone).is_(False),
        ).order_by(col(Intent.claimed_at))
    )
    same = [row for row in tries.all() if _of(row).shares(target)]
    taken_back = await undos_under_way(session, *(row.id for row in same))
    same = [row for row in same if row.id not in taken_back]
    if not same or same[0].claimed_at is None:
        return same
    done = await session.exec(
        there.where(
            col(Intent.state).in_((IntentState.DONE, IntentState.FAILED)),
            col(Intent.finished_at) > same[0].claimed_at,
        )
    )
    ends = [row.finished_at for row in done.all() if row.finished_at and _of(row).shares(target)]
    return [row for row in same if row.claimed_at and all(end <= row.claimed_at for end in ends)]


def people_of(intent: Intent) -> frozenset[str]:
    """Return the accounts that an act is about, in lower case."""
    return _of(intent).senders


def _of(intent: Intent) -> Target:
    return Target.model_validate_json(intent.target)


async def touch_responses(
    session: AsyncSession, server: str, incident_id: int | None, action: str = ""
) -> None:
    """Have the checklists told anew that an act may tick, or untick, or an incident's change."""
    which = select(Intent.id).where(
        Intent.action == RESPOND, Intent.server == server, Intent.state == IntentState.DONE
    )
    if incident_id is not None:
        incident = await session.get(Incident, incident_id)
        # A campaign's checklist is about all of its accounts.
        lead = incident.campaign if incident is not None else None
        which = which.where(col(Intent.incident_id).in_({incident_id, lead or incident_id}))
    elif action in ("block", "unblock"):
        # Typed, it belongs to no incident, and may yet be about the addresses of several.
        live = select(Incident.id).where(Incident.server == server, col(Incident.state).in_(LIVE))
        which = which.where(col(Intent.incident_id).in_(live))
    else:
        return
    await session.exec(
        update(Announcement)
        .where(col(Announcement.intent_id).in_(which))
        .values(version=Announcement.version + 1)
    )


async def touch(session: AsyncSession, intent: Intent | str) -> None:
    """Have the lines that tell of this intent, or of that with this id, told anew."""
    await session.exec(
        update(Announcement)
        .where(col(Announcement.intent_id) == (intent if isinstance(intent, str) else intent.id))
        .values(version=Announcement.version + 1)
    )


async def undos_under_way(session: AsyncSession, *intent_ids: str) -> set[str]:
    """Return those of these acts that somebody is taking back at this moment."""
    undos = select(Intent.undo_of).where(
        col(Intent.undo_of).in_(intent_ids), Intent.state == IntentState.CLAIMED
    )
    return {found for found in (await session.exec(undos)).all() if found is not None}


async def hand_undo_on(session: AsyncSession, before: Intent, later: Intent) -> None:
    """Have a later act take back, too, what one before it did; the caller has put both together.

    The undo buttons of the one before it, which somebody may have been asked about already,
    take back the later one.
    """
    before.undo = None
    session.add_all((before, later))
    await session.exec(
        update(Intent)
        .where(col(Intent.undo_of) == before.id, col(Intent.state) == IntentState.OFFERED)
        .values(
            undo_of=later.id,
            target=later.target,
            incident_id=later.incident_id,
            expires_at=later.undo_until,
        )
    )


async def hand_on(session: AsyncSession, before: str, intent_id: str) -> bool:
    """Have the line that tells of one act tell of the one that goes on with it.

    Return whether there was one: another that was cut off may have it already.
    """
    handed = await session.exec(
        update(Announcement)
        .where(col(Announcement.intent_id) == before)
        .values(intent_id=intent_id, version=Announcement.version + 1)
    )
    return handed.rowcount > 0
