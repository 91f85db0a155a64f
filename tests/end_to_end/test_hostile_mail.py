"""Mail that tries everything: the channel shows it as text, bounded, with nothing hidden."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from bot.demo.town import PASSWORD
from bot.workspace import Call

from . import hostile
from .playing import ACCOUNT, Play

#: The only elements of rich text that show text as it is, and our own time stamps.
_AS_IT_IS = {
    "text",
    "date",
    "rich_text_section",
    "rich_text_list",
    "rich_text_preformatted",
}


_STAMP = r"<!date\^\d+\^\{date_short_pretty\} \{time(_secs)?\}\|[-0-9]{10} [:0-9]{8} UTC>"


async def test_hostile_mail_is_shown_escaped_bounded_and_as_text(play: Play) -> None:
    await hostile.send("127.0.0.1", play.stage.server.port, ACCOUNT, PASSWORD, 60)
    card = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    assert "<!channel> @everyone *bold* <http://evil.example|click>" in card.text
    listed = await play.use(play.otto.press_privately, "Review messages")
    assert '→ "@everyone <!here>"@list1.invalid' in listed.text
    view = await play.otto.press_for_form(listed, "Preview")
    preview = view.text
    for said in ("<!subteam^S0OPS>", "*b* <http://evil.example|click>", "〈202E〉〈2066〉"):
        assert said in preview
    await play.otto.close(view)
    found = await play.otto.type('search subject:"<!channel> @everyone"')
    assert 'match subject:"<!channel> @everyone"' in found.text
    by_recipient = await play.otto.type('search to:"@everyone"')
    assert "Nothing in the spool matches" in by_recipient.text
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    journal = [call for call in play.workspace.journal if call.http_status == 200]
    shown = [call for call in journal if "blocks" in call.arguments or "view" in call.arguments]
    assert any("<!channel>" in str(call.arguments) for call in shown)
    for call in shown:
        _check(call)


def _check(call: Call) -> None:
    fallback = call.arguments.get("text", "")
    assert not set("<>") & set(fallback), fallback
    assert len(fallback) < 4000
    for thing in _objects([call.arguments.get("blocks"), call.arguments.get("view")]):
        # Slack parses nothing but our own time stamps.
        if thing.get("type") == "mrkdwn":
            assert re.fullmatch(_STAMP, thing["text"]), thing
        if thing.get("type") == "rich_text":
            kinds = {inner.get("type") for inner in _objects(thing["elements"]) if "type" in inner}
            assert kinds <= _AS_IT_IS, kinds
        for text in thing.values():
            if isinstance(text, str):
                assert len(text) <= 3000
                hidden = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs")}
                assert hidden <= {"\n", "\t"}, text


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
