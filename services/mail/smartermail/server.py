"""A SmarterMail server, served through the port over its REST API."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network

from services.clock import Clock
from services.errors import NotCapable, ServerDown
from services.language import later, tr, trn
from services.mail.embedded.address import client_address
from services.mail.port import (
    DEFERRED,
    MAX_ADDRESSEES,
    Block,
    Capabilities,
    Capability,
    MessageResult,
    Network,
    Page,
    Preview,
    Queue,
    Record,
    SenderQueued,
    SenderSpool,
    SpoolCounts,
    SpoolQuery,
    Submission,
    Tell,
    User,
    UserState,
    nobody,
)
from services.mail.smartermail.api import Api
from services.mail.smartermail.blocks import BlockList
from services.mail.smartermail.config import SmarterMailConfig
from services.mail.smartermail.journal import Journal, Taken
from services.mail.smartermail.spool import Item, Spool
from services.mail.smartermail.users import Users

_log = logging.getLogger(__name__)

CAPABILITIES = Capabilities(
    preview=Capability(
        able=False,
        why=later(
            "SmarterMail's API shows no message; open it in SmarterMail, under Manage › Spool."
        ),
    ),
    hold=Capability(
        able=False,
        why=later(
            "SmarterMail's API cannot hold a message; disable its sender, then delete what waits."
        ),
    ),
    quarantine=Capability(
        able=False,
        why=later(
            "SmarterMail's API cannot move messages to a folder; disable their sender, and "
            "move them in SmarterMail, under Manage › Spool."
        ),
    ),
    copy_mail=Capability(
        able=False,
        why=later(
            "SmarterMail's API hands out no mailbox; archive or export it in SmarterMail first."
        ),
    ),
    count_refused=Capability(
        able=False,
        why=later("SmarterMail's API does not tell how often a block has refused somebody."),
    ),
    tell_subjects=Capability(
        able=False,
        why=later(
            "SmarterMail's SMTP log holds no subjects; only those of messages that still wait "
            "when they are counted are known."
        ),
    ),
    tell_outcomes=Capability(
        able=False,
        why=later(
            "SmarterMail's SMTP log does not tell what the other side said; only that a message "
            "waits when it is counted is known."
        ),
    ),
    tell_failed_logins=Capability(
        able=False,
        why=later("Of failed logins only those in the session of an accepted message are read."),
    ),
    # POST settings/sysadmin/message-traffic-statistics {startDate, endDate}: a public client
    # calls it, and hands on whatever comes.
    tell_statistics=Capability(
        able=False,
        why=later(
            "SmarterMail's own traffic statistics are not read, as nothing public shows what "
            "that call answers; reports count its SMTP log."
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that ``spoolwarden check`` looked at."""

    ok: bool
    says: str


class SmarterMailServer:
    """Serves :class:`~services.mail.port.MailServer` between :meth:`start` and :meth:`stop`."""

    def __init__(self, config: SmarterMailConfig, clock: Clock) -> None:
        self._config = config
        self._api = Api(config)
        self._journal = Journal(self._api, config, clock)
        self._spool = Spool(self._api, config, clock, self._journal)
        self._users = Users(self._api)
        self._blocks = BlockList(self._api, config, clock)

    async def start(self) -> None:
        """Make ready; nothing is sent yet. Raises ConfigError."""
        await self._api.start()

    async def stop(self) -> None:
        """Hang up."""
        await self._api.stop()

    @property
    def name(self) -> str:
        """The name from the configuration."""
        return self._config.name

    @property
    def capabilities(self) -> Capabilities:
        """What the public API can do."""
        return CAPABILITIES

    async def own_networks(self) -> tuple[Network, ...]:
        """Return the addresses of the API's host, and those of the configuration."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                self._config.host, self._config.api.port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise ServerDown(
                tr(
                    "The mail server {server}: no address is known for {host}. Nothing was done. "
                    "Check url.",
                    server=self.name,
                    host=self._config.host,
                )
            ) from error
        networks: set[Network] = set(self._config.own_networks)
        networks |= {ip_network(client_address(str(entry[4][0]))) for entry in found}
        return tuple(sorted(networks, key=lambda network: (network.version, network)))

    async def submissions(self, after: str | None, limit: int) -> Sequence[Record]:
        """Return accepted messages after the cursor, from the SMTP log, in its order. No news.

        Subjects are not in that log: they are the spool's, for what is still there, and so is
        that a message was put off.
        """
        try:
            await self._blocks.lift_overdue()
        except ServerDown as error:  # no reason to lose sight of what is being sent
            _log.warning("lifting blocks: %s", error)
        taken = await self._journal.after(after, limit)
        if not taken:
            return []
        items = await self._spool.some_items(t.message.entry.file_name for t in taken)
        return [_submission(t, items.get(t.message.entry.file_name)) for t in taken]

    async def counts(self) -> SpoolCounts:
        """Return how full the spool is."""
        return await self._spool.counts()

    async def top_queued(self, limit: int) -> Sequence[SenderQueued]:
        """Return the senders with most messages waiting; senders are case-folded."""
        return await self._spool.top_queued(limit)

    async def spool_of(self, senders: Collection[str]) -> Mapping[str, SenderSpool]:
        """Return what each of these has waiting and held."""
        return await self._spool.spool_of(senders)

    async def search(self, query: SpoolQuery, *, offset: int = 0, limit: int = 10) -> Page:
        """Return one page; ``arrived_after`` is included, ``arrived_before`` is not."""
        return await self._spool.search(query, offset, limit)

    async def matching_ids(self, query: SpoolQuery, *, limit: int) -> tuple[str, ...]:
        """Return the file names of matching messages, oldest first."""
        return await self._spool.matching_ids(query, limit)

    async def preview(self, queue_id: str) -> Preview | None:
        """Return None for what is gone; of what is there the API shows nothing."""
        if await self._spool.holds(queue_id):
            raise NotCapable(CAPABILITIES.preview.why)
        return None

    async def raw(self, queue_id: str) -> bytes | None:
        """Return None for what is gone; of what is there the API shows nothing."""
        if await self._spool.holds(queue_id):
            raise NotCapable(CAPABILITIES.preview.why)
        return None

    async def hold(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Nothing to hold is held; anything else raises NotCapable."""
        return _nothing(queue_ids, CAPABILITIES.hold)

    async def release(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Raise NotCapable."""
        return _nothing(queue_ids, CAPABILITIES.hold)

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Raise NotCapable."""
        return _nothing(queue_ids, CAPABILITIES.quarantine)

    async def restore(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Raise NotCapable."""
        return _nothing(queue_ids, CAPABILITIES.quarantine)

    async def retry(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Reset waiting ones; what its own quarantines hold stays there, and is GONE."""
        return await self._spool.retry(queue_ids, tell=tell)

    async def delete(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Delete for good; each id is answered once."""
        return await self._spool.delete(queue_ids, tell=tell)

    async def folders(self) -> dict[str, int]:
        """Return SmarterMail's own quarantines, spam and virus, that hold messages."""
        return await self._spool.folders()

    async def user(self, address: str) -> User | None:
        """Return one mailbox; how many sessions it has open is not told."""
        return await self._users.user(address)

    async def set_user_state(self, address: str, state: UserState) -> UserState:
        """Set what a mailbox may do; disabling ends its connections and web sessions."""
        return await self._users.set_state(address, state)

    async def set_password(self, address: str, password: str) -> None:
        """Change a password; connections and web sessions of the old one end."""
        await self._users.set_password(address, password)

    async def delete_user(self, address: str) -> None:
        """Delete a mailbox with its mail; what it has in the spool stays there."""
        await self._users.delete(address)

    async def end_sessions(self, address: str) -> int | None:
        """End connections and web sessions; how many there were is not told."""
        await self._users.end_sessions(address)
        return None

    def mail_of(self, address: str) -> AsyncIterator[bytes]:
        """Raise NotCapable."""
        raise NotCapable(CAPABILITIES.copy_mail.why)

    async def blocks(self) -> Sequence[Block]:
        """Return the blacklist's entries for SMTP; overdue ones of ours are lifted now."""
        return await self._blocks.in_force()

    async def block(
        self, network: Network, *, reason: str, lasting: timedelta | None
    ) -> Block | None:
        """Refuse SMTP from a network and end its open connections."""
        return await self._blocks.add(network, reason, lasting)

    async def unblock(self, network: Network) -> Block | None:
        """Lift a block."""
        return await self._blocks.lift(network)

    async def refused(self) -> Mapping[Network, int]:
        """Raise NotCapable."""
        raise NotCapable(CAPABILITIES.count_refused.why)

    async def healthy(self) -> str:
        """Log in if need be, count the spool, and tell."""
        counts = await self._spool.counts()
        held = counts.waiting + counts.quarantine
        return trn(
            "SmarterMail {server} at {url}, spool {n} message",
            "SmarterMail {server} at {url}, spool {n} messages",
            held,
            server=self.name,
            url=self._config.url,
        )

    async def probes(self) -> Sequence[Probe]:
        """Try each call that only reads, and tell which way this server takes them."""
        found: list[Probe] = []
        for what, probe in (
            ("spool list", self._probe_spool()),  # not shown
            ("SMTP log", self._probe_log()),  # not shown
            ("block list", self._probe_blocks()),  # not shown
        ):
            try:
                found.append(Probe(True, f"{what}: {await probe}"))
            except ServerDown as error:
                found.append(Probe(False, error.sentence))
        found += [Probe(True, f"{what}: by {way}") for what, way in self.ways().items()]
        return found

    def ways(self) -> dict[str, str]:
        """Return, where public clients disagree on a call, which way this server took."""
        return dict(self._api.ways.found)

    async def _probe_spool(self) -> str:
        number = (await self._spool.search(SpoolQuery(), 0, 1)).total
        return f"{number} messages listed"  # not shown

    async def _probe_log(self) -> str:
        number, detailed = await self._journal.detailed()
        if not detailed:
            raise ServerDown(
                f"The SMTP log of {self.name} does not tell who sends: in SmarterMail, set its "
                "level to Detailed under Settings › Logging. "
                "Nothing else is in the way."  # not shown
            )
        return f"{number} messages accepted today"  # not shown

    async def _probe_blocks(self) -> str:
        return f"{len(await self._blocks.in_force())} entries for SMTP"  # not shown


def _submission(taken: Taken, item: Item | None) -> Submission:
    message = taken.message
    sender = message.sender if message.sender is not None else item.sender if item else None
    size = message.size or (item.size if item else None)
    return Submission(
        cursor=taken.cursor,
        at=taken.at,
        sender=message.user or sender or "",
        authenticated=message.user is not None,
        client_ip=message.entry.client,
        recipients=len(message.recipients) or (len(item.recipients) if item else 0) or 1,
        size=size or 0,
        subject=(item.subject if item else None) or "",
        addressees=(message.recipients or (item.recipients if item else ()))[:MAX_ADDRESSEES],
        outcome=DEFERRED if item is not None and item.queue is Queue.DEFERRED else "",
        login_failures=message.login_failures,
        message=message.entry.file_name,
    )


def _nothing(queue_ids: Sequence[str], capability: Capability) -> list[MessageResult]:
    if queue_ids:
        raise NotCapable(capability.why)
    return []
