"""Content filters, after the queue and before it: each message counts once, as its sender's.

The filter of these tests is Postfix itself: what a filter gives back it gives to a service of
its own, so that every line here is one that a real Postfix wrote.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from bot.demo.sender import Letter, compose
from services.mail.port import SpoolQuery, Submission, submitted

from .harness import must_not_miss
from .postfix_harness import PASSWORD, PostfixHarness
from .postfix_instance import PostfixInstance, free_port, missing, running

ANN = "ann@example.test"
AWAY = "someone@elsewhere.test"

_SERVICES = """\
127.0.0.1:{telling} inet n - n - - smtpd
    -o content_filter=telling:[127.0.0.1]:{told}
127.0.0.1:{silent} inet n - n - - smtpd
    -o content_filter=silent:[127.0.0.1]:{back}
127.0.0.1:{before} inet n - n - - smtpd
    -o smtpd_proxy_filter=127.0.0.1:{told}
127.0.0.1:{told} inet n - n - - smtpd
    -o smtpd_authorized_xforward_hosts=127.0.0.0/8
    -o mynetworks=127.0.0.0/8
    -o smtpd_relay_restrictions=permit_mynetworks,reject
    -o smtpd_upstream_proxy_protocol=
    -o smtpd_sasl_auth_enable=no
    -o myhostname=filter.example.test
127.0.0.1:{back} inet n - n - - smtpd
    -o mynetworks=127.0.0.0/8
    -o smtpd_relay_restrictions=permit_mynetworks,reject
    -o smtpd_upstream_proxy_protocol=
    -o smtpd_sasl_auth_enable=no
    -o myhostname=filter.example.test
telling unix - - n - - smtp
    -o smtp_send_xforward_command=yes
silent unix - - n - - smtp
"""
KINDS = ("telling", "silent", "before")


class Filtered(PostfixInstance):
    """A private Postfix with a service for each kind of filter."""

    def make(self) -> None:
        super().make()
        self.ports = {name: free_port() for name in (*KINDS, "told", "back")}
        with (self.config / "master.cf").open("a") as master:
            master.write(_SERVICES.format(**self.ports))


@pytest.fixture(scope="module")
def filtering() -> Iterator[Filtered]:
    must_not_miss(missing())
    with running(Filtered) as instance:
        yield instance


@pytest.fixture(params=KINDS)
async def mail(
    filtering: Filtered, request: pytest.FixtureRequest
) -> AsyncIterator[PostfixHarness]:
    """A Postfix whose clients come through one of the filters."""
    harness = PostfixHarness(filtering)
    await harness.start()
    usual, filtering.port = filtering.port, filtering.ports[request.param]
    await harness.add_user(ANN)
    yield harness
    filtering.port = usual
    await harness.stop()


def letter(envelope_sender: str, number: int) -> Letter:
    plain = compose(envelope_sender, [AWAY], f"mail {number}", "Hello.")
    return replace(plain, content=b"Message-ID: <%d@laptop.test>\n%b" % (number, plain.content))


async def send(mail: PostfixHarness, number: int, envelope_sender: str) -> None:
    async with mail.sender() as client:
        await client.log_in(ANN, PASSWORD)
        for i in range(number):
            await client.send(letter(envelope_sender, i))


async def told(mail: PostfixHarness, number: int) -> list[Submission]:
    """Return what the log tells when the last of so many messages was tried."""
    await mail.logged("status=deferred")
    async with asyncio.timeout(20):
        while (await mail.server.counts()).deferred < number:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.01)
    return submitted(await mail.server.submissions(None, 100))


async def test_each_message_counts_once_as_the_login_of_its_sender(mail: PostfixHarness) -> None:
    await send(mail, 3, "forged@b.test")
    found = await told(mail, 3)
    assert [(one.sender, one.authenticated, one.client_ip) for one in found] == [
        (ANN, True, "192.0.2.10")
    ] * 3


async def test_what_waits_behind_the_filter_is_still_its_senders(mail: PostfixHarness) -> None:
    await send(mail, 2, "forged@b.test")
    await told(mail, 2)
    page = await mail.server.search(SpoolQuery(sender=ANN))
    assert page.total == 2
    assert {(one.sender, one.client_ip) for one in page.messages} == {(ANN, "192.0.2.10")}
    assert {one.subject for one in page.messages} == {"mail 0", "mail 1"}
    # And again, when the subjects were read from the queue's files.
    assert (await mail.server.search(SpoolQuery(sender=ANN))).total == 2
    [(top)] = await mail.server.top_queued(5)
    assert (top.sender, top.messages) == (ANN, 2)
