"""The page on the real guild, with an unmodified discord.py client at the other end."""

import asyncio

import discord
import pytest
import yarl
from discord import app_commands, ui
from discord.gateway import DiscordWebSocket
from discord.http import Route
from playwright.async_api import Browser, expect

from bot.guild import Guild, GuildMember
from bot.hands import PATIENCE
from tests.page.conftest import WATCH

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OTTO = GuildMember("1002", "otto", "Otto Brandt", ("Operators",))


class Form(ui.Modal, title="Block an address"):
    """A modal with a field of each kind that the bot has."""

    def __init__(self) -> None:
        super().__init__()
        self.reason: ui.TextInput[Form] = ui.TextInput(custom_id="reason")
        self.scope: ui.RadioGroup[Form] = ui.RadioGroup(
            custom_id="scope",
            options=[
                discord.RadioGroupOption(label="One address", value="one"),
                discord.RadioGroupOption(label="The network", value="net"),
            ],
        )
        self.sure: ui.Checkbox[Form] = ui.Checkbox(custom_id="sure")
        self.add_item(ui.Label(text="Reason", component=self.reason))
        self.add_item(ui.Label(text="Scope", component=self.scope))
        self.add_item(ui.Label(text="Sure", component=self.sure))

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        said = f"{self.reason.value}, {self.scope.value}, {self.sure.value}"
        await interaction.response.send_message(said, ephemeral=True)


class Card(ui.LayoutView):
    """An alert's card: two buttons and a menu in a container."""

    def __init__(self, state: str) -> None:
        super().__init__(timeout=None)
        take: ui.Button[Card] = ui.Button(label="Acknowledge", custom_id="press:ack")
        block: ui.Button[Card] = ui.Button(label="Block…", custom_id="press:block")
        more: ui.Select[Card] = ui.Select(
            custom_id="pick:more",
            placeholder="More…",
            options=[discord.SelectOption(label="Snooze…", value="snooze")],
        )

        async def taken(interaction: discord.Interaction) -> None:
            await interaction.response.edit_message(view=Card("Acknowledged"))

        async def asked(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Form())

        async def picked(interaction: discord.Interaction) -> None:
            await interaction.response.send_message(f"You chose {more.values}", ephemeral=True)

        take.callback = taken  # type: ignore[method-assign]
        block.callback = asked  # type: ignore[method-assign]
        more.callback = picked  # type: ignore[method-assign]
        self.add_item(
            ui.Container(
                ui.TextDisplay(f"## 🚨 anna\\@example.com\n**{state}**"),
                ui.ActionRow(take, block),
                ui.ActionRow(more),
                accent_colour=0xED4245,
            )
        )


class App(discord.Client):
    """Posts a card with a thread once it is ready, and answers /spool search."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True))
        self.tree = app_commands.CommandTree(self)
        spool = app_commands.Group(name="spool", description="the mail server")

        @spool.command(name="search", description="find messages")
        async def search(interaction: discord.Interaction, sender: str, page: int = 1) -> None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            await interaction.followup.send(f"page {page} of {sender}", ephemeral=True)

        @search.autocomplete("sender")
        async def senders(_: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=f"{typed}nna", value="anna@example.com")]

        self.tree.add_command(spool)

    async def post(self, channel_id: str) -> None:
        channel = self.get_channel(int(channel_id))
        assert isinstance(channel, discord.TextChannel)
        self.tree.copy_global_to(guild=channel.guild)
        await self.tree.sync(guild=channel.guild)
        card = await channel.send(view=Card("Open"))
        thread = await card.create_thread(name="anna@example.com")
        await thread.send("Its *first* line")


async def test_a_person_presses_fills_types_and_sees_the_app_answer(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    guild = Guild(members=(OTTO,), roles=("Operators",), channels=("mail-ops",))
    await guild.start()
    monkeypatch.setattr(Route, "BASE", guild.api_url)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(guild.gateway_url))
    window = await browser.new_context(reduced_motion="reduce")
    app = App()
    running = asyncio.ensure_future(app.start(guild.bot_token))
    try:
        async with asyncio.timeout(PATIENCE):
            await guild.until_app_connected()
            await app.wait_until_ready()
            await app.post(guild.channel_id("mail-ops"))
        await window.add_init_script(WATCH)
        page = await window.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        await page.goto(f"{guild.page_url}&as={OTTO.id}")
        await expect(page.locator("#app-state")).to_contain_text("is online")
        card = page.locator(".container")
        await card.get_by_role("button", name="Acknowledge").click()
        await expect(card).to_contain_text("Acknowledged")
        await card.get_by_role("button", name="More…").click()
        await page.get_by_role("option", name="Snooze…").click()
        await expect(page.locator(".ephemeral")).to_contain_text("You chose ['snooze']")
        await card.get_by_role("button", name="Block…").click()
        dialog = page.get_by_role("dialog", name="Block an address")
        await dialog.get_by_role("button", name="Submit").click()
        await expect(dialog.get_by_role("alert").first).to_be_visible()
        await dialog.get_by_role("textbox", name="Reason").fill("spam")
        await dialog.get_by_role("radio", name="The network").check()
        await dialog.get_by_role("checkbox", name="Sure").check()
        await dialog.get_by_role("button", name="Submit").click()
        await expect(page.locator("#log")).to_contain_text("spam, net, True")
        await page.locator("#composer textarea").fill("/spool search ")
        await page.keyboard.type("a")
        await page.get_by_role("option", name="anna").click()
        await page.keyboard.type("page:2")
        await page.keyboard.press("Enter")
        await expect(page.locator("#log")).to_contain_text("page 2 of anna@example.com")
        await page.locator(".thread-chip").click()
        await expect(page.locator("#thread-log")).to_contain_text("Its first line")
        await page.locator("#thread-composer textarea").fill("over to you")
        await page.keyboard.press("Enter")
        await expect(page.locator("#thread-log")).to_contain_text("over to you")
        assert await page.evaluate("window.violations") == []
    finally:
        await window.close()
        await app.close()
        await asyncio.gather(running, return_exceptions=True)
        await guild.stop()
