"""/spool why, top and ip, through the dispatch, with a real database and mail server."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from sqlmodel import select

from bot.app import App
from bot.dispatch import Answer
from bot.elements import Button, Card, Form, Row, Values
from services.hosts import spool_of
from services.mail.embedded import EmbeddedServer
from services.mail.port import Capabilities, Capability, UserState
from services.models import Intent
from services.people import Actor, Place
from services.settings import (
    AccessSettings,
    DetectionSettings,
    EmbeddedServerSettings,
    SafetySettings,
    Settings,
)
from services.targets import Target
from tests.bot.test_cards import said
from tests.mail.harness import ANN, BOB, DOMAIN, EmbeddedHarness
from tests.mmdb import mmdb

VERA = Actor("slack", "U0VERA", "vera")
OTTO = Actor("slack", "U0OTTO", "otto")
PLACE = Place("slack", "C0OPS")
CEO = f"ceo@{DOMAIN}"
HERE = "203.0.113.9"
_BURST = 60


class Hosted(EmbeddedServer):
    """The built-in server, as the bot has it in its own process."""

    ours = True


class Looking:
    """The bot, and what people do with it."""

    def __init__(self, app: App, mail: EmbeddedHarness) -> None:
        self.app = app
        self.mail = mail

    async def sent(
        self, user: str | None, number: int, client_ip: str = HERE, *, to_one: bool = False
    ) -> None:
        """Have the bot read of so many messages of a user, each to somebody else or all to one."""
        for index in range(number):
            to = ["x@elsewhere.test" if to_one else f"r{index}@elsewhere{index % 20}.test"]
            await self.mail.submit(user, to, "Hello", client_ip=client_ip)
        await self.app.detector.poll(self.mail.server)

    async def asked(self, text: str, actor: Actor = VERA) -> Card:
        return card_of(await self.app.dispatch.typed(actor, PLACE, text))

    async def press(self, card: Card, slot: str, actor: Actor = VERA) -> Answer:
        return await self.app.dispatch.pressed(actor, PLACE, buttons(card)[slot].intent_id)

    async def opened(self, card: Card, slot: str, actor: Actor = VERA) -> Card:
        answer = await self.press(card, slot, actor)
        assert not answer.layer  # it changes what was pressed, in place
        return card_of(answer)

    async def done(self, card: Card, slot: str) -> str:
        """Press what asks back, and confirm it."""
        form = (await self.press(card, slot, OTTO)).reply
        assert isinstance(form, Form)
        values: Values = {field.name: (_initial(field),) for field in form.fields}
        answer = await self.app.dispatch.submitted(OTTO, PLACE, form.intent_id, values)
        return answer.sentence


def _initial(field: object) -> str:
    initial = getattr(field, "initial", "")
    return initial[0] if isinstance(initial, tuple) else str(initial)


def card_of(answer: Answer) -> Card:
    assert isinstance(answer.reply, Card)
    assert not answer.failed, answer.sentence
    return answer.reply


def buttons(card: Card) -> dict[str, Button]:
    """Return a card's buttons by their slots, those in rows too."""
    rows = [section.button for section in card.sections if isinstance(section, Row)]
    below = [button for button in card.buttons if isinstance(button, Button)]
    return {button.slot: button for button in [*rows, *below]}


def app_with(
    mail: EmbeddedHarness,
    folder: Path,
    server: Hosted,
    detection: DetectionSettings | None = None,
    trusted: tuple[str, ...] = (),
) -> App:
    return App(
        Settings(
            database=f"sqlite:///{folder}/bot.db",
            mail_server=(EmbeddedServerSettings(database=folder / "mail.db"),),
            access=AccessSettings(viewers=(VERA.user_id,), operators=(OTTO.user_id,)),
            safety=SafetySettings(
                protected_accounts=(CEO,), trusted_networks=tuple(map(ip_network, trusted))
            ),
            detection=detection or DetectionSettings(),
        ),
        clock=mail.clock,
        servers=[server],
    )


@pytest.fixture
async def mail(tmp_path: Path) -> AsyncIterator[EmbeddedHarness]:
    mail = EmbeddedHarness(tmp_path)
    mail.server = Hosted(mail.config, mail.clock)
    await mail.start()
    for name in (ANN, BOB, CEO):
        await mail.add_user(name)
    yield mail
    await mail.stop()


@pytest.fixture
async def looking(tmp_path: Path, mail: EmbeddedHarness) -> AsyncIterator[Looking]:
    assert isinstance(mail.server, Hosted)
    app = app_with(mail, tmp_path, mail.server)
    await app.store.open()
    yield Looking(app, mail)
    await app.store.close()


# -- why ----------------------------------------------------------------------------------


async def test_an_ordinary_account_is_said_to_be_ordinary_with_its_usual_figures(
    looking: Looking,
) -> None:
    await looking.sent(ANN, 3, to_one=True)
    text = said(await looking.asked(f"why {ANN.upper()}"))
    assert "Nothing is unusual about it" in text
    assert "3 messages in 5 min" in text
    assert "3 messages in the last 24 h. Now 3 waiting, 0 held." in text
    assert f"{HERE}\n3 messages" in text
    assert "never had an incident" in text


async def test_an_abused_account_shows_its_reasons_its_incident_and_its_stop(
    looking: Looking,
) -> None:
    await looking.sent(ANN, _BURST)
    card = await looking.asked(f"why {ANN}", OTTO)
    text = said(card)
    assert "Each reason with its points" in text
    assert f"{_BURST} messages in 5 min; never seen sending before (+" in text
    assert f"1 · {ANN} on mail · open" in text
    stop = buttons(card)["stop"]
    assert stop.confirm is not None
    assert f"{_BURST} waiting messages" in stop.confirm.text
    assert (await looking.press(card, "stop", OTTO)).reply is None
    after = await looking.asked(f"why {ANN}", OTTO)
    assert f"Now 0 waiting, {_BURST} held." in said(after)
    assert f"1 · {ANN} on mail · remedied by otto" in said(after)
    assert "stop" not in buttons(after)
    assert "can send and receive" in await looking.done(after, "enable")
    user = await looking.mail.server.user(ANN)
    assert user is not None
    assert user.state is UserState.ACTIVE


@pytest.mark.parametrize("name", ["nobody@example.test", "null"])
async def test_an_account_that_is_not_there_is_told_so(looking: Looking, name: str) -> None:
    card = await looking.asked(f"why {name}")
    assert card.fallback.endswith("through mail, and there is no such mailbox there.")
    assert not buttons(card)


async def test_an_account_that_never_sent_is_told_so(looking: Looking) -> None:
    assert (await looking.asked(f"why {ANN}")).fallback.endswith("The mailbox is active.")


async def test_a_protected_account_has_no_stop_and_the_rule_is_named(looking: Looking) -> None:
    await looking.sent(CEO, 1)
    card = await looking.asked(f"why {CEO}")
    assert "stop" not in buttons(card)
    assert "is a protected account" in said(card)
    assert "Nothing was done" not in said(card)


async def test_what_a_viewer_sees_can_be_looked_at_but_not_acted_on(looking: Looking) -> None:
    await looking.sent(ANN, 1)
    card = await looking.asked(f"why {ANN}")
    assert "1 message" in said(await looking.opened(card, "search"))
    refused = await looking.press(card, "stop")
    assert "needs the role operator" in refused.sentence
    # Another person's buttons are theirs, whatever role one has.
    assert (await looking.press(card, "stop", OTTO)).failed
    user = await looking.mail.server.user(ANN)
    assert user is not None
    assert user.state is UserState.ACTIVE


async def test_a_stranger_is_told_nothing_about_anybody(looking: Looking) -> None:
    await looking.sent(ANN, 1)
    for text in (f"why {ANN}", "top", f"ip {HERE}"):
        answer = await looking.app.dispatch.typed(Actor("slack", "U0EVE", "eve"), PLACE, text)
        assert answer.failed
        assert ANN not in answer.sentence


async def test_a_host_of_our_own_shows_what_it_has_waiting(
    tmp_path: Path, mail: EmbeddedHarness
) -> None:
    assert isinstance(mail.server, Hosted)
    app = app_with(mail, tmp_path, mail.server, trusted=(f"{HERE}/32",))
    async with contextlib.AsyncExitStack() as stack:
        await app.store.open()
        stack.push_async_callback(app.store.close)
        looking = Looking(app, mail)
        for _ in range(3):
            await mail.submit(
                None, [ANN], "Disk full", client_ip=HERE, envelope_sender="root@x.test"
            )
        await looking.sent(BOB, 2)
        host = f"[{HERE}]"
        waiting = (await spool_of(mail.server, (host,)))[host].waiting
        assert waiting >= 2
        card = await looking.asked(f"why {host}")
        assert "one of our own hosts, which sends without a login." in said(card)
        assert f"3 messages in the last 24 h. Now {waiting} waiting, 0 held." in said(card)
        assert "user" not in buttons(card)
        assert f"Now {waiting} waiting, 0 held." in said(await looking.asked(f"ip {HERE}"))
        # What its button finds is what is counted.
        found = said(card_of(await looking.press(card, "search")))
        assert f"{waiting} messages match" in found
        unseen = said(await looking.asked("why [192.0.2.99]"))
        assert "never seen [192.0.2.99] send anything through mail without a login" in unseen


@pytest.fixture
async def knowing(tmp_path: Path, mail: EmbeddedHarness) -> AsyncIterator[Looking]:
    """The same with a file that knows where HERE is; what it says is anybody's text."""
    assert isinstance(mail.server, Hosted)
    file, network = tmp_path / "both.mmdb", ip_network(f"{HERE}/24", strict=False)
    file.write_bytes(
        mmdb({network: {"country_code": "CH", "asn": "AS64500", "as_name": "<b>\u202eExa & Co"}})
    )
    app = app_with(
        mail, tmp_path, mail.server, DetectionSettings(asn_database=file, country_database=file)
    )
    await app.ip_databases.open()
    await app.store.open()
    yield Looking(app, mail)
    app.ip_databases.close()
    await app.store.close()


async def test_an_address_is_shown_with_its_country_and_its_networks_owner(
    knowing: Looking,
) -> None:
    await knowing.sent(ANN, 3)
    network = ip_network(f"{HERE}/24", strict=False)
    where = "<b>\N{LEFT ANGLE BRACKET}202E\N{RIGHT ANGLE BRACKET}Exa & Co (AS64500), Switzerland"
    assert f"{HERE}\n{where} · 3 messages" in said(await knowing.asked(f"why {ANN}"))
    assert f"{HERE}\n{where} · 3 messages" in said(await knowing.asked(f"user {ANN}"))
    assert f"Where it is: {where}." in said(await knowing.asked(f"ip {HERE}"))
    assert f"Where it is: {where}." in said(await knowing.asked(f"ip {network}"))
    assert "Where it is" not in said(await knowing.asked(f"ip {network.supernet()}"))


# -- top ----------------------------------------------------------------------------------


async def test_a_table_is_turned_to_another_window_and_kind_in_place(looking: Looking) -> None:
    await looking.sent(ANN, 4)
    await looking.sent(BOB, 2, "198.51.100.1")
    looking.mail.clock.set(looking.mail.now() + timedelta(minutes=10))
    users = await looking.asked("top")
    assert users.title == "Top users, last 1 h"
    assert f"1. {ANN}\n4 messages · 67% of all\n2. {BOB}\n2 messages" in said(users)
    ips = await looking.opened(users, "ips")
    assert ips.title == "Top IP addresses, last 1 h"
    assert f"1. {HERE}\n4 messages" in said(ips)
    day = await looking.opened(ips, "24h")
    assert day.title == "Top IP addresses, last 24 h"
    domains = await looking.opened(day, "domains")
    assert domains.title == "Top domains, last 24 h"
    assert f"1. {DOMAIN} · 6 messages · 100% of all" in said(domains)
    nothing = await looking.opened(domains, "5m")
    assert "Nothing was sent in the last 5 min." in said(nothing)
    assert (await looking.asked("top domains 24h")).title == domains.title


async def test_a_table_opens_its_rows_and_leads_back_to_where_one_was(looking: Looking) -> None:
    await looking.sent(ANN, 4)
    table = await looking.asked("top 24h")
    account = await looking.opened(table, "row-0")
    assert f"{ANN}: active." in said(account)
    address = await looking.opened(account, "address-0")
    assert address.title == f"Who used {HERE}"
    again = await looking.opened(address, "account-0")
    assert again.title == account.title
    for card in (account, address, again):
        back = await looking.opened(card, "back")
        assert (back.title, said(back)) == (table.title, said(table))
    assert "back" not in buttons(await looking.asked(f"why {ANN}"))


async def test_a_table_has_pages_and_one_past_the_end_is_the_last(looking: Looking) -> None:
    for number in range(9):
        await looking.sent(ANN, 9 - number, f"203.0.113.{number + 1}")
    first = await looking.asked("top ips")
    assert "1 to 8 of 9 IP addresses" in said(first)
    assert "before" not in buttons(first)
    last = await looking.opened(first, "after")
    assert "9. 203.0.113.9\n1 message" in said(last)
    assert "after" not in buttons(last)
    past = await looking.asked("top ips page:77")
    assert said(past) == said(last)
    assert said(await looking.opened(past, "before")) == said(first)


async def test_a_table_is_compared_with_the_window_before(looking: Looking) -> None:
    await looking.sent(ANN, 1)
    looking.mail.clock.set(looking.mail.now() + timedelta(minutes=130))
    await looking.sent(ANN, 2)
    looking.mail.clock.set(looking.mail.now() + timedelta(minutes=61))
    await looking.sent(ANN, 3)
    await looking.sent(BOB, 1)
    text = said(await looking.asked("top 1h users"))
    assert f"1. {ANN}\n3 messages · 75% of all · +50%" in text
    assert f"2. {BOB}\n1 message · 25% of all · new" in text
    assert "4 messages (+100%) · 2 users" in text


# -- ip -----------------------------------------------------------------------------------


async def test_an_address_tells_who_used_it_and_is_blocked_and_unblocked(looking: Looking) -> None:
    await looking.sent(ANN, 2)
    await looking.sent(BOB, 3)
    await looking.sent(BOB, 1, "203.0.113.10")
    card = await looking.asked(f"ip {HERE}", OTTO)
    assert f"{HERE} is not blocked." in said(card)
    assert "2 accounts sent 5 messages" in said(card)
    assert f"{BOB}\n3 messages" in said(card)
    assert "is refused for 24 h" in await looking.done(card, "block")
    blocked = await looking.asked(f"ip {HERE}", OTTO)
    assert f"{HERE} is blocked since" in said(blocked)
    assert "by otto through Spoolwarden" in said(blocked)
    assert "block" not in buttons(blocked)
    assert "may use SMTP again" in await looking.done(blocked, "unblock-0")
    assert not await looking.mail.server.blocks()


async def test_a_network_tells_of_the_blocks_in_it_and_can_be_blocked_itself(
    looking: Looking,
) -> None:
    await looking.sent(ANN, 1)
    for text in (HERE, "203.0.113.64/26", "198.51.100.1"):
        await looking.mail.server.block(ip_network(text), reason="a *list*", lasting=None)
    card = await looking.asked("ip 203.0.113.0/24", OTTO)
    text = said(card)
    assert f"{HERE} is blocked since" in text
    assert "203.0.113.64/26 is blocked since" in text
    assert "until somebody lifts it: a *list*" in text
    assert "198.51.100.1" not in text
    shown = {button.label for button in buttons(card).values()}
    assert shown >= {"Block…", f"Unblock {HERE}…", "Unblock 203.0.113.64/26…"}
    inside = await looking.asked("ip 203.0.113.70", OTTO)
    assert "203.0.113.64/26 is blocked" in said(inside)
    assert "block" not in buttons(inside)


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("127.0.0.1", "the mail server's own address"),
        ("10.1.2.3", "private range"),
        ("0.0.0.0/0", "is wider than"),
    ],
)
async def test_what_must_not_be_blocked_has_no_button_and_the_rule_is_named(
    looking: Looking, address: str, rule: str
) -> None:
    card = await looking.asked(f"ip {address}")
    assert f"It cannot be blocked: {address.partition('/')[0]}" in said(card)
    assert rule in said(card)
    assert "block" not in buttons(card)


async def test_a_button_holds_no_more_than_an_intent_of_its_own(looking: Looking) -> None:
    await looking.sent(ANN, 1)
    card = await looking.asked("top")
    async with looking.app.store.reading() as session:
        rows = {row.id: row for row in (await session.exec(select(Intent))).all()}
    for button in buttons(card).values():
        row = rows[button.intent_id]
        assert (row.bound_to, row.channel) == (VERA.key, PLACE.channel)
        assert ANN not in button.intent_id
    row = rows[buttons(card)["row-0"].intent_id]
    assert Target.model_validate_json(row.target).account == ANN


class _Weak(Hosted):
    """The built-in server, as one that can neither stop anybody nor block."""

    @property
    def capabilities(self) -> Capabilities:
        no = Capability(able=False, why="This server keeps no such list.")
        return Capabilities(no_sending=no, block=no)


async def test_what_the_mail_server_cannot_do_has_no_button_but_a_sentence(tmp_path: Path) -> None:
    mail = EmbeddedHarness(tmp_path)
    mail.server = weak = _Weak(mail.config, mail.clock)
    await mail.start()
    await mail.add_user(ANN)
    app = app_with(mail, tmp_path, weak)
    await app.store.open()
    looking = Looking(app, mail)
    await looking.sent(ANN, 1)
    for text, slot in ((f"why {ANN}", "stop"), (f"ip {HERE}", "block")):
        card = await looking.asked(text)
        assert slot not in buttons(card)
        assert "This server keeps no such list." in said(card)
    await app.store.close()
    await mail.stop()
