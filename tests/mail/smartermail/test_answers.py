"""SmarterMail's bad answers: each is one sentence, and says whether anything was done."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr

from services.clock import SystemClock
from services.mail.port import UserState
from services.mail.smartermail import SmarterMailConfig, SmarterMailServer
from services.mail.smartermail.ways import Refusal

from ..smartermail_harness import SmarterMailHarness
from ..smartermail_server import Faults
from .asking import ALL, AWAY, BLOCK, COUNTS, LIST, LOG, POST_USER, told

#: Seconds after which an answer is waited for no more: a busy machine gives all others within it.
_LIMIT = 2.0
_BAD: dict[str, tuple[Callable[[Faults, str], object], str]] = {
    "hanging": (lambda f, name: f.hanging.add(name), f"did not answer within {_LIMIT:g} seconds"),
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
        COUNTS: mail.server.counts,
        LIST: lambda: mail.server.search(ALL),
        LOG: lambda: mail.server.submissions(None, 10),
        BLOCK: mail.server.blocks,
    }


@pytest.mark.parametrize("fault", _BAD)
async def test_a_bad_answer_to_a_question_is_one_sentence(
    mail: SmarterMailHarness, ann: str, fault: str
) -> None:
    await mail.submit(ann, [AWAY], "one")
    await mail.connect(timeout=_LIMIT if fault == "hanging" else 20.0)
    switch, says = _BAD[fault]
    for name in _reads(mail):
        switch(mail.there.faults, name)
    for sentence in await asyncio.gather(*(told(read()) for read in _reads(mail).values())):
        assert says in sentence
        assert "mail could not" in sentence
    mail.there.faults.clear()
    for read in _reads(mail).values():
        await read()


@pytest.mark.parametrize("fault", [name for name in _BAD if name != "unauthorized"])
async def test_a_bad_answer_to_an_act_says_whether_it_was_done(
    mail: SmarterMailHarness, ann: str, fault: str
) -> None:
    await mail.connect(timeout=_LIMIT if fault == "hanging" else 20.0)
    await mail.server.user(ann)
    switch, says = _BAD[fault]
    switch(mail.there.faults, POST_USER)
    mail.there.web.asked.clear()
    sentence = await told(mail.server.set_user_state(ann, UserState.NO_SENDING))
    assert says in sentence
    known = fault in ("success false", "redirect")
    assert ("It is not known whether it was done" in sentence) is not known
    assert mail.there.web.asked.count(POST_USER) == 1


async def test_a_question_is_asked_again_when_a_kept_connection_was_closed(
    mail: SmarterMailHarness,
) -> None:
    await mail.server.counts()
    mail.there.faults.hung_up[COUNTS] = 1
    assert (await mail.server.counts()).waiting == 0


async def test_an_answer_without_what_was_asked_for_is_not_taken_for_nothing(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.submit(ann, [AWAY], "one")
    for name, read in _reads(mail).items():
        mail.there.faults.ignored = {name}  # success: true, and no more
        assert "its answer holds no" in await told(read())


async def test_nothing_listening_is_told(mail: SmarterMailHarness) -> None:
    await mail.there.web.stop()
    assert "cannot be reached" in await told(mail.server.healthy())


async def test_before_start_it_is_not_connected() -> None:
    config = SmarterMailConfig("mail", "https://127.0.0.1:1", "admin", SecretStr("x"))
    assert "not connected" in await told(SmarterMailServer(config, SystemClock()).counts())


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
