"""What must never be touched, whoever asks. Each refusal names its rule."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from services.errors import Refused
from services.language import later, tr
from services.mail.port import Network
from services.settings import SafetySettings
from services.words import show_network

# Not Python's is_private, which also counts the documentation networks.
# RFC 1918, RFC 6598, RFC 1122, RFC 3927, RFC 4193, RFC 4291, RFC 6890.
_NOT_PUBLIC = {
    ip_network(text): name
    for text, name in (
        ("127.0.0.0/8", later("loopback")),
        ("::1/128", later("loopback")),
        ("10.0.0.0/8", later("private")),
        ("172.16.0.0/12", later("private")),
        ("192.168.0.0/16", later("private")),
        ("100.64.0.0/10", later("shared (carrier NAT)")),
        ("169.254.0.0/16", later("link-local")),
        ("fe80::/10", later("link-local")),
        ("fc00::/7", later("private")),
        ("0.0.0.0/8", later("unspecified")),
        ("::/128", later("unspecified")),
        ("224.0.0.0/4", later("multicast")),
        ("ff00::/8", later("multicast")),
    )
}
# IPv4-mapped IPv6 (RFC 4291, 2.5.5.2): mail servers look an IPv4 client up by either form.
_MAPPED = IPv6Network("::ffff:0:0/96")
_NOTHING = later("Nothing was done.")
# Wider than this would cut off whole providers: almost surely a slip.
_WIDEST = {4: 16, 6: 32}


class Rules:
    """The safety rules, from the settings."""

    def __init__(self, settings: SafetySettings) -> None:
        self._protected = frozenset(name.casefold() for name in settings.protected_accounts)
        self._trusted = tuple(map(plain, settings.trusted_networks))
        self._blockable = tuple(map(plain, settings.blockable_private_networks))

    def check_account(self, account: str) -> None:
        """Raise Refused if this account must never be disabled."""
        # Folded as a mail server may fold it: "ſ" and "s" are one mailbox then.
        if account.casefold() in self._protected:
            rule = tr(
                "{account} is a protected account (setting safety.protected_accounts).",
                account=account,
            )
            raise Refused(f"{rule} {tr(_NOTHING)}")

    def check_network(self, network: Network, own: Iterable[Network]) -> None:
        """Raise Refused if these addresses must never be blocked. ``own`` are the server's."""
        network = plain(network)
        if network.prefixlen < _WIDEST[network.version]:
            raise Refused(
                tr(
                    "{network} is wider than /{length}; blocking that many addresses is refused. "
                    "Block smaller networks.",
                    network=show_network(network),
                    length=_WIDEST[network.version],
                )
            )
        for other in map(plain, own):
            if _overlap(network, other):
                own_address = (
                    tr("{address} is the mail server's own address.", address=show_network(other))
                    if network == other
                    else tr(
                        "{network} holds the mail server's own address {address}.",
                        network=show_network(network),
                        address=show_network(other),
                    )
                )
                raise Refused(own_address)
        for other in self._trusted:
            if _overlap(network, other):
                raise Refused(
                    tr(
                        "{network} overlaps the trusted network {trusted} "
                        "(setting safety.trusted_networks).",
                        network=show_network(network),
                        trusted=show_network(other),
                    )
                )
        if any(_within(network, allowed) for allowed in self._blockable):
            return
        for other, kind in _NOT_PUBLIC.items():
            if _overlap(network, other):
                raise Refused(
                    tr(
                        "{network} is in a {kind} range, which is never blocked unless it is "
                        "listed in safety.blockable_private_networks.",
                        network=show_network(network),
                        kind=tr(kind),
                    )
                )


def rule_alone(sentence: str) -> str:
    """Return a refusal's sentence without the one that nothing was done, where it has that."""
    return sentence.removesuffix(tr(_NOTHING)).rstrip()


def plain(network: Network) -> Network:
    """Return a network of IPv4-mapped addresses as the IPv4 one it stands for."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        first = int(network.network_address) - int(_MAPPED.network_address)
        return IPv4Network((first, network.prefixlen - _MAPPED.prefixlen))
    return network


def _overlap(one: Network, other: Network) -> bool:
    return _as_ipv6(one).overlaps(_as_ipv6(other))


def _as_ipv6(network: Network) -> IPv6Network:
    if isinstance(network, IPv6Network):
        return network
    first = int(_MAPPED.network_address) + int(network.network_address)
    return IPv6Network((first, _MAPPED.prefixlen + network.prefixlen))


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)
