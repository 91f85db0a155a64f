"""What an SMTP client may do to the embedded server, and what it may not."""

import asyncio
import base64
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import aiosmtplib
import pytest

from bot.demo.sender import Letter, Sender, SmtpRefused, compose, proxy_header
from services.errors import BadArgument, ConfigError, ServerDown
from services.mail.port import SpoolQuery, UserState, submitted

from .harness import ANN, BOB, PASSWORD, EmbeddedHarness

_TLS = Path(__file__).parent / "tls"


class Wire:
    """A connection on which anything at all can be written."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> bytes:
        """Write, and return the first line that comes back (b"" once it is closed)."""
        self.writer.write(data)
        return await self.hear()

    async def hear(self) -> bytes:
        async with asyncio.timeout(10):
            try:
                return await self.reader.readline()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self.writer.transport.abort()
        await asyncio.sleep(0)


@pytest.fixture
async def users(embedded: EmbeddedHarness) -> EmbeddedHarness:
    await embedded.add_user(ANN)
    await embedded.add_user(BOB)
    return embedded


@pytest.fixture
async def wire(users: EmbeddedHarness) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", users.server.port)
    connection = Wire(reader, writer)
    assert (await connection.say(proxy_header("192.0.2.1", 25))).startswith(b"220")
    yield connection
    await connection.close()


async def _still_serves(harness: EmbeddedHarness) -> None:
    before = len(submitted(await harness.server.submissions(None, 1000)))
    await harness.submit(ANN, [BOB], "still there")
    assert len(submitted(await harness.server.submissions(None, 1000))) == before + 1


# -- who may send where ------------------------------------------------------------------


async def test_strangers_reach_mailboxes_and_nobody_else(users: EmbeddedHarness) -> None:
    await users.submit(None, [ANN], "hello", envelope_sender="peer@other.test")
    for recipient, code in (
        ("x@elsewhere.test", 550),
        ("nobody@example.test", 550),
        ("ann", 550),
    ):
        with pytest.raises(SmtpRefused) as refused:
            await users.submit(None, [recipient], "hello", envelope_sender="peer@other.test")
        assert refused.value.code == code
    assert len(submitted(await users.server.submissions(None, 10))) == 1


async def test_refusals_carry_their_enhanced_code(users: EmbeddedHarness) -> None:
    await users.server.set_user_state(BOB, UserState.REFUSING)
    client = await users.logged_in(ANN)
    await client.must(f"MAIL FROM:<{ANN}>")
    assert (await client.command("RCPT TO:<nobody@example.test>")).text.startswith("5.1.1")
    assert (await client.command(f"RCPT TO:<{BOB}>")).text.startswith("5.2.1")
    await users.server.set_user_state(ANN, UserState.NO_SENDING)
    assert (await client.command("RCPT TO:<x@elsewhere.test>")).text.startswith("5.7.1")
    await client.close()


async def test_a_session_disabled_between_rcpt_and_data_sends_nothing(
    users: EmbeddedHarness,
) -> None:
    client = await users.logged_in(ANN)
    await client.must(f"MAIL FROM:<{ANN}>")
    await client.must("RCPT TO:<x@elsewhere.test>")
    await users.server.set_user_state(ANN, UserState.NO_SENDING)
    assert (await client.command("DATA")).code == 550
    await client.close()


async def test_a_session_disabled_during_data_sends_nothing(users: EmbeddedHarness) -> None:
    client = await users.logged_in(ANN)
    await client.must(f"MAIL FROM:<{ANN}>")
    await client.must("RCPT TO:<x@elsewhere.test>")
    await client.must("DATA")
    await users.server.set_user_state(ANN, UserState.REFUSING)
    assert (await client.command("Subject: late\r\n\r\nlate\r\n.")).code == 550
    await client.close()
    assert not submitted(await users.server.submissions(None, 10))


async def test_no_mail_is_accepted_once_disabling_has_returned(users: EmbeddedHarness) -> None:
    letter = compose(ANN, ["x@elsewhere.test"], "spam", "spam")
    under_way = asyncio.Event()

    async def hammer(client: Sender) -> int:
        sent = 0

        async def on_and_on() -> None:
            nonlocal sent
            while True:
                await client.send(letter)
                sent += 1
                under_way.set()

        with pytest.raises(SmtpRefused) as refused:
            await on_and_on()
        assert refused.value.code == 550
        await client.close()
        return sent

    clients = [await users.logged_in(ANN, f"192.0.2.{n}") for n in range(5)]
    tasks = [asyncio.create_task(hammer(client)) for client in clients]
    await under_way.wait()
    await users.server.set_user_state(ANN, UserState.NO_SENDING)
    accepted = len(submitted(await users.server.submissions(None, 10_000)))
    told = sum(await asyncio.gather(*tasks))
    assert told == accepted == len(submitted(await users.server.submissions(None, 10_000))) > 0


async def test_an_old_password_sends_nothing_more(users: EmbeddedHarness) -> None:
    client = await users.logged_in(ANN)
    await users.server.set_password(ANN, "another battery")
    assert (await client.command(f"MAIL FROM:<{ANN}>")).code == 550
    await client.close()


async def test_a_mailbox_made_again_is_not_the_old_login(users: EmbeddedHarness) -> None:
    client = await users.logged_in(ANN)
    await users.server.delete_user(ANN)
    await users.server.add_user(ANN, PASSWORD)
    assert (await client.command(f"MAIL FROM:<{ANN}>")).code == 550
    await client.close()


async def test_a_login_in_another_case_counts_as_the_same_sender(users: EmbeddedHarness) -> None:
    client = await users.logged_in(ANN.upper())
    await client.send(compose("x@forged.test", [BOB], "hi", "hi"))
    await client.close()
    (submission,) = submitted(await users.server.submissions(None, 10))
    assert submission.sender == ANN


# -- logging in ---------------------------------------------------------------------------


async def test_three_bad_logins_end_the_session(wire: Wire, users: EmbeddedHarness) -> None:
    await wire.say(b"EHLO x\r\n")
    while not (await wire.hear()).startswith(b"250 "):
        pass
    bad = base64.b64encode(f"\0{ANN}\0wrong".encode())
    unknown = base64.b64encode(b"\0nobody@example.test\0wrong")
    assert (await wire.say(b"AUTH PLAIN " + bad + b"\r\n")).startswith(b"535 5.7.8")
    assert (await wire.say(b"AUTH PLAIN " + unknown + b"\r\n")).startswith(b"535 5.7.8")
    assert (await wire.say(b"AUTH PLAIN " + bad + b"\r\n")).startswith(b"421")
    assert await wire.hear() == b""
    await _still_serves(users)


async def test_auth_login_and_its_odd_answers(users: EmbeddedHarness) -> None:
    async with users.sender() as client:
        assert (await client.command("AUTH LOGIN")).code == 334
        assert (await client.command("*")).code == 501
        assert (await client.command("AUTH LOGIN")).code == 334
        assert (await client.command("%%%")).code == 501
        assert (await client.command("AUTH CRAM-MD5")).code == 504
        assert (await client.command("AUTH")).code == 501
        assert (await client.command("AUTH PLAIN =")).code == 501
        assert (await client.command("AUTH PLAIN " + "A" * 3000)).code in (500, 501)
        assert (await client.command("AUTH LOGIN")).code == 334
        user = base64.b64encode(ANN.encode()).decode()
        assert (await client.command(user)).code == 334
        assert (await client.command(base64.b64encode(PASSWORD.encode()).decode())).code == 235
        assert (await client.command("AUTH LOGIN")).code == 503


async def test_nobody_logs_in_for_another(users: EmbeddedHarness) -> None:
    async with users.sender() as client:
        secret = base64.b64encode(f"{BOB}\0{ANN}\0{PASSWORD}".encode()).decode()
        assert (await client.command(f"AUTH PLAIN {secret}")).code == 535


async def test_aiosmtplib_can_log_in_and_send(tmp_path: Path) -> None:
    harness = EmbeddedHarness(tmp_path, proxy_protocol=False)
    await harness.start()
    await harness.add_user(ANN)
    try:
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1", port=harness.server.port, username=ANN, password=PASSWORD
        ) as client:
            await client.sendmail(ANN, [ANN], b"Subject: hi\r\n\r\nhi\r\n")
        (submission,) = submitted(await harness.server.submissions(None, 10))
        assert submission.client_ip == "127.0.0.1"
    finally:
        await harness.stop()


async def test_starttls_protects_the_login(tmp_path: Path) -> None:
    harness = EmbeddedHarness(
        tmp_path,
        proxy_protocol=False,
        tls_certificate=_TLS / "certificate.pem",
        tls_key=_TLS / "key.pem",
    )
    await harness.start()
    await harness.add_user(ANN)
    await harness.add_user(BOB)
    try:
        context = ssl.create_default_context(cafile=str(_TLS / "certificate.pem"))
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1",
            port=harness.server.port,
            start_tls=True,
            tls_context=context,
            username=ANN,
            password=PASSWORD,
        ) as client:
            assert client.get_transport_info("sslcontext") is not None
            user = await harness.server.user(ANN)
            assert user is not None
            assert user.sessions == 1
            await client.sendmail(ANN, [ANN], b"Subject: hi\r\n\r\nhi\r\n")
        # Rubbish in place of a handshake ends that session only.
        reader, writer = await asyncio.open_connection("127.0.0.1", harness.server.port)
        rubbish = Wire(reader, writer)
        await rubbish.hear()
        await rubbish.say(b"EHLO x\r\n")
        while not (await rubbish.hear()).startswith(b"250 "):
            pass
        assert (await rubbish.say(b"STARTTLS\r\n")).startswith(b"220")
        writer.write(b"not a handshake at all\r\n" * 20)
        async with asyncio.timeout(10):
            while await reader.read(1000):
                pass
        await rubbish.close()
        await _still_serves(harness)
    finally:
        await harness.stop()


async def test_a_disabled_account_may_not_log_in(users: EmbeddedHarness) -> None:
    for state in (UserState.NO_SENDING, UserState.REFUSING):
        await users.server.set_user_state(ANN, state)
        with pytest.raises(SmtpRefused) as refused:
            await users.logged_in(ANN)
        assert refused.value.code == 535
        assert refused.value.text.startswith("5.7.8")


# -- the PROXY protocol ---------------------------------------------------------------------


async def test_a_version_2_header_is_taken(users: EmbeddedHarness) -> None:
    await users.server.block(ip_network("203.0.113.0/24"), reason="spam", lasting=None)
    addresses = bytes([203, 0, 113, 9]) + bytes([127, 0, 0, 1]) + struct.pack("!HH", 40000, 25)
    head = b"\r\n\r\n\x00\r\nQUIT\n" + bytes([0x21, 0x11]) + struct.pack("!H", len(addresses))
    reader, writer = await asyncio.open_connection("127.0.0.1", users.server.port)
    wire = Wire(reader, writer)
    assert (await wire.say(head + addresses)).startswith(b"554 5.7.1")
    assert await wire.hear() == b""
    await wire.close()


async def test_an_ipv4_mapped_client_is_its_ipv4_address(users: EmbeddedHarness) -> None:
    await users.server.block(ip_network("203.0.113.9"), reason="spam", lasting=None)
    with pytest.raises(SmtpRefused):
        await users.sender("::ffff:203.0.113.9").open()
    await users.server.unblock(ip_network("203.0.113.9"))
    await users.server.block(ip_network("::ffff:203.0.113.0/120"), reason="spam", lasting=None)
    with pytest.raises(SmtpRefused):
        await users.sender("203.0.113.9").open()


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO there\r\n",
        b"PROXY TCP4 nonsense\r\n",
        b"PROXY TCP4 999.1.1.1 127.0.0.1 1 1\r\n",
        b"PROXY TCP4 192.0.2.1 127.0.0.1 1 99999\r\n",
        b"PROXY " + b"A" * 5000 + b"\r\n",
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x02ab",
        b"\x00\x01\x02\x03\x04\x05\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_without_a_proper_header_nobody_is_greeted(
    users: EmbeddedHarness, header: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", users.server.port)
    wire = Wire(reader, writer)
    assert await wire.say(header) == b""
    await wire.close()
    await _still_serves(users)


# -- malformed input -------------------------------------------------------------------------


async def test_hostile_commands_get_replies_and_the_session_goes_on(
    wire: Wire, users: EmbeddedHarness, caplog: pytest.LogCaptureFixture
) -> None:
    await wire.say(b"HELO x\r\n")
    for line in (
        b"MAIL FROM:<" + b"a" * 1500 + b"@b.test>",
        b"MAIL FROM:<a\x00b@c.test>",
        b"MAIL FROM:<a\rb@c.test>",
        b"MAIL FROM:<a b@c.test>",
        b"MAIL FROM:<a@b.test>> evil",
        b'MAIL FROM:<"a\\\x01"@b.test>',
        b"MAIL FROM:<\xff\xfe@b.test>",
        b"MAIL FROM:a@b@c",
        b"MAIL FROM:",
        b"MAIL FROM:<a@b.test> SIZE=\xc2\xb2",
        b"MAIL FROM:<a@b.test> SIZE=99999999999",
        b"MAIL FROM:<a@b.test> X=1",
        b"RCPT TO:<ann@example.test>",
        b"VRFY \xff\xff\xff",
        b"VRFY a\rb",
        b"NOOP \x00\x01",
        b"\xff\xfe\xfd",
        b"HELP \xc3\xa9",
        b"EXPN x",
        b"DATA",
        b"",
        b"A" * 70_000,
        b"MAIL FROM:<" + b"(" * 400 + b"@b.test>",
        b"MAIL FROM:<" + b'"' * 400 + b"@b.test>",
        b"MAIL FROM:<" + b"@a," * 300 + b":b@c.test>",
    ):
        reply = await wire.say(line + b"\r\n")
        assert reply[:1] in (b"2", b"4", b"5"), (line[:40], reply)
        assert reply.endswith(b"\r\n")
        if line.startswith((b"MAIL", b"RCPT", b"DATA", b"A")):
            assert reply[:1] in b"45", (line[:40], reply)
    assert (await wire.say(b"MAIL FROM:<peer@other.test>\r\n")).startswith(b"250")
    assert (await wire.say(b"RCPT TO:<ann@example.test>\r\n")).startswith(b"250")
    assert not [record for record in caplog.records if record.exc_info]
    await _still_serves(users)


async def test_what_is_repeated_to_a_client_stays_one_line(wire: Wire) -> None:
    reply = await wire.say(b"FOO\r250 fake\rBAR\r\n")
    assert reply.startswith(b"500")
    assert reply.count(b"\r") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: bare\rcarriage\nreturns\x00and NUL\r\n\r\nbody\rbody\nbody\x00\r\n",
        b"Subject: \xff\xfe\xfa not UTF-8\r\n\r\n\x80\x81\r\n",
        b"no header, only this",
        b"",
        b"Subject: " + b"long " * 12_000 + b"\r\n\r\nbody\r\n",
        b"Subject: =?utf-8?b?" + b"QUJD" * 5000 + b"?=\r\n\r\nbody\r\n",
        b"Subject:" + b"\r\n =?utf-8?q?a?=" * 5000 + b"\r\n\r\nbody\r\n",
    ],
    ids=["bare-cr", "not-utf8", "headless", "empty", "long-line", "long-word", "many-words"],
)
async def test_hostile_messages_are_kept_byte_for_byte(
    wire: Wire, users: EmbeddedHarness, content: bytes
) -> None:
    await wire.say(b"HELO x\r\n")
    await wire.say(b"MAIL FROM:<peer@other.test>\r\n")
    await wire.say(f"RCPT TO:<{ANN}>\r\n".encode())
    await wire.say(b"DATA\r\n")
    ended = b"" if not content or content.endswith(b"\r\n") else b"\r\n"
    assert (await wire.say(content + ended + b".\r\n")).startswith(b"250")
    (queue_id,) = await users.server.matching_ids(SpoolQuery(), limit=10)
    assert await users.server.raw(queue_id) == content + ended
    assert await users.server.preview(queue_id) is not None
    (submission,) = submitted(await users.server.submissions(None, 10))
    assert len(submission.subject) <= 998
    assert submission.subject.isprintable()


async def test_a_line_longer_than_any_buffer_is_refused(wire: Wire, users: EmbeddedHarness) -> None:
    await wire.say(b"HELO x\r\n")
    await wire.say(b"MAIL FROM:<peer@other.test>\r\n")
    await wire.say(f"RCPT TO:<{ANN}>\r\n".encode())
    await wire.say(b"DATA\r\n")
    reply = await wire.say(b"Subject: " + b"x" * 100_000 + b"\r\n\r\nbody\r\n.\r\n")
    assert reply.startswith(b"500")
    assert (await wire.say(b"NOOP\r\n")).startswith(b"250")
    assert not submitted(await users.server.submissions(None, 10))


async def test_a_lone_dot_between_bare_line_ends_does_not_end_the_message(
    wire: Wire, users: EmbeddedHarness
) -> None:
    await wire.say(b"HELO x\r\n")
    await wire.say(b"MAIL FROM:<peer@other.test>\r\n")
    await wire.say(f"RCPT TO:<{ANN}>\r\n".encode())
    await wire.say(b"DATA\r\n")
    smuggled = b"x\n.\nMAIL FROM:<boss@example.test>\r\nx\r.\r\nx\r\n"
    assert (await wire.say(smuggled + b".\r\n")).startswith(b"250")
    (submission,) = submitted(await users.server.submissions(None, 10))
    assert submission.sender == "peer@other.test"


async def test_addresses_with_quotes_and_unicode_travel_as_they_are(
    users: EmbeddedHarness,
) -> None:
    recipients = ('"a b\\"c"@elsewhere.test', "grün@höhle.test")
    client = await users.logged_in(ANN)
    await client.send(Letter("jürgen@höhle.test", recipients, b"Subject: x\r\n\r\nx\r\n"))
    assert (await client.command("MAIL FROM:<jürgen@höhle.test>")).code == 553
    await client.close()
    (message,) = (await users.server.search(SpoolQuery())).messages
    assert message.recipients == recipients
    assert message.envelope_sender == "jürgen@höhle.test"
    found = await users.server.search(SpoolQuery(recipient="GRÜN@HÖHLE.test"))
    assert found.total == 1


async def test_null_sender_is_an_empty_sender(users: EmbeddedHarness) -> None:
    await users.submit(None, [ANN], "report", envelope_sender="")
    (message,) = (await users.server.search(SpoolQuery())).messages
    assert message.envelope_sender == message.sender == ""
    assert (await users.server.search(SpoolQuery(sender=""))).total == 1


async def test_a_client_that_leaves_midway_harms_nobody(
    users: EmbeddedHarness, caplog: pytest.LogCaptureFixture
) -> None:
    for said in (
        b"",
        b"PRO",
        proxy_header("192.0.2.1", 25),
        proxy_header("192.0.2.1", 25) + b"EHLO x\r\nAUTH LOGIN\r\n",
        proxy_header("192.0.2.1", 25)
        + f"HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<{ANN}>\r\nDATA\r\nhalf".encode(),
    ):
        for politely in (True, False):
            reader, writer = await asyncio.open_connection("127.0.0.1", users.server.port)
            writer.write(said)
            await writer.drain()
            if said[5:]:
                await reader.readline()
            if politely:
                writer.close()
            else:
                writer.transport.abort()
    await _still_serves(users)
    assert len(submitted(await users.server.submissions(None, 10))) == 1
    assert not [record for record in caplog.records if record.exc_info]


# -- limits ----------------------------------------------------------------------------------


async def test_limits_are_held(tmp_path: Path) -> None:
    harness = EmbeddedHarness(tmp_path, max_size=10_000, max_recipients=3, max_sessions=2)
    await harness.start()
    await harness.add_user(ANN)
    client = await harness.logged_in(ANN)
    assert (await client.command(f"MAIL FROM:<{ANN}> SIZE=10001")).code == 552
    with pytest.raises(SmtpRefused) as refused:
        await client.send(Letter(ANN, (ANN,), b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" * 6000))
    assert refused.value.code == 552
    with pytest.raises(SmtpRefused) as refused:
        await client.send(
            Letter(ANN, tuple(f"{n}@elsewhere.test" for n in range(4)), b"Subject: x\r\n\r\nx")
        )
    assert refused.value.code == 452
    loop = b"Received: from x by y\r\n" * 51 + b"Subject: x\r\n\r\nx"
    with pytest.raises(SmtpRefused) as refused:
        await client.send(Letter(ANN, (ANN,), loop))
    assert refused.value.code == 554
    second = await harness.logged_in(ANN)
    with pytest.raises(SmtpRefused) as refused:
        await harness.sender().open()
    assert refused.value.code == 421
    await second.close()
    await client.close()
    assert not submitted(await harness.server.submissions(None, 10))
    await harness.stop()


async def test_the_same_recipient_twice_gets_one_copy(users: EmbeddedHarness) -> None:
    await users.submit(ANN, [BOB, BOB], "twice")
    await users.settle()
    assert await users.server.mailbox_count(BOB) == 1


# -- starting and stopping ---------------------------------------------------------------------


async def test_a_stopped_server_is_down(users: EmbeddedHarness) -> None:
    await users.stop()
    for act in (
        users.server.counts(),
        users.server.healthy(),
        users.server.blocks(),
        users.server.user(ANN),
        users.server.submissions(None, 1),
        users.server.hold(["A"]),
    ):
        with pytest.raises(ServerDown):
            await act
    await users.stop()


async def test_stopping_hangs_up_on_open_sessions(users: EmbeddedHarness) -> None:
    client = await users.logged_in(ANN)
    await users.stop()
    assert (await client.reply()).code == 421
    with pytest.raises(ConnectionError):
        await client.reply()
    await client.close()


async def test_a_taken_port_and_an_unusable_spool_are_said(
    embedded: EmbeddedHarness, tmp_path: Path
) -> None:
    other = EmbeddedHarness(tmp_path / "other", port=embedded.server.port)
    with pytest.raises(ServerDown, match="cannot listen"):
        await other.start()
    folder = EmbeddedHarness(tmp_path, database=tmp_path)
    with pytest.raises(ServerDown):
        await folder.start()
    (tmp_path / "bad.pem").write_text("nonsense")
    tls = replace(
        embedded.config,
        database=tmp_path / "tls.db",
        tls_certificate=tmp_path / "bad.pem",
        tls_key=tmp_path / "bad.pem",
    )
    broken = EmbeddedHarness(tmp_path)
    broken.server = type(broken.server)(tls, broken.clock)
    with pytest.raises(ServerDown):
        await broken.start()


def test_a_config_that_cannot_work_is_refused(tmp_path: Path) -> None:
    for wrong in (
        {"hostname": "a b"},
        {"hostname": "evil\r\nX: y"},
        {"tls_key": tmp_path},
        {"retry_after": ()},
        {"retry_after": (timedelta(0),)},
        {"delivery_concurrency": 0},
    ):
        with pytest.raises(ConfigError):
            EmbeddedHarness(tmp_path, **wrong)


async def test_only_addresses_become_mailboxes(embedded: EmbeddedHarness) -> None:
    for wrong in ("", "ann", "ann@", "@example.test", "a b@c.test", "a@b\r\n", "<a@b.test>"):
        with pytest.raises(BadArgument):
            await embedded.server.add_user(wrong, PASSWORD)
    with pytest.raises(BadArgument):
        await embedded.server.add_user(ANN, "")
    await embedded.server.add_user(ANN, PASSWORD)
    with pytest.raises(BadArgument):
        await embedded.server.add_user(ANN.upper(), PASSWORD)
    assert embedded.server.users() == (ANN,)


async def test_own_networks_are_what_is_listened_on(tmp_path: Path) -> None:
    everywhere = EmbeddedHarness(tmp_path, host="0.0.0.0")
    await everywhere.start()
    assert ip_network("127.0.0.0/8") in await everywhere.server.own_networks()
    assert ip_network("0.0.0.0/32") not in await everywhere.server.own_networks()
    await everywhere.stop()
