"""The card of the report on message traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import idna

from bot.elements import (
    Bold,
    Button,
    Card,
    Figure,
    Menu,
    Moment,
    Option,
    Paragraph,
    Points,
    Row,
    Section,
    Small,
    Text,
    named,
    rich,
    say,
)
from bot.spool_cards import only
from services import reports
from services.language import day, later, number, tr, trn
from services.reports import Tally, View
from services.targets import Report
from services.words import change, in_percent

#: Looked up by tr() where they are shown.
VIEWS = {
    View.TREND: later("Trend"),
    View.DOMAINS: later("Domains"),
    View.USERS: later("Users"),
}
_TALLIES = {
    "outgoing": later("Outgoing: {number}"),
    "incoming": later("Incoming: {number}"),
    "deferred": later("Deferred: {number}"),
    "rejected": later("Rejected: {number}"),
}
#: Rows on a page: more of them, with their buttons, are more than every chat's messages hold.
PER_PAGE = 8


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report shows."""

    server: str
    shown: Report
    whole: Tally
    before: Tally  # in the period of the same length just before
    rows: Sequence[reports.Row]
    names: int  # on all pages
    since: date | None  # when counting began
    taken_at: datetime
    only: str = ""
    lacking: tuple[str, ...] = ()  # sentences on what the mail server's log does not tell

    @property
    def comparable(self) -> bool:
        """Whether the period before was counted, too."""
        return self.since is not None and self.since <= self.shown.period.before.first


def card(
    facts: Facts, figure: Figure | None, buttons: Mapping[str, Button], views: Sequence[Option]
) -> Card:
    """Return a report: its trend as a picture with the numbers, or a page of a table."""
    shown = facts.shown
    days = day(shown.first)
    if shown.first != shown.last:
        days = tr("{first} to {last}", first=days, last=day(shown.last))
    title = tr("Mail of {server}, {days}", server=named(facts.server), days=days)
    sections: list[Section] = []
    if shown.view is View.TREND:
        sections.append(Points(tuple(_numbers(facts))))
        if figure is not None:
            sections.append(figure)
    else:
        sections += _table(facts, buttons)
    sections += only(facts.only)
    # In one, as a full page is all that a chat's message holds.
    sections.append(Small(say(" ".join((_source(facts), *facts.lacking)))))
    as_of = Moment(facts.taken_at, seconds=True)
    sections.append(Small(rich("Days are UTC's · as of {moment}", moment=as_of)))
    menu = Menu("view", tr("Show…"), tuple(views))
    below = [b for slot, b in buttons.items() if not slot.startswith("row-")]
    return Card(
        title,
        tuple(sections),
        (*below, menu),
        # What was picked in one view's menu is not what the next one's shows.
        turn=list(View).index(shown.view),
        fallback=tr(
            "{title}: {outgoing} outgoing, {incoming} incoming",
            title=title,
            outgoing=facts.whole.outgoing,
            incoming=facts.whole.incoming,
        ),
    )


def _numbers(facts: Facts) -> list[Text]:
    lines = []
    for name in Tally.__dataclass_fields__:
        now, before = getattr(facts.whole, name), getattr(facts.before, name)
        said = rich(_TALLIES[name], number=Bold(number(now)))
        if against := _against(now, before, facts):
            said = (*said, *say(f" ({against})"))
        lines.append(said)
    return lines


def _against(now: int, before: int, facts: Facts) -> str:
    if not facts.comparable:
        return ""
    if not before:
        return tr("none in the period before") if now else ""
    return tr("{change} against the period before", change=change(now, before))


def _table(facts: Facts, buttons: Mapping[str, Button]) -> list[Section]:
    shown = facts.shown
    of_domain = shown.view is View.USERS
    if not facts.rows:
        return [
            Paragraph(
                rich(
                    "Nothing was counted for {domain} in this time.",
                    domain=both_forms(shown.domain),
                )
                if of_domain
                else rich("No mail in this time.")
            )
        ]
    what = (
        trn(
            "{n} user of {domain}",
            "{n} users of {domain}",
            facts.names,
            domain=both_forms(shown.domain),
        )
        if of_domain
        else trn("{n} domain", "{n} domains", facts.names)
    )
    if facts.names > len(facts.rows):
        last = shown.offset + len(facts.rows)
        what = tr("{first} to {last} of {names}", first=shown.offset + 1, last=last, names=what)
    sections: list[Section] = [
        Paragraph(
            rich(
                "{names}, by outgoing; {outgoing} in all",
                names=what,
                outgoing=Bold(tr("{n} outgoing", n=facts.whole.outgoing)),
            )
        )
    ]
    for place, row in enumerate(facts.rows):
        about = _row(row, facts)
        name = f"{number(shown.offset + place + 1)}. {both_forms(row.name)}"
        button = buttons.get(f"row-{place}")
        text = say(Bold(name), "\n", about)
        sections.append(Row(text, button) if button else Paragraph(say(Bold(name), f" · {about}")))
    return sections


def _row(row: reports.Row, facts: Facts) -> str:
    tally = row.tally
    said = [
        tr(
            "{out} out · {incoming} in · {share} of outgoing",
            out=tally.outgoing,
            incoming=tally.incoming,
            share=in_percent(tally.outgoing / (facts.whole.outgoing or 1)),
        )
    ]
    if facts.comparable and (tally.outgoing or row.before):
        said.append(change(tally.outgoing, row.before) if row.before else tr("new"))
    if tally.deferred or tally.rejected:
        said.append(
            tr(
                "{deferred} deferred, {rejected} rejected",
                deferred=tally.deferred,
                rejected=tally.rejected,
            )
        )
    return " · ".join(said)


def _source(facts: Facts) -> str:
    """Return where the numbers are from, and since when there are any."""
    if facts.since is None:
        return tr(
            "Nothing was counted yet: Spoolwarden counts what the log of {server} tells.",
            server=facts.server,
        )
    said = tr(
        "Counted from the log of {server} since {day}.",
        server=facts.server,
        day=day(facts.since),
    )
    if facts.shown.first < facts.since:
        said += " " + tr("What was before that is not in it.")
    elif not facts.comparable:
        said += " " + tr("Not long enough to compare with the period before.")
    elif facts.shown.last >= facts.taken_at.astimezone(UTC).date():
        said += " " + tr("Today is not over; the period before is of whole days.")
    return said


def both_forms(name: str) -> str:
    """Return a domain or address as it is read, with its ASCII form where that is another."""
    user, at, domain = name.rpartition("@")
    if "xn--" not in domain:
        return named(name)
    try:
        read = idna.decode(domain)
    except UnicodeError:
        return named(name)
    return f"{named(f'{user}{at}{read}')} ({named(domain)})"
