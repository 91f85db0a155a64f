"""SmarterMail over its REST API: bad answers, tokens, version differences, and its log."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.demo.sender import SmtpRefused
from services.clock import SystemClock
from services.errors import BadArgument, ConfigError, NotCapable, ServerDown
from services.mail.port import Block, Fate, Queue, SpoolQuery, Submission, UserState
from services.mail.smartermail import (
    CAPABILITIES,
    SmarterMailConfig,
    SmarterMailServer,
    log,
)
from services.mail.smartermail.blocks import UNKNOWN_SINCE
from services.mail.smartermail.ways import Refusal

from .harness import ANN, BOB, PASSWORD, START
from .smartermail_harness import SmarterMailHarness
from .smartermail_server import PASSWORD as ADMIN_PASSWORD
from .smartermail_server import Account, Faults

_TLS = Path(__file__).parent / "tls"
_CERTIFICATE = (_TLS / "certificate.pem", _TLS / "key.pem")
_ALL = SpoolQuery()
_AWAY = "x@elsewhere.test"
_SYS = "settings/sysadmin"
_LOGIN = "auth/authenticate-user"
_COUNTS = f"{_SYS}/spool-message-counts"
_LIST = f"{_SYS}/spool-messages"
_LOG = f"{_SYS}/log-files"
_POST_USER = "settings/domain/post-user"
_BLOCK = f"{_SYS}/ip-access"


@pytest.fixture
async def mail(tmp_path: Path) -> AsyncIterator[SmarterMailHarness]:
    harness = SmarterMailHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


@pytest.fixture
async def ann(mail: SmarterMailHarness) -> str:
    await mail.add_user(ANN)
    return ANN


async def _told(act: Awaitable[object]) -> str:
    """Return the sentence of a failure, which holds no secret and is fit to be shown."""
    with pytest.raises(ServerDown) as failed:
        await act
    sentence = failed.value.sentence
    assert ADMIN_PASSWORD not in sentence
    assert "token-" not in sentence
    assert "refresh-" not in sentence
    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert len(sentence) < 600
    return sentence


async def _taken(mail: SmarterMailHarness, cursor: str | None = None) -> list[Submission]:
    return list(await mail.server.submissions(cursor, 1000))


# -- logging in --------------------------------------------------------------------------


async def test_an_expired_token_is_refreshed_without_a_new_login(mail: SmarterMailHarness) -> None:
    await mail.server.counts()
    mail.there.state.expire_tokens()
    assert (await mail.server.counts()).waiting == 0
    assert mail.there.state.logins == 1
    assert mail.there.web.asked.count("auth/refresh-token") == 1


async def test_a_refused_refresh_is_followed_by_a_new_login(mail: SmarterMailHarness) -> None:
    await mail.server.counts()
    mail.there.state.expire_tokens(refresh_too=True)
    assert (await mail.server.counts()).waiting == 0
    assert mail.there.state.logins == 2


async def test_a_domains_token_that_expired_is_had_anew(mail: SmarterMailHarness, ann: str) -> None:
    await mail.server.set_user_state(ann, UserState.REFUSING)
    mail.there.state.expire_tokens()
    user = await mail.server.user(ann)
    assert user is not None
    assert user.state is UserState.REFUSING


async def test_an_act_is_sent_once_more_after_401_and_no_oftener(
    mail: SmarterMailHarness,
) -> None:
    await mail.server.blocks()
    mail.there.faults.unauthorized.add(_BLOCK)
    network = ip_network("198.51.100.7")
    mail.there.web.asked.clear()
    sentence = await _told(mail.server.blocks())
    assert "does not let admin do that" in sentence
    assert mail.there.web.asked.count(_BLOCK) == 2
    mail.there.faults.unauthorized.clear()
    mail.there.state.expire_tokens()
    await mail.server.block(network, reason="spam", lasting=None)
    assert [block.network for block in await mail.server.blocks()] == [network]


async def test_a_wrong_password_is_told_and_not_tried_with_each_poll(
    mail: SmarterMailHarness,
) -> None:
    await mail.connect(password=SecretStr("wrong guess"))
    for _ in range(3):
        sentence = await _told(mail.server.counts())
        assert "refuses the login of admin" in sentence
        assert "wrong guess" not in sentence
    assert mail.there.state.logins == 1
    await mail.connect(password=SecretStr("wrong guess"), login_pause=0.0)
    for _ in range(3):
        await _told(mail.server.counts())
    assert mail.there.state.logins == 4


async def test_a_login_that_is_no_system_administrators_is_told(mail: SmarterMailHarness) -> None:
    mail.there.build.login_is_admin = False
    for _ in range(2):
        assert "no system administrator" in await _told(mail.server.healthy())
    await mail.connect()
    mail.there.build.login_is_admin = True
    await mail.server.healthy()
    mail.there.build.login_is_admin = False
    mail.there.state.expire_tokens()
    assert "no system administrator" in await _told(mail.server.healthy())


async def test_nothing_logged_holds_a_secret(
    mail: SmarterMailHarness, ann: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await mail.server.counts()
    mail.there.state.expire_tokens()
    await mail.server.set_user_state(ann, UserState.NO_SENDING)
    await mail.server.set_password(ann, "another battery")
    mail.there.faults.refused[_COUNTS] = f"{ADMIN_PASSWORD} {next(iter(mail.there.state.access))}"
    await _told(mail.server.counts())
    mail.there.state.expire_tokens(refresh_too=True)
    mail.there.state.password = "changed meanwhile"
    await _told(mail.server.counts())
    assert any("log-files" in text or "post-user" in text for text in caplog.messages)
    logged = caplog.text
    for secret in (ADMIN_PASSWORD, "another battery", "token-", "refresh-"):
        assert secret not in logged.replace("auth/refresh-token", "")
    shown = repr(mail.server.__dict__) + repr(SmarterMailConfig.__dict__)
    assert ADMIN_PASSWORD not in shown


# -- bad answers -------------------------------------------------------------------------

_BAD: dict[str, tuple[Callable[[Faults, str], object], str]] = {
    "hanging": (lambda f, name: f.hanging.add(name), "did not answer within 0.3 seconds"),
    "truncated": (lambda f, name: f.truncated.add(name), "an answer that breaks off"),
    "broken": (lambda f, name: f.broken.add(name), "its answer broke off"),
    "html": (lambda f, name: f.html.add(name), "a web page instead of data (HTTP 502)"),
    "login page": (lambda f, name: f.html_ok.add(name), "a web page instead of data (HTTP 200)"),
    "redirect": (lambda f, name: f.redirected.add(name), "points elsewhere (HTTP 302)"),
    "senseless": (lambda f, name: f.senseless.add(name), "makes no sense"),
    "success false": (
        lambda f, name: f.refused.update({name: "SERVICE_STOPPED"}),
        "it says: SERVICE_STOPPED",
    ),
    "hung up": (lambda f, name: f.hung_up.update({name: 9}), "the connection broke"),
    "unauthorized": (lambda f, name: f.unauthorized.add(name), "system administrator's login"),
}


def _reads(mail: SmarterMailHarness) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        _COUNTS: mail.server.counts,
        _LIST: lambda: mail.server.search(_ALL),
        _LOG: lambda: mail.server.submissions(None, 10),
        _BLOCK: mail.server.blocks,
    }


@pytest.mark.parametrize("fault", _BAD)
async def test_a_bad_answer_to_a_question_is_one_sentence(
    mail: SmarterMailHarness, ann: str, fault: str
) -> None:
    await mail.submit(ann, [_AWAY], "one")
    await mail.connect(timeout=0.3 if fault == "hanging" else 5.0)
    switch, says = _BAD[fault]
    for name, read in _reads(mail).items():
        switch(mail.there.faults, name)
        sentence = await _told(read())
        assert says in sentence
        assert "mail could not" in sentence
        mail.there.faults.clear()
        await read()


@pytest.mark.parametrize("fault", [name for name in _BAD if name != "unauthorized"])
async def test_a_bad_answer_to_an_act_says_whether_it_was_done(
    mail: SmarterMailHarness, ann: str, fault: str
) -> None:
    await mail.connect(timeout=0.3 if fault == "hanging" else 5.0)
    await mail.server.user(ann)
    switch, says = _BAD[fault]
    switch(mail.there.faults, _POST_USER)
    mail.there.web.asked.clear()
    sentence = await _told(mail.server.set_user_state(ann, UserState.NO_SENDING))
    assert says in sentence
    known = fault in ("success false", "redirect")
    assert ("It is not known whether it was done" in sentence) is not known
    assert mail.there.web.asked.count(_POST_USER) == 1


async def test_a_question_is_asked_again_when_a_kept_connection_was_closed(
    mail: SmarterMailHarness,
) -> None:
    await mail.server.counts()
    mail.there.faults.hung_up[_COUNTS] = 1
    assert (await mail.server.counts()).waiting == 0


async def test_an_answer_without_what_was_asked_for_is_not_taken_for_nothing(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [_AWAY], "one")
    for name, read in _reads(mail).items():
        mail.there.faults.ignored = {name}  # success: true, and no more
        assert "its answer holds no" in await _told(read())


async def test_nothing_listening_is_told(mail: SmarterMailHarness) -> None:
    await mail.there.web.stop()
    assert "cannot be reached" in await _told(mail.server.healthy())


async def test_before_start_it_is_not_connected() -> None:
    config = SmarterMailConfig("mail", "https://127.0.0.1:1", "admin", SecretStr("x"))
    assert "not connected" in await _told(SmarterMailServer(config, SystemClock()).counts())


@pytest.mark.parametrize(
    ("reason", "status", "nothing"),
    [
        ("DOMAIN_NOT_FOUND", 200, True),
        ("The user does not exist", 200, True),
        ("The domain doesn't exist", 200, True),
        ("Log file could not be found", 200, True),
        ("No such session", 200, True),
        ("NO_CONNECTIONS_FOUND", 200, True),
        ("Not Found", 404, False),
        ("Not an admin user", 200, False),
        ("No permission for this domain", 200, False),
        ("", 200, False),
    ],
)
def test_a_refusal_that_says_nothing_is_there_is_told_from_others(
    reason: str, status: int, nothing: bool
) -> None:
    assert Refusal("x", status, reason).nothing_there is nothing


# -- TLS ---------------------------------------------------------------------------------


async def test_an_unknown_certificate_is_refused_and_a_named_one_is_not(tmp_path: Path) -> None:
    mail = SmarterMailHarness(tmp_path, certificate=_CERTIFICATE)
    await mail.start()
    try:
        sentence = await _told(mail.server.healthy())
        assert "the certificate of 127.0.0.1 is not accepted" in sentence
        assert "Set ca_certificate" in sentence
        assert mail.there.state.logins == 0
        await mail.connect(ca_certificate=_CERTIFICATE[0])
        assert "at https://127.0.0.1" in await mail.server.healthy()
        await mail.connect(url=mail.there.web.url.replace("https", "http"))
        await _told(mail.server.healthy())
    finally:
        await mail.stop()


async def test_tls_to_a_plain_port_is_told(mail: SmarterMailHarness) -> None:
    await mail.connect(url=mail.there.web.url.replace("http", "https"))
    assert "Nothing was done" in await _told(mail.server.healthy())


async def test_an_unreadable_certificate_file_is_a_wrong_configuration(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate")
    for path in (wrong, tmp_path / "none.pem"):
        config = SmarterMailConfig(
            "mail", "https://127.0.0.1:1", "admin", SecretStr("x"), ca_certificate=path
        )
        with pytest.raises(ConfigError, match="ca_certificate"):
            await SmarterMailServer(config, SystemClock()).start()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"url": "http://mail.example.com"}, "https"),
        ({"url": "mail.example.com"}, "url looks like"),
        ({"url": "https://user:word@mail.example.com"}, "url looks like"),
        ({"url": "https://[::1"}, "url is no address"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"username": ""}, "system administrator"),
        ({"password": SecretStr("")}, "system administrator"),
        ({"timeout": 0}, "timeout"),
        ({"page_size": 1}, "page_size"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(wrong: dict[str, object], says: str) -> None:
    right = {
        "name": "mail",
        "url": "https://mail.example.com",
        "username": "admin",
        "password": SecretStr("hidden word"),
    }
    with pytest.raises(ConfigError, match=says) as refused:
        SmarterMailConfig(**{**right, **wrong})  # type: ignore[arg-type]
    assert "hidden word" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://mail.example.com",
        "https://mail.example.com/",
        "https://mail.example.com/api/v1/",
        "https://mail.example.com/?a#b",
    ],
)
def test_the_url_may_be_what_a_browser_shows(url: str) -> None:
    config = SmarterMailConfig("mail", url, "admin", SecretStr("x"))
    assert str(config.api) == "https://mail.example.com/api/v1/"


# -- the spool ---------------------------------------------------------------------------


async def test_pages_shorter_than_asked_for_join_to_the_whole(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.most_per_page = 3
    await mail.submit(ann, [_AWAY], "again", times=8)
    page = await mail.server.search(_ALL, limit=100)
    assert page.total == len({message.queue_id for message in page.messages}) == 8


async def test_a_spool_that_moves_while_it_is_read_loses_nothing(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.most_per_page = 3
    await mail.submit(ann, [_AWAY], "again", times=8)
    (first, second, *rest) = await mail.server.matching_ids(_ALL, limit=100)

    async def two_leave() -> None:
        ids = [mail.there.state.queue_id(name) or "" for name in (first, second)]
        await mail.there.engine.delete(ids)

    mail.there.faults.then[_LIST] = two_leave
    assert set(await mail.server.matching_ids(_ALL, limit=100)) >= set(rest)


async def test_a_list_of_names_alone_is_completed_from_the_log(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.spool_tells_more = False
    await mail.submit(
        ann,
        [_AWAY, "y@elsewhere.test"],
        "hello",
        client_ip="198.51.100.7",
        envelope_sender="forged@bank.test",
    )
    await mail.submit(None, [ann], "hi", envelope_sender="", client_ip="203.0.113.9")
    ours, theirs = (await mail.server.search(_ALL)).messages
    assert (ours.sender, ours.envelope_sender) == (ann, "forged@bank.test")
    assert (ours.client_ip, ours.recipients) == ("198.51.100.7", (_AWAY, "y@elsewhere.test"))
    assert ours.size > 100
    assert ours.arrived == START
    assert (theirs.sender, theirs.envelope_sender, theirs.authenticated_user) == ("", "", None)
    first, second = await _taken(mail)
    assert (first.sender, first.authenticated, first.recipients) == (ann, True, 2)
    assert (second.sender, second.authenticated, second.client_ip) == ("", False, "203.0.113.9")


async def test_a_message_that_no_log_tells_of_is_still_listed(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [_AWAY], "from the web mail")
    mail.there.log.days.clear()
    (message,) = (await mail.server.search(_ALL)).messages
    assert (message.subject, message.envelope_sender) == ("from the web mail", ann)
    assert (message.client_ip, message.authenticated_user) == (None, None)
    mail.there.web.asked.clear()
    await mail.server.search(_ALL)
    assert _LOG not in mail.there.web.asked


async def test_mail_that_waits_for_days_is_still_known_by_its_log(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [_AWAY], "old", envelope_sender="forged@bank.test")
    await mail.advance(timedelta(days=3))
    (message,) = (await mail.server.search(_ALL)).messages
    assert (message.sender, message.arrived) == (ann, START)
    assert await _taken(mail) == []  # longer ago than the history


async def test_search_matches_by_each_field_that_is_known(mail: SmarterMailHarness) -> None:
    await mail.add_user(ANN)
    await mail.add_user(BOB)
    await mail.submit(ANN, [f"One@{mail.elsewhere}"], "Big SALE", client_ip="198.51.100.7")
    await mail.settle()
    await mail.advance(timedelta(minutes=10))
    middle = mail.now()
    await mail.submit(BOB, [f"two@{mail.elsewhere}"], "report", client_ip="2001:db8::9")
    first, second = await mail.server.matching_ids(_ALL, limit=10)
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
    await mail.submit(BOB, [_AWAY], "one")
    await mail.submit(ANN, [_AWAY], "two", times=2)
    await mail.settle()
    await mail.submit(ANN, [_AWAY], "three")
    ranked = await mail.server.top_queued(5)
    assert [(s.sender, s.messages) for s in ranked] == [(ANN, 3), (BOB, 1)]
    assert len(await mail.server.top_queued(1)) == 1
    counts = await mail.server.counts()
    assert (counts.active, counts.deferred, counts.held, counts.quarantine) == (1, 3, 0, 0)
    page = await mail.server.search(_ALL)
    assert counts.size == sum(message.size for message in page.messages)


async def test_the_bytes_of_a_long_spool_are_estimated_from_a_page(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.most_per_page = 2
    await mail.submit(ann, [_AWAY], "same", times=6)
    page = await mail.server.search(_ALL)
    assert (await mail.server.counts()).size == sum(message.size for message in page.messages)


async def test_smartermails_own_quarantines_are_folders(mail: SmarterMailHarness, ann: str) -> None:
    await mail.submit(ann, [_AWAY], "again", times=3)
    inside = await mail.there.engine.matching_ids(_ALL, limit=10)
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
    await mail.submit(ann, [_AWAY], "again", times=4)
    ids = await mail.server.matching_ids(_ALL, limit=10)
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
    assert await mail.server.matching_ids(_ALL, limit=10) == (ids[3],)
    assert mail.server.ways()["deleting messages"] == (
        "spool-delete-messages" if many else "spool-delete-message"
    )


async def test_a_message_that_leaves_between_look_and_act_is_done_not_failed(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [_AWAY], "again", times=2)
    ids = await mail.server.matching_ids(_ALL, limit=10)

    async def one_leaves() -> None:
        await mail.there.engine.delete([mail.there.state.queue_id(ids[0]) or ""])

    mail.there.faults.then[_LIST] = one_leaves
    assert [r.fate for r in await mail.server.delete(ids)] == [Fate.DONE] * 2


async def test_a_success_that_did_nothing_is_found_out(mail: SmarterMailHarness, ann: str) -> None:
    mail.there.faults.ignored.add(f"{_SYS}/spool-delete-messages")
    await mail.submit(ann, [_AWAY], "one")
    ids = await mail.server.matching_ids(_ALL, limit=10)
    (result,) = await mail.server.delete(ids)
    assert (result.fate, result.why) == (Fate.FAILED, "SmarterMail still lists it")


async def test_a_deletion_that_fails_on_the_way_tells_which_are_gone(
    mail: SmarterMailHarness, ann: str
) -> None:
    call = f"{_SYS}/spool-delete-messages"
    await mail.submit(ann, [_AWAY], "again", times=230)
    ids = await mail.server.matching_ids(_ALL, limit=1000)

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
    await mail.submit(ann, [_AWAY], "again", times=2)
    await mail.settle()
    await mail.submit(ann, [_AWAY], "again")
    page = await mail.server.search(_ALL)
    assert [m.queue for m in page.messages] == [Queue.DEFERRED, Queue.DEFERRED, Queue.ACTIVE]
    assert mail.server.ways()["naming a spool"] == "spoolName"
    mail.there.web.bodies.clear()
    await mail.server.search(_ALL)
    assert not any("filter" in body for _, body in mail.there.web.bodies)


async def test_a_build_that_does_not_heed_the_filter_is_found_out(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.spool_named_by = "spoolName"
    mail.there.build.ignores_filter = True
    await mail.submit(ann, [_AWAY], "again")
    await mail.settle()
    await mail.submit(ann, [_AWAY], "again")
    page = await mail.server.search(_ALL)
    assert [message.queue for message in page.messages] == [Queue.DEFERRED, Queue.ACTIVE]
    assert mail.server.ways()["naming a spool"] == "spoolName"


async def test_a_message_that_moves_on_between_two_lists_is_in_the_later(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [_AWAY], "waits")
    await mail.settle()
    await mail.submit(ann, [_AWAY], "moves on")
    ids = await mail.there.engine.matching_ids(_ALL, limit=10)
    await mail.there.engine.delete(ids[:1])
    mail.there.faults.then[_COUNTS] = lambda: mail.submit(ann, [_AWAY], "new")
    mail.there.faults.then[_LIST] = mail.settle
    page = await mail.server.search(_ALL)
    assert {message.subject for message in page.messages} >= {"moves on"}
    assert mail.server.ways().get("naming a spool") == "filter"


async def test_what_the_api_cannot_do_is_said_with_a_reason(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [_AWAY], "one")
    ids = await mail.server.matching_ids(_ALL, limit=10)
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


# -- users -------------------------------------------------------------------------------

_BUILDS: list[dict[str, str]] = [
    {},
    {"rights_by": "manage-user"},
    {"disables_by": "users-disable"},
    {"deletes_users_by": "account-list-delete"},
]


@pytest.mark.parametrize("build", _BUILDS)
async def test_each_build_disables_enables_and_deletes(
    mail: SmarterMailHarness, ann: str, build: dict[str, str]
) -> None:
    for name, value in build.items():
        setattr(mail.there.build, name, value)
    for state in (UserState.NO_SENDING, UserState.REFUSING, UserState.ACTIVE):
        await mail.server.set_user_state(ann, state)
        user = await mail.server.user(ann)
        assert user is not None
        assert user.state is state
    await mail.server.delete_user(ann)
    assert await mail.server.user(ann) is None
    assert set(build.values()) - {"post-user"} <= set(mail.server.ways().values())


async def test_a_disabled_administrator_of_a_domain_stays_one(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.state.accounts[ann].domain_admin = True
    await mail.server.set_user_state(ann, UserState.NO_SENDING)
    assert mail.there.state.accounts[ann] == Account(
        disabled=True, receives=True, domain_admin=True
    )


async def test_disabling_again_drops_what_was_opened_and_changes_nothing(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.server.set_user_state(ann, UserState.NO_SENDING)
    mail.there.web.asked.clear()
    assert await mail.server.set_user_state(ann, UserState.NO_SENDING) is UserState.NO_SENDING
    assert _POST_USER not in mail.there.web.asked
    assert f"{_SYS}/drop-user-connections" in mail.there.web.asked
    assert f"{_SYS}/kill-user-sessions" in mail.there.web.asked


@pytest.mark.parametrize("call", ["drop-user-connections", "kill-user-sessions"])
async def test_sessions_that_could_not_be_ended_are_told(
    mail: SmarterMailHarness, ann: str, call: str
) -> None:
    client = await mail.logged_in(ann)
    mail.there.faults.refused[f"{_SYS}/{call}"] = "BUSY"
    sentence = await _told(mail.server.set_user_state(ann, UserState.NO_SENDING))
    assert f"{ann} is no-sending now, but its open sessions go on" in sentence
    assert mail.there.state.accounts[ann].disabled
    if call == "drop-user-connections":  # the server itself lets them go on
        assert (await client.command(f"MAIL FROM:<{ann}>")).good
    mail.there.faults.refused.clear()
    await mail.server.set_user_state(ann, UserState.NO_SENDING)
    with pytest.raises(ConnectionError):
        await client.command("NOOP")
    await client.close()


async def test_a_change_that_was_not_made_is_found_out(mail: SmarterMailHarness, ann: str) -> None:
    mail.there.faults.ignored |= {_POST_USER, f"{_SYS}/users-disable"}
    sentence = await _told(mail.server.set_user_state(ann, UserState.NO_SENDING))
    assert "the user is active" in sentence
    mail.there.faults.ignored = {f"{_SYS}/users-delete"}
    assert "the user is there" in await _told(mail.server.delete_user(ann))


async def test_a_refused_password_is_told_with_the_reason_and_without_the_password(
    mail: SmarterMailHarness, ann: str
) -> None:
    sentence = await _told(mail.server.set_password(ann, "short"))
    assert "PASSWORD_TOO_SHORT" in sentence
    assert "short" not in sentence.lower().replace("password_too_short", "")
    with pytest.raises(BadArgument):
        await mail.server.set_password(ann, "")
    await (await mail.logged_in(ann, password=PASSWORD)).close()


async def test_a_new_password_ends_what_the_old_one_opened(
    mail: SmarterMailHarness, ann: str
) -> None:
    client = await mail.logged_in(ann)
    await mail.server.set_password(ann, "another battery")
    with pytest.raises(ConnectionError):
        await client.command("NOOP")
    await client.close()


async def test_what_is_no_mailbox_here_is_none(mail: SmarterMailHarness, ann: str) -> None:
    for address in (
        "peer@other.test",
        "ann",
        "",
        "@example.test",
        "ann@",
        "ann@example.test/../../users",
        "a@b@example.test",
        "ann@example.test\r\n",
        "<ann@example.test>",
        "an@example.test",
        "x" * 400 + "@example.test",
    ):
        assert await mail.server.user(address) is None
        with pytest.raises(BadArgument):
            await mail.server.set_user_state(address, UserState.REFUSING)
    assert mail.there.state.accounts[ann] == Account()


@pytest.mark.parametrize("status", [200, 404])
async def test_another_domain_is_told_from_a_call_that_is_not_there(
    mail: SmarterMailHarness, ann: str, status: int
) -> None:
    mail.there.build.unknown_domain = status
    mail.there.faults.missing = {f"{_SYS}/manage-domain"}
    assert "open the domain" in await _told(mail.server.user(ann))
    mail.there.faults.clear()
    assert await mail.server.user(ann) is not None
    assert await mail.server.user("peer@other.test") is None
    for call in ("settings/domain/account-list-search", "settings/domain/get-user"):
        mail.there.faults.missing = {call}
        await _told(mail.server.user(ann))


async def test_nothing_to_end_is_no_failure(mail: SmarterMailHarness, ann: str) -> None:
    for call in ("drop-user-connections", "kill-user-sessions", "drop-ip-connections"):
        mail.there.faults.refused[f"{_SYS}/{call}"] = "NO_CONNECTIONS_FOUND"
    assert await mail.server.set_user_state(ann, UserState.NO_SENDING) is UserState.ACTIVE
    network = ip_network("198.51.100.7")
    assert await mail.server.block(network, reason="spam", lasting=None) is None
    mail.there.faults.missing = {f"{_SYS}/drop-ip-connections"}
    assert "is blocked, but" in await _told(mail.server.block(network, reason="spam", lasting=None))


async def test_a_mailbox_is_found_among_many_of_like_name(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.state.accounts |= {f"a{n:03}.ann@example.test": Account() for n in range(250)}
    user = await mail.server.user(ann)
    assert user is not None
    assert user.address == ann
    assert await mail.server.user("ann.@example.test") is None


# -- blocks ------------------------------------------------------------------------------


async def test_the_log_poll_lifts_a_block_in_time_even_after_a_restart(
    mail: SmarterMailHarness,
) -> None:
    hour = timedelta(hours=1)
    await mail.server.block(ip_network("198.51.100.7"), reason="spam", lasting=hour)
    await mail.server.block(ip_network("198.51.100.8"), reason="spam", lasting=None)
    await mail.connect()
    await mail.server.submissions(None, 10)
    with pytest.raises(SmtpRefused):
        await mail.sender("198.51.100.7").open()
    await mail.advance(hour)
    await mail.server.submissions(None, 10)
    async with mail.sender("198.51.100.7"):
        pass
    assert list(mail.there.state.blacklist) == ["198.51.100.8"]
    mail.there.web.asked.clear()
    await mail.server.submissions(None, 10)
    assert _BLOCK not in mail.there.web.asked


async def test_other_services_of_an_entry_are_kept(mail: SmarterMailHarness) -> None:
    entry = {"ip": "198.51.100.7", "description": "by hand", "smtp": False, "imap": True}
    mail.there.state.blacklist["198.51.100.7"] = {**entry, "pop": True, "xmpp": False}
    network = ip_network("198.51.100.7")
    assert list(await mail.server.blocks()) == []
    assert await mail.server.block(network, reason="spam", lasting=None) is None
    now = mail.there.state.blacklist["198.51.100.7"]
    assert (now["smtp"], now["imap"], now["pop"], now["xmpp"]) == (True, True, True, False)
    lifted = await mail.server.unblock(network)
    assert lifted is not None
    now = mail.there.state.blacklist["198.51.100.7"]
    assert (now["smtp"], now["imap"], now["pop"], now["xmpp"]) == (False, True, True, False)


async def test_entries_of_other_hands_are_read_as_far_as_they_make_sense(
    mail: SmarterMailHarness,
) -> None:
    for address in ("203.0.113.0/24", "203.0.113.1-203.0.113.9", "", "nonsense"):
        mail.there.state.blacklist[address] = {"ip": address, "description": "x", "smtp": True}
    mail.there.state.blacklist.pop("")
    blocks = await mail.server.blocks()
    assert list(blocks) == [Block(ip_network("203.0.113.0/24"), "x", UNKNOWN_SINCE)]
    before = await mail.server.block(ip_network("203.0.113.0/24"), reason="y", lasting=None)
    assert before == blocks[0]


async def test_a_reason_that_looks_like_our_mark_is_only_a_reason(
    mail: SmarterMailHarness,
) -> None:
    sly = "x [spoolwarden since=1999-01-01T00:00:00+00:00 until=1999-01-02T00:00:00+00:00]"
    network = ip_network("198.51.100.7")
    await mail.server.block(network, reason=f"{sly}\r\n" + "y" * 900, lasting=None)
    (block,) = await mail.server.blocks()
    assert (block.since, block.until) == (START, None)
    assert await mail.server.block(network, reason=sly, lasting=None) is not None
    (block,) = await mail.server.blocks()
    assert (block.reason, block.since, block.until) == ("x", START, None)


@pytest.mark.parametrize("form", ["full", "short"])
@pytest.mark.parametrize("typed", [True, False])
async def test_each_build_lists_and_lifts_blocks(
    mail: SmarterMailHarness, form: str, typed: bool
) -> None:
    mail.there.build.lists_blocks_by = "full" if form == "full" else "short"
    mail.there.build.typed_unblock = typed
    mail.there.build.most_per_page = 2
    networks = [ip_network(f"198.51.100.{n}") for n in range(5)]
    for network in networks:
        await mail.server.block(network, reason="spam", lasting=None)
    assert {block.network for block in await mail.server.blocks()} == set(networks)
    assert await mail.server.unblock(networks[3]) is not None
    assert len(await mail.server.blocks()) == 4


async def test_a_block_ends_open_connections_or_says_that_it_did_not(
    mail: SmarterMailHarness,
) -> None:
    network = ip_network("2001:db8::/64")
    async with mail.sender("2001:db8::5") as client, mail.sender("2001:db8:1::5") as other:
        mail.there.faults.refused[f"{_SYS}/connections"] = "BUSY"
        sentence = await _told(mail.server.block(network, reason="spam", lasting=None))
        assert "is blocked, but what it has open goes on" in sentence
        assert (await client.command("NOOP")).good
        mail.there.faults.refused.clear()
        await mail.server.block(network, reason="spam", lasting=None)
        with pytest.raises(ConnectionError):
            await client.command("NOOP")
        assert (await other.command("NOOP")).good


async def test_a_block_must_last_some_time(mail: SmarterMailHarness) -> None:
    with pytest.raises(BadArgument):
        await mail.server.block(ip_network("198.51.100.7"), reason="", lasting=timedelta(0))
    assert mail.there.state.blacklist == {}


# -- the log -----------------------------------------------------------------------------


@pytest.mark.parametrize("spaced", [True, False])
async def test_both_settings_of_the_brackets_are_read(
    mail: SmarterMailHarness, ann: str, spaced: bool
) -> None:
    mail.there.build.spaced_brackets = spaced
    await mail.submit(ann, [_AWAY], "one")
    (submission,) = await _taken(mail)
    assert (submission.sender, submission.client_ip) == (ann, "192.0.2.10")


async def test_many_sessions_are_read_at_once_and_few_one_by_one(
    mail: SmarterMailHarness, ann: str
) -> None:
    for number in range(25):
        await mail.submit(ann, [_AWAY], f"number {number}", client_ip=f"192.0.2.{number}")
    mail.there.web.asked.clear()
    taken = await _taken(mail)
    assert [s.client_ip for s in taken] == [f"192.0.2.{number}" for number in range(25)]
    assert {s.sender for s in taken} == {ann}
    assert mail.there.web.asked.count(_LOG) < 6


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
    (submission,) = await _taken(mail)
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
    (submission,) = await _taken(mail)
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
    await mail.submit(ann, [_AWAY], "one")
    (day,) = mail.there.log.days.values()
    (index,) = [n for n, (_, line) in enumerate(day) if log.ACCEPTED in line]
    at, whole = day[index]
    for end in range(len(whole) - 40, len(whole) - 27):
        day[index:] = [(at, whole[:end])]
        if ".eml" not in whole[:end]:
            assert await _taken(mail) == []
    day[index:] = [(at, whole)]
    assert [s.sender for s in await _taken(mail)] == [ann]


async def test_a_log_cut_by_its_limit_is_read_by_hours(mail: SmarterMailHarness, ann: str) -> None:
    for number in range(12):
        await mail.submit(ann, [_AWAY], f"number {number}")
        await mail.advance(timedelta(minutes=40))
    mail.there.build.most_of_log = 3000
    taken: list[Submission] = []
    for limit in (5, 1, 100, 100):
        taken += await mail.server.submissions(taken[-1].cursor if taken else None, limit)
    assert [s.subject for s in taken] == [f"number {number}" for number in range(12)]
    await mail.submit(ann, [_AWAY], "one more")
    mail.there.web.asked.clear()
    (last,) = await mail.server.submissions(taken[-1].cursor, 10)
    assert last.subject == "one more"
    assert mail.there.web.asked.count(_LOG) < 8  # hours long past are not asked for again


async def test_a_cut_log_that_cannot_be_narrowed_is_told_and_nothing_lost(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [_AWAY], "again", times=3)
    first = (await _taken(mail))[0]
    mail.there.build.most_of_log = 150
    says = "cuts its answer short. Nothing was counted or lost"
    assert says in await _told(mail.server.submissions(first.cursor, 10))
    mail.there.build.most_of_log = 10**9
    assert len(await _taken(mail, first.cursor)) == 2


@pytest.mark.parametrize("hours", ["ignored", "an hour off", "empty"])
async def test_hours_that_are_not_heeded_are_found_out(
    mail: SmarterMailHarness, ann: str, hours: Literal["ignored", "an hour off", "empty"]
) -> None:
    for _ in range(4):
        await mail.submit(ann, [_AWAY], "one an hour")
        await mail.advance(timedelta(hours=1))
    mail.there.build.most_of_log = 400
    mail.there.build.hours = hours
    assert "Nothing was counted or lost" in await _told(mail.server.submissions(None, 10))
    mail.there.build.hours = "heeded"
    mail.there.build.most_of_log = 2000
    assert len(await _taken(mail)) == 4


async def test_a_log_that_was_cut_by_hand_goes_on_where_it_can(
    mail: SmarterMailHarness, ann: str
) -> None:
    for number in range(4):
        await mail.submit(ann, [_AWAY], f"number {number}")
    cursor = (await _taken(mail))[2].cursor
    (day,) = mail.there.log.days.values()
    second = [n for n, (_, line) in enumerate(day) if "connected" in line][1]
    del day[:second]  # the oldest session is gone from the file
    assert [s.subject for s in await _taken(mail, cursor)] == ["number 3"]
    day.clear()
    await mail.submit(ann, [_AWAY], "in a new file")
    assert [s.subject for s in await _taken(mail, cursor)] == ["in a new file"]


async def test_a_cursor_of_something_else_starts_anew(mail: SmarterMailHarness, ann: str) -> None:
    await mail.submit(ann, [_AWAY], "one")
    for cursor in ("", "x", "2026-99-99/1/a", "2026-03-02/x/", "é" * 300):
        assert len(await _taken(mail, cursor)) == 1


async def test_a_log_that_is_not_detailed_still_counts_and_check_tells(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.detailed_log = False
    await mail.submit(ann, [_AWAY], "one")
    (submission,) = await _taken(mail)
    assert (submission.sender, submission.subject, submission.recipients) == (ann, "one", 1)
    said = [probe.says for probe in await mail.server.probes() if not probe.ok]
    assert len(said) == 1
    assert "Detailed" in said[0]


async def test_a_day_without_a_log_is_an_empty_one(mail: SmarterMailHarness, ann: str) -> None:
    mail.there.faults.refused[_LOG] = "LOG_FILE_NOT_FOUND"
    assert await _taken(mail) == []
    mail.there.faults.refused[_LOG] = "ACCESS_DENIED"
    await _told(mail.server.submissions(None, 10))
    mail.there.faults.clear()
    mail.there.faults.missing = {_LOG}
    await _told(mail.server.submissions(None, 10))


async def _across(harness: SmarterMailHarness, moments: list[datetime]) -> list[Submission]:
    """Send one message at each moment, polling between; return all that was taken."""
    await harness.add_user(ANN)
    taken: list[Submission] = []
    client = await harness.logged_in(ANN)
    for number, moment in enumerate(moments):
        harness.clock.set(moment)
        await harness.submit(ANN, [_AWAY], f"number {number}")
        for line in (f"MAIL FROM:<{ANN}>", f"RCPT TO:<{_AWAY}>", "DATA"):
            await client.must(line)
        await client.must(f"Subject: kept {number}\r\n\r\nx\r\n.")
        await harness.connect()  # as after a restart
        taken += await harness.server.submissions(taken[-1].cursor if taken else None, 3)
    await client.close()
    await harness.advance(timedelta(minutes=1))
    while fresh := await harness.server.submissions(taken[-1].cursor, 3):
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
        for line in ("MAIL FROM:<forged@bank.test>", f"RCPT TO:<{_AWAY}>", "DATA"):
            await client.must(line)
        await client.must("Subject: x\r\n\r\nx\r\n.")
    await client.close()
    first = (await mail.server.search(_ALL, limit=1)).messages
    page = await mail.server.search(_ALL)
    assert [message.sender for message in (*first, *page.messages)] == [ann] * 4
    await mail.connect()
    (submission,) = await mail.server.submissions(None, 1)
    page = await mail.server.search(_ALL)
    assert [submission.sender, *(m.sender for m in page.messages)] == [ann] * 4


async def test_a_line_written_just_after_midnight_for_the_day_before_is_not_lost(
    mail: SmarterMailHarness, ann: str
) -> None:
    before = datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)
    for text in ("first", "late"):
        mail.clock.set(before)
        await mail.submit(ann, [_AWAY], text)
    (day,) = mail.there.log.days.values()
    (first,) = [n for n, (_, line) in enumerate(day) if "connected" in line][1:]
    late, day[first:] = day[first:], []
    (taken,) = await _taken(mail)
    await mail.advance(timedelta(seconds=3))
    await mail.submit(ann, [_AWAY], "of the new day")
    assert await _taken(mail, taken.cursor) == []
    day.extend(late)
    await mail.advance(timedelta(seconds=8))
    assert [s.subject for s in await _taken(mail, taken.cursor)] == ["late", "of the new day"]


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


# -- what check tells --------------------------------------------------------------------


async def test_the_probes_tell_which_way_each_call_is_taken(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.spool_named_by = "spoolName"
    mail.there.build.lists_blocks_by = "short"
    await mail.submit(ann, [_AWAY], "one")
    probes = await mail.server.probes()
    assert all(probe.ok for probe in probes)
    said = [probe.says for probe in probes]
    assert "spool list: 1 messages listed" in said
    assert "SMTP log: 1 messages accepted today" in said
    assert "naming a spool: by spoolName" in said
    assert "reading the block list: by searchParams" in said


async def test_the_probes_go_on_after_one_that_fails(mail: SmarterMailHarness) -> None:
    mail.there.faults.html |= {_LOG}
    assert [probe.ok for probe in await mail.server.probes()][:3] == [True, False, True]


async def test_its_own_addresses_are_those_of_its_host_and_those_configured(
    mail: SmarterMailHarness,
) -> None:
    await mail.connect(own_networks=(ip_network("203.0.113.0/28"),))
    assert await mail.server.own_networks() == (
        ip_network("127.0.0.1"),
        ip_network("203.0.113.0/28"),
    )


async def test_the_local_server_is_strict(mail: SmarterMailHarness) -> None:
    tokens = mail.there.state
    admin, domain = tokens.token("sysadmin"), tokens.token(mail.domain)
    search = {"start": "2026-03-02", "end": "2026-03-02", "type": "smtpLog", "related": False}
    expected: list[tuple[str, str, str, object, int]] = [
        ("GET", _COUNTS, admin, None, 200),
        ("GET", _COUNTS, "token-of-nobody", None, 401),
        ("GET", _COUNTS, domain, None, 403),
        ("POST", _COUNTS, admin, {}, 405),
        ("POST", "settings/domain/get-user", admin, {"email": ANN}, 403),
        ("POST", f"{_SYS}/move-messages", admin, {}, 404),
        ("POST", _LOG, admin, {**search, "search": ""}, 200),
        ("POST", _LOG, admin, {**search, "search": "", "extra": 1}, 400),
        ("POST", _LOG, admin, search, 400),
        ("POST", _LOG, admin, {**search, "search": 1}, 400),
        ("POST", _LOG, admin, "no object", 400),
    ]
    async with aiohttp.ClientSession() as http:
        for method, name, token, body, status in expected:
            async with http.request(
                method,
                f"{mail.there.web.url}/api/v1/{name}",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            ) as answer:
                assert answer.status == status, (name, body)
                assert (await answer.json())["success"] is (status == 200)
