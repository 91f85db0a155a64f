"""The card of the report on message traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import idna

from bot.cards import only
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
    say,
)
from services import reports
from services.language import trn
from services.reports import Tally, View
from services.targets import Report

VIEWS = {View.TREND: "Trend", View.DOMAINS: "Domains", View.USERS: "Users"}
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
    days = f"{shown.first}" if shown.first == shown.last else f"{shown.first} to {shown.last}"
    title = f"Mail of {named(facts.server)}, {days}"
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
    sections.append(Small(say("Days are UTC's", " · as of ", Moment(facts.taken_at, seconds=True))))
    menu = Menu("view", "Show…", tuple(views))
    below = [b for slot, b in buttons.items() if not slot.startswith("row-")]
    return Card(
        title,
        tuple(sections),
        (*below, menu),
        # What was picked in one view's menu is not what the next one's shows.
        turn=list(View).index(shown.view),
        fallback=f"{title}: {facts.whole.outgoing:,} outgoing, {facts.whole.incoming:,} incoming",
    )


def _numbers(facts: Facts) -> list[Text]:
    lines = []
    for name in Tally.__dataclass_fields__:
        number, before = getattr(facts.whole, name), getattr(facts.before, name)
        change = _change(number, before, facts)
        lines.append(say(f"{name.capitalize()}: ", Bold(f"{number:,}"), change))
    return lines


def _change(number: int, before: int, facts: Facts) -> str:
    if not facts.comparable:
        return ""
    if not before:
        return " (none in the period before)" if number else ""
    return f" ({(number - before) / before * 100:+,.0f} % against the period before)"


def _table(facts: Facts, buttons: Mapping[str, Button]) -> list[Section]:
    shown = facts.shown
    of_domain = shown.view is View.USERS
    what = (
        trn("{n} user", "{n} users", facts.names) + f" of {both_forms(shown.domain)}"
        if of_domain
        else trn("{n} domain", "{n} domains", facts.names)
    )
    if not facts.rows:
        nothing = f"Nothing was counted for {both_forms(shown.domain)}" if of_domain else "No mail"
        return [Paragraph(say(f"{nothing} in this time."))]
    last = shown.offset + len(facts.rows)
    where = f"{shown.offset + 1:,} to {last:,} of " if facts.names > len(facts.rows) else ""
    sections: list[Section] = [
        Paragraph(
            say(
                f"{where}{what}, by outgoing; ",
                Bold(f"{facts.whole.outgoing:,} outgoing"),
                " in all",
            )
        )
    ]
    for number, row in enumerate(facts.rows):
        share = row.tally.outgoing / (facts.whole.outgoing or 1)
        about = f"{row.tally.outgoing:,} out · {row.tally.incoming:,} in · {share:.0%} of outgoing"
        if facts.comparable and (row.tally.outgoing or row.before):
            change = (
                f"{(row.tally.outgoing - row.before) / row.before * 100:+,.0f} %"
                if row.before
                else "new"
            )
            about += f" · {change}"
        if row.tally.deferred or row.tally.rejected:
            about += f" · {row.tally.deferred:,} deferred, {row.tally.rejected:,} rejected"
        name = f"{shown.offset + number + 1:,}. {both_forms(row.name)}"
        button = buttons.get(f"row-{number}")
        text = say(Bold(name), "\n", about)
        sections.append(Row(text, button) if button else Paragraph(say(Bold(name), f" · {about}")))
    return sections


def _source(facts: Facts) -> str:
    """Return where the numbers are from, and since when there are any."""
    if facts.since is None:
        return f"Nothing was counted yet: Spoolwarden counts what the log of {facts.server} tells."
    said = f"Counted from the log of {facts.server} since {facts.since}."
    if facts.shown.first < facts.since:
        said += " What was before that is not in it."
    elif not facts.comparable:
        said += " Not long enough to compare with the period before."
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
