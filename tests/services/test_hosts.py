"""Our own hosts as senders: what they are called, and what can be done about one."""

from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alert_card import MORE
from bot.alerts import AlertCards
from bot.elements import Button, Menu
from services.aims import aim, fits
from services.hosts import host_of, sender_of, spool_of
from services.mail.port import SpoolQuery
from services.models import Incident

from ..mail.harness import ANN
from .bench import CHANNEL, Bench, open_bench

HOST = "[192.0.2.10]"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path) as made:
        yield made


@given(address=st.ip_addresses())
def test_a_host_is_known_by_its_name(address: object) -> None:
    host = host_of(sender_of(str(address)))
    assert host is not None
    assert host.network_address == address


@given(name=st.text(max_size=40).filter(lambda text: not text.startswith("[")))
def test_an_account_is_no_host(name: str) -> None:
    assert host_of(name) is None
    assert fits("stop", name)


@pytest.mark.parametrize("name", ["", "[]", "[anna@example.com]", "[1.2.3]", "[::1", "1.2.3.4"])
def test_what_only_looks_like_one_is_none(name: str) -> None:
    assert host_of(name) is None


async def test_its_card_offers_what_there_is_to_do_about_a_host(bench: Bench) -> None:
    incident = await bench.alert()
    async with bench.store.session() as session:
        row = await session.get(Incident, incident)
        assert row is not None
        row.sender = HOST
    cards = AlertCards(CHANNEL, bench.store, bench.intents, {"mail": bench.server})

    async def link(_: int) -> str | None:
        return None

    card = await cards.card(incident, shown=True, link=link)
    assert card is not None
    labels = [button.label for button in card.buttons if isinstance(button, Button)]
    assert labels == ["Review messages", "Acknowledge"]
    (menu,) = (button for button in card.buttons if isinstance(button, Menu))
    usual = {action: label for action, label, _ in MORE}
    assert [option.label for option in menu.options] == [
        usual[action] for action in usual if fits(action, HOST)
    ]
    assert usual["disable"] not in [option.label for option in menu.options]
    assert usual["block"] not in [option.label for option in menu.options]


async def test_its_messages_are_found_by_its_address(bench: Bench) -> None:
    await bench.burst(3, client_ip="192.0.2.10")
    await bench.burst(2, client_ip="192.0.2.11")
    assert aim("move", HOST, bench.server).query == SpoolQuery(client_ip=ip_network("192.0.2.10"))
    found = await spool_of(bench.server, (HOST, ANN))
    assert (found[HOST].waiting, found[ANN].waiting) == (3, 5)
