"""Logins in the database that Cyrus SASL keeps itself, through its own programs."""

from collections.abc import Sequence

from services.errors import BadArgument, ServerDown
from services.language import tr
from services.mail.port import ABLE, Capability
from services.mail.postfix.commands import Finished, Runner
from services.mail.postfix.config import PostfixConfig
from services.mail.postfix.logins import DELETES, must_be_password
from services.mail.postfix.programs import Programs


class SaslDb:
    """Serves :class:`~.logins.Logins` from ``sasldb``."""

    def __init__(self, config: PostfixConfig, runner: Runner, programs: Programs) -> None:
        self._config = config
        self._runner = runner
        self._programs = programs

    @property
    def set_password(self) -> Capability:
        """Passwords can be set."""
        return ABLE

    @property
    def delete(self) -> Capability:
        """Logins can be deleted, and that is all."""
        return DELETES

    async def find(self, address: str) -> str | None:
        """Return the SASL name of a login."""
        found = await self._login(address)
        return None if found is None else found[0]

    async def names(self, name: str) -> Sequence[str]:
        """Return a login of the default realm with it and without: who logs in may say either."""
        plain, at, domain = name.rpartition("@")
        realm = await self._realm()
        if not at:
            return [name, f"{name}@{realm}"]
        return [name, plain] if domain == realm else [name]

    async def change_password(self, address: str, password: str) -> None:
        """Set the password of an existing login. Raises BadArgument."""
        name, realm = await self._must_find(address)
        must_be_password(password)
        command = self._programs.password(name, realm)
        end = await self._runner.run(command, stdin=password.encode())
        if end.code != 0:
            raise self._failed("saslpasswd2", end)

    async def remove(self, address: str) -> None:
        """Delete a login. Raises BadArgument."""
        name, realm = await self._must_find(address)
        end = await self._runner.run(self._programs.delete_login(name, realm))
        if end.code != 0:
            raise self._failed("saslpasswd2", end)

    async def _must_find(self, address: str) -> tuple[str, str]:
        found = await self._login(address)
        if found is None:
            raise BadArgument(
                tr(
                    "There is no login {address} in the SASL database of {server}.",
                    address=address,
                    server=self._config.name,
                )
            )
        return found[1:]

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
            tr(
                "{program} failed on the mail server {server}: {why}. Nothing was changed; check "
                "the bot's rights there.",
                program=program,
                server=self._config.name,
                why=end.complaint,
            )
        )
