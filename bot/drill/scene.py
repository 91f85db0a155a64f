"""Who and what a drill plays with."""

from dataclasses import dataclass, replace

from bot.demo.campaigns import LOUD, QUIET
from bot.demo.stage import Stage
from bot.drill.hands import Hands
from bot.drill.wire import Wire
from services.mail.port import DELIVERING, Queue, SpoolQuery

#: The two campaigns, faster than life: a drill has a minute.
LOUD_NOW = replace(LOUD, pace=120)
QUIET_NOW = replace(QUIET, pace=80)
LOUD_MESSAGES = 200
QUIET_MESSAGES = 60
ACCOUNT = LOUD.account
SECOND = QUIET.account
COLLEAGUE = "ben.osei@example.com"


def remote_waits(sender: str, recipient: str) -> str | None:
    """Let every recipient of spam wait, so that counts stand still while they are compared."""
    return "451 4.7.28 Unusual rate of mail" if recipient.endswith(".invalid") else None


@dataclass(slots=True)
class Scene:
    """The stage, four people, and the mail server's own word."""

    stage: Stage
    otto: Hands  # operator
    vera: Hands  # viewer
    ada: Hands  # admin
    nobu: Hands  # nobody
    wire: Wire
    sent: int = 0  # messages of the loud campaign that the server took

    async def waiting(self, account: str = ACCOUNT) -> int:
        """Return how many of an account's messages the server will still deliver."""
        return await self._total(SpoolQuery(sender=account, queues=DELIVERING))

    async def held(self, account: str = ACCOUNT) -> int:
        """Return how many are held."""
        return await self._total(SpoolQuery(sender=account, queues=(Queue.HELD,)))

    async def in_folder(self, folder: str) -> int:
        """Return how many messages a quarantine folder has."""
        return (await self.stage.server.folders()).get(folder, 0)

    async def oldest(self, account: str = ACCOUNT) -> tuple[str, bytes]:
        """Return the queue id of an account's oldest message, and its bytes."""
        ids = await self.stage.server.matching_ids(SpoolQuery(sender=account), limit=1)
        raw = await self.stage.server.raw(ids[0])
        if raw is None:
            raise LookupError(f"message {ids[0]} is gone")
        return ids[0], raw

    async def _total(self, query: SpoolQuery) -> int:
        return (await self.stage.server.search(query, limit=1)).total
