"""Who and what a drill plays with."""

from dataclasses import dataclass, field, replace

from bot.app import App
from bot.demo.campaigns import LOUD, QUIET
from bot.demo.stage import Stage
from bot.drill.wire import ELSEWHERE, Wire
from bot.hands import Hands, Room
from services.mail.port import DELIVERING, MailServer, Queue, SpoolQuery

#: The two campaigns, faster than life: a drill has a minute.
LOUD_NOW = replace(LOUD, pace=120)
QUIET_NOW = replace(QUIET, pace=80)
LOUD_MESSAGES = 200
QUIET_MESSAGES = 60
ACCOUNT = LOUD.account
SECOND = QUIET.account
COLLEAGUE = "ben.osei@example.com"
#: A third campaign, of an account of its own.
THIRD = "zoe.martin@example.org"
THIRD_NOW = replace(
    LOUD,
    account=THIRD,
    addresses=tuple(f"198.18.{100 + n}.9" for n in range(8)),
    subjects=("Invoice {n} is due",),
    pace=1000,
)
THIRD_MESSAGES = 60


def remote_waits(sender: str, recipient: str) -> str | None:
    """Let every recipient of spam wait, so that counts stand still while they are compared."""
    return "451 4.7.28 Unusual rate of mail" if recipient.endswith(".invalid") else None


@dataclass(kw_only=True, slots=True)
class Scene:
    """The bot, four people, and the mail server's own word."""

    app: App
    server: MailServer
    otto: Hands  # operator
    vera: Hands  # viewer
    ada: Hands  # admin
    nobu: Hands  # nobody

    async def total(self, query: SpoolQuery) -> int:
        """Return how many messages the server finds."""
        return (await self.server.search(query, limit=1)).total


@dataclass(kw_only=True, slots=True)
class Acting(Scene):
    """A scene with an account that may be acted on.

    ``mine`` are the account's messages that may be moved and deleted, and ``words`` what
    finds them after /spool. ``visitor`` writes to the account, None for somebody outside.
    """

    wire: Wire
    account: str
    mine: SpoolQuery
    words: str
    folder: str  # where to they are moved
    visitor: str | None
    recipient: str = ELSEWHERE  # whom the account writes to
    sent: int = 0  # messages of the account that the server took
    before_stop: tuple[int, int] = (0, 0)  # its messages, held and waiting

    async def waiting(self) -> int:
        """Return how many of the account's messages the server will still deliver."""
        return await self.total(SpoolQuery(sender=self.account, queues=DELIVERING))

    async def held(self) -> int:
        """Return how many are held."""
        return await self.total(SpoolQuery(sender=self.account, queues=(Queue.HELD,)))

    async def in_folder(self, folder: str) -> int:
        """Return how many of those that may be moved are in a quarantine folder."""
        return await self.total(replace(self.mine, queues=(Queue.QUARANTINE,), folder=folder))

    async def movable(self) -> int:
        """Return how many of those that may be moved will still be delivered."""
        return await self.total(replace(self.mine, queues=DELIVERING))

    async def oldest(self) -> tuple[str, bytes]:
        """Return the queue id of the oldest of them, and its bytes."""
        ids = await self.server.matching_ids(replace(self.mine, queues=DELIVERING), limit=1)
        raw = await self.server.raw(ids[0]) if ids else None
        if raw is None:
            raise LookupError(f"a message of {self.account} is gone")
        return ids[0], raw

    async def may_receive(self) -> str:
        """Return the reply to RCPT TO for the account."""
        return await self.wire.may_receive(self.account, self.visitor)


@dataclass(kw_only=True, slots=True)
class Attack(Acting):
    """The stage, with three accounts that are about to be abused on it."""

    stage: Stage
    room: Room  # where the people are at present
    everywhere: tuple[Hands, ...] = ()  # the operator in each chat
    account: str = ACCOUNT
    mine: SpoolQuery = field(default_factory=lambda: SpoolQuery(sender=ACCOUNT))
    words: str = f"sender:{ACCOUNT}"
    folder: str = "evidence"
    visitor: str | None = COLLEAGUE
