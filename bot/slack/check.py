"""What spoolwarden check finds out about Slack."""

from collections.abc import AsyncIterator

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.finding import Finding
from bot.slack.chat import answered, make_client
from bot.slack.manifest import PICTURES, SCOPES
from services.settings import AccessSettings, SlackSettings

_GROUP = "group:"
_SCOPES = "Slack scopes"


async def slack_findings(
    slack: SlackSettings, access: AccessSettings, *, picture: bool
) -> AsyncIterator[Finding]:
    """Look at tokens, scopes, the channel and the user groups, one finding after the other."""
    client = make_client(slack.bot_token.get_secret_value(), slack.api_url)
    yield (token := await _bot_token(client, picture=picture))
    if not token.ok and token.what != _SCOPES:
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
    listed = (*access.admins, *access.operators, *access.viewers)
    for entry in dict.fromkeys(listed):
        if entry.startswith(_GROUP):
            yield await _user_group(client, entry.removeprefix(_GROUP))


async def _bot_token(client: AsyncWebClient, *, picture: bool) -> Finding:
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        return Finding(
            False,
            "Slack bot token",
            f"Slack answers {answered(error)}. Copy it (xoxb-…) from your app's page "
            "“OAuth & Permissions”.",
        )
    except Exception as error:  # noqa: BLE001 - aiohttp raises many kinds; the sentence names it
        return Finding(False, "Slack", f"cannot be reached: {type(error).__name__}: {error}")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    granted = {scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",")}
    missing = sorted(set(SCOPES) - granted - set(() if picture else (PICTURES,)))
    if missing == [PICTURES]:
        return Finding(
            False,
            _SCOPES,
            f"{PICTURES} is missing, so alerts come without a picture. Put manifest/slack.yaml "
            "into “App Manifest”, then reinstall the app; or set picture = false in [detection].",
        )
    if missing:
        why = "; ".join(f"{scope} ({SCOPES[scope]})" for scope in missing)
        return Finding(
            False,
            _SCOPES,
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
            f"{channel}: Slack answers {answered(error)}. Take the id (C…) from the channel's "
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
            f"Slack answers {answered(error)}. Make one with connections:write under “Basic "
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
            f"Slack answers {answered(error)}; nobody has a role through it.",
        )
    return Finding(True, f"Slack user group {group}", f"{len(answer['users'])} people")
