"""Interactions on their way: made, delivered, answered once and in time, or not.

From "Receiving and Responding": an interaction must be answered within 3 seconds, once; its token
is good for 15 minutes.
"""

import asyncio
import copy
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bot.guild import errors
from bot.guild.checks.components import walk
from bot.guild.forms import LOCALE, Forms
from bot.guild.gateway import ALWAYS, Gateway
from bot.guild.store import Store
from bot.guild.things import Channel, Message, Origin
from bot.local.clock import Clock
from bot.local.values import JsonObject

ANSWER_SECONDS = 3.0
TOKEN_SECONDS = 15 * 60.0
ATTACHMENT_LIMIT = 10 * 1024 * 1024
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5  # "Interaction Type"


@dataclass(slots=True)
class Interaction:
    """One act of a member. ``answered`` resolves with the callback's type, None for none."""

    id: str
    token: str
    kind: int
    user: str
    channel: Channel
    origin: Origin
    made_at: float
    answered: "asyncio.Future[int | None]"
    source: Message | None = None
    """The message that the component, or the component that opened the modal, stands in."""
    original: Message | None = None
    made: set[str] = field(default_factory=set)
    choices: list[JsonObject] = field(default_factory=list)

    @property
    def callback(self) -> int | None:
        """The type it was answered with, None when it wasn't."""
        return self.answered.result() if self.answered.done() else None


class Interactions:
    """Makes interactions, delivers them, and holds those whose token is still good.

    ``on_failure`` is told of each that wasn't answered in time.
    """

    def __init__(
        self,
        store: Store,
        forms: Forms,
        gateway: Gateway,
        clock: Clock,
        on_failure: Callable[[Interaction], None],
    ) -> None:
        self.delivered_twice = False
        self.guild_told: str | None = None  # another guild's id, said in this one's stead
        self.forged: str | None = None  # a custom id, delivered in a component's own one's stead
        self._store = store
        self._forms = forms
        self._gateway = gateway
        self._clock = clock
        self._on_failure = on_failure
        self._all: OrderedDict[str, Interaction] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def send(
        self,
        kind: int,
        user: str,
        channel: Channel,
        data: JsonObject,
        *,
        name: str = "",
        source: Message | None = None,
        trigger: Origin | None = None,
    ) -> Interaction:
        """Make an interaction and deliver it over the gateway."""
        number = self._store.ids.next()
        interacted = source.id if source is not None and kind == COMPONENT else None
        interaction = Interaction(
            number,
            secrets.token_urlsafe(64),
            kind,
            user,
            channel,
            Origin(number, kind, user, name, interacted, trigger),
            self._clock.monotonic(),
            asyncio.get_running_loop().create_future(),
            source,
        )
        self._all[number] = interaction
        while len(self._all) > self._store.bounds.interactions:
            self._all.popitem(last=False)
        self._later(self._fail_unanswered(interaction))
        payload = self._payload(interaction, data)
        for _ in range(2 if self.delivered_twice else 1):
            self._gateway.dispatch("INTERACTION_CREATE", payload, ALWAYS)
        return interaction

    def find(self, interaction_id: str) -> Interaction | None:
        """Return an interaction by its id."""
        return self._all.get(interaction_id)

    def to_answer(self, interaction_id: str, token: str) -> Interaction:
        """Return an interaction that can be answered now.

        Raises ApiError "Unknown interaction" or "Interaction has already been acknowledged".
        """
        interaction = self._all.get(interaction_id)
        if interaction is None or not secrets.compare_digest(
            interaction.token.encode(), token.encode()
        ):
            raise errors.unknown_interaction()
        if interaction.callback is not None:
            raise errors.already_acknowledged()
        late = self._clock.monotonic() - interaction.made_at >= ANSWER_SECONDS
        if interaction.answered.done() or late:
            raise errors.unknown_interaction()
        return interaction

    def by_token(self, webhook: str, token: str) -> Interaction:
        """Return the interaction whose token a webhook's path holds.

        Raises ApiError "Unknown Webhook" for another webhook or before the first answer, "Invalid
        Webhook Token" for a token that is unknown or too old.
        """
        if webhook != self._store.identity.application_id:
            raise errors.unknown_webhook()
        given = token.encode()
        for interaction in self._all.values():
            if secrets.compare_digest(interaction.token.encode(), given):
                break
        else:
            raise errors.invalid_webhook_token()
        if self._clock.monotonic() - interaction.made_at >= TOKEN_SECONDS:
            raise errors.invalid_webhook_token()
        if interaction.callback is None:
            raise errors.unknown_webhook()
        return interaction

    def acknowledge(self, interaction: Interaction, callback: int) -> None:
        """Note that an interaction is answered."""
        interaction.answered.set_result(callback)

    def fill_in_time(self, interaction: Interaction, gone: Callable[[Message], None]) -> None:
        """Call ``gone`` when a deferred answer is still missing at the token's end."""

        async def wait() -> None:
            left = interaction.made_at + TOKEN_SECONDS - self._clock.monotonic()
            await self._clock.sleep(left)
            if interaction.original is not None and interaction.original.loading:
                gone(interaction.original)

        self._later(wait())

    async def close(self) -> None:
        """Stop waiting for answers."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _later(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fail_unanswered(self, interaction: Interaction) -> None:
        deadline = asyncio.ensure_future(self._clock.sleep(ANSWER_SECONDS))
        waiting: set[asyncio.Future[Any]] = {deadline, interaction.answered}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            deadline.cancel()
        if not interaction.answered.done():
            interaction.answered.set_result(None)
            self._on_failure(interaction)

    def _payload(self, interaction: Interaction, data: JsonObject) -> JsonObject:
        """Return the "Interaction Structure"."""
        store, forms = self._store, self._forms
        identity, channel = store.identity, interaction.channel
        guild = self.guild_told or identity.guild_id
        may = str(store.permissions(interaction.user, channel).value)
        payload: JsonObject = {
            "id": interaction.id,
            "application_id": identity.application_id,
            "type": interaction.kind,
            "data": data,
            "guild": {"id": guild, "locale": LOCALE, "features": []},
            "guild_id": guild,
            "channel": forms.channel(channel) | {"permissions": may},
            "channel_id": channel.id,
            "member": forms.member(interaction.user) | {"permissions": may},
            "token": interaction.token,
            "version": 1,
            "app_permissions": str(store.permissions(identity.application_id, channel).value),
            "locale": store.members[interaction.user].locale,
            "guild_locale": LOCALE,
            "entitlements": [],
            "authorizing_integration_owners": {"0": identity.guild_id},
            "context": 0,
            "attachment_size_limit": ATTACHMENT_LIMIT,
        }
        if interaction.source is not None:
            payload["message"] = forms.message(interaction.source)
        if self.forged is not None and interaction.kind == COMPONENT:
            payload = _forged(payload, self.forged)
        return payload


def _forged(payload: JsonObject, custom_id: str) -> JsonObject:
    """Return what a use of a component is delivered as, with another custom id throughout."""
    made = copy.deepcopy(payload)
    for _, part in walk(made["message"]["components"]):
        if part.get("custom_id") == made["data"]["custom_id"]:
            part["custom_id"] = custom_id
    made["data"]["custom_id"] = custom_id
    return made
