"""The card of a daily or weekly summary."""

from bot.elements import Bold, Card, Moment, Paragraph, Points, Section, Small, Text, named, say
from services.digest import Failed, Mover, Report, middle
from services.language import trn
from services.words import short, span

_TITLES = {"daily": "The day", "weekly": "The week"}


def digest(kind: str, report: Report) -> Card:
    """Return a summary."""
    number = len(report.incidents) + report.more_incidents
    sections: list[Section] = [
        Paragraph(
            say(Moment(report.begin), " to ", Moment(report.end), ": ", Bold(_incidents(number)))
        )
    ]
    if report.incidents:
        points = [
            say(f"{one.id} · ", Bold(named(one.sender)), f" on {named(one.server)} · {one.state}")
            for one in report.incidents
        ]
        sections.append(Points(tuple(_and_more(points, report.more_incidents))))
        sections.append(Paragraph(say(_times(report))))
    if report.movers:
        sections.append(Paragraph(say(Bold("Sent most more than the time before"))))
        sections.append(Points(tuple(_mover(one) for one in report.movers)))
    if report.ends:
        sections.append(Paragraph(say(Bold("Blocks that run out next"))))
        points = [
            say(Bold(one.network), f" on {named(one.server)}, ", Moment(one.until))
            for one in report.ends
        ]
        sections.append(Points(tuple(_and_more(points, report.more_ends))))
    if report.failed:
        sections.append(Paragraph(say(Bold("Acts that did not work out"))))
        points = [_failed(one) for one in report.failed]
        sections.append(Points(tuple(_and_more(points, report.more_failed))))
    if report.is_quiet:
        sections.append(Small(say("No block runs out next, and every act worked out.")))
    sections += [Small(say(sentence)) for sentence in report.unknown]
    title = _TITLES.get(kind, "Summary")
    return Card(title, tuple(sections), fallback=f"{title}: {_incidents(number)}")


def _incidents(number: int) -> str:
    return trn("{n} incident", "{n} incidents", number) if number else "no incident"


def _times(report: Report) -> str:
    said = []
    if report.detected:
        worst = span(middle([max(report.detected)]))
        usual = span(middle(report.detected))
        said.append(f"Found {usual} after the first message, at most {worst}.")
    number = len(report.incidents) + report.more_incidents
    if report.stopped:
        worst = span(middle([max(report.stopped)]))
        said.append(f"Stopped {span(middle(report.stopped))} after the alert, at most {worst}.")
    if left := number - len(report.stopped):
        said.append(f"{left:,} of {number:,} not stopped through Spoolwarden.")
    return " ".join(said)


def _mover(one: Mover) -> Text:
    against = f", {one.before:,} before" if one.before else ", none before"
    return say(Bold(named(one.sender)), f" on {named(one.server)}: {one.messages:,}{against}")


def _failed(one: Failed) -> Text:
    what = named(one.action.replace("_", " "))
    return say(Moment(one.at), " · ", Bold(named(one.by)), f" · {what}: {short(one.summary, 200)}")


def _and_more(points: list[Text], more: int) -> list[Text]:
    return [*points, say(f"and {more:,} more")] if more else points
