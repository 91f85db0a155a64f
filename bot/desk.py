"""What a command works with: the services, who asked and where, and what it may answer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from bot.elements import Card, Form, Sheet
from services.access import Access
from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.detection.engine import Verdict
from services.detection.evidence import Evidence
from services.errors import Refused
from services.intents import Intents
from services.listings import Listings
from services.origin import Origin, OriginOf
from services.people import Actor, Place
from services.pipeline import Pipeline
from services.rules import Rules
from services.scope import Scope
from services.store import Store

#: What the person who asked is shown privately; None where the channel tells it all.
Reply = Card | Form | Sheet | None


@dataclass(frozen=True, slots=True)
class Desk:
    """The services, as commands use them."""

    pipeline: Pipeline
    intents: Intents
    store: Store
    access: Access
    audit: AuditLog
    rules: Rules
    clock: Clock
    servers: tuple[str, ...]
    kept: timedelta  # how long deleted messages can be brought back
    listings: Listings  # what block lists say of the servers' own addresses
    refresh: Callable[[str, int], Awaitable[None]]  # an incident's figures, after an act
    # a sender's evidence now, by server and name; None for one that never sent anything
    why: Callable[[str, str], Awaitable[tuple[Evidence, Verdict] | None]]
    origin_of: OriginOf  # where an address is, as far as anything says so
    changed: Callable[[], None]  # the channels have something new to show

    def origins(self, addresses: Sequence[str]) -> dict[str, Origin]:
        """Return where these are, those of which that is known."""
        found = {address: self.origin_of(address) for address in addresses}
        return {address: origin for address, origin in found.items() if origin is not None}

    async def refuse(
        self, actor: Actor, action: str, server: str, refusal: Refused, subject: str = ""
    ) -> NoReturn:
        """Write down that somebody was refused what only reads, and raise it."""
        await self.audit.write(
            Line(Phase.REFUSED, action, actor, server, subject, detail={"why": refusal.sentence})
        )
        raise refusal


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, where, of which mail server, and whose mail the answer may be about."""

    actor: Actor
    place: Place
    server: str
    scope: Scope
