"""What an act is aimed at, and what must be known to take it back. Both are kept as JSON."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta

from pydantic import BaseModel, ConfigDict

from services.language import tr, trn
from services.mail.domains import domain_of
from services.mail.port import Block, Network, SpoolQuery, UserState
from services.reports import Period, View
from services.tables import Kind, Window
from services.words import show_network


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Top(_Value):
    """A page of a table of who sends most."""

    kind: Kind = Kind.USERS
    window: Window = Window.HOUR
    offset: int = 0


class Report(_Value):
    """A page of a report on message traffic. Both days are in it."""

    first: date
    last: date
    view: View = View.TREND
    domain: str = ""  # whose users are shown
    offset: int = 0
    file: bool = False  # all of it, as a file

    @property
    def period(self) -> Period:
        """Its days."""
        return Period(self.first, self.last)


class Target(_Value):
    """What a remedy is aimed at, frozen when the person saw it. Unused fields stay empty."""

    account: str | None = None
    accounts: tuple[str, ...] = ()  # of a campaign, where it is about several at once
    query: SpoolQuery | None = None
    queue_ids: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    folder: str | None = None
    user_state: UserState | None = None
    lasting: timedelta | None = None
    permanent: bool = False
    offset: int = 0  # of a search page
    file: bool = False  # all of a summary, as a file
    top: Top | None = None  # the table to show, or to go back to
    report: Report | None = None  # the report to show
    lesson: int | None = None  # what was taught, by its number
    left_out: tuple[str, ...] = ()  # sentences: what a role or a rule kept out of it

    @property
    def people(self) -> tuple[str, ...]:
        """The accounts that it is about."""
        return self.accounts or ((self.account,) if self.account else ())

    @property
    def senders(self) -> frozenset[str]:
        """The same as incidents name them: in lower case."""
        return frozenset(account.lower() for account in self.people)

    @property
    def members(self) -> frozenset[str]:
        """Those of a campaign that it is about, likewise; none where it is about one alone."""
        return self.senders if self.accounts else frozenset()

    @property
    def subject(self) -> str:
        """What this is about, in a few words, for the audit log."""
        about = list(self.people[:10])
        if len(self.people) > 10:
            more = len(self.people) - 10
            about.append(trn("{n} more account", "{n} more accounts", more))
        about += [str(network) for network in self.networks[:10]]
        if self.query and not about:
            about.append(describe(self.query))
        return ", ".join(about)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains of the senders that this is about; none where it is about anybody."""
        if self.accounts:
            return tuple(dict.fromkeys(map(domain_of, self.accounts)))
        if self.account is not None:
            return (domain_of(self.account),)
        if self.query is None:
            return ()
        if self.query.sender is not None:
            return (domain_of(self.query.sender),)
        return self.query.sender_domains

    def shares(self, other: "Target") -> bool:
        """Tell whether both are aimed at something that is the same."""
        for mine, theirs in (
            (self.queue_ids, other.queue_ids),
            (self.networks, other.networks),
        ):
            if mine or theirs:
                return not set(mine).isdisjoint(theirs)
        return not set(self.people).isdisjoint(other.people)


class Undo(_Value):
    """What must be known to take an act back exactly."""

    account: str | None = None
    user_state: UserState | None = None  # as it was before
    held: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()  # out of the queue
    moved_from: dict[str, tuple[str, ...]] = {}  # out of a folder: queue ids
    restored_from: dict[str, tuple[str, ...]] = {}  # folder: queue ids
    blocked: tuple[Network, ...] = ()
    replaced: tuple[Block, ...] = ()  # block entries as they were before
    waiting: tuple[str, ...] = ()  # of those moved: which the server would have delivered
    states: dict[str, UserState | None] = {}  # of several accounts, as they were before

    @property
    def messages(self) -> tuple[str, ...]:
        """Every message that taking it back concerns."""
        restored = (i for ids in self.restored_from.values() for i in ids)
        return (*self.held, *self.in_folder, *restored)

    @property
    def in_folder(self) -> tuple[str, ...]:
        """The messages that an act put into its folder, wherever they were before."""
        return (*self.moved, *(i for ids in self.moved_from.values() for i in ids))

    @property
    def accounts(self) -> dict[str, UserState]:
        """What each account could do before, as far as it is to be put back."""
        if self.states:
            return {name: state for name, state in self.states.items() if state is not None}
        if self.account is None or self.user_state is None:
            return {}
        return {self.account: self.user_state}

    def with_state(self, account: str, state: UserState | None) -> "Undo":
        """Return this with another state of one of its accounts from before."""
        if self.states:
            return self.model_copy(update={"states": self.states | {account: state}})
        return self.model_copy(update={"user_state": state})

    def then(self, later: "Undo") -> "Undo":
        """Return what takes both acts back, this one and a later one: the older state counts."""
        known = set(self.in_folder)
        lifted = {block.network for block in self.replaced}.union(self.blocked)
        restored = {i for ids in self.restored_from.values() for i in ids}
        return Undo(
            account=self.account or later.account,
            user_state=self.user_state or later.user_state,
            held=_once(self.held, later.held),
            moved=_once(self.moved, (i for i in later.moved if i not in known)),
            moved_from=_joined(self.moved_from, later.moved_from, known),
            restored_from=_joined(self.restored_from, later.restored_from, restored),
            blocked=tuple(dict.fromkeys((*self.blocked, *later.blocked))),
            replaced=(*self.replaced, *(b for b in later.replaced if b.network not in lifted)),
            waiting=_once(self.waiting, (i for i in later.waiting if i not in known)),
            states=later.states | self.states,
        )


def _once(ids: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*ids, *more)))


def _joined(
    folders: Mapping[str, tuple[str, ...]],
    later: Mapping[str, tuple[str, ...]],
    known: Collection[str],
) -> dict[str, tuple[str, ...]]:
    joined = dict(folders)
    for name, ids in later.items():
        fresh = tuple(queue_id for queue_id in ids if queue_id not in known)
        joined[name] = _once(joined.get(name, ()), fresh)
    return {name: ids for name, ids in joined.items() if ids}


def describe(query: SpoolQuery) -> str:
    """Return a query as it would be typed."""
    parts = [
        f"{name}:{value}"
        for name, value in (
            ("sender", query.sender),
            ("to", query.recipient),
            ("ip", show_network(query.client_ip) if query.client_ip else None),
            ("subject", f'"{query.subject}"' if query.subject else None),
            ("folder", query.folder),
            ("domain", "" if query.sender else "+".join(query.sender_domains)),
            ("queue", "+".join(queue.value for queue in query.queues)),
        )
        if value
    ]
    return " ".join(parts) or tr("everything")
