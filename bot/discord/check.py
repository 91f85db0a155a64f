"""What spoolwarden check finds out about Discord."""

from collections.abc import AsyncIterator

import aiohttp
import discord

from bot.discord.chat import PERMISSIONS, PICTURES, lacking
from bot.discord.client import make_client
from bot.finding import Finding
from services.settings import AccessSettings, DiscordSettings

_GROUP = "group:"


async def discord_findings(
    settings: DiscordSettings, access: AccessSettings, *, picture: bool
) -> AsyncIterator[Finding]:
    """Look at the token, the channel, the permissions and the roles, one after the other."""
    client = make_client(settings)
    try:
        await client.login(settings.bot_token.get_secret_value())
        assert client.user is not None  # noqa: S101 - logged in
        yield Finding(True, "Discord bot token", f"is {client.user.name}")
        yield Finding(True, "Discord invite link", invite_link(client.application_id or 0))
        async for finding in _places(client, settings, access, picture=picture):
            yield finding
    except discord.LoginFailure:
        yield Finding(
            False,
            "Discord bot token",
            "Discord does not accept it. Copy it from your application's page “Bot”, "
            "“Reset Token”.",
        )
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        yield Finding(
            False,
            "Discord",
            f"cannot be reached, or does not answer as it should: {type(error).__name__}: "
            f"{error}. Try again; discordstatus.com tells of outages.",
        )
    finally:
        await client.close()


def invite_link(application_id: int) -> str:
    """Return the link that adds the bot to a server with the permissions it needs, no more."""
    return discord.utils.oauth_url(
        application_id, permissions=PERMISSIONS | PICTURES, scopes=("bot", "applications.commands")
    )


async def _places(
    client: discord.Client, settings: DiscordSettings, access: AccessSettings, *, picture: bool
) -> AsyncIterator[Finding]:
    application = await client.application_info()
    if application.interactions_endpoint_url is not None:
        yield Finding(
            False,
            "Discord interactions",
            "go to an Interactions Endpoint URL, so none arrive here. Empty that field on your "
            "application's page “General Information”.",
        )
    try:
        channel = await client.fetch_channel(int(settings.channel))
    except (discord.NotFound, discord.Forbidden) as error:
        unknown = isinstance(error, discord.NotFound)
        yield Finding(
            False,
            "Discord channel",
            f"{settings.channel} is not known to Discord. Take the id of the channel with “Copy "
            "Channel ID” (Developer Mode)."
            if unknown
            else f"{settings.channel}: the bot lacks View Channel. Invite it with the link above, "
            "or grant it in the channel's settings, “Permissions”.",
        )
        return
    if not isinstance(channel, discord.TextChannel):
        yield Finding(False, "Discord channel", f"{settings.channel} is no text channel.")
        return
    guild = await client.fetch_guild(channel.guild.id)
    assert client.user is not None  # noqa: S101 - logged in
    me = await guild.fetch_member(client.user.id)
    for found in await guild.fetch_channels():
        if found.id == channel.id:
            granted = found.permissions_for(me)
            missing = lacking(granted)
            yield Finding(
                not missing,
                "Discord channel",
                f"#{found.name}: the bot lacks {missing}. Grant it in the channel's settings, "
                "“Permissions”, or invite the bot again with the link above."
                if missing
                else f"#{found.name} of {guild.name}, with all that the bot needs",
            )
            if picture and not missing and not granted.is_superset(PICTURES):
                yield Finding(
                    False,
                    "Discord pictures",
                    f"#{found.name}: the bot lacks Attach Files, so alerts come without a picture. "
                    "Grant it in the channel's settings, “Permissions”, or set picture = false in "
                    "[detection].",
                )
    roles = {str(role.id): role.name for role in guild.roles}
    listed = (*access.admins, *access.operators, *access.viewers)
    for entry in dict.fromkeys(listed):
        group_id = entry.removeprefix(_GROUP)
        if entry.startswith(_GROUP) and group_id.isdecimal():
            name = roles.get(group_id)
            yield Finding(
                name is not None,
                f"Discord role {group_id}",
                f"is {name}" if name else f"{guild.name} has no such role; it gives nobody a role.",
            )
