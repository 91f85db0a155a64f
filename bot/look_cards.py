"""The cards of the looks: an account's evidence, a table of who sends most, an address."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.alert_card import reasons
from bot.elements import (
    Bold,
    Button,
    Card,
    Moment,
    Paragraph,
    Points,
    Row,
    Section,
    Small,
    Text,
    cut,
    named,
    rich,
    richn,
    say,
)
from bot.spool_cards import incident_line, only
from services.detection.engine import OPENS_AT, Verdict
from services.detection.evidence import Evidence
from services.hosts import host_of
from services.language import decimal, later, later_n, tr, trn
from services.mail.port import Block, SenderSpool, User, UserState
from services.models import Incident
from services.origin import Origin
from services.tables import Kind, Rank, Table, Window
from services.targets import Top
from services.traffic import KEPT, Use
from services.words import change, in_percent, show_network, span

#: Looked up by tr() where they are shown, as are all tables of words here.
WINDOWS = {
    Window.FIVE_MINUTES: later("5 min"),
    Window.HOUR: later("1 h"),
    Window.DAY: later("24 h"),
}
KINDS = {
    Kind.USERS: later("Users"),
    Kind.IPS: later("IP addresses"),
    Kind.DOMAINS: later("Domains"),
}
_NOUNS = {
    Kind.USERS: later_n("{n} user", "{n} users"),
    Kind.IPS: later_n("{n} IP address", "{n} IP addresses"),
    Kind.DOMAINS: later_n("{n} domain", "{n} domains"),
}
_TITLES = {
    Kind.USERS: later("Top users, last {window}"),
    Kind.IPS: later("Top IP addresses, last {window}"),
    Kind.DOMAINS: later("Top domains, last {window}"),
}
STATES = {
    UserState.ACTIVE: later("active"),
    UserState.NO_SENDING: later("disabled for sending; it still receives"),
    UserState.REFUSING: later("disabled; mail to it is refused too"),
}
#: Rows on a page: more of them, with their buttons, are more than every chat's messages hold.
PER_PAGE = 8
#: The slots of buttons that stand in a row of their card, by what they begin with.
_IN_ROWS = ("row-", "address-", "account-")


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of one account now. ``buttons`` are by their slots."""

    account: str
    server: str
    user: User | None
    evidence: Evidence
    verdict: Verdict
    waiting: int
    held: int
    sent: int  # in the last 24 hours
    addresses: Sequence[Use]  # of the last 24 hours
    more: int  # addresses that are not shown
    incidents: Sequence[Incident]
    taken_at: datetime
    lacking: tuple[str, ...]
    buttons: Mapping[str, Button]
    origins: Mapping[str, Origin] = field(default_factory=dict)  # of the addresses, where known


def why(shown: Why) -> Card:
    """Return an account's evidence, as an alert would show it."""
    sections: list[Section] = [
        Paragraph(say(Bold(named(shown.account)), f": {_state(shown)}.")),
        *_verdict(shown.evidence, shown.verdict),
        Paragraph(
            richn(
                "Last message {moment}; {n} message in the last 24 h. Now {waiting}, {held} held.",
                "Last message {moment}; {n} messages in the last 24 h. Now {waiting}, {held} held.",
                shown.sent,
                moment=Moment(_newest(shown.verdict)),
                waiting=Bold(tr("{n} waiting", n=shown.waiting)),
                held=shown.held,
            )
        ),
    ]
    for number, use in enumerate(shown.addresses):
        button = shown.buttons.get(f"address-{number}")
        sections.append(use_row(use, button, shown.origins.get(use.name)))
    if shown.more:
        sections.append(
            Small(
                richn(
                    "And {n} more address in 24 h.", "And {n} more addresses in 24 h.", shown.more
                )
            )
        )
    if shown.incidents:
        sections.append(Points(tuple(incident_line(row) for row in shown.incidents)))
    else:
        sections.append(Small(rich("It never had an incident.")))
    sections += foot(shown.server, shown.taken_at, shown.lacking)
    return Card(
        tr("{account}: the evidence now", account=named(shown.account)),
        tuple(sections),
        below(shown.buttons),
        fallback=tr(
            "{account}: score {score}",
            account=named(shown.account),
            score=decimal(shown.verdict.score, 0),
        ),
    )


def never_sent(account: str, server: str, user: User | None) -> str:
    """Return the sentence on an account of which nothing was ever seen."""
    if host_of(account) is not None:
        return tr(
            "Spoolwarden has never seen {account} send anything through {server} without a login. "
            "Hosts in safety.trusted_networks are seen so.",
            account=named(account),
            server=server,
        )
    if user is None:
        return tr(
            "Spoolwarden has never seen {account} send anything through {server}, and there is no "
            "such mailbox there.",
            account=named(account),
            server=server,
        )
    return tr(
        "Spoolwarden has never seen {account} send anything through {server}. The mailbox is "
        "{state}.",
        account=named(account),
        server=server,
        state=tr(STATES[user.state]),
    )


def _state(shown: Why) -> str:
    if host_of(shown.account) is not None:
        return tr("one of our own hosts, which sends without a login")
    if shown.user is None:
        return tr("no mailbox of that name is on {server}", server=shown.server)
    return tr(STATES[shown.user.state])


def _verdict(evidence: Evidence, verdict: Verdict) -> Iterator[Section]:
    """Yield what speaks for abuse; where nothing does, the usual figures."""
    habit = evidence.habit
    usual = (
        trn(
            "When it sends, it usually sends {n} message in five minutes, at most {most}.",
            "When it sends, it usually sends {n} messages in five minutes, at most {most}.",
            round(habit.usual),
            most=habit.high,
        )
        if habit.windows
        else tr("It has not sent for long enough to say what is usual for it.")
    )
    if habit.taught > habit.high:
        usual += " " + tr("A false alarm taught that up to {n} are ordinary.", n=habit.taught)
    against = [reason for reason in verdict.reasons if reason.text and reason.points > 0]
    if against:
        score = Bold(tr("score {n}", n=decimal(verdict.score, 0)))
        yield Paragraph(
            rich("When it last sent: {score}. Each reason with its points:", score=score)
            if verdict.alarming
            else rich(
                "When it last sent: {score}; an incident opens at {least}. Each reason with its "
                "points:",
                score=score,
                least=decimal(OPENS_AT, 0),
            )
        )
        yield Points(reasons(evidence))
        yield Small(say(usual))
    elif evidence.reasons:
        yield Paragraph(
            rich(
                "Nothing is unusual about it. When it last sent: {reasons}. {usual}",
                reasons="; ".join(evidence.reasons),
                usual=usual,
            )
        )
    else:
        yield Paragraph(
            rich(
                "Nothing is unusual about it: what it sent before its last incident ended "
                "is not counted again. {usual}",
                usual=usual,
            )
        )


def _newest(verdict: Verdict) -> datetime:
    return datetime.fromtimestamp(verdict.at, UTC)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a table, and how many ranks come before it."""

    table: Table
    offset: int


def top(
    server: str,
    shown: Top,
    page: Page,
    taken_at: datetime,
    buttons: Mapping[str, Button],
    sentence: str = "",
) -> Card:
    """Return a page of who sends most, each with its share and against the window before."""
    table, window = page.table, tr(WINDOWS[shown.window])
    one, many = _NOUNS[shown.kind]
    title = tr(_TITLES[shown.kind], window=window)
    if not table.ranks:
        sections: list[Section] = [
            Paragraph(rich("Nothing was sent in the last {window}.", window=window))
        ]
    else:
        against = f" ({by})" if (by := _change(table.messages, table.before, table)) else ""
        names = trn(one, many, table.names)
        if table.names > len(table.ranks):
            first, last = page.offset + 1, page.offset + len(table.ranks)
            names = tr("{first} to {last} of {names}", first=first, last=last, names=names)
        sent = Bold(trn("{n} message", "{n} messages", table.messages))
        sections = [Paragraph(say(sent, f"{against} · {names}"))]
    for number, rank in enumerate(table.ranks):
        place = page.offset + number + 1
        sections.append(_rank(place, rank, table, buttons.get(f"row-{number}")))
    if table.ranks and not table.known:
        sections.append(
            Small(rich("The bot has not seen the {window} before to compare with.", window=window))
        )
    sections += only(sentence)
    sections += foot(server, taken_at, ())
    return Card(
        title,
        tuple(sections),
        below(buttons),
        fallback=f"{title}: {trn('{n} message', '{n} messages', table.messages)}",
    )


def _rank(place: int, rank: Rank, table: Table, button: Button | None) -> Section:
    share = rank.messages / (table.messages or 1)
    by = _change(rank.messages, rank.before, table)
    said = trn(
        "{n} message · {share} of all",
        "{n} messages · {share} of all",
        rank.messages,
        share=in_percent(share),
    )
    about = say(f"{said} · {by}" if by else said)
    return _row(f"{decimal(place, 0)}. {named(rank.name)}", about, button)


def _change(now: int, before: int, table: Table) -> str:
    """Return how a number stands against the window before; nothing where that is not known."""
    if not table.known:
        return ""
    return change(now, before) if before else tr("new")


@dataclass(frozen=True, slots=True)
class Address:
    """Who used an address or network, as far back as the bot keeps it."""

    network: str
    server: str
    uses: Sequence[Use]
    accounts: int  # all of them, shown or not
    messages: int
    failed_logins: int
    blocks: Sequence[tuple[Block, str]]  # each with its reason and who
    more_blocks: int
    taken_at: datetime
    lacking: tuple[str, ...]
    buttons: Mapping[str, Button]
    origin: Origin | None = None
    spool: SenderSpool | None = None  # what waits that came from it; None is not told


def address(shown: Address) -> Card:
    """Return who used an address, since when, and whether it is blocked."""
    name, kept = shown.network, span(KEPT)
    points = [_block(block, by) for block, by in shown.blocks]
    if shown.more_blocks:
        points.append(richn("{n} more block in it", "{n} more blocks in it", shown.more_blocks))
    sections: list[Section] = [
        Points(tuple(points))
        if points
        else Paragraph(rich("{address} is not blocked.", address=Bold(name)))
    ]
    if shown.origin is not None:
        sections.insert(
            0, Paragraph(rich("Where it is: {place}.", place=Bold(where(shown.origin))))
        )
    if shown.uses:
        sections.append(
            Paragraph(
                rich(
                    "{accounts} sent {messages} from it in the last {span}:",
                    accounts=trn("{n} account", "{n} accounts", shown.accounts),
                    messages=trn("{n} message", "{n} messages", shown.messages),
                    span=kept,
                )
            )
        )
    else:
        sections.append(Paragraph(rich("No account sent from it in the last {span}.", span=kept)))
    for number, use in enumerate(shown.uses):
        sections.append(use_row(use, shown.buttons.get(f"account-{number}")))
    if shown.spool is not None:
        waits = Bold(tr("{n} waiting", n=shown.spool.waiting))
        now = rich("Now {waiting}, {held} held.", waiting=waits, held=shown.spool.held)
        sections.append(Paragraph(now))
    if more := shown.accounts - len(shown.uses):
        sections.append(Small(richn("And {n} more account.", "And {n} more accounts.", more)))
    if shown.failed_logins:
        failed = richn(
            "{n} login failed just before these were sent.",
            "{n} logins failed just before these were sent.",
            shown.failed_logins,
        )
        sections.append(Small(failed))
    sections += foot(shown.server, shown.taken_at, shown.lacking)
    accounts = trn("{n} account", "{n} accounts", shown.accounts)
    blocked = tr("blocked") if shown.blocks else tr("not blocked")
    return Card(
        tr("Who used {address}", address=name),
        tuple(sections),
        below(shown.buttons),
        fallback=f"{name}: {accounts}, {blocked}",
    )


def _block(block: Block, by: str) -> Text:
    why_ = f": {named(by)}" if by.strip() else ""
    blocked = Bold(tr("{network} is blocked", network=show_network(block.network)))
    since = Moment(block.since)
    if not block.until:
        said = rich("{blocked} since {since} until somebody lifts it", blocked=blocked, since=since)
    else:
        until = Moment(block.until)
        said = rich(
            "{blocked} since {since} until {until}", blocked=blocked, since=since, until=until
        )
    return (*said, *say(why_))


def use_row(use: Use, button: Button | None, origin: Origin | None = None) -> Section:
    """Return a row on the use of an address, or on an account that used one.

    ``origin`` is the address's.
    """
    sent, first = trn("{n} message", "{n} messages", use.messages), Moment(use.first_at)
    about = (
        rich("{messages}, at {moment}", messages=sent, moment=first)
        if use.first_at == use.last_at
        else rich(
            "{messages}, first {first}, last {last}",
            messages=sent,
            first=first,
            last=Moment(use.last_at),
        )
    )
    place = say(f"{where(origin)} · ") if origin is not None else ()
    return _row(named(use.name), (*place, *about), button)


def where(origin: Origin) -> str:
    """Return where an address is, in a few words; they are partly a database's."""
    return cut(origin.words, 100)


def _row(name: str, about: Text, button: Button | None) -> Section:
    """Return a row; without a button it is a paragraph, which is one line."""
    if button is None:
        return Paragraph(say(Bold(name), " · ", *about))
    return Row(say(Bold(name), "\n", *about), button)


def foot(server: str, at: datetime, lacking: tuple[str, ...]) -> list[Section]:
    """Return what stands last: what cannot be done here, the server, and the moment."""
    return [
        *(Small(say(sentence)) for sentence in lacking),
        Small(
            rich(
                "{server} · as of {moment}",
                server=named(server),
                moment=Moment(at, seconds=True),
            )
        ),
    ]


def below(buttons: Mapping[str, Button]) -> tuple[Button, ...]:
    """Return the buttons that stand below the card: those of no row."""
    return tuple(b for slot, b in buttons.items() if not slot.startswith(_IN_ROWS))
