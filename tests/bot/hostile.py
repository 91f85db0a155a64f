"""Text that wants to be more than text, and a judge of where in a rendering it came out.

The judge knows only Block Kit: which places Slack shows as they are, and what everything
else in a rendering of ours may look like.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

ATTACKS = (
    "<!channel>",
    "<!here|here>",
    "<!everyone>",
    "<@U1>",
    "<#C1>",
    "<!subteam^S1>",
    "<!date^0^{date}^https://evil.example|x>",
    "@everyone @here @channel",
    "*bold* _italic_ ~strike~ `code` ```pre```",
    "<http://evil.example|https://bank.example>",
    "https://evil.example/login",
    "[x](https://evil.example) **b** # h ||s||",
    "javascript:alert(1)",
    "<script>alert(1)</script>",
    ":wave: :skull_and_crossbones:",
    "&lt;!channel&gt; &amp; & < >",
    '"},{"type":"mrkdwn","text":"<!channel>"',
    "press:stop",
    '["C0EVIL","stolen"]',
    "anna\u202egpj.exe",
    "a\u2066b\u2069c\u061cd\u200f",
    "\u200b\u200c\u200d\u2060\ufeff",
    "\u3164\u034f\ufe0f\u2800",
    "\ud800 \udfff \ud83d",
    "\ue000\U000f0000\uffff",
    "one\ntwo\r\nthree\u2028four\u2029five\x0bsix",
    "\x00\x07\x1b[31m\x7f\x85",
    "e" + "\u0301" * 300,
    "👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪",
    "",
    " ",
    "\n",
    "\t",
    "../../etc/passwd",
    "' OR 1=1; --",
    "x" * 300,
    "\u202e" * 3000,
)
# Twenty kilobytes each, which is far beyond what any place of a card has room for.
HUGE = ("<!channel> " * 2_000, "\u202e" * 7_000, "日\n" * 5_000)

#: What a mail sender may have written: an attack, anything at all, or both run together.
TEXTS = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(st.characters(), max_size=40),
    st.tuples(st.sampled_from(ATTACKS), st.text(st.characters(), max_size=8)).map("".join),
)
POOL_SIZE = 25
POOLS = st.lists(TEXTS, min_size=POOL_SIZE, max_size=POOL_SIZE)

# The only kinds of objects that our renderings are made of. No mrkdwn but a moment, no markdown,
# no link but to a message of ours, no user, no channel, no broadcast, no image but our own picture,
# told by its file's id.
_TYPES = {
    "image",
    "modal",
    "header",
    "section",
    "context",
    "actions",
    "input",
    "rich_text",
    "rich_text_section",
    "rich_text_list",
    "rich_text_preformatted",
    "text",
    "date",
    "link",
    "plain_text",
    "mrkdwn",
    "button",
    "static_select",
    "radio_buttons",
    "checkboxes",
    "plain_text_input",
}
_INTENT = r"iNtEnT-0_[a-z0-9_-]+"
# What each other text of a rendering may be; nothing of a sender's fits by its own choice.
_OURS = {
    "style": r"primary|danger|bullet",
    "block_id": r"buttons-\d{1,9}|row-\d{1,2}|[a-z]{1,20}",
    "action_id": r"(press|pick):(acknowledge|campaign|undo(-(acknowledge|contain|stop))?|"
    r"more|before|after|move|delete|"
    r"(stop|why|forget)-\d{1,9}|"
    r"disable|refuse|password|sessions|why|user|extend|respond|summary|file|done|again|"
    r"back|stop|enable|search|block|5m|1h|24h|users|ips|domains|again|"
    r"today|week|month|file|view|"
    r"(preview|row|address|account|unblock|extend|step)-\d{1,2})|value",
    "value": rf"{_INTENT}|[a-z0-9_-]{{1,40}}",
    "callback_id": r"form",
    "private_metadata": rf'\["C0OPS", "({_INTENT})?"\]',
    "id": r"F[A-Z0-9]{8,11}",
    "format": r"\{date_short_pretty\} \{time(_secs)?\}",
    "fallback": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC",
}
_DATE = rf"<!date\^\d+\^{_OURS['format']}\|{_OURS['fallback']}>"
# Where a text stands that is shown as it is.
_WRITTEN = {("text", "text"), ("plain_text", "text"), ("image", "alt_text")}
_LONGEST = 3000


def exposed(rendered: Any) -> list[str]:
    """Return every place where a text could be read as more than text."""
    return list(_exposed(rendered, ""))


def shown(rendered: Any) -> str:
    """Return the text that a person sees, places one after the other."""
    if isinstance(rendered, list):
        return " ".join(shown(one) for one in rendered)
    if not isinstance(rendered, dict):
        return ""
    if rendered.get("type") in ("text", "plain_text"):
        return str(rendered["text"])
    return " ".join(shown(one) for one in rendered.values())


def _exposed(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _exposed(one, f"{place}/{index}")
        return
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    if kind is not None and kind not in _TYPES:
        yield f"{place}: a {kind}"
    if kind == "plain_text" and value.get("emoji") is not False:
        yield f"{place}: emoji codes are turned into pictures"
    for name, one in value.items():
        where = f"{place}/{name}"
        if name == "type" or not isinstance(one, str):
            yield from _exposed(one, where)
        elif name == "url" and kind == "link":
            if not re.fullmatch(r"https://example\.slack\.com/archives/C0OPS/p\d{16}", one):
                yield f"{where}: {one!r:.80}"
        elif name == "text" and kind == "link":
            if not re.fullmatch(r"incident \d{1,9}", one):
                yield f"{where}: {one!r:.80}"
        elif name == "text" and kind == "mrkdwn":
            if not re.fullmatch(_DATE, one):
                yield f"{where}: {one!r:.80}"
        elif (kind, name) in _WRITTEN:
            yield from _unseen(one, where)
        elif not re.fullmatch(_OURS.get(name, "(?!)"), one):
            yield f"{where}: {one!r:.80}"


def _unseen(text: str, place: str) -> Iterator[str]:
    if len(text) > _LONGEST:
        yield f"{place}: {len(text)} characters"
    for char in text:
        if char not in "\n\t" and unicodedata.category(char) in {
            "Cc",
            "Cf",
            "Cs",
            "Co",
            "Cn",
            "Zl",
            "Zp",
        }:
            yield f"{place}: U+{ord(char):04X}"
            return
