"""SmarterMail's spool: lists that move while they are read, and builds that differ."""

from datetime import timedelta
from ipaddress import ip_network

import pytest

from services.errors import NotCapable
from services.mail.port import Fate, Queue, SpoolQuery
from services.mail.smartermail import CAPABILITIES

from ..harness import ANN, BOB, START
from ..smartermail_harness import SmarterMailHarness
from .asking import ALL, AWAY, COUNTS, LIST, LOG, RESET, SYS, polled, told


async def test_pages_shorter_than_asked_for_join_to_the_whole(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.most_per_page = 3
    await mail.submit(ann, [AWAY], "again", times=8)
    page = await mail.server.search(ALL, limit=100)
    assert page.total == len({message.queue_id for message in page.messages}) == 8


async def test_a_spool_that_moves_while_it_is_read_loses_nothing(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.most_per_page = 3
    await mail.submit(ann, [AWAY], "again", times=8)
    (first, second, *rest) = await mail.server.matching_ids(ALL, limit=100)

    async def two_leave() -> None:
        ids = [mail.there.state.queue_id(name) or "" for name in (first, second)]
        await mail.there.engine.delete(ids)

    mail.there.faults.then[LIST] = two_leave
    assert set(await mail.server.matching_ids(ALL, limit=100)) >= set(rest)


async def test_a_list_of_names_alone_is_completed_from_the_log(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.spool_tells_more = False
    await mail.submit(
        ann,
        [AWAY, "y@elsewhere.test"],
        "hello",
        client_ip="198.51.100.7",
        envelope_sender="forged@bank.test",
    )
    await mail.submit(None, [ann], "hi", envelope_sender="", client_ip="203.0.113.9")
    ours, theirs = (await mail.server.search(ALL)).messages
    assert (ours.sender, ours.envelope_sender) == (ann, "forged@bank.test")
    assert (ours.client_ip, ours.recipients) == ("198.51.100.7", (AWAY, "y@elsewhere.test"))
    assert ours.size > 100
    assert ours.arrived == START
    assert (theirs.sender, theirs.envelope_sender, theirs.authenticated_user) == ("", "", None)
    first, second = await polled(mail)
    assert (first.sender, first.authenticated, first.recipients) == (ann, True, 2)
    assert (second.sender, second.authenticated, second.client_ip) == ("", False, "203.0.113.9")


async def test_a_message_that_no_log_tells_of_is_still_listed(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "from the web mail")
    mail.there.log.days.clear()
    (message,) = (await mail.server.search(ALL)).messages
    assert (message.subject, message.envelope_sender) == ("from the web mail", ann)
    assert (message.client_ip, message.authenticated_user) == (None, None)
    mail.there.web.asked.clear()
    await mail.server.search(ALL)
    assert LOG not in mail.there.web.asked


async def test_mail_that_waits_for_days_is_still_known_by_its_log(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "old", envelope_sender="forged@bank.test")
    await mail.advance(timedelta(days=3))
    (message,) = (await mail.server.search(ALL)).messages
    assert (message.sender, message.arrived) == (ann, START)
    assert await polled(mail) == []  # longer ago than the history


async def test_search_matches_by_each_field_that_is_known(mail: SmarterMailHarness) -> None:
    await mail.add_user(ANN)
    await mail.add_user(BOB)
    await mail.submit(ANN, [f"One@{mail.elsewhere}"], "Big SALE", client_ip="198.51.100.7")
    await mail.settle()
    await mail.advance(timedelta(minutes=10))
    middle = mail.now()
    await mail.submit(BOB, [f"two@{mail.elsewhere}"], "report", client_ip="2001:db8::9")
    first, second = await mail.server.matching_ids(ALL, limit=10)
    expected: list[tuple[SpoolQuery, list[str]]] = [
        (SpoolQuery(sender=ANN.upper()), [first]),
        (SpoolQuery(sender="ann"), []),
        (SpoolQuery(recipient=f"oNE@{mail.elsewhere}"), [first]),
        (SpoolQuery(recipient="one"), []),
        (SpoolQuery(client_ip=ip_network("198.51.100.0/24")), [first]),
        (SpoolQuery(client_ip=ip_network("0.0.0.0/0")), [first]),
        (SpoolQuery(client_ip=ip_network("::/0")), [second]),
        (SpoolQuery(subject="sale"), [first]),
        (SpoolQuery(subject="%"), []),
        (SpoolQuery(arrived_before=middle), [first]),
        (SpoolQuery(arrived_after=middle), [second]),
        (SpoolQuery(queues=(Queue.DEFERRED,)), [first]),
        (SpoolQuery(queues=(Queue.ACTIVE, Queue.DEFERRED)), [first, second]),
        (SpoolQuery(folder="spam"), []),
        (SpoolQuery(sender=ANN, subject="report"), []),
    ]
    for query, ids in expected:
        page = await mail.server.search(query)
        assert [message.queue_id for message in page.messages] == ids
        assert page.total == len(ids)


async def test_top_queued_ranks_and_counts_add_up(mail: SmarterMailHarness) -> None:
    await mail.add_user(ANN)
    await mail.add_user(BOB)
    await mail.submit(BOB, [AWAY], "one")
    await mail.submit(ANN, [AWAY], "two", times=2)
    await mail.settle()
    await mail.submit(ANN, [AWAY], "three")
    ranked = await mail.server.top_queued(5)
    assert [(s.sender, s.messages) for s in ranked] == [(ANN, 3), (BOB, 1)]
    assert len(await mail.server.top_queued(1)) == 1
    counts = await mail.server.counts()
    assert (counts.active, counts.deferred, counts.held, counts.quarantine) == (1, 3, 0, 0)
    page = await mail.server.search(ALL)
    assert counts.size == sum(message.size for message in page.messages)


async def test_the_bytes_of_a_long_spool_are_estimated_from_a_page(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.most_per_page = 2
    await mail.submit(ann, [AWAY], "same", times=6)
    page = await mail.server.search(ALL)
    assert (await mail.server.counts()).size == sum(message.size for message in page.messages)


async def test_smartermails_own_quarantines_are_folders(mail: SmarterMailHarness, ann: str) -> None:
    await mail.submit(ann, [AWAY], "again", times=3)
    inside = await mail.there.engine.matching_ids(ALL, limit=10)
    await mail.there.engine.move(inside[:1], "virus")
    await mail.there.engine.move(inside[1:2], "spam")
    assert await mail.server.folders() == {"spam": 1, "virus": 1}
    counts = await mail.server.counts()
    assert (counts.waiting, counts.quarantine) == (1, 2)
    page = await mail.server.search(SpoolQuery(folder="virus"))
    assert [message.queue for message in page.messages] == [Queue.QUARANTINE]


@pytest.mark.parametrize("many", [True, False])
async def test_deleting_tells_what_became_of_each(
    mail: SmarterMailHarness, ann: str, many: bool
) -> None:
    mail.there.build.deletes_many = many
    await mail.submit(ann, [AWAY], "again", times=4)
    ids = await mail.server.matching_ids(ALL, limit=10)
    await mail.there.engine.delete([mail.there.state.queue_id(ids[1]) or ""])
    asked = [ids[0], ids[1], "nothing.eml", "../../x.eml", ids[2], ids[0]]
    results = await mail.server.delete(asked)
    assert [(r.queue_id, r.fate) for r in results] == [
        (ids[0], Fate.DONE),
        (ids[1], Fate.GONE),
        ("nothing.eml", Fate.GONE),
        ("../../x.eml", Fate.GONE),
        (ids[2], Fate.DONE),
    ]
    assert await mail.server.matching_ids(ALL, limit=10) == (ids[3],)
    assert mail.server.ways()["deleting messages"] == (
        "spool-delete-messages" if many else "spool-delete-message"
    )


async def test_a_message_that_leaves_between_look_and_act_is_done_not_failed(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "again", times=2)
    ids = await mail.server.matching_ids(ALL, limit=10)

    async def one_leaves() -> None:
        await mail.there.engine.delete([mail.there.state.queue_id(ids[0]) or ""])

    mail.there.faults.then[LIST] = one_leaves
    assert [r.fate for r in await mail.server.delete(ids)] == [Fate.DONE] * 2


async def test_a_success_that_did_nothing_is_found_out(mail: SmarterMailHarness, ann: str) -> None:
    mail.there.faults.ignored.add(f"{SYS}/spool-delete-messages")
    await mail.submit(ann, [AWAY], "one")
    ids = await mail.server.matching_ids(ALL, limit=10)
    (result,) = await mail.server.delete(ids)
    assert (result.fate, result.why) == (Fate.FAILED, "SmarterMail still lists it")


async def test_a_deletion_that_fails_on_the_way_tells_which_are_gone(
    mail: SmarterMailHarness, ann: str
) -> None:
    call = f"{SYS}/spool-delete-messages"
    await mail.submit(ann, [AWAY], "again", times=230)
    ids = await mail.server.matching_ids(ALL, limit=1000)

    async def breaks() -> None:
        mail.there.faults.refused[call] = "DISK_FULL"

    mail.there.faults.then[call] = breaks
    results = await mail.server.delete(ids)
    fates = [result.fate for result in results]
    assert (fates.count(Fate.DONE), fates.count(Fate.FAILED)) == (200, 30)
    assert "DISK_FULL" in results[-1].why


async def test_the_other_way_to_name_a_spool_is_found_and_kept(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.spool_named_by = "spoolName"
    await mail.submit(ann, [AWAY], "again", times=2)
    await mail.settle()
    await mail.submit(ann, [AWAY], "again")
    page = await mail.server.search(ALL)
    assert [m.queue for m in page.messages] == [Queue.DEFERRED, Queue.DEFERRED, Queue.ACTIVE]
    assert mail.server.ways()["naming a spool"] == "spoolName"
    mail.there.web.bodies.clear()
    await mail.server.search(ALL)
    assert not any("filter" in body for _, body in mail.there.web.bodies)


async def test_a_build_that_does_not_heed_the_filter_is_found_out(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.spool_named_by = "spoolName"
    mail.there.build.ignores_filter = True
    await mail.submit(ann, [AWAY], "again")
    await mail.settle()
    await mail.submit(ann, [AWAY], "again")
    page = await mail.server.search(ALL)
    assert [message.queue for message in page.messages] == [Queue.DEFERRED, Queue.ACTIVE]
    assert mail.server.ways()["naming a spool"] == "spoolName"


async def test_a_message_that_moves_on_between_two_lists_is_in_the_later(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "waits")
    await mail.settle()
    await mail.submit(ann, [AWAY], "moves on")
    ids = await mail.there.engine.matching_ids(ALL, limit=10)
    await mail.there.engine.delete(ids[:1])
    mail.there.faults.then[COUNTS] = lambda: mail.submit(ann, [AWAY], "new")
    mail.there.faults.then[LIST] = mail.settle
    page = await mail.server.search(ALL)
    assert {message.subject for message in page.messages} >= {"moves on"}
    assert mail.server.ways().get("naming a spool") == "filter"


async def test_what_the_api_cannot_do_is_said_with_a_reason(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "one")
    ids = await mail.server.matching_ids(ALL, limit=10)
    for act, capability in (
        (mail.server.hold(ids), CAPABILITIES.hold),
        (mail.server.release(ids), CAPABILITIES.hold),
        (mail.server.move(ids, "review"), CAPABILITIES.quarantine),
        (mail.server.restore(ids), CAPABILITIES.quarantine),
        (mail.server.raw(ids[0]), CAPABILITIES.preview),
        (mail.server.preview(ids[0]), CAPABILITIES.preview),
    ):
        assert not capability.able
        with pytest.raises(NotCapable) as refused:
            await act
        assert refused.value.sentence == capability.why
    assert (await mail.server.counts()).waiting == 1


async def test_what_its_own_quarantine_holds_is_not_tried_again(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "again", times=2)
    await mail.settle()
    ids = await mail.server.matching_ids(ALL, limit=10)
    spam = mail.there.state.queue_id(ids[0]) or ""
    await mail.there.engine.move([spam], "spam")
    assert [r.fate for r in await mail.server.retry(ids)] == [Fate.GONE, Fate.DONE]
    assert await mail.server.folders() == {"spam": 1}


async def test_messages_that_leave_before_they_are_tried_again_are_gone_and_the_rest_is_done(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "again", times=3)
    await mail.settle()
    ids = await mail.server.matching_ids(ALL, limit=10)
    before = await mail.tried(ids[0])

    async def one_leaves() -> None:
        await mail.there.engine.delete([mail.there.state.queue_id(ids[1]) or ""])

    mail.there.faults.then[LIST] = one_leaves
    results = await mail.server.retry(ids)
    assert [r.fate for r in results] == [Fate.DONE, Fate.GONE, Fate.DONE]
    await mail.settle()
    assert [await mail.tried(queue_id) for queue_id in ids] == [before + 1, 0, before + 1]


async def test_trying_again_that_fails_on_the_way_tells_which_were_tried(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "again", times=230)
    ids = await mail.server.matching_ids(ALL, limit=1000)

    async def breaks() -> None:
        mail.there.faults.refused[RESET] = "DISK_FULL"

    mail.there.faults.then[RESET] = breaks
    results = await mail.server.retry(ids)
    fates = [result.fate for result in results]
    assert (fates.count(Fate.DONE), fates.count(Fate.FAILED)) == (200, 30)
    assert "DISK_FULL" in results[-1].why
    # Where nothing at all was done it is one sentence, as of a build without the call.
    assert "DISK_FULL" in await told(mail.server.retry(ids))
    mail.there.faults.clear()
    mail.there.faults.missing.add(RESET)
    await told(mail.server.retry(ids))
