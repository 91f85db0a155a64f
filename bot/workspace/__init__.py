"""A local, strict, Slack-compatible workspace for the demo, the drill and the tests."""

from bot.local.clock import Clock, ManualClock, RealClock
from bot.workspace.envelopes import NotAcknowledged
from bot.workspace.member import MemberClient
from bot.workspace.server import Workspace
from bot.workspace.values import (
    BOT_SCOPES,
    AppIdentity,
    Bounds,
    Call,
    ChannelSpec,
    Credentials,
    Member,
    SlashCommand,
)

__all__ = [
    "BOT_SCOPES",
    "AppIdentity",
    "Bounds",
    "Call",
    "ChannelSpec",
    "Clock",
    "Credentials",
    "ManualClock",
    "Member",
    "MemberClient",
    "NotAcknowledged",
    "RealClock",
    "SlashCommand",
    "Workspace",
]
