"""The card of a daily or weekly summary."""

from collections.abc import Sequence

from bot.elements import (
    Bold,
    Card,
    Moment,
    Paragraph,
    Points,
    Section,
    Small,
    Text,
    named,
    rich,
    say,
)
from bot.spool_cards import STATES
from services.digest import Failed, Mover, Report, middle
from services.language import later, tr, trn
from services.models import IncidentState
from services.words import act, short, span

_TITLES = {"daily": later("Summary of the day"), "weekly": later("Summary of the week")}
_OTHER = later("Summary")


def digest(kind: str, report: Report) -> Card:
    """Return a summary."""
    number = len(report.incidents) + report.more_incidents
    sections: list[Section] = [
        Paragraph(
            rich(
                "{begin} to {end}: {incidents}",
                begin=Moment(report.begin),
                end=Moment(report.end),
                incidents=Bold(_incidents(number)),
            )
        )
    ]
    if report.incidents:
        points = [
            rich(
                "{id} · {who} on {server} · {state}",
                id=str(one.id),
                who=Bold(named(one.sender)),
                server=named(one.server),
                state=tr(STATES[IncidentState(one.state)]),
            )
            for one in report.incidents
        ]
        sections.append(Points(tuple(_and_more(points, report.more_incidents))))
        if times := _times(report):  # of false alarms that were opened again there is none
            sections.append(Paragraph(say(times)))
    if report.movers:
        sections.append(Paragraph(say(Bold(tr("Grew most against the time before")))))
        sections.append(Points(tuple(_mover(one) for one in report.movers)))
    if report.ends:
        sections.append(Paragraph(say(Bold(tr("Blocks that run out next")))))
        points = [
            rich(
                "{network} on {server}, {until}",
                network=Bold(one.network),
                server=named(one.server),
                until=Moment(one.until),
            )
            for one in report.ends
        ]
        sections.append(Points(tuple(_and_more(points, report.more_ends))))
    if report.failed:
        sections.append(Paragraph(say(Bold(tr("Acts that did not work out")))))
        points = [_failed(one) for one in report.failed]
        sections.append(Points(tuple(_and_more(points, report.more_failed))))
    if report.is_quiet:
        sections.append(Small(rich("No block runs out soon, and every act worked out.")))
    sections += [Small(say(sentence)) for sentence in report.unknown]
    title = tr(_TITLES.get(kind, _OTHER))
    return Card(title, tuple(sections), fallback=f"{title}: {_incidents(number)}")


def _incidents(number: int) -> str:
    return trn("{n} incident", "{n} incidents", number) if number else tr("no incident")


def _times(report: Report) -> str:
    said = []
    if report.detected:
        said.append(
            _typical(
                report.detected,
                later("Found {usual} after the first message."),
                later("Found {usual} after the first message (median; {worst} at worst)."),
            )
        )
    number = len(report.incidents) + report.more_incidents - report.false_alarms
    if report.stopped:
        said.append(
            _typical(
                report.stopped,
                later("Stopped {usual} after the alert."),
                later("Stopped {usual} after the alert (median; {worst} at worst)."),
            )
        )
    if (left := number - len(report.stopped)) > 0:
        said.append(tr("{left} of {all} not stopped through Spoolwarden.", left=left, all=number))
    return " ".join(said)


def _typical(seconds: Sequence[float], one: str, several: str) -> str:
    """Return the sentence for one time, or for several, each filled in."""
    usual = span(middle(seconds))
    if len(seconds) == 1:
        return tr(one, usual=usual)
    return tr(several, usual=usual, worst=span(middle([max(seconds)])))


def _mover(one: Mover) -> Text:
    who, server = Bold(named(one.sender)), named(one.server)
    if not one.before:
        return rich(
            "{who} on {server}: {sent}, none before", who=who, server=server, sent=one.messages
        )
    return rich(
        "{who} on {server}: {sent}, {before} before",
        who=who,
        server=server,
        sent=one.messages,
        before=one.before,
    )


def _failed(one: Failed) -> Text:
    what = named(act(one.action))
    return say(Moment(one.at), " · ", Bold(named(one.by)), f" · {what}: {short(one.summary, 200)}")


def _and_more(points: list[Text], more: int) -> list[Text]:
    return [*points, rich("and {n} more", n=more)] if more else points
