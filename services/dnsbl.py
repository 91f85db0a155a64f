"""Asks DNS block lists about an address, as RFC 5782 has it.

An address is listed where its name in the list's zone has an A record in 127.0.0.0/8. Anything
else that is answered is a failure and no listing: an address outside of it is what a zone
that was given up, or a name server that sells what does not exist, answers; 127.255.255.0/24
is how Spamhaus says that it does not serve who asks (its "Return Codes"); 127.0.0.1 is how
others do, and RFC 5782, section 5, has it in no list.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from services.errors import SpoolwardenError
from services.language import tr
from services.words import short

Address = IPv4Address | IPv6Address

_LISTED = IPv4Network("127.0.0.0/8")
_REFUSED = (IPv4Network("127.255.255.0/24"), IPv4Network("127.0.0.1/32"))
# RFC 5782, section 5: what every list holds, and what none may.
_ALWAYS, _NEVER = IPv4Address("127.0.0.2"), IPv4Address("127.0.0.1")
_PORT = 53
_REASON = 200  # characters of a reason are enough; it is anybody's text


class DnsblError(SpoolwardenError):
    """A list gave no answer that says whether an address is on it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """That an address is on a list: the codes it answered, and its reason where it has one."""

    codes: tuple[str, ...]
    reason: str = ""


class Dnsbl:
    """Asks by one resolver."""

    def __init__(self, nameserver: str | None, timeout: float) -> None:
        """Take ``nameserver`` as address or address:port; None is the system's.

        ``timeout`` is in seconds for one answer. Raises DnsblError where the system has none.
        """
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=nameserver is None)
        except dns.resolver.NoResolverConfiguration as error:
            raise DnsblError(tr("This machine's /etc/resolv.conf names no name server.")) from error
        if nameserver is not None:
            address, port = split_server(nameserver)
            self._resolver.nameservers = [address]
            self._resolver.port = port
        self._resolver.lifetime = timeout

    async def try_zone(self, zone: str) -> None:
        """Raise DnsblError where a zone is no list that works, by its test entries."""
        if not await self._codes(zone, _ALWAYS):
            raise DnsblError(
                tr("{zone} is no block list in use: its test entry 127.0.0.2 is missing", zone=zone)
            )
        if await self._addresses(zone, _NEVER):
            raise DnsblError(
                tr("{zone} lists everything, 127.0.0.1 too, so it says nothing", zone=zone)
            )

    async def ask(self, zone: str, address: Address) -> Entry | None:
        """Return an address's entry on a list, None if it is not on it. Raises DnsblError."""
        codes = await self._codes(zone, address)
        if not codes:
            return None
        return Entry(tuple(str(code) for code in sorted(codes)), await self._reason(zone, address))

    async def _codes(self, zone: str, address: Address) -> list[IPv4Address]:
        """Return what a list says of an address, nothing where it has none. Raises DnsblError."""
        found = await self._addresses(zone, address)
        wrong = [code for code in found if code not in _LISTED or _is_refusal(code)]
        codes = [code for code in found if code not in wrong]
        if wrong and not codes:
            raise DnsblError(
                tr(
                    "{zone} answered {answer}, which is no listing: it does not serve this name "
                    "server, or is no list any more",
                    zone=zone,
                    answer=wrong[0],
                )
            )
        return codes

    async def _addresses(self, zone: str, address: Address) -> list[IPv4Address]:
        try:
            answer = await self._resolver.resolve(_name(zone, address), "A", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            why = (
                tr("no answer in time from the name server")
                if isinstance(error, dns.exception.Timeout)
                else tr("no answer from the name server")
            )
            raise DnsblError(_unasked(zone, why)) from error
        except OSError as error:
            raise DnsblError(_unasked(zone, error.strerror or error)) from error
        return [IPv4Address(record.address) for record in answer]

    async def _reason(self, zone: str, address: Address) -> str:
        try:
            answer = await self._resolver.resolve(_name(zone, address), "TXT", search=False)
        except (dns.exception.DNSException, OSError):
            return ""  # a list should have one, and need not
        texts = (b"".join(record.strings).decode("utf-8", "replace") for record in answer)
        return short(next(texts, ""), _REASON)


def _unasked(zone: str, why: object) -> str:
    return tr("{zone} could not be asked: {why}", zone=zone, why=why)


def split_server(text: str) -> tuple[str, int]:
    """Return the address and port of a name server. Raises ValueError where it is neither."""
    host, colon, port = text.rpartition(":")
    if text.startswith("[") and text.endswith("]"):
        host, colon, port = text, "", ""
    elif not colon or (":" in host and not host.startswith("[")):
        host, port = text, ""  # an address alone; one of IPv6 has colons of its own
    number = int(port) if port else _PORT
    if not 0 < number < 65536:
        raise ValueError("a port is a number up to 65535")
    return str(ip_address(host.strip("[]"))), number


def _name(zone: str, address: Address) -> dns.name.Name:
    """Return the name to ask for: octets, or an IPv6 address's nibbles, backwards (section 2)."""
    digits = (
        str(address).split(".")
        if isinstance(address, IPv4Address)
        else list(address.exploded.replace(":", ""))
    )
    return dns.name.from_text(".".join([*reversed(digits), zone.rstrip("."), ""]))


def _is_refusal(code: IPv4Address) -> bool:
    return any(code in network for network in _REFUSED)
