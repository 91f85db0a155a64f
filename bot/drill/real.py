"""Plays the drill on a configured mail server: looks only, or acts on one account offered for it.

The bot is the real one, in a chat of its own on this machine: neither the configured
chat nor the configured database is touched.
"""

import contextlib
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.app import App
from bot.demo.stage import make_rooms, reaching
from bot.drill import account, acting, looking, typed
from bot.drill.before import Account, account_as_it_is, look, put_back, senders
from bot.drill.looking import Real
from bot.drill.playing import WRONG, People, four_people, play, problem
from bot.drill.report import Feature, Report
from bot.drill.wire import Wire, encryption
from bot.hands import Room
from services.errors import BadArgument, ConfigError
from services.mail.port import SpoolQuery, UserState
from services.rules import Rules
from services.settings import EmbeddedServerSettings, MailServerSettings, Settings, fixed

PASSWORD = "SPOOLWARDEN_TEST_PASSWORD"  # noqa: S105 - the variable that has it
#: The bot reads this much of a log's past: the dashboard shows an hour of it.
_HISTORY_DAYS = 2 / 24
_Said = Callable[[Feature], None]

LOOKING = (
    looking.answers,
    looking.roles,
    looking.dashboard,
    looking.search,
    looking.looks,
    looking.preview,
    looking.capabilities,
    looking.words,
)
ACTING = (
    typed.disabled,
    typed.refusing,
    account.incident,
    acting.stop,
    acting.undo_stop,
    typed.moved,
    typed.deleted,
    typed.retried,
    typed.blocked,
    typed.for_good,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """An account that somebody offers for the drill, and how to send as it."""

    address: str
    password: str
    host: str
    port: int
    recipient: str
    announced: str | None = None  # the client address told with PROXY, where that is taken


def offered(
    settings: Settings,
    environment: Mapping[str, str],
    address: str,
    smtp: str | None,
    recipient: str | None,
    announced: str | None,
) -> Offer:
    """Return the account that the command line offers. Raises ConfigError, Refused."""
    Rules(settings.safety).check_account(address)
    password = environment.get(PASSWORD)
    if not password:
        raise ConfigError(f"--test-account needs the account's password in {PASSWORD}.")
    host, _, port = (smtp or "").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(
            "--test-account needs --smtp HOST:PORT: where the account submits its mail."
        )
    return Offer(
        address.lower(), password, host.strip("[]"), int(port), recipient or address, announced
    )


def server_named(settings: Settings, name: str) -> MailServerSettings:
    """Return the settings of a mail server. Raises ConfigError, naming those there are."""
    for server in settings.mail_server:
        if server.name == name:
            return server
    known = ", ".join(server.name for server in settings.mail_server)
    raise ConfigError(f"There is no mail server {name!r} in the configuration. Known: {known}.")


async def drill_server(
    settings: Settings,
    server: MailServerSettings,
    test: Offer | None = None,
    *,
    said: _Said = lambda feature: None,
    watch: Callable[[Room, App], None] = lambda room, app: None,
) -> Report:
    """Play the steps that look, and with a test account those that act on it, too.

    ``watch`` is given the chat and the bot before they go.
    """
    began = time.monotonic()
    report = Report(server=server.name, account=test.address if test else None)
    try:
        async with _bot(settings, server) as (room, app), four_people(room) as people:
            await _play(report, app, people, test, said)
            report.audit = (await app.audit.verify()).sentence
            watch(room, app)
    except WRONG as error:
        report.problem = problem(error)
    report.close(time.monotonic() - began)
    return report


@contextlib.asynccontextmanager
async def _bot(settings: Settings, server: MailServerSettings) -> AsyncIterator[tuple[Room, App]]:
    """Run a bot for this server alone, with a chat and a database of its own."""
    if not isinstance(server, EmbeddedServerSettings):
        history = min(server.history_days, _HISTORY_DAYS)
        server = server.model_copy(update={"history_days": history})
    (room,) = make_rooms()
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="spoolwarden-drill-"))
        await room.start()
        stack.push_async_callback(room.stop)
        app = App(
            fixed(
                database=f"sqlite:///{Path(folder) / 'bot.db'}",
                **reaching([room]),
                mail_server=[server],
                detection=settings.detection,
                safety=settings.safety,
            )
        )
        await stack.enter_async_context(app.running())
        yield room, app


async def _play(report: Report, app: App, people: People, test: Offer | None, said: _Said) -> None:
    (server,) = app.servers
    await server.healthy()
    watched = await senders(server)
    before = await look(server, [*watched, *([test.address] if test else [])])
    real = Real(app=app, server=server, before=before, **people)

    def add(feature: Feature) -> Feature:
        report.features.append(feature)
        said(feature)
        return feature

    for step in LOOKING:
        add(await play(step, real))
    if test is not None:
        trial, as_it_was = await _trial(app, people, test)
        try:
            if add(await play(account.sends, trial)).ok:
                for act in ACTING:
                    add(await play(act, trial))
            else:
                report.problem = (
                    f"{test.address} could not send, so nothing was done with the account."
                )
        finally:
            add(await _put_back(trial, as_it_was, real))
    add(await play(looking.unchanged, real))


async def _trial(app: App, people: People, test: Offer) -> tuple[account.Trial, Account]:
    """Return the scene, and how the account is now. Raises BadArgument where that is no start."""
    (server,) = app.servers
    as_it_is = await account_as_it_is(server, test.address)
    if as_it_is is None:
        raise BadArgument(f"{test.address} is no mailbox on {server.name}. Nothing was done to it.")
    if as_it_is.state is not UserState.ACTIVE:
        raise BadArgument(
            f"{test.address} is {as_it_is.state} on {server.name}, so it cannot send. "
            "Nothing was done to it; enable it, or take another account."
        )
    mark = secrets.token_hex(4)
    subject = f"Spoolwarden drill {mark}"
    wire = Wire(
        test.host,
        test.port,
        password=test.password,
        announced=test.announced,
        tls=encryption(test.host),
    )
    trial = account.Trial(
        app=app,
        server=server,
        wire=wire,
        account=test.address,
        mine=SpoolQuery(sender=test.address, subject=subject),
        words=f'sender:{test.address} subject:"{subject}"',
        folder=f"drill-{mark}",
        visitor=None,
        recipient=test.recipient,
        subject=subject,
        **people,
    )
    return trial, as_it_is


async def _put_back(trial: account.Trial, as_it_was: Account, real: Real) -> Feature:
    """Put the account back as it was, however far the drill came."""
    lift = None if typed.ADDRESS in real.before.blocks else typed.ADDRESS

    async def put_account_back(scene: account.Trial, feature: Feature) -> None:
        done = await put_back(scene.server, as_it_was, scene.mine, lift)
        feature.asked = feature.done = True
        feature.verified = await account_as_it_is(scene.server, scene.account) == as_it_was
        feature.evidence = f"{scene.account} is {as_it_was.state} as before; " + (
            "; ".join(done) if done else "nothing was left to put back"
        )

    return await play(put_account_back, trial)
