"""The Slack app's manifest, made from the command table: python -m bot.slack.manifest.

Format: Slack's "App manifest reference". Written by hand as YAML, since it is
short and a YAML library is needed for nothing else at run time.
"""

import json
import sys

from bot.commands import COMMAND, COMMANDS

#: The bot token's scopes, and what each is for; spoolwarden check tests them.
SCOPES = {
    "chat:write": "post the alerts and keep them up to date",
    "commands": "answer /spool",
    "pins:write": "pin the dashboard that /spool pin puts into the channel",
    "channels:history": "after a lost answer, see whether an alert was posted",
    "groups:history": "the same in a private channel",
    "channels:read": "check that the bot is in its channel",
    "groups:read": "the same for a private channel",
    "usergroups:read": "roles by user group",
    "files:write": "put a picture on each alert",
    "users:read": "write numbers and days as each reader has them",
}
#: The one that only pictures need.
PICTURES = "files:write"


def manifest() -> str:
    """Return manifest/slack.yaml's text."""
    hints = "|".join(row.name for row in COMMANDS.values() if row.slash)
    scopes = "\n".join(f"      - {scope} # {why}" for scope, why in SCOPES.items())
    return f"""\
# Made by "make manifest" from bot/commands.py; a test holds it equal.
display_information:
  name: Spoolwarden
  description: Finds the compromised mail account and stops it from the channel.
  background_color: "#1f3a5f"
features:
  app_home:
    home_tab_enabled: true
    messages_tab_enabled: true # files come as direct messages
    messages_tab_read_only_enabled: true
  bot_user:
    display_name: Spoolwarden
    always_online: true
  slash_commands:
    - command: {COMMAND}
      description: {json.dumps(COMMANDS["dashboard"].summary[:99])}
      usage_hint: {json.dumps(f"[{hints}]"[:999])}
      should_escape: false
oauth_config:
  scopes:
    bot:
{scopes}
settings:
  event_subscriptions:
    bot_events:
      - app_home_opened # show the dashboard on the app's Home
  interactivity:
    is_enabled: true
  org_deploy_enabled: false
  socket_mode_enabled: true
  token_rotation_enabled: false
"""


if __name__ == "__main__":
    sys.stdout.write(manifest())
