"""The domain of an address, in the one form in which domains are compared: ASCII, lower case.

A domain with letters beyond ASCII may be written as it is read or as its ``xn--`` form
(RFC 5890), and is the same either way. It is converted as UTS 46 says, without what was
transitional: ``straße.de`` is not ``strasse.de``.
"""

import re
from collections.abc import Iterable

import idna

_DOMAIN = re.compile(
    r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_LONGEST = 253  # RFC 1035, 2.3.4, as text


def as_domain(text: str) -> str:
    """Return a domain as it is compared. Raises ValueError where it is none."""
    domain = _in_ascii(text)
    if len(domain) > _LONGEST or not _DOMAIN.fullmatch(domain):
        raise ValueError("not a domain, such as example.com")
    return domain


def domain_of(address: str) -> str:
    """Return an address's domain as it is compared, "" where it has none that can be.

    The address is a sender's, hence any text: what stands after its last @ counts.
    """
    return _in_ascii(address.rpartition("@")[2]) if "@" in address else ""


def is_of(address: str, domains: frozenset[str] | None) -> bool:
    """Tell whether an address is of one of these domains; None is all there are.

    They are as as_domain() returns them. One above or below is another domain, and an
    address without a domain is of none.
    """
    return domains is None or (domain_of(address) or None) in domains


def other_form(address: str) -> str:
    """Return an address with its domain as it is read, or in ASCII; "" where both are one."""
    name, at, domain = address.rpartition("@")
    if not at or len(domain) > _LONGEST:
        return ""
    try:
        if domain.isascii():
            other = idna.decode(domain) if "xn--" in domain else domain
        else:
            other = idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:
        return ""
    return "" if other == domain else f"{name}@{other}"


def is_in(address: str, domains: Iterable[str]) -> bool:
    """Tell the same of domains that may be written in either form."""
    return is_of(address, frozenset(map(_in_ascii, domains)))


def _in_ascii(text: str) -> str:
    if text.isascii():
        return text.lower()
    if len(text) > _LONGEST:
        return ""  # its ASCII form is longer yet
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except UnicodeError:
        return ""  # it is no domain, and so nobody's
