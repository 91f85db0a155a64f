"""What every mail server must do to serve the port: one suite, a harness for each server.

A server's test module subclasses :class:`MailServerConformance` and gives it a fixture
``mail``, a started :class:`ServerUnderTest`. Everything is sent over real SMTP.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_network
from typing import Protocol

import pytest

from bot.demo.sender import Sender, SmtpRefused
from services.errors import BadArgument, NotCapable
from services.mail.port import (
    DELIVERING,
    Capability,
    Fate,
    MailServer,
    MessageResult,
    Queue,
    SenderSpool,
    SpoolQuery,
    UserState,
    submitted,
)


class ServerUnderTest(Protocol):
    """A mail server that the suite may do anything with."""

    #: A domain whose users are mailboxes of the server, and one that it cannot reach now.
    domain: str
    elsewhere: str
    #: Whether a disabled user cannot even log in. One who can must not get past MAIL.
    refuses_logins: bool

    @property
    def server(self) -> MailServer: ...

    async def restart(self) -> None:
        """Stop the server and start it on the same data; ``server`` is then a new one."""

    async def add_user(self, address: str) -> None: ...

    def sender(self, client_ip: str = ...) -> Sender: ...

    async def logged_in(self, user: str, client_ip: str = ..., password: str = ...) -> Sender: ...

    async def submit(
        self,
        user: str | None,
        recipients: Sequence[str],
        subject: str,
        *,
        body: str = ...,
        client_ip: str = ...,
        envelope_sender: str | None = ...,
        times: int = ...,
    ) -> None: ...

    async def submit_raw(self, user: str, recipients: Sequence[str], content: bytes) -> str: ...

    async def settle(self) -> None:
        """Return when what was just submitted is delivered or deferred."""

    async def tried(self, queue_id: str) -> int:
        """Return how often a message that waits, to one recipient, was tried so far."""

    def now(self) -> datetime: ...

    async def advance(self, by: timedelta) -> None: ...


_ALL = SpoolQuery()


async def _refuses(client: Sender, command: str) -> bool:
    """Tell whether an open session's command is refused, by a reply or by hanging up."""
    try:
        return (await client.command(command)).code // 100 == 5
    except ConnectionError:
        return True


async def _is_over(client: Sender) -> bool:
    """Tell whether an open session was ended, with a last word or without."""
    try:
        return (await client.command("NOOP")).code == 421
    except ConnectionError:
        return True


async def _all_of(messages: AsyncIterator[bytes]) -> list[bytes]:
    return [raw async for raw in messages]


def _fates(results: Sequence[MessageResult]) -> list[Fate]:
    return [result.fate for result in results]


class MailServerConformance:
    """The suite."""

    @pytest.fixture
    async def ann(self, mail: ServerUnderTest) -> str:
        address = f"ann@{mail.domain}"
        await mail.add_user(address)
        return address

    @pytest.fixture
    async def bob(self, mail: ServerUnderTest) -> str:
        address = f"bob@{mail.domain}"
        await mail.add_user(address)
        return address

    async def deferred(self, mail: ServerUnderTest, user: str, number: int) -> tuple[str, ...]:
        """Leave ``number`` deferred messages in the spool; return their ids, oldest first."""
        for index in range(number):
            await mail.submit(user, [f"r{index}@{mail.elsewhere}"], f"number {index}")
            await mail.advance(timedelta(seconds=1))
        await mail.settle()
        ids = await mail.server.matching_ids(_ALL, limit=100)
        assert len(ids) == number
        return ids

    async def queue_of(self, mail: ServerUnderTest, queue_id: str) -> Queue | None:
        page = await mail.server.search(_ALL, limit=100)
        return {m.queue_id: m.queue for m in page.messages}.get(queue_id)

    # -- the log ---------------------------------------------------------------------

    async def test_a_submission_tells_who_sent_what_from_where(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        await mail.submit(
            ann,
            [f"x@{mail.elsewhere}", f"y@{mail.elsewhere}"],
            "Grüße 💌",
            client_ip="198.51.100.7",
            envelope_sender="forged@bank.test",
        )
        (submission,) = submitted(await mail.server.submissions(None, 10))
        assert submission.sender == ann
        assert submission.authenticated
        assert submission.client_ip == "198.51.100.7"
        assert submission.recipients == 2
        assert submission.subject == "Grüße 💌"
        assert submission.size > 100
        assert abs(submission.at - mail.now()) < timedelta(minutes=1)

    async def test_mail_from_outside_counts_by_its_envelope_sender(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        await mail.submit(None, [ann], "hi", envelope_sender="peer@other.test")
        (submission,) = submitted(await mail.server.submissions(None, 10))
        assert (submission.sender, submission.authenticated) == ("peer@other.test", False)

    async def test_the_cursor_neither_loses_nor_repeats_across_a_restart(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        seen: list[str] = []
        cursor: str | None = None
        for start in (0, 5):
            for number in range(start, start + 5):
                await mail.submit(ann, [f"x@{mail.elsewhere}"], f"mail {number}")
            for limit in (2, 1, 10):
                page = await mail.server.submissions(cursor, limit)
                assert len(page) <= limit
                seen += [submission.subject for submission in submitted(page)]
                cursor = page[-1].cursor if page else cursor
            await mail.restart()
        assert seen == [f"mail {number}" for number in range(10)]
        assert not submitted(await mail.server.submissions(cursor, 10))

    async def test_a_submission_is_remembered_after_its_message_left(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        await self.deferred(mail, ann, 2)
        ids = await mail.server.matching_ids(_ALL, limit=10)
        await mail.server.delete(ids)
        assert len(submitted(await mail.server.submissions(None, 10))) == 2

    # -- the spool -------------------------------------------------------------------

    async def test_an_empty_spool_counts_nothing(self, mail: ServerUnderTest) -> None:
        counts = await mail.server.counts()
        assert (counts.waiting, counts.held, counts.quarantine, counts.size) == (0, 0, 0, 0)
        assert not await mail.server.top_queued(5)
        assert (await mail.server.search(_ALL)).total == 0
        assert await mail.server.folders() == {}

    async def test_counts_follow_each_queue(self, mail: ServerUnderTest, ann: str) -> None:
        ids = await self.deferred(mail, ann, 4)
        await mail.server.hold(ids[:1])
        await mail.server.move(ids[1:2], "review")
        counts = await mail.server.counts()
        assert (counts.waiting, counts.deferred, counts.held, counts.quarantine) == (2, 2, 1, 1)
        page = await mail.server.search(_ALL)
        assert counts.size == sum(message.size for message in page.messages)

    async def test_delivered_mail_leaves_the_spool(
        self, mail: ServerUnderTest, ann: str, bob: str
    ) -> None:
        await mail.submit(ann, [bob], "lunch?")
        await mail.settle()
        assert (await mail.server.counts()).waiting == 0

    async def test_top_queued_ranks_senders_by_what_waits(
        self, mail: ServerUnderTest, ann: str, bob: str
    ) -> None:
        await mail.submit(bob, [f"x@{mail.elsewhere}"], "one")
        await self.deferred_for(mail, ann, 3)
        held = await mail.server.matching_ids(SpoolQuery(sender=ann), limit=1)
        await mail.server.hold(held)
        ranked = [(s.sender, s.messages) for s in await mail.server.top_queued(5)]
        assert ranked == [(ann, 2), (bob, 1)]
        assert len(await mail.server.top_queued(1)) == 1

    async def test_what_senders_have_in_the_spool_is_told_of_all_at_once(
        self, mail: ServerUnderTest, ann: str, bob: str
    ) -> None:
        await mail.submit(bob, [f"x@{mail.elsewhere}"], "one")
        await self.deferred_for(mail, ann, 4)
        nobody = f"nobody@{mail.domain}"
        told = await mail.server.spool_of([ann.upper(), bob, nobody])
        assert told == {ann.upper(): SenderSpool(4), bob: SenderSpool(1), nobody: SenderSpool()}
        ids = await mail.server.matching_ids(SpoolQuery(sender=ann), limit=3)
        await mail.server.hold(ids[:2])
        await mail.server.move(ids[2:], "review")
        assert await mail.server.spool_of([ann]) == {ann: SenderSpool(1, 2)}
        assert await mail.server.spool_of([]) == {}

    async def deferred_for(self, mail: ServerUnderTest, user: str, number: int) -> None:
        await mail.submit(user, [f"x@{mail.elsewhere}"], "again", times=number)
        await mail.settle()

    async def test_a_message_tells_all_it_should(self, mail: ServerUnderTest, ann: str) -> None:
        to = (f"x@{mail.elsewhere}", f"y@{mail.elsewhere}")
        await mail.submit(ann, to, "hello", client_ip="2001:db8::5", envelope_sender="f@bank.test")
        await mail.settle()
        (message,) = (await mail.server.search(_ALL)).messages
        assert message.sender == message.authenticated_user == ann
        assert message.envelope_sender == "f@bank.test"
        assert message.client_ip == "2001:db8::5"
        assert message.recipients == to
        assert message.subject == "hello"
        assert message.queue is Queue.DEFERRED
        assert message.last_error
        assert message.folder is None

    async def test_search_by_the_senders_domain_finds_no_other_domain(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        domain = mail.domain
        others = [f"eve@evil-{domain}", f"eve@sub.{domain}", f"{domain}@eve.test"]
        idn = "x@xn--bcher-kva.test"
        for user in (*others, idn):
            await mail.add_user(user)
        await mail.submit(ann, [f"one@{mail.elsewhere}"], "hers", envelope_sender="f@eve.test")
        for user in (*others, idn):
            await mail.submit(
                user, [f"two@{mail.elsewhere}"], domain, envelope_sender=f"forged@{domain}"
            )
        await mail.settle()

        async def found(
            *domains: str, sender: str | None = None, subject: str | None = None
        ) -> set[str]:
            query = SpoolQuery(sender, subject=subject, sender_domains=domains)
            page = await mail.server.search(query, limit=100)
            ids = await mail.server.matching_ids(query, limit=sys.maxsize)
            assert [message.queue_id for message in page.messages] == list(ids)
            assert page.total == len(ids)
            return {message.sender for message in page.messages}

        assert await found(domain) == await found(domain.upper()) == {ann}
        assert await found(domain, sender=ann.upper(), subject="hers") == {ann}
        assert await found(domain, sender=others[0]) == set()
        assert await found("eve.test", f"sub.{domain}") == {others[1], others[2]}
        assert await found("bücher.test") == await found("XN--bcher-kva.test") == {idn}
        assert await found("test", "nowhere.test", "") == set()
        assert await found() == {ann, *others, idn}

    async def test_search_by_each_field(self, mail: ServerUnderTest, ann: str, bob: str) -> None:
        await mail.submit(ann, [f"One@{mail.elsewhere}"], "Big SALE", client_ip="198.51.100.7")
        await mail.advance(timedelta(minutes=10))
        middle = mail.now()
        await mail.advance(timedelta(minutes=10))
        await mail.submit(bob, [f"two@{mail.elsewhere}"], "report", client_ip="203.0.113.9")
        await mail.settle()
        first, second = await mail.server.matching_ids(_ALL, limit=10)
        await mail.server.move([second], "review")

        async def found(query: SpoolQuery) -> list[str]:
            page = await mail.server.search(query)
            ids = list(await mail.server.matching_ids(query, limit=10))
            assert [m.queue_id for m in page.messages] == ids
            assert page.total == len(ids)
            return ids

        assert await found(SpoolQuery(sender=ann.upper())) == [first]
        assert await found(SpoolQuery(sender="ann")) == []
        assert await found(SpoolQuery(recipient=f"oNE@{mail.elsewhere}")) == [first]
        assert await found(SpoolQuery(recipient="one")) == []
        assert await found(SpoolQuery(client_ip=ip_network("198.51.100.7"))) == [first]
        assert await found(SpoolQuery(client_ip=ip_network("203.0.113.0/24"))) == [second]
        assert await found(SpoolQuery(client_ip=ip_network("0.0.0.0/0"))) == [first, second]
        assert await found(SpoolQuery(client_ip=ip_network("::/0"))) == []
        assert await found(SpoolQuery(subject="sale")) == [first]
        assert await found(SpoolQuery(subject="%")) == []
        assert await found(SpoolQuery(arrived_before=middle)) == [first]
        assert await found(SpoolQuery(arrived_after=middle)) == [second]
        assert await found(SpoolQuery(queues=(Queue.DEFERRED,))) == [first]
        assert await found(SpoolQuery(queues=(Queue.DEFERRED, Queue.QUARANTINE))) == [first, second]
        assert await found(SpoolQuery(folder="review")) == [second]
        assert await found(SpoolQuery(folder="other")) == []
        assert await found(SpoolQuery(sender=ann, subject="report")) == []
        assert await found(SpoolQuery(sender=bob, subject="REPORT", folder="review")) == [second]

    async def test_pages_join_to_the_whole_oldest_first(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        ids = await self.deferred(mail, ann, 7)
        pages = [await mail.server.search(_ALL, offset=at, limit=3) for at in (0, 3, 6, 9)]
        assert [page.total for page in pages] == [7] * 4
        joined = [message for page in pages for message in page.messages]
        assert [message.queue_id for message in joined] == list(ids)
        assert joined == sorted(joined, key=lambda message: message.arrived)
        assert await mail.server.matching_ids(_ALL, limit=2) == ids[:2]

    # -- acting on messages ------------------------------------------------------------

    async def test_held_mail_stays_until_released(self, mail: ServerUnderTest, ann: str) -> None:
        ids = await self.deferred(mail, ann, 2)
        assert _fates(await mail.server.hold(ids)) == [Fate.DONE] * 2
        await mail.advance(timedelta(hours=8))
        await mail.settle()
        assert (await mail.server.counts()).held == 2
        assert _fates(await mail.server.release(ids[:1])) == [Fate.DONE]
        assert await self.queue_of(mail, ids[0]) in (Queue.ACTIVE, Queue.DEFERRED)
        assert await self.queue_of(mail, ids[1]) is Queue.HELD

    async def test_holding_twice_changes_nothing(self, mail: ServerUnderTest, ann: str) -> None:
        ids = await self.deferred(mail, ann, 1)
        await mail.server.hold(ids)
        (again,) = await mail.server.hold(ids)
        assert again.fate in (Fate.DONE, Fate.GONE)
        assert await self.queue_of(mail, ids[0]) is Queue.HELD

    async def test_only_held_mail_is_released(self, mail: ServerUnderTest, ann: str) -> None:
        ids = await self.deferred(mail, ann, 2)
        await mail.server.move(ids[1:], "review")
        assert _fates(await mail.server.release(ids)) == [Fate.GONE] * 2
        assert await self.queue_of(mail, ids[0]) is Queue.DEFERRED
        assert await self.queue_of(mail, ids[1]) is Queue.QUARANTINE

    async def test_quarantined_mail_is_not_held(self, mail: ServerUnderTest, ann: str) -> None:
        ids = await self.deferred(mail, ann, 1)
        await mail.server.move(ids, "review")
        assert _fates(await mail.server.hold(ids)) == [Fate.GONE]
        assert await mail.server.folders() == {"review": 1}

    async def test_restored_mail_is_back_where_it_was(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        ids = await self.deferred(mail, ann, 2)
        await mail.server.hold(ids[1:])
        before = (await mail.server.search(_ALL)).messages
        assert _fates(await mail.server.move(ids, "review")) == [Fate.DONE] * 2
        assert (await mail.server.counts()).quarantine == 2
        assert _fates(await mail.server.restore(ids)) == [Fate.DONE] * 2
        after = (await mail.server.search(_ALL)).messages
        assert after == before
        assert [message.queue for message in after] == [Queue.DEFERRED, Queue.HELD]

    async def test_moving_between_folders_keeps_where_it_came_from(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        ids = await self.deferred(mail, ann, 1)
        await mail.server.hold(ids)
        await mail.server.move(ids, "one")
        await mail.server.move(ids, "two")
        assert await mail.server.folders() == {"two": 1}
        await mail.server.restore(ids)
        assert await self.queue_of(mail, ids[0]) is Queue.HELD

    async def test_moving_and_restoring_twice_changes_nothing(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        ids = await self.deferred(mail, ann, 1)
        await mail.server.move(ids, "review")
        (again,) = await mail.server.move(ids, "review")
        assert again.fate in (Fate.DONE, Fate.GONE)
        assert await mail.server.folders() == {"review": 1}
        await mail.server.restore(ids)
        assert _fates(await mail.server.restore(ids)) == [Fate.GONE]
        assert await self.queue_of(mail, ids[0]) is Queue.DEFERRED

    async def test_quarantined_mail_is_not_delivered(
        self, mail: ServerUnderTest, ann: str, bob: str
    ) -> None:
        ids = await self.deferred(mail, ann, 1)
        await mail.server.move(ids, "review")
        await mail.advance(timedelta(hours=8))
        await mail.settle()
        assert await mail.server.folders() == {"review": 1}

    async def test_the_bytes_survive_hold_move_and_restore(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        sent = b"Subject: odd bytes\r\n\r\n.dot\r\n..two\r\n\xff\xfe and 8 bit\r\n\r\n\r\nlast\r\n"
        queue_id = await mail.submit_raw(ann, [f"x@{mail.elsewhere}"], sent)
        before = await mail.server.raw(queue_id)
        assert before is not None
        assert before.endswith(sent)
        await mail.server.hold([queue_id])
        await mail.server.move([queue_id], "review")
        assert await mail.server.raw(queue_id) == before
        await mail.server.restore([queue_id])
        await mail.server.release([queue_id])
        assert await mail.server.raw(queue_id) == before

    async def test_waiting_mail_is_tried_again_at_once_and_no_other(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        first, second, third = ids = await self.deferred(mail, ann, 3)
        before = {queue_id: await mail.tried(queue_id) for queue_id in ids}
        told: list[int] = []
        results = await mail.server.retry([first, third], tell=told.append)
        assert [(r.queue_id, r.fate) for r in results] == [(first, Fate.DONE), (third, Fate.DONE)]
        assert told[-1] == 2
        assert told == sorted(told)
        await mail.settle()
        tried = {queue_id: await mail.tried(queue_id) - before[queue_id] for queue_id in ids}
        assert tried == {first: 1, second: 0, third: 1}
        assert await mail.server.matching_ids(SpoolQuery(queues=DELIVERING), limit=10) == ids
        # A second time it is tried once more, and that is all.
        assert _fates(await mail.server.retry([first])) == [Fate.DONE]
        await mail.settle()
        assert await mail.tried(first) == before[first] + 2
        assert await self.queue_of(mail, first) is Queue.DEFERRED

    async def test_what_is_gone_is_not_tried_again(self, mail: ServerUnderTest, ann: str) -> None:
        ids = await self.deferred(mail, ann, 2)
        await mail.server.delete(ids[:1])
        asked = [ids[0], "ALL", "0000DEADBEEF", "../../etc/passwd", "a\nb", ids[1], ids[1]]
        results = await mail.server.retry(asked)
        assert [result.queue_id for result in results] == asked[:-1]
        assert _fates(results) == [Fate.GONE] * 5 + [Fate.DONE]
        assert await mail.server.retry([]) == []
        assert _fates(await mail.server.retry(asked[:5])) == [Fate.GONE] * 5

    async def test_held_and_quarantined_mail_is_not_let_go_by_trying_again(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        ids = await self.deferred(mail, ann, 2)
        await mail.server.hold(ids[:1])
        await mail.server.move(ids[1:], "review")
        before = [await mail.tried(queue_id) for queue_id in ids]
        assert _fates(await mail.server.retry(ids)) == [Fate.GONE] * 2
        await mail.settle()
        assert [await mail.tried(queue_id) for queue_id in ids] == before
        assert await self.queue_of(mail, ids[0]) is Queue.HELD
        assert await self.queue_of(mail, ids[1]) is Queue.QUARANTINE

    async def test_what_was_let_go_is_tried_again_at_once(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        ids = await self.deferred(mail, ann, 2)
        before = [await mail.tried(queue_id) for queue_id in ids]
        await mail.server.hold(ids[:1])
        await mail.server.move(ids[1:], "review")
        await mail.server.release(ids[:1])
        await mail.server.restore(ids[1:])
        assert _fates(await mail.server.retry(ids)) == [Fate.DONE] * 2
        await mail.settle()
        assert [await mail.tried(queue_id) for queue_id in ids] == [n + 1 for n in before]

    async def test_deleted_mail_is_gone_for_good(self, mail: ServerUnderTest, ann: str) -> None:
        ids = await self.deferred(mail, ann, 4)
        await mail.server.hold(ids[:1])
        await mail.server.move(ids[1:2], "review")
        assert _fates(await mail.server.delete(ids[:3])) == [Fate.DONE] * 3
        assert await mail.server.matching_ids(_ALL, limit=10) == ids[3:]
        assert await mail.server.raw(ids[0]) is None
        assert await mail.server.preview(ids[0]) is None
        assert await mail.server.folders() == {}

    async def test_what_is_gone_is_said_to_be_gone_and_the_rest_is_done(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        ids = await self.deferred(mail, ann, 3)
        await mail.server.delete(ids[1:2])
        mixed = [ids[0], ids[1], "0000DEADBEEF", ids[2]]
        expected = [Fate.DONE, Fate.GONE, Fate.GONE, Fate.DONE]
        for act in (
            mail.server.hold,
            mail.server.release,
            lambda some: mail.server.move(some, "review"),
            mail.server.restore,
            mail.server.delete,
        ):
            results = await act(mixed)
            assert [result.queue_id for result in results] == mixed
            assert _fates(results) == expected
        assert _fates(await mail.server.delete(mixed)) == [Fate.GONE] * 4

    async def test_an_act_tells_how_many_are_settled(self, mail: ServerUnderTest, ann: str) -> None:
        ids = await self.deferred(mail, ann, 2)
        server = mail.server
        review = partial(server.move, folder="review")
        for act in (server.hold, server.release, review, server.restore, server.delete):
            told: list[int] = []
            await act(ids, tell=told.append)
            assert told[-1] == 2
            assert told == sorted(told)

    async def test_acting_on_nothing_does_nothing(self, mail: ServerUnderTest) -> None:
        assert await mail.server.hold([]) == []
        assert await mail.server.delete([]) == []
        assert await mail.server.move([], "review") == []

    async def test_hostile_queue_ids_are_only_ids(self, mail: ServerUnderTest, ann: str) -> None:
        await self.deferred(mail, ann, 1)
        hostile = ["", "ALL", "*", "-", "' OR 1=1 --", "../../etc/passwd", "a\nb", "\0", "é" * 300]
        for queue_id in hostile:
            assert await mail.server.raw(queue_id) is None
        assert _fates(await mail.server.delete(hostile)) == [Fate.GONE] * len(hostile)
        assert (await mail.server.counts()).deferred == 1

    async def test_the_spool_is_the_same_after_a_restart(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        ids = await self.deferred(mail, ann, 3)
        await mail.server.hold(ids[:1])
        await mail.server.move(ids[1:2], "review")
        before = await mail.server.search(_ALL), await mail.server.raw(ids[2])
        await mail.restart()
        assert (await mail.server.search(_ALL), await mail.server.raw(ids[2])) == before

    # -- previews ----------------------------------------------------------------------

    async def test_a_preview_shows_headers_text_and_file_names(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        content = (
            b"From: A <a@b.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n'
            b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf\xe9\r\n--x\r\n"
            b'Content-Type: application/zip; name="invoice.zip"\r\n'
            b"Content-Disposition: attachment\r\n\r\nPK\r\n--x--\r\n"
        )
        queue_id = await mail.submit_raw(ann, [f"x@{mail.elsewhere}"], content)
        preview = await mail.server.preview(queue_id)
        assert preview is not None
        assert preview.message.queue_id == queue_id
        assert ("Subject", "Grüße") in preview.headers
        assert preview.text.strip() == "café"
        assert preview.attachments == ("invoice.zip",)

    async def test_a_preview_of_html_runs_and_shows_no_markup(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        content = (
            b"Subject: x\r\nContent-Type: text/html\r\n\r\n<style>p{}</style><script>evil()"
            b"</script><p>Dear <b>customer</b>,</p><p>pay &amp; go</p>"
            b'<img src="http://tracker.test/1">\r\n'
        )
        queue_id = await mail.submit_raw(ann, [f"x@{mail.elsewhere}"], content)
        preview = await mail.server.preview(queue_id)
        assert preview is not None
        assert "customer" in preview.text
        assert "pay & go" in preview.text
        for unwanted in ("<", "evil", "tracker", "p{}"):
            assert unwanted not in preview.text

    @pytest.mark.parametrize(
        "content",
        [
            b"".join(b"X-%d: %s\r\n" % (n, b"v" * 900) for n in range(300)) + b"\r\nbody\r\n",
            b"Subject: " + b"\r\n ".join([b"long"] * 20_000) + b"\r\n\r\nbody\r\n",
            b"Subject: x\r\nContent-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe body\r\n",
            b"Subject: =?x?b?!!!?= =?utf-8?b?////?=\r\n\r\n" + b"body\r\n" * 5_000,
            b"".join(
                b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n)
                for n in range(2000)
            )
            + b"\r\nbody\r\n",
            b"\r\nbody, and no header at all\r\n",
        ],
        ids=["many-headers", "huge-subject", "bad-charset", "bad-words", "deep", "headless"],
    )
    async def test_previews_stay_bounded(
        self, mail: ServerUnderTest, ann: str, content: bytes
    ) -> None:
        queue_id = await mail.submit_raw(ann, [f"x@{mail.elsewhere}"], content)
        preview = await mail.server.preview(queue_id)
        assert preview is not None
        assert len(preview.headers) <= 60
        assert all(len(value) <= 998 for _, value in preview.headers)
        assert len(preview.message.subject) <= 998
        assert len(preview.text) <= 2000
        assert "body" in preview.text or "nested" in preview.text

    # -- users -------------------------------------------------------------------------

    async def test_an_unknown_user_is_none_and_cannot_be_changed(
        self, mail: ServerUnderTest
    ) -> None:
        nobody = f"nobody@{mail.domain}"
        assert await mail.server.user(nobody) is None
        able = mail.server.capabilities
        for capability, act in (
            (able.no_sending, mail.server.set_user_state(nobody, UserState.NO_SENDING)),
            (able.set_password, mail.server.set_password(nobody, "x" * 12)),
            (able.delete_user, mail.server.delete_user(nobody)),
            (able.end_sessions, mail.server.end_sessions(nobody)),
        ):
            with pytest.raises(BadArgument if capability.able else NotCapable):
                await act

    async def test_a_user_is_found_whatever_the_case(self, mail: ServerUnderTest, ann: str) -> None:
        user = await mail.server.user(ann.upper())
        assert user is not None
        assert (user.address, user.state) == (ann, UserState.ACTIVE)

    async def test_setting_a_state_returns_the_one_before(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        async def state() -> UserState | None:
            user = await mail.server.user(ann)
            return None if user is None else user.state

        assert await mail.server.set_user_state(ann, UserState.NO_SENDING) is UserState.ACTIVE
        assert await mail.server.set_user_state(ann, UserState.NO_SENDING) is UserState.NO_SENDING
        assert await mail.server.set_user_state(ann, UserState.REFUSING) is UserState.NO_SENDING
        await mail.restart()
        assert await state() is UserState.REFUSING
        assert await mail.server.set_user_state(ann, UserState.ACTIVE) is UserState.REFUSING
        assert await state() is UserState.ACTIVE

    @pytest.mark.parametrize("state", [UserState.NO_SENDING, UserState.REFUSING])
    async def test_a_disabled_user_cannot_send_even_in_an_open_session(
        self, mail: ServerUnderTest, ann: str, state: UserState
    ) -> None:
        client = await mail.logged_in(ann)
        assert (await client.command(f"MAIL FROM:<{ann}>")).good
        assert (await client.command("RSET")).good
        await mail.server.set_user_state(ann, state)
        assert await _refuses(client, f"MAIL FROM:<{ann}>")
        await client.close()
        if mail.refuses_logins:
            with pytest.raises(SmtpRefused) as refused:
                await mail.logged_in(ann)
            assert refused.value.code == 535
        else:
            client = await mail.logged_in(ann)
            assert (await client.command(f"MAIL FROM:<{ann}>")).code // 100 == 5
            await client.close()
        assert not submitted(await mail.server.submissions(None, 10))
        await mail.server.set_user_state(ann, UserState.ACTIVE)
        await mail.submit(ann, [f"x@{mail.elsewhere}"], "back again")

    async def test_no_sending_still_receives_and_refusing_does_not(
        self, mail: ServerUnderTest, ann: str, bob: str
    ) -> None:
        await mail.server.set_user_state(ann, UserState.NO_SENDING)
        await mail.submit(bob, [ann], "still there?")
        await mail.server.set_user_state(ann, UserState.REFUSING)
        with pytest.raises(SmtpRefused) as refused:
            await mail.submit(bob, [ann], "and now?")
        assert refused.value.code // 100 == 5

    async def test_a_changed_password_is_the_only_one_that_logs_in(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        await (await mail.logged_in(ann)).close()
        await mail.server.set_password(ann, "another battery")
        with pytest.raises(SmtpRefused):
            await mail.logged_in(ann)
        await (await mail.logged_in(ann, password="another battery")).close()

    async def test_a_deleted_user_neither_logs_in_nor_receives(
        self, mail: ServerUnderTest, ann: str, bob: str
    ) -> None:
        if not mail.server.capabilities.delete_user.able:
            return  # what it then does is tested for every capability, below
        open_session = await mail.logged_in(ann)
        await mail.server.delete_user(ann)
        assert await mail.server.user(ann) is None
        assert await _refuses(open_session, f"MAIL FROM:<{ann}>")
        await open_session.close()
        with pytest.raises(SmtpRefused):
            await mail.logged_in(ann)
        with pytest.raises(SmtpRefused):
            await mail.submit(bob, [ann], "anybody?")

    async def test_ended_sessions_are_over_and_the_password_still_logs_in(
        self, mail: ServerUnderTest, ann: str, bob: str
    ) -> None:
        if not mail.server.capabilities.end_sessions.able:
            return  # what it then does is tested for every capability, below
        clients, other = [await mail.logged_in(ann) for _ in range(2)], await mail.logged_in(bob)
        assert await mail.server.end_sessions(ann.upper()) in (2, None)
        for client in clients:
            assert await _is_over(client)
            await client.close()
        assert (await other.command("NOOP")).good
        await other.close()
        await (await mail.logged_in(ann)).close()
        assert await mail.server.end_sessions(ann) in (0, 1, None)

    async def test_all_that_a_mailbox_holds_is_read_oldest_first(
        self, mail: ServerUnderTest, ann: str, bob: str
    ) -> None:
        if not mail.server.capabilities.copy_mail.able:
            return
        for subject in ("one", "two", "three"):
            await mail.submit(bob, [ann], subject)
            await mail.settle()
        subjects = [b"Subject: one", b"Subject: two", b"Subject: three"]
        raws = await _all_of(mail.server.mail_of(ann))
        assert [s in raw for s, raw in zip(subjects, raws, strict=True)] == [True] * 3
        assert await _all_of(mail.server.mail_of(bob)) == []

    async def test_open_sessions_are_counted(self, mail: ServerUnderTest, ann: str) -> None:
        clients = [await mail.logged_in(ann) for _ in range(3)]
        user = await mail.server.user(ann)
        assert user is not None
        for client in clients:
            await client.close()
        assert user.sessions in (3, None)  # None: this server cannot tell

    # -- blocks ------------------------------------------------------------------------

    async def test_a_blocked_network_is_refused_at_connect_and_in_open_sessions(
        self, mail: ServerUnderTest, ann: str
    ) -> None:
        client = await mail.logged_in(ann, "198.51.100.7")
        network = ip_network("198.51.100.0/24")
        assert await mail.server.block(network, reason="spam", lasting=None) is None
        assert await _refuses(client, f"MAIL FROM:<{ann}>")
        await client.close()
        with pytest.raises(SmtpRefused) as refused:
            await mail.sender("198.51.100.200").open()
        assert refused.value.code // 100 == 5
        await (await mail.logged_in(ann, "198.51.101.7")).close()
        lifted = await mail.server.unblock(network)
        assert lifted is not None
        assert lifted.reason == "spam"
        await (await mail.logged_in(ann, "198.51.100.7")).close()

    async def test_what_a_block_has_refused_is_counted_and_begins_anew_with_a_new_one(
        self, mail: ServerUnderTest
    ) -> None:
        if not mail.server.capabilities.count_refused.able:
            return  # what it then does is tested for every capability, below
        network, other = ip_network("198.51.100.0/24"), ip_network("203.0.113.9")
        for one in (network, other):
            await mail.server.block(one, reason="spam", lasting=None)
        assert await mail.server.refused() == {network: 0, other: 0}
        for _ in range(2):
            with pytest.raises(SmtpRefused):
                await mail.sender("198.51.100.200").open()
        async with asyncio.timeout(20):
            while (await mail.server.refused())[network] < 2:  # noqa: ASYNC110 - a log tells it
                await asyncio.sleep(0.05)
        await mail.restart()
        assert await mail.server.refused() == {network: 2, other: 0}
        await mail.server.unblock(network)
        assert await mail.server.refused() == {other: 0}

    async def test_the_block_list_tells_what_stands(self, mail: ServerUnderTest) -> None:
        one, two = ip_network("198.51.100.7"), ip_network("2001:db8::/32")
        await mail.server.block(one, reason="first", lasting=None)
        await mail.advance(timedelta(seconds=1))
        await mail.server.block(two, reason="second", lasting=None)
        replaced = await mail.server.block(one, reason="third", lasting=None)
        assert replaced is not None
        assert (replaced.network, replaced.reason) == (one, "first")
        await mail.restart()
        blocks = await mail.server.blocks()
        assert {(block.network, block.reason) for block in blocks} == {
            (one, "third"),
            (two, "second"),
        }
        assert [b.since for b in blocks] == sorted(b.since for b in blocks)
        assert await mail.server.unblock(ip_network("198.51.100.0/24")) is None
        assert await mail.server.unblock(one) is not None
        assert await mail.server.unblock(one) is None

    async def test_a_block_ends_by_itself(self, mail: ServerUnderTest) -> None:
        network = ip_network("198.51.100.7")
        await mail.server.block(network, reason="spam", lasting=timedelta(hours=1))
        with pytest.raises(SmtpRefused):
            await mail.sender("198.51.100.7").open()
        (block,) = await mail.server.blocks()
        assert block.until is not None
        assert abs(block.until - block.since - timedelta(hours=1)) < timedelta(seconds=5)
        await mail.advance(timedelta(hours=1, seconds=1))
        assert list(await mail.server.blocks()) == []
        async with mail.sender("198.51.100.7"):
            pass
        assert await mail.server.unblock(network) is None

    # -- the server --------------------------------------------------------------------

    async def test_each_capability_is_what_it_says(self, mail: ServerUnderTest, ann: str) -> None:
        server, able = mail.server, mail.server.capabilities
        (queue_id,) = await self.deferred(mail, ann, 1)
        network = ip_network("198.51.100.7")
        table: list[tuple[Capability, Callable[[], Awaitable[object]]]] = [
            (able.preview, lambda: server.preview(queue_id)),
            (able.hold, lambda: server.hold([queue_id])),
            (able.hold, lambda: server.release([queue_id])),
            (able.quarantine, lambda: server.move([queue_id], "review")),
            (able.quarantine, lambda: server.restore([queue_id])),
            (able.retry, lambda: server.retry([queue_id])),
            (able.delete, lambda: server.delete([queue_id])),
            (able.no_sending, lambda: server.set_user_state(ann, UserState.NO_SENDING)),
            (able.refusing, lambda: server.set_user_state(ann, UserState.REFUSING)),
            (able.set_password, lambda: server.set_password(ann, "another battery")),
            (able.block, lambda: server.block(network, reason="r", lasting=None)),
            (
                able.block_expiry,
                lambda: server.block(network, reason="r", lasting=timedelta(hours=1)),
            ),
            (able.block, lambda: server.unblock(network)),
            (able.count_refused, lambda: server.refused()),
            (able.end_sessions, lambda: server.end_sessions(ann)),
            (able.copy_mail, lambda: _all_of(server.mail_of(ann))),
            (able.delete_user, lambda: server.delete_user(ann)),
        ]
        for capability, act in table:
            if capability.able:
                await act()
            else:
                assert capability.why
                with pytest.raises(NotCapable):
                    await act()

    async def test_it_says_how_it_is_reached(self, mail: ServerUnderTest) -> None:
        assert mail.server.name in await mail.server.healthy()
        assert await mail.server.own_networks()
