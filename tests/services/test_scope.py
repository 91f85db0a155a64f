"""Whose mail a role is about: nothing that is read or acted on goes past it."""

import json
import string
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit import AuditLog, Line, Phase
from services.errors import Refused
from services.mail.domains import domain_of
from services.mail.port import Queue, SpoolQuery
from services.people import Actor, Role
from services.scope import Scope, everyone, of_domains
from services.store import Store
from services.tables import Kind
from services.targets import Target
from services.traffic import failed_logins, users_of

from ..mail.harness import START
from .test_tables import HERE, asked, sent

_MINE = Scope(Role.OPERATOR, frozenset({"example.com"}))
_ANN, _EVE = "ann@example.com", "eve@example.org"
_DOMAINS = ("example.com", "evil-example.com", "sub.example.com", "com", "straße.de", "strasse.de")

_domains = st.sampled_from(_DOMAINS)
_senders = st.one_of(
    st.builds("{}@{}".format, st.text(string.ascii_letters + '.@ "', max_size=5), _domains),
    st.builds(str.upper, st.builds("x@{}".format, _domains)),
    st.text(max_size=20),
)
_scopes = st.builds(
    Scope,
    st.just(Role.OPERATOR),
    st.frozensets(_domains.map(lambda domain: domain_of(f"x@{domain}"))),
)
_queries = st.builds(
    SpoolQuery,
    sender=st.none() | _senders,
    subject=st.none() | st.text(max_size=5),
    queues=st.sampled_from([(), (Queue.DEFERRED,)]),
    sender_domains=st.lists(_domains, max_size=3).map(tuple),
)


def _finds(query: SpoolQuery, sender: str) -> bool:
    """Tell whether a mail server finds what somebody sent, as the port says."""
    return (query.sender is None or query.sender.casefold() == sender.casefold()) and (
        not query.sender_domains
        or domain_of(sender) in [domain_of(f"x@{domain}") for domain in query.sender_domains]
    )


@given(_scopes, _queries, st.lists(_senders, max_size=30))
def test_whatever_is_asked_nobody_out_of_scope_is_found(
    scope: Scope, query: SpoolQuery, senders: list[str]
) -> None:
    try:
        narrow = scope.query(query)
    except Refused:
        return
    for sender in senders:
        if _finds(narrow, sender):
            assert scope.holds(sender)
            assert domain_of(sender) in (scope.domains or ())
            assert _finds(query, sender)
    # What was narrowed once is not refused when the form is confirmed, and stays as it is.
    assert scope.query(narrow) == narrow


@given(_scopes, _senders)
def test_an_account_is_refused_exactly_where_its_domain_is_not_among_them(
    scope: Scope, sender: str
) -> None:
    mine = {domain_of(sender), domain_of(sender.casefold())} <= set(scope.domains or ())
    if mine:
        assert scope.limited(Target(account=sender), "stop") == Target(account=sender)
    else:
        with pytest.raises(Refused):
            scope.limited(Target(account=sender), "stop")


@given(_scopes, _senders)
def test_an_audit_entry_is_shown_only_where_it_is_about_them(scope: Scope, sender: str) -> None:
    account = Target(account=sender)
    if scope.holds_entry(account.subject, json.dumps(of_domains(account))):
        assert scope.holds(sender)
    query = Target(query=SpoolQuery(sender=sender))
    shown = scope.holds_entry(query.subject, json.dumps(of_domains(query)))
    assert shown == (bool(sender) and scope.holds(sender))


@pytest.mark.parametrize(
    "target",
    [
        Target(account=_EVE),
        Target(query=SpoolQuery(sender=_EVE)),
        Target(query=SpoolQuery(sender="root")),
        Target(query=SpoolQuery(), queue_ids=("A1",)),
        Target(query=SpoolQuery(sender_domains=("example.org",))),
        Target(query=SpoolQuery(sender_domains=("example.com", "example.org")), queue_ids=("A",)),
        Target(account=_ANN, networks=(ip_network("203.0.113.9"),)),
        Target(networks=(ip_network("203.0.113.9"),)),
        Target(),
    ],
)
def test_what_concerns_others_is_refused_with_the_rule(target: Target) -> None:
    with pytest.raises(Refused, match=r"operator is for senders of example\.com only") as refused:
        _MINE.limited(target, "use “delete”")
    assert refused.value.sentence.startswith("You may not use “delete”")
    # Whoever's role is not limited may.
    assert everyone(Role.OPERATOR).limited(target, "use “delete”") == target


def test_who_has_a_role_for_nobody_may_nothing() -> None:
    nobody = Scope(Role.OPERATOR)
    assert not nobody.everything
    for target in (Target(), Target(account=_ANN), Target(query=SpoolQuery())):
        with pytest.raises(Refused, match="for senders of no domain only"):
            nobody.limited(target, "look")


def test_many_domains_are_named_in_few_words() -> None:
    many = Scope(Role.VIEWER, frozenset(f"d{n}.test" for n in range(9)))
    assert "d4.test and 4 more: your role" in many.note
    assert everyone(Role.VIEWER).note == ""


@pytest.mark.parametrize(
    "detail", ["", "not json", "[]", "null", '{"domains": []}', '{"domains": ["example.org"]}',
               '{"domains": ["example.com", "example.org"]}', '{"domains": [""]}'],
)  # fmt: skip
def test_an_entry_that_does_not_tell_whom_it_is_about_is_not_shown(detail: str) -> None:
    assert not _MINE.holds_entry('sender:x subject:"@example.com', detail)
    assert everyone(Role.VIEWER).holds_entry("", detail)


async def test_the_log_is_turned_page_by_page_past_the_entries_of_others(
    audit: AuditLog,
) -> None:
    actor = Actor("slack", "U1", "Ann")
    for number in range(30):
        account = f"u{number}@{'example.com' if number % 3 == 0 else 'example.org'}"
        await audit.write(Line(Phase.READ, "preview", actor, "mail", account))
    await audit.write(Line(Phase.REFUSED, "dashboard", actor, "mail"))
    pages = [await audit.newest_of(_MINE, 4, offset=offset) for offset in (0, 4, 8, 12)]
    assert [[entry.subject.partition("@")[0] for entry in page] for page in pages] == [
        ["u27", "u24", "u21", "u18"],
        ["u15", "u12", "u9", "u6"],
        ["u3", "u0"],
        [],
    ]
    assert len(await audit.newest_of(everyone(Role.VIEWER), 50)) == 31
    assert await audit.newest_of(Scope(Role.VIEWER), 50) == []


async def test_no_table_counts_anybody_out_of_scope(store: Store) -> None:
    senders = [f"x@{domain}" for domain in _DOMAINS]
    senders += ["X@EXAMPLE.COM", "root", "x@", "@example.com", "example.com@evil.test", "x@y@com"]
    for sender in senders:
        await sent(store, sender, 1, failures=1)
    network = ip_network(HERE)
    for number in range(1 << len(_DOMAINS)):
        chosen = [domain for bit, domain in enumerate(_DOMAINS) if number >> bit & 1]
        scope = Scope(Role.VIEWER, frozenset(domain_of(f"x@{domain}") for domain in chosen))
        theirs = {sender for sender in senders if scope.holds(sender)}
        users = await asked(store, limit=100, domains=scope.domains)
        assert {rank.name for rank in users.ranks} == theirs
        assert (users.names, users.messages) == (len(theirs), len(theirs))
        ips = await asked(store, Kind.IPS, domains=scope.domains)
        assert sum(rank.messages for rank in ips.ranks) == len(theirs)
        async with store.reading() as session:
            since = START - timedelta(days=1)
            uses = await users_of(session, "mail", network, since, domains=scope.domains)
            failed = await failed_logins(session, "mail", network, since, domains=scope.domains)
        assert {use.name for use in uses} == theirs
        assert failed == len(theirs)
