"""The kinds of things that people have done, which are cut off: acts, undos, two persons."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from services.incidents import open_key
from services.intents import APPROVE, DECLINE
from services.mail.port import UserState
from services.models import Incident, Intent
from services.passwords import Passwords
from services.people import Actor
from services.pipeline import Outcome
from services.remedies import REMEDIES
from services.targets import Target

from ..mail.harness import ANN, BOB
from ..services.bench import CHANNEL, OPERATOR, OTHER_OPERATOR, Bench
from .world import Snapshot

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
    of: str = ""  # the act that is taken back, purged, mended or gone on with
    #: How all was before that act, where taking this one back takes both back.
    first: Snapshot | None = None


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
    await bench.mail.submit(ANN, [BOB], "is in bob's mailbox")
    await bench.mail.settle()
    await server.set_user_state(BOB, UserState.NO_SENDING)
    await server.block(BLOCKED, reason="by hand", lasting=None)
    await server.block(FOR_A_TIME, reason="by hand for a time", lasting=timedelta(days=5))
    return await bench.alert(0)


class Case:
    """Something that is done, in steps."""

    name: str
    of: "Act"  # the remedy that it comes down to
    #: Whether it is an act that people can take back at its end.
    is_act: bool = False
    #: How the log has it when its button is used again.
    used_again: str = "repeated"

    @property
    def exact(self) -> bool:
        """Whether all is then as it was before."""
        # These leave the incident in another state than it was found in, by intent.
        return not self.deletes and self.of.action not in ("false_alarm", "respond")

    @property
    def deletes(self) -> bool:
        """Whether what it deletes is gone for good."""
        return self.of.deletes

    @property
    def actor(self) -> Actor:
        """Who does it, and takes it back."""
        return self.of.actor

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
    by: Actor = OPERATOR
    on_incident: bool = True
    is_act = True

    @property
    def of(self) -> "Act":  # type: ignore[override]
        """Itself."""
        return self

    @property
    def actor(self) -> Actor:
        return self.by

    @property
    def deletes(self) -> bool:
        return self.target.permanent or self.action == "delete_account"

    @property
    def lasts(self) -> bool:
        """Whether it cannot be taken back once it is done."""
        return self.deletes or REMEDIES[self.action].undo is None

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
        if self.action == "delete_account":
            bench.pass_time(seconds=1)  # a copy is named after when it was made
        return await bench.act(
            self.action, made.target, actor=self.actor, incident_id=made.incident_id
        )


@dataclass(frozen=True)
class Approved(Case):
    """A remedy that a second person approves."""

    name: str
    of: Act
    is_act = True

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
class OfCampaign(Act):
    """A remedy for some or all accounts of a campaign: ann has its card, bob is with her."""

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        async with bench.store.session() as session:
            lead = await session.get(Incident, incident_id)
            assert lead is not None
            fields = lead.model_dump(exclude={"id"})
            fields |= {"sender": BOB, "open_key": open_key("mail", BOB), "campaign": incident_id}
            bobs = Incident(**fields)
            session.add(bobs)
        about = incident_id if self.target.accounts else bobs.id or 0
        return await super().prepare(bench, about)


@dataclass(frozen=True)
class HandedOn(Act):
    """A new password that a command takes."""

    async def act(self, bench: Bench, made: Set) -> Outcome:
        taker = f'IFS= read -r a; IFS= read -r p; echo "$p" >> {passwords_taken(bench)}'
        bench.pipeline._passwords = Passwords(("/bin/sh", "-c", taker))
        return await super().act(bench, made)

    async def again(self, bench: Bench, made: Set) -> Outcome:
        ready = await bench.propose(self.action, made.target, incident_id=made.incident_id)
        return await self.act(bench, replace(made, press=ready.intent_id))


def passwords_taken(bench: Bench) -> Path:
    """Return the file that has each password which a command took, a line each."""
    copies = bench.safety.copies_folder
    assert copies is not None
    return copies.parent / "taken"


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
class Asked(Case):
    """Asking a second person: it stands in the channel, and nothing is done."""

    of: Act
    name = "ask for two"

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        return await self.of.prepare(bench, incident_id)

    async def act(self, bench: Bench, made: Set) -> Outcome:
        return await self.of.act(bench, made)


@dataclass(frozen=True)
class Declined(Asked):
    """A second person says no: it never is done."""

    name = "decline"

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await super().prepare(bench, incident_id)
        await self.of.act(bench, made)
        asked = await bench.intent(made.press)
        button = await bench.intents.offer_decision(CHANNEL, DECLINE, asked)
        return replace(made, press=button, of=asked.id)

    async def act(self, bench: Bench, made: Set) -> Any:
        return await bench.pipeline.decide(OTHER_OPERATOR, CHANNEL, made.press, approve=False)


@dataclass(frozen=True)
class Lapsed(Declined):
    """Nobody says anything in time: the bot gives it up."""

    name = "nobody approves"
    used_again = "refused"  # it is too old

    async def prepare(self, bench: Bench, incident_id: int) -> Set:
        made = await super().prepare(bench, incident_id)
        bench.pass_time(hours=1)
        return made

    async def act(self, bench: Bench, made: Set) -> Any:
        return await bench.upkeep.expire()

    async def press(self, bench: Bench, made: Set) -> Any:
        return await super().act(bench, made)
