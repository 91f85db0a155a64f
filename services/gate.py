"""Who may do what to whom: asked before anything is proposed, and again before it is done."""

import sys
from collections.abc import Mapping
from typing import NoReturn

from services.access import Access
from services.audit import AuditLog, Line, Phase
from services.errors import BadArgument, NotCapable, Refused, SpoolwardenError
from services.intents import undo_of
from services.language import tr
from services.mail.port import MailServer, SpoolQuery, UserState
from services.models import Intent
from services.people import Actor, Role
from services.remedies import lacking
from services.remedy import Remedy
from services.rules import Rules, rule_alone
from services.scope import Scope, of_domains
from services.targets import Target
from services.words import act


class Gate:
    """Lets acts through: role, domains, safety rules, what the mail server can do."""

    def __init__(
        self,
        *,
        servers: Mapping[str, MailServer],
        access: Access,
        audit: AuditLog,
        rules: Rules,
    ) -> None:
        self._servers = servers
        self._access = access
        self._audit = audit
        self._rules = rules

    async def authorise(
        self,
        actor: Actor,
        remedy: Remedy,
        server: str,
        target: Target,
        incident_id: int | None,
        original: Intent | None = None,
        *,
        reverse: str | None = None,
        whole: bool = False,
    ) -> Target:
        """Return the target with what is not this person's to touch left out. Raises Refused.

        ``original`` is the act that is taken back, if any; ``reverse`` the remedy that this
        comes to, where that is another's act. Somebody else has asked for the ``whole`` of it:
        whoever may not touch all of that decides nothing of it.
        """
        try:
            usual = Role.ADMIN if target.permanent else remedy.role
            needed = self._access.needed(remedy.name, usual)
            if target.permanent:
                needed = max(needed, usual)
            name = remedy.name
            if reverse is not None and self._access.needed(reverse, remedy.role) > needed:
                name, needed = reverse, self._access.needed(reverse, remedy.role)
            what = tr("use “{remedy}”", remedy=act(name))
            scope = await self._access.require(actor, needed, what)
            whole = whole or original is not None
            target = await self._within(scope, what, server, target, original, whole=whole)
            if _may_disable(remedy, target, undoing=original is not None):
                target = self._unprotected(target)
            why = lacking(remedy.name, named(self._servers, server).capabilities, target)
            if why is not None:
                raise NotCapable(f"{why} {tr('Nothing was done.')}")
        except SpoolwardenError as refusal:
            await self.refuse(
                actor, remedy.name, server, target, incident_id, refusal.sentence, refusal
            )
        return target

    def _unprotected(self, target: Target) -> Target:
        """Return a target without accounts never to be disabled. Raises Refused if none is left."""
        if not target.accounts:
            self._rules.check_account(target.account or "")
            return target
        mine, refused = [], list[Refused]()
        for account in target.accounts:
            try:
                self._rules.check_account(account)
                mine.append(account)
            except Refused as refusal:
                refused.append(refusal)
        if not mine:
            raise refused[0]
        said = [tr("Not touched: {why}", why=rule_alone(r.sentence)) for r in refused]
        left_out = tuple(dict.fromkeys((*target.left_out, *said)))
        return target.model_copy(update={"accounts": tuple(mine), "left_out": left_out})

    async def _within(
        self,
        scope: Scope,
        what: str,
        server: str,
        target: Target,
        original: Intent | None,
        *,
        whole: bool,
    ) -> Target:
        """Leave out what a person's role is not about. Raises Refused, ServerDown.

        Who sent a message is asked where nothing else tells it: where messages are named by
        their ids alone, and where taking an act back takes back one that was cut off, too.
        """
        if scope.everything:
            return target
        asked, target = target, scope.limited(target, what)
        if whole and target.accounts != asked.accounts:
            why = tr("other domains' accounts were concerned too")
            raise scope.refusal(what, because=why)
        # Those of a campaign's accounts were found by them; fewer accounts now are fewer messages.
        named_alone = target.query is None and (
            not target.accounts or target.accounts != asked.accounts
        )
        ids = set(target.queue_ids) if named_alone else set()
        if original is not None and target.queue_ids:
            ids |= set(undo_of(original).messages).difference(target.queue_ids)
        if ids:
            theirs = scope.query(SpoolQuery())
            mine = await named(self._servers, server).matching_ids(theirs, limit=sys.maxsize)
            if not ids.issubset(mine):
                why = tr("a message of these is another's or gone")
                raise scope.refusal(what, because=why)
        return target

    async def check_networks(self, actor: Actor, intent: Intent, target: Target) -> None:
        """Refuse if a rule forbids any: since they were proposed the rules may have changed."""
        own = await named(self._servers, intent.server).own_networks()
        try:
            for network in target.networks:
                self._rules.check_network(network, own)
        except Refused as refusal:
            why = f"{refusal.sentence} {tr('Nothing was blocked.')}"
            await self.refuse(actor, intent.action, intent.server, target, intent.incident_id, why)

    async def refuse(
        self,
        actor: Actor,
        action: str,
        server: str,
        target: Target,
        incident_id: int | None,
        why: str,
        error: SpoolwardenError | None = None,
    ) -> NoReturn:
        """Write a refusal down, and raise it: ``error``, or Refused with ``why``."""
        await self._audit.write(
            Line(
                Phase.REFUSED,
                action,
                actor,
                server,
                target.subject,
                incident_id,
                detail={"why": why} | of_domains(target),
            )
        )
        raise error or Refused(why)


def named(servers: Mapping[str, MailServer], name: str) -> MailServer:
    """Return the mail server of that name; raises BadArgument if there is none."""
    try:
        return servers[name]
    except KeyError:
        known = ", ".join(sorted(servers))
        raise BadArgument(
            tr("There is no mail server {name}. Known: {known}.", name=repr(name), known=known)
        ) from None


def _may_disable(remedy: Remedy, target: Target, *, undoing: bool) -> bool:
    """Tell whether this can leave an account disabled: so can undoing what enabled it."""
    enables = remedy.name == "enable" or target.user_state is UserState.ACTIVE
    return (remedy.changes_account or remedy.name == "enable") and enables is undoing
