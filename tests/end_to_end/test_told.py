"""What the channel is told by itself: a summary at its time, and our address on a block list."""

from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlmodel import select

from bot.rooms import ROOMS
from services.models import Announcement, Digest
from services.settings import DigestSettings, DnsblSettings
from tests.dns_server import dns_server

from .playing import ACCOUNT, Play, playing

ZONE = "bl.example.test"
ADDRESS = "203.0.113.7"


@pytest.fixture(params=sorted(ROOMS))
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=(request.param,)) as made:
        yield made


async def test_a_summary_and_a_listing_are_told_once_over_a_restart(play: Play) -> None:
    await play.app.stop()
    now = play.stage.clock.now()
    async with dns_server() as there:
        there.zone(ZONE)
        there.put(f"7.113.0.203.{ZONE}", "127.0.0.4", reason="Spam was <!channel> seen")
        told = {
            "digest": DigestSettings(daily=f"{now:%H:%M}"),
            "dnsbl": DnsblSettings(
                zones=(ZONE,),
                addresses={"mail": (ip_address(ADDRESS),)},
                nameserver=there.address,
            ),
        }
        await play.start_bot(**told)
        await play.ada.message(f"{ADDRESS}, an address of the mail server mail, is on the block")
        await play.ada.message("no incident")
        shown = await play.vera.type("blocks")
        for said in ("Our own addresses on block lists", ADDRESS, ZONE, "127.0.0.4"):
            assert said in shown.text
        await play.app.stop()
        await play.start_bot(**told)
        # What is told now comes after whatever the start had to tell.
        await play.spam()
        await play.otto.alert(ACCOUNT)
        await play.app.jobs.digests()
        await play.app.jobs.listings()
    assert len(await play.audited("listing")) == 1
    async with play.app.store.reading() as session:
        lines = (await session.exec(select(Announcement))).all()
        assert len((await session.exec(select(Digest))).all()) == 1
    assert len([line for line in lines if line.incident_id is None]) == 2
