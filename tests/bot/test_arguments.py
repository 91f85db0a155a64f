"""What is typed after /spool: what is taken, what is refused, and that nothing breaks it."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.arguments import (
    Arguments,
    parse,
    read_address,
    read_folder,
    read_length,
    read_network,
    read_page,
    read_queue,
    read_text,
    read_yes,
)
from bot.commands import COMMANDS, Command
from services.errors import BadArgument
from services.mail.port import MAX_ADDRESS, Queue, SpoolQuery
from services.tables import Kind, Window
from services.targets import describe


def asked(command: str, text: str) -> Arguments:
    row = COMMANDS[command]
    return parse(text, row.takes, row.example)


def refused(command: str, text: str) -> str:
    with pytest.raises(BadArgument) as refusal:
        asked(command, text)
    return refusal.value.sentence


def parsed(row: Command, text: str) -> Arguments | str:
    """Return what was understood, or the sentence that refuses it; nothing else may come out."""
    try:
        return parse(text, row.takes, row.example)
    except BadArgument as refusal:
        return refusal.sentence


NET = ip_network

TAKEN: list[tuple[str, str, Arguments]] = [
    ("dashboard", "", Arguments()),
    ("dashboard", "on:backup", Arguments(server="backup")),
    ("search", "", Arguments()),
    (
        "search",
        'sender:Anna@Example.com to:bob@example.org ip:203.0.113.9 subject:"cheap pills" '
        "older:30m queue:deferred page:2 on:mail",
        Arguments(
            sender="anna@example.com",
            to="bob@example.org",
            ip=NET("203.0.113.9/32"),
            subject="cheap pills",
            older=timedelta(minutes=30),
            queue=Queue.DEFERRED,
            page=2,
            server="mail",
        ),
    ),
    ("search", "folder:Review", Arguments(folder="review")),
    ("search", "SENDER:a@b.example", Arguments(sender="a@b.example")),
    ("move", "sender:a@b.example folder:spam", Arguments(sender="a@b.example", folder="spam")),
    ("restore", "folder:deleted", Arguments(folder="deleted")),
    ("retry", "queue:deferred older:2h", Arguments(queue=Queue.DEFERRED, older=timedelta(hours=2))),
    ("delete", "queue:held permanent:yes", Arguments(queue=Queue.HELD, permanent=True)),
    ("delete", "queue:held permanent:NO", Arguments(queue=Queue.HELD)),
    ("disable", "anna@example.com", Arguments(account="anna@example.com")),
    (
        "disable",
        "receive:no account:anna@example.com",
        Arguments(account="anna@example.com", receive=False),
    ),
    ("enable", "anna@example.com on:mail", Arguments(account="anna@example.com", server="mail")),
    (
        "block",
        "203.0.113.0/24 for:7d",
        Arguments(ip=NET("203.0.113.0/24"), lasting=timedelta(days=7)),
    ),
    ("block", "203.0.113.9/24", Arguments(ip=NET("203.0.113.0/24"))),
    ("unblock", "ip:203.0.113.9", Arguments(ip=NET("203.0.113.9"))),
    ("why", "anna@example.com", Arguments(account="anna@example.com")),
    ("top", "", Arguments()),
    ("top", "24h", Arguments(window=Window.DAY)),
    ("top", "1D", Arguments(window=Window.DAY)),
    ("top", "IPs", Arguments(kind=Kind.IPS)),
    ("top", "5m ips", Arguments(window=Window.FIVE_MINUTES, kind=Kind.IPS)),
    ("top", "domains 5m", Arguments(window=Window.FIVE_MINUTES, kind=Kind.DOMAINS)),
    ("top", "of:domains 24h page:2", Arguments(window=Window.DAY, kind=Kind.DOMAINS, page=2)),
    ("top", "users last:1h", Arguments()),
    ("ip", "203.0.113.9", Arguments(ip=NET("203.0.113.9"))),
    ("ip", "2001:db8::/48", Arguments(ip=NET("2001:db8::/48"))),
    ("incidents", "", Arguments()),
    ("audit", "page:3", Arguments(page=3)),
    ("help", "search", Arguments(about="search")),
]


@pytest.mark.parametrize(("command", "text", "expected"), TAKEN)
def test_each_command_takes_its_arguments(command: str, text: str, expected: Arguments) -> None:
    assert asked(command, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        'subject:"cheap pills"',
        "subject:“cheap pills”",
        "subject:„cheap pills“",
        "subject:«cheap pills»",
        'subject:"cheap\u00a0pills"',
        'subject:"cheap pills',  # the closing quote forgotten
    ],
)
def test_quotes_of_every_keyboard_hold_words_together(text: str) -> None:
    assert asked("search", text) == Arguments(subject="cheap pills")


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("sender:<mailto:anna@example.com|anna@example.com>", "anna@example.com"),
        ("sender:<mailto:anna@example.com>", "anna@example.com"),
        ("sender:anna@<http://example.com|example.com>", "anna@example.com"),
        ("sender:anna@<https://example.com>", "anna@example.com"),
    ],
)
def test_an_address_that_slack_made_a_link_is_read_as_typed(text: str, sender: str) -> None:
    assert asked("search", text) == Arguments(sender=sender)


def test_what_slack_escaped_is_read_as_typed() -> None:
    assert asked("search", 'subject:"a &lt;b&gt; &amp;amp; c"').subject == "a <b> &amp; c"


@pytest.mark.parametrize(
    "address", ["2001:db8::1", "abcd::1", "fed:cafe::1", "::1", "fe80::1", "abcd:ef::/32"]
)
@pytest.mark.parametrize("name", ["", "ip:", "IP:"])
def test_an_ipv6_address_goes_with_and_without_its_name(address: str, name: str) -> None:
    assert asked("block", f"{name}{address} for:1h") == Arguments(
        ip=ip_network(address), lasting=timedelta(hours=1)
    )


@pytest.mark.parametrize(
    ("command", "text", "understood", "also"),
    [
        ("search", "sender:a@b.example sender:c@d.example", "sender: is there twice", ""),
        ("block", "203.0.113.9 ip:203.0.113.10", "ip: is there twice", ""),
        ("disable", "", "account: is missing", ""),
        ("block", "for:24h", "ip: is missing", ""),
        ("search", "hello", "“hello”", "this takes sender:, to:, ip:, subject:"),
        ("search", "sendr:a@b.example", "“sendr:a@b.example”", "sender:"),
        ("incidents", "all", "“all”", "this takes nothing"),
        ("disable", "recieve:no anna@example.com", "“recieve:no”", "account:, receive:, for:, on:"),
        ("disable", "sender:anna@example.com", "“sender:anna@example.com”", "account:"),
        ("disable", "anna@example.com bob@example.com", "“bob@example.com”", "account:"),
        ("help", "what:ever", "“what:ever”", "command:"),
        ("search", 'sender:"anna berg"', "“anna berg” as sender:", "that is no mail address"),
        ("search", 'sender:""', "“” as sender:", "that is no mail address"),
        ("search", "ip:203.0.113.300", "“203.0.113.300” as ip:", "that is no IP address"),
        ("block", "anna@example.com", "“anna@example.com” as ip:", "no IP address"),
        ("block", "ip:wrong::1::2", "“wrong::1::2” as ip:", "no IP address"),
        ("search", "older:soon", "“soon” as older:", "written like 30m, 24h or 7d"),
        ("search", "older:0m", "“0m” as older:", "no sensible length"),
        ("search", "older:999999d", "“999999d” as older:", "no sensible length"),
        ("search", "queue:outbox", "“outbox” as queue:", "active, deferred, held, quarantine"),
        ("search", "folder:../etc", "“../etc” as folder:", "letters, digits, - or _"),
        ("search", 'subject:"  "', "“  ” as subject:", "it is empty"),
        ("top", "2h", "“2h”", "this takes last:, of:, page:, on:"),
        ("top", "1h 24h", "“24h”", "this takes last:, of:, page:, on:"),
        ("top", "1h ips users", "“users”", "last:"),
        ("top", "last:2h", "“2h” as last:", "5m, 1h, 24h"),
        ("top", "of:messages", "“messages” as of:", "users, ips, domains"),
        ("top", "1h last:24h", "last: is there twice", ""),
        ("why", "", "account: is missing", ""),
        ("search", "page:0", "“0” as page:", "a page is a number from 1"),
        ("search", "page:two", "“two” as page:", "a page is a number from 1"),
        ("delete", "queue:held permanent:maybe", "“maybe” as permanent:", "it is yes or no"),
    ],
)
def test_a_refusal_says_what_was_understood_and_gives_an_example(
    command: str, text: str, understood: str, also: str
) -> None:
    sentence = refused(command, text)
    assert understood in sentence
    assert also in sentence
    assert sentence.endswith(f" Example: {COMMANDS[command].example}")
    assert "\n" not in sentence


def test_a_refusal_stays_short_however_much_was_typed() -> None:
    assert len(refused("search", "x" * 3000)) < 400
    assert len(refused("search", f"page:{'9' * 3000}")) < 400


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (read_address, "a" * (MAX_ADDRESS + 1)),
        (read_address, ""),
        (read_folder, "a" * 41),
        (read_folder, "review\n"),
        (read_folder, "-review"),
        (read_folder, ""),
        (read_page, "100001"),
        # The first digits alone are within the bounds.
        (read_page, "000000100000000000000000000000"),
        (read_page, "-1"),
        (read_page, "1e3"),
        (read_length, "1h\n"),
        (read_length, "-5m"),
        (read_length, "1"),
        (read_network, "203.0.113.9/33"),
        (read_queue, "HELD?"),
        (read_text, ""),
        (read_yes, ""),
    ],
)
def test_a_value_outside_the_bounds_is_refused(read: Callable[[str], Any], value: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(value)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("90sec", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("30min", timedelta(minutes=30)),
        ("1hour", timedelta(hours=1)),
        ("24 hours", timedelta(hours=24)),
        ("7D", timedelta(days=7)),
        ("1day", timedelta(days=1)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_lengths_of_time_are_read(text: str, length: timedelta) -> None:
    assert read_length(text) == length


TYPEABLE = [row for row in COMMANDS.values() if row.slash]
NAMES = sorted({argument.typed for row in TYPEABLE for argument in row.takes})
PIECES = st.one_of(
    st.sampled_from([f"{name}:" for name in NAMES]),
    st.sampled_from(
        ['"', "“", "«", " ", "\n", "::", "/", "<mailto:", "<http://", "|", ">", "&lt;"]
    ),
    st.sampled_from(["1", "9999999", "٣", "²", "1d", "yes", "held", "fe80::1%0", "10.0.0.0/8"]),
    st.text(st.characters(), max_size=12),
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(TYPEABLE), st.lists(PIECES, max_size=12).map("".join))
def test_whatever_is_typed_is_parsed_or_refused_with_a_sentence(row: Command, text: str) -> None:
    found = parsed(row, text)
    if isinstance(found, str):
        assert found.endswith(f"Example: {row.example}")
        return
    for argument in row.takes:
        assert not argument.required or getattr(found, argument.into) is not None
    # What goes on to the database, the log and the chat can be written there.
    assert 1 <= found.page <= 100_000
    for value in (found.account, found.sender, found.to, found.subject, found.about):
        (value or "").encode("utf-8")


# What a keyboard can put into a word of a slash command without Slack or the parser
# reading it as something else: no quotes, no link brackets, no escapes.
UNREADABLE = '"“”„«»<>&\u00a0'
LETTERS = st.characters(codec="utf-8", exclude_characters=UNREADABLE, exclude_categories=["Cc"])
WORDS = (
    st.text(LETTERS, min_size=1, max_size=20)
    .map(lambda text: "".join(text.split()).lower())
    .filter(lambda text: text and text == text.lower() and len(text) <= MAX_ADDRESS)
)
QUERIES = st.builds(
    SpoolQuery,
    sender=st.none() | WORDS,
    recipient=st.none() | WORDS,
    client_ip=st.none() | st.ip_addresses().map(ip_network) | st.just(ip_network("203.0.113.0/24")),
    subject=st.none() | st.text(LETTERS, min_size=1, max_size=200).filter(str.strip),
    queues=st.just(()) | st.sampled_from(Queue).map(lambda queue: (queue,)),
    folder=st.none() | st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True),
)


@settings(max_examples=300, deadline=None)
@given(QUERIES)
def test_a_query_as_it_is_described_can_be_typed_back(query: SpoolQuery) -> None:
    assume(query != SpoolQuery())
    found = asked("search", describe(query))
    assert query == SpoolQuery(
        sender=found.sender,
        recipient=found.to,
        client_ip=found.ip,
        subject=found.subject,
        queues=(found.queue,) if found.queue else (),
        folder=found.folder,
    )
