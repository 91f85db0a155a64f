"""A message's own picture: it stays with an edit, is replaced by one, and needs leave."""

import io

import discord
import pytest
from discord import ui

from bot.guild import Guild, GuildClient
from bot.guild.permissions import Permission
from bot.guild.reading import ShownMessage

from .conftest import App

PNG = b"\x89PNG\r\n\x1a\n"


def _view(name: str, words: str) -> ui.LayoutView:
    view = ui.LayoutView()
    item = discord.MediaGalleryItem(f"attachment://{name}", description=words)
    view.add_item(ui.MediaGallery(item))
    return view


def _file(name: str, content: bytes) -> discord.File:
    return discord.File(io.BytesIO(PNG + content), name)


def _edited(shown: ShownMessage | None, name: str = "a.png") -> ShownMessage | None:
    """Return a message once it was edited and has this file."""
    there = shown is not None and shown.edited and shown.files[0].filename == name
    return shown if there else None


async def test_an_edit_without_files_leaves_the_picture_and_one_with_a_file_replaces_it(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    sent = await channel.send(view=_view("a.png", "First"), file=_file("a.png", b"1"))
    await sent.edit(view=_view("a.png", "First, said anew"))
    shown = await otto.wait_for(lambda s: _edited(s.last()))
    assert [file.filename for file in shown.files] == ["a.png"]
    await sent.edit(view=_view("b.png", "Second"), attachments=[_file("b.png", b"2")])
    shown = await otto.wait_for(lambda s: _edited(s.last(), "b.png"))
    assert [await otto.file(file.url) for file in shown.files] == [PNG + b"2"]
    # What the message has no more cannot be shown by it.
    with pytest.raises(discord.HTTPException) as refused:
        await sent.edit(view=_view("a.png", "First"))
    assert (refused.value.status, refused.value.code) == (400, 50035)
    assert ".media.url: " in refused.value.text


async def test_without_leave_to_attach_neither_a_message_nor_an_edit_has_a_file(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    sent = await channel.send("Alert")
    guild.faults.take_permissions(Permission.ATTACH_FILES)
    for call in (
        channel.send("x", file=_file("a.png", b"1")),
        sent.edit(content="x", attachments=[_file("a.png", b"1")]),
    ):
        with pytest.raises(discord.Forbidden) as refused:
            await call
        assert refused.value.code == 50013
    await sent.edit(content="Without")
