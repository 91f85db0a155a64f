"""Submissions from Postfix's log: each once, through rotations, restarts and cut lines."""

import bz2
import gzip
import lzma
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clock import SystemClock
from services.errors import ServerDown
from services.mail.port import REJECTED, Block, News, Record, Submission, submitted
from services.mail.postfix.blockfile import action
from services.mail.postfix.lines import Intake, LineParser, Queued, Subject
from services.mail.postfix.log import SubmissionLog
from services.mail.postfix.logfiles import LogFiles
from services.mail.postfix.rejects import Rejects
from services.mail.postfix.state import Seen

WRITTEN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def message(number: int, *, name: str = "postfix", user: str = "ann@example.test") -> bytes:
    """The lines of one message that is accepted and tried twice."""
    id_, stamp = f"4fPq{number:06d}zAB", f"2026-03-02T09:00:{number % 60:02d}.5+00:00 mx {name}"
    return (
        f"{stamp}/smtpd[7]: {id_}: client=unknown[198.51.100.7], sasl_method=PLAIN, "
        f"sasl_username={user}\n"
        f"{stamp}/cleanup[8]: {id_}: info: header Subject: mail {number} from "
        f"unknown[198.51.100.7]; from=<f@b.test> to=<x@y.test> proto=ESMTP helo=<h>\n"
        f"{stamp}/qmgr[9]: {id_}: from=<f@b.test>, size=500, nrcpt=2 (queue active)\n"
        f"{stamp}/smtp[9]: {id_}: to=<x@y.test>, relay=none, status=deferred (no)\n"
        f"{stamp}/qmgr[9]: {id_}: from=<f@b.test>, size=500, nrcpt=2 (queue active)\n"
    ).encode()


class Reader:
    """A log in a folder, its reader, and the cursor its caller keeps."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mail.log"
        self.path.touch()
        self.cursor: str | None = None
        self.seen: list[Seen] = []
        self.restart()

    def restart(self) -> None:
        self.log = SubmissionLog(
            "mx",
            self.path,
            LineParser("postfix", UTC),
            SystemClock(),
            timedelta(days=100_000),
            self.seen.extend,
            self.recall,
        )

    def recall(self, queue_ids: Sequence[str]) -> dict[str, Seen]:
        return {one.queue_id: one for one in self.seen if one.queue_id in queue_ids}

    def write(self, content: bytes) -> None:
        with self.path.open("ab") as stream:
            stream.write(content)

    def records(self, limit: int = 100) -> list[Record]:
        page = self.log.after(self.cursor, limit)
        self.cursor = page[-1].cursor if page else self.cursor
        return page

    def read(self, limit: int = 100) -> list[Submission]:
        return submitted(self.records(limit))

    def subjects(self, limit: int = 100) -> list[str]:
        return [submission.subject for submission in self.read(limit)]

    def rename(self) -> None:
        """Rotate as logrotate's ``create`` does."""
        self._make_room()
        self.path.rename(self.path.with_name("mail.log.1"))
        self.path.touch()

    def copy_and_truncate(self) -> None:
        """Rotate as logrotate's ``copytruncate`` does."""
        self._make_room()
        shutil.copy(self.path, self.path.with_name("mail.log.1"))
        os.truncate(self.path, 0)

    def _make_room(self) -> None:
        for path in sorted(self.path.parent.glob("mail.log.*"), key=_number, reverse=True):
            path.rename(path.with_name(f"mail.log.{_number(path) + 1}"))


def _number(path: Path) -> int:
    return int(path.suffix[1:])


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def mails(*numbers: int) -> list[str]:
    return [f"mail {number}" for number in numbers]


def test_each_message_counts_once_however_often_it_is_tried(reader: Reader) -> None:
    reader.write(message(1) + message(2))
    first, second = reader.read()
    assert (first.sender, first.authenticated, first.client_ip) == (
        "ann@example.test",
        True,
        "198.51.100.7",
    )
    assert (first.recipients, first.size, first.subject) == (2, 500, "mail 1")
    assert first.at == datetime(2026, 3, 2, 9, 0, 1, 500_000, tzinfo=UTC)
    assert second.subject == "mail 2"
    assert reader.read() == []
    assert [(seen.user, seen.subject) for seen in reader.seen] == [
        ("ann@example.test", "mail 1"),
        ("ann@example.test", "mail 2"),
    ]


def test_what_was_held_as_it_came_in_counts_as_of_then_once_it_is_released(
    reader: Reader,
) -> None:
    held = message(1).splitlines(keepends=True)
    reader.write(b"".join(held[:2]))
    assert reader.read() == []
    released = b"".join(held[2:]).replace(b"2026-03-02T09:00:01", b"2026-03-02T19:30:01")
    reader.write(message(2) + released)
    found = {submission.subject: submission.at for submission in reader.read()}
    assert found == {
        "mail 1": datetime(2026, 3, 2, 9, 0, 1, 500_000, tzinfo=UTC),
        "mail 2": datetime(2026, 3, 2, 9, 0, 2, 500_000, tzinfo=UTC),
    }


def test_pages_and_restarts_neither_lose_nor_repeat(reader: Reader) -> None:
    reader.write(b"".join(message(number) for number in range(7)))
    found: list[str] = []
    for _ in range(8):
        found += reader.subjects(limit=1)
        reader.restart()
    assert found == mails(*range(7))


def test_a_half_written_line_waits_for_its_other_half(reader: Reader) -> None:
    whole = message(1)
    found: list[str] = []
    for at in range(0, len(whole), 7):
        reader.write(whole[at : at + 7])
        found += reader.subjects()
    assert found == mails(1)


def test_messages_that_overlap_at_a_restart_are_all_told(reader: Reader) -> None:
    one, two = message(1).splitlines(True), message(2).splitlines(True)
    reader.write(b"".join(one[:2] + two))  # 1 begins, 2 comes and is accepted
    assert reader.subjects() == mails(2)
    reader.restart()
    reader.write(b"".join(one[2:]))
    assert reader.subjects() == mails(1)


def test_a_message_that_overlaps_a_rotation_and_a_restart_is_told(reader: Reader) -> None:
    one, two = message(1).splitlines(True), message(2).splitlines(True)
    reader.write(b"".join(one[:2] + two))
    assert reader.subjects() == mails(2)
    reader.rename()
    reader.restart()
    reader.write(b"".join(one[2:]) + message(3))
    assert reader.subjects() == mails(1, 3)
    reader.restart()
    assert reader.subjects() == []


@pytest.mark.parametrize("restarted", [False, True])
def test_a_renamed_log_is_read_to_its_end_first(reader: Reader, restarted: bool) -> None:
    reader.write(message(1))
    assert reader.subjects() == mails(1)
    reader.rename()
    # The writer has the old file open until it is told to turn to the new one.
    with reader.path.with_name("mail.log.1").open("ab") as old:
        old.write(message(2))
    if restarted:
        reader.restart()
    assert reader.subjects() == mails(2)
    with reader.path.with_name("mail.log.1").open("ab") as old:
        old.write(message(3))
    reader.write(message(4))
    assert reader.subjects() == mails(3, 4)
    assert reader.subjects() == []


@pytest.mark.parametrize("restarted", [False, True])
def test_a_copied_and_truncated_log_is_read_to_its_end_first(
    reader: Reader, restarted: bool
) -> None:
    reader.write(message(1) + message(2))
    assert reader.subjects(limit=1) == mails(1)
    reader.write(message(3))
    reader.copy_and_truncate()
    reader.write(message(4))
    if restarted:
        reader.restart()
    assert reader.subjects() == mails(2, 3, 4)
    assert reader.subjects() == []


def test_a_truncated_log_that_grew_past_the_old_place_is_another_log(reader: Reader) -> None:
    reader.write(message(1))
    assert reader.subjects() == mails(1)
    reader.copy_and_truncate()
    reader.write(b"".join(message(number) for number in range(2, 20)))
    reader.restart()
    assert reader.subjects() == mails(*range(2, 20))


def test_several_rotations_between_two_readings_are_followed(reader: Reader) -> None:
    reader.write(message(1))
    assert reader.subjects() == mails(1)
    for number in (2, 3, 4):
        reader.write(message(number))
        reader.rename()
    reader.write(message(5))
    reader.restart()
    assert reader.subjects() == mails(2, 3, 4, 5)


@pytest.mark.parametrize("plain_left", [False, True])
@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_a_compressed_log_is_read_like_any_other(
    reader: Reader, suffix: str, pack: Callable[[bytes], bytes], plain_left: bool
) -> None:
    reader.write(message(1) + message(2))
    assert reader.subjects(limit=1) == mails(1)
    reader.rename()
    old = reader.path.with_name("mail.log.1")
    Path(f"{old}{suffix}").write_bytes(pack(old.read_bytes()))
    os.utime(f"{old}{suffix}", ns=(old.stat().st_atime_ns, old.stat().st_mtime_ns))
    if not plain_left:
        old.unlink()
    reader.write(message(3))
    reader.restart()
    assert reader.subjects() == mails(2, 3)


@pytest.mark.parametrize("name", ["mail.log.2.gz", "mail.log.2.xz", "mail.log.2.bz2"])
def test_a_damaged_log_beside_it_hides_no_other(reader: Reader, name: str) -> None:
    reader.path.with_name(name).write_bytes(b"no such thing")
    reader.write(message(1))
    assert reader.subjects() == mails(1)
    reader.restart()
    reader.write(message(2))
    assert reader.subjects() == mails(2)


def test_a_log_that_was_deleted_is_not_counted_again_from_elsewhere(reader: Reader) -> None:
    reader.write(message(1) + message(2))
    assert reader.subjects() == mails(1, 2)
    reader.path.unlink()
    reader.write(message(0) + message(3))  # 0 was before the last one that was told
    assert reader.subjects() == mails(3)
    assert reader.subjects() == []


def test_none_begins_with_the_oldest_log_that_is_kept(reader: Reader) -> None:
    reader.write(message(1))
    reader.rename()
    reader.write(message(2))
    assert reader.subjects() == mails(1, 2)


def test_a_log_that_is_not_there_is_told_and_loses_nothing(reader: Reader) -> None:
    reader.write(message(1))
    assert reader.subjects() == mails(1)
    hidden = reader.path.rename(reader.path.with_name("elsewhere"))
    with pytest.raises(ServerDown, match="could not be read"):
        reader.read()
    hidden.rename(reader.path)
    reader.write(message(2))
    assert reader.subjects() == mails(2)


def test_a_cursor_that_is_none_of_ours_begins_anew(reader: Reader) -> None:
    reader.write(message(1))
    for cursor in ("", "x", "~~", "1.2.3~4~5", "ff.10.0123456789abcdef.5~x~1"):
        assert len(reader.log.after(cursor, 10)) == 1


def test_other_instances_and_programs_are_not_counted(reader: Reader) -> None:
    reader.write(
        message(1, name="postfix-out")
        + message(2, name="notpostfix")
        + message(3, name="postfix/submission")
        + message(4)
    )
    assert reader.subjects() == mails(3, 4)


def test_mail_that_was_not_submitted_is_not_counted(reader: Reader) -> None:
    stamp = b"2026-03-02T09:00:00+00:00 mx postfix"
    reader.write(
        # A bounce, and what a content filter hands back.
        stamp + b"/qmgr[1]: 4fPq111111zAB: from=<>, size=9, nrcpt=1 (queue active)\n"
        + stamp + b"/smtpd[1]: 4fPq222222zAB: client=localhost[127.0.0.1], "
        b"orig_queue_id=4fPq333333zAB, orig_client=unknown[198.51.100.7]\n"
        + stamp + b"/qmgr[1]: 4fPq222222zAB: from=<a@b.test>, size=9, nrcpt=1 (queue active)\n"
        # A message of a program on this machine.
        + stamp + b"/pickup[1]: 4fPq444444zAB: uid=33 from=<www-data>\n"
        + stamp + b"/qmgr[1]: 4fPq444444zAB: from=<www-data@mx>, size=9, nrcpt=1 (queue active)\n"
    )  # fmt: skip
    (local,) = reader.read()
    assert (local.sender, local.authenticated, local.client_ip) == ("www-data@mx", False, None)


def test_a_login_without_a_domain_and_odd_bytes_are_ordinary(reader: Reader) -> None:
    lines = message(1, user="backup").replace(b"from=<f@b.test>", b"from=<\xff\xfe@b.test>")
    reader.write(lines)
    (submission,) = reader.read()
    assert submission.sender == "backup"


def _events(parser: LineParser, lines: bytes, written: datetime = WRITTEN) -> Sequence[object]:
    return [event for _, _, event in parser.events(lines, written)]


@pytest.mark.parametrize(
    ("stamp", "zone", "expected"),
    [
        ("Mar  2 09:00:00", "UTC", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("Mar 02 09:00:00", "Europe/Berlin", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("Dec 31 23:59:59", "UTC", datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Feb 29 01:02:03", "UTC", datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)),
        ("2026-03-02T10:00:00.25+01:00", "UTC", datetime(2026, 3, 2, 9, 0, 0, 250_000, UTC)),
        ("2026-03-02T09:00:00Z", "UTC", datetime(2026, 3, 2, 9, tzinfo=UTC)),
    ],
)
def test_both_kinds_of_stamps_are_read(stamp: str, zone: str, expected: datetime) -> None:
    line = f"{stamp} mx postfix/qmgr[1]: 4fPq111111zAB: from=<a@b>, size=1, nrcpt=1 (queue active)"
    (event,) = _events(LineParser("postfix", ZoneInfo(zone)), f"{line}\n".encode())
    assert isinstance(event, Queued)
    assert event.at == expected


@pytest.mark.parametrize("stamp", ["Foo 99 99:99:99", "2026-99-99T00:00:00Z", "Feb 31 00:00:00"])
def test_a_stamp_that_is_none_is_no_event(stamp: str) -> None:
    line = f"{stamp} mx postfix/qmgr[1]: 4fPq111111zAB: from=<a@b>, size=1, nrcpt=1 (queue active)"
    assert _events(LineParser("postfix", UTC), f"{line}\n".encode()) == []


def test_a_sender_cannot_write_events_into_the_log() -> None:
    parser = LineParser("postfix", UTC)
    stamp = b"2026-03-02T09:00:00Z mx postfix"
    forged = b"x>, size=1, nrcpt=1 (queue active) " + stamp + b"/qmgr[1]: 4fPq999999zAB: from=<y"
    events = _events(
        parser,
        stamp + b"/qmgr[1]: 4fPq111111zAB: from=<" + forged + b">, size=7, nrcpt=2 (queue active)\n"
        + stamp + b"/cleanup[1]: 4fPq111111zAB: info: header Subject: " + forged
        + b" from u[192.0.2.1]; from=<> to=<b@c> proto=ESMTP helo=<from u[192.0.2.1];>\n",
    )  # fmt: skip
    assert [event.queue_id for event in events if isinstance(event, Queued | Subject)] == [
        "4fPq111111zAB"
    ] * 2
    assert isinstance(events[0], Queued)
    assert (events[0].size, events[0].recipients) == (7, 2)
    assert isinstance(events[1], Subject)
    assert events[1].text(b"u[192.0.2.1]").endswith("from=<y")


def test_clients_behind_ports_proxies_and_mapped_addresses_are_told() -> None:
    lines = b"".join(
        b"2026-03-02T09:00:00Z mx postfix/smtpd[1]: 4fPq111111zAB: client=" + client + b"\n"
        for client in (
            b"host.test[198.51.100.7]:40000, sasl_method=LOGIN, sasl_username=ann",
            b"unknown[IPv6:2001:db8::5]",
            b"unknown[::ffff:198.51.100.7]",
            b"localhost[127.0.0.1], orig_client=unknown[203.0.113.9]",
            b"unknown[unknown]",
        )
    )
    found = [e.ip for e in _events(LineParser("postfix", UTC), lines) if isinstance(e, Intake)]
    assert found == ["198.51.100.7", "2001:db8::5", "198.51.100.7", "203.0.113.9", None]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(rest: bytes) -> None:
    stamp = b"Mar  2 09:00:00 mx postfix/smtpd[1]: 4fPq111111zAB: "
    for kind in (b"", b"client=", b"from=<", b"uid=", b"info: header Subject: "):
        events = _events(LineParser("postfix", UTC), stamp + kind + rest + b"\n")
        assert len(events) <= 1 + rest.count(b"\n")


STEPS = ["write", "begin", "finish", "read", "restart", "rename", "copy"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=25))
def test_whatever_happens_each_message_is_told_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    reader = Reader(tmp_path_factory.mktemp("log"))
    accepted: list[int] = []
    begun: list[int] = []
    numbers = iter(range(100))
    found: list[str] = []
    for step in steps:
        if step == "write":
            accepted.append(next(numbers))
            reader.write(message(accepted[-1]))
        elif step == "begin":
            begun.append(next(numbers))
            reader.write(b"".join(message(begun[-1]).splitlines(True)[:2]))
        elif step == "finish" and begun:
            accepted.append(begun.pop(0))
            reader.write(b"".join(message(accepted[-1]).splitlines(True)[2:]))
        elif step == "read":
            found += reader.subjects(limit=2)
        elif step == "restart":
            reader.restart()
        elif reader.path.stat().st_size:  # logrotate leaves an empty log alone
            if step == "rename":
                reader.rename()
            elif step == "copy":
                reader.copy_and_truncate()
    while page := reader.subjects():
        found += page
    assert found == mails(*accepted)


def test_what_syslog_writes_once_and_says_how_often_counts_as_often(reader: Reader) -> None:
    failed = b"warning: unknown[192.0.2.9]: SASL LOGIN authentication failed: no, sasl_username=ann"
    stamp = b"Mar  2 09:00:00 mx postfix/smtpd[1]: "
    reader.write(stamp + failed + b"\n" + stamp + b"message repeated 3 times: [ " + failed + b"]\n")
    told = [(n.account, n.login_failures) for n in reader.records() if isinstance(n, News)]
    assert told == [("ann", 1), ("ann", 3)]


def test_an_outcome_is_read_where_the_line_tells_of_tls_too(reader: Reader) -> None:
    reader.write(message(1))
    (submission,) = reader.read()
    reader.write(
        b"2026-03-02T09:00:02+00:00 mx postfix/smtp[9]: " + submission.message.encode()
        + b": to=<x@y.test>, relay=mx.y.test[192.0.2.1]:25, delay=1, delays=1/0/0/0, "
        b"tls=dane/sts:none, dsn=5.1.1, status=bounced (no)\n"
    )  # fmt: skip
    (news,) = reader.records()
    assert isinstance(news, News)
    assert news.outcome == REJECTED


def test_refusals_that_syslog_writes_once_count_as_often_as_it_says(reader: Reader) -> None:
    client = b"NOQUEUE: reject: CONNECT from unknown[192.0.2.9]: 554 5.7.1 <unknown[192.0.2.9]>: "
    client += b"Client host rejected: " + action().removeprefix("554 5.7.1 ").encode()
    stamp = b"2026-03-02T09:00:00+00:00 mx postfix/smtpd[1]: "
    reader.write(stamp + client + b"; proto=SMTP\n")
    reader.write(stamp + b"message repeated 4 times: [ " + client + b"; proto=SMTP]\n")
    rejects = Rejects("mx", LogFiles(reader.path), LineParser("postfix", UTC))
    network = ip_network("192.0.2.0/24")
    block = Block(network, "spam", datetime(2026, 3, 1, tzinfo=UTC))
    assert rejects.count([block]) == {network: 5}
