"""What only Postfix has, on a real one: its names, its holds, its tables, its failures."""

import asyncio
import os
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bot.check import check as look
from bot.demo.sender import SmtpRefused
from bot.finding import Finding
from services.errors import BadArgument, ConfigError, NotCapable, ServerDown
from services.mail.port import Fate, Queue, SpoolQuery, UserState, submitted
from services.mail.postfix import PostfixConfig, PostfixServer
from services.mail.postfix.asked import Lookup, read
from services.mail.postfix.programs import Programs
from tests.drill.servers import configured, postfix_table

from .postfix_harness import PASSWORD, PostfixHarness

ANN = "ann@example.test"
ALL = SpoolQuery()


@asynccontextmanager
async def server(mail: PostfixHarness, **settings: Any) -> AsyncIterator[PostfixServer]:
    """Another module on the same Postfix, set up otherwise."""
    other = PostfixServer(replace(mail.config, **settings), mail.clock)
    await other.start()
    try:
        yield other
    finally:
        await other.stop()


@pytest.fixture
async def ann(postfix: PostfixHarness) -> str:
    await postfix.add_user(ANN)
    return ANN


async def one_deferred(mail: PostfixHarness, user: str) -> str:
    await mail.submit(user, ["x@elsewhere.test"], "hello")
    await mail.settle()
    (queue_id,) = await mail.server.matching_ids(ALL, limit=2)
    return queue_id


async def test_a_login_without_a_domain_is_a_user_like_any_other(postfix: PostfixHarness) -> None:
    await postfix.add_user("carl")
    user = await postfix.server.user("CARL")
    assert user is not None
    assert user.address == "carl"
    await postfix.submit("carl", ["x@elsewhere.test"], "hi", envelope_sender="boss@bank.test")
    (submission,) = submitted(await postfix.server.submissions(None, 10))
    assert submission.sender == "carl"
    assert (await postfix.server.search(SpoolQuery(sender="carl"))).total == 1
    await postfix.server.set_user_state("carl", UserState.REFUSING)
    client = await postfix.logged_in("carl")
    assert (await client.command("MAIL FROM:<boss@bank.test>")).code == 550
    await client.close()


@pytest.mark.parametrize("read_first", [False, True])
async def test_who_sent_it_is_known_with_and_without_the_log(
    postfix: PostfixHarness, ann: str, read_first: bool
) -> None:
    await postfix.submit(
        ann, ["x@elsewhere.test"], "hello", client_ip="2001:db8::9", envelope_sender="f@bank.test"
    )
    if read_first:
        assert len(submitted(await postfix.server.submissions(None, 10))) == 1
    else:
        os.truncate(postfix.instance.log, 0)
    (message,) = (await postfix.server.search(ALL)).messages
    assert (message.authenticated_user, message.client_ip) == (ann, "2001:db8::9")
    assert (message.envelope_sender, message.subject) == ("f@bank.test", "hello")
    top = await postfix.server.top_queued(5)
    assert [(one.sender, one.messages) for one in top] == [(ann, 1)]


async def test_a_folded_and_encoded_subject_is_the_same_from_log_and_queue(
    postfix: PostfixHarness, ann: str
) -> None:
    content = b"Subject: =?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?= from me\r\n\r\nbody\r\n"
    queue_id = await postfix.submit_raw(ann, ["x@elsewhere.test"], content)
    message = (await postfix.server.search(ALL)).messages[0]
    (submission,) = submitted(await postfix.server.submissions(None, 10))
    assert message.queue_id == queue_id
    assert message.subject == submission.subject == "Grüße from me"


async def test_what_an_administrator_does_by_hand_is_seen(
    postfix: PostfixHarness, ann: str
) -> None:
    queue_id = await one_deferred(postfix, ann)
    await postfix.server.move([queue_id], "review")
    postfix.instance.run("postsuper", "-H", queue_id)
    (message,) = (await postfix.server.search(ALL)).messages
    assert (message.queue, message.folder) == (Queue.DEFERRED, None)
    assert await postfix.server.folders() == {}
    postfix.instance.run("postsuper", "-h", queue_id)
    (message,) = (await postfix.server.search(ALL)).messages
    assert message.queue is Queue.HELD
    postfix.instance.run("postsuper", "-d", queue_id)
    for act in (postfix.server.restore, postfix.server.release, postfix.server.delete):
        assert [result.fate for result in await act([queue_id])] == [Fate.GONE]


async def test_many_ids_are_acted_on_in_batches(postfix: PostfixHarness, ann: str) -> None:
    queue_id = await one_deferred(postfix, ann)
    absent = [f"4fPq{number:06d}zAAAA" for number in range(2500)]
    results = await postfix.server.hold([*absent, queue_id])
    assert [result.fate for result in results] == [Fate.GONE] * 2500 + [Fate.DONE]


def refuses_to_flush(postfix: PostfixHarness, folder: Path, from_call: int) -> None:
    """Have postqueue say, from so many calls of it on, what it says to who may not flush."""
    (folder / "postqueue").write_text(
        f"""#!/bin/sh
case "$*" in *" -i "*)
    echo "$*" >> {folder}/calls
    if [ "$(wc -l < {folder}/calls)" -ge {from_call} ]; then
        echo "postqueue: fatal: User bot(99) is not allowed to flush the mail queue" >&2
        exit 77
    fi;;
esac
exec /usr/sbin/postqueue "$@"
"""
    )
    (folder / "postqueue").chmod(0o755)
    for program in ("postconf", "postsuper", "postcat", "postfix", "postmap"):
        (folder / program).symlink_to(f"/usr/sbin/{program}")


async def test_who_may_not_flush_is_told_so_by_the_act_and_by_check(
    postfix: PostfixHarness, ann: str, tmp_path: Path
) -> None:
    queue_id = await one_deferred(postfix, ann)
    refuses_to_flush(postfix, tmp_path, 1)
    async with server(postfix, command_directory=tmp_path) as other:
        with pytest.raises(ServerDown, match=r"not allowed to flush .* authorized_flush_users"):
            await other.retry([queue_id])
        assert [(c.what, c.good) for c in await other.check() if not c.good] == [
            ("try messages again", False)
        ]


async def test_trying_again_that_fails_on_the_way_tells_which_were_tried_and_goes_no_further(
    postfix: PostfixHarness, ann: str, tmp_path: Path
) -> None:
    await postfix.submit(ann, ["x@elsewhere.test"], "again", times=40)
    await postfix.settle()
    ids = await postfix.server.matching_ids(ALL, limit=100)
    refuses_to_flush(postfix, tmp_path, 11)
    told: list[int] = []
    async with server(postfix, command_directory=tmp_path) as other:
        results = await other.retry(ids, tell=told.append)
    done = [result.queue_id for result in results if result.fate is Fate.DONE]
    failed = [result for result in results if result.fate is Fate.FAILED]
    assert len(done) + len(failed) == 40
    # Four run side by side: those that were begun before the first failure are counted out.
    assert 7 <= len(done) <= 10
    assert told == [*range(1, len(done) + 1)]
    assert all("not allowed to flush" in result.why for result in failed)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) <= 14


async def test_details_are_read_past_messages_that_vanish(
    postfix: PostfixHarness, ann: str
) -> None:
    await postfix.submit(ann, ["x@elsewhere.test"], "again", times=3)
    await postfix.settle()
    ids = await postfix.server.matching_ids(ALL, limit=10)
    contents = postfix.server._spool._contents
    asked = {ids[0]: 1, "4fPq000000zAAAA": 2, ids[1]: 3, ids[2]: 4}
    found = await contents.seen(asked)
    assert [(one.queue_id, one.user) for one in found] == [(queue_id, ann) for queue_id in ids]


async def test_lines_of_others_in_the_block_file_are_in_force(
    postfix: PostfixHarness, ann: str
) -> None:
    foreign = b"203.0.113.0/24 REJECT not you\n"
    postfix.config.block_file.write_bytes(foreign)
    await postfix.server.block(ip_network("2001:db8:1::/48"), reason="spam", lasting=None)
    for refused in ("203.0.113.9", "2001:db8:1::5"):
        with pytest.raises(SmtpRefused):
            await postfix.sender(refused).open()
    async with postfix.sender("2001:db8:2::5"):
        pass
    assert postfix.config.block_file.read_bytes().startswith(foreign)


@pytest.mark.parametrize("measure", ["disable", "block"])
async def test_a_message_on_its_way_in_is_refused_at_its_end(
    postfix: PostfixHarness, ann: str, measure: str
) -> None:
    client = await postfix.logged_in(ann, "198.51.100.7")
    for line in (f"MAIL FROM:<{ann}>", "RCPT TO:<x@elsewhere.test>", "DATA"):
        assert (await client.command(line)).good
    if measure == "disable":
        await postfix.server.set_user_state(ann, UserState.NO_SENDING)
    else:
        await postfix.server.block(ip_network("198.51.100.7"), reason="spam", lasting=None)
    assert (await client.command("Subject: too late\r\n\r\nbody\r\n.")).code // 100 == 5
    await client.close()
    assert (await postfix.server.search(ALL)).total == 0


async def test_postfix_lifts_a_block_in_time_without_the_bot(postfix: PostfixHarness) -> None:
    network = ip_network("198.51.100.7")
    await postfix.advance(-timedelta(hours=2))
    await postfix.server.block(network, reason="spam", lasting=timedelta(hours=1))
    assert len(await postfix.server.blocks()) == 1  # by the bot's clock, two hours behind
    async with postfix.sender("198.51.100.7"):
        pass


async def test_what_postfix_does_not_ask_for_cannot_be_done(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    async with server(postfix, state_directory=tmp_path, sasldb=None) as other:
        able = other.capabilities
        for capability in (able.no_sending, able.refusing, able.block, able.set_password):
            assert not capability.able
            assert capability.why.endswith(".")
        with pytest.raises(NotCapable):
            await other.set_user_state(ANN, UserState.NO_SENDING)
        with pytest.raises(NotCapable):
            await other.block(ip_network("198.51.100.7"), reason="spam", lasting=None)
        with pytest.raises(NotCapable):
            await other.set_password(ANN, "x" * 12)


async def test_users_are_looked_up_where_the_configuration_says(postfix: PostfixHarness) -> None:
    boxes = f"texthash:{postfix.instance.root}/mailboxes"
    async with server(postfix, sasldb=None, user_maps=(boxes, "unix:passwd.byname")) as other:
        assert await other.user("BOB@example.test") is not None
        assert await other.user("root") is not None
        assert await other.user("nobody@example.test") is None
        for odd in ("", "a b", "x\ny", "*", "-f"):
            assert await other.user(odd) is None
    async with server(postfix, sasldb=None) as other:
        assert await other.user("whoever@example.test") is not None


async def test_a_password_that_is_none_is_refused(postfix: PostfixHarness, ann: str) -> None:
    for password in ("", "a\nb", "a\0b"):
        with pytest.raises(BadArgument):
            await postfix.server.set_password(ann, password)
    await (await postfix.logged_in(ann, password=PASSWORD)).close()


async def test_a_postfix_that_is_not_installed_is_told_in_a_sentence(
    postfix: PostfixHarness,
) -> None:
    missing = PostfixServer(
        replace(postfix.config, command_directory=Path("/nowhere")), postfix.clock
    )
    with pytest.raises(ServerDown, match=r"could not be run .* Nothing was done"):
        await missing.start()
    for call in (missing.counts(), missing.healthy(), missing.raw("4fPq000000zAAAA")):
        with pytest.raises(ServerDown):
            await call


async def test_rights_that_are_missing_are_told_in_a_sentence(
    postfix: PostfixHarness, ann: str
) -> None:
    queue_id = await one_deferred(postfix, ann)
    async with server(postfix, prefix=("/bin/false",)) as other:
        with pytest.raises(ServerDown, match="Nothing was changed"):
            await other.hold([queue_id])
        with pytest.raises(ServerDown, match="rights"):
            await other.raw(queue_id)
        assert (await other.counts()).deferred == 1
        bad = {check.what for check in await other.check() if not check.good}
        assert bad == {
            "Postfix is running",
            "hold, release and delete messages",
            "read a message",
            "list logins",
        }
    assert [check.what for check in await postfix.server.check() if not check.good] == []


async def test_a_queue_that_is_refused_is_told_in_a_sentence(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    refusing = tmp_path / "postqueue"
    refusing.write_text(
        "#!/bin/sh\necho '{\"queue_name\": '\necho no: fatal: not you >&2\nexit 69\n"
    )
    refusing.chmod(0o755)
    for program in ("postconf", "postsuper", "postcat", "postfix"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    async with server(postfix, command_directory=tmp_path) as other:
        with pytest.raises(ServerDown, match=r"could not be listed: no: fatal: not you\."):
            await other.counts()


async def test_a_command_that_hangs_is_stopped(postfix: PostfixHarness, tmp_path: Path) -> None:
    hanging = tmp_path / "postsuper"
    hanging.write_text("#!/bin/sh\nexec sleep 1000\n")
    hanging.chmod(0o755)
    for program in ("postconf", "postqueue"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    async with server(postfix, command_directory=tmp_path, timeout=2.0) as other:
        with pytest.raises(ServerDown, match="gave no answer"):
            await other.delete(["4fPq000000zAAAA"])


@pytest.mark.parametrize(
    "settings",
    [
        {"state_directory": Path("relative")},
        {"config_directory": Path("/etc/post fix")},
        {"log": Path("/var/log/mail.log\n")},
        {"syslog_name": "a b"},
        {"user_maps": ("hash",)},
        {"log_zone": "Nowhere/None"},
        {"timeout": 0.0},
        {"realm": "-u root"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="mx"):
        PostfixConfig(**{"name": "mx", "state_directory": Path("/srv/state"), **settings})


def test_the_sudoers_lines_allow_what_is_run_and_nothing_else() -> None:
    programs = Programs(
        PostfixConfig(name="mx", state_directory=Path("/srv/state"), sasldb=Path("/etc/sasldb2"))
    )
    allowed = []
    for line in programs.sudoers("bot").splitlines()[1:]:
        path, _, rest = line.removeprefix("bot ALL=(root) NOPASSWD: ").partition(" ")
        allowed.append((path, re.compile(rest)))

    def may(command: Sequence[str]) -> bool:
        path, *arguments = command
        return any(p == path and rule.search(" ".join(arguments)) for p, rule in allowed)

    ids = ["4fPq000000zAAAA", "1A2B3C4D5E"]
    run = [
        *(programs.act(option) for option in ("-h", "-H", "-d")),
        programs.envelopes(ids),
        programs.content(ids[0]),
        programs.status(),
        programs.logins(),
        programs.password("ann", "example.test"),
        programs.delete_login("ann", "example.test"),
    ]
    for command in run:
        assert may(command)
        for more in ("-c /tmp", "/etc/shadow", "x;y", "a\nb"):
            assert not may([*command, *more.split(" ")])
    assert not may([*programs.act("-d")[:-1], "ALL"])
    assert not may([*programs.status()[:-1], "stop"])
    assert not may(programs.envelopes(["../../etc/passwd"]))
    assert not may(programs.password("-c", "x y"))
    assert not may(programs.delete_login("ann bob", "example.test"))
    assert not may([*programs.delete_login("ann", "example.test")[:-2], "ann"])


async def test_the_sudoers_lines_are_such(tmp_path: Path) -> None:
    visudo = shutil.which("visudo")
    if visudo is None:
        reason = "Debian's sudo is not installed, so the sudoers lines were not checked by it."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    config = PostfixConfig(name="mx", state_directory=Path("/s.t"), sasldb=Path("/etc/sasldb2"))
    fragment = tmp_path / "sudoers"
    fragment.write_text(Programs(config).sudoers("nobody"))
    fragment.chmod(0o440)
    command = [visudo, "-c", "-f", str(fragment)]
    checked = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await checked.communicate()
    assert checked.returncode == 0, out


CLIENTS = Lookup("check_client_access", Path("/s/clients.cf"))
LOGINS = Lookup("check_sasl_access", Path("/s/logins.cf"))
SASL = "check_sasl_access proxy:sqlite:/s/logins.cf"
SENDER = "smtpd_sender_restrictions"
MASTER = (
    "smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd -o x=y\n"
    "127.0.0.1:10025 inet n - n - - smtpd -o x=y\nsmtp unix - - y - - smtp\n"
)
TAKES_LOGINS = "submission/inet/smtpd_sasl_auth_enable = yes\n"


@pytest.mark.parametrize(
    ("main", "overrides", "silent"),
    [
        (f"{SENDER} = {SASL}", "", []),
        (f"{SENDER} = {SASL.replace('proxy:', '')}", "", []),
        (f"{SENDER} = reject_x, {SASL}, permit", "", []),
        (f"{SENDER} = permit_sasl_authenticated, {SASL}", "", ["submission/inet"]),
        (f"{SENDER} = permit {SASL}", "", ["submission/inet"]),
        (f"{SENDER} = {SASL}.old", "", ["submission/inet"]),
        (f"smtpd_end_of_data_restrictions = {SASL}", "", ["submission/inet"]),
        (
            f"{SENDER} = {SASL}",
            f"submission/inet/{SENDER} = permit_sasl_authenticated, reject",
            ["submission/inet"],
        ),
        (f"{SENDER} = {SASL}", f"submission/inet/{SENDER} =", ["submission/inet"]),
        (
            f"smtpd_client_restrictions = {SASL}",
            f"submission/inet/{SENDER} = {SASL}, permit_sasl_authenticated",
            [],
        ),
        # The proxy reads main.cf alone: Postfix's service would end over that.
        (f"{SENDER} =", f"submission/inet/{SENDER} = {SASL}, permit", ["submission/inet"]),
        (f"{SENDER} =", f"submission/inet/{SENDER} = {SASL.replace('proxy:', '')}", []),
        (f"{SENDER} = {SASL}\nproxy_read_maps = hash:/x", "", ["submission/inet"]),
        (f"{SENDER} = {SASL}\nproxy_read_maps = hash:/x {SASL}", "", []),
        ("", "", ["submission/inet"]),
    ],
)
def test_only_a_table_that_is_reached_is_asked(
    main: str, overrides: str, silent: list[str]
) -> None:
    setup = read(main, MASTER, TAKES_LOGINS + overrides)
    assert setup.silent_at_login(LOGINS) == silent


def test_each_service_that_others_reach_must_ask_whom_it_lets_in() -> None:
    itself = str(CLIENTS).replace("proxy:", "")
    setup = read("", MASTER, f"smtp/inet/smtpd_client_restrictions = {itself}\n")
    assert setup.silent(CLIENTS) == ["submission/inet"]
    assert setup.silent_at_login(LOGINS) == ["smtp/inet", "submission/inet"]


# What Debian 12 has in its master.cf for submission, but for what no list of restrictions is.
DEBIAN = """\
submission/inet/smtpd_sasl_auth_enable = yes
submission/inet/smtpd_client_restrictions =
submission/inet/smtpd_helo_restrictions =
submission/inet/smtpd_sender_restrictions = $mua_sender_restrictions
submission/inet/smtpd_relay_restrictions =
submission/inet/smtpd_recipient_restrictions = permit_sasl_authenticated,reject
"""


def test_the_commands_keep_what_stood_in_a_list_and_are_all_that_is_needed() -> None:
    wanted: dict[str, list[Lookup]] = {"smtpd_client_restrictions": [CLIENTS], SENDER: [LOGINS]}
    main = f"{SENDER} = permit_mynetworks,  {SASL}, reject_unknown_sender_domain\n"
    resolved = read(main, MASTER, DEBIAN.replace("$mua_sender_restrictions", "permit"))
    commands = resolved.commands(wanted, read(main, MASTER, DEBIAN))
    assert commands == [
        f"postconf -e 'smtpd_client_restrictions = {CLIENTS}'",
        f"postconf -e '{SENDER} = {SASL}, permit_mynetworks, reject_unknown_sender_domain'",
        "postconf -P submission/inet/smtpd_client_restrictions="
        "check_client_access,proxy:sqlite:/s/clients.cf",
        f"postconf -P 'submission/inet/{SENDER}="
        "check_sasl_access,proxy:sqlite:/s/logins.cf,$mua_sender_restrictions'",
    ]
    main, overrides = "", DEBIAN
    for command in commands:
        _, option, setting = shlex.split(command)
        main += f"{setting}\n" * (option == "-e")
        overrides += f"{setting}\n" * (option == "-P")
    done = read(main, MASTER, overrides)
    assert done.silent(CLIENTS) == done.silent(LOGINS) == []
    assert done.commands(wanted, done) == []


def test_the_proxy_is_let_read_the_tables_where_its_list_was_set_by_hand() -> None:
    main = f"{SENDER} = {SASL}\nproxy_read_maps = hash:/x\n"
    setup = read(main, MASTER, "")
    command = f"postconf -e 'proxy_read_maps = hash:/x {LOGINS.table}'"
    assert setup.commands({SENDER: [LOGINS]}, setup) == [command]
    named = read(f"proxy_read_maps = $mynetworks ${SENDER}", MASTER, "")
    assert not any("proxy_read" in line for line in named.commands({SENDER: [LOGINS]}, named))


def test_words_within_braces_are_left_to_a_person() -> None:
    policy = "check_policy_service { inet:127.0.0.1:1, default_action=DUNNO }"
    setup = read(f"{SENDER} = {SASL}", MASTER, f"submission/inet/{SENDER} = {policy}\n")
    assert setup.commands({SENDER: [LOGINS]}, setup) == [
        f"# in master.cf, below submission/inet: -o {{ {SENDER} = {SASL}, {policy} }}"
    ]


async def test_the_commands_that_are_printed_make_postfix_ask(
    postfix: PostfixHarness, ann: str, tmp_path: Path
) -> None:
    postfix.instance.run("postconf", "-P", f"127.0.0.1:{postfix.instance.port}/inet/{SENDER}=")
    try:
        lacking = await postfix.server.check()
        assert {check.what for check in lacking if not check.good} == {
            "disable a user",
            "refuse a user's mail",
        }
        for command in await postfix.server.to_be_asked():
            program, option, *words = shlex.split(command)
            assert [program, option, words[0]] == [
                "postconf",
                "-c",
                str(postfix.config.config_directory),
            ]
            postfix.instance.run(program, *words[1:])
        postfix.instance.run("postfix", "reload")
        assert [check.what for check in await postfix.server.check() if not check.good] == []
        assert await postfix.server.to_be_asked() == []
        await postfix.server.set_user_state(ann, UserState.NO_SENDING)
        client = await postfix.logged_in(ann)
        assert (await client.command(f"MAIL FROM:<{ann}>")).code == 550
        await client.close()
    finally:
        master = f"127.0.0.1:{postfix.instance.port}/inet/{SENDER}"
        postfix.instance.run("postconf", "-P", "-X", master)
        postfix.instance.run("postfix", "reload")


async def test_check_prints_what_root_must_do_and_nothing_once_it_was_done(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    async def found(**changes: str) -> list[Finding]:
        settings = configured(postfix_table(postfix, **changes))
        settings = settings.model_copy(update={"database": f"sqlite:///{tmp_path / 'bot.db'}"})
        return [finding async for finding in look(settings) if finding.what == "mail server mx"]

    assert {finding.ok for finding in await found()} == {True}
    (told,) = (one for one in await found(state_directory=str(tmp_path)) if "as root" in one.says)
    assert not told.ok
    commands = told.says.splitlines()[1:]
    assert commands.pop() == "postfix reload"
    assert len(commands) == 4
    assert all(str(tmp_path) in command for command in commands)


async def test_check_prints_the_lines_for_sudo_as_to_be_done_only_where_sudo_refuses(
    postfix: PostfixHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 65534)  # root needs no sudo
    for says, refused in (("sudo: a password is required", True), ("the disk is gone", False)):
        program = tmp_path / "sudo"
        program.write_text(f"#!/bin/sh\necho {says} >&2\nexit 1\n")
        program.chmod(0o755)
        settings = configured(postfix_table(postfix, prefix=[str(program)]))
        settings = settings.model_copy(update={"database": f"sqlite:///{tmp_path / 'bot.db'}"})
        (lines,) = [one async for one in look(settings) if "sudoers.d" in one.says]
        assert lines.ok is not refused
        assert "nobody ALL=(root) NOPASSWD: " in lines.says
