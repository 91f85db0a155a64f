"""With local files on addresses an alert names countries and owners, in both chats."""

import re
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bot.demo.campaigns import LOUD
from bot.rooms import ROOMS
from tests.mmdb import mmdb, replace

from .playing import ACCOUNT, Play, playing

_CODES = ("BR", "CN", "IN", "NG", "RO", "TR", "VN", "BR")
#: What a database says is anybody's text.
_HOSTILE = "Exa <!channel> @everyone [x](https://evil.invalid) *Host*"


def _records(owner: str) -> dict[Any, Any]:
    return {
        ip_network(f"{address}/32"): {"country_code": code, "asn": "AS64500", "as_name": owner}
        for address, code in zip(LOUD.addresses, _CODES, strict=True)
    }


@pytest.fixture(params=sorted(ROOMS))
async def there(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=(request.param,)) as made:
        yield made


async def test_an_alert_names_the_countries_and_a_look_whose_network_it_is(there: Play) -> None:
    file = there.folder / "both.mmdb"
    file.write_bytes(mmdb(_records("Exa Host")))
    await there.app.stop()
    detection = there.app.settings.detection.model_copy(
        update={"asn_database": file, "country_database": file}
    )
    await there.start_bot(detection=detection)
    await there.spam()
    card = await there.otto.card_with(ACCOUNT, "from 7 countries (Brazil, China, India and 4 more)")
    # Which addresses it names depends on whose messages came first.
    assert re.search(r"\d · (Brazil|China|India|Nigeria|Romania|Türkiye|Turkey|Vietnam)", card.text)
    asked = f"ip {LOUD.addresses[1]}"
    assert "Exa Host (AS64500), China" in (await there.otto.type(asked)).text

    # A new file is read without a restart; whatever it says is text, and nothing else.
    replace(file, mmdb(_records(_HOSTILE)))
    await there.app.jobs.renew_files()
    seen = await there.otto.type(asked)
    assert "Exa <!channel> @everyone [x](https://ev… (AS64500), China" in seen.text
