"""A person at the chat: reads the channel, types, presses and fills in, and nothing else."""

from collections.abc import Callable
from typing import TypeVar

from bot.commands import COMMAND
from bot.workspace import MemberClient
from bot.workspace.checks.layout import elements_of
from bot.workspace.member import MemberState, Outcome
from bot.workspace.reading import NotShown, Place, ShownMessage, ShownView, plain_text

_T = TypeVar("_T")
#: Seconds that a person waits for an answer before calling it broken.
PATIENCE = 15.0


class Unexpected(AssertionError):
    """What came back is not what a person would expect; the text says what it was."""


class Hands:
    """One member. Every answer it returns is one that was not there before it asked."""

    def __init__(self, client: MemberClient) -> None:
        self._client = client
        self.user = client.user

    async def wait(self, predicate: Callable[[MemberState], _T | None]) -> _T:
        """Return the predicate's first value, as the channel changes."""
        return await self._client.wait_for(predicate, timeout=PATIENCE)

    async def alert(self, account: str) -> ShownMessage:
        """Return the card of an account's incident: the newest message that names it on top."""

        def newest(state: MemberState) -> ShownMessage | None:
            cards = [m for m in state.messages if _is_card(m) and account in _title(m)]
            return cards[-1] if cards else None

        return await self.wait(newest)

    async def card_with(self, account: str, text: str) -> ShownMessage:
        """Return an account's card once it shows ``text``."""

        def shows(state: MemberState) -> ShownMessage | None:
            for message in reversed(state.messages):
                if _is_card(message) and account in _title(message):
                    return message if text in plain_text(message) else None
            return None

        return await self.wait(shows)

    async def line(self, card: ShownMessage, text: str, *, after: int = 0) -> ShownMessage:
        """Return the first line past the first ``after`` of a card's thread that holds ``text``."""
        return await self.wait(
            lambda state: next(
                (m for m in state.thread(card.ts)[after:] if text in plain_text(m)), None
            )
        )

    def lines(self, card: ShownMessage) -> int:
        """Return how many lines a card's thread has now."""
        return len(self._client.state().thread(card.ts))

    async def type(self, text: str) -> ShownMessage:
        """Type a command that answers with a private message; return that."""
        seen = self._client.state().ephemerals
        _taken(await self._client.command(f"{COMMAND} {text}".strip()))
        return await self.wait(lambda s: next((m for m in s.ephemerals if m not in seen), None))

    async def type_for_form(self, text: str) -> ShownView:
        """Type a command that asks back with a form; return that."""
        _taken(await self._client.command(f"{COMMAND} {text}"))
        return await self.wait(_window)

    async def press(self, shown: ShownMessage | ShownView, label: str | Place) -> None:
        """Press a button."""
        _taken(await self._client.press(shown, label))

    async def press_privately(self, shown: ShownMessage, label: str) -> ShownMessage:
        """Press a button that answers with a private message; return that."""
        seen = self._client.state().ephemerals
        await self.press(shown, label)
        return await self.wait(lambda s: next((m for m in s.ephemerals if m not in seen), None))

    async def press_for_form(self, shown: ShownMessage, label: str | Place) -> ShownView:
        """Press a button that opens a window; return that."""
        await self.press(shown, label)
        return await self.wait(_window)

    async def pick_for_form(self, shown: ShownMessage, option: str) -> ShownView:
        """Pick an entry of a menu that opens a window; return that."""
        _taken(await self._client.pick(shown, option))
        return await self.wait(_window)

    async def pick(self, shown: ShownMessage, option: str) -> None:
        """Pick an entry of a menu that acts at once."""
        _taken(await self._client.pick(shown, option))

    async def choose(self, view: ShownView, **labels: str) -> str:
        """Submit a form, its fields as they stand but for these options (by block id).

        Return what the window then says. Closes it.
        """
        values: dict[str, dict[str, dict[str, object]]] = {}
        for block_id, label in labels.items():
            element = next(b["element"] for b in view.blocks if b["block_id"] == block_id)
            values[block_id] = {element["action_id"]: _value(element, label)}
        outcome = await self._client.submit(view, values)
        if not outcome.ok:
            return outcome.error or "; ".join(outcome.errors.values())
        said = await self.wait(
            lambda s: view if (view := _window(s)) and view.submit is None else None
        )
        await self._client.close(said)
        await self.wait(lambda s: s.view is None)
        return plain_text(said)

    async def close(self, view: ShownView) -> None:
        """Close a window."""
        _taken(await self._client.close(view))
        await self.wait(lambda s: s.view is None)


def _value(element: dict[str, object], label: str) -> dict[str, object]:
    if element["type"] == "plain_text_input":
        return {"text": label}
    options = element["options"]
    assert isinstance(options, list)  # noqa: S101 - the workspace has checked the block
    value = next(o["value"] for o in options if o["text"]["text"] == label)
    return {"options": [value]} if element["type"] == "checkboxes" else {"option": value}


def _window(state: MemberState) -> ShownView | None:
    """Return the open window once it holds an answer: one that takes long is filled in later."""
    view = state.view
    return None if view is None or "Working on it" in plain_text(view) else view


def _is_card(message: ShownMessage) -> bool:
    """Tell an incident's card from a line: acts without an incident stand in the channel, too."""
    blocks = message.blocks
    return message.thread_ts is None and bool(blocks) and blocks[0]["type"] == "header"


def _title(message: ShownMessage) -> str:
    return plain_text(message).partition("\n")[0]


def _taken(outcome: Outcome) -> None:
    if not outcome.ok:
        raise Unexpected(f"the workspace refused: {outcome}")


def first_button(shown: ShownMessage | ShownView, label: str) -> Place:
    """Return the first of several buttons with the same label. Raises NotShown."""
    for block in shown.blocks:
        for _, element in elements_of(block):
            if element["type"] == "button" and element["text"]["text"] == label:
                return Place(block["block_id"], element["action_id"], element)
    raise NotShown(f"no button «{label}»")


def expect(shown: str, *parts: str) -> None:
    """Raise Unexpected unless a text holds all these parts."""
    missing = [part for part in parts if part not in shown]
    if missing:
        raise Unexpected(f"{missing} not in what was shown: {shown[:600]!r}")
