"""Whose mail a role is about: everybody's, or that of the senders of some domains."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.errors import Refused
from services.language import tr, trn
from services.mail.domains import domain_of, is_of
from services.mail.port import SpoolQuery
from services.people import Role
from services.targets import Target
from services.words import listed, short

_DOMAINS = "domains"
_SHOWN = 5
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """The senders that somebody holds a role for. ``domains`` None means all of them.

    A sender without a domain (a bounce, a login that is only a name) is in no domain.
    """

    role: Role
    domains: frozenset[str] | None = frozenset()

    @property
    def everything(self) -> bool:
        """Whether it is every sender, and what is about none in particular."""
        return self.domains is None

    def holds(self, sender: str) -> bool:
        """Tell whether a sender is one of them."""
        return is_of(sender, self.domains)

    def all_in(self, domains: Iterable[str]) -> bool:
        """Tell whether these domains, of which there must be some, are all among them."""
        named = frozenset(domains)
        return self.domains is None or (bool(named) and named <= self.domains)

    def holds_entry(self, subject: str, detail: str) -> bool:
        """Tell whether an entry of the audit log is about these senders and no others."""
        if self.domains is None:
            return True
        try:
            told = json.loads(detail)
        except ValueError:
            return False  # somebody changed it; verifying the log says so
        domains = told.get(_DOMAINS) if isinstance(told, dict) else None
        if isinstance(domains, list):
            return self.all_in(map(str, domains))
        # A query that told no domains; an account's name has no colon, nearly always.
        return ":" not in subject and self.holds(subject)

    def query(self, query: SpoolQuery) -> SpoolQuery:
        """Return what is left of a query once it finds nobody else. Raises Refused for nothing."""
        return self.limited(Target(query=query), tr("search")).query or query

    def limited(self, target: Target, what: str) -> Target:
        """Return a target with what it has of other senders left out, where it is still open.

        Raises Refused, saying which rule, where it is about others: an account, an address
        (which anybody may send from), or messages that were chosen already.
        """
        if self.domains is None:
            return target
        if target.networks:
            why = tr("an address may be used by senders of every domain")
            raise self.refusal(what, because=why)
        if target.accounts:
            return self._some_of(target, what)
        account = target.account
        # Mail servers know an account without regard to case, and so “ß” is “ss” to some.
        if account is not None and not (self.holds(account) and self.holds(account.casefold())):
            raise self.refusal(what, account)
        query = target.query
        if query is None:
            if account is None and not target.queue_ids:
                raise self.refusal(what, because=tr("it is about no sender in particular"))
            return target
        named = query.sender_domains or self.domains
        if query.sender is not None:
            if not self.holds(query.sender):
                raise self.refusal(what, query.sender)
            named = query.sender_domains or (domain_of(query.sender),)
        elif target.queue_ids and not self.all_in(query.sender_domains):
            raise self.refusal(what, because=tr("other senders' messages were chosen too"))
        left = self.domains.intersection(named)
        if not left:
            raise self.refusal(what, listed(list(query.sender_domains)))
        # With a sender, too: “ß” in its domain is “ss” to who compares without regard to case.
        narrow = replace(query, sender_domains=tuple(sorted(left)))
        return target.model_copy(update={"query": narrow})

    def _some_of(self, target: Target, what: str) -> Target:
        """Return a target of several accounts with those of other domains left out, and said so."""
        mine = [a for a in target.accounts if self.holds(a) and self.holds(a.casefold())]
        others = len(target.accounts) - len(mine)
        if not mine:
            raise self.refusal(what, because=tr("all its accounts are of other domains"))
        if not others:
            return target
        said = trn(
            "Not touched: {n} account of other domains than {domains}.",
            "Not touched: {n} accounts of other domains than {domains}.",
            others,
            domains=self._named(),
        )
        left_out = (*target.left_out, said)
        return target.model_copy(update={"accounts": tuple(mine), "left_out": left_out})

    @property
    def note(self) -> str:
        """The sentence below what tells of these senders alone; none where it is everybody."""
        if self.everything:
            return ""
        return tr("Only of senders of {domains}: your role is for these.", domains=self._named())

    def refusal(self, what: str, about: str = "", because: str = "") -> Refused:
        """Return the refusal that names the rule.

        ``what`` would be done (to or for ``about``), and ``because`` is why the rule counts
        there: both in the reader's language.
        """
        if about:
            what = tr("{what} for {about}", what=what, about=short(about, _LONGEST))
        role = tr(
            "your role {role} is for senders of {domains} only",
            role=self.role.word,
            domains=self._named(),
        )
        if because:
            role = tr("{because}, and {role}", because=because, role=role)
        return Refused(
            tr(
                "You may not {what}: {why}. Nothing was done. Somebody whose role is not limited "
                "to domains can do it.",
                what=what,
                why=role,
            )
        )

    def _named(self) -> str:
        named = sorted(self.domains or ())
        more = [tr("{n} more", n=len(named) - _SHOWN)] if len(named) > _SHOWN else []
        return listed([*named[:_SHOWN], *more]) or tr("no domain")


def of_domains(target: Target) -> dict[str, object]:
    """Return what an audit entry must say of whom it is about, where its subject does not.

    A query is told in words for people, which the texts in it can make say anything.
    """
    if (target.account is not None and not target.accounts) or not target.domains:
        return {}
    return {_DOMAINS: list(target.domains)}


def everyone(role: Role) -> Scope:
    """Return the scope of a role that is limited to no domain."""
    return Scope(role, None)
