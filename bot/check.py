"""What spoolwarden check finds out: each thing the bot needs, and what to do where it is not."""

import getpass
from collections.abc import AsyncIterator
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.chat import make_client
from bot.slack.manifest import SCOPES
from services.audit import AuditLog
from services.clock import SystemClock
from services.errors import SpoolwardenError
from services.mail.build import HostedServer, build
from services.mail.postfix.server import PostfixServer
from services.mail.smartermail.server import SmarterMailServer
from services.settings import Settings, SlackSettings
from services.store import Store

_GROUP = "group:"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``says`` tells what was found, or what to do."""

    ok: bool
    what: str
    says: str


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything that the settings name, one finding after the other."""
    yield await _database(settings)
    clock = SystemClock()
    for server_settings in settings.mail_server:
        try:
            server = build(server_settings, clock)
        except SpoolwardenError as error:
            yield Finding(False, f"mail server {server_settings.name}", error.sentence)
            continue
        async for finding in _mail_server(server):
            yield finding
    if settings.slack is None:
        yield Finding(False, "Slack", "There is no [slack] table: see the README's Slack section.")
    else:
        async for finding in _slack(settings.slack, settings):
            yield finding
    yield _people(settings)


async def _database(settings: Settings) -> Finding:
    try:
        store = Store(settings.database)
        await store.open()
        try:
            verdict = await AuditLog(store, SystemClock()).verify()
        finally:
            await store.close()
    except SpoolwardenError as error:
        return Finding(False, "database", error.sentence)
    return Finding(verdict.broken_at is None, "database", verdict.sentence)


async def _mail_server(server: HostedServer) -> AsyncIterator[Finding]:
    what = f"mail server {server.name}"
    try:
        await server.start()
    except SpoolwardenError as error:
        yield Finding(
            False, what, f"{error.sentence} If Spoolwarden is running now, stop it to check this."
        )
        return
    try:
        if isinstance(server, PostfixServer):
            async for finding in _postfix(server, what):
                yield finding
            return
        yield Finding(True, what, await server.healthy())
        if isinstance(server, SmarterMailServer):
            for probe in await server.probes():
                yield Finding(probe.ok, what, probe.says)
        able = server.capabilities
        for name in able.__dataclass_fields__:
            capability = getattr(able, name)
            if not capability.able:
                yield Finding(True, what, f"cannot {name.replace('_', ' ')}: {capability.why}")
    except SpoolwardenError as error:
        yield Finding(False, what, error.sentence)
    finally:
        await server.stop()


async def _postfix(server: PostfixServer, what: str) -> AsyncIterator[Finding]:
    """Tell what the bot can do on this Postfix, and print the lines that are missing."""
    checks = await server.check()
    for looked in checks:
        yield Finding(looked.good, what, f"{looked.what}{': ' if looked.why else ''}{looked.why}")
    if not all(looked.good for looked in checks):
        yield Finding(
            True,
            what,
            "main.cf needs these, before what already stands in each list:\n"
            f"{server.main_cf()}\n"
            "and /etc/sudoers.d/spoolwarden, where the bot does not run as root "
            '(with prefix = ["sudo", "-n"]):\n'
            f"{server.sudoers(getpass.getuser())}",
        )


async def _slack(slack: SlackSettings, settings: Settings) -> AsyncIterator[Finding]:
    client = make_client(slack.bot_token.get_secret_value(), slack.api_url)
    yield (token := await _bot_token(client))
    if not token.ok:
        return
    yield await _channel(client, slack.channel)
    if slack.mode == "socket" and slack.app_token is not None:
        yield await _app_token(slack.app_token.get_secret_value(), slack.api_url)
    if slack.mode == "http":
        yield Finding(
            True,
            "Slack over HTTP",
            f"will listen on {slack.http_host}:{slack.http_port}; Slack must reach "
            "its /slack/events through your HTTPS proxy.",
        )
    listed = (*settings.access.admins, *settings.access.operators, *settings.access.viewers)
    for entry in dict.fromkeys(listed):
        if entry.startswith(_GROUP):
            yield await _user_group(client, entry.removeprefix(_GROUP))


async def _bot_token(client: AsyncWebClient) -> Finding:
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        return Finding(
            False,
            "Slack bot token",
            f"Slack answers {_code(error)}. Copy it (xoxb-…) from your app's page "
            "“OAuth & Permissions”.",
        )
    except Exception as error:  # noqa: BLE001 - aiohttp raises many kinds; the sentence names it
        return Finding(False, "Slack", f"cannot be reached: {type(error).__name__}: {error}")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    granted = {scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",")}
    missing = sorted(set(SCOPES) - granted)
    if missing:
        why = "; ".join(f"{scope} ({SCOPES[scope]})" for scope in missing)
        return Finding(
            False,
            "Slack scopes",
            f"missing: {why}. Put manifest/slack.yaml into “App Manifest”, then reinstall the app.",
        )
    return Finding(True, "Slack bot token", f"is {answer['user']} in {answer['team']}")


async def _channel(client: AsyncWebClient, channel: str) -> Finding:
    try:
        answer = await client.conversations_info(channel=channel)
    except SlackApiError as error:
        return Finding(
            False,
            "Slack channel",
            f"{channel}: Slack answers {_code(error)}. Take the id (C…) from the channel's "
            "details, and in a private channel type /invite @Spoolwarden first.",
        )
    found = answer["channel"]
    if found.get("is_archived"):
        return Finding(False, "Slack channel", f"#{found['name']} is archived: choose another.")
    if not found.get("is_member"):
        return Finding(
            False,
            "Slack channel",
            f"The bot is not in #{found['name']}: type /invite @Spoolwarden there.",
        )
    return Finding(True, "Slack channel", f"#{found['name']}, the bot is in it")


async def _app_token(token: str, api_url: str) -> Finding:
    try:
        await AsyncWebClient(token=token, base_url=api_url).apps_connections_open(app_token=token)
    except SlackApiError as error:
        return Finding(
            False,
            "Slack app token",
            f"Slack answers {_code(error)}. Make one with connections:write under “Basic "
            "Information”, “App-Level Tokens”, and switch Socket Mode on.",
        )
    return Finding(True, "Slack app token", "opens Socket Mode connections")


async def _user_group(client: AsyncWebClient, group: str) -> Finding:
    try:
        answer = await client.usergroups_users_list(usergroup=group)
    except SlackApiError as error:
        return Finding(
            False,
            f"Slack user group {group}",
            f"Slack answers {_code(error)}; nobody has a role through it.",
        )
    return Finding(True, f"Slack user group {group}", f"{len(answer['users'])} people")


def _people(settings: Settings) -> Finding:
    access = settings.access
    if not (access.operators or access.admins):
        return Finding(
            False,
            "access",
            "Nobody is an operator or admin, so nobody can act: list user ids or "
            "group:ID in [access].",
        )
    return Finding(
        True,
        "access",
        f"{len(access.admins)} admins, {len(access.operators)} operators, "
        f"{len(access.viewers)} viewers listed",
    )


def _code(error: SlackApiError) -> str:
    return str(error.response.get("error")) if hasattr(error.response, "get") else str(error)
