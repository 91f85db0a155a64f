"""10,000 hostile senders, subjects, headers and bodies, in each chat: text, and nothing else."""

import unicodedata

from bot.discord.components import message as in_discord
from bot.slack.blocks import fallback
from bot.slack.blocks import message as in_slack

from .discord_rules import kinds, message_faults, parse, texts
from .flood import CARDS, TEXTS_A_CARD, hostile_cards

#: What our own cards are made of in Discord; all else would be of a sender's making.
OURS = {"text", "bold", "code", "header", "list", "small", "block"}
PARSED = {"mrkdwn", "link", "user", "channel", "broadcast", "usergroup", "emoji", "image"}


def test_it_is_ten_thousand() -> None:
    assert CARDS * TEXTS_A_CARD >= 10_000


def test_slack_is_given_nothing_that_it_parses() -> None:
    for card in hostile_cards(1):
        blocks = in_slack(card)
        assert not _kinds(blocks) & PARSED, card
        for line in _texts(blocks):
            assert len(line) <= 3000
            hidden = [c for c in line if c not in "\n\t" and unicodedata.category(c) in _UNSEEN]
            assert not hidden, line
        notice = fallback(card)
        assert "<" not in notice
        assert ">" not in notice
        assert len(notice) <= 4000


async def test_discord_finds_no_markup_but_ours() -> None:
    for card in hostile_cards(2):
        components = in_discord(card).to_components()  # type: ignore[no-untyped-call]
        assert not message_faults(components)
        for text in texts(components):
            assert set(kinds(parse(text))) <= OURS, text
            hidden = [c for c in text if c not in "\n\t" and unicodedata.category(c) in _UNSEEN]
            assert not hidden, text


_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if not isinstance(value, dict):
        return []
    own = [value["text"]] if isinstance(value.get("text"), str) else []
    return own + [text for one in value.values() for text in _texts(one)]


def _kinds(value: object) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_kinds, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    inner = set().union(*map(_kinds, value.values())) if value else set()
    return inner | ({value["type"]} if isinstance(value.get("type"), str) else set())
