"""What somebody sees whose role is for one domain's senders, through the dispatch."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App
from bot.elements import Card, Form, Sheet
from services.audit import Phase
from services.detection.evidence import Habit
from services.mail.port import SpoolQuery, UserState
from services.models import Incident
from services.people import Actor
from services.settings import AccessSettings, EmbeddedServerSettings, Settings
from services.targets import Target
from services.traffic import gather
from tests.bot.test_cards import said
from tests.bot.test_looks import HERE, OTTO, PLACE, VERA, Hosted, Looking, buttons, card_of
from tests.mail.harness import ANN, DOMAIN, EmbeddedHarness

SUE = Actor("slack", "U0SUE", "sue")
EVE = "eve@evil-example.test"
ZOE = "zoe@second.test"
THERE = "198.51.100.7"


@pytest.fixture
async def looking(tmp_path: Path) -> AsyncIterator[Looking]:
    mail = EmbeddedHarness(tmp_path)
    mail.server = server = Hosted(mail.config, mail.clock)
    await mail.start()
    for name in (ANN, EVE, ZOE):
        await mail.add_user(name)
    app = App(
        Settings(
            database=f"sqlite:///{tmp_path}/bot.db",
            mail_server=(EmbeddedServerSettings(database=tmp_path / "mail.db"),),
            access=AccessSettings(
                viewers=(VERA.user_id,),
                operators=(OTTO.user_id, SUE.user_id),
                domains={SUE.user_id: (DOMAIN,)},
            ),
        ),
        clock=mail.clock,
        servers=[server],
    )
    await app.store.open()
    yield Looking(app, mail)
    await app.store.close()
    await mail.stop()


async def refusals(looking: Looking) -> list[tuple[str, str, str]]:
    return [
        (entry.action, entry.actor, entry.subject)
        async for entry in looking.app.audit.entries()
        if entry.phase == Phase.REFUSED
    ]


async def test_nothing_that_is_read_tells_of_others(looking: Looking) -> None:
    await looking.sent(ANN, 60)
    await looking.sent(EVE, 70, THERE)
    await looking.mail.settle()
    # Somebody unlimited leaves traces of both.
    for account in (ANN, EVE):
        await looking.asked(f"why {account}", OTTO)
        card = await looking.asked(f"search sender:{account}", OTTO)
        assert (await looking.press(card, "preview-1", OTTO)).layer
    for text in ("", "search", "search ip:0.0.0.0/0", "incidents", "audit", "top", "top ips",
                 "top domains", f"ip {HERE}", f"ip {THERE}", "ip 0.0.0.0/0", f"why {ANN}",
                 "report", "report 7d page:2", f"report domain:{DOMAIN}",
                 f"search sender:{ANN}", "search page:14"):  # fmt: skip
        mine, all_ = said(await looking.asked(text, SUE)), said(await looking.asked(text, OTTO))
        assert EVE not in mine, text
        assert "evil" not in mine, text
        assert THERE not in mine.replace(f"Who used {THERE}", "").replace(
            f"{THERE} is not blocked", ""
        ), text
        if text not in (f"ip {THERE}", "search page:14", f"ip {HERE}"):
            assert ANN.partition("@")[2] in mine, text
        if text in ("", "incidents", "audit", "top", "ip 0.0.0.0/0"):
            assert EVE in all_, text


async def test_figures_are_of_their_senders_alone(looking: Looking) -> None:
    await looking.sent(ANN, 3)
    await looking.sent(EVE, 5, THERE)
    await looking.mail.settle()
    card = await looking.asked("", SUE)
    assert "3 waiting" in said(card)
    assert f"Only of senders of {DOMAIN}: your role is for these." in said(card)
    assert "8 waiting" in said(await looking.asked("", OTTO))
    top = said(await looking.asked("top", SUE))
    assert "3 messages" in top
    assert "100%" in top
    assert f"Only of senders of {DOMAIN}" in top


async def test_an_address_is_told_of_without_buttons_that_block(looking: Looking) -> None:
    await looking.sent(ANN, 2)
    await looking.sent(EVE, 2)
    card = await looking.asked(f"ip {HERE}", SUE)
    assert "1 account sent 2 messages" in said(card)
    assert "would concern senders of every domain" in said(card)
    assert {"block", "unblock-0"}.isdisjoint(buttons(card))
    everybodys = await looking.asked(f"ip {HERE}", OTTO)
    assert "2 accounts sent 4 messages" in said(everybodys)
    assert "block" in buttons(everybodys)
    # From there on, too, only theirs.
    found = await looking.opened(card, "search", SUE)
    assert EVE not in said(found)
    assert ANN in said(await looking.opened(card, "account-0", SUE))
    answer = await looking.app.dispatch.typed(SUE, PLACE, f"block {HERE}")
    assert answer.failed
    assert "an address may be used by senders of every domain" in answer.sentence


async def test_the_tables_buttons_go_on_telling_of_theirs_alone(looking: Looking) -> None:
    await looking.sent(ANN, 2)
    await looking.sent(EVE, 3, THERE)
    card = await looking.asked("top", SUE)
    for slot in ("5m", "24h", "ips", "domains", "again"):
        assert EVE not in said(card := await looking.opened(card, slot, SUE))
        assert THERE not in said(card)


@pytest.mark.parametrize(
    ("text", "action", "subject"),
    [
        (f"why {EVE}", "why", EVE),
        (f"search sender:{EVE}", "search", f"sender:{EVE}"),
        (f"stop {EVE}", "stop", EVE),
        (f"disable {EVE}", "disable", EVE),
        (f"enable {EVE}", "enable", EVE),
        ("stop nobody@nowhere.test", "stop", "nobody@nowhere.test"),
        (f"block {THERE}", "block", f"{THERE}/32"),
        (f"unblock {THERE}", "unblock", f"{THERE}/32"),
    ],
)
async def test_a_command_about_others_is_refused_with_the_rule_and_written_down(
    looking: Looking, text: str, action: str, subject: str
) -> None:
    answer = await looking.app.dispatch.typed(SUE, PLACE, text)
    assert answer.failed
    assert f"is for senders of {DOMAIN} only" in answer.sentence
    ((done, actor, about),) = await refusals(looking)
    assert (done, actor) == (action, SUE.key)
    assert about.startswith(subject)
    user = await looking.mail.server.user(EVE)
    assert user is not None
    assert user.state is UserState.ACTIVE


async def test_what_is_done_with_all_found_is_done_with_theirs(looking: Looking) -> None:
    await looking.sent(ANN, 2)
    await looking.sent(EVE, 3)
    await looking.mail.settle()
    form = (await looking.app.dispatch.typed(SUE, PLACE, "delete queue:deferred")).reply
    assert isinstance(form, Form)
    answer = await looking.app.dispatch.submitted(SUE, PLACE, form.intent_id, {})
    assert "2 messages" in answer.sentence
    assert "3 waiting" in said(await looking.asked("", OTTO))
    # A search without anything to look for offers nothing for the whole spool, nor for theirs.
    assert {"move", "delete"}.isdisjoint(buttons(await looking.asked("search", SUE)))
    card = await looking.asked("search queue:quarantine", SUE)
    assert "restore" in buttons(card)


async def test_a_button_on_others_is_refused_and_written_down(looking: Looking) -> None:
    await looking.sent(ANN, 60)
    await looking.sent(EVE, 60)
    app = looking.app
    messages = {
        message.sender: message
        for message in (await looking.mail.server.search(SpoolQuery(), limit=200)).messages
    }
    targets = {
        "stop": Target(account=EVE),
        "search": Target(query=SpoolQuery(sender=EVE)),
        "why": Target(account=EVE),
        "preview": Target(queue_ids=(messages[EVE].queue_id,)),
        "acknowledge": Target(account=EVE),
        "block": Target(account=EVE),
    }
    for action, target in targets.items():
        button = await app.intents.offer(PLACE, action, server="mail", target=target)
        for press in (app.dispatch.pressed, app.dispatch.question):
            answer = await press(SUE, PLACE, button)
            assert answer.failed, action
            assert f"is for senders of {DOMAIN} only" in answer.sentence
            assert EVE not in answer.sentence or action != "preview"
        forged = await app.dispatch.submitted(SUE, PLACE, button, {})
        assert forged.failed
    assert {action for action, _, _ in await refusals(looking)} == set(targets)
    mine = Target(queue_ids=(messages[ANN].queue_id,))
    button = await app.intents.offer(PLACE, "preview", server="mail", target=mine)
    assert isinstance(card_of(await app.dispatch.pressed(SUE, PLACE, button)), Card)


async def test_only_theirs_is_suggested(looking: Looking) -> None:
    await looking.sent(ANN, 60)
    await looking.sent(EVE, 60)
    suggest = looking.app.dispatch.suggestions
    assert await suggest(SUE, "search", {"sender": ""}, "sender") == (ANN,)
    assert await suggest(SUE, "stop", {"account": ""}, "account") == (ANN,)
    assert set(await suggest(OTTO, "stop", {"account": ""}, "account")) == {ANN, EVE}
    await looking.app.dispatch.typed(OTTO, PLACE, f"block {THERE}")
    assert await suggest(SUE, "unblock", {"ip": ""}, "ip") == ()
    assert await suggest(SUE, "search", {"folder": ""}, "folder") == ()


async def test_the_summary_of_a_campaign_names_no_account_of_others(looking: Looking) -> None:
    now, lead = looking.app.clock.now(), None
    for account in (ANN, EVE):
        await looking.sent(account, 3)
        async with looking.app.store.session() as session:
            evidence = await gather(session, "mail", account, now, Habit())
            row = Incident(
                server="mail",
                sender=account,
                opened_at=now,
                updated_at=now,
                evidence=evidence.model_dump_json(),
                score=60,
                campaign=lead,
            )
            session.add(row)
            await session.flush()
            lead = lead or row.id
    card = await looking.asked(f"summary {lead}", SUE)
    assert "1 incident of other domains" in str(card.sections)
    assert "evil" not in str(card.sections)
    assert EVE in str((await looking.asked(f"summary {lead}", OTTO)).sections)
    file = (await looking.press(card, "file", SUE)).reply
    assert isinstance(file, Sheet)
    assert b"evil" not in file.data
