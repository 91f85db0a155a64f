"""Who is a user of the server, and their password where the store of logins is known."""

from collections.abc import Sequence

from services.errors import BadArgument, NotCapable, ServerDown
from services.language import later, tr
from services.mail.port import Capability
from services.mail.postfix.commands import Runner
from services.mail.postfix.config import PostfixConfig
from services.mail.postfix.logins import Logins
from services.mail.postfix.programs import Programs
from services.mail.postfix.sasldb import SaslDb
from services.mail.postfix.sqllogins import SqlLogins

_MAX_NAME = 256
_NO_PASSWORDS = Capability(
    able=False,
    why=later(
        "Passwords cannot be set here: Postfix keeps none, and neither sasldb nor logins "
        "says where they are kept."
    ),
)
_NO_DELETION = Capability(
    able=False,
    why=later(
        "Accounts cannot be deleted here: Postfix keeps none, and neither sasldb nor logins "
        "says where they are kept."
    ),
)
# A space is in no name, so nobody is asked about by it.
_NOBODY = "spoolwarden check"  # not shown


class Users:
    """Looks users up where the configuration says they are."""

    def __init__(self, config: PostfixConfig, runner: Runner, programs: Programs) -> None:
        self._config = config
        self._runner = runner
        self._programs = programs
        self._logins: Logins | None = None
        if config.sasldb is not None:
            self._logins = SaslDb(config, runner, programs)
        elif config.logins is not None:
            self._logins = SqlLogins(config.name, config.logins)

    @property
    def set_password(self) -> Capability:
        """Whether passwords can be set."""
        return _NO_PASSWORDS if self._logins is None else self._logins.set_password

    @property
    def delete_user(self) -> Capability:
        """Whether logins can be deleted."""
        return _NO_DELETION if self._logins is None else self._logins.delete

    async def find(self, address: str) -> str | None:
        """Return the name as the server has it, None if it has none. Raises ServerDown."""
        if not _is_name(address):
            return None
        if self._logins is not None:
            found = await self._logins.find(address)
            if found is not None:
                return found
        for table in self._config.user_maps:
            if await self._knows(table, key := address.lower()):
                return key
        if self._logins is None and not self._config.user_maps:
            return address.lower()
        return None

    async def _knows(self, table: str, key: str) -> bool:
        end = await self._runner.run(self._programs.lookup(table), stdin=_line(key))
        if end.code == 0 and end.out:
            return True
        if end.errors.strip():
            raise ServerDown(
                tr(
                    "{program} failed on the mail server {server}: {why}. Nothing was "
                    "changed; check the bot's rights there.",
                    program="postmap",
                    server=self._config.name,
                    why=end.complaint,
                )
            )
        return False

    async def must_find(self, address: str) -> str:
        """Return the name as the server has it. Raises BadArgument if it has none."""
        name = await self.find(address)
        if name is None:
            raise BadArgument(
                tr(
                    "There is no user {address} on the mail server {server}.",
                    address=address,
                    server=self._config.name,
                )
            )
        return name

    async def names(self, name: str) -> Sequence[str]:
        """Return all that Postfix may call this user who was found. Raises ServerDown."""
        return [name] if self._logins is None else await self._logins.names(name)

    async def must_find_login(self, address: str) -> str:
        """Return the name of a login as it is stored. Raises BadArgument or NotCapable."""
        if self._logins is None:
            raise NotCapable(_NO_DELETION.why)
        name = await self._logins.find(address) if _is_name(address) else None
        if name is None:
            raise self._no_login(address)
        return name

    async def change_password(self, address: str, password: str) -> None:
        """Set the password of an existing login. Raises BadArgument or NotCapable."""
        if self._logins is None:
            raise NotCapable(_NO_PASSWORDS.why)
        if not _is_name(address):
            raise self._no_login(address)
        await self._logins.change_password(address, password)

    async def delete_login(self, address: str) -> None:
        """Delete a login. Raises BadArgument or NotCapable."""
        name = await self.must_find_login(address)
        assert self._logins is not None  # noqa: S101 - it was found there
        await self._logins.remove(name)

    def _no_login(self, address: str) -> BadArgument:
        return BadArgument(
            tr(
                "There is no login {address} on the mail server {server}.",
                address=address,
                server=self._config.name,
            )
        )

    async def probe_logins(self) -> None:
        """Ask the store of logins for a name that nobody has. Raises ServerDown."""
        if self._logins is not None:
            await self._logins.find(_NOBODY)

    async def probe_maps(self) -> None:
        """Ask each of user_maps for a name that nobody has. Raises ServerDown."""
        for table in self._config.user_maps:
            await self._knows(table, _NOBODY)


def _is_name(address: str) -> bool:
    return 0 < len(address) <= _MAX_NAME and address.isprintable() and " " not in address


def _line(key: str) -> bytes:
    return f"{key}\n".encode()
