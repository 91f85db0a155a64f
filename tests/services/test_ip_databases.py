"""The files that say whose network an address is in: what was written is what is found."""

import asyncio
import logging
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import ConfigError
from services.ip_databases import IpDatabases
from services.origin import Origin, country_name
from tests.mmdb import Network, mmdb, replace

_NAMES = st.text(min_size=1, max_size=300)
_CODES = st.from_regex(r"[A-Z]{2}", fullmatch=True)
_ADDRESSES = st.ip_addresses()


@st.composite
def _networks(draw: st.DrawFn) -> Network:
    address = draw(_ADDRESSES)
    # IPv4 lies below ::/96 of the same tree, where no IPv6 network of its own can be.
    if isinstance(address, IPv6Address):
        address = IPv6Address(int(address) | 1 << 127)
        return ip_network((address, draw(st.integers(1, 128))), strict=False)
    return ip_network((address, draw(st.integers(1, 32))), strict=False)


def _opened(asn: Path | None, country: Path | None) -> IpDatabases:
    found = IpDatabases(asn, country)
    asyncio.run(found.open())
    return found


def _asn(number: int, name: str) -> dict[str, Any]:
    return {"autonomous_system_number": number, "autonomous_system_organization": name}


def _country(code: str) -> dict[str, Any]:
    return {"country": {"iso_code": code, "names": {"en": "whatever the file says"}}}


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(_networks(), st.tuples(st.integers(1, 2**32 - 1), _NAMES, _CODES), min_size=1,
                    max_size=12),
    st.lists(_ADDRESSES, max_size=8),
    st.sampled_from((24, 28, 32)),
)  # fmt: skip
def test_an_address_has_what_was_written_of_its_narrowest_network(
    tmp_path_factory: pytest.TempPathFactory,
    written: dict[Network, tuple[int, str, str]],
    others: list[IPv4Address | IPv6Address],
    bits: int,
) -> None:
    folder = tmp_path_factory.mktemp("mmdb")
    asn, country = folder / "asn.mmdb", folder / "country.mmdb"
    asn.write_bytes(mmdb({n: _asn(number, name) for n, (number, name, _) in written.items()},
                         bits=bits))  # fmt: skip
    country.write_bytes(mmdb({n: _country(code) for n, (_, _, code) in written.items()}, bits=bits))
    found = _opened(asn, country)
    inside = [network[0] for network in written] + [network[-1] for network in written]
    for address in [*others, *inside]:
        meant: IPv4Address | IPv6Address = address
        if isinstance(address, IPv6Address) and int(address) < 1 << 32:
            meant = IPv4Address(int(address))
        holding = [n for n in written if n.version == meant.version and meant in n]
        told = found.of(str(address))
        if not holding:
            assert told is None
            continue
        number, name, code = written[max(holding, key=lambda one: one.prefixlen)]
        assert told == Origin(number, " ".join(name[:200].split()), code)
    found.close()
    assert found.of(str(inside[0])) is None


@pytest.mark.parametrize(
    ("record", "origin"),
    [
        # IPinfo's, in one file for both.
        ({"country": "Switzerland", "country_code": "CH", "asn": "AS64500", "as_name": "Exa"},
         Origin(64500, "Exa", "CH")),
        ({"country": "CH", "asn": "AS64500", "as_name": "Exa"}, Origin(64500, "Exa", "CH")),
        # Nonsense says nothing, and breaks nothing.
        ({"country_code": "ch", "asn": "ASx", "as_name": ["Exa"]}, None),
        ({"country": {"iso_code": "A1"}, "asn": 0, "as_name": "\n \t"}, None),
        ({"country": {"iso_code": 7}, "asn": 2**40, "as_name": "Exa\nmple"}, Origin(0, "Exa mple")),
        ({"country": ["CH"], "asn": True, "as_name": 12}, None),
        ([1, 2], None),
        ({"as_name": b"\xff\xfe", "country_code": "CH"}, None),
    ],
)  # fmt: skip
def test_each_makers_names_are_understood(tmp_path: Path, record: Any, origin: Origin) -> None:
    file = tmp_path / "both.mmdb"
    good = {"country_code": "CH", "asn": "AS1", "as_name": "One"}
    file.write_bytes(mmdb({ip_network("192.0.2.0/24"): good, ip_network("2001:db8::/32"): record}))
    found = _opened(file, file)
    assert found.of("2001:db8::7") == origin
    assert found.of("192.0.2.9") == Origin(1, "One", "CH")


@pytest.mark.parametrize("address", ["", "nonsense", "192.0.2", "198.51.100.1", "::1", "10.0.0.1"])
def test_nothing_is_known_of_what_is_not_in_it(tmp_path: Path, address: str) -> None:
    file = tmp_path / "asn.mmdb"
    for version in (4, 6):
        file.write_bytes(mmdb({ip_network("192.0.2.0/24"): _asn(64500, "Exa")}, version=version))
        assert _opened(file, None).of(address) is None


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "cut off", "a folder", "damaged",
                                  "countries instead of networks"])  # fmt: skip
def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, kind: str) -> None:
    file, setting = tmp_path / "a.mmdb", "detection.asn_database"
    good = {ip_network("192.0.2.0/24"): _asn(64500, "Exa")}
    match kind:
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_text("network,asn\n192.0.2.0/24,64500\n" * 50)
        case "cut off":
            file.write_bytes(mmdb(good)[:-40])
        case "a folder":
            file.mkdir()
        case "damaged":
            file.write_bytes(mmdb(good, damaged=True))
        case "countries instead of networks":
            file.write_bytes(mmdb({ip_network("192.0.2.0/24"): _country("CH")}, kind="Countries"))
    with pytest.raises(ConfigError) as caught:
        _opened(file, None)
    assert caught.value.sentence.startswith(f"{setting}: {file} ")
    assert caught.value.sentence.endswith(".")
    if kind.startswith("countries"):
        assert "no network owners in it; it says that it is 'Countries'" in caught.value.sentence


async def test_a_file_that_was_replaced_is_read_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, network = tmp_path / "asn.mmdb", ip_network("192.0.2.0/24")
    file.write_bytes(mmdb({network: _asn(64500, "Before")}))
    found = IpDatabases(file, None)
    await found.open()
    assert found.of("192.0.2.7") == Origin(64500, "Before")
    assert not await found.renew()
    replace(file, mmdb({network: _asn(64501, "After")}))
    assert found.of("192.0.2.7") == Origin(64500, "Before")
    assert await found.renew()
    assert found.of("192.0.2.7") == Origin(64501, "After")

    # A broken one is told once, and the one before goes on serving.
    with caplog.at_level(logging.WARNING):
        replace(file, b"nonsense")
        assert not await found.renew()
        assert not await found.renew()
    assert [r.getMessage() for r in caplog.records] == [
        f"detection.asn_database: {file} is no file in the MaxMind DB format, or is damaged. "
        "The one before it is used."
    ]
    assert found.of("192.0.2.7") == Origin(64501, "After")
    file.unlink()
    assert not await found.renew()
    assert found.of("192.0.2.7") == Origin(64501, "After")
    replace(file, mmdb({network: _asn(64502, "Mended")}))
    assert await found.renew()
    assert found.of("192.0.2.7") == Origin(64502, "Mended")
    found.close()


async def test_without_files_nothing_is_known() -> None:
    found = IpDatabases(None, None)
    await found.open()
    assert not found.used
    assert not await found.renew()
    assert found.of("192.0.2.7") is None


def test_an_origin_says_what_is_known_of_it() -> None:
    assert Origin(64500, "Example AG", "CH").words == "Example AG (AS64500), Switzerland"
    assert Origin(64500).words == "AS64500"
    assert Origin(country="XX").words == "XX"
    assert Origin(owner="a" * 99).words == "a" * 39 + "…"
    assert Origin().words == ""
    assert country_name("<!channel>") == ""


def test_ipv4_written_as_ipv6_is_found_as_itself(tmp_path: Path) -> None:
    file = tmp_path / "asn.mmdb"
    file.write_bytes(mmdb({ip_network("192.0.2.0/24"): _asn(64500, "Exa")}))
    assert _opened(file, None).of("::ffff:192.0.2.7") == Origin(64500, "Exa")
