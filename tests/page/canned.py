"""States and messages for the page: an alert as the bot posts it, and the people around it."""

from typing import Any

Json = dict[str, Any]

CHANNEL = "C01MAILOPS"
BOT = "U0BOT"
VIEWER, OPERATOR, ADMIN = "U0VIEWER", "U0OPERATOR", "U0ADMIN"
BASE = 1_764_000_000  # seconds since 1970 of the first message


def ts(number: int) -> str:
    return f"{BASE + 60 * number}.{number:06d}"


def text(words: str, **style: bool) -> Json:
    return {"type": "text", "text": words, **({"style": style} if style else {})}


def plain(words: str) -> Json:
    return {"type": "plain_text", "text": words, "emoji": False}


def mrkdwn(words: str) -> Json:
    return {"type": "mrkdwn", "text": words}


def option(words: str, value: str) -> Json:
    return {"text": plain(words), "value": value}


def rich(block_id: str, *elements: Json) -> Json:
    return {"type": "rich_text", "block_id": block_id, "elements": list(elements)}


def section(*elements: Json) -> Json:
    return {"type": "rich_text_section", "elements": list(elements)}


def message(number: int, **more: Any) -> Json:
    return {
        "channel": CHANNEL,
        "ts": ts(number),
        "user": BOT,
        "bot": True,
        "text": "",
        "blocks": [],
        "edited": False,
        "reply_count": 0,
        "ephemeral": False,
        "files": [],
        **more,
    }


def said(number: int, user: str, words: str, **more: Any) -> Json:
    return message(number, user=user, bot=False, text=words, **more)


def bars(block_id: str, title: str, rows: list[tuple[float, int, str]]) -> Json:
    parts = [text(f"{title}\n", bold=True)]
    for share, value, label in rows:
        full = max(round(share * 12), 1)
        drawn = f"{'█' * full}{'░' * (12 - full)} {share:>4.0%}"
        parts += [text(drawn, code=True), text(f"  {value:,}  "), text(f"{label}\n")]
    return rich(block_id, section(*parts))


STOP = {
    "type": "button",
    "action_id": "press:stop",
    "text": plain("Stop sending"),
    "style": "danger",
    "value": "intent-1",
    "confirm": {
        "title": plain("Stop anna.keller@example.com?"),
        "text": plain("The account can no longer send. 1,871 waiting messages are held."),
        "confirm": plain("Stop sending"),
        "deny": plain("Cancel"),
        "style": "danger",
    },
}
REVIEW = {
    "type": "button",
    "action_id": "press:review",
    "text": plain("Review messages"),
    "value": "intent-2",
}
ACKNOWLEDGE = {
    "type": "button",
    "action_id": "press:acknowledge",
    "text": plain("Acknowledge"),
    "value": "intent-3",
}
MORE = {
    "type": "static_select",
    "action_id": "pick:more",
    "placeholder": plain("More…"),
    "options": [
        option("Block 203.0.113.77", "block-1"),
        option("Move messages to a folder", "move-1"),
        option("Set a new password", "password-1"),
        option("False alarm", "false-1"),
    ],
    "confirm": {
        "title": plain("Are you sure?"),
        "text": plain("This is done at once."),
        "confirm": plain("Do it"),
        "deny": plain("Cancel"),
    },
}

ALERT_TITLE = "🚨 anna.keller@example.com is sending spam"


def alert(number: int = 4, waiting: int = 1871, **more: Any) -> Json:
    blocks: list[Json] = [
        {"type": "header", "block_id": "title", "text": plain(ALERT_TITLE)},
        rich(
            "facts",
            section(
                text(f"{waiting:,} messages", bold=True),
                text(" wait in the spool, "),
                text("2,412 were sent in the last hour", bold=True),
                text(". Usual for this account: "),
                text("9 an hour", bold=True),
                text("."),
            ),
            {
                "type": "rich_text_list",
                "style": "bullet",
                "elements": [
                    section(text("2,398 different recipients; 31 % refused")),
                    section(text("signed in from 6 networks, none of them seen before")),
                    section(
                        text("the same subject on 94 %: "),
                        text("Your parcel is waiting ✈", code=True),
                    ),
                ],
            },
        ),
        bars(
            "senders",
            "Top outbound senders, last hour",
            [
                (0.88, 2412, "anna.keller@example.com"),
                (0.06, 164, "newsletter@example.com"),
                (0.03, 82, "billing@example.com"),
                (0.02, 55, "support@example.com"),
                (0.01, 27, "h.brandt@example.com"),
            ],
        ),
        bars(
            "addresses",
            "Its addresses, and 1 more",
            [
                (0.52, 1254, "203.0.113.77"),
                (0.24, 579, "198.51.100.14"),
                (0.13, 313, "203.0.113.201"),
                (0.08, 193, "192.0.2.45"),
                (0.03, 73, "2001:db8:40::17"),
            ],
        ),
        {
            "type": "context",
            "block_id": "small",
            "elements": [plain("Incident 7 on mail-1 · open · score 96 · updated 03:14:10")],
        },
        {
            "type": "actions",
            "block_id": "buttons",
            "elements": [STOP, REVIEW, ACKNOWLEDGE, MORE],
        },
    ]
    return message(number, text=ALERT_TITLE, blocks=blocks, **more)


def modal(view_id: str = "V1", depth: int = 1) -> Json:
    return {
        "id": view_id,
        "type": "modal",
        "hash": "1",
        "depth": depth,
        "title": plain("Block an address"),
        "submit": plain("Block"),
        "close": plain("Cancel"),
        "blocks": [
            rich("about", section(text("203.0.113.77", code=True), text(" sent 1,254 of these."))),
            {
                "type": "input",
                "block_id": "scope",
                "label": plain("What to block"),
                "element": {
                    "type": "radio_buttons",
                    "action_id": "value",
                    "options": [
                        option("Only 203.0.113.77", "one"),
                        option("The network 203.0.113.0/24", "net"),
                    ],
                    "initial_option": option("Only 203.0.113.77", "one"),
                },
            },
            {
                "type": "input",
                "block_id": "days",
                "label": plain("For how long"),
                "element": {
                    "type": "static_select",
                    "action_id": "value",
                    "placeholder": plain("Choose"),
                    "options": [
                        option("1 day", "1"),
                        option("7 days", "7"),
                        option("30 days", "30"),
                    ],
                    "initial_option": option("7 days", "7"),
                },
            },
            {
                "type": "input",
                "block_id": "reason",
                "label": plain("Reason"),
                "hint": plain("It stands in the audit log."),
                "optional": True,
                "element": {"type": "plain_text_input", "action_id": "value", "max_length": 200},
            },
            {
                "type": "input",
                "block_id": "tell",
                "label": plain("Tell"),
                "optional": True,
                "element": {
                    "type": "checkboxes",
                    "action_id": "value",
                    "options": [
                        option("the channel", "channel"),
                        option("the account's owner", "owner"),
                    ],
                    "initial_options": [option("the channel", "channel")],
                },
            },
        ],
    }


def state(*messages: Json, **more: Any) -> Json:
    def person(user: str, name: str, real: str, title: str) -> Json:
        return {"id": user, "name": name, "real_name": real, "title": title, "is_bot": False}

    return {
        "team": {"id": "T1", "name": "Example Mail"},
        "me": OPERATOR,
        "members": [
            person(VIEWER, "vera", "Vera Lind", "viewer"),
            person(OPERATOR, "omar", "Omar Haddad", "operator"),
            person(ADMIN, "ada", "Ada Brandt", "admin"),
            {
                "id": BOT,
                "name": "spoolwarden",
                "real_name": "Spoolwarden",
                "title": "",
                "is_bot": True,
            },
        ],
        "channels": [{"id": CHANNEL, "name": "mail-ops"}],
        "commands": [
            {
                "command": "/spool",
                "description": "The spool now: counts, top senders, top addresses, open incidents",
                "usage_hint": "[dashboard|search|move|restore|delete|disable|enable|block|help]",
            }
        ],
        "messages": list(messages),
        "ephemerals": [],
        "view": None,
        "app": {"connected": True, "bot_user": BOT, "name": "Spoolwarden"},
        **more,
    }
