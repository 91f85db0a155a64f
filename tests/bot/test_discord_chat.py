"""What a Discord channel's publisher keeps in memory does not grow with every alert."""

from typing import Any, cast

from bot.discord.chat import DiscordChat
from bot.elements import Card


def test_the_names_of_threads_to_come_are_those_of_the_newest_alerts() -> None:
    chat = DiscordChat(cast(Any, None), "1")
    for number in range(5000):
        chat._named(str(number), Card(f"Alert {number}", ()))
    assert len(chat._names) == 2000
    assert chat._names["4999"] == "Alert 4999"
