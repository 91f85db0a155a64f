"""Block lists in the DNS, asked on a socket: what is a listing, and what only looks like one."""

from collections.abc import AsyncIterator
from ipaddress import ip_address

import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dnsbl import Dnsbl, DnsblError, Entry, split_server

from ..dns_server import DnsServer, dns_server

ZONE = "bl.example.test"
V4, V6 = ip_address("192.0.2.99"), ip_address("2001:db8:1:2:3:4:567:89ab")
V4_NAME = f"99.2.0.192.{ZONE}"
# The example of RFC 5782, section 2.4.
V6_NAME = f"b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.{ZONE}"


@pytest.fixture
async def there() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        server.zone(ZONE)
        yield server


@pytest.fixture
def asked(there: DnsServer) -> Dnsbl:
    return Dnsbl(there.address, 5)


async def test_an_address_is_asked_for_backwards_and_its_reason_read(
    there: DnsServer, asked: Dnsbl
) -> None:
    there.put(V4_NAME, "127.0.0.4", "127.0.0.2", reason="Spam was seen")
    there.put(V6_NAME, "127.0.0.3")
    assert await asked.ask(ZONE, V4) == Entry(("127.0.0.2", "127.0.0.4"), "Spam was seen")
    assert await asked.ask(ZONE, V6) == Entry(("127.0.0.3",))
    assert there.asked == [(V4_NAME, "A"), (V4_NAME, "TXT"), (V6_NAME, "A"), (V6_NAME, "TXT")]


async def test_what_is_not_there_or_has_no_address_is_not_listed(
    there: DnsServer, asked: Dnsbl
) -> None:
    assert await asked.ask(ZONE, V4) is None
    there.records[V4_NAME, "TXT"] = ['"no address"']
    assert await asked.ask(ZONE, V4) is None


@pytest.mark.parametrize(
    "code", ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.0.1", "192.0.2.1"]
)
async def test_an_answer_that_is_no_listing_is_a_failure(
    there: DnsServer, asked: Dnsbl, code: str
) -> None:
    there.put(V4_NAME, code)
    with pytest.raises(DnsblError, match=f"{ZONE} answered {code}, which is no listing"):
        await asked.ask(ZONE, V4)
    there.put(V4_NAME, code, "127.0.0.9")
    assert await asked.ask(ZONE, V4) == Entry(("127.0.0.9",))


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_name_server_that_fails_says_nothing_about_an_address(
    there: DnsServer, asked: Dnsbl, rcode: dns.rcode.Rcode
) -> None:
    there.rcodes[ZONE] = rcode
    with pytest.raises(DnsblError, match=f"{ZONE} could not be asked: no answer"):
        await asked.ask(ZONE, V4)


async def test_one_that_is_silent_is_not_waited_for_longer_than_set(there: DnsServer) -> None:
    there.silent = True
    with pytest.raises(DnsblError, match="no answer in time"):
        await Dnsbl(there.address, 0.2).ask(ZONE, V4)


async def test_a_zone_is_known_by_its_test_entries(there: DnsServer, asked: Dnsbl) -> None:
    await asked.try_zone(ZONE)
    with pytest.raises(DnsblError, match=r"its test entry 127\.0\.0\.2 is missing"):
        await asked.try_zone("gone.example.test")
    there.put(f"1.0.0.127.{ZONE}", "127.0.0.2")
    with pytest.raises(DnsblError, match="lists everything"):
        await asked.try_zone(ZONE)


async def test_a_reason_is_cut_and_may_be_missing_or_no_text_at_all(
    there: DnsServer, asked: Dnsbl
) -> None:
    there.put(V4_NAME, "127.0.0.2", reason="x" * 250)
    entry = await asked.ask(ZONE, V4)
    assert entry is not None
    assert len(entry.reason) == 200
    there.put(V4_NAME, "127.0.0.2", reason="\\255\\000<!channel>")
    entry = await asked.ask(ZONE, V4)
    assert entry is not None
    assert entry.reason.endswith("<!channel>")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:54", ("2001:db8::1", 54)),
    ],
)
def test_a_name_server_is_written_with_or_without_its_port(
    text: str, found: tuple[str, int]
) -> None:
    assert split_server(text) == found


@given(st.text())
def test_whatever_a_name_server_is_called_it_is_an_address_or_a_mistake(text: str) -> None:
    try:
        address, port = split_server(text)
    except ValueError:
        return
    assert ip_address(address)
    assert 0 < port < 65536
