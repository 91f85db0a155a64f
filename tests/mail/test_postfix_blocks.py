"""The block list's file and the tables made from it, without a Postfix."""

import asyncio
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clock import ManualClock
from services.errors import ServerDown
from services.mail.port import Block
from services.mail.postfix.access import AccessTables, key
from services.mail.postfix.blockfile import Parts, parse, render
from services.mail.postfix.blocks import BlockList
from services.mail.postfix.commands import Finished, LocalRunner
from services.mail.postfix.farfolder import FarFolder, literal
from services.mail.postfix.folder import Folder, LocalFolder, Statement, Value

from .harness import must_not_miss

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ONE, TWO = ip_network("198.51.100.0/24"), ip_network("2001:db8::/33")
FOREIGN = b"# ours since 2009\r\n203.0.113.0/24   REJECT \xff go\n\n10.0.0.0/8 OK"


class Lists:
    """A block list in a folder, and what Postfix would be answered."""

    def __init__(self, folder: Folder) -> None:
        self.path = folder.path / "blocked.cidr"
        self.clock = ManualClock(START)
        self.tables = AccessTables("mx", folder)
        self.blocks = BlockList("mx", folder, self.clock)

    def asked(self, client: str) -> str | None:
        """Ask as Postfix does: the query of the file, on a connection of its own."""
        with closing(sqlite3.connect(self.path.with_name("access.db"))) as connection:
            return answer(connection, query_of(self.tables.clients), client)


def query_of(table: Path) -> str:
    query = table.read_text().partition("query = ")[2]
    return query.replace("'%s'", "?").replace("%%", "%")


def answer(connection: sqlite3.Connection, query: str, client: str) -> str | None:
    row = connection.execute(query, (client,)).fetchone()
    return None if row is None else str(row[0])


def folder_of(kind: str, path: Path) -> Folder:
    """The folder on this machine; "commands": as one elsewhere, its commands run here."""
    if kind == "local":
        return LocalFolder("mx", path)
    sqlite3_program()
    return FarFolder("mx", path, LocalRunner("mx", 20.0), "nobody")


def sqlite3_program() -> str:
    program = shutil.which("sqlite3")
    must_not_miss("" if program else "sqlite3 not installed, so its part was not tested.")
    return program or ""


@pytest.fixture(params=["local", "commands"])
async def lists(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lists]:
    made = Lists(folder_of(request.param, tmp_path))
    await made.tables.open()
    yield made
    await made.tables.close()


async def test_the_bytes_of_others_stay_as_they_are(lists: Lists) -> None:
    lists.path.write_bytes(FOREIGN)
    await lists.blocks.add(ONE, "spam", None)
    await lists.blocks.add(TWO, "more", timedelta(hours=1))
    written = lists.path.read_bytes()
    assert written.startswith(FOREIGN + b"\n")
    lists.path.write_bytes(written + b"# below\n192.0.2.1 REJECT\n")
    await lists.blocks.lift(ONE)
    lists.clock.set(START + timedelta(hours=2))
    assert await lists.blocks.in_force() == []
    left = lists.path.read_bytes()
    assert left.startswith(FOREIGN + b"\n")
    assert left.endswith(b"# below\n192.0.2.1 REJECT\n")
    assert b"2001:db8" not in left
    assert lists.path.with_name("blocked.cidr.orig").read_bytes() == FOREIGN


async def test_lines_of_others_are_in_force_too_and_the_first_that_fits_decides(
    lists: Lists,
) -> None:
    lists.path.write_bytes(b"198.51.100.9 OK\n" + FOREIGN + b"\nif 192.0.2.0/24\n")
    await lists.blocks.add(ONE, "spam", None)
    assert lists.asked("198.51.100.9") == "OK"
    assert (lists.asked("198.51.100.10") or "").startswith("554 ")
    assert (lists.asked("203.0.113.5") or "").startswith("REJECT")
    assert lists.asked("10.1.2.3") == "OK"
    assert lists.asked("192.0.2.1") is None


async def test_a_change_made_by_hand_is_in_force_at_the_next_look(lists: Lists) -> None:
    await lists.blocks.add(ONE, "spam", None)
    lists.path.write_bytes(b"203.0.113.7 REJECT\n" + lists.path.read_bytes())
    assert [block.network for block in await lists.blocks.in_force()] == [ONE]
    assert lists.asked("203.0.113.7") == "REJECT"


async def test_a_reason_cannot_break_out_of_its_comment(lists: Lists) -> None:
    reason = 'x"}\n0.0.0.0/0 REJECT\n# Spoolwarden ends.\n💌'
    await lists.blocks.add(ONE, reason, None)
    assert [block.reason for block in await lists.blocks.in_force()] == [reason]
    assert lists.asked("8.8.8.8") is None


async def test_lines_of_others_between_our_marks_are_kept(lists: Lists) -> None:
    await lists.blocks.add(ONE, "spam", None)
    content = lists.path.read_bytes().replace(
        b"# Spoolwarden ends", b"9.9.9.9 OK\n# Spoolwarden ends"
    )
    lists.path.write_bytes(content)
    await lists.blocks.add(TWO, "more", None)
    assert lists.path.read_bytes().startswith(b"9.9.9.9 OK\n")
    assert {block.network for block in await lists.blocks.in_force()} == {ONE, TWO}


async def test_a_network_of_mapped_addresses_is_the_ipv4_one(lists: Lists) -> None:
    await lists.blocks.add(ip_network("::ffff:198.51.100.0/120"), "spam", None)
    assert [block.network for block in await lists.blocks.in_force()] == [ONE]


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """Let no file grow past ``size`` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 100, 4096])
async def test_a_full_disk_leaves_the_list_in_force_as_it_was(lists: Lists, room: int) -> None:
    lists.path.write_bytes(b"# a long line of somebody else\n" * 1000)
    await lists.blocks.add(ONE, "spam", None)
    before = lists.path.read_bytes()
    with no_room(room), pytest.raises(ServerDown, match="still is"):
        await lists.blocks.add(TWO, "more", None)
    assert lists.path.read_bytes() == before
    assert not lists.path.with_name("blocked.cidr.new").exists()
    assert [block.network for block in await lists.blocks.in_force()] == [ONE]
    assert lists.asked("198.51.100.1") is not None
    assert lists.asked("2001:db8::1") is None
    await lists.blocks.add(TWO, "more", None)
    assert lists.asked("2001:db8::1") is not None


@pytest.mark.parametrize("kinds", [("local", "local"), ("local", "commands")])
async def test_two_that_change_the_list_in_the_same_instant_lose_nothing(
    tmp_path: Path, kinds: tuple[str, str]
) -> None:
    """A running bot and a drill beside it, or one on the machine and one that comes by SSH."""
    pair = [Lists(folder_of(kind, tmp_path)) for kind in kinds]
    for one in pair:
        await one.tables.open()

    async def change(one: Lists, first: int) -> None:
        for number in range(first, first + 10):
            await one.blocks.add(ip_network(f"198.51.100.{number}"), "spam", None)
            await one.blocks.in_force()
        await one.blocks.lift(ip_network(f"198.51.100.{first}"))

    await asyncio.gather(change(pair[0], 0), change(pair[1], 100))
    left = {str(block.network) for block in await pair[0].blocks.in_force()}
    assert left == {f"198.51.100.{n}/32" for n in (*range(1, 10), *range(101, 110))}
    assert pair[0].asked("198.51.100.109") is not None
    assert pair[0].asked("198.51.100.100") is None
    for one in pair:
        await one.tables.close()


@settings(deadline=None, max_examples=40)
@given(
    values=st.lists(
        st.none()
        | st.integers(-(2**63), 2**63 - 1)
        | st.text()
        | st.sampled_from(["'", "''; DROP TABLE x;--", "\n.shell id\n", "\0", "?", "a'||'b"]),
        min_size=1,
        max_size=8,
    )
)
def test_a_value_is_never_more_than_a_value_to_sqlite3(values: list[Value]) -> None:
    program = sqlite3_program()
    script = "".join(
        literal(Statement("SELECT typeof(?), hex(?)", (value, value))) + ";\n" for value in values
    )
    done = subprocess.run(  # noqa: S603 - that is what is tested
        [program, "-batch", "-bail", "-init", "/dev/null", ":memory:"],
        input=script.encode(),
        capture_output=True,
        check=True,
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        rows = [connection.execute("SELECT typeof(?1), hex(?1)", (v,)).fetchone() for v in values]
    assert done.stdout.decode().splitlines() == ["|".join(row) for row in rows]


class Elsewhere(LocalRunner):
    """Runs commands here, with other programs to be found than there are."""

    def __init__(self, programs: Path) -> None:
        super().__init__("mx", 20.0)
        self._programs = programs

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: int = 16 * 1024 * 1024
    ) -> Finished:
        argv = ["env", f"PATH={self._programs}", *argv]
        return await super().run(argv, stdin=stdin, limit=limit)


async def test_what_is_missing_on_the_machine_is_named(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in ("sh", "flock", "base64"):
        (programs / program).symlink_to(shutil.which(program) or "")
    runner = Elsewhere(programs)
    tables = AccessTables("mx", FarFolder("mx", tmp_path, runner, "bot"))
    with pytest.raises(ServerDown, match=r"no program sqlite3\. .* apt install sqlite3"):
        await tables.open()
    (programs / "sqlite3").symlink_to(sqlite3_program())
    tables = AccessTables("mx", FarFolder("mx", tmp_path / "absent", runner, "bot"))
    with pytest.raises(ServerDown, match=r"install -d -o bot -g postfix -m 2750 .*/absent"):
        await tables.open()


# What a line of the file may hold besides our marks, and what it may not begin with.
_FOREIGN = st.binary(max_size=80).filter(lambda content: b"# Spoolwarden" not in content)


@given(
    before=_FOREIGN,
    after=_FOREIGN,
    reasons=st.lists(st.text(max_size=40), max_size=3),
    until=st.none() | st.just(START),
)
def test_a_file_taken_apart_and_put_together_is_the_same(
    before: bytes, after: bytes, reasons: list[str], until: datetime | None
) -> None:
    blocks = tuple(
        Block(ip_network((n << 24, 8)), reason, START, until) for n, reason in enumerate(reasons)
    )
    content = render(Parts(before, blocks, after, ours=True))
    again = parse(content)
    assert again.blocks == blocks
    assert again.after == after
    assert again.before.removesuffix(b"\n") == before.removesuffix(b"\n")
    assert render(again) == content


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sqlite3.Connection, str]]:
    """An empty table in memory, and the query that Postfix makes."""
    folder = tmp_path_factory.mktemp("query")
    tables = AccessTables("mx", LocalFolder("mx", folder))
    asyncio.run(tables.open())
    asyncio.run(tables.close())
    with closing(sqlite3.connect(":memory:")) as connection:
        with closing(sqlite3.connect(folder / "access.db")) as made:
            made.backup(connection)
        yield connection, query_of(tables.clients)


@given(address=st.ip_addresses(), other=st.ip_addresses(), length=st.integers(0, 128))
def test_the_query_finds_what_python_finds(
    asking: tuple[sqlite3.Connection, str],
    address: IPv4Address | IPv6Address,
    other: IPv4Address | IPv6Address,
    length: int,
) -> None:
    connection, query = asking
    network = ip_network((address, min(length, address.max_prefixlen)), strict=False)
    connection.execute("DELETE FROM client")
    connection.execute(
        "INSERT INTO client (first, last, action) VALUES (?, ?, 'no')",
        (key(network[0]), key(network[-1])),
    )
    for asked in (address, other, network[0], network[-1]):
        if isinstance(asked, IPv6Address) and asked.ipv4_mapped is not None:
            continue  # Postfix asks for these as IPv4
        assert (answer(connection, query, str(asked)) is not None) == (asked in network)


@pytest.mark.parametrize(
    "asked",
    [
        "unknown",
        "host.example",
        "198.51.100",
        "198",
        "2001:db8:",
        "2001:db8",
        "",
        "'",
        '"',
        "1.2.3.4.5",
    ],
)
async def test_names_and_parts_of_addresses_are_not_blocked(lists: Lists, asked: str) -> None:
    for network in ("0.0.0.0/0", "::/0"):
        await lists.blocks.add(ip_network(network), "all", None)
    assert lists.asked(asked) is None
    assert lists.asked(str(ip_address("198.51.100.1"))) is not None
