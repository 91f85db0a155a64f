"""Everything behind the chats, built as the bot builds it, on a real mail server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlmodel import col, select

from bot.demo.sender import compose
from services.access import Access
from services.audit import AuditLog
from services.clock import ManualClock
from services.containment import Containment
from services.detection.detector import Detector, Poll
from services.detection.evidence import Evidence, Habit
from services.incidents import open_key
from services.intents import Intents
from services.mail.embedded import EmbeddedServer
from services.mail.port import MailServer, Queue, SpoolQuery, UserState
from services.models import Announcement, AuditEntry, Incident, Intent
from services.origin import Origin
from services.people import Actor, Place
from services.pipeline import Outcome, Pipeline, Proposal
from services.rules import Rules
from services.settings import (
    AccessSettings,
    ApprovalSettings,
    ContainmentSettings,
    DetectionSettings,
    SafetySettings,
)
from services.store import Store
from services.targets import Target
from services.traffic import gather
from services.upkeep import Upkeep

from ..databases import open_store_at
from ..mail.harness import ANN, BOB, DOMAIN, PASSWORD, EmbeddedHarness

CHANNEL = Place("slack", "C1")
VIEWER = Actor("slack", "UVIEWER", "Vic")
OPERATOR = Actor("slack", "UOPERATOR", "Olga")
OTHER_OPERATOR = Actor("slack", "UOTHER", "Otto")
ADMIN = Actor("slack", "UADMIN", "Ada")
STRANGER = Actor("slack", "USTRANGER", "Sid")
ACCESS = AccessSettings(
    viewers=(VIEWER.user_id,),
    operators=(OPERATOR.user_id, OTHER_OPERATOR.user_id),
    admins=(ADMIN.user_id,),
)
CEO = f"ceo@{DOMAIN}"
ELSEWHERE = "elsewhere.test"
SAFETY = SafetySettings(protected_accounts=(CEO,))


class Bench:
    """The services with a mail server, and shorter words for what tests do with them."""

    def __init__(self, store: Store, mail: EmbeddedHarness, safety: SafetySettings) -> None:
        self.store = store
        self.mail = mail
        self.clock: ManualClock = mail.clock
        self.safety = safety
        self.rules = Rules(safety)
        self.approval = ApprovalSettings(permanent_above=2, minutes=30, delete_account=False)
        self.changes = 0
        self.strangers = 0
        self.origins: dict[str, Origin] = {}  # what is known of addresses
        self.audit = AuditLog(store, self.clock)
        self.access = Access(ACCESS, {}, self.clock)
        self.build()

    def build(self, detection: DetectionSettings | None = None) -> None:
        """Build what a restart of the bot builds anew."""
        detection = detection or DetectionSettings()
        self.detector = Detector(
            self.store,
            self.audit,
            self.clock,
            detection,
            rules=self.rules,
            origin_of=self.origin_of,
        )
        servers = {"mail": self.mail.server}
        self.intents = Intents(self.store, self.clock)
        self.upkeep = Upkeep(self.store, servers, self.audit, self.clock, self._changed)
        self.pipeline = self.pipeline_of(servers)

    def pipeline_of(self, servers: Mapping[str, MailServer]) -> Pipeline:
        return Pipeline(
            store=self.store,
            intents=self.intents,
            servers=servers,
            access=self.access,
            audit=self.audit,
            rules=self.rules,
            clock=self.clock,
            safety=self.safety,
            approval=self.approval,
            changed=self._changed,
        )

    def origin_of(self, address: str) -> Origin | None:
        return self.origins.get(address)

    def _changed(self) -> None:
        self.changes += 1

    @property
    def server(self) -> EmbeddedServer:
        return self.mail.server

    def pass_time(self, **by: float) -> None:
        self.clock.set(self.clock.now() + timedelta(**by))

    async def poll(self) -> Poll:
        return await self.detector.poll(self.server)

    async def alert(self, number: int = 3, *, user: str = ANN) -> int:
        """Have an incident about ``user`` after few messages, which is quick; return its id."""
        await self.burst(number, user=user)
        await self.poll()
        async with self.store.session() as session:
            evidence = await gather(session, "mail", user, self.clock.now(), Habit())
            incident = self.begun(user, evidence.model_dump_json())
            session.add(incident)
        assert incident.id is not None
        return incident.id

    def begun(self, user: str, evidence: str) -> Incident:
        """Return an incident about ``user`` that begins now, with this evidence as JSON."""
        now = self.clock.now()
        return Incident(
            server="mail",
            sender=user,
            open_key=open_key("mail", user),
            opened_at=now,
            updated_at=now,
            evidence=evidence,
            score=60,
        )

    # -- acting -------------------------------------------------------------------------

    async def propose(
        self,
        action: str,
        target: Target,
        *,
        actor: Actor = OPERATOR,
        place: Place = CHANNEL,
        incident_id: int | None = None,
    ) -> Proposal:
        return await self.pipeline.propose(
            actor, place, action, server="mail", target=target, incident_id=incident_id
        )

    async def act(
        self,
        action: str,
        target: Target,
        *,
        actor: Actor = OPERATOR,
        place: Place = CHANNEL,
        incident_id: int | None = None,
    ) -> Outcome:
        """Propose and confirm."""
        proposal = await self.propose(
            action, target, actor=actor, place=place, incident_id=incident_id
        )
        return await self.pipeline.execute(actor, place, proposal.intent_id)

    async def undo(
        self, outcome: Outcome, *, actor: Actor = OPERATOR, place: Place = CHANNEL
    ) -> Outcome:
        undo_id = await self.intents.offer_undo(place, outcome.intent_id)
        assert undo_id is not None
        return await self.pipeline.execute(actor, place, undo_id)

    # -- looking ------------------------------------------------------------------------

    async def incidents(self) -> list[Incident]:
        async with self.store.reading() as session:
            return list((await session.exec(select(Incident).order_by(col(Incident.id)))).all())

    async def incident(self) -> Incident:
        (incident,) = await self.incidents()
        return incident

    async def evidence(self) -> Evidence:
        return Evidence.model_validate_json((await self.incident()).evidence)

    async def intent(self, intent_id: str) -> Intent:
        async with self.store.reading() as session:
            intent = await session.get(Intent, intent_id)
        assert intent is not None
        return intent

    async def told(self) -> list[str]:
        """The texts of the announcements, oldest first."""
        async with self.store.reading() as session:
            rows = await session.exec(select(Announcement).order_by(col(Announcement.id)))
            return [row.text for row in rows.all()]

    async def log(self) -> list[AuditEntry]:
        return [entry async for entry in self.audit.entries()]

    async def phases(self) -> list[tuple[str, str]]:
        return [(entry.phase, entry.action) for entry in await self.log()]

    async def state(self, account: str = ANN) -> UserState | None:
        user = await self.server.user(account)
        return None if user is None else user.state

    async def queues(self) -> dict[str, Queue]:
        """Each queue id with its queue."""
        page = await self.server.search(SpoolQuery(), limit=1000)
        return {message.queue_id: message.queue for message in page.messages}

    async def deferred(self, number: int, *, user: str = ANN, subject: str = "Hi") -> list[str]:
        """Leave this many deferred messages of ``user`` in the spool; return their ids."""
        before = set(await self.queues())
        for index in range(number):
            await self.mail.submit(user, [f"r{index}@{ELSEWHERE}"], f"{subject} {index}")
        await self.mail.settle()
        return [queue_id for queue_id in await self.queues() if queue_id not in before]

    async def burst(
        self,
        number: int,
        *,
        user: str | None = ANN,
        subject: str = "You won",
        client_ip: str = "192.0.2.10",
        envelope_sender: str | None = None,
        each: int = 1,
        to: Sequence[Sequence[str]] | None = None,
    ) -> None:
        """Send this many alike at once, each to so many that nobody wrote to before, or to these.

        ``user`` None does not log in.
        """
        sender = (user or "") if envelope_sender is None else envelope_sender
        async with self.mail.sender(client_ip) as client:
            if user is not None:
                await client.log_in(user, PASSWORD)
            letters = [
                compose(sender, recipients, subject, "Hello.", clock=self.clock)
                for recipients in (to or [self._strangers(each) for _ in range(number)])
            ]
            await client.send_many(letters)

    def _strangers(self, number: int) -> list[str]:
        self.strangers += number
        return [f"x{self.strangers - n}@{ELSEWHERE}" for n in range(number)]


@asynccontextmanager
async def open_store(file: Path, **options: float) -> AsyncIterator[Store]:
    async with open_store_at(f"sqlite:///{file}", **options) as store:
        yield store


@asynccontextmanager
async def open_bench(
    folder: Path, safety: SafetySettings = SAFETY, *, database: str | None = None
) -> AsyncIterator[Bench]:
    """Open everything, with the mailboxes ann, bob and the protected ceo."""
    await _copy_databases(folder)
    mail = EmbeddedHarness(folder)
    await mail.start()
    try:
        async with open_store_at(database or f"sqlite:///{folder}/bot.db") as store:
            yield Bench(store, mail, safety)
    finally:
        await mail.stop()


_databases: dict[str, bytes] = {}


async def _copy_databases(folder: Path) -> None:
    """Put fresh databases there; made once, since password hashes are slow by intent."""
    if not _databases:
        with TemporaryDirectory() as made:
            mail = EmbeddedHarness(Path(made))
            await mail.start()
            for address in (ANN, BOB, CEO):
                await mail.add_user(address)
            await mail.stop()
            async with open_store(Path(made) / "bot.db"):
                pass
            _databases.update(_read(Path(made)))
    for name, content in _databases.items():
        (folder / name).write_bytes(content)


def _read(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.db")}


def containment_of(bench: Bench, **settings: Any) -> Containment:
    """Return what holds by itself on a bench, switched on, with these settings."""
    return Containment(
        store=bench.store,
        intents=bench.intents,
        pipeline=bench.pipeline,
        detector=bench.detector,
        audit=bench.audit,
        rules=bench.rules,
        clock=bench.clock,
        settings=ContainmentSettings(**{"enabled": True, **settings}),
        place=CHANNEL,
    )
