"""A person at the guild: reads the channel, types, presses and fills in, and nothing else."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from bot.guild.checks.parts import Kind
from bot.guild.member import GuildClient, GuildState, Outcome
from bot.guild.reading import (
    NotShown,
    Place,
    ShownMessage,
    ShownModal,
    buttons,
    components_of,
    options,
    plain_text,
)
from bot.guild.values import NO_SUCH_COMPONENT
from bot.hands import PATIENCE, Image, NotThere, Shown, Signs, Unexpected
from bot.local.values import JsonObject

_T = TypeVar("_T")
_WORD = re.compile(r'(?:([a-z]+):)?(?:"([^"]*)"|(\S+))')
# What markup hides, as somebody who reads the page sees it.
_MARKUP = re.compile(
    r"\\([^\w\s])|(?:^|(?<=\n))(?:#{1,3} |-# |- )|\*\*|`+(?:\n)?|<t:(\d+)(?::[a-zA-Z])?>"
)


class GuildHands:
    """One member. Implements bot.hands.Hands."""

    def __init__(self, client: GuildClient, group: str) -> None:
        self._client = client
        self._group = group
        self.user = client.user
        self.signs = Signs()
        # Questions that were answered by the way: what becomes of them answers nothing else.
        self._answered: set[str] = set()

    def state(self) -> GuildState:
        """Return what the person sees now."""
        return self._client.state()

    async def wait(self, predicate: Callable[[GuildState], _T | None]) -> _T:
        """Return the predicate's first value, as the channel changes."""
        return await self._client.wait_for(predicate, timeout=PATIENCE)

    async def alert(self, account: str) -> Shown:
        """Return the card of an account's incident: the newest message that names it on top."""

        def newest(state: GuildState) -> Shown | None:
            return next((c for c in _cards(state)[::-1] if account in _title(c)), None)

        return await self.wait(newest)

    async def card_with(self, account: str, text: str) -> Shown:
        """Return an account's card once it shows ``text``."""

        def shows(state: GuildState) -> Shown | None:
            for card in reversed(_cards(state)):
                if account in _title(card):
                    return card if text in card.text else None
            return None

        return await self.wait(shows)

    async def offering(self, card: Shown, label: str) -> Shown:
        """Return a message as it is once it offers a button or option with this label."""

        def offers(state: GuildState) -> Shown | None:
            now = state.message(card.id)
            return _shown(now) if now is not None and label in _labels(now) else None

        return await self.wait(offers)

    async def picture(self, card: Shown, *, besides: str = "") -> Image:
        """Return a card's picture once it has one, other than the one of that id."""

        def shows(state: GuildState) -> tuple[str, str] | None:
            now = state.message(card.id)
            parts = components_of(now) if now is not None else ()
            items = [i for p in parts if p["type"] == Kind.MEDIA_GALLERY for i in p["items"]]
            found = [(str(i["media"]["attachment_id"]), str(i["description"])) for i in items]
            return found[0] if found and found[0][0] != besides else None

        file, words = await self.wait(shows)
        return Image(file, await self._client.file(f"/member/file/{file}"), words)

    async def file(self, name: str) -> bytes:
        """Return a file that the person was sent privately, once it is there, by its name."""

        def shows(state: GuildState) -> str | None:
            files = (f for m in state.ephemerals for f in m.files)
            return next((f.url for f in files if f.filename == name), None)

        return await self._client.file(await self.wait(shows))

    async def home(self) -> Shown | None:
        """Return None: an app has no page of its own here."""
        return None

    async def new_card(self, seen: Collection[str], *, patience: float = PATIENCE) -> Shown:
        """Return the first card whose id is not among those seen."""
        return await self._client.wait_for(
            lambda state: next((c for c in _cards(state) if c.id not in seen), None),
            timeout=patience,
        )

    def cards(self) -> list[Shown]:
        """Return the channel's incident cards, oldest first."""
        return _cards(self._client.state())

    async def message(self, text: str) -> Shown:
        """Return the first message of the channel, card or not, that holds ``text``."""

        def holds(state: GuildState) -> Shown | None:
            shown = (_shown(m) for m in state.in_channels() if not m.ephemeral)
            return next((message for message in shown if text in message.text), None)

        return await self.wait(holds)

    async def line(self, card: Shown, text: str, *, after: int = 0) -> Shown:
        """Return the first line past the first ``after`` of a card's thread that holds ``text``."""
        return await self.wait(
            lambda state: next(
                (line for line in _thread(state, card)[after:] if text in line.text), None
            )
        )

    def lines(self, card: Shown) -> list[Shown]:
        """Return the lines of a card's thread now."""
        return _thread(self._client.state(), card)

    async def type(self, text: str) -> Shown:
        """Use a subcommand that answers with a private message; return that."""
        seen = self._seen()
        _taken(await self._use(text))
        return await self._private(seen)

    async def type_unknown(self, word: str) -> str:
        """Type a command that there is not; return what the client says: it lists what there is."""
        return str((await self._client.command(self._group, word)).error)

    async def type_for_form(self, text: str) -> Shown:
        """Use a subcommand that asks back; return what asks."""
        before = self.state()
        _taken(await self._use(text))
        return await self._asking(before)

    async def press(self, shown: Shown, label: str) -> None:
        """Press a button, and say yes to a private question."""
        seen = self._seen()
        place = _first_button(shown.raw, label)
        _taken(await self._client.press(shown.raw, place))
        if place.custom_id.startswith("ask:"):
            asked = await self._private(seen)
            while self.signs.twice in asked.text:
                # Of an earlier press that was delivered twice: asking uses nothing up.
                seen = {**seen, asked.id: asked.raw}
                asked = await self._private(seen)
            yes = next((b for b in asked.labels if b != self.signs.cancel), None)
            if yes is not None:  # a refusal has nothing to press
                self._answered.add(asked.id)
                _taken(await self._client.press(asked.raw, yes))

    async def press_privately(self, shown: Shown, label: str) -> Shown:
        """Press a button, the first of that label, that answers privately; return that."""
        seen = self._seen()
        _taken(await self._client.press(shown.raw, _first_button(shown.raw, label)))
        return await self._private(seen)

    async def press_privately_to_yes(self, shown: Shown, label: str) -> Shown:
        """Press a button, say yes where that is asked, and return what is answered privately."""
        asked = await self.press_privately(shown, label)
        yes = next((b for b in asked.labels if b != self.signs.cancel), None)
        if yes is None:
            return asked
        seen = self._seen()
        _taken(await self._client.press(asked.raw, yes))
        return await self._private(seen)

    async def press_for_form(self, shown: Shown, label: str) -> Shown:
        """Press a button, the first of that label, that opens something; return that."""
        before = self.state()
        _taken(await self._client.press(shown.raw, _first_button(shown.raw, label)))
        return await self._asking(before)

    async def pick(self, shown: Shown, option: str) -> None:
        """Pick an entry of a menu that acts at once."""
        _taken(await self._client.pick(shown.raw, option))

    async def pick_for_form(self, shown: Shown, option: str) -> Shown:
        """Pick an entry of a menu that asks back; return what asks."""
        before = self.state()
        await self.pick(shown, option)
        return await self._asking(before)

    async def pick_privately(self, shown: Shown, option: str) -> Shown:
        """Pick an entry of a menu that answers privately; return that."""
        seen = self._seen()
        await self.pick(shown, option)
        return await self._private(seen)

    async def choose(self, form: Shown, **labels: str) -> str:
        """Submit a modal, or press the yes of a question; return what is said then."""
        seen = self._seen()
        if isinstance(form.raw, ShownModal):
            values = {name: _value(form.raw, name, label) for name, label in labels.items()}
            outcome = await self._client.submit(form.raw, values)
            if not outcome.ok:
                return outcome.error or "; ".join(outcome.errors.values())
            return (await self._private(seen)).text
        yes = next(label for label in form.labels if label != self.signs.cancel)
        _taken(await self._client.press(form.raw, yes))
        return (await self._private(seen)).text

    async def close(self, form: Shown) -> None:
        """Close a modal, or wave a private message away."""
        if isinstance(form.raw, ShownModal):
            _taken(await self._client.close(form.raw))
            await self.wait(lambda state: state.modal is None)
        else:
            _taken(await self._client.dismiss(form.raw))

    async def suggested(self, text: str, focused: str) -> tuple[str, ...]:
        """Return what is suggested for an option while a command is typed."""
        name, given = self._read(text)
        found = await self._client.complete(self._group, name, focused, given)
        return tuple(str(value) for _, value in found)

    async def _use(self, text: str) -> Outcome:
        name, given = self._read(text)
        return await self._client.command(self._group, name, given)

    def _read(self, text: str) -> tuple[str, dict[str, Any]]:
        """Put typed words where this chat has options: named ones, and the first for the rest."""
        name, _, rest = text.partition(" ")
        (group,) = (c for c in self._client.state().commands if c["name"] == self._group)
        sub = next((s for s in group["options"] if s["name"] == (name or "dashboard")), None)
        if sub is None:
            raise Unexpected(f"there is no subcommand {name!r} to choose")
        known = {option["name"]: option for option in sub.get("options") or []}
        first = next(iter(known), "")
        given: dict[str, Any] = {}
        for option, quoted, bare in _WORD.findall(rest):
            value = quoted or bare
            if option not in known:
                value = f"{option}:{value}" if option else value
                option = next((n for n, o in known.items() if _is_choice(value, o)), first)
            given[option] = int(value) if known[option]["type"] == _INTEGER else value
        return sub["name"], given

    def _seen(self) -> Mapping[str, ShownMessage]:
        return _by_id(self._client.state().ephemerals)

    async def _private(self, seen: Mapping[str, ShownMessage]) -> Shown:
        """Return the private message that is new, or was changed, once it holds an answer."""
        return await self.wait(lambda state: self._answer(state, seen))

    async def _asking(self, before: GuildState) -> Shown:
        """Return the modal that opened, or the private message that asks.

        A form that came too late to open by itself is opened by the button that came instead.
        """
        seen = _by_id(before.ephemerals)

        def asks(state: GuildState) -> Shown | None:
            modal = state.modal
            if modal is not None and (before.modal is None or modal.id != before.modal.id):
                return Shown(modal.id, _read_text(modal), _labels(modal), None, modal)
            return self._answer(state, seen)

        asked = await self.wait(asks)
        if asked.labels == (self.signs.fill_in,):
            return await self.press_for_form(asked, self.signs.fill_in)
        return asked

    def _answer(self, state: GuildState, seen: Mapping[str, ShownMessage]) -> Shown | None:
        for message in reversed(state.ephemerals):
            before = seen.get(message.id)
            fresh = message.id not in self._answered and message != before
            if before is not None and self._pending(before):
                continue  # that is the answer to something earlier, which took long
            if fresh and not message.thinking:
                shown = _shown(message)
                if self.signs.working not in shown.text:
                    return shown
        return None

    def _pending(self, message: ShownMessage) -> bool:
        return message.thinking or self.signs.working in _shown(message).text


def _by_id(messages: Iterable[ShownMessage]) -> Mapping[str, ShownMessage]:
    return {message.id: message for message in messages}


def _is_choice(value: str, option: JsonObject) -> bool:
    return any(choice["value"] == value for choice in option.get("choices") or [])


_INTEGER = 4  # "Application Command Option Type"


def _shown(message: ShownMessage) -> Shown:
    at = datetime.fromisoformat(message.timestamp).astimezone(UTC).timestamp()
    return Shown(message.id, _read_text(message), _labels(message), at, message)


def _read_text(shown: ShownMessage | ShownModal) -> str:
    """Return what there is to read, without its markup."""

    def read(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        if match[2] is not None:
            return f"{datetime.fromtimestamp(int(match[2]), UTC):%Y-%m-%d %H:%M:%S} UTC"
        return ""

    return _MARKUP.sub(read, plain_text(shown))


def _labels(shown: ShownMessage | ShownModal) -> tuple[str, ...]:
    return (*buttons(shown), *options(shown))


def _cards(state: GuildState) -> list[Shown]:
    """Return incidents' cards, not lines: acts without an incident stand in the channel, too."""
    return [
        _shown(message)
        for message in state.in_channels()
        if message.bot and not message.ephemeral and _first_text(message).startswith("## ")
    ]


def _first_text(message: ShownMessage) -> str:
    texts = (c["content"] for c in components_of(message) if c["type"] == Kind.TEXT_DISPLAY)
    return str(next(texts, ""))


def _title(card: Shown) -> str:
    return card.text.partition("\n")[0]


def _thread(state: GuildState, card: Shown) -> list[Shown]:
    return [_shown(message) for message in state.thread(card.id) if message.components]


def _value(modal: ShownModal, name: str, label: str) -> Any:
    fields = (c for c in components_of(modal) if c["type"] != Kind.LABEL)
    part: JsonObject | None = next((c for c in fields if c.get("custom_id") == name), None)
    if part is None:
        raise Unexpected(f"{name} is not asked for in {_read_text(modal)[:300]!r}")
    if part["type"] == Kind.TEXT_INPUT:
        return label
    value = next(o["value"] for o in part["options"] if o["label"] == label)
    return value if part["type"] == Kind.RADIO_GROUP else [value]


def _taken(outcome: Outcome) -> None:
    if not outcome.ok:
        kind = NotThere if outcome.error == NO_SUCH_COMPONENT else Unexpected
        raise kind(f"the guild refused: {outcome}")


def _first_button(shown: ShownMessage, label: str) -> Place:
    for part in components_of(shown):
        if part["type"] == Kind.BUTTON and part.get("label") == label:
            return Place(part["custom_id"], part)
    raise NotShown(f"no button «{label}»")
