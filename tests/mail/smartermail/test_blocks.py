"""SmarterMail's block list, with entries of other hands in it."""

from datetime import timedelta
from ipaddress import ip_network

import pytest

from bot.demo.sender import SmtpRefused
from services.errors import BadArgument
from services.mail.port import Block
from services.mail.smartermail.blocks import UNKNOWN_SINCE

from ..harness import START
from ..smartermail_harness import SmarterMailHarness
from .asking import AWAY, BLOCK, SYS, polled, told


async def test_the_log_poll_lifts_a_block_in_time_even_after_a_restart(
    mail: SmarterMailHarness,
) -> None:
    hour = timedelta(hours=1)
    await mail.server.block(ip_network("198.51.100.7"), reason="spam", lasting=hour)
    await mail.server.block(ip_network("198.51.100.8"), reason="spam", lasting=None)
    await mail.connect()
    await mail.server.submissions(None, 10)
    with pytest.raises(SmtpRefused):
        await mail.sender("198.51.100.7").open()
    await mail.advance(hour)
    await mail.server.submissions(None, 10)
    async with mail.sender("198.51.100.7"):
        pass
    assert list(mail.there.state.blacklist) == ["198.51.100.8"]
    mail.there.web.asked.clear()
    await mail.server.submissions(None, 10)
    assert BLOCK not in mail.there.web.asked


@pytest.mark.parametrize("call", [BLOCK, f"{BLOCK}-delete"])
async def test_a_block_list_that_fails_hides_nothing_that_is_sent(
    mail: SmarterMailHarness, ann: str, call: str
) -> None:
    hour = timedelta(hours=1)
    await mail.server.block(ip_network("198.51.100.7"), reason="spam", lasting=hour)
    await mail.submit(ann, [AWAY], "one")
    await mail.connect()
    await mail.advance(hour)
    mail.there.faults.refused[call] = "BUSY"
    assert [one.sender for one in await polled(mail)] == [ann]
    mail.there.faults.refused.clear()
    await polled(mail)
    assert mail.there.state.blacklist == {}


async def test_other_services_of_an_entry_are_kept(mail: SmarterMailHarness) -> None:
    entry = {"ip": "198.51.100.7", "description": "by hand", "smtp": False, "imap": True}
    mail.there.state.blacklist["198.51.100.7"] = {**entry, "pop": True, "xmpp": False}
    network = ip_network("198.51.100.7")
    assert list(await mail.server.blocks()) == []
    assert await mail.server.block(network, reason="spam", lasting=None) is None
    now = mail.there.state.blacklist["198.51.100.7"]
    assert (now["smtp"], now["imap"], now["pop"], now["xmpp"]) == (True, True, True, False)
    lifted = await mail.server.unblock(network)
    assert lifted is not None
    now = mail.there.state.blacklist["198.51.100.7"]
    assert (now["smtp"], now["imap"], now["pop"], now["xmpp"]) == (False, True, True, False)


async def test_entries_of_other_hands_are_read_as_far_as_they_make_sense(
    mail: SmarterMailHarness,
) -> None:
    for address in ("203.0.113.0/24", "203.0.113.1-203.0.113.9", "", "nonsense"):
        mail.there.state.blacklist[address] = {"ip": address, "description": "x", "smtp": True}
    mail.there.state.blacklist.pop("")
    blocks = await mail.server.blocks()
    assert list(blocks) == [Block(ip_network("203.0.113.0/24"), "x", UNKNOWN_SINCE)]
    before = await mail.server.block(ip_network("203.0.113.0/24"), reason="y", lasting=None)
    assert before == blocks[0]


async def test_a_reason_that_looks_like_our_mark_is_only_a_reason(
    mail: SmarterMailHarness,
) -> None:
    sly = "x [spoolwarden since=1999-01-01T00:00:00+00:00 until=1999-01-02T00:00:00+00:00]"
    network = ip_network("198.51.100.7")
    await mail.server.block(network, reason=f"{sly}\r\n" + "y" * 900, lasting=None)
    (block,) = await mail.server.blocks()
    assert (block.since, block.until) == (START, None)
    assert await mail.server.block(network, reason=sly, lasting=None) is not None
    (block,) = await mail.server.blocks()
    assert (block.reason, block.since, block.until) == ("x", START, None)


@pytest.mark.parametrize("form", ["full", "short"])
@pytest.mark.parametrize("typed", [True, False])
async def test_each_build_lists_and_lifts_blocks(
    mail: SmarterMailHarness, form: str, typed: bool
) -> None:
    mail.there.build.lists_blocks_by = "full" if form == "full" else "short"
    mail.there.build.typed_unblock = typed
    mail.there.build.most_per_page = 2
    networks = [ip_network(f"198.51.100.{n}") for n in range(5)]
    for network in networks:
        await mail.server.block(network, reason="spam", lasting=None)
    assert {block.network for block in await mail.server.blocks()} == set(networks)
    assert await mail.server.unblock(networks[3]) is not None
    assert len(await mail.server.blocks()) == 4


async def test_a_block_ends_open_connections_or_says_that_it_did_not(
    mail: SmarterMailHarness,
) -> None:
    network = ip_network("2001:db8::/64")
    async with mail.sender("2001:db8::5") as client, mail.sender("2001:db8:1::5") as other:
        mail.there.faults.refused[f"{SYS}/connections"] = "BUSY"
        sentence = await told(mail.server.block(network, reason="spam", lasting=None))
        assert "is blocked, but what it has open goes on" in sentence
        assert (await client.command("NOOP")).good
        mail.there.faults.refused.clear()
        await mail.server.block(network, reason="spam", lasting=None)
        with pytest.raises(ConnectionError):
            await client.command("NOOP")
        assert (await other.command("NOOP")).good


async def test_a_block_must_last_some_time(mail: SmarterMailHarness) -> None:
    with pytest.raises(BadArgument):
        await mail.server.block(ip_network("198.51.100.7"), reason="", lasting=timedelta(0))
    assert mail.there.state.blacklist == {}
