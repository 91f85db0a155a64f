"""States and messages for the page: an alert as the bot sends it, and the people around it."""

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

GUILD, CHANNEL, QUIET = "900000000000000001", "900000000000000011", "900000000000000012"
APP = "900000000000000100"
VERA, OTTO, ADA = "900000000000000201", "900000000000000202", "900000000000000203"
BASE = datetime(2025, 11, 24, 16, 0, tzinfo=UTC)
STAMP = int(BASE.timestamp())
V2 = 1 << 15
RED, GREEN = 0xED4245, 0x57F287


def snowflake(number: int) -> str:
    return str(1_400_000_000_000_000_000 + number)


def message(number: int, *components: Json, **more: Any) -> Json:
    return {
        "id": snowflake(number),
        "channel_id": CHANNEL,
        "author": {"id": APP, "name": "Spoolwarden", "bot": True},
        "content": "",
        "components": list(components),
        "flags": V2 if components else 0,
        "edited": False,
        "timestamp": (BASE + timedelta(minutes=number)).isoformat(),
        "thread_id": None,
        "ephemeral": False,
        "thinking": False,
        "interaction": None,
        "attachments": [],
        **more,
    }


def said(number: int, user: str, words: str, **more: Any) -> Json:
    name = {VERA: "vera", OTTO: "otto", ADA: "ada"}[user]
    author = {"id": user, "name": name, "bot": False}
    return message(number, author=author, content=words, **more)


def text(words: str) -> Json:
    return {"type": 10, "content": words}


def button(custom_id: str, label: str, style: int = 2, **more: Any) -> Json:
    return {"type": 2, "style": style, "label": label, "custom_id": custom_id, **more}


def option(value: str, label: str, description: str | None = None, **more: Any) -> Json:
    about = {"description": description} if description else {}
    return {"value": value, "label": label, **about, **more}


def select(custom_id: str, placeholder: str, *options: Json, **more: Any) -> Json:
    return {
        "type": 3,
        "custom_id": custom_id,
        "placeholder": placeholder,
        "options": list(options),
        **more,
    }


def row(*components: Json) -> Json:
    return {"type": 1, "components": list(components)}


def section(words: str, accessory: Json) -> Json:
    return {"type": 9, "components": [text(words)], "accessory": accessory}


def rule() -> Json:
    return {"type": 14, "divider": True, "spacing": 1}


def container(*components: Json, color: int | None = RED) -> Json:
    return {"type": 17, "accent_color": color, "components": list(components)}


MORE = select(
    "pick:more:1",
    "More…",
    option("move-1", "Move messages…", "to a folder for review"),
    option("disable-1", "Disable the account…", "it still receives"),
    option("block-1", "Block 203.0.113.77…"),
    option("snooze-1", "Snooze…"),
    option("false-1", "False alarm…", "closes the incident and learns from it"),
)
STOP = button("ask:stop-1", "Stop sending", 4)
REVIEW = button("press:review-1", "Review messages")
ACKNOWLEDGE = button("press:ack-1", "Acknowledge")


def alert(waiting: int = 1204, **more: Any) -> Json:
    return message(
        4,
        container(
            text("## 🚨 anna\\@example.com sends far more than usual"),
            text("🔴 **Open**: nobody has taken this on yet."),
            text(
                f"- **{waiting:,}** messages wait in the queue, **1,950** left in the last hour\n"
                "- 1,640 recipients in an hour, 31 on an ordinary day\n"
                "- 4 addresses in 4 networks, none of them seen before\n"
                "- The same subject on 97% of them: `Invoice *overdue* 4471`"
            ),
            text(
                "**Its addresses, and 1 more**\n"
                "`203.0.113.77   ██████████████  1,312`\n"
                "`198.51.100.4   █████░░░░░░░░░    480`\n"
                "`192.0.2.211    ██░░░░░░░░░░░░    158`"
            ),
            rule(),
            row(STOP, REVIEW, ACKNOWLEDGE),
            row(MORE),
            text(f"-# Incident 7 on mx1 · opened <t:{STAMP}:f> · counted <t:{STAMP + 60}:T>"),
        ),
        thread_id=snowflake(4),
        **more,
    )


THREAD = {
    "id": snowflake(4),
    "name": "anna@example.com sends far more than usual",
    "parent_id": CHANNEL,
    "message_id": snowflake(4),
    "archived": False,
    "locked": False,
}


def thread_lines() -> list[Json]:
    """The lines of the alert's thread, the last with a button that takes the act back."""
    undo = container(
        section(
            "✔️ <@900000000000000202>: anna\\@example.com can't send; 1,204 messages are held.",
            button("ask:undo-1", "Undo"),
        ),
        text(f"-# Can be undone until <t:{STAMP + 86400}:f>."),
        color=GREEN,
    )
    return [
        message(5, text("⏳ **Otto Brandt** is disabling anna\\@example.com …"), **IN_THREAD),
        message(6, undo, **IN_THREAD),
        said(7, ADA, "Thanks. I'm calling her now.", **IN_THREAD),
    ]


IN_THREAD = {"channel_id": THREAD["id"]}


def results() -> Json:
    """What a search found, each with a button beside it."""
    lines = [
        section(
            f"**Invoice overdue {4470 + n}**\nanna\\@example.com → `someone{n}@example.net` and "
            f"{n * 7} more\n-# Deferred · 14 kB · <t:{STAMP - 60 * n}:R>",
            button(f"press:preview-{n}", "Preview"),
        )
        for n in range(1, 5)
    ]
    return message(
        9,
        container(
            text("### 1,204 messages from anna\\@example.com"),
            *lines,
            rule(),
            row(button("press:all", "Move all…", 1), button("press:next", "Next page")),
            text("-# Page 1 of 151"),
            color=0x5865F2,
        ),
        ephemeral=True,
        interaction={"user": OTTO, "name": "spool search"},
    )


def label(words: str, component: Json, description: str | None = None) -> Json:
    about = {"description": description} if description else {}
    return {"type": 18, "label": words, "component": component, **about}


def modal(modal_id: str = "M1") -> Json:
    return {
        "id": modal_id,
        "title": "Block an address",
        "interaction": "I1",
        "components": [
            text("203.0.113.77 will not reach **mx1** by SMTP any more."),
            label(
                "What to block",
                {
                    "type": 21,
                    "custom_id": "scope",
                    "required": True,
                    "options": [
                        option("one", "Only 203.0.113.77", default=True),
                        option("net", "203.0.113.0/24", "3 more addresses were seen there"),
                    ],
                },
            ),
            label(
                "For how long",
                select(
                    "days",
                    "Choose",
                    option("1", "A day"),
                    option("7", "A week", default=True),
                    option("0", "Until it is lifted"),
                ),
            ),
            label(
                "Reason",
                {"type": 4, "custom_id": "reason", "style": 2, "required": True, "max_length": 200},
                "Stands in the audit log.",
            ),
            label(
                "Tell",
                {
                    "type": 22,
                    "custom_id": "tell",
                    "required": False,
                    "options": [
                        option("channel", "The channel", default=True),
                        option("owner", "The account's owner"),
                    ],
                },
            ),
            label("I know that it may block others", {"type": 23, "custom_id": "sure"}),
        ],
    }


def spool_option(name: str, description: str, kind: int = 3, **more: Any) -> Json:
    return {"type": kind, "name": name, "description": description, "required": False, **more}


COMMANDS: list[Json] = [
    {
        "name": "spool",
        "description": "The mail server",
        "options": [
            {
                "type": 1,
                "name": "search",
                "description": "find messages in the spool and look into them",
                "options": [
                    spool_option("sender", "the sending account", autocomplete=True),
                    spool_option("subject", "words of the subject"),
                    spool_option(
                        "queue",
                        "which queue",
                        choices=[{"name": n, "value": n} for n in ("active", "deferred", "held")],
                    ),
                    spool_option("page", "which page", 4, min_value=1),
                ],
            },
            {
                "type": 1,
                "name": "stop",
                "description": "disable an account for sending and hold what it has waiting",
                "options": [
                    {**spool_option("account", "the mailbox", autocomplete=True), "required": True},
                    spool_option("server", "the mail server, where there are several"),
                ],
            },
            {"type": 1, "name": "incidents", "description": "the newest incidents", "options": []},
            {"type": 1, "name": "help", "description": "this list", "options": []},
        ],
    }
]


def state(*messages: Json, **more: Any) -> Json:
    return {
        "me": OTTO,
        "guild": {"id": GUILD, "name": "Example Mail"},
        "members": [
            {"id": VERA, "name": "vera", "display": "Vera Lindt", "roles": ["Viewers"]},
            {"id": OTTO, "name": "otto", "display": "Otto Brandt", "roles": ["Operators"]},
            {"id": ADA, "name": "ada", "display": "Ada Haddad", "roles": ["Admins"]},
        ],
        "channels": [{"id": CHANNEL, "name": "mail-ops"}, {"id": QUIET, "name": "general"}],
        "app": {"id": APP, "name": "Spoolwarden", "connected": True, "avatar": None},
        "commands": COMMANDS,
        "messages": list(messages),
        "threads": [],
        "ephemerals": [],
        "modal": None,
        **more,
    }
