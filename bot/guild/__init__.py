"""A local, strict, Discord-compatible guild for the demo, the drill and the tests."""

from bot.guild.member import GuildClient
from bot.guild.permissions import BOT_PERMISSIONS, Permission
from bot.guild.server import Guild
from bot.guild.values import (
    Bounds,
    Call,
    ChannelSpec,
    Credentials,
    GuildIdentity,
    GuildMember,
    Role,
)
from bot.local.clock import Clock, ManualClock, RealClock

__all__ = [
    "BOT_PERMISSIONS",
    "Bounds",
    "Call",
    "ChannelSpec",
    "Clock",
    "Credentials",
    "Guild",
    "GuildClient",
    "GuildIdentity",
    "GuildMember",
    "ManualClock",
    "Permission",
    "RealClock",
    "Role",
]
