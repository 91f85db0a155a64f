"""A Postfix on another machine: a real sshd, keys that are wrong, and ways that are cut."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.check import check
from bot.finding import Finding
from services.errors import ConfigError, ServerDown
from services.mail.port import Fate, SpoolQuery, submitted
from services.mail.postfix import PostfixConfig, PostfixServer
from services.mail.postfix.commands import CutShort
from services.mail.postfix.ssh import _WHOLE_INPUT, SshRunner, _command
from services.mail.postfix.target import Target
from services.settings import fixed

from .harness import ANN
from .postfix_harness import PostfixHarness
from .sshd import Relay, Sshd

_DEADLINE_SECONDS = 20


def target(sshd: Sshd, port: int | None = None, **changes: Any) -> Target:
    table = sshd.settings(port)
    found = Target.of(table["ssh"], table["ssh_key"], table["ssh_known_hosts"])
    return replace(found, **changes)


@asynccontextmanager
async def running(to: Target, **settings: Any) -> AsyncIterator[SshRunner]:
    runner = SshRunner("mx", **{"timeout": 20.0, **settings}, target=to)
    try:
        yield runner
    finally:
        await runner.close()


@pytest.fixture
async def runner(sshd: Sshd) -> AsyncIterator[SshRunner]:
    async with running(target(sshd)) as made:
        yield made


@pytest.fixture
async def relay(sshd: Sshd) -> AsyncIterator[Relay]:
    async with Relay(sshd.port).open() as opened:
        yield opened


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while not happened():  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.005)


# -- what is handed over ---------------------------------------------------------------


async def test_arguments_arrive_as_they_are(runner: SshRunner) -> None:
    odd = [
        "",
        " a  b ",
        "it's",
        '"x"',
        "a\nb\n",
        "$(reboot) `id` $HOME",
        "*",
        "~",
        "\\n",
        "ü\udcff",
        "-n",
    ]
    end = await runner.run(["printf", r"%s\0", *odd])
    assert end.out.split(b"\0")[:-1] == [word.encode("utf-8", "surrogateescape") for word in odd]


async def test_input_and_output_arrive_byte_for_byte(runner: SshRunner) -> None:
    content = bytes(range(1, 256)) * 300 + b"\n\n"
    assert (await runner.run(["cat"], stdin=content)).out == content
    assert (await runner.run(["cat"], stdin=content, limit=100)).out == content[:100]
    end = await runner.run(["printf", r"\000\377"])
    assert end.out == b"\0\xff"


async def test_how_a_command_ended_is_told(runner: SshRunner) -> None:
    end = await runner.run(["sh", "-c", "echo out; echo 'fatal: no' >&2; exit 3"])
    assert (end.code, end.out, end.complaint) == (3, b"out\n", "fatal: no")
    assert (await runner.run(["sh", "-c", "kill -TERM $$"])).code in (-15, 128 + 15)
    with pytest.raises(
        ServerDown, match=r"/nowhere/postqueue could not be run .* Nothing was done"
    ):
        await runner.run(["/nowhere/postqueue"])
    async with runner.stream(["/nowhere/postqueue"]) as stream:
        assert [chunk async for chunk in stream.chunks()] == []
        with pytest.raises(ServerDown, match="could not be run"):
            await stream.finished()
    for argv, stdin in ((["a\0b"], b""), (["cat"], b"a\0b")):
        with pytest.raises(ServerDown, match="Nothing was done"):
            await runner.run(argv, stdin=stdin)


async def test_many_commands_at_once_are_more_than_sshd_has_sessions(runner: SshRunner) -> None:
    async def listed() -> bytes:
        async with runner.stream(["echo", "listed"]) as stream:
            await runner.run(["true"])
            return b"".join([chunk async for chunk in stream.chunks()])

    assert await asyncio.gather(*(listed() for _ in range(15))) == [b"listed\n"] * 15


@pytest.mark.parametrize("stdin", [b"", b"something to do"])
async def test_a_command_that_hangs_is_stopped_there(
    sshd: Sshd, tmp_path: Path, stdin: bytes
) -> None:
    script = f"echo $$ >{tmp_path}/pid; exec sleep 1000"
    async with running(target(sshd), timeout=3.0) as runner:
        with pytest.raises(ServerDown, match="gave no answer") as caught:
            await runner.run(["sh", "-c", script], stdin=stdin)
        assert isinstance(caught.value, CutShort) == bool(stdin)
        process = Path("/proc", (tmp_path / "pid").read_text().strip())
        await until(lambda: not process.exists())
        assert (await runner.run(["echo", "on"])).out == b"on\n"


@settings(deadline=None)
@given(words=st.lists(st.binary(max_size=12).filter(lambda word: b"\0" not in word), max_size=4))
def test_no_argument_is_more_than_an_argument_to_the_shell(words: list[bytes]) -> None:
    argv = ["printf", r"%s\0", *(word.decode("utf-8", "surrogateescape") for word in words)]
    done = subprocess.run([b"/bin/sh", b"-c", _command(argv)], capture_output=True, check=True)  # noqa: S603
    assert done.stdout == (b"\0".join(words) + b"\0" if words else b"\0")


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("missing", [0, 1, 100])
def test_a_command_is_not_started_with_half_of_its_input(
    tmp_path: Path, shell: str, missing: int
) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"There is no {shell} here.")
    content = bytes(range(1, 256)) + b"\n\n"
    length = str(len(content) + 1 + missing)
    command = [program, "-c", _WHOLE_INPUT, "sh", length, "tee", str(tmp_path / "began")]
    done = subprocess.run(command, input=content, capture_output=True, check=False)  # noqa: S603
    if missing:
        assert done.returncode == 75
        assert not (tmp_path / "began").exists()
    else:
        assert (done.returncode, done.stdout) == (0, content)


# -- who is who ------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["empty", "absent"])
async def test_an_unknown_host_key_is_refused_with_how_to_learn_it(
    sshd: Sshd, tmp_path: Path, file: str
) -> None:
    hosts = tmp_path / "known_hosts"
    if file == "empty":
        hosts.touch()
    async with running(target(sshd, known_hosts=hosts)) as runner:
        with pytest.raises(ServerDown, match="is not known") as caught:
            await runner.run(["true"])
    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >> {hosts}" in str(caught.value)
    assert "ssh-keygen -lf" in str(caught.value)
    assert "Nothing was done" in str(caught.value)


async def test_another_host_key_than_the_known_one_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    other = sshd.new_key(f"other_host_{tmp_path.name}").with_suffix(".pub").read_text()
    hosts = tmp_path / "known_hosts"
    hosts.write_text(f"[127.0.0.1]:{sshd.port} {other}")
    async with running(target(sshd, known_hosts=hosts)) as runner:
        with pytest.raises(ServerDown, match=r"shows another host key .* Nothing was done"):
            await runner.run(["true"])


async def test_keys_that_do_not_serve_are_told_apart(sshd: Sshd, tmp_path: Path) -> None:
    wrong = sshd.new_key(f"wrong_{tmp_path.name}")
    (tmp_path / "none").write_text("no key\n")
    for key, words in (
        (wrong, r"let the key .* in as .*: it was refused.*authorized_keys"),
        (tmp_path / "absent", "cannot be used"),
        (tmp_path / "none", "cannot be used"),
    ):
        async with running(target(sshd, key=key)) as runner:
            with pytest.raises(ServerDown, match=words) as caught:
                await runner.run(["true"])
        assert "Nothing was done" in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"ssh": "mx1.example.com"},
        {"ssh": "a b@mx1.example.com"},
        {"ssh": "-oProxyCommand=x@mx1.example.com"},
        {"ssh": "bot@-x"},
        {"ssh": "bot@mx1.example.com:0"},
        {"ssh": "bot@mx1.example.com:70000"},
        {"ssh_key": Path("/key")},
        {"ssh_known_hosts": Path("/hosts")},
    ],
)
def test_machines_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"mx.*ssh"):
        PostfixConfig(**{"name": "mx", "state_directory": Path("/srv/state"), **settings})


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("bot@mx1.example.com", "mx1.example.com", 22),
        ("bot@mx1.example.com:2222", "mx1.example.com", 2222),
        ("bot@[2001:db8::1]:2222", "2001:db8::1", 2222),
        ("bot@192.0.2.1", "192.0.2.1", 22),
    ],
)
def test_a_machine_is_named_by_user_host_and_port(text: str, host: str, port: int) -> None:
    found = Target.of(text, None, None)
    assert (found.user, found.host, found.port) == ("bot", host, port)


# -- connections that end --------------------------------------------------------------


async def test_a_connection_is_kept_and_made_again_when_it_ended(sshd: Sshd, relay: Relay) -> None:
    async with running(target(sshd, relay.port)) as runner:
        for _ in range(3):
            await runner.run(["true"])
        assert relay.connections == 1
        relay.cut()
        assert (await runner.run(["echo", "again"])).out == b"again\n"
        assert relay.connections == 2
        sshd.stop()
        sshd.start()
        assert (await runner.run(["cat"], stdin=b"third")).out == b"third"
        assert relay.connections == 3


async def test_a_machine_that_is_away_is_tried_again_later_and_later(sshd: Sshd) -> None:
    async with (
        running(target(sshd), between=1000.0) as patient,
        running(target(sshd), between=0.0) as eager,
    ):
        sshd.stop()
        try:
            for runner in (patient, eager):
                with pytest.raises(ServerDown, match=r"could not be reached .* Nothing was done"):
                    await runner.run(["true"])
        finally:
            sshd.start()
        with pytest.raises(ServerDown, match=r"tried again in \d+ seconds"):
            await patient.run(["true"])
        assert (await eager.run(["echo", "back"])).out == b"back\n"


class Stage:
    """The private Postfix with one of its programs replaced, on a way that can be cut."""

    def __init__(self, mail: PostfixHarness, sshd: Sshd, relay: Relay, folder: Path) -> None:
        self.mail = mail
        self.began = folder / "began"
        self.programs = folder / "programs"
        self.programs.mkdir()
        for program in ("postconf", "postqueue", "postsuper", "postcat", "postmap", "postfix"):
            (self.programs / program).symlink_to(f"/usr/sbin/{program}")
        settings = {**sshd.settings(relay.port), "notes_directory": folder / "other-notes"}
        config = replace(mail.config, command_directory=self.programs, **settings)
        self.server = PostfixServer(config, mail.clock)

    def replace(self, program: str, script: str) -> None:
        path = self.programs / program
        path.unlink()
        path.write_text(f"#!/bin/sh\n{script}\ntouch {self.began}\nexec sleep 1000\n")
        path.chmod(0o755)

    def restore(self, program: str) -> None:
        path = self.programs / program
        path.unlink()
        path.symlink_to(f"/usr/sbin/{program}")


@pytest.fixture
async def stage(
    far_postfix: PostfixHarness, sshd: Sshd, relay: Relay, tmp_path: Path
) -> AsyncIterator[Stage]:
    made = Stage(far_postfix, sshd, relay, tmp_path)
    await made.server.start()
    yield made
    await made.server.stop()


async def deferred(mail: PostfixHarness, number: int) -> tuple[str, ...]:
    await mail.add_user(ANN)
    await mail.submit(ANN, ["x@elsewhere.test"], "hello", times=number)
    await mail.settle()
    return await mail.server.matching_ids(SpoolQuery(), limit=number + 1)


async def test_a_listing_that_is_cut_is_told_and_the_next_one_is_whole(
    stage: Stage, relay: Relay
) -> None:
    await deferred(stage.mail, 3)
    stage.replace("postqueue", '/usr/sbin/postqueue "$@" | head -n 1')
    listing = asyncio.create_task(stage.server.counts())
    await until(stage.began.exists)
    relay.cut()
    with pytest.raises(ServerDown, match=r"ended while .*postqueue ran there. It changes nothing"):
        await listing
    stage.restore("postqueue")
    assert (await stage.server.counts()).deferred == 3


async def test_an_act_that_is_cut_tells_what_is_known(stage: Stage, relay: Relay) -> None:
    first, second = await deferred(stage.mail, 2)
    stage.replace("postsuper", 'read id; echo "$id" | /usr/sbin/postsuper "$@"')
    act = asyncio.create_task(stage.server.hold([first, second]))
    await until(stage.began.exists)
    await stage.server.own_networks()  # once this is answered, what was said before has come
    relay.cut()
    results = {result.queue_id: result for result in await act}
    assert results[first].fate is Fate.DONE
    assert results[second].fate is Fate.FAILED
    assert "may or may not have been done: look before trying again" in results[second].why
    stage.restore("postsuper")
    assert (await stage.server.counts()).held == 1


async def test_an_act_of_which_nothing_is_known_does_not_say_that_nothing_was_done(
    stage: Stage, relay: Relay
) -> None:
    (queue_id,) = await deferred(stage.mail, 1)
    stage.replace("postsuper", '/usr/sbin/postsuper "$@" 2>/dev/null')
    act = asyncio.create_task(stage.server.hold([queue_id]))
    await until(stage.began.exists)
    relay.cut()
    with pytest.raises(CutShort, match="may or may not have been done") as caught:
        await act
    assert "Nothing was" not in str(caught.value)
    stage.restore("postsuper")
    assert (await stage.server.counts()).held == 1


# -- the whole server ------------------------------------------------------------------


async def test_a_log_that_postfix_rotates_is_read_on(far_postfix: PostfixHarness) -> None:
    await far_postfix.add_user(ANN)
    server = far_postfix.server
    cursor = None
    for subject in ("one", "two", "three"):
        await far_postfix.submit(ANN, ["x@elsewhere.test"], subject)
        (submission,) = submitted(await server.submissions(cursor, 10))
        assert submission.subject == subject
        cursor = submission.cursor
        # It is compressed, and Postfix makes the next one when it has something to say.
        await asyncio.to_thread(far_postfix.instance.run, "postfix", "logrotate")
    rotated = [path for path in far_postfix.instance.log.parent.iterdir() if path.suffix == ".gz"]
    assert rotated


async def test_the_bots_own_notes_stay_with_the_bot(far_postfix: PostfixHarness) -> None:
    await far_postfix.server.block(ip_network("198.51.100.0/24"), reason="spam", lasting=None)
    submitted(await far_postfix.server.submissions(None, 10))
    there = {path.name for path in far_postfix.instance.state.iterdir()}
    here = {path.name for path in far_postfix.config.notes.iterdir()}
    assert there == {
        "access.db",
        "access.db-shm",
        "access.db-wal",
        "blocked.cidr",
        "lock",
        "logins.cf",
        "recipients.cf",
        "clients.cf",
    }
    assert {"state.db", "log"} <= here
    assert far_postfix.config.notes.stat().st_mode & 0o077 == 0


async def findings(
    mail: PostfixHarness, database: str | None = None, **changes: Any
) -> list[Finding]:
    """What spoolwarden check says of the mail server."""
    config = mail.config
    names = "name state_directory config_directory log sasldb notes_directory"
    names += " ssh ssh_key ssh_known_hosts"
    table = {name: getattr(config, name) for name in names.split()}
    settings = fixed(
        database=database or f"sqlite:///{config.notes}/bot.db",
        mail_server=[{"kind": "postfix", **table, **changes}],
    )
    return [found async for found in check(settings) if found.what == f"mail server {config.name}"]


async def test_check_says_where_the_notes_are_that_instances_on_two_machines_do_not_share(
    far_postfix: PostfixHarness,
) -> None:
    notes = f"is noted in {far_postfix.config.notes}: instances of the bot on this machine share"
    alone = await findings(far_postfix)
    assert not any(notes in one.says for one in alone)
    several = await findings(far_postfix, database="postgresql://bot@127.0.0.1:1/bot")
    assert [one.ok for one in several if notes in one.says] == [True]


async def test_check_says_what_is_there_and_what_is_not(
    far_postfix: PostfixHarness, tmp_path: Path
) -> None:
    found = await findings(far_postfix)
    assert all(one.ok for one in found), found
    said = " ".join(one.says for one in found)
    assert (
        f"run commands on 127.0.0.1 as {Target.of(far_postfix.config.ssh or '', None, None).user}"
        in said
    )
    assert "read the log" in said

    (no_folder,) = await findings(far_postfix, state_directory=tmp_path / "absent")
    assert not no_folder.ok
    assert "make it there: install -d -o" in no_folder.says
    assert not (tmp_path / "absent").exists()

    found = await findings(far_postfix, log=tmp_path / "absent.log", state_directory=tmp_path)
    bad = [one.says for one in found if not one.ok]
    assert any("there is no such file" in says for says in bad)
    sudoers = next(one.says for one in found if "NOPASSWD" in one.says)
    assert f"{(far_postfix.config.ssh or '').partition('@')[0]} ALL=(root)" in sudoers
