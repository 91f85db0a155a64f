"""Our own addresses on block lists: told once when listed, once when not, and nothing else is."""

from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import dns.rcode
import pytest

from services.errors import ServerDown
from services.listings import Listings
from services.mail.port import Network
from services.settings import DnsblSettings

from ..dns_server import DnsServer, dns_server
from .bench import Bench

ZONE, OTHER = "bl.example.test", "dead.example.test"
NAME = f"7.113.0.203.{ZONE}"
ADDRESS = "203.0.113.7"


@pytest.fixture
async def there() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        server.zone(ZONE)
        yield server


def listings(bench: Bench, there: DnsServer, **more: Any) -> Listings:
    settings: dict[str, Any] = {"zones": (ZONE,), "addresses": {"mail": (ip_address(ADDRESS),)}}
    return Listings(
        bench.store,
        {"mail": bench.server},
        bench.audit,
        bench.clock,
        DnsblSettings(nameserver=there.address, **{**settings, **more}),
    )


async def test_a_listing_is_told_once_however_often_it_is_seen_and_whoever_looks(
    bench: Bench, there: DnsServer
) -> None:
    assert not await listings(bench, there).look()
    there.put(NAME, "127.0.0.4", reason="Spam was seen")
    assert not await listings(bench, there).look()  # too early to ask again
    bench.pass_time(hours=1)
    assert await listings(bench, there).look()
    bench.pass_time(hours=1)
    assert not await listings(bench, there).look()
    (text,) = await bench.told()
    assert text.startswith(
        f"⚠️ {ADDRESS}, an address of the mail server mail, is on the block list {ZONE} "
        "(127.0.0.4): “Spam was seen”."
    )
    there.take(NAME)
    bench.pass_time(hours=1)
    assert await listings(bench, there).look()
    assert (await bench.told())[1] == (
        f"✅ {ADDRESS}, an address of the mail server mail, is no longer on the block list "
        f"{ZONE}, after 2 h."
    )
    assert await bench.phases() == [("note", "listing")] * 2
    bench.pass_time(hours=1)
    assert not await listings(bench, there).look()


async def test_a_list_is_asked_no_more_often_than_set(bench: Bench, there: DnsServer) -> None:
    looking = listings(bench, there, hours=2)
    await looking.look()
    number = len(there.asked)
    assert number == 3  # the two test entries, and the address
    bench.pass_time(minutes=110)
    await looking.look()
    assert len(there.asked) == number
    bench.pass_time(minutes=10)
    await looking.look()
    assert len(there.asked) == 2 * number


@pytest.mark.parametrize("trouble", ["servfail", "refusing", "everything", "gone"])
async def test_a_list_in_trouble_neither_lists_nor_delists(
    bench: Bench, there: DnsServer, trouble: str
) -> None:
    there.put(NAME, "127.0.0.2")
    await listings(bench, there).look()
    (before,) = await listings(bench, there).known()
    match trouble:
        case "servfail":
            there.rcodes[ZONE] = dns.rcode.SERVFAIL
        case "refusing":
            there.put(NAME, "127.255.255.254")
        case "everything":
            there.put(f"1.0.0.127.{ZONE}", "127.0.0.2")
        case _:
            there.records.clear()
    bench.pass_time(hours=1)
    assert not await listings(bench, there).look()
    (row,) = await listings(bench, there).known()
    assert row.since == before.since
    assert ZONE in row.error
    assert len(await bench.told()) == 1


async def test_a_dead_list_keeps_no_other_from_being_asked(bench: Bench, there: DnsServer) -> None:
    there.put(NAME, "127.0.0.2")
    assert await listings(bench, there, zones=(OTHER, ZONE)).look()
    rows = {row.zone: row for row in await listings(bench, there).known()}
    assert "test entry" in rows[OTHER].error
    assert rows[ZONE].since is not None


async def test_only_addresses_that_others_can_see_are_asked_about(
    bench: Bench, there: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def own() -> tuple[Network, ...]:
        names = ("127.0.0.0/8", "10.0.0.1", "93.184.216.34", "::1", "2606:2800:220:1::1")
        return tuple(map(ip_network, names))

    monkeypatch.setattr(bench.server, "own_networks", own)
    looking = listings(bench, there, addresses={})
    await looking.look()
    assert [row.address for row in await looking.known()] == ["2606:2800:220:1::1", "93.184.216.34"]


async def test_what_is_no_longer_asked_about_is_forgotten(bench: Bench, there: DnsServer) -> None:
    there.put(NAME, "127.0.0.2")
    await listings(bench, there).look()
    await listings(bench, there, addresses={}).look()
    assert await listings(bench, there).known() == []
    assert len(await bench.told()) == 1


async def test_without_lists_nobody_is_asked(bench: Bench, there: DnsServer) -> None:
    looking = listings(bench, there, zones=())
    assert not looking.used
    assert not await looking.look()
    assert there.asked == []
    assert timedelta(hours=DnsblSettings().hours) == timedelta(hours=1)


async def test_a_server_that_is_away_for_a_while_is_neither_forgotten_nor_told_twice(
    bench: Bench, there: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "93.184.216.34"
    name = f"34.216.184.93.{ZONE}"
    away = False

    async def own() -> tuple[Network, ...]:
        if away:
            raise ServerDown("The mail server mail does not answer.")
        return (ip_network(address),)

    monkeypatch.setattr(bench.server, "own_networks", own)
    looking = listings(bench, there, addresses={})
    there.put(name, "127.0.0.2")
    assert await looking.look()
    away = True
    assert not await looking.look()
    bench.pass_time(hours=1)
    assert not await looking.look()
    away = False
    bench.pass_time(hours=1)
    assert not await looking.look()
    away = True
    there.take(name)
    bench.pass_time(hours=1)
    # What is known of it is asked all the same.
    assert await looking.look()
    assert [text[:1] for text in await bench.told()] == ["⚠", "✅"]


async def test_a_reason_is_a_sentence_of_its_own(bench: Bench, there: DnsServer) -> None:
    there.put(NAME, "127.0.0.4", reason="Spam was seen")
    await listings(bench, there).look()
    (text,) = await bench.told()
    assert "(127.0.0.4): “Spam was seen”. Others may refuse its mail." in text
