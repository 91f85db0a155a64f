"""The kinds of things that the bot does by itself, which are cut off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import col, select

from services.detection.evidence import Evidence
from services.expiry import Expiry
from services.models import Incident, Intent, IntentState
from services.people import BOT
from services.pipeline import Outcome
from services.remedies import REMEDIES
from services.targets import Target

from ..mail.harness import ANN
from ..services.bench import CHANNEL, OPERATOR, Bench, containment_of
from .kinds import Act, Case, Set, Undone
from .world import snapshot


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
            return _outcome(rows.one())


class Contained(Case):
    """What an account has waiting, held by the bot itself since it is sure."""

    name = "contain by itself"
    of = Act("contain", "contain", Target(account=ANN), BOT)
    is_act = True

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        async with bench.store.session() as session:
            row = await session.get(Incident, incident_id)
            assert row is not None
            evidence = Evidence.model_validate_json(row.evidence)
            row.evidence = evidence.model_copy(update={"queued": 3}).model_dump_json()
            row.score = 100
            session.add(row)
        return Set("", Target(account=ANN), incident_id)

    async def act(self, bench: Bench, made: Set) -> Any:
        return await containment_of(bench, confidence=50).run(bench.server)

    async def press(self, bench: Bench, made: Set) -> Any:
        intent = await self.followed(bench, made)
        assert intent is not None
        return await bench.pipeline.execute(BOT, CHANNEL, intent.id)

    async def followed(self, bench: Bench, made: Set) -> Intent | None:
        begun = await self._begun(bench)
        return begun[0] if begun else None

    async def again(self, bench: Bench, made: Set) -> Outcome:
        assert await self.act(bench, made), "the bot did not hold it again"
        return _outcome((await self._begun(bench))[-1])

    async def _begun(self, bench: Bench) -> Sequence[Intent]:
        async with bench.store.reading() as session:
            rows = await session.exec(
                select(Intent)
                .where(Intent.action == "contain", Intent.state != IntentState.OFFERED)
                .order_by(col(Intent.claimed_at), col(Intent.finished_at))
            )
            return rows.all()


@dataclass(frozen=True)
class GoneOn(Case):
    """What the bot held by itself goes on: one line tells of both, one undo takes both back."""

    of: Act
    name = "contain more"
    is_act = True

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        first = await snapshot(bench)
        made = await self.of.prepare(bench, incident_id)
        outcome = await self.of.act(bench, made)
        assert outcome.ok, outcome.sentence
        await bench.deferred(1, subject="comes later")
        first.places["comes later 0"] = "waiting"
        more = await self._offered(bench, made)
        return replace(made, press=more, of=outcome.intent_id, first=first)

    async def _offered(self, bench: Bench, made: Set) -> str:
        wanted = [("contain", made.target, made.incident_id)]
        return (await bench.intents.offer_to(BOT, CHANNEL, "mail", wanted))[0]

    async def act(self, bench: Bench, made: Set) -> Outcome:
        return await bench.pipeline.execute(BOT, CHANNEL, made.press, follows=made.of)

    async def again(self, bench: Bench, made: Set) -> Outcome:
        return await self.act(bench, replace(made, press=await self._offered(bench, made)))


@dataclass(frozen=True)
class Purged(Case):
    """Deleting for good what was deleted long enough ago."""

    of: Act
    name = "purge"

    @property
    def deletes(self) -> bool:
        return True

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await self.of.prepare(bench, incident_id)
        outcome = await self.of.act(bench, made)
        assert outcome.ok, outcome.sentence
        bench.pass_time(days=8)
        return replace(made, of=outcome.intent_id)

    async def act(self, bench: Bench, made: Set) -> int:
        return await bench.upkeep.purge()


@dataclass(frozen=True)
class Mended(Case):
    """The start after a crash, itself cut off."""

    of: Act
    name = "start after a crash"

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await self.of.prepare(bench, incident_id)
        intent = await bench.pipeline.look(OPERATOR, CHANNEL, made.press)
        remedy = REMEDIES[self.of.action]
        # As a kill just after the act was written down leaves it.
        await bench.pipeline._record.claim(OPERATOR, intent, remedy, made.target)
        return made

    async def act(self, bench: Bench, made: Set) -> int:
        return await bench.upkeep.recover()


def _outcome(intent: Intent) -> Outcome:
    done = intent.state is IntentState.DONE
    return Outcome(intent.id, intent.action, done, intent.summary, None, intent.incident_id)
