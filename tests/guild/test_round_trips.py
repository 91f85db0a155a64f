"""What a person does and what they see of the app's answer, by the real client library."""

import discord
from discord import app_commands

from bot.guild import Guild, GuildClient
from bot.guild.reading import plain_text

from .conftest import App


async def sync(app: App, guild: Guild, group: app_commands.Group) -> None:
    home = discord.Object(int(guild.id))
    app.tree.add_command(group, guild=home)
    await app.tree.sync(guild=home)


async def test_a_command_reaches_the_app_and_its_private_answer_the_member(
    guild: Guild, app: App, otto: GuildClient, vera: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="search", description="Search")
    async def search(interaction: discord.Interaction, sender: str, page: int = 1) -> None:
        await interaction.response.send_message(f"{sender} page {page}", ephemeral=True)

    await sync(app, guild, group)
    await otto.wait_for(lambda s: s.commands)
    outcome = await otto.command("spool", "search", {"sender": "x@example.org", "page": 2})
    assert outcome.ok
    shown = await otto.wait_for(lambda s: s.last_ephemeral())
    assert plain_text(shown) == "x@example.org page 2"
    assert shown.interaction == {"user": otto.user, "name": "spool search"}
    assert not vera.state().ephemerals
