"""Interactions answered too late, twice, wrongly, or never."""

import asyncio

import discord
import pytest
from discord import app_commands, ui

from bot.guild import Guild, GuildClient, ManualClock
from bot.guild.reading import plain_text

from .conftest import App, Raw


class Form(ui.Modal, title="A form"):
    """Has one field."""

    name = ui.Label[ui.Modal](text="Name", component=ui.TextInput(custom_id="name"))


@pytest.fixture
async def pressed(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> discord.Interaction:
    view = ui.LayoutView()
    view.add_item(ui.ActionRow(ui.Button(label="Go", custom_id="press:1")))
    await channel.send(view=view)
    await otto.press(await otto.wait_for(lambda s: s.last()), "Go")
    return await app.next_interaction()


async def test_an_answer_after_three_seconds_comes_too_late(
    guild: Guild, clock: ManualClock, pressed: discord.Interaction, otto: GuildClient
) -> None:
    clock.advance(3)
    with pytest.raises(discord.NotFound) as late:
        await pressed.response.send_message("Late")
    assert late.value.code == 10062
    await otto.wait_for(lambda s: s.notices == ("This interaction failed",))
    assert await guild.until_answered(str(pressed.id)) is None


async def test_an_answer_just_in_time_is_taken(
    clock: ManualClock, pressed: discord.Interaction, otto: GuildClient
) -> None:
    clock.advance(2.99)
    await pressed.response.send_message("In time", ephemeral=True)
    await otto.wait_for(lambda s: s.last_ephemeral())
    clock.advance(1)
    assert otto.state().notices == ()


async def test_a_command_not_answered_says_so(
    guild: Guild, app: App, clock: ManualClock, otto: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="silent", description="Silent")
    async def silent(interaction: discord.Interaction) -> None: ...

    home = discord.Object(int(guild.id))
    app.tree.add_command(group, guild=home)
    await app.tree.sync(guild=home)
    await otto.command("spool", "silent")
    await app.next_interaction()
    clock.advance(3)
    await otto.wait_for(lambda s: s.notices == ("The application did not respond",))


async def test_the_second_answer_is_refused(
    guild: Guild, pressed: discord.Interaction, raw: Raw
) -> None:
    await pressed.response.defer()
    path = f"/interactions/{pressed.id}/{pressed.token}/callback"
    status, answer = await raw("POST", path, json={"type": 6})
    assert (status, answer) == (
        400,
        {"code": 40060, "message": "Interaction has already been acknowledged."},
    )


async def test_a_wrong_token_names_no_interaction(
    guild: Guild, pressed: discord.Interaction, raw: Raw
) -> None:
    status, answer = await raw("POST", f"/interactions/{pressed.id}/wrong/callback", json={})
    assert status == 404
    assert answer["code"] == 10062  # type: ignore[index]


async def test_follow_ups_end_with_the_token(
    clock: ManualClock, pressed: discord.Interaction, otto: GuildClient
) -> None:
    await pressed.response.send_message("First", ephemeral=True)
    clock.advance(14 * 60)
    await pressed.followup.send("Still", ephemeral=True)
    clock.advance(60)
    with pytest.raises(discord.HTTPException) as late:
        await pressed.followup.send("Late", ephemeral=True)
    assert late.value.code == 50027
    with pytest.raises(discord.HTTPException) as later:
        await pressed.edit_original_response(content="Late")
    assert later.value.code == 50027


async def test_nothing_can_be_followed_up_before_the_first_answer(
    guild: Guild, pressed: discord.Interaction, raw: Raw
) -> None:
    with pytest.raises(discord.NotFound) as early:
        await pressed.followup.send("Early")
    assert early.value.code == 10015
    way = f"/webhooks/{guild.application_id}/{pressed.token}/messages/@original"
    assert (await raw("PATCH", way, json={"content": "x"}))[0] == 404
    assert (await raw("GET", f"/webhooks/1/{pressed.token}/messages/@original"))[0] == 404
    assert (await raw("GET", f"/webhooks/{guild.application_id}/nothing/messages/1"))[0] == 401


async def test_a_deferred_answer_never_filled_is_given_up_at_the_tokens_end(
    guild: Guild, clock: ManualClock, pressed: discord.Interaction, otto: GuildClient
) -> None:
    await pressed.response.defer(thinking=True, ephemeral=True)
    await otto.wait_for(lambda s: (m := s.last_ephemeral()) and m.thinking)
    await clock.until_asleep(1)
    clock.advance(15 * 60)
    await otto.wait_for(lambda s: s.notices == ("The application did not respond",))
    await otto.wait_for(lambda s: (m := s.last_ephemeral()) and not m.thinking)


async def test_a_modal_not_answered_stays_open_and_can_be_sent_again(
    guild: Guild,
    app: App,
    clock: ManualClock,
    pressed: discord.Interaction,
    otto: GuildClient,
) -> None:
    await pressed.response.send_modal(Form(custom_id="form:1"))
    modal = await otto.wait_for(lambda s: s.modal)
    assert (await otto.submit(modal, {"name": "x"})).ok
    assert (await otto.submit(modal, {"name": "x"})).error == "It is being submitted."
    await app.next_interaction()
    clock.advance(3)
    await otto.wait_for(lambda s: s.modal_failed == "Something went wrong. Try again.")
    assert (await otto.submit(modal, {"name": "y"})).ok
    again = await app.next_interaction()
    await again.response.defer()
    await otto.wait_for(lambda s: s.modal is None)


async def test_a_modal_can_not_answer_a_modal(
    guild: Guild, app: App, pressed: discord.Interaction, otto: GuildClient, raw: Raw
) -> None:
    await pressed.response.send_modal(Form(custom_id="form:1"))
    await otto.submit(await otto.wait_for(lambda s: s.modal), {"name": "x"})
    submitted = await app.next_interaction()
    path = f"/interactions/{submitted.id}/{submitted.token}/callback"
    data = Form(custom_id="form:2").to_dict()
    status, answer = await raw("POST", path, json={"type": 9, "data": data})
    assert status == 400
    assert answer["errors"]["type"]["_errors"][0]["code"] == "BASE_TYPE_CHOICES"  # type: ignore[index]
    await submitted.response.send_message("So be it", ephemeral=True)


@pytest.mark.parametrize(
    "callback",
    [
        {"type": 1},
        {"type": 8, "data": {"choices": []}},
        {"type": 4},
        {"type": 9, "data": {"custom_id": "x", "title": "x", "components": []}},
        {"type": 5, "data": {"flags": 4}},
        {"type": 4, "data": {"content": "x", "colour": 1}},
        {"kind": 4},
    ],
)
async def test_a_malformed_answer_is_refused_and_a_right_one_still_taken(
    guild: Guild,
    pressed: discord.Interaction,
    otto: GuildClient,
    raw: Raw,
    callback: dict[str, object],
) -> None:
    path = f"/interactions/{pressed.id}/{pressed.token}/callback"
    status, answer = await raw("POST", path, json=callback)
    assert status == 400
    assert answer["code"] == 50035  # type: ignore[index]
    await pressed.response.send_message("Right", ephemeral=True)
    await otto.wait_for(lambda s: s.last_ephemeral())


async def test_the_first_answer_says_what_came_of_it(
    guild: Guild, pressed: discord.Interaction, otto: GuildClient
) -> None:
    said = await pressed.response.send_message("Hello", ephemeral=True)
    assert said.message_id is not None
    shown = await otto.wait_for(lambda s: s.last_ephemeral())
    assert str(said.message_id) == shown.id
    call = guild.journal.of("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
    assert call[0].parameters == {"interaction_id": str(pressed.id)}  # never the token


async def test_an_answer_for_a_message_deleted_meanwhile_is_unknown_message(
    guild: Guild, pressed: discord.Interaction
) -> None:
    assert pressed.message is not None
    guild.faults.delete_message(guild.channel_id("mail-ops"), str(pressed.message.id))
    view = ui.LayoutView()
    view.add_item(ui.TextDisplay("Gone"))
    with pytest.raises(discord.NotFound) as gone:
        await pressed.response.edit_message(view=view)
    assert gone.value.code == 10008


async def test_too_many_suggestions_are_refused(
    guild: Guild, app: App, otto: GuildClient, raw: Raw
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")

    @group.command(name="show", description="Show")
    async def show(interaction: discord.Interaction, sender: str) -> None: ...

    @show.autocomplete("sender")
    async def senders(
        interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        path = f"/interactions/{interaction.id}/{interaction.token}/callback"
        for count, status in ((26, 400), (25, 204)):
            choices = [{"name": f"{n}", "value": f"{n}"} for n in range(count)]
            got, _ = await raw("POST", path, json={"type": 8, "data": {"choices": choices}})
            assert got == status
        return []

    home = discord.Object(int(guild.id))
    app.tree.add_command(group, guild=home)
    await app.tree.sync(guild=home)
    assert len(await otto.complete("spool", "show", "sender")) == 25


async def test_suggestions_that_do_not_come_fail(
    guild: Guild, app: App, clock: ManualClock, otto: GuildClient
) -> None:
    group = app_commands.Group(name="spool", description="Look at the spool")
    asked = asyncio.Event()

    @group.command(name="show", description="Show")
    async def show(interaction: discord.Interaction, sender: str) -> None: ...

    @show.autocomplete("sender")
    async def senders(
        interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        asked.set()
        await asyncio.Event().wait()
        return []

    home = discord.Object(int(guild.id))
    app.tree.add_command(group, guild=home)
    await app.tree.sync(guild=home)
    asking = asyncio.ensure_future(otto.complete("spool", "show", "sender"))
    await asked.wait()
    clock.advance(3)
    assert await asking == ()


async def test_a_public_answer_is_a_message_of_the_channel(
    guild: Guild, pressed: discord.Interaction, otto: GuildClient, channel: discord.TextChannel
) -> None:
    await pressed.response.send_message("For all")
    await otto.wait_for(lambda s: (m := s.last()) and m.content == "For all")
    message = await pressed.original_response()
    fetched = await channel.fetch_message(message.id)
    assert fetched.interaction_metadata is not None
    assert fetched.interaction_metadata.interacted_message_id is not None
    assert plain_text(otto.state().messages[-1]) == "For all"


async def test_a_private_answer_is_unknown_to_the_channels_endpoints(
    guild: Guild, pressed: discord.Interaction, channel: discord.TextChannel, raw: Raw
) -> None:
    await pressed.response.send_message("Private", ephemeral=True)
    message = await pressed.original_response()
    with pytest.raises(discord.NotFound) as unknown:
        await channel.fetch_message(message.id)
    assert unknown.value.code == 10008
