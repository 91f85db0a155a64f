"""Configurations that name the mail servers of the tests, and how those servers are."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.mail.port import Block, MailServer, Message, SpoolQuery, UserState
from services.settings import Settings, fixed
from tests.mail.postfix_harness import PostfixHarness

ANN = "ann@example.test"
BOB = "bob@example.test"
ELSEWHERE = "somebody@elsewhere.test"


def postfix_table(postfix: PostfixHarness, **changes: Any) -> dict[str, Any]:
    """Return a [[mail_server]] table for the private Postfix."""
    config = postfix.config
    return {
        "kind": "postfix",
        "name": config.name,
        "state_directory": str(config.state_directory),
        "config_directory": str(config.config_directory),
        "log": str(config.log),
        "sasldb": str(config.sasldb),
        **changes,
    }


def configured(*servers: dict[str, Any], **tables: Any) -> Settings:
    """Return settings with these mail servers."""
    return fixed(mail_server=servers, detection={"poll_seconds": 0.5}, **tables)


def config_file(folder: Path, *servers: dict[str, Any], **tables: dict[str, Any]) -> Path:
    """Write such settings as a file; return its path."""
    lines = [f'database = "sqlite:///{folder / "never.db"}"']
    named = [("[[mail_server]]", server) for server in servers]
    named += [(f"[{name}]", table) for name, table in tables.items()]
    for title, table in (*named, ("[detection]", {"poll_seconds": 0.5})):
        # A JSON string, number or list of strings is one of TOML too.
        lines += [title, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    file = folder / "spoolwarden.toml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


@dataclass(frozen=True)
class Standing:
    """All that a drill could have changed."""

    states: tuple[UserState | None, ...]
    blocks: tuple[Block, ...]
    folders: dict[str, int]
    messages: tuple[Message, ...]


async def standing(server: MailServer, *users: str) -> Standing:
    """Return how a server is."""
    found = [await server.user(user) for user in users]
    return Standing(
        tuple(None if user is None else user.state for user in found),
        tuple(await server.blocks()),
        await server.folders(),
        (await server.search(SpoolQuery(), limit=1000)).messages,
    )
