"""Buttons and menus that work whenever they are pressed, also after a restart.

All that they are stands in their custom ids: what is to happen, and an intent's id.
"""

import re
from typing import TYPE_CHECKING, Any, Protocol, Self

import discord
from discord.ui import Button, DynamicItem, Item, Select

from bot.discord.components import ASK, CANCEL, OPEN, PICK, PRESS, SUBMIT

if TYPE_CHECKING:
    from bot.discord.listeners import Listeners


class Client(Protocol):
    """A discord.Client that has our listeners."""

    listeners: "Listeners"


class Pressed(
    DynamicItem[Button[Any]],
    template=re.compile(
        rf"(?P<does>{PRESS}|{ASK}|{SUBMIT}|{OPEN}):(?P<id>[A-Za-z0-9_-]{{1,64}})"
        rf"|(?P<cancel>{CANCEL})"
    ),
):
    """Any of our buttons."""

    def __init__(self, item: Button[Any], does: str, intent_id: str) -> None:
        super().__init__(item)
        self._does = does
        self._intent_id = intent_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read what the button is."""
        if not isinstance(item, Button):
            raise TypeError(f"{match[0]} is no button")
        return cls(item, match["does"] or CANCEL, match["id"] or "")

    async def interaction_check(self, interaction: discord.Interaction) -> bool:
        """Tell whether it is this instance that answers."""
        form = self._intent_id if self._does == OPEN else None
        return await _listeners(interaction).takes(interaction, form)

    async def callback(self, interaction: discord.Interaction) -> None:
        """Answer it."""
        listeners = _listeners(interaction)
        match self._does:
            case "press":
                await listeners.pressed(interaction, self._intent_id)
            case "ask":
                await listeners.asked(interaction, self._intent_id)
            case "submit":
                await listeners.confirmed(interaction, self._intent_id)
            case "open":
                await listeners.opened(interaction, self._intent_id)
            case _:
                await listeners.cancelled(interaction)


class Picked(DynamicItem[Select[Any]], template=re.compile(rf"{PICK}:[a-z]{{1,32}}:[0-9]{{1,9}}")):
    """Any of our menus: what is picked is an intent."""

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the menu."""
        if not isinstance(item, Select):
            raise TypeError(f"{match[0]} is no menu")
        return cls(item)

    async def interaction_check(self, interaction: discord.Interaction) -> bool:
        """Tell whether it is this instance that answers."""
        return await _listeners(interaction).takes(interaction)

    async def callback(self, interaction: discord.Interaction) -> None:
        """Answer what was picked."""
        picked = self.item.values
        await _listeners(interaction).pressed(interaction, picked[0] if picked else "")


def _listeners(interaction: discord.Interaction) -> "Listeners":
    client: Any = interaction.client
    found: Listeners = client.listeners
    return found
