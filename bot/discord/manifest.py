"""The slash command as it is registered with Discord: python -m bot.discord.manifest.

Nobody has to paste it anywhere: the bot registers it by itself when it has changed.
"""

import json
import sys

from bot.discord.commands import manifest as command


def manifest() -> str:
    """Return manifest/discord.json's text."""
    return json.dumps([command()], indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(manifest())
