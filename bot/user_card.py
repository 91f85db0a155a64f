"""The card that manages one account: its state, logins, what it sent, and what was done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Moment,
    Paragraph,
    Points,
    Section,
    Small,
    Text,
    named,
    rich,
    richn,
    say,
)
from bot.look_cards import STATES, below, foot, use_row
from bot.spool_cards import incident_line
from services.language import short_day, tr, trn
from services.mail.port import User
from services.models import AuditEntry, Incident
from services.origin import Origin
from services.traffic import KEPT, Use
from services.words import act, span


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one account. ``buttons`` are by their slots."""

    address: str
    also: str  # the same address with its domain in the other form, "" where there is none
    server: str
    user: User | None
    waiting: int
    held: int
    addresses: Sequence[Use]  # it sent from, since KEPT ago
    more: int  # addresses that are not shown
    failed_logins: int
    lately: int  # messages in the last 24 hours
    days: Sequence[tuple[date, int]]
    incidents: Sequence[Incident]
    acts: Sequence[AuditEntry]
    taken_at: datetime
    lacking: tuple[str, ...]
    buttons: Mapping[str, Button]
    origins: Mapping[str, Origin] = field(default_factory=dict)  # of the addresses, where known


def user(shown: Account) -> Card:
    """Return an account with everything that can be done about it."""
    name = named(shown.address)
    also = f" ({named(shown.also)})" if shown.also else ""
    sections: list[Section] = [
        Paragraph(say(Bold(name), f"{also}: {_state(shown)}.", *_sessions(shown.user))),
        *_logins(shown),
        *_sent(shown),
    ]
    if shown.incidents:
        sections.append(Points(tuple(incident_line(row) for row in shown.incidents)))
    else:
        sections.append(Small(rich("No open incident.")))
    if shown.acts:
        sections.append(Paragraph(say(Bold(tr("Done to it")))))
        sections.append(Points(tuple(_act(entry) for entry in shown.acts)))
    else:
        sections.append(Small(rich("Nothing was done to it through Spoolwarden.")))
    sections += foot(shown.server, shown.taken_at, shown.lacking)
    return Card(
        tr("Account {account}", account=name),
        tuple(sections),
        below(shown.buttons),
        fallback=f"{name}: {_state(shown)}",
    )


def _state(shown: Account) -> str:
    if shown.user is None:
        return tr("no mailbox of that name is on {server}", server=named(shown.server))
    return tr(STATES[shown.user.state])


def _sessions(known: User | None) -> Text:
    if known is None or known.sessions is None:
        return ()
    return say(" ", trn("{n} open SMTP session.", "{n} open SMTP sessions.", known.sessions))


def _logins(shown: Account) -> list[Section]:
    kept = span(KEPT)
    if not shown.addresses:
        sections: list[Section] = [
            Paragraph(rich("It sent nothing in the last {span}.", span=kept))
        ]
    else:
        last = max(use.last_at for use in shown.addresses)
        sections = [
            Paragraph(
                rich(
                    "It sent from these in the last {span}, last at {moment}:",
                    span=kept,
                    moment=Moment(last),
                )
            )
        ]
    for number, use in enumerate(shown.addresses):
        button = shown.buttons.get(f"address-{number}")
        sections.append(use_row(use, button, shown.origins.get(use.name)))
    if shown.more:
        sections.append(
            Small(richn("And {n} more address.", "And {n} more addresses.", shown.more))
        )
    if shown.failed_logins:
        failed = richn(
            "{n} login of it failed in that time.",
            "{n} logins of it failed in that time.",
            shown.failed_logins,
        )
        sections.append(Small(failed))
    return sections


def _sent(shown: Account) -> list[Section]:
    days = [(on, messages) for on, messages in shown.days if messages]
    most = max((messages for _, messages in days), default=0)
    sections: list[Section] = [
        Paragraph(
            richn(
                "{n} message in the last 24 h. Now {waiting}, {held} held.",
                "{n} messages in the last 24 h. Now {waiting}, {held} held.",
                shown.lately,
                waiting=Bold(tr("{n} waiting", n=shown.waiting)),
                held=shown.held,
            )
        )
    ]
    if days:
        # The share is of the busiest day: what matters is which day stands out.
        bars = tuple(Bar(short_day(on, weekday=True), n, n / most) for on, n in reversed(days))
        title = trn(
            "Messages a day, last {n} day (UTC)",
            "Messages a day, last {n} days (UTC)",
            len(shown.days),
        )
        sections.append(Bars(title, bars))
    return sections


def _act(entry: AuditEntry) -> Text:
    try:
        told = json.loads(entry.detail)
    except ValueError:
        told = {}  # somebody changed it; verifying the log says so
    ok = isinstance(told, dict) and told.get("ok", False)
    failed = "" if ok else f" · {tr('failed')}"
    what = named(act(entry.action))
    return say(Moment(entry.at), " · ", Bold(named(entry.actor_name)), f" · {what}{failed}")
