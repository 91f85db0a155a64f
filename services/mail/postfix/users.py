"""Who is a user of the server, and their password where the SASL database is known."""

from services.errors import BadArgument, NotCapable, ServerDown
from services.mail.port import ABLE, Capability
from services.mail.postfix.commands import Finished, Runner
from services.mail.postfix.config import PostfixConfig
from services.mail.postfix.programs import Programs

_MAX_NAME = 256
_NO_PASSWORDS = Capability(
    able=False,
    why="Passwords cannot be set here: Postfix keeps none, and no SASL database is configured.",
)


class Users:
    """Looks users up where the configuration says they are."""

    def __init__(self, config: PostfixConfig, runner: Runner, programs: Programs) -> None:
        self._config = config
        self._runner = runner
        self._programs = programs

    @property
    def set_password(self) -> Capability:
        """Whether passwords can be set."""
        return ABLE if self._config.sasldb is not None else _NO_PASSWORDS

    async def find(self, address: str) -> str | None:
        """Return the name as the server has it, None if it has none. Raises ServerDown."""
        if not _is_name(address):
            return None
        if self._config.sasldb is not None:
            found = await self._login(address)
            if found is not None:
                return found[0]
        for table in self._config.user_maps:
            key = address.lower()
            end = await self._runner.run(self._programs.lookup(table), stdin=_line(key))
            if end.code == 0 and end.out:
                return key
            if end.errors.strip():
                raise self._failed("postmap", end)
        if self._config.sasldb is None and not self._config.user_maps:
            return address.lower()
        return None

    async def must_find(self, address: str) -> str:
        """Return the name as the server has it. Raises BadArgument if it has none."""
        name = await self.find(address)
        if name is None:
            raise BadArgument(f"There is no user {address} on the mail server {self._config.name}.")
        return name

    async def change_password(self, address: str, password: str) -> None:
        """Set the password of an existing login. Raises BadArgument or NotCapable."""
        if self._config.sasldb is None:
            raise NotCapable(_NO_PASSWORDS.why)
        login = await self._login(address) if _is_name(address) else None
        if login is None:
            raise BadArgument(
                f"There is no login {address} in the SASL database of {self._config.name}."
            )
        if not password or not password.isprintable():
            raise BadArgument("A password has at least one character, and only printable ones.")
        _, name, realm = login
        command = self._programs.password(name, realm)
        end = await self._runner.run(command, stdin=password.encode())
        if end.code != 0:
            raise self._failed("saslpasswd2", end)

    async def _login(self, address: str) -> tuple[str, str, str] | None:
        """Return the SASL name of a login and its two parts in the database."""
        end = await self._runner.run(self._programs.logins())
        if end.code != 0:
            raise self._failed("sasldblistusers2", end)
        wanted = address.casefold()
        realm = None
        if "@" not in address:
            realm = await self._realm()
        for line in end.out.decode("utf-8", "replace").splitlines():
            stored = line.rpartition(": ")[0]
            name, _, domain = stored.rpartition("@")
            if realm is not None and (name.casefold(), domain) == (wanted, realm):
                return name, name, domain
            if realm is None and stored.casefold() == wanted:
                return stored, name, domain
        return None

    async def _realm(self) -> str:
        """Return what Cyrus SASL adds to a login without a domain."""
        if self._config.realm is not None:
            return self._config.realm
        names = ("smtpd_sasl_local_domain", "myhostname")
        end = await self._runner.run(self._programs.settings(*names))
        if end.code != 0:
            raise self._failed("postconf", end)
        values = [line.strip() for line in end.out.decode("utf-8", "replace").splitlines()]
        return next((value for value in values if value), "")

    def _failed(self, program: str, end: Finished) -> ServerDown:
        return ServerDown(
            f"{program} failed on the mail server {self._config.name}: {end.complaint}. "
            "Nothing was changed; check the bot's rights there."
        )


def _is_name(address: str) -> bool:
    return 0 < len(address) <= _MAX_NAME and address.isprintable() and " " not in address


def _line(key: str) -> bytes:
    return f"{key}\n".encode()
