"""A Postfix server behind the port: its own commands, its log, and the tables it asks."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

from services.clock import Clock
from services.errors import BadArgument, NotCapable, ServerDown, SpoolwardenError
from services.language import later, tr, trn
from services.mail.embedded.preview import MAX_PARSED, headers_of, text_and_attachments
from services.mail.port import (
    ABLE,
    Block,
    Capabilities,
    Capability,
    MessageResult,
    Network,
    Page,
    Preview,
    Record,
    SenderQueued,
    SenderSpool,
    SpoolCounts,
    SpoolQuery,
    Tell,
    User,
    UserState,
    nobody,
)
from services.mail.postfix.access import AccessTables
from services.mail.postfix.asked import Lookup
from services.mail.postfix.blocks import BlockList
from services.mail.postfix.checks import Check, Checks
from services.mail.postfix.commands import LocalRunner, Runner
from services.mail.postfix.config import PostfixConfig
from services.mail.postfix.farfolder import FarFolder
from services.mail.postfix.folder import Folder, LocalFolder
from services.mail.postfix.lines import LineParser
from services.mail.postfix.log import SubmissionLog
from services.mail.postfix.logfiles import LogFiles
from services.mail.postfix.mirror import LogMirror
from services.mail.postfix.postconf import Postconf
from services.mail.postfix.programs import Programs
from services.mail.postfix.rejects import Rejects
from services.mail.postfix.spool import Spool
from services.mail.postfix.state import State
from services.mail.postfix.users import Users

_log = logging.getLogger(__name__)

_TIDY_EVERY = timedelta(hours=1)
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,253}\Z")
_NO_SESSIONS = Capability(
    able=False,
    why=later(
        "Postfix cannot end one user's sessions. Disabling the user takes effect for the next "
        "message of those that are open."
    ),
)
_NO_COPY = Capability(
    able=False,
    why=later(
        "Postfix keeps no mailboxes: the mail stays where the program that delivers it put it."
    ),
)
# What cannot be done where Postfix does not ask one of our tables.
_NO_DISABLING = later(
    "Users cannot be disabled on {server}: its service {service} does not ask {lookup} before it "
    "permits the client."
)
_NO_REFUSING = later(
    "Mail cannot be refused on {server}: its service {service} does not ask {lookup} before it "
    "permits the client."
)
_NO_BLOCKING = later(
    "Addresses cannot be blocked on {server}: its service {service} does not ask {lookup} before "
    "it permits the client."
)


class PostfixServer:
    """A Postfix server; serves :class:`~services.mail.port.MailServer`.

    Between :meth:`start` and :meth:`stop` it can be used. Postfix itself is not started
    or stopped by it, and what was disabled or blocked stays so without it.
    """

    def __init__(self, config: PostfixConfig, clock: Clock, runner: Runner | None = None) -> None:
        self._config = config
        self._clock = clock
        self._runner = runner or _runner(config)
        self._programs = Programs(config)
        self._state = State(config.name, config.notes / "state.db")
        folder = _folder(config, self._runner)
        self._tables = AccessTables(config.name, folder)
        self._blocks = BlockList(config.name, folder, clock)
        self._mirror = _mirror(config, self._runner, clock)
        self._users = Users(config, self._runner, self._programs)
        self._spool = Spool(config.name, self._runner, self._programs, self._state, clock)
        zone = None if config.log_zone is None else ZoneInfo(config.log_zone)
        self._log = SubmissionLog(
            config.name,
            self._log_file(),
            LineParser(config.syslog_name, zone),
            clock,
            config.history,
            self._state.remember,
            self._state.seen,
        )
        self._rejects = Rejects(
            config.name, LogFiles(self._log_file()), LineParser(config.syslog_name, zone)
        )
        self._reading_log = asyncio.Lock()
        self._postconf = Postconf(config.name, self._runner, self._programs)
        self._checks = Checks(
            config,
            self._runner,
            self._programs,
            self._postconf,
            self._users,
            self._spool,
            self.healthy,
            self._try_log,
        )
        self._capabilities = Capabilities(
            set_password=self._users.set_password,
            delete_user=self._users.delete_user,
            end_sessions=_NO_SESSIONS,
            copy_mail=_NO_COPY,
        )
        self._tidied = clock.now()

    # -- life ------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the state, and look at what Postfix is set up to ask. Raises ServerDown."""
        try:
            await asyncio.to_thread(self._make_notes_folder)
            await asyncio.to_thread(self._state.open)
            await self._tables.open()
            await self._blocks.in_force()  # and the tables made from it
            self._capabilities = await self._look()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the state. Nothing changes for Postfix."""
        await self._tables.close()
        await asyncio.to_thread(self._state.close)
        await self._runner.close()

    @property
    def notes(self) -> Path:
        """The folder on this machine with what only the bot reads."""
        return self._config.notes

    @property
    def account(self) -> str | None:
        """The account that runs commands on another machine, None if it is this one."""
        target = self._config.target
        return None if target is None else target.user

    def sudoers(self, user: str) -> str:
        """Return the lines of a sudoers file that allow what this module calls as root."""
        return self._programs.sudoers(user)

    async def to_be_asked(self) -> list[str]:
        """Return the commands, for root, that make Postfix ask the tables it does not ask yet."""
        setup, written = await self._postconf.setup(), await self._postconf.setup(resolved=False)
        return setup.commands(self._tables.wanted, written, self._programs.postconf)

    async def check(self) -> list[Check]:
        """Try each thing the module needs, changing nothing."""
        self._capabilities = await self._look()
        return await self._checks.run(self._capabilities)

    # -- the port --------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name from the configuration."""
        return self._config.name

    @property
    def capabilities(self) -> Capabilities:
        """What Postfix was set up for when this was started, or last checked."""
        return self._capabilities

    async def own_networks(self) -> tuple[Network, ...]:
        """Return the addresses of the machine, and those main.cf says are Postfix's outside."""
        found: set[Network] = {ip_network("127.0.0.0/8"), ip_network("::1")}
        machine = await self._runner.run(["hostname", "-I"])
        told = await self._postconf.told(
            self._programs.settings("inet_interfaces", "proxy_interfaces")
        )
        for word in re.split(r"[\s,]+", machine.out.decode("ascii", "replace") + told):
            try:
                found.add(ip_network(word.strip("[]")))
            except ValueError:
                continue  # "all", a host name
        return tuple(sorted(found, key=lambda network: (network.version, network)))

    async def submissions(self, after: str | None, limit: int) -> Sequence[Record]:
        """Return accepted messages and news after the cursor, in the order of the log."""
        async with self._reading_log:
            if self._mirror is not None:
                await self._mirror.refresh()
            found = await asyncio.to_thread(self._log.after, after, limit)
        await self._tidy()
        return found

    async def counts(self) -> SpoolCounts:
        """Return how full the queue is."""
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
        """Return the queue ids of matching messages, oldest first."""
        return await self._spool.matching_ids(query, limit)

    async def preview(self, queue_id: str) -> Preview | None:
        """Return the head of one message, parsed from its first MiB."""
        raw = await self._spool.head(queue_id, MAX_PARSED)
        message = None if raw is None else await self._spool.message(queue_id)
        if message is None or raw is None:
            return None
        headers = await asyncio.to_thread(headers_of, raw)
        text, attachments = await asyncio.to_thread(text_and_attachments, raw)
        return Preview(message, headers, text, attachments)

    async def raw(self, queue_id: str) -> bytes | None:
        """Return one message as it was accepted, byte for byte but for its line ends: CRLF."""
        return await self._spool.raw(queue_id)

    async def hold(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Hold; one being delivered this moment may still go out, as postsuper(1) says."""
        return await self._spool.hold(queue_ids, tell=tell)

    async def release(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Put held ones in the deferred queue, which Postfix looks at every few minutes."""
        return await self._spool.release(queue_ids, tell=tell)

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Hold and note the folder. Raises BadArgument for an unfit name."""
        return await self._spool.move(queue_ids, folder, tell=tell)

    async def restore(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Put quarantined ones back where they came from; an active one becomes deferred."""
        return await self._spool.restore(queue_ids, tell=tell)

    async def retry(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Have waiting ones tried now: a call for each, a few side by side."""
        return await self._spool.retry(queue_ids, tell=tell)

    async def delete(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Delete for good."""
        return await self._spool.delete(queue_ids, tell=tell)

    async def folders(self) -> dict[str, int]:
        """Return each quarantine folder that holds messages, and how many."""
        return await self._spool.folders()

    async def user(self, address: str) -> User | None:
        """Return one user. Postfix does not tell who is connected."""
        name = await self._users.find(address)
        if name is None:
            return None
        return User(name, await self._tables.state(name))

    async def set_user_state(self, address: str, state: UserState) -> UserState:
        """Set what a user may do: each MAIL and RCPT after this returns is asked about."""
        able = self._capabilities
        _must_be_able(able.refusing if state is UserState.REFUSING else able.no_sending)
        name = await self._users.must_find(address)
        names = await self._users.names(name)
        addresses = await self._addresses(names) if state is UserState.REFUSING else []
        return await self._tables.set_state(names, state, addresses)

    async def set_password(self, address: str, password: str) -> None:
        """Change a password. An open session goes on until it ends: disable the user, too."""
        await self._users.change_password(address, password)

    async def delete_user(self, address: str) -> None:
        """Delete a login, and refuse its mail: also in its open sessions it sends nothing more.

        The mailbox's files stay, because only the program that delivers to it knows them.
        A later login of that name is disabled, until it is enabled.
        """
        _must_be_able(self._capabilities.delete_user)
        name = await self._users.must_find_login(address)
        names = await self._users.names(name)
        addresses = await self._addresses(names)
        refuse = UserState.REFUSING
        before = await self._tables.set_state(names, refuse, addresses)
        try:
            await self._users.delete_login(name)
        except SpoolwardenError:
            await self._tables.set_state(names, before, addresses)
            raise

    async def end_sessions(self, address: str) -> int | None:
        """Raise NotCapable."""
        raise NotCapable(_NO_SESSIONS.why)

    def mail_of(self, address: str) -> AsyncIterator[bytes]:
        """Raise NotCapable."""
        raise NotCapable(_NO_COPY.why)

    async def blocks(self) -> Sequence[Block]:
        """Return the block list as now in force."""
        return await self._blocks.in_force()

    async def block(
        self, network: Network, *, reason: str, lasting: timedelta | None
    ) -> Block | None:
        """Refuse SMTP from a network. Raises BadArgument if it would end before it began."""
        _must_be_able(self._capabilities.block)
        if lasting is not None and lasting <= timedelta(0):
            raise BadArgument(tr("A block lasts a positive time."))
        return await self._blocks.add(network, reason, lasting)

    async def unblock(self, network: Network) -> Block | None:
        """Lift a block."""
        _must_be_able(self._capabilities.block)
        return await self._blocks.lift(network)

    async def refused(self) -> Mapping[Network, int]:
        """Count in the log, and in the rotated ones, what was refused since each block began."""
        blocks = await self._blocks.in_force()
        if self._mirror is not None:
            async with self._reading_log:
                await self._mirror.refresh()
        # It may read for a minute, and no poll waits for that.
        return await asyncio.to_thread(self._rejects.count, blocks)

    async def healthy(self) -> str:
        """Tell whether Postfix runs and how much it holds."""
        status = await self._runner.run(self._programs.status())
        if status.code != 0:
            raise ServerDown(
                tr(
                    "Postfix of the mail server {server} is not running, or the bot may not ask: "
                    "{why}. Start it, or check the bot's rights there.",
                    server=self.name,
                    why=status.complaint,
                )
            )
        number = (await self._postconf.told(self._programs.settings("mail_version"))).strip()
        counts = await self._spool.counts()
        held = counts.waiting + counts.held + counts.quarantine
        return trn(
            "Postfix {version} of mail server {server} runs, spool {n} message",
            "Postfix {version} of mail server {server} runs, spool {n} messages",
            held,
            version=number,
            server=self.name,
        )

    # -- inside ----------------------------------------------------------------------

    async def _look(self) -> Capabilities:
        """Find out which of our tables Postfix asks."""
        setup, tables = await self._postconf.setup(), self._tables
        logins = Lookup("check_sasl_access", tables.logins)
        recipients = Lookup("check_recipient_access", tables.recipients)
        clients = Lookup("check_client_access", tables.clients)
        no_sending = self._asked(_NO_DISABLING, logins, setup.silent_at_login(logins))
        refusing = self._asked(_NO_REFUSING, recipients, setup.silent(recipients))
        block = self._asked(_NO_BLOCKING, clients, setup.silent(clients))
        return Capabilities(
            no_sending=no_sending,
            refusing=refusing if no_sending.able else no_sending,
            set_password=self._users.set_password,
            delete_user=self._users.delete_user if refusing.able else refusing,
            end_sessions=_NO_SESSIONS,
            copy_mail=_NO_COPY,
            block=block,
            block_expiry=block,
        )

    def _asked(self, otherwise: str, lookup: Lookup, silent: Sequence[str]) -> Capability:
        if not silent:
            return ABLE
        told = tr(otherwise, server=self.name, service=silent[0], lookup=lookup)
        return Capability(able=False, why=told)

    async def _addresses(self, names: Sequence[str]) -> list[str]:
        """Return the addresses of a user: of a name without a domain, one in each local one."""
        found = {name for name in names if "@" in name}
        plain = [name for name in names if "@" not in name]
        if not plain:
            return sorted(found)
        told = await self._postconf.told(self._programs.settings("myorigin", "mydestination"))
        words = re.split(r"[\s,]+", told)
        domains = {word.lower() for word in words if _DOMAIN.match(word)}
        return sorted(found | {f"{name}@{domain}" for name in plain for domain in domains})

    async def _tidy(self) -> None:
        now = self._clock.now()
        try:
            await self._blocks.in_force()  # takes out what expired
            if now - self._tidied >= _TIDY_EVERY:
                self._tidied = now
                await asyncio.to_thread(self._state.forget, int(now.timestamp()))
        except ServerDown as error:  # no reason to lose sight of what is being sent
            _log.warning("tidying up: %s", error)

    async def _try_log(self) -> None:
        async with self._reading_log:
            if self._mirror is not None:
                await self._mirror.refresh()
            await asyncio.to_thread(self._log.readable)

    def _log_file(self) -> Path:
        return self._config.log if self._mirror is None else self._mirror.live

    def _make_notes_folder(self) -> None:
        folder = self._config.notes
        if folder == self._config.state_directory:
            return
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ServerDown(
                tr(
                    "The folder {folder} for the notes on the mail server {server} could not be "
                    "made ({why}). Nothing was done; make it, or set notes_directory.",
                    folder=folder,
                    server=self.name,
                    why=error.strerror or error,
                )
            ) from error


def _runner(config: PostfixConfig) -> Runner:
    target = config.target
    if target is None:
        return LocalRunner(config.name, config.timeout)
    # It takes long to import, and most have their Postfix on the same machine.
    from services.mail.postfix.ssh import SshRunner

    return SshRunner(config.name, config.timeout, target)


def _folder(config: PostfixConfig, runner: Runner) -> Folder:
    target = config.target
    if target is None:
        return LocalFolder(config.name, config.state_directory)
    return FarFolder(config.name, config.state_directory, runner, target.user)


def _mirror(config: PostfixConfig, runner: Runner, clock: Clock) -> LogMirror | None:
    if config.target is None:
        return None
    folder = config.notes / "log"
    return LogMirror(config.name, config.log, folder, runner, clock, config.history)


def _must_be_able(capability: Capability) -> None:
    if not capability.able:
        raise NotCapable(capability.why)
