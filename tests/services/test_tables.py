"""Tables of who sends most, and who used an address: counts, changes, pages, domains."""

from datetime import timedelta
from ipaddress import ip_network

import pytest

from services.detection.memory import facts_of
from services.mail.port import Submission
from services.models import RecentSubmission, SenderHabit
from services.store import Store
from services.tables import Kind, Rank, Table, Window, table
from services.traffic import Use, addresses_used, failed_logins, users_of

from ..mail.harness import START

ANN, BOB, EVE = "ann@one.test", "bob@one.test", "eve@two.test"
HERE, THERE = "203.0.113.9", "2001:db8::7"


async def sent(
    store: Store,
    sender: str,
    number: int,
    *,
    ago: timedelta = timedelta(seconds=10),
    client_ip: str | None = HERE,
    server: str = "mail",
    failures: int = 0,
) -> None:
    """Have had so many messages taken in, the newest that long before START."""
    async with store.session() as session:
        for second in range(number):
            at = START - ago - timedelta(seconds=second)
            facts = facts_of(
                Submission("", at, sender, True, client_ip, 1, 1, "", login_failures=failures)
            )
            session.add(
                RecentSubmission(
                    server=server,
                    at=at,
                    sender=sender,
                    client_ip=client_ip,
                    recipients=1,
                    size=1,
                    subject_key="",
                    subject="",
                    facts=facts,
                )
            )


async def seen_for(store: Store, long: timedelta) -> None:
    """Have watched the mail server for so long."""
    async with store.session() as session:
        session.add(
            SenderHabit(
                server="mail", sender="old@one.test", start=START - long, messages=1, recipients=1
            )
        )


async def asked(
    store: Store,
    kind: Kind = Kind.USERS,
    window: Window = Window.HOUR,
    *,
    offset: int = 0,
    limit: int = 10,
    domains: frozenset[str] | None = None,
) -> Table:
    async with store.reading() as session:
        return await table(
            session, "mail", kind, window, START, offset=offset, limit=limit, domains=domains
        )


async def test_each_kind_counts_this_window_beside_the_one_before(store: Store) -> None:
    await seen_for(store, timedelta(days=3))
    await sent(store, ANN, 5, client_ip=HERE)
    await sent(store, ANN, 1, client_ip=THERE)
    await sent(store, BOB, 3, client_ip=THERE)
    await sent(store, EVE, 2, client_ip=None)
    await sent(store, ANN, 2, ago=timedelta(minutes=70))
    await sent(store, EVE, 9, ago=timedelta(minutes=70), client_ip=THERE)
    await sent(store, "gone@two.test", 5, ago=timedelta(minutes=70))
    await sent(store, ANN, 50, ago=timedelta(hours=3))
    await sent(store, ANN, 50, server="another")
    users = await asked(store)
    assert users.ranks == [Rank(ANN, 6, 2), Rank(BOB, 3, 0), Rank(EVE, 2, 9)]
    assert (users.names, users.messages, users.before, users.known) == (3, 11, 16, True)
    ips = await asked(store, Kind.IPS)
    assert ips.ranks == [Rank(HERE, 5, 7), Rank(THERE, 4, 9)]
    assert (ips.names, ips.messages, ips.before) == (2, 11, 16)
    domains = await asked(store, Kind.DOMAINS)
    assert domains.ranks == [Rank("one.test", 9, 2), Rank("two.test", 2, 14)]
    assert (domains.names, domains.messages, domains.before) == (2, 11, 16)


async def test_a_window_is_exactly_as_long_as_it_says(store: Store) -> None:
    for window in Window:
        await sent(store, f"{window}@one.test", 1, ago=window.length)
    five = await asked(store, window=Window.FIVE_MINUTES)
    hour = await asked(store, window=Window.HOUR)
    day = await asked(store, window=Window.DAY)
    assert [rank.name for rank in five.ranks] == []
    assert five.before == 1
    assert [rank.name for rank in hour.ranks] == ["5m@one.test"]
    assert {rank.name for rank in day.ranks} == {"5m@one.test", "1h@one.test"}
    assert (day.messages, day.before) == (2, 1)


@pytest.mark.parametrize("kind", Kind)
async def test_a_table_is_turned_page_by_page(store: Store, kind: Kind) -> None:
    for number in range(5):
        await sent(store, f"user@d{number}.test", number + 1, client_ip=f"198.51.100.{number}")
    pages = [await asked(store, kind, offset=offset, limit=2) for offset in (0, 2, 4, 6)]
    assert [[rank.messages for rank in page.ranks] for page in pages] == [[5, 4], [3, 2], [1], []]
    assert {(page.names, page.messages) for page in pages} == {(5, 15)}


@pytest.mark.parametrize(("long", "known"), [(119, False), (121, True)])
async def test_it_is_known_how_far_back_the_bot_has_seen(
    store: Store, long: int, known: bool
) -> None:
    await seen_for(store, timedelta(minutes=long))
    await sent(store, ANN, 1)
    assert (await asked(store)).known is known


@pytest.mark.parametrize("kind", Kind)
async def test_a_table_can_be_narrowed_to_the_senders_of_some_domains(
    store: Store, kind: Kind
) -> None:
    await sent(store, ANN, 3)
    await sent(store, BOB, 2, client_ip=THERE, ago=timedelta(minutes=70))
    await sent(store, EVE, 7)
    await sent(store, "x@one.test.evil", 7)
    await sent(store, "one.test", 7)
    one = await asked(store, kind, domains=frozenset({"one.test"}))
    name = {Kind.USERS: ANN, Kind.IPS: HERE, Kind.DOMAINS: "one.test"}[kind]
    assert [rank.name for rank in one.ranks] == [name]
    assert (one.names, one.messages, one.before) == (1, 3, 2)
    assert (await asked(store, kind, domains=frozenset())).messages == 0


async def test_who_used_an_address_or_a_network_is_told(store: Store) -> None:
    await sent(store, ANN, 3, failures=2)
    await sent(store, ANN, 1, client_ip=f"::ffff:{HERE}", ago=timedelta(hours=5))
    await sent(store, BOB, 2, client_ip="203.0.113.200")
    await sent(store, EVE, 2, client_ip="203.0.11.9")
    await sent(store, EVE, 1, client_ip="not an address 203.0.113.9")
    await sent(store, EVE, 1, client_ip=None)
    since = START - timedelta(hours=24)
    async with store.reading() as session:
        by_ann = Use(ANN, 4, START - timedelta(hours=5), START - timedelta(seconds=10))
        assert await users_of(session, "mail", ip_network(HERE), since) == [by_ann]
        by_bob = Use(BOB, 2, START - timedelta(seconds=11), START - timedelta(seconds=10))
        network = ip_network("203.0.113.0/24")
        assert await users_of(session, "mail", network, since) == [by_ann, by_bob]
        wide = await users_of(session, "mail", ip_network("203.0.0.0/14"), since)
        assert [use.name for use in wide] == [ANN, BOB, EVE]
        two = frozenset({"two.test"})
        assert await users_of(session, "mail", network, since, domains=two) == []
        assert await failed_logins(session, "mail", network, since) == 6
        assert await failed_logins(session, "mail", network, since, domains=two) == 0
        assert await users_of(session, "mail", ip_network(HERE), START) == []


async def test_an_ipv6_network_holds_its_addresses_however_they_are_written(store: Store) -> None:
    await sent(store, ANN, 1, client_ip="2001:DB8:0:0::7")
    await sent(store, BOB, 1, client_ip=THERE)
    await sent(store, EVE, 1, client_ip="2001:db9::7")
    since = START - timedelta(hours=1)
    async with store.reading() as session:
        for text in (THERE, "2001:db8::/32"):
            found = await users_of(session, "mail", ip_network(text), since)
            assert [use.name for use in found] == [ANN, BOB]


async def test_the_addresses_of_an_account_are_told_with_when(store: Store) -> None:
    await sent(store, ANN, 2)
    await sent(store, ANN, 3, client_ip=None)
    await sent(store, ANN, 1, ago=timedelta(hours=30))
    await sent(store, BOB, 1)
    async with store.reading() as session:
        used = await addresses_used(session, "mail", ANN, START - timedelta(hours=24))
    newest = START - timedelta(seconds=10)
    assert used == [
        Use("", 3, newest - timedelta(seconds=2), newest),
        Use(HERE, 2, newest - timedelta(seconds=1), newest),
    ]
