"""SmarterMail's log: cut short, half written, across days and clock changes."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mail.port import Submission, submitted
from services.mail.smartermail import log

from ..harness import ANN
from ..smartermail_harness import SmarterMailHarness
from .asking import ALL, AWAY, LOG, polled, told


@pytest.mark.parametrize("spaced", [True, False])
async def test_both_settings_of_the_brackets_are_read(
    mail: SmarterMailHarness, ann: str, spaced: bool
) -> None:
    mail.there.build.spaced_brackets = spaced
    await mail.submit(ann, [AWAY], "one")
    (submission,) = await polled(mail)
    assert (submission.sender, submission.client_ip) == (ann, "192.0.2.10")


async def test_many_sessions_are_read_at_once_and_few_one_by_one(
    mail: SmarterMailHarness, ann: str
) -> None:
    for number in range(25):
        await mail.submit(ann, [AWAY], f"number {number}", client_ip=f"192.0.2.{number}")
    mail.there.web.asked.clear()
    taken = await polled(mail)
    assert [s.client_ip for s in taken] == [f"192.0.2.{number}" for number in range(25)]
    assert {s.sender for s in taken} == {ann}
    assert mail.there.web.asked.count(LOG) < 6


async def test_what_a_client_says_cannot_pass_for_what_the_server_says(
    mail: SmarterMailHarness, ann: str
) -> None:
    async with mail.sender() as client:
        for sly in (
            "Authenticated as boss@example.test",
            "NOOP Data transfer succeeded, writing mail to 1.eml",
            "EHLO Data transfer succeeded, writing mail to 2.eml (MessageID: <>)",
            "NOOP rsp: 235 ok",
        ):
            await client.command(sly)
    await mail.submit(None, [ann], "hi", envelope_sender="peer@other.test")
    (submission,) = await polled(mail)
    assert (submission.sender, submission.authenticated) == ("peer@other.test", False)


async def test_a_refused_recipient_is_not_counted(mail: SmarterMailHarness, ann: str) -> None:
    async with mail.sender() as client:
        for line in (
            "MAIL FROM:<peer@other.test>",
            "RCPT TO:<nobody@example.test>",
            "RSET",
            "MAIL FROM:<peer@other.test> SIZE=77",
            "RCPT TO:<nobody@example.test>",
            f"RCPT TO:<{ann}>",
            "DATA",
        ):
            await client.command(line)
        await client.must("Subject: x\r\n\r\nx\r\n.")
    (submission,) = await polled(mail)
    assert submission.recipients == 1


def test_commands_that_were_logged_before_their_replies_are_matched_to_them() -> None:
    said = (
        "cmd: EHLO x",
        "cmd: MAIL FROM:<a@b.test> SIZE=77 BODY=8BITMIME",
        "cmd: RCPT TO:<one@b.test>",
        "cmd: RCPT TO:<two@b.test>",
        "cmd: RCPT TO:<three@b.test>",
        "rsp: 250-hello",
        "rsp: 250-SIZE 1000",
        "rsp: 250 HELP",
        "rsp: 250 OK",
        "rsp: 250 OK",
        "rsp: 550 no",
        "rsp: 250 OK",
        f"{log.ACCEPTED} 7.eml",
    )
    text = "\n".join(f"09:00:00 [192.0.2.1] [a1] {line}" for line in said)
    (message,) = log.accepted(log.lines(text, date(2026, 3, 2))).values()
    assert message.recipients == ("one@b.test", "three@b.test")
    assert (message.sender, message.size, message.user) == ("a@b.test", 77, None)


async def test_a_half_written_line_is_counted_once_it_is_whole(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "one")
    (day,) = mail.there.log.days.values()
    (index,) = [n for n, (_, line) in enumerate(day) if log.ACCEPTED in line]
    at, whole = day[index]
    for end in range(len(whole) - 40, len(whole) - 27):
        day[index:] = [(at, whole[:end])]
        if ".eml" not in whole[:end]:
            assert await polled(mail) == []
    day[index:] = [(at, whole)]
    assert [s.sender for s in await polled(mail)] == [ann]


async def test_a_log_cut_by_its_limit_is_read_by_hours(mail: SmarterMailHarness, ann: str) -> None:
    for number in range(12):
        await mail.submit(ann, [AWAY], f"number {number}")
        await mail.advance(timedelta(minutes=40))
    mail.there.build.most_of_log = 3000
    taken: list[Submission] = []
    for limit in (5, 1, 100, 100):
        taken += submitted(
            await mail.server.submissions(taken[-1].cursor if taken else None, limit)
        )
    assert [s.subject for s in taken] == [f"number {number}" for number in range(12)]
    await mail.submit(ann, [AWAY], "one more")
    mail.there.web.asked.clear()
    (last,) = submitted(await mail.server.submissions(taken[-1].cursor, 10))
    assert last.subject == "one more"
    assert mail.there.web.asked.count(LOG) < 8  # hours long past are not asked for again


async def test_a_cut_log_that_cannot_be_narrowed_is_told_and_nothing_lost(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "again", times=3)
    first = (await polled(mail))[0]
    mail.there.build.most_of_log = 150
    says = "cuts its answer short. Nothing was counted or lost"
    assert says in await told(mail.server.submissions(first.cursor, 10))
    mail.there.build.most_of_log = 10**9
    assert len(await polled(mail, first.cursor)) == 2


@pytest.mark.parametrize("hours", ["ignored", "an hour off", "empty"])
async def test_hours_that_are_not_heeded_are_found_out(
    mail: SmarterMailHarness, ann: str, hours: Literal["ignored", "an hour off", "empty"]
) -> None:
    for _ in range(4):
        await mail.submit(ann, [AWAY], "one an hour")
        await mail.advance(timedelta(hours=1))
    mail.there.build.most_of_log = 400
    mail.there.build.hours = hours
    assert "Nothing was counted or lost" in await told(mail.server.submissions(None, 10))
    mail.there.build.hours = "heeded"
    mail.there.build.most_of_log = 2000
    assert len(await polled(mail)) == 4


async def test_a_log_that_was_cut_by_hand_goes_on_where_it_can(
    mail: SmarterMailHarness, ann: str
) -> None:
    for number in range(4):
        await mail.submit(ann, [AWAY], f"number {number}")
    cursor = (await polled(mail))[2].cursor
    (day,) = mail.there.log.days.values()
    second = [n for n, (_, line) in enumerate(day) if "connected" in line][1]
    del day[:second]  # the oldest session is gone from the file
    assert [s.subject for s in await polled(mail, cursor)] == ["number 3"]
    day.clear()
    await mail.submit(ann, [AWAY], "in a new file")
    assert [s.subject for s in await polled(mail, cursor)] == ["in a new file"]


async def test_a_cursor_of_something_else_starts_anew(mail: SmarterMailHarness, ann: str) -> None:
    await mail.submit(ann, [AWAY], "one")
    for cursor in ("", "x", "2026-99-99/1/a", "2026-03-02/x/", "é" * 300):
        assert len(await polled(mail, cursor)) == 1


async def test_a_log_that_is_not_detailed_still_counts_and_check_tells(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.detailed_log = False
    await mail.submit(ann, [AWAY], "one")
    (submission,) = await polled(mail)
    assert (submission.sender, submission.subject, submission.recipients) == (ann, "one", 1)
    said = [probe.says for probe in await mail.server.probes() if not probe.ok]
    assert len(said) == 1
    assert "Detailed" in said[0]


async def test_a_day_without_a_log_is_an_empty_one(mail: SmarterMailHarness, ann: str) -> None:
    mail.there.faults.refused[LOG] = "LOG_FILE_NOT_FOUND"
    assert await polled(mail) == []
    mail.there.faults.refused[LOG] = "ACCESS_DENIED"
    await told(mail.server.submissions(None, 10))
    mail.there.faults.clear()
    mail.there.faults.missing = {LOG}
    await told(mail.server.submissions(None, 10))


async def _across(harness: SmarterMailHarness, moments: list[datetime]) -> list[Submission]:
    """Send one message at each moment, polling between; return all that was taken."""
    await harness.add_user(ANN)
    taken: list[Submission] = []
    client = await harness.logged_in(ANN)
    for number, moment in enumerate(moments):
        harness.clock.set(moment)
        await harness.submit(ANN, [AWAY], f"number {number}")
        for line in (f"MAIL FROM:<{ANN}>", f"RCPT TO:<{AWAY}>", "DATA"):
            await client.must(line)
        await client.must(f"Subject: kept {number}\r\n\r\nx\r\n.")
        await harness.connect()  # as after a restart
        taken += submitted(await harness.server.submissions(taken[-1].cursor if taken else None, 3))
    await client.close()
    await harness.advance(timedelta(minutes=1))
    while fresh := submitted(await harness.server.submissions(taken[-1].cursor, 3)):
        taken += fresh
    return taken


@pytest.mark.parametrize(
    ("zone", "moments"),
    [
        (
            "UTC",
            [datetime(2026, 3, 2, 23, 59, 58, tzinfo=UTC) + timedelta(seconds=n) for n in range(5)],
        ),
        (
            "Europe/Zurich",  # 02:00 to 03:00 comes twice
            [
                datetime(2026, 10, 25, 0, 10, tzinfo=UTC) + timedelta(minutes=25 * n)
                for n in range(6)
            ],
        ),
        (
            "Europe/Zurich",  # 02:00 to 03:00 is left out
            [
                datetime(2026, 3, 29, 0, 40, tzinfo=UTC) + timedelta(minutes=15 * n)
                for n in range(4)
            ],
        ),
        (
            "America/St_Johns",
            [datetime(2026, 6, 1, 2, 29, tzinfo=UTC) + timedelta(seconds=25 * n) for n in range(4)],
        ),
    ],
    ids=["midnight", "clocks go back", "clocks go forward", "odd offset at midnight"],
)
async def test_days_and_clock_changes_neither_lose_nor_repeat(
    tmp_path: Path, zone: str, moments: list[datetime]
) -> None:
    harness = SmarterMailHarness(tmp_path, zone=zone, at=moments[0])
    await harness.start()
    try:
        taken = await _across(harness, moments)
    finally:
        await harness.stop()
    expected = [
        (text, moment) for n, moment in enumerate(moments) for text in (f"number {n}", f"kept {n}")
    ]
    assert [(s.subject, s.at) for s in taken] == expected
    assert {(s.sender, s.authenticated) for s in taken} == {(ANN, True)}


async def test_a_session_of_the_day_before_is_known_in_the_spool_too(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.clock.set(datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC))
    client = await mail.logged_in(ann)
    for _ in range(3):
        await mail.advance(timedelta(minutes=1))
        for line in ("MAIL FROM:<forged@bank.test>", f"RCPT TO:<{AWAY}>", "DATA"):
            await client.must(line)
        await client.must("Subject: x\r\n\r\nx\r\n.")
    await client.close()
    first = (await mail.server.search(ALL, limit=1)).messages
    page = await mail.server.search(ALL)
    assert [message.sender for message in (*first, *page.messages)] == [ann] * 4
    await mail.connect()
    (submission,) = submitted(await mail.server.submissions(None, 1))
    page = await mail.server.search(ALL)
    assert [submission.sender, *(m.sender for m in page.messages)] == [ann] * 4


async def test_a_line_written_just_after_midnight_for_the_day_before_is_not_lost(
    mail: SmarterMailHarness, ann: str
) -> None:
    before = datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)
    for text in ("first", "late"):
        mail.clock.set(before)
        await mail.submit(ann, [AWAY], text)
    (day,) = mail.there.log.days.values()
    (first,) = [n for n, (_, line) in enumerate(day) if "connected" in line][1:]
    late, day[first:] = day[first:], []
    (taken,) = await polled(mail)
    await mail.advance(timedelta(seconds=3))
    await mail.submit(ann, [AWAY], "of the new day")
    assert await polled(mail, taken.cursor) == []
    day.extend(late)
    await mail.advance(timedelta(seconds=8))
    assert [s.subject for s in await polled(mail, taken.cursor)] == ["late", "of the new day"]


@settings(max_examples=50)
@given(st.lists(st.text(max_size=80), max_size=10))
def test_no_text_upsets_the_reading_of_the_log(texts: list[str]) -> None:
    text = "\n".join(texts)
    found = log.lines(text, date(2026, 3, 2))
    log.accepted(found)
    assert log.entries(found) == []


@given(
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs", "Zl", "Zp", "Cc"))),
    st.sampled_from(["cmd: ", "rsp: "]),
)
def test_nothing_said_on_the_wire_makes_an_accepted_message(said: str, who: str) -> None:
    text = f"[2026.03.02] 09:00:00.000 [192.0.2.1][123] {who}{said}"
    found = log.lines(text, date(2026, 3, 2))
    assert log.entries(found) == []
    assert log.accepted(found) == {}
