"""The cards of the looks: an account's evidence, a table of who sends most, an address."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.cards import incident_line, only, reasons
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
    say,
)
from services.detection.engine import OPENS_AT, Verdict
from services.detection.evidence import Evidence
from services.hosts import host_of
from services.mail.port import Block, SenderSpool, User, UserState
from services.models import Incident
from services.origin import Origin
from services.tables import Kind, Rank, Table, Window
from services.targets import Top, show_network
from services.traffic import KEPT, Use
from services.words import count, span

WINDOWS = {Window.FIVE_MINUTES: "5 min", Window.HOUR: "1 h", Window.DAY: "24 h"}
KINDS = {Kind.USERS: "Users", Kind.IPS: "IP addresses", Kind.DOMAINS: "Domains"}
_NOUNS = {
    Kind.USERS: ("user", "users"),
    Kind.IPS: ("IP address", "IP addresses"),
    Kind.DOMAINS: ("domain", "domains"),
}
STATES = {
    UserState.ACTIVE: "active",
    UserState.NO_SENDING: "disabled for sending; it still receives",
    UserState.REFUSING: "disabled; mail to it is refused too",
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
            say(
                "Last message ",
                Moment(_newest(shown.verdict)),
                f"; {count(shown.sent, 'message')} in the last 24 h. Now ",
                Bold(f"{shown.waiting:,} waiting"),
                f", {shown.held:,} held.",
            )
        ),
    ]
    for number, use in enumerate(shown.addresses):
        button = shown.buttons.get(f"address-{number}")
        sections.append(use_row(use, button, shown.origins.get(use.name)))
    if shown.more:
        sections.append(
            Small(say(f"And {count(shown.more, 'more address', 'more addresses')} in 24 h."))
        )
    if shown.incidents:
        sections.append(Points(tuple(incident_line(row) for row in shown.incidents)))
    else:
        sections.append(Small(say("It never had an incident.")))
    sections += foot(shown.server, shown.taken_at, shown.lacking)
    return Card(
        f"{named(shown.account)}: the evidence now",
        tuple(sections),
        below(shown.buttons),
        fallback=f"{named(shown.account)}: score {shown.verdict.score:.0f}",
    )


def never_sent(account: str, server: str, user: User | None) -> str:
    """Return the sentence on an account of which nothing was ever seen."""
    seen = f"Spoolwarden has never seen {named(account)} send anything through {server}"
    if host_of(account) is not None:
        return f"{seen} without a login. Hosts in safety.trusted_networks are seen so."
    if user is None:
        return f"{seen}, and there is no such mailbox there."
    return f"{seen}. The mailbox is {STATES[user.state]}."


def _state(shown: Why) -> str:
    if host_of(shown.account) is not None:
        return "one of our own hosts, which sends without a login"
    if shown.user is None:
        return f"no mailbox of that name is on {shown.server}"
    return STATES[shown.user.state]


def _verdict(evidence: Evidence, verdict: Verdict) -> Iterator[Section]:
    """Yield what speaks for abuse; where nothing does, the usual figures."""
    habit = evidence.habit
    usual = (
        f"When it sends, it usually sends {count(round(habit.usual), 'message')} in five minutes, "
        f"at most {habit.high:,}."
        if habit.windows
        else "It has not sent for long enough to say what is usual for it."
    )
    if habit.taught > habit.high:
        usual += f" A false alarm taught that up to {habit.taught:,} are ordinary."
    against = [reason for reason in verdict.reasons if reason.text and reason.points > 0]
    if against:
        score = f"score {verdict.score:.0f}"
        opens = f"; an incident opens at {OPENS_AT:.0f}" if not verdict.alarming else ""
        yield Paragraph(
            say("When it last sent: ", Bold(score), f"{opens}. Each reason with its points:")
        )
        yield Points(reasons(evidence))
        yield Small(say(usual))
    elif evidence.reasons:
        yield Paragraph(
            say(
                "Nothing is unusual about it. When it last sent: ",
                f"{'; '.join(evidence.reasons)}. {usual}",
            )
        )
    else:
        yield Paragraph(
            say(
                "Nothing is unusual about it: what it sent before its last incident ended "
                f"is not counted again. {usual}"
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
    table, window = page.table, WINDOWS[shown.window]
    one, many = _NOUNS[shown.kind]
    title = f"Top {many}, last {window}"
    if not table.ranks:
        sections: list[Section] = [Paragraph(say(f"Nothing was sent in the last {window}."))]
    else:
        against = f" ({change})" if (change := _change(table.messages, table.before, table)) else ""
        where = f"{page.offset + 1:,} to {page.offset + len(table.ranks):,} of "
        paged = where if table.names > len(table.ranks) else ""
        sections = [
            Paragraph(
                say(
                    Bold(count(table.messages, "message")),
                    f"{against} · {paged}{count(table.names, one, many)}",
                )
            )
        ]
    for number, rank in enumerate(table.ranks):
        place = page.offset + number + 1
        sections.append(_rank(place, rank, table, buttons.get(f"row-{number}")))
    if table.ranks and not table.known:
        sections.append(Small(say(f"The bot has not seen the {window} before to compare with.")))
    sections += only(sentence)
    sections += foot(server, taken_at, ())
    return Card(
        title,
        tuple(sections),
        below(buttons),
        fallback=f"{title}: {count(table.messages, 'message')}",
    )


def _rank(place: int, rank: Rank, table: Table, button: Button | None) -> Section:
    share = rank.messages / (table.messages or 1)
    change = _change(rank.messages, rank.before, table)
    said = f"{count(rank.messages, 'message')} · {share:.0%} of all"
    about = say(f"{said} · {change}" if change else said)
    return _row(f"{place:,}. {named(rank.name)}", about, button)


def _change(now: int, before: int, table: Table) -> str:
    """Return how a number stands against the window before; nothing where that is not known."""
    if not table.known:
        return ""
    return "new" if not before else f"{(now - before) / before * 100:+,.0f} %"


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
        points.append(say(f"{count(shown.more_blocks, 'more block')} in it"))
    sections: list[Section] = [
        Points(tuple(points)) if points else Paragraph(say(Bold(name), " is not blocked."))
    ]
    if shown.origin is not None:
        sections.insert(0, Paragraph(say("Where it is: ", Bold(where(shown.origin)), ".")))
    if shown.uses:
        sections.append(
            Paragraph(
                say(
                    f"{count(shown.accounts, 'account')} sent "
                    f"{count(shown.messages, 'message')} from it in the last {kept}:"
                )
            )
        )
    else:
        sections.append(Paragraph(say(f"No account sent from it in the last {kept}.")))
    for number, use in enumerate(shown.uses):
        sections.append(use_row(use, shown.buttons.get(f"account-{number}")))
    if shown.spool is not None:
        waits = say(
            "Now ", Bold(f"{shown.spool.waiting:,} waiting"), f", {shown.spool.held:,} held."
        )
        sections.append(Paragraph(waits))
    if more := shown.accounts - len(shown.uses):
        sections.append(Small(say(f"And {count(more, 'more account')}.")))
    if shown.failed_logins:
        failed = count(shown.failed_logins, "login")
        sections.append(Small(say(f"{failed} failed just before these were sent.")))
    sections += foot(shown.server, shown.taken_at, shown.lacking)
    blocked = "blocked" if shown.blocks else "not blocked"
    return Card(
        f"Who used {name}",
        tuple(sections),
        below(shown.buttons),
        fallback=f"{name}: {count(shown.accounts, 'account')}, {blocked}",
    )


def _block(block: Block, by: str) -> Text:
    until = say(" until ", Moment(block.until)) if block.until else say(" until somebody lifts it")
    why_ = f": {named(by)}" if by.strip() else ""
    name = show_network(block.network)
    return say(Bold(f"{name} is blocked"), " since ", Moment(block.since), *until, why_)


def use_row(use: Use, button: Button | None, origin: Origin | None = None) -> Section:
    """Return a row on the use of an address, or on an account that used one.

    ``origin`` is the address's.
    """
    same = use.first_at == use.last_at
    later = () if same else say(", last ", Moment(use.last_at))
    when = say("at " if same else "first ", Moment(use.first_at), *later)
    place = f"{where(origin)} · " if origin is not None else ""
    about = say(f"{place}{count(use.messages, 'message')}, ", *when)
    return _row(named(use.name), about, button)


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
        Small(say(f"{named(server)} · as of ", Moment(at, seconds=True))),
    ]


def below(buttons: Mapping[str, Button]) -> tuple[Button, ...]:
    """Return the buttons that stand below the card: those of no row."""
    return tuple(b for slot, b in buttons.items() if not slot.startswith(_IN_ROWS))
