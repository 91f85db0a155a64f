"""Whether all that the Postfix module needs is there: tried, and nothing changed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.errors import MailServerError, ServerDown
from services.mail.port import Capabilities
from services.mail.postfix.commands import Runner
from services.mail.postfix.config import PostfixConfig
from services.mail.postfix.postconf import Postconf
from services.mail.postfix.programs import Programs
from services.mail.postfix.spool import DELETE, HOLD, RELEASE, Spool
from services.mail.postfix.users import Users

# A short id with an inode no file system gives out.
_NO_MESSAGE = "00000FFFFFFFFFFFF"


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one thing the module needs is there; ``why`` is a sentence where it is not."""

    what: str
    good: bool
    why: str = ""


class Checks:
    """Tries what one mail server is used by. ``healthy`` and ``log`` raise MailServerError."""

    def __init__(
        self,
        config: PostfixConfig,
        runner: Runner,
        programs: Programs,
        postconf: Postconf,
        users: Users,
        spool: Spool,
        healthy: Callable[[], Awaitable[object]],
        log: Callable[[], Awaitable[object]],
    ) -> None:
        self._config = config
        self._runner = runner
        self._programs = programs
        self._postconf = postconf
        self._users = users
        self._spool = spool
        self._healthy = healthy
        self._log = log

    async def run(self, able: Capabilities) -> list[Check]:
        """Try each thing; ``able`` is what Postfix was found to be set up for."""
        checks = []
        target = self._config.target
        if target is not None:
            what = f"run commands on {target.host} as {target.user}"  # not shown
            checks.append(await self._ran(what, ["true"]))
            if self._config.log_zone is None:
                checks.append(await self._same_zone())
        checks += [
            await self._tried("Postfix is running", self._healthy()),  # not shown
            await self._tried("list the queue", self._spool.counts()),  # not shown
            await self._act_on_none(),
            await self._ran("try messages again", self._programs.retry(_NO_MESSAGE)),  # not shown
            await self._read_a_message(),
            await self._tried("read the log", self._log()),  # not shown
            await self._same_name(),
        ]
        if self._config.sasldb is not None:
            what = "list logins"  # not shown
            checks.append(await self._ran(what, self._programs.logins()))
            checks += await self._may_change_logins()
        if self._config.logins is not None:
            what = "look up logins"  # not shown
            checks.append(await self._tried(what, self._users.probe_logins()))
        if self._config.user_maps:
            what = "look up users"  # not shown
            checks.append(await self._tried(what, self._users.probe_maps()))
        for what, capability in (
            ("disable a user", able.no_sending),
            ("refuse a user's mail", able.refusing),
            ("block addresses", able.block),  # not shown
        ):
            checks.append(Check(what, capability.able, capability.why))
        if self._config.sasldb is not None or self._config.logins is not None:
            for what, capability in (
                ("set passwords", able.set_password),  # not shown
                ("delete accounts", able.delete_user),  # not shown
            ):
                said = what if capability.able else f"cannot {what}"
                checks.append(Check(said, good=True, why=capability.why))
        return checks

    async def _tried(self, what: str, trial: Awaitable[object]) -> Check:
        try:
            await trial
        except MailServerError as error:
            return Check(what, good=False, why=str(error))
        return Check(what, good=True)

    async def _ran(self, what: str, command: Sequence[str]) -> Check:
        try:
            end = await self._runner.run(command)
        except ServerDown as error:
            return Check(what, good=False, why=str(error))
        if end.code == 0:
            return Check(what, good=True)
        return Check(what, good=False, why=f"{command[0]} failed: {end.complaint}.")

    async def _act_on_none(self) -> Check:
        """Call each act that is used, with no message to act on."""
        what = "hold, release and delete messages"  # not shown
        for option in (HOLD, RELEASE, DELETE):
            check = await self._ran(what, self._programs.act(option))
            if not check.good:
                return check
        return check

    async def _may_change_logins(self) -> list[Check]:
        """Ask sudo about what cannot be tried without changing something."""
        what = "change logins"  # not shown
        for command in (self._programs.password, self._programs.delete_login):
            asking = self._programs.allowed(command("nobody", "localhost"))
            if asking is not None and not (check := await self._ran(what, asking)).good:
                return [check]
        return [Check(what, good=True)]

    async def _read_a_message(self) -> Check:
        """Ask for a message that cannot be there: only a refusal is a failure."""
        return await self._tried("read a message", self._spool.must_read(_NO_MESSAGE))

    async def _same_zone(self) -> Check:
        """Find out whether stamps without a zone would be read as this machine's time."""
        end = await self._runner.run(["date", "+%z"])
        there = end.out.decode("ascii", "replace").strip()
        here = datetime.now().astimezone().strftime("%z")
        what = "read the log's times"  # not shown
        if there == here:
            return Check(what, good=True)
        return Check(
            what,
            good=False,
            why=f"That machine's clock is set to {there}, this one's to {here}: set log_zone to "
            'the zone of the log, such as "Europe/Zurich".',  # not shown
        )

    async def _same_name(self) -> Check:
        """Find out whether each service that takes mail writes lines that are read as its own."""
        what = "know its lines in the log"  # not shown
        ours = self._config.syslog_name
        whole = await self._postconf.told(self._programs.settings("syslog_name"))
        names = {"main.cf": whole.strip()} | (await self._postconf.setup()).syslog_names()
        strange = [
            (at, name) for at, name in names.items() if not f"{name}/".startswith(f"{ours}/")
        ]
        if not strange:
            return Check(what, good=True)
        at, name = strange[0]
        return Check(
            what,
            good=False,
            why=f"{at} has syslog_name {name}, and only lines of {ours} are read: mail that comes "
            f"that way is not seen. Set syslog_name there to {ours}, or to a name that begins with "
            f"{ours}/, or syslog_name in spoolwarden.toml to what it is.",  # not shown
        )
