"""Addresses, as SMTP clients give them: parsed strictly, bounded, without backtracking."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from services.mail.port import MAX_ADDRESS, Network

#: The null sender of RFC 5321, 4.5.5, as an SMTP path.
NULL_PATH = "<>"

# RFC 5321, 4.1.2 with RFC 6531, 3.3: atoms, and in quotes any printable character.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"')
_LABEL = r"[A-Za-z0-9_\u0080-\U0010ffff](?:[A-Za-z0-9_\u0080-\U0010ffff-]*)"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|\[[A-Za-z0-9.:-]{{1,80}}\]")
_ROUTE = re.compile(r"@[^:<>\s]{1,512}:")  # RFC 5321, appendix C: accepted and ignored


def parse_path(text: str) -> tuple[str, str] | None:
    """Return the address and what follows it, from ``<path> params`` of MAIL or RCPT.

    The null path comes back as ``<>``. None if the path is malformed, holds bytes that
    are not UTF-8, or is longer than 256 octets (RFC 5321, 4.5.3.1.3).
    """
    text = text.lstrip()
    bracketed = text.startswith("<")
    place = 1 if bracketed else 0
    if text.startswith(NULL_PATH):
        return NULL_PATH, text[2:]
    if bracketed and (route := _ROUTE.match(text, place)):
        place = route.end()
    local = _QUOTED.match(text, place) or _DOT_STRING.match(text, place)
    if local is None:
        return None
    end = local.end()
    if text[end : end + 1] == "@":
        domain = _DOMAIN.match(text, end + 1)
        if domain is None:
            return None
        end = domain.end()
    address, rest = text[place:end], text[end:]
    if bracketed:
        if not rest.startswith(">"):
            return None
        rest = rest[1:]
    if rest and not rest[0].isspace():
        return None
    try:
        octets = len(address.encode())
    except UnicodeEncodeError:  # a surrogate: the client's bytes were not UTF-8
        return None
    return (address, rest) if octets <= MAX_ADDRESS else None


def domain_of(address: str) -> str:
    """Return what follows the last @, without a final dot; "" if there is none."""
    return address.rpartition("@")[2].rstrip(".") if "@" in address else ""


def client_address(text: str) -> IPv4Address | IPv6Address:
    """Return a client's address, an IPv4-mapped IPv6 one as IPv4. Raises ValueError."""
    found = ip_address(text.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def ip_key(address: IPv4Address | IPv6Address) -> bytes:
    """Return an address as 16 bytes that sort by number, IPv4 as IPv4-mapped IPv6."""
    if isinstance(address, IPv4Address):
        return b"\x00" * 10 + b"\xff\xff" + address.packed
    return address.packed


def ip_range(network: Network) -> tuple[bytes, bytes]:
    """Return the keys of a network's first and last address."""
    return ip_key(network[0]), ip_key(network[-1])
