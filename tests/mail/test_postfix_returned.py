"""What a content filter gives back, and what is requeued, read from a log of any order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mail.port import News

from .test_postfix_log import Reader, reader

__all__ = ["reader"]
STAMP = "2026-03-02T09:00:00.5+00:00 mx postfix"
LOGIN = "client=unknown[198.51.100.7], sasl_method=PLAIN, sasl_username=ann"
LOCAL = "client=localhost[127.0.0.1]"
PROGRAM = "uid=110 from=<f@b.test>"


def begun(queue_id: str, client: str, message_id: str = "<one@laptop.test>") -> bytes:
    who = "pickup" if client.startswith("uid=") else "smtpd"
    return (
        f"{STAMP}/{who}[7]: {queue_id}: {client}\n"
        f"{STAMP}/cleanup[8]: {queue_id}: message-id={message_id}\n"
    ).encode()


def queued(queue_id: str, recipients: int = 1) -> bytes:
    line = f"{queue_id}: from=<f@b.test>, size=500, nrcpt={recipients} (queue active)"
    return f"{STAMP}/qmgr[9]: {line}\n".encode()


def bounced(queue_id: str) -> bytes:
    line = f"{queue_id}: to=<x@y.test>, relay=mx.y.test[192.0.2.1]:25, delay=1, delays=1/0/0/0"
    return f"{STAMP}/smtp[9]: {line}, dsn=5.1.1, status=bounced (no)\n".encode()


def senders(reader: Reader) -> list[str]:
    return [one.sender for one in reader.read()]


@pytest.mark.parametrize("back", [LOCAL, PROGRAM, "client=localhost[::1]"])
def test_what_comes_back_is_its_first_senders_and_is_no_news_of_its_own(
    reader: Reader, back: str
) -> None:
    reader.write(begun("AAAAAA1", LOGIN) + queued("AAAAAA1"))
    reader.write(begun("BBBBBB1", back) + queued("BBBBBB1"))
    assert senders(reader) == ["ann"]
    assert reader.recall(["BBBBBB1"])["BBBBBB1"].user == "ann"
    reader.write(bounced("BBBBBB1"))
    (news,) = reader.records()
    assert isinstance(news, News)
    assert (news.account, news.message) == ("ann", "AAAAAA1")


def test_a_message_that_a_restart_finds_with_the_filter_counts_once(reader: Reader) -> None:
    reader.write(begun("AAAAAA1", LOGIN) + queued("AAAAAA1"))
    assert senders(reader) == ["ann"]
    reader.restart()
    reader.write(begun("BBBBBB1", LOCAL))
    assert senders(reader) == []
    reader.rename()
    reader.restart()
    reader.write(queued("BBBBBB1"))
    reader.write(begun("CCCCCC1", LOGIN, "<two@laptop.test>") + queued("CCCCCC1"))
    assert senders(reader) == ["ann"]
    reader.restart()
    assert senders(reader) == []


def test_a_filter_may_give_it_back_in_parts_and_no_more_than_it_got(reader: Reader) -> None:
    reader.write(begun("AAAAAA1", LOGIN) + queued("AAAAAA1", 3))
    for part, recipients in (("BBBBBB1", 1), ("BBBBBB2", 2), ("BBBBBB3", 1)):
        reader.write(begun(part, LOCAL) + queued(part, recipients))
    assert [one.message for one in reader.read()] == ["AAAAAA1", "BBBBBB3"]


@pytest.mark.parametrize(
    "client",
    [LOGIN.replace("ann", "bob"), LOGIN.replace("unknown[198.51.100.7]", "localhost[127.0.0.1]"),
     "client=mx.c.test[203.0.113.9]"],
)  # fmt: skip
def test_a_message_id_alone_hides_nobodys_mail(reader: Reader, client: str) -> None:
    reader.write(begun("AAAAAA1", LOGIN) + queued("AAAAAA1"))
    reader.write(begun("BBBBBB1", client) + queued("BBBBBB1"))
    assert [one.message for one in reader.read()] == ["AAAAAA1", "BBBBBB1"]


def test_mail_without_a_message_id_is_never_taken_for_another(reader: Reader) -> None:
    reader.write(begun("AAAAAA1", LOGIN, "<>") + queued("AAAAAA1"))
    reader.write(begun("BBBBBB1", LOCAL, "<>") + queued("BBBBBB1"))
    assert [one.message for one in reader.read()] == ["AAAAAA1", "BBBBBB1"]


def test_a_requeued_message_goes_through_the_filter_once_more(reader: Reader) -> None:
    requeued = "uid=107 from=<f@b.test> orig_id="
    reader.write(begun("AAAAAA1", LOGIN) + queued("AAAAAA1"))
    reader.write(begun("BBBBBB1", LOCAL) + queued("BBBBBB1"))
    reader.write(begun("CCCCCC1", f"{requeued}BBBBBB1") + queued("CCCCCC1"))
    reader.write(begun("DDDDDD1", LOCAL) + queued("DDDDDD1"))
    assert [one.message for one in reader.read()] == ["AAAAAA1"]
    seen = reader.recall(["BBBBBB1", "CCCCCC1", "DDDDDD1"])
    assert [one.user for one in seen.values()] == ["ann"] * 3
    reader.write(begun("EEEEEE1", "uid=33 from=<x> orig_id=AAAAAA1>") + queued("EEEEEE1"))
    assert [one.message for one in reader.read()] == ["EEEEEE1"]  # a sender's own words


def test_a_short_id_used_again_is_another_message_with_an_end_of_its_own(reader: Reader) -> None:
    for name in ("<one@x>", "<two@x>"):
        reader.write(begun("AAAAAA1", LOGIN, name) + queued("AAAAAA1") + bounced("AAAAAA1"))
        told = [type(record).__name__ for record in reader.records()]
        assert told == ["Submission", "News"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from((LOGIN, LOCAL)))),
    st.integers(1, 4),
)
def test_about_no_more_recipients_go_uncounted_than_are_counted(
    tmp_path_factory: pytest.TempPathFactory, mail: list[tuple[int, int, str]], limit: int
) -> None:
    reader = Reader(tmp_path_factory.mktemp("log"))
    for number, (name, recipients, client) in enumerate(mail):
        queue_id = f"AAAAAA{number}"
        reader.write(begun(queue_id, client, f"<{name}@x>") + queued(queue_id, recipients))
    counted = []
    while page := reader.read(limit):
        counted += page
        reader.restart()
    logins = sum(client == LOGIN for _, _, client in mail)
    assert sum(one.authenticated for one in counted) == logins
    assert len({one.message for one in counted}) == len(counted)
    uncounted = sum(recipients for _, recipients, _ in mail)
    uncounted -= sum(one.recipients for one in counted)
    # The last one that is taken for given back may have more recipients than were left.
    assert uncounted <= sum(one.recipients + 2 for one in counted)
