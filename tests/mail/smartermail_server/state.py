"""What the server holds: logins, mailboxes and their flags, the blacklist, file names."""

import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

SYSADMIN = "sysadmin"


@dataclass(slots=True)
class Account:
    """The flags of one mailbox (User fields)."""

    disabled: bool = False
    receives: bool = True
    domain_admin: bool = False


@dataclass(slots=True)
class State:
    """Everything but the mail itself, which is the engine's."""

    admin: str
    password: str
    accounts: dict[str, Account] = field(default_factory=dict)
    blacklist: dict[str, dict[str, Any]] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=dict)  # token: what it may
    refresh: set[str] = field(default_factory=set)
    logins: int = 0
    _names: dict[str, str] = field(default_factory=dict)

    def token(self, scope: str) -> str:
        """Give out a token that may do this."""
        token = f"token-{secrets.token_hex(16)}"
        self.access[token] = scope
        return token

    def expire_tokens(self, *, refresh_too: bool = False) -> None:
        """Let every token that was given out run out."""
        self.access.clear()
        if refresh_too:
            self.refresh.clear()

    def may_send(self, address: str) -> bool:
        """Tell whether this login is let in. An unknown one is for the engine to refuse."""
        account = self.accounts.get(address.casefold())
        return account is None or not account.disabled

    def may_receive(self, address: str) -> bool:
        """Tell whether mail to this address is taken."""
        account = self.accounts.get(address.casefold())
        return account is None or account.receives

    def blocks(self, client: str) -> bool:
        """Tell whether an entry of the blacklist for SMTP covers this address."""
        address = ip_address(client)
        return any(
            entry["smtp"] and address in ip_network(name) for name, entry in self.blacklist.items()
        )

    def file_name(self, queue_id: str) -> str:
        """Return the name of a message's file."""
        return self._names.setdefault(queue_id, f"{67_518_200 + len(self._names)}.eml")

    def queue_id(self, file_name: str) -> str | None:
        """Return the engine's id of a file."""
        return next((id_ for id_, name in self._names.items() if name == file_name), None)
