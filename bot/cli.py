"""The command line: spoolwarden demo | run | check | drill | evaluate | audit."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from bot.release import release
from bot.rooms import DEFAULT_CHATS, ROOMS, chats_named
from services.errors import ConfigError, SpoolwardenError

# The commands import what they need when they run: help should not wait for a chat library.
if TYPE_CHECKING:
    from services.audit import AuditLog, Keyring
    from services.settings import Settings

_T = TypeVar("_T")

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
audit = typer.Typer(help="Read and prove the audit log.", no_args_is_help=True)
cli.add_typer(audit, name="audit")

_CONFIG = Path("spoolwarden.toml")
_ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help=f"Default: {_CONFIG}, where there is one."),
]
_Chat = Annotated[
    str, typer.Option("--chat", help=f"{', '.join(ROOMS)}, or both: which chats it plays in.")
]
_Seed = Annotated[int, typer.Option(help="Makes people, letters and spam the same again.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a failure is a sentence on standard error."""
    try:
        cli(arguments)
    except SpoolwardenError as error:
        Console(stderr=True).print(f"[red]{escape(error.sentence)}[/]", highlight=False)
        sys.exit(1)
    except OSError as error:
        Console(stderr=True).print(f"[red]{escape(str(error))}[/]", highlight=False)
        sys.exit(1)


def _say_release(asked: bool) -> None:
    if asked:
        typer.echo(f"spoolwarden {release()}")
        raise typer.Exit


@cli.callback()
def _spoolwarden(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Say which release this is.", callback=_say_release, is_eager=True
        ),
    ] = False,
) -> None:
    """Find the compromised mail account and stop it from the channel."""


@cli.command()
def demo(
    port: Annotated[int, typer.Option(help="The page's port.")] = 8025,
    seed: _Seed = 1,
    state: Annotated[
        Path | None, typer.Option(help="Keep the spool and the log in this folder.")
    ] = None,
    reset: Annotated[bool, typer.Option(help="Forget what --state holds first.")] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in your browser.")] = True,
    chat: _Chat = DEFAULT_CHATS[0],
    language: Annotated[str, typer.Option(help="What the bot speaks, such as de.")] = "en",
) -> None:
    """See an attack and stop it: mail server, chat and bot, all on this machine."""
    from bot.demo.play import play
    from bot.demo.stage import ADA, OTTO, VERA, Plan
    from services.language import speaking, tr, voice_of

    with speaking(voice_of(language)):
        stop_label = tr("Stop sending")

    _log_to_stderr(logging.WARNING)
    console = Console(highlight=False)
    if state is not None and reset:
        _forget(state)

    def opened(urls: Sequence[str]) -> None:
        console.print()
        for url in urls:
            console.print(f"  Open [bold]{escape(url)}[/]\n", soft_wrap=True)
        console.print(
            f"  You are {OTTO.display}, operator; the page lets you be {VERA.display}, viewer, "
            f"or {ADA.display}, admin.\n"
            "  An account is about to be abused. The alert comes by itself; then press "
            f"[bold]{stop_label}[/],\n  or type /spool help. Ctrl-C ends everything.\n",
            soft_wrap=True,
        )
        if browser and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
            for url in urls:
                webbrowser.open(url)

    def say(line: str) -> None:
        console.print(f"  {escape(line)}", soft_wrap=True)

    with contextlib.ExitStack() as stack:
        folder = state or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="spoolwarden-demo-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        new = not (folder / "mail.db").exists()
        plan = Plan(
            folder,
            seed=seed,
            page_port=port,
            week=new,
            chats=chats_named(chat),
            language=language,
        )

        async def run() -> None:
            with _until_signal() as stop:
                await play(plan, say, opened, stop)

        asyncio.run(run())


@cli.command()
def run(config: _ConfigFile = None) -> None:
    """Watch the configured mail servers and answer in the configured chats."""
    from bot.app import App
    from bot.logs import set_up
    from bot.operations import operating
    from services.garbage import settle
    from services.secrets import secret_values

    settle()
    settings = _settings(config)
    how = settings.operations
    set_up(logging.getLevelNamesMapping()[how.log_level.upper()], how.log, secret_values(settings))
    app = App(settings)

    async def serve() -> None:
        with _until_signal() as stop:
            async with operating(app):
                logging.getLogger(__name__).info("running; Ctrl-C or SIGTERM stops it")
                await stop.wait()

    asyncio.run(serve())


@cli.command()
def check(config: _ConfigFile = None) -> None:
    """Test tokens, scopes, the channel, the mail server and the database; say what to do."""
    from bot.check import check as look

    _log_to_stderr(logging.ERROR)
    settings = _settings(config)
    console = Console(highlight=False)

    async def all_ok() -> bool:
        good = True
        async for finding in look(settings):
            mark = "[green]ok  [/]" if finding.ok else "[red]FIX [/]"
            console.print(f"{mark} {escape(finding.what)}: {escape(finding.says)}", soft_wrap=True)
            good &= finding.ok
        return good

    if not asyncio.run(all_ok()):
        raise typer.Exit(1)


@cli.command()
def drill(
    seed: _Seed = 1,
    chat: _Chat = DEFAULT_CHATS[0],
    json: Annotated[
        Path | None, typer.Option("--json", help="Write the report here, not to standard output.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(help="Play on this mail server of the configuration: it is only looked at."),
    ] = None,
    config: _ConfigFile = None,
    test_account: Annotated[
        str | None,
        typer.Option(
            help="With --server: act on this account, too, and put it back as it was. "
            "Its password is taken from SPOOLWARDEN_TEST_PASSWORD."
        ),
    ] = None,
    smtp: Annotated[
        str | None, typer.Option(help="HOST:PORT where the test account submits its mail.")
    ] = None,
    test_recipient: Annotated[
        str | None, typer.Option(help="Who gets the test account's mail. Default: itself.")
    ] = None,
    announce: Annotated[
        str | None,
        typer.Option(help="Tell --smtp this client address with PROXY, where it takes that."),
    ] = None,
) -> None:
    """The fire drill: every feature pressed as a member would, verified on the mail server."""
    from bot.drill.report import Feature
    from bot.drill.run import drill as play

    _log_to_stderr(logging.ERROR)
    console = Console(stderr=True, highlight=False)

    def said(feature: Feature) -> None:
        mark = "[green]ok  [/]" if feature.ok else "[red]FAIL[/]"
        told = feature.evidence if feature.ok else feature.problem or feature.evidence
        if feature.ok and feature.skipped:
            mark, told = "[yellow]skip[/]", feature.skipped
        console.print(f"{mark} {feature.name}: {escape(told)}", soft_wrap=True)

    if server is None:
        if any((config, test_account, smtp, test_recipient, announce)):
            raise ConfigError(
                "Without --server NAME the drill plays on a mail server of its own, and takes "
                "neither a configuration nor a test account."
            )
        report = asyncio.run(play(seed, chats=chats_named(chat), said=said))
    else:
        from bot.drill.real import drill_server, offered, server_named

        settings = _settings(config)
        target = server_named(settings, server)
        test = None
        if test_account is not None:
            test = offered(settings, os.environ, test_account, smtp, test_recipient, announce)
        elif any((smtp, test_recipient, announce)):
            raise ConfigError(
                "--smtp, --test-recipient and --announce say how --test-account USER sends; "
                "name one."
            )
        report = _until_terminated(drill_server(settings, target, test, said=said))
    if report.problem:
        console.print(f"[red]{escape(report.problem)}[/]", soft_wrap=True)
    if json is None:
        typer.echo(report.as_json())
    else:
        json.write_text(report.as_json() + "\n", "utf-8")
    if not report.ok:
        raise typer.Exit(1)


@cli.command()
def evaluate(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(help="Files of labelled traffic, or names of shipped scenarios. All."),
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    generate: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Write a shipped scenario to standard output instead."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Only this seed. Default: the odd, held-out ones.")
    ] = None,
    tuning: Annotated[
        bool, typer.Option("--tuning", help="The even seeds, which the detector was tuned on.")
    ] = False,
    origins: Annotated[
        bool,
        typer.Option(
            "--origins",
            help="Shipped scenarios with the country and the network's owner of each address, "
            "as where the two databases are given.",
        ),
    ] = False,
    server: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="Tell the detector what such a mail server tells: embedded, postfix, "
            "smartermail, or any (neither recipients, outcomes nor failed logins).",
        ),
    ] = "embedded",
) -> None:
    """Replay labelled traffic through the detector: how soon, how sure, how many false alarms."""
    from rich.table import Table

    from services.detection.evaluate import holding, traffic_file
    from services.detection.evaluate import scenarios as shipped
    from services.detection.evaluate.replay import Server, replay
    from services.detection.evaluate.report import HEAD, Evaluation
    from services.garbage import settle
    from services.settings import ContainmentSettings

    settle()
    try:
        kind = Server(server)
    except ValueError:
        kinds = ", ".join(Server)
        raise ConfigError(f"There is no kind of mail server {server!r}. Known: {kinds}.") from None
    if generate is not None:
        made = shipped.generate(generate, seed or 0, origins=origins)
        traffic_file.write(made, sys.stdout.buffer)
        return
    several = shipped.TUNING_SEEDS if tuning else shipped.HELD_OUT_SEEDS
    seeds = several if seed is None else (seed,)
    told = Console(stderr=True, highlight=False)
    replays = []
    for name in scenarios or list(shipped.KINDS):
        if name not in shipped.KINDS and Path(name).exists():
            runs = [traffic_file.read(Path(name))]
        else:
            own = seeds[:1] if name in shipped.ONE_SEED else seeds
            runs = [shipped.generate(name, one, origins=origins) for one in own]
        for run in runs:
            told.print(f"{escape(run.name)}, seed {run.seed} ...")
            replays.append(replay(run, server=kind))
    found = Evaluation(replays)
    table = Table(*HEAD)
    for row in found.table():
        table.add_row(*map(escape, row), end_section=row[0] == "all")
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(table)
    usual = ContainmentSettings().confidence
    held = Table(*holding.HEAD, title=f"Containment, were it on, at {usual:g}% and others")
    for row in found.held_table(usual):
        held.add_row(*map(escape, row))
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(held)
    as_good = found.beaten()
    typer.echo(
        f"Seeds {', '.join(sorted({str(one.seed) for one in replays}))}. Fixed limits that are "
        f"as good on both sides at once: {', '.join(map(str, as_good)) or 'none'}."
    )
    if json is not None:
        json.write_text(dumps(found.as_dict(), indent=1) + "\n", "utf-8")


@audit.command()
def verify(
    config: _ConfigFile = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="NUMBER:HASH, or the pasted line from the channel: still held? Repeat."),
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option(help="A file of archived entries, checked together with the log."),
    ] = None,
    files: Annotated[
        list[Path] | None, typer.Argument(help="More such files.", metavar="[FILE]...")
    ] = None,
    key_file: Annotated[
        list[Path] | None,
        typer.Option(help="A key that entries are sealed with, beside the configured. Repeat."),
    ] = None,
) -> None:
    """Prove the log whole, or name its first bad entry.

    The exit status is 0 if it is proved, 1 if it is not, and 3 if it is whole as far as
    could be checked.
    """
    from services.audit import Anchor, keyring
    from services.audit.keys import key_in

    anchors = [noted for text in anchor or () for noted in Anchor.in_text(text)]
    keys = keyring(_settings(config).audit).adding(map(key_in, key_file or ()))
    archives = [*(archive or ()), *(files or ())]
    verdict = asyncio.run(_read_log(config, lambda log: log.verify(anchors, archives), keys))
    typer.echo(verdict.sentence)
    if verdict.broken_at is not None:
        raise typer.Exit(1)
    if verdict.unchecked:
        raise typer.Exit(3)


@audit.command()
def show(
    config: _ConfigFile = None,
    last: Annotated[int, typer.Option(min=1, help="How many entries.")] = 50,
) -> None:
    """Print the newest entries, oldest of them first."""
    from bot.elements import visible

    for entry in reversed(asyncio.run(_read_log(config, lambda log: log.newest(last)))):
        typer.echo(
            visible(
                f"{entry.seq}  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.phase:8}  {entry.action}  "
                f"{entry.actor_name} ({entry.actor})  {entry.subject}"
            )
        )


@audit.command()
def export(
    config: _ConfigFile = None,
    format: Annotated[
        Literal["jsonl", "csv", "syslog"], typer.Option(help="jsonl, csv, or syslog (RFC 5424)")
    ] = "jsonl",
) -> None:
    """Write every entry to standard output, hashes included."""
    from services.audit import AuditLog, Record, as_csv, as_jsonl, as_syslog

    formats: dict[str, Callable[[Record], str]] = {
        "jsonl": as_jsonl,
        "csv": as_csv,
        "syslog": partial(as_syslog, hostname=socket.gethostname()),
    }
    write_line = formats[format]

    async def write(log: AuditLog) -> None:
        first = True
        async for page in log.pages():
            for entry in page:
                if format == "csv" and first:
                    typer.echo(as_csv(entry, header=True))
                typer.echo(write_line(entry))
                first = False

    asyncio.run(_read_log(config, write))


async def _read_log(
    config: Path | None,
    read: "Callable[[AuditLog], Awaitable[_T]]",
    keys: "Keyring | None" = None,
) -> _T:
    from services.audit import NO_KEYS, AuditLog
    from services.clock import SystemClock
    from services.store import Store

    store = Store(_settings(config).database)
    try:
        await store.open(upgrading=False)
        return await read(AuditLog(store, SystemClock(), keys or NO_KEYS))
    finally:
        await store.close()


def _settings(config: Path | None) -> "Settings":
    from services.settings import load

    if config is None and not _CONFIG.exists() and "SPOOLWARDEN_MAIL_SERVER" not in os.environ:
        raise ConfigError(
            f"There is no {_CONFIG} here and no --config was given. "
            "The README shows one to start from; “spoolwarden demo” needs none."
        )
    return load(config or (_CONFIG if _CONFIG.exists() else None))


def _forget(folder: Path) -> None:
    """Remove what a demo keeps; refuse a folder that is not a demo's."""
    if not folder.exists():
        return
    if not (folder / "mail.db").exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds other things than a demo's state; nothing was removed.")
    shutil.rmtree(folder)


def _log_to_stderr(level: int) -> None:
    from bot.logs import set_up

    set_up(level)


def _until_terminated(work: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end; Ctrl-C or a termination cuts it off, and what it must put back it does."""

    async def run() -> _T:
        task = asyncio.ensure_future(work)
        with _until_signal() as stop:
            told = asyncio.ensure_future(stop.wait())
            await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
            (told if task.done() else task).cancel()
            return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise typer.Exit(1) from None


@contextlib.contextmanager
def _until_signal() -> Iterator[asyncio.Event]:
    """Give an event that Ctrl-C or a termination sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
