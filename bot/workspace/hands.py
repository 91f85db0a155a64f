"""A person at the workspace: reads the channel, types, presses and fills in, and nothing else."""

from collections.abc import Callable, Collection
from typing import TypeVar

from bot.hands import PATIENCE, Image, NotThere, Shown, Signs, Unexpected
from bot.workspace.checks.layout import elements_of
from bot.workspace.checks.objects import options_of
from bot.workspace.member import MemberClient, MemberState, Outcome
from bot.workspace.reading import NotShown, Place, ShownMessage, ShownView, plain_text

_T = TypeVar("_T")


class WorkspaceHands:
    """One member. Implements bot.hands.Hands."""

    def __init__(self, client: MemberClient, command: str) -> None:
        self._client = client
        self._command = command
        self.user = client.user
        self.signs = Signs()

    async def wait(self, predicate: Callable[[MemberState], _T | None]) -> _T:
        """Return the predicate's first value, as the channel changes."""
        return await self._client.wait_for(predicate, timeout=PATIENCE)

    async def alert(self, account: str) -> Shown:
        """Return the card of an account's incident: the newest message that names it on top."""

        def newest(state: MemberState) -> ShownMessage | None:
            return next((m for m in _cards(state)[::-1] if account in _title(m)), None)

        return _shown(await self.wait(newest))

    async def card_with(self, account: str, text: str) -> Shown:
        """Return an account's card once it shows ``text``."""

        def shows(state: MemberState) -> ShownMessage | None:
            for message in reversed(_cards(state)):
                if account in _title(message):
                    return message if text in plain_text(message) else None
            return None

        return _shown(await self.wait(shows))

    async def offering(self, card: Shown, label: str) -> Shown:
        """Return a card as it is once it offers a button or option with this label."""

        def offers(state: MemberState) -> Shown | None:
            now = next((m for m in state.messages if m.ts == card.id), None)
            return _shown(now) if now is not None and label in _labels(now) else None

        return await self.wait(offers)

    async def picture(self, card: Shown, *, besides: str = "") -> Image:
        """Return a card's picture once it has one, other than the one of that id."""

        def shows(state: MemberState) -> tuple[str, str] | None:
            everything = (*state.messages, *state.ephemerals)
            now = next((m for m in everything if m.ts == card.id), None)
            view = state.view if state.view is not None and state.view.id == card.id else None
            blocks = now.blocks if now is not None else view.blocks if view is not None else ()
            found = [(b["slack_file"]["id"], b["alt_text"]) for b in blocks if "slack_file" in b]
            return found[0] if found and found[0][0] != besides else None

        file, words = await self.wait(shows)
        return Image(file, await self._client.file(f"/member/file/{file}"), words)

    async def file(self, name: str) -> bytes:
        """Return a file that the person was sent privately, once it is there, by its name."""

        def shows(state: MemberState) -> str | None:
            files = (f for m in state.messages if m.channel[0] == "D" for f in m.files)
            return next((f.url for f in files if f.title == name), None)

        return await self._client.file(await self.wait(shows))

    async def home(self) -> Shown | None:
        """Open the app's Home; return what it shows."""
        _taken(await self._client.open_home())
        return _window_shown(await self.wait(lambda state: state.home))

    async def new_card(self, seen: Collection[str], *, patience: float = PATIENCE) -> Shown:
        """Return the first card whose id is not among those seen."""
        return _shown(
            await self._client.wait_for(
                lambda state: next((m for m in _cards(state) if m.ts not in seen), None),
                timeout=patience,
            )
        )

    def cards(self) -> list[Shown]:
        """Return the channel's incident cards, oldest first."""
        return [_shown(message) for message in _cards(self._client.state())]

    async def message(self, text: str) -> Shown:
        """Return the first message of the channel, card or not, that holds ``text``."""
        return _shown(
            await self.wait(
                lambda state: next((m for m in state.messages if text in plain_text(m)), None)
            )
        )

    async def line(self, card: Shown, text: str, *, after: int = 0) -> Shown:
        """Return the first line past the first ``after`` of a card's thread that holds ``text``."""
        return _shown(
            await self.wait(
                lambda state: next(
                    (m for m in state.thread(card.id)[after:] if text in plain_text(m)), None
                )
            )
        )

    def lines(self, card: Shown) -> list[Shown]:
        """Return the lines of a card's thread now."""
        return [_shown(message) for message in self._client.state().thread(card.id)]

    async def type(self, text: str) -> Shown:
        """Type a command that answers with a private message; return that."""
        await self._uncover()
        seen = self._client.state()
        _taken(await self._client.command(f"{self._command} {text}".strip()))
        return await self._private(seen)

    async def type_unknown(self, word: str) -> str:
        """Type a command that there is not; return what the bot says."""
        return (await self.type(word)).text

    async def type_for_form(self, text: str) -> Shown:
        """Type a command that asks back with a form; return that."""
        await self._uncover()
        _taken(await self._client.command(f"{self._command} {text}"))
        return _window_shown(await self.wait(self._window))

    async def press(self, shown: Shown, label: str) -> None:
        """Press a button; the question it may ask is answered with yes."""
        await self._uncover(shown)
        _taken(await self._client.press(shown.raw, label))

    async def press_privately(self, shown: Shown, label: str) -> Shown:
        """Press a button, the first of that label; return its private answer."""
        await self._uncover(shown)
        seen = self._client.state()
        _taken(await self._client.press(shown.raw, _first_button(shown.raw, label)))
        return await self._private(seen)

    async def press_privately_to_yes(self, shown: Shown, label: str) -> Shown:
        """Press a button, whose own question is answered with yes; return the private answer."""
        return await self.press_privately(shown, label)

    async def press_for_form(self, shown: Shown, label: str) -> Shown:
        """Press a button, the first of that label, that opens a window; return that."""
        await self._uncover(shown)
        seen = self._client.state()
        _taken(await self._client.press(shown.raw, _first_button(shown.raw, label)))
        return await self._opened(seen)

    async def pick_for_form(self, shown: Shown, option: str) -> Shown:
        """Pick an entry of a menu that opens a window; return that."""
        await self._uncover(shown)
        seen = self._client.state()
        await self.pick(shown, option)
        return await self._opened(seen)

    async def pick(self, shown: Shown, option: str) -> None:
        """Pick an entry of a menu that acts at once."""
        await self._uncover(shown)
        _taken(await self._client.pick(shown.raw, option))

    async def pick_privately(self, shown: Shown, option: str) -> Shown:
        """Pick an entry of a menu that answers privately; return that."""
        await self._uncover(shown)
        seen = self._client.state()
        await self.pick(shown, option)
        return await self._private(seen)

    async def choose(self, form: Shown, **labels: str) -> str:
        """Submit a form, its fields as they stand but for these options (by block id).

        Return what the window then says. Closes it.
        """
        view: ShownView = form.raw
        values: dict[str, dict[str, dict[str, object]]] = {}
        for block_id, label in labels.items():
            asked = {b["block_id"]: b["element"] for b in view.blocks if b["type"] == "input"}
            if block_id not in asked:
                raise Unexpected(f"{block_id} is not asked for in {plain_text(view)[:300]!r}")
            element = asked[block_id]
            values[block_id] = {element["action_id"]: _value(element, label)}
        outcome = await self._client.submit(view, values)
        if not outcome.ok:
            return outcome.error or "; ".join(outcome.errors.values())
        said = await self.wait(
            lambda s: view if (view := self._window(s)) and view.submit is None else None
        )
        await self._close(said)
        return plain_text(said)

    async def close(self, form: Shown) -> None:
        """Close a window."""
        await self._close(form.raw)

    async def close_window(self) -> None:
        """Close whatever window is open."""
        await self._close(await self.wait(lambda state: state.view))

    async def _uncover(self, shown: Shown | None = None) -> None:
        """Close the windows of earlier answers, which took long and cover what is to be used.

        That is the channel, unless ``shown`` is in a window itself.
        """
        while (left := self._client.state().view) is not None:
            if shown is not None and left.id == shown.id:
                return
            if left.submit is None:
                left = await self.wait(self._window)  # read before it is closed
            await self._close(left)

    async def _close(self, view: ShownView) -> None:
        outcome = await self._client.close(view)
        if outcome.error != "no_such_view":  # closed meanwhile, by the same person's other hand
            _taken(outcome)
        await self.wait(lambda s: s.view is None or s.view.id != view.id)

    def _window(self, state: MemberState) -> ShownView | None:
        """Return the open window once it holds an answer: a long one is filled in later."""
        view = state.view
        return None if view is None or self.signs.working in plain_text(view) else view

    async def _opened(self, seen: MemberState) -> Shown:
        """Return the window that is another one now, or shows something else."""
        return _window_shown(
            await self.wait(lambda s: view if (view := self._window(s)) != seen.view else None)
        )

    async def _private(self, seen: MemberState) -> Shown:
        """Return what is answered privately: in a window, where it took long.

        The window stays open: what it shows may have buttons.
        """

        def answer(state: MemberState) -> Shown | None:
            new = next((m for m in state.ephemerals if m not in seen.ephemerals), None)
            if new is not None:
                return _shown(new)
            view = self._window(state)
            return _window_shown(view) if view is not None and view != seen.view else None

        return await self.wait(answer)


def _shown(message: ShownMessage) -> Shown:
    return Shown(message.ts, plain_text(message), _labels(message), float(message.ts), message)


def _window_shown(view: ShownView) -> Shown:
    return Shown(view.id, plain_text(view), _labels(view), None, view)


def _labels(shown: ShownMessage | ShownView) -> tuple[str, ...]:
    found: list[str] = []
    for block in shown.blocks:
        for _, element in elements_of(block):
            if element["type"] == "button":
                found.append(element["text"]["text"])
            found += [option["text"]["text"] for option in options_of(element)]
    return tuple(found)


def _value(element: dict[str, object], label: str) -> dict[str, object]:
    if element["type"] == "plain_text_input":
        return {"text": label}
    options = element["options"]
    assert isinstance(options, list)  # noqa: S101 - the workspace has checked the block
    value = next(o["value"] for o in options if o["text"]["text"] == label)
    return {"options": [value]} if element["type"] == "checkboxes" else {"option": value}


def _cards(state: MemberState) -> list[ShownMessage]:
    """Return incidents' cards, not lines: acts without an incident stand in the channel, too."""
    heads = [m for m in state.messages if m.bot and m.thread_ts is None and m.blocks]
    return [m for m in heads if m.blocks[0]["type"] == "header"]


def _title(message: ShownMessage) -> str:
    return plain_text(message).partition("\n")[0]


def _taken(outcome: Outcome) -> None:
    if not outcome.ok:
        kind = NotThere if outcome.error == "no_such_element" else Unexpected
        raise kind(f"the workspace refused: {outcome}")


def _first_button(shown: ShownMessage | ShownView, label: str) -> Place:
    for block in shown.blocks:
        for _, element in elements_of(block):
            if element["type"] == "button" and element["text"]["text"] == label:
                return Place(block["block_id"], element["action_id"], element)
    raise NotShown(f"no button «{label}»")
