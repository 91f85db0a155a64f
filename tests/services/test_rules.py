"""The safety rules: what is never touched, and that each refusal names its rule."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import Refused
from services.mail.port import Network
from services.rules import Rules, plain
from services.settings import SafetySettings

_OWN = (ip_network("203.0.113.5"), ip_network("2001:db8:5::5"))
_TRUSTED = (ip_network("198.51.100.0/24"), ip_network("2001:db8:7::/48"))
_RULES = Rules(SafetySettings(protected_accounts=("Boss@Example.test",), trusted_networks=_TRUSTED))

_v4 = st.builds(
    lambda number, length: IPv4Network((number, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
_v6 = st.builds(
    lambda number, length: IPv6Network((number, length), strict=False),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)


def _mapped(network: IPv4Network) -> IPv6Network:
    """The same addresses, written as IPv6."""
    return IPv6Network((0xFFFF << 32 | int(network.network_address), network.prefixlen + 96))


def _refusal(network: str | Network, rules: Rules = _RULES) -> str:
    with pytest.raises(Refused) as refused:
        rules.check_network(ip_network(network), _OWN)
    return refused.value.sentence


@pytest.mark.parametrize(
    ("network", "rule"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("10.1.2.3", "private"),
        ("172.31.0.0/16", "private"),
        ("192.168.1.0/24", "private"),
        ("fd00::1", "private"),
        ("100.64.0.1", "shared (carrier NAT)"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
    ],
)
def test_a_range_that_is_not_public_is_refused(network: str, rule: str) -> None:
    said = _refusal(network)
    assert f"a {rule} range" in said
    assert "safety.blockable_private_networks" in said


@pytest.mark.parametrize("network", ["203.0.113.5", "203.0.113.0/24", "2001:db8:5::/48"])
def test_the_servers_own_address_is_refused(network: str) -> None:
    assert "the mail server's own address" in _refusal(network)


@pytest.mark.parametrize("network", ["198.51.100.9", "198.51.0.0/16", "2001:db8:7:1::/64"])
def test_a_trusted_network_is_refused(network: str) -> None:
    assert "safety.trusted_networks" in _refusal(network)


@pytest.mark.parametrize("network", ["8.0.0.0/8", "8.0.0.0/15", "2a00::/31", "0.0.0.0/0", "::/0"])
def test_a_network_that_is_too_wide_is_refused(network: str) -> None:
    assert "is wider than /" in _refusal(network)


@pytest.mark.parametrize("network", ["8.8.0.0/16", "8.8.8.8", "192.0.2.1", "2a00:1::/32"])
def test_others_may_be_blocked(network: str) -> None:
    _RULES.check_network(ip_network(network), _OWN)


@pytest.mark.parametrize(
    ("network", "rule"),
    [
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.0/104", "is wider than /16"),
        ("::ffff:192.168.1.0/120", "private"),
        ("::ffff:203.0.113.5", "own address"),
        ("::ffff:198.51.100.7", "safety.trusted_networks"),
        ("::ffff:0:0/96", "is wider than /16"),
        ("::fffe:0:0/95", "own address"),
    ],
)
def test_ipv4_written_as_ipv6_is_refused_all_the_same(network: str, rule: str) -> None:
    assert rule in _refusal(network)


def test_trusted_and_own_networks_may_be_written_as_ipv6() -> None:
    rules = Rules(SafetySettings(trusted_networks=(ip_network("::ffff:198.51.100.0/120"),)))
    assert "safety.trusted_networks" in _refusal("198.51.100.7", rules)
    with pytest.raises(Refused, match="own address"):
        rules.check_network(ip_network("192.0.2.1"), [ip_network("::ffff:192.0.2.1")])


def test_a_private_range_that_is_listed_may_be_blocked_and_no_more_than_it() -> None:
    rules = Rules(
        SafetySettings(
            blockable_private_networks=(ip_network("10.20.0.0/16"), ip_network("fd00:1::/32"))
        )
    )
    rules.check_network(ip_network("10.20.3.4"), _OWN)
    rules.check_network(ip_network("10.20.0.0/16"), _OWN)
    rules.check_network(ip_network("fd00:1:2::/48"), _OWN)
    assert "private" in _refusal("10.21.0.1", rules)
    assert "private" in _refusal("fd00:2::1", rules)
    assert "loopback" in _refusal("127.0.0.1", rules)


def test_what_is_listed_as_blockable_is_refused_still_when_it_is_trusted_or_our_own() -> None:
    listed = SafetySettings(
        trusted_networks=(ip_network("10.20.0.0/24"),),
        blockable_private_networks=(ip_network("10.0.0.0/8"),),
    )
    assert "trusted" in _refusal("10.20.0.7", Rules(listed))
    with pytest.raises(Refused, match="own address"):
        Rules(listed).check_network(ip_network("10.30.0.1"), [ip_network("10.30.0.1")])


@st.composite
def _overlapping(draw: st.DrawFn) -> tuple[Network, Network]:
    """Two networks of which one holds the other, each written in either way."""
    inner: Network = draw(_v4 | _v6)
    outer: Network = inner.supernet(new_prefix=draw(st.integers(0, inner.prefixlen)))
    pair = [
        _mapped(network) if isinstance(network, IPv4Network) and draw(st.booleans()) else network
        for network in (inner, outer)
    ]
    one, other = draw(st.permutations(pair))
    return one, other


@given(pair=_overlapping(), own=st.booleans(), listed=st.booleans())
def test_whatever_overlaps_an_own_or_trusted_network_is_refused(
    pair: tuple[Network, Network], own: bool, listed: bool
) -> None:
    network, protected = pair
    rules = Rules(
        SafetySettings(
            trusted_networks=() if own else (protected,),
            blockable_private_networks=(network,) if listed else (),
        )
    )
    with pytest.raises(Refused):
        rules.check_network(network, (protected,) if own else ())


@given(network=_v4)
def test_both_ways_to_write_ipv4_are_decided_alike(network: IPv4Network) -> None:
    def decided(one: Network) -> str:
        try:
            _RULES.check_network(one, _OWN)
        except Refused as refused:
            return refused.sentence
        return ""

    assert plain(_mapped(network)) == network
    assert decided(_mapped(network)) == decided(network)


@pytest.mark.parametrize(
    "account", ["boss@example.test", "BOSS@EXAMPLE.TEST", "boſs@example.test", "boſſ@example.test"]
)
def test_a_protected_account_is_refused_however_it_is_written(account: str) -> None:
    with pytest.raises(Refused, match=r"safety\.protected_accounts"):
        _RULES.check_account(account)


@pytest.mark.parametrize("account", ["", "boss", "boss@example.test.evil", "ann@example.test"])
def test_other_accounts_are_not_protected(account: str) -> None:
    _RULES.check_account(account)
