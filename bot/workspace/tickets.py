"""Short-lived grants: trigger ids and response URLs."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from bot.local.clock import Clock
from bot.workspace.values import ApiError

TRIGGER_SECONDS = 3.0  # "Handling user interaction": a trigger_id expires in 3 seconds
HOOK_SECONDS = 30 * 60.0  # same page: a response_url works for 30 minutes
HOOK_USES = 5  # same page: and up to 5 times
KEPT = 5_000


@dataclass(slots=True)
class Trigger:
    """The right to open one modal. ``view_id`` is set when it came from within a modal."""

    id: str
    user: str
    issued: float
    view_id: str | None
    spent: bool = False


class Triggers:
    """Issues trigger ids and checks them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: OrderedDict[str, Trigger] = OrderedDict()

    def issue(self, user: str, view_id: str | None = None) -> str:
        """Return a new trigger id."""
        number = secrets.randbelow(10**12) + 10**12
        trigger_id = f"{number}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._issued[trigger_id] = Trigger(trigger_id, user, self._clock.monotonic(), view_id)
        while len(self._issued) > KEPT:
            self._issued.popitem(last=False)
        return trigger_id

    def check(self, trigger_id: str) -> Trigger:
        """Return a trigger that may still be exchanged.

        Raises ApiError ``invalid_trigger_id``, ``exchanged_trigger_id``, ``expired_trigger_id``.
        """
        trigger = self._issued.get(trigger_id)
        if trigger is None:
            raise ApiError("invalid_trigger_id")
        if trigger.spent:
            raise ApiError("exchanged_trigger_id")
        if self._clock.monotonic() - trigger.issued > TRIGGER_SECONDS:
            raise ApiError("expired_trigger_id")
        return trigger


@dataclass(slots=True)
class Hook:
    """A response URL's grant. ``message_ts`` is the message the interaction came from, if any."""

    key: str
    user: str
    channel: str
    issued: float
    message_ts: str | None
    ephemeral: bool
    uses: int = 0


class Hooks:
    """Issues response URLs and counts their uses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: OrderedDict[str, Hook] = OrderedDict()

    def issue(
        self,
        user: str,
        channel: str,
        *,
        message_ts: str | None = None,
        ephemeral: bool = False,
    ) -> Hook:
        """Return a new hook; its ``key`` is the secret part of the URL."""
        key = f"{secrets.randbelow(10**12)}/{secrets.token_urlsafe(18)}"
        now = self._clock.monotonic()
        hook = Hook(key, user, channel, now, message_ts, ephemeral)
        self._issued[key] = hook
        while len(self._issued) > KEPT:
            self._issued.popitem(last=False)
        return hook

    def use(self, key: str) -> Hook:
        """Return the hook and count one use.

        Raises ApiError ``no_such_url``, ``expired_url`` or ``used_url``.
        """
        hook = self._issued.get(key)
        if hook is None:
            raise ApiError("no_such_url")
        if self._clock.monotonic() - hook.issued > HOOK_SECONDS:
            raise ApiError("expired_url")
        if hook.uses >= HOOK_USES:
            raise ApiError("used_url")
        hook.uses += 1
        return hook
