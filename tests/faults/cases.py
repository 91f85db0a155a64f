"""What is cut off: each remedy, its undo, and all else that acts by itself or by two persons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from sqlmodel import col, select

from services.expiry import Expiry
from services.intents import APPROVE
from services.mail.port import SpoolQuery, UserState
from services.models import Intent, IntentState
from services.people import Actor
from services.pipeline import Outcome
from services.remedies import REMEDIES
from services.targets import Target

from ..mail.harness import ANN, BOB
from ..services.bench import ADMIN, CHANNEL, OPERATOR, OTHER_OPERATOR, Bench

EVIDENCE = "evidence"
BLOCKED = ip_network("198.51.100.7")
FOR_A_TIME = ip_network("203.0.113.0/28")
FREE = ip_network("198.51.100.8")
WIDE = ip_network("203.0.112.0/20")


@dataclass(frozen=True)
class Set:
    """What a case made ready: what is pressed, and what it acts on."""

    press: str
    target: Target = field(default_factory=Target)
    incident_id: int | None = None
    of: str = ""  # the act that is taken back, purged or mended


async def furnish(bench: Bench, number: int) -> int:
    """Fill the server with some of everything; return the id of an incident about ann."""
    server = bench.server
    await bench.deferred(number, subject="waits")
    await server.hold(await bench.deferred(1, subject="is held"))
    await server.move(await bench.deferred(1, subject="is evidence"), EVIDENCE)
    was_held = await bench.deferred(1, subject="is evidence and was held")
    await server.hold(was_held)
    await server.move(was_held, EVIDENCE)
    await bench.deferred(1, user=BOB, subject="is bob's")
    await server.set_user_state(BOB, UserState.NO_SENDING)
    await server.block(BLOCKED, reason="by hand", lasting=None)
    await server.block(FOR_A_TIME, reason="by hand for a time", lasting=timedelta(days=5))
    return await bench.alert(0)


class Case:
    """Something that is done, in steps. ``deletes``: what it deletes is gone for good."""

    name: str
    deletes: bool = False

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        """Make it ready; nothing of it is done yet."""
        raise NotImplementedError

    async def act(self, bench: Bench, made: Set) -> Any:
        """Do it: this is what is cut off."""
        raise NotImplementedError

    async def press(self, bench: Bench, made: Set) -> Any:
        """Use the very same button again."""
        return await self.act(bench, made)

    async def followed(self, bench: Bench, made: Set) -> Intent | None:
        """Return the intent that is claimed for it, None where it has yet to be made."""
        return await bench.intent(made.press)

    async def again(self, bench: Bench, made: Set) -> Outcome:
        """Ask for the same once more, and do it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Act(Case):
    """A remedy."""

    name: str
    action: str
    target: Target
    actor: Actor = OPERATOR
    on_incident: bool = True
    deletes: bool = False

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        target = self.target
        if target.query is not None:
            ids = await bench.server.matching_ids(target.query, limit=100)
            if self.deletes:
                ids = ids[:2]  # more would take a second person
            target = target.model_copy(update={"queue_ids": ids})
        incident = incident_id if self.on_incident else None
        proposal = await bench.propose(self.action, target, actor=self.actor, incident_id=incident)
        return Set(proposal.intent_id, proposal.target, incident)

    async def act(self, bench: Bench, made: Set) -> Outcome:
        return await bench.pipeline.execute(self.actor, CHANNEL, made.press)

    async def again(self, bench: Bench, made: Set) -> Outcome:
        return await bench.act(
            self.action, made.target, actor=self.actor, incident_id=made.incident_id
        )


@dataclass(frozen=True)
class Approved(Case):
    """A remedy that a second person approves."""

    name: str
    of: Act

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await self.of.prepare(bench, incident_id)
        await self.of.act(bench, made)
        return await self._asked(bench, made)

    async def _asked(self, bench: Bench, made: Set) -> Set:
        asked = await bench.intent(made.press)
        button = await bench.intents.offer_decision(CHANNEL, APPROVE, asked)
        return replace(made, press=button, of=asked.id)

    async def act(self, bench: Bench, made: Set) -> Outcome:
        return await bench.pipeline.decide(OTHER_OPERATOR, CHANNEL, made.press, approve=True)

    async def followed(self, bench: Bench, made: Set) -> Intent | None:
        return await bench.intent(made.of)

    async def again(self, bench: Bench, made: Set) -> Outcome:
        outcome = await self.of.again(bench, made)
        return await self.act(
            bench, await self._asked(bench, replace(made, press=outcome.intent_id))
        )


@dataclass(frozen=True)
class Undone(Case):
    """Taking a remedy back."""

    of: Act

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"undo {self.of.name}"

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await self.of.prepare(bench, incident_id)
        outcome = await self.of.act(bench, made)
        assert outcome.ok, outcome.sentence
        assert outcome.undo_id is not None
        return replace(made, press=outcome.undo_id, of=outcome.intent_id)

    async def act(self, bench: Bench, made: Set) -> Outcome:
        return await bench.pipeline.execute(self.of.actor, CHANNEL, made.press)

    async def again(self, bench: Bench, made: Set) -> Outcome:
        undo_id = await bench.intents.offer_undo(CHANNEL, made.of)
        assert undo_id is not None, "there is no button to take it back"
        return await bench.pipeline.execute(self.of.actor, CHANNEL, undo_id)


@dataclass(frozen=True)
class Ended(Undone):
    """What was done for a time, ended by the bot."""

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"end of {self.of.name}"

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await super().prepare(bench, incident_id)
        bench.pass_time(hours=2)
        return made

    async def act(self, bench: Bench, made: Set) -> Any:
        return await Expiry(bench.store, bench.intents, bench.pipeline, bench.clock).run()

    async def press(self, bench: Bench, made: Set) -> Any:
        intent = await self.followed(bench, made)
        assert intent is not None
        return await bench.pipeline.execute(self.of.actor, CHANNEL, intent.id)

    async def followed(self, bench: Bench, made: Set) -> Intent | None:
        async with bench.store.reading() as session:
            rows = await session.exec(
                select(Intent)
                .where(Intent.undo_of == made.of, Intent.state != IntentState.OFFERED)
                .order_by(col(Intent.claimed_at))
            )
            return rows.first()

    async def again(self, bench: Bench, made: Set) -> Outcome:
        assert await self.act(bench, made) == 1, "the bot did not end it again"
        async with bench.store.reading() as session:
            rows = await session.exec(
                select(Intent).where(Intent.undo_of == made.of, Intent.state == IntentState.DONE)
            )
            done = rows.one()
        return Outcome(done.id, done.action, True, done.summary, None, done.incident_id)


class Asked(Case):
    """Asking a second person: it stands in the channel, and nothing is done."""

    name = "ask for two"

    def __init__(self, of: Act) -> None:
        self.of = of

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        return await self.of.prepare(bench, incident_id)

    async def act(self, bench: Bench, made: Set) -> Outcome:
        return await self.of.act(bench, made)


class Purged(Case):
    """Deleting for good what was deleted long enough ago."""

    name = "purge"
    deletes = True

    def __init__(self, of: Act) -> None:
        self.of = of

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await self.of.prepare(bench, incident_id)
        outcome = await self.of.act(bench, made)
        assert outcome.ok, outcome.sentence
        bench.pass_time(days=8)
        return replace(made, of=outcome.intent_id)

    async def act(self, bench: Bench, made: Set) -> int:
        return await bench.upkeep.purge()


class Mended(Case):
    """The start after a crash, itself cut off."""

    name = "start after a crash"

    def __init__(self, of: Act) -> None:
        self.of = of

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await self.of.prepare(bench, incident_id)
        intent = await bench.pipeline.look(OPERATOR, CHANNEL, made.press)
        remedy = REMEDIES[self.of.action]
        # As a kill just after the act was written down leaves it.
        await bench.pipeline._claim(OPERATOR, intent, remedy, made.target)
        return made

    async def act(self, bench: Bench, made: Set) -> int:
        return await bench.upkeep.recover()


_OF_ANN = SpoolQuery(sender=ANN)
_WAITING = SpoolQuery(subject="waits")

STOP = Act("stop", "stop", Target(account=ANN))
DISABLE = Act("disable", "disable", Target(account=ANN))
REFUSE = Act("disable, refusing", "disable", Target(account=ANN, user_state=UserState.REFUSING))
FOR_AN_HOUR = Act("disable for an hour", "disable", Target(account=ANN, lasting=timedelta(hours=1)))
ENABLE = Act("enable", "enable", Target(account=BOB), on_incident=False)
MOVE = Act("move", "move", Target(query=_OF_ANN, folder="review"))
RESTORE = Act("restore", "restore", Target(query=SpoolQuery(folder=EVIDENCE)), on_incident=False)
DELETE = Act("delete", "delete", Target(query=_OF_ANN))
FOR_GOOD = Act(
    "delete for good", "delete", Target(query=_WAITING, permanent=True), ADMIN, deletes=True
)
BLOCK = Act(
    "block", "block", Target(networks=(FREE, BLOCKED, FOR_A_TIME), lasting=timedelta(days=1))
)
UNBLOCK = Act("unblock", "unblock", Target(networks=(BLOCKED, FOR_A_TIME)), on_incident=False)
ACKNOWLEDGE = Act("acknowledge", "acknowledge", Target(account=ANN))
SNOOZE = Act("snooze", "snooze", Target(account=ANN, lasting=timedelta(minutes=20)))
FALSE_ALARM = Act("false alarm", "false_alarm", Target(account=ANN))
FORGET = Act("forget", "forget", Target(account=ANN, lesson=1))
CONTAIN = Act("contain", "contain", Target(account=ANN))
CONTAIN_OFF = Act(
    "contain, disabling", "contain", Target(account=ANN, user_state=UserState.NO_SENDING)
)
STOP_ALL = Act("stop a campaign", "stop", Target(accounts=(ANN, BOB)))
PASSWORD = Act("new password", "password", Target(account=ANN))
END_SESSIONS = Act("end sessions", "end_sessions", Target(account=ANN))
DELETE_ACCOUNT = Act(
    "delete account",
    "delete_account",
    Target(account=BOB),
    ADMIN,
    on_incident=False,
    deletes=True,
)
RESPONDING = Act("respond", "respond", Target(account=ANN))
LOOKING = Act("look", "look", Target(account=ANN))
JUDGING = Act("judge", "judge", Target(account=ANN))
REPORTING = Act("reported", "reported", Target(account=ANN))
BLOCK_WIDE = Act("block widely", "block", Target(networks=(WIDE,)), on_incident=False)

_ACTS = (
    STOP, DISABLE, REFUSE, FOR_AN_HOUR, ENABLE, MOVE, RESTORE, DELETE, FOR_GOOD, BLOCK, UNBLOCK,
    ACKNOWLEDGE, SNOOZE, FALSE_ALARM, FORGET, CONTAIN, CONTAIN_OFF, STOP_ALL,
    PASSWORD, END_SESSIONS, DELETE_ACCOUNT, RESPONDING, LOOKING, JUDGING, REPORTING,
)  # fmt: skip
_FOR_GOOD = (
    FOR_GOOD, PASSWORD, END_SESSIONS, DELETE_ACCOUNT, RESPONDING, LOOKING, JUDGING,
    REPORTING,
)  # fmt: skip
CASES: Sequence[Case] = (
    *_ACTS,
    *(Undone(act) for act in _ACTS if act not in _FOR_GOOD),
    Asked(BLOCK_WIDE),
    Approved("approve", BLOCK_WIDE),
    Ended(FOR_AN_HOUR),
    Purged(DELETE),
    Mended(STOP),
)
BY_NAME: Mapping[str, Case] = {case.name: case for case in CASES}

assert {act.action for act in _ACTS} == set(REMEDIES), "a remedy is not tried"
