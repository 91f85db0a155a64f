"""Who may do what. Unknown people, and lookups that fail, get nothing."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from services.clock import Clock
from services.errors import Refused, SpoolwardenError
from services.language import tr
from services.people import BOT, Actor, Role
from services.scope import Scope, everyone
from services.settings import AccessSettings

_log = logging.getLogger(__name__)
_GROUP = "group:"
#: How long a group's members are remembered; a person thrown out acts no longer than this.
GROUP_CACHE = timedelta(seconds=60)


class GroupLookup(Protocol):
    """Asks a chat who is in a group, where it does not say so with each click."""

    async def members(self, group_id: str) -> frozenset[str]:
        """Return the user ids; raises SpoolwardenError where it cannot be known."""
        ...


class Access:
    """Answers what role a person has, and for whose mail."""

    def __init__(
        self, settings: AccessSettings, groups: Mapping[str, GroupLookup], clock: Clock
    ) -> None:
        """Take a GroupLookup for each chat by its name; a chat without one has no groups."""
        self._lists = (
            (Role.ADMIN, settings.admins),
            (Role.OPERATOR, settings.operators),
            (Role.VIEWER, settings.viewers),
        )
        self._domains = {entry: frozenset(found) for entry, found in settings.domains.items()}
        self._remedies = {name: Role[role.upper()] for name, role in settings.remedies.items()}
        self._groups = groups
        self._clock = clock
        self._cache: dict[tuple[str, str], tuple[datetime, frozenset[str]]] = {}

    async def role(self, actor: Actor) -> Role:
        """Return the highest role this person has."""
        if actor == BOT:
            return Role.ADMIN
        for role, listed in self._lists:
            for entry in listed:
                if await self._is(actor, entry):
                    return role
        return Role.NONE

    async def scope(self, actor: Actor, needed: Role) -> Scope:
        """Return for which senders this person has at least that role: of no domain, for most.

        Who is listed several times has it for all of them together.
        """
        if actor == BOT:
            return everyone(needed)
        domains: frozenset[str] = frozenset()
        held = Role.NONE
        for role, listed in self._lists:
            for entry in listed if role >= needed else ():
                if not await self._is(actor, entry):
                    continue
                if entry not in self._domains:
                    return everyone(needed)
                domains |= self._domains[entry]
                held = max(held, role)
        return Scope(held, domains)

    def needed(self, name: str, usual: Role) -> Role:
        """Return the least role for a remedy: the configured one, else the usual."""
        return self._remedies.get(name, usual)

    async def require(self, actor: Actor, needed: Role, what: str) -> Scope:
        """Raise Refused, saying which rule, unless the person has the role; return for whom.

        ``what`` is what would be done, in the language of the reader: "search".
        """
        scope = await self.scope(actor, needed)
        if scope.everything or scope.domains:
            return scope
        role = await self.role(actor)
        raise Refused(
            tr(
                "You may not {what}: that needs the role {needed}, and yours is {role}. Nothing "
                "was done. Someone who runs Spoolwarden can add you in its [access] settings.",
                what=what,
                needed=needed.word,
                role=role.word,
            )
            if role
            else tr(
                "You may not {what}: that needs the role {needed}, and you have no role. Nothing "
                "was done. Someone who runs Spoolwarden can add you in its [access] settings.",
                what=what,
                needed=needed.word,
            )
        )

    async def _is(self, actor: Actor, entry: str) -> bool:
        if entry.startswith(_GROUP):
            return await self._is_in(actor, entry.removeprefix(_GROUP))
        return entry == actor.user_id

    async def _is_in(self, actor: Actor, group_id: str) -> bool:
        return group_id in actor.groups or actor.user_id in await self._members(
            actor.chat, group_id
        )

    async def _members(self, chat: str, group_id: str) -> frozenset[str]:
        now = self._clock.now()
        cached = self._cache.get((chat, group_id))
        if cached and now - cached[0] < GROUP_CACHE:
            return cached[1]
        lookup = self._groups.get(chat)
        if lookup is None:
            return frozenset()
        try:
            members = await lookup.members(group_id)
        except SpoolwardenError as error:
            # Deny by default: an old answer is not good enough once it has expired.
            _log.warning("group %s could not be looked up: %s", group_id, error)
            return frozenset()
        self._cache[chat, group_id] = (now, members)
        return members
