"""Where the logins of a Postfix are kept: what each such store serves, whatever it is."""

from collections.abc import Sequence
from typing import Protocol

from services.errors import BadArgument
from services.language import later, tr
from services.mail.port import Capability

_MAX_PASSWORD = 256

#: What deleting comes to here: Postfix knows of no mailbox.
DELETES = Capability(
    able=True,
    why=later("The login is deleted and its mail refused; the mailbox's files stay on the server."),
)


class Logins(Protocol):
    """A store of logins. Every method may raise ServerDown."""

    @property
    def set_password(self) -> Capability:
        """Whether passwords can be set."""
        ...

    @property
    def delete(self) -> Capability:
        """Whether logins can be deleted."""
        ...

    async def find(self, address: str) -> str | None:
        """Return the name of a login as it is stored, None if there is none."""
        ...

    async def names(self, name: str) -> Sequence[str]:
        """Return all that Postfix may call this login, as it is stored: that is what it asks by."""
        ...

    async def change_password(self, address: str, password: str) -> None:
        """Set the password of an existing login. Raises BadArgument or NotCapable."""
        ...

    async def remove(self, address: str) -> None:
        """Delete a login. Raises BadArgument or NotCapable."""
        ...


def must_be_password(password: str) -> None:
    """Refuse what no mail program could send. Raises BadArgument, without the password."""
    if not 0 < len(password) <= _MAX_PASSWORD or not password.isprintable():
        raise BadArgument(
            tr(
                "A password has between one and {n} characters, and only printable ones. "
                "Nothing was changed.",
                n=_MAX_PASSWORD,
            )
        )
