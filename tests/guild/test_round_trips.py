"""What a person does and what they see of the app's answer, by the real client library."""

import io
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands, ui

from bot.guild import Guild, GuildClient
from bot.guild.member import GuildState
from bot.guild.reading import Place, ShownMessage, buttons, find_input, plain_text

from .conftest import App


async def sync(app: App, guild: Guild, group: app_commands.Group) -> list[app_commands.AppCommand]:
    home = discord.Object(int(guild.id))
    app.tree.add_command(group, guild=home)
    return await app.tree.sync(guild=home)


async def card(channel: discord.TextChannel, *items: ui.Item[ui.LayoutView]) -> discord.Message:
    view = ui.LayoutView()
    view.add_item(ui.Container(*items, accent_colour=discord.Colour.red()))
    return await channel.send(view=view)


def filled(state: GuildState) -> ShownMessage | None:
    """Return the newest private message once it no longer stands for an answer to come."""
    shown = state.last_ephemeral()
    return shown if shown is not None and not shown.thinking else None


# Commands


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
    assert shown.flags & 64


async def test_syncing_twice_keeps_the_commands_id(guild: Guild, app: App) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="totals", description="Totals")
    async def totals(interaction: discord.Interaction) -> None: ...

    first = await sync(app, guild, group)
    again = await app.tree.sync(guild=discord.Object(int(guild.id)))
    assert [c.id for c in first] == [c.id for c in again]
    assert [c.name for c in await app.tree.fetch_commands(guild=discord.Object(int(guild.id)))] == [
        "spool"
    ]


async def test_suggestions_come_from_the_app_while_an_option_is_typed(
    guild: Guild, app: App, otto: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="show", description="Show")
    @app_commands.describe(sender="Who sent it")
    async def show(interaction: discord.Interaction, sender: str) -> None: ...

    @show.autocomplete("sender")
    async def senders(
        interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        known = ("anna@example.org", "bert@example.org")
        return [app_commands.Choice(name=k, value=k) for k in known if current in k]

    await sync(app, guild, group)
    assert await otto.complete("spool", "show", "sender", {"sender": "ann"}) == (
        ("anna@example.org", "anna@example.org"),
    )


@pytest.mark.parametrize(
    ("sub", "options", "error"),
    [
        ("nothing", {}, "has no «nothing»"),
        ("", {}, "needs one of: move"),
        ("move", {}, "«where» is required"),
        ("move", {"where": "moon"}, "one of its choices"),
        ("move", {"where": "held", "count": 0}, "between 1 and 5"),
        ("move", {"where": "held", "count": "2"}, "right kind"),
        ("move", {"where": "held", "colour": "red"}, "no option «colour»"),
    ],
)
async def test_what_a_client_would_not_send_is_refused(
    guild: Guild, app: App, otto: GuildClient, sub: str, options: dict[str, object], error: str
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="move", description="Move")
    @app_commands.choices(where=[app_commands.Choice(name="Held", value="held")])
    async def move(
        interaction: discord.Interaction, where: str, count: app_commands.Range[int, 1, 5] = 1
    ) -> None: ...

    await sync(app, guild, group)
    outcome = await otto.command("spool", sub, options)
    assert not outcome.ok
    assert error in (outcome.error or "")
    assert app.interactions.empty()


async def test_a_command_meant_for_administrators_is_not_offered(
    guild: Guild, app: App, otto: GuildClient
) -> None:
    group = app_commands.Group(
        name="spool",
        description="Look at the spool",
        default_permissions=discord.Permissions(administrator=True),
    )

    @group.command(name="totals", description="Totals")
    async def totals(interaction: discord.Interaction) -> None: ...

    await sync(app, guild, group)
    outcome = await otto.command("spool", "totals")
    assert outcome.error == "You may not use /spool here."
    assert otto.state().commands == ()


async def test_a_deferred_answer_is_thinking_until_it_is_filled(
    guild: Guild, app: App, otto: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="slow", description="Slow")
    async def slow(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)

    await sync(app, guild, group)
    await otto.command("spool", "slow")
    interaction = await app.next_interaction()
    waiting = await otto.wait_for(lambda s: s.last_ephemeral())
    assert waiting.thinking
    await interaction.edit_original_response(content="Done")
    done = await otto.wait_for(filled)
    assert (done.id, done.content, done.edited) == (waiting.id, "Done", False)
    follow_up = await interaction.followup.send("And more", ephemeral=True, wait=True)
    more = await otto.wait_for(lambda s: s.message(str(follow_up.id)))
    assert more.ephemeral
    assert more.reply_to == done.id


async def test_the_first_follow_up_fills_a_deferred_answer(
    guild: Guild, app: App, otto: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="slow", description="Slow")
    async def slow(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.followup.send("Here")

    await sync(app, guild, group)
    await otto.command("spool", "slow")
    shown = await otto.wait_for(filled)
    assert (shown.content, shown.ephemeral) == ("Here", True)
    assert len(otto.state().ephemerals) == 1


async def test_private_answers_can_be_changed_and_taken_away(
    guild: Guild, app: App, otto: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="ask", description="Ask")
    async def ask(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Sure?", ephemeral=True)

    await sync(app, guild, group)
    await otto.command("spool", "ask")
    interaction = await app.next_interaction()
    await otto.wait_for(lambda s: s.last_ephemeral())
    await interaction.edit_original_response(content="Yes")
    await otto.wait_for(lambda s: (m := s.last_ephemeral()) and m.edited and m.content == "Yes")
    assert (await interaction.original_response()).content == "Yes"
    await interaction.delete_original_response()
    await otto.wait_for(lambda s: not s.ephemerals)
    with pytest.raises(discord.NotFound) as gone:
        await interaction.edit_original_response(content="No")
    assert gone.value.code == 10008


async def test_a_member_dismisses_a_private_message(
    guild: Guild, app: App, otto: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="hi", description="Hi")
    async def hi(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Hi", ephemeral=True)

    await sync(app, guild, group)
    await otto.command("spool", "hi")
    shown = await otto.wait_for(lambda s: s.last_ephemeral())
    assert (await otto.dismiss(shown)).ok
    await otto.wait_for(lambda s: not s.ephemerals)
    assert (await otto.dismiss(shown)).error == "That message is gone."


# Components


async def test_a_press_comes_with_its_message_and_changes_it(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    button: ui.Button[ui.LayoutView] = ui.Button(label="Close", custom_id="press:1")
    sent = await card(channel, ui.TextDisplay("Open"), ui.Separator(), ui.ActionRow(button))
    shown = await otto.wait_for(lambda s: s.last())
    assert buttons(shown) == ["Close"]
    assert (await otto.press(shown, "Close")).ok
    interaction = await app.next_interaction()
    assert interaction.message is not None
    assert interaction.message.id == sent.id
    assert interaction.data is not None
    assert interaction.data["custom_id"] == "press:1"  # type: ignore[typeddict-item]
    assert interaction.user.display_name == "Otto Brandt"
    assert [r.name for r in interaction.user.roles] == ["@everyone", "Operators"]  # type: ignore[union-attr]
    closed = ui.LayoutView()
    closed.add_item(ui.TextDisplay("Closed"))
    await interaction.response.edit_message(view=closed)
    now = await otto.wait_for(
        lambda s: m if (m := s.last()) and plain_text(m) == "Closed" else None
    )
    assert now.id == shown.id
    assert now.edited


async def test_a_press_is_acknowledged_and_followed_up(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    button: ui.Button[ui.LayoutView] = ui.Button(label="Go", custom_id="press:1")
    await card(channel, ui.ActionRow(button))
    shown = await otto.wait_for(lambda s: s.last())
    outcome = await otto.press(shown, "Go")
    interaction = await app.next_interaction()
    await interaction.response.defer()
    assert await guild.until_answered(outcome.interaction or "") == 6
    await interaction.followup.send("Privately", ephemeral=True)
    await otto.wait_for(lambda s: (m := s.last_ephemeral()) and m.content == "Privately")
    original = await interaction.original_response()
    assert str(original.id) == shown.id


async def test_a_choice_in_a_select_reaches_the_app(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    select: ui.Select[ui.LayoutView] = ui.Select(
        custom_id="pick:remedy:1",
        placeholder="What to do",
        options=[discord.SelectOption(label=w, value=w.lower()) for w in ("Hold", "Delete")],
    )
    await card(channel, ui.ActionRow(select))
    shown = await otto.wait_for(lambda s: s.last())
    assert (await otto.pick(shown, "Delete")).ok
    interaction = await app.next_interaction()
    assert interaction.data is not None
    assert interaction.data["values"] == ["delete"]  # type: ignore[typeddict-item]
    await interaction.response.defer()


async def test_what_is_not_there_can_not_be_pressed(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    off: ui.Button[ui.LayoutView] = ui.Button(label="Off", custom_id="off", disabled=True)
    select: ui.Select[ui.LayoutView] = ui.Select(
        custom_id="pick", options=[discord.SelectOption(label="One", value="1")]
    )
    await card(channel, ui.ActionRow(off), ui.ActionRow(select))
    shown = await otto.wait_for(lambda s: s.last())
    assert (await otto.press(shown, "Off")).error == "That component is disabled."
    place = next(p for p in shown.components[0]["components"] if p["components"][0]["type"] == 3)
    there = Place("pick", place["components"][0])
    assert (await otto.press(shown, there, ["2"])).error == "There is no such option."
    assert (await otto.press(shown, there, [])).error == "Choose at least 1."
    assert (await otto.press(shown, Place("nope", {}))).error == "There is no such component."
    assert app.interactions.empty()


async def test_people_and_roles_can_be_chosen(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    people: ui.UserSelect[ui.LayoutView] = ui.UserSelect(custom_id="people", max_values=2)
    roles: ui.RoleSelect[ui.LayoutView] = ui.RoleSelect(custom_id="roles")
    await card(channel, ui.ActionRow(people), ui.ActionRow(roles))
    shown = await otto.wait_for(lambda s: s.last())
    assert (await otto.press(shown, Place("people", {}), ["1001", "1002"])).ok
    interaction = await app.next_interaction()
    data: Any = interaction.data
    assert data["values"] == ["1001", "1002"]
    assert data["resolved"]["users"]["1001"]["global_name"] == "Vera Viewer"
    assert data["resolved"]["members"]["1002"]["roles"] == [guild.role_id("Operators")]
    assert (await otto.press(shown, Place("roles", {}), [guild.role_id("Viewers")])).ok
    data = (await app.next_interaction()).data
    assert data["resolved"]["roles"][guild.role_id("Viewers")]["name"] == "Viewers"
    assert (await otto.press(shown, Place("roles", {}), ["4711"])).error == (
        "There is no such option."
    )


async def test_a_command_in_a_group_and_one_that_takes_a_person(
    guild: Guild, app: App, otto: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")
    inner = app_commands.Group(name="role", description="Roles", parent=group)

    @inner.command(name="of", description="Whose")
    async def of(interaction: discord.Interaction, person: discord.Member) -> None:
        await interaction.response.send_message(person.display_name, ephemeral=True)

    await sync(app, guild, group)
    assert (await otto.command("spool", "role of", {"person": "1001"})).ok
    await otto.wait_for(lambda s: (m := s.last_ephemeral()) and m.content == "Vera Viewer")
    refused = await otto.command("spool", "role of", {"person": "4711"})
    assert refused.error == "«person» names nobody and nothing."


# Modals


class Form(ui.Modal, title="Move messages"):
    """Has one of each kind of field."""

    intro: ui.TextDisplay[ui.LayoutView] = ui.TextDisplay("What happens next")
    reason = ui.Label[ui.Modal](
        text="Reason", component=ui.TextInput(custom_id="reason", min_length=3, max_length=20)
    )
    where = ui.Label[ui.Modal](
        text="Where to",
        description="One of these",
        component=ui.RadioGroup(
            custom_id="where",
            options=[
                discord.RadioGroupOption(label="Held", value="held", default=True),
                discord.RadioGroupOption(label="Quarantine", value="quarantine"),
            ],
        ),
    )
    also = ui.Label[ui.Modal](
        text="Also",
        component=ui.CheckboxGroup(
            custom_id="also",
            required=False,
            min_values=0,
            max_values=2,
            options=[
                discord.CheckboxGroupOption(label="Tell", value="tell"),
                discord.CheckboxGroupOption(label="Block", value="block"),
            ],
        ),
    )
    until = ui.Label[ui.Modal](
        text="Until",
        component=ui.Select(
            custom_id="until", options=[discord.SelectOption(label="Friday", value="fri")]
        ),
    )


async def open_form(
    app: App, channel: discord.TextChannel, otto: GuildClient
) -> discord.Interaction:
    button: ui.Button[ui.LayoutView] = ui.Button(label="Move", custom_id="open:move")
    await card(channel, ui.TextDisplay("Alert"), ui.ActionRow(button))
    shown = await otto.wait_for(lambda s: s.last())
    await otto.press(shown, "Move")
    interaction = await app.next_interaction()
    await interaction.response.send_modal(Form(custom_id="form:move"))
    return interaction


async def test_a_modal_is_filled_in_and_its_values_come_by_custom_id(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    await open_form(app, channel, otto)
    modal = await otto.wait_for(lambda s: s.modal)
    assert modal.title == "Move messages"
    assert "What happens next" in plain_text(modal)
    assert find_input(modal, "Where to").custom_id == "where"
    assert (
        await otto.submit(
            modal, {"reason": "too many", "also": ["tell", "block"], "until": ["fri"]}
        )
    ).ok
    interaction = await app.next_interaction()
    assert interaction.type is discord.InteractionType.modal_submit
    assert interaction.message is not None
    data: Any = interaction.data
    assert data["custom_id"] == "form:move"
    inputs = {
        c["component"]["custom_id"]: c["component"].get("value", c["component"].get("values"))
        for c in data["components"]
        if c["type"] == 18
    }
    assert inputs == {
        "reason": "too many",
        "where": "held",
        "also": ["tell", "block"],
        "until": ["fri"],
    }
    assert otto.state().modal is not None  # it stays until the app answers
    await interaction.response.send_message("Moved", ephemeral=True)
    await otto.wait_for(lambda s: s.modal is None and s.last_ephemeral() is not None)


async def test_a_modal_from_a_message_may_change_that_message(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    await open_form(app, channel, otto)
    modal = await otto.wait_for(lambda s: s.modal)
    await otto.submit(modal, {"reason": "because", "until": ["fri"]})
    interaction = await app.next_interaction()
    view = ui.LayoutView()
    view.add_item(ui.TextDisplay("Moved"))
    await interaction.response.edit_message(view=view)
    await otto.wait_for(lambda s: (m := s.last()) and plain_text(m) == "Moved")


async def test_a_client_checks_what_is_entered_before_it_submits(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    await open_form(app, channel, otto)
    modal = await otto.wait_for(lambda s: s.modal)
    outcome = await otto.submit(
        modal, {"reason": "ab", "where": "moon", "also": ["tell", "tell"], "until": [], "x": "y"}
    )
    assert not outcome.ok
    assert set(outcome.errors) == {"reason", "where", "also", "until", "x"}
    assert app.interactions.empty()
    assert (await otto.close(modal)).ok
    await otto.wait_for(lambda s: s.modal is None)
    assert (await otto.submit(modal, {})).error == "That modal is closed."


# Messages, threads, files


async def test_a_message_is_changed_pinned_and_deleted(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    sent = await channel.send("Hello")
    await sent.edit(content="Hello again")
    await otto.wait_for(lambda s: (m := s.last()) and m.content == "Hello again" and m.edited)
    await sent.pin()
    assert [m.id async for m in channel.pins()] == [sent.id]
    await sent.unpin()
    assert [m.id async for m in channel.pins()] == []
    fetched = await channel.fetch_message(sent.id)
    assert fetched.content == "Hello again"
    await sent.delete()
    await otto.wait_for(lambda s: s.message(str(sent.id)) is None)


async def test_history_is_read_newest_first_and_by_page(
    guild: Guild, app: App, channel: discord.TextChannel
) -> None:
    sent = [await channel.send(f"{n}") for n in range(5)]
    assert [m.content async for m in channel.history(limit=2)] == ["4", "3"]
    assert [m.content async for m in channel.history(before=sent[2])] == ["1", "0"]
    assert [m.content async for m in channel.history(after=sent[2])] == ["3", "4"]


async def test_a_thread_starts_from_a_message_and_takes_lines(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    sent = await channel.send("Alert")
    thread = await sent.create_thread(name="Incident 1", auto_archive_duration=1440)
    assert thread.id == sent.id
    await thread.send("First line")
    await otto.wait_for(lambda s: s.thread(str(thread.id)) or None)
    state = otto.state()
    assert [t.name for t in state.threads] == ["Incident 1"]
    assert [m.content for m in state.thread(str(thread.id))] == ["First line"]
    assert state.last() is not None
    assert state.last().thread == str(thread.id)  # type: ignore[union-attr]
    assert [t.id for t in (await channel.guild.active_threads())] == [thread.id]
    with pytest.raises(discord.HTTPException) as twice:
        await sent.create_thread(name="Again")
    assert twice.value.code == 160004


async def test_a_press_in_a_thread_comes_with_the_thread_as_its_channel(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    sent = await channel.send("Alert")
    thread = await sent.create_thread(name="Incident 1")
    view = ui.LayoutView()
    view.add_item(ui.ActionRow(ui.Button(label="Undo", custom_id="press:undo")))
    await thread.send(view=view)
    line = await otto.wait_for(lambda s: next(iter(s.thread(str(thread.id))), None))
    await otto.press(line, "Undo")
    interaction = await app.next_interaction()
    assert interaction.channel is not None
    assert interaction.channel.id == thread.id
    await interaction.response.send_message("Undone", ephemeral=True)
    shown = await otto.wait_for(lambda s: s.last_ephemeral())
    assert shown.channel == str(thread.id)


async def test_an_attachment_is_shown_where_a_component_names_it(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"0" * 100
    view = ui.LayoutView()
    gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
    gallery.add_item(media="attachment://trend.png", description="The trend")
    view.add_item(gallery)
    file = discord.File(io.BytesIO(picture), "trend.png", description="The trend of today")
    sent = await channel.send(view=view, file=file)
    assert [a.filename for a in sent.attachments] == ["trend.png"]
    shown = await otto.wait_for(lambda s: s.last())
    assert shown.files[0].description == "The trend of today"
    assert await otto.file(shown.files[0].url) == picture
    assert await sent.attachments[0].read() == picture
    async with aiohttp.ClientSession() as session:
        guessed = sent.attachments[0].url.split("?")[0] + "?hm=guess"
        async with session.get(guessed) as answer:
            assert answer.status == 404


async def test_answers_and_follow_ups_take_files(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    await card(channel, ui.ActionRow(ui.Button(label="Export", custom_id="press:1")))
    await otto.press(await otto.wait_for(lambda s: s.last()), "Export")
    interaction = await app.next_interaction()
    file = discord.File(io.BytesIO(b"a,b"), "audit.csv")
    await interaction.response.send_message("Here", file=file, ephemeral=True)
    shown = await otto.wait_for(lambda s: s.last_ephemeral())
    assert await otto.file(shown.files[0].url) == b"a,b"
    more = discord.File(io.BytesIO(b"c,d"), "more.csv")
    sent = await interaction.followup.send(file=more, ephemeral=True, wait=True)
    assert await sent.attachments[0].read() == b"c,d"
    edited = await interaction.edit_original_response(attachments=[])
    assert edited.attachments == []


async def test_a_file_too_large_is_refused(
    guild: Guild, app: App, channel: discord.TextChannel
) -> None:
    big = discord.File(io.BytesIO(b"0" * (10 * 1024 * 1024 + 1)), "big.bin")
    with pytest.raises(discord.HTTPException) as refused:
        await channel.send(file=big)
    assert (refused.value.status, refused.value.code) == (413, 40005)


async def test_typing_and_joining_a_thread_need_no_body(
    guild: Guild, app: App, channel: discord.TextChannel
) -> None:
    async with channel.typing():
        thread = await (await channel.send("Alert")).create_thread(name="Incident")
    await thread.join()
    routes = {(c.method, c.path, c.status) for c in guild.journal}
    assert ("POST", "/channels/{channel_id}/typing", 204) in routes
    assert ("PUT", "/channels/{channel_id}/thread-members/@me", 204) in routes


async def test_hostile_text_mentions_nobody_when_mentions_are_not_allowed(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    sent = await channel.send(f"@everyone <@{otto.user}> <@&{guild.role_id('Operators')}>")
    assert (sent.mentions, sent.role_mentions, sent.mention_everyone) == ([], [], False)
    pinged = await channel.send(
        f"@everyone <@{otto.user}>", allowed_mentions=discord.AllowedMentions(users=True)
    )
    assert [u.id for u in pinged.mentions] == [int(otto.user)]
    assert not pinged.mention_everyone


async def test_what_a_member_says_is_seen_by_others_in_its_channel_only(
    guild: Guild, app: App, otto: GuildClient, vera: GuildClient
) -> None:
    assert (await otto.say("Good morning")).ok
    shown = await vera.wait_for(lambda s: s.last())
    assert (shown.author, shown.bot, shown.content) == ("Otto Brandt", False, "Good morning")
    assert (await otto.say("x" * 2001)).error == "A message has 1 to 2000 characters."


async def test_the_real_client_learns_the_guild_its_channels_and_roles(
    guild: Guild, app: App
) -> None:
    home = app.get_guild(int(guild.id))
    assert home is not None
    assert {c.name for c in home.text_channels} == {"mail-ops", "secret"}
    assert {r.name for r in home.roles} == {"@everyone", "Viewers", "Operators", "Spoolwarden"}
    assert home.me.id == int(guild.application_id)
    member = await home.fetch_member(1002)
    assert [r.name for r in member.roles] == ["@everyone", "Operators"]
    fetched = await app.fetch_guild(int(guild.id))
    assert fetched.name == guild.identity.name
    with pytest.raises(discord.NotFound) as stranger:
        await home.fetch_member(4711)
    assert stranger.value.code == 10007
    assert (await app.application_info()).id == int(guild.application_id)
