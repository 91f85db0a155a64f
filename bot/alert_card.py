"""The card of an incident: what is sent, by whom, since when, from where, and what to press."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Confirm,
    Menu,
    Moment,
    Option,
    Paragraph,
    Picture,
    Points,
    Section,
    Small,
    Style,
    Text,
    cut,
    named,
    plain,
    rich,
    richn,
    say,
)
from services.detection.evidence import Evidence, Share
from services.detection.life import Severity
from services.language import clock, decimal, later, tr, trn
from services.models import LIVE, Incident, IncidentState, Intent
from services.origin import country_name
from services.responding import RESPOND
from services.words import in_percent

_TOP = 5
_STOPPED = later("Stopped")
_REMEDIED = {
    "stop": _STOPPED,
    "disable": later("Disabled"),
    "delete_account": later("Deleted"),
}
#: Looked up by tr() where they are shown, as are all tables of words here.
STOP_ASKS, STOP_YES = later("Stop sending?"), later("Stop sending")
#: What stands in the More menu, in this order for ever: the remedy, its label, its undo's label.
MORE = (
    ("move", later("Move to a folder…"), later("Undo move")),
    ("delete", later("Delete messages…"), later("Bring back deleted")),
    ("disable", later("Disable only…"), later("Undo disable")),
    ("block", later("Block IPs…"), later("Undo block")),
    ("snooze", later("Snooze…"), later("End snooze")),
    ("false_alarm", later("False alarm…"), later("Undo false alarm")),
)
#: How bad an incident is, in words and with a colour.
SEVERITIES = {
    Severity.FADING: ("🟦", later("fading: nothing alarming is sent any more")),
    Severity.MODERATE: ("🟨", later("moderate")),
    Severity.HIGH: ("🟧", later("high")),
    Severity.CRITICAL: ("🟥", later("critical")),
}


@dataclass(frozen=True, slots=True)
class Buttons:
    """The intent ids for one incident's card: offers by action, undos by what they undo.

    ``lacking`` are sentences on what this mail server can't do, and so has no button;
    ``holds`` is whether stopping holds what waits.
    """

    offers: Mapping[str, str]
    undos: Mapping[str, str]
    lacking: tuple[str, ...] = ()
    holds: bool = True


def alert(
    incident: Incident,
    done: Mapping[str, Intent],
    buttons: Buttons,
    picture: Picture | None = None,
) -> Card:
    """Return an incident's card, as it stands now.

    Above its buttons stands what is needed at night on a phone, and all else below them.
    """
    evidence = Evidence.model_validate_json(incident.evidence)
    who = named(incident.sender)
    live = incident.state in LIVE
    stopped = incident.state is IncidentState.REMEDIED or "stop" in done or "disable" in done
    sections: list[Section] = [Paragraph(_status(incident, done, sends=evidence.messages > 0))]
    if live and not stopped:
        sections.append(severity(incident, evidence.messages))
    sections.append(so_far(evidence.first_at, [evidence]))
    sections.append(Points(reasons(evidence)))
    sections += told(incident)
    below: list[Section] = [picture] if picture is not None else []
    if evidence.addresses:
        of_mine = sum(share.messages for share in evidence.addresses) or 1
        rows = tuple(
            Bar(placed(share), share.messages, share.messages / of_mine)
            for share in evidence.addresses[:_TOP]
        )
        more = evidence.address_count - len(rows)
        title = tr("Its IP addresses")
        if more > 0:
            title = tr("Its IP addresses, and {n} more", n=more)
        below.append(Bars(title, rows))
    # Of a burst that is over they are as it was.
    if evidence.top_senders and evidence.messages:
        below.append(_bars(tr("Top senders, last 5 min"), evidence.top_senders, evidence))
    below += [Small(say(sentence)) for sentence in buttons.lacking if live]
    below.append(foot(incident, incident.score, evidence.waited_at))
    if incident.state is IncidentState.FALSE_ALARM:
        headline = tr("{who}: false alarm", who=who)
    elif live and not stopped and evidence.messages:
        headline = tr("{who} is sending spam", who=who)
    else:
        headline = tr("{who} sent spam", who=who)
    mark = mark_of(incident.state)
    return Card(
        title=f"{mark} {headline}",
        sections=tuple(sections),
        buttons=_alert_buttons(incident, evidence, buttons, live=live),
        turn=incident.turn,
        tone=tone_of(incident) if live else "",
        below=tuple(below),
        fallback=f"{mark} {headline}: {'; '.join(evidence.reasons[:3])}. "
        f"{plain(_status(incident, done, sends=evidence.messages > 0))}",
    )


def placed(share: Share) -> str:
    """Return an address as a bar has room for it: with its country, or else its owner."""
    if share.origin is None:
        return named(share.name)
    place = country_name(share.origin.country) or share.origin.network
    return f"{named(share.name)} · {named(place)}"


def reasons(evidence: Evidence) -> tuple[Text, ...]:
    """Return the reasons, each with the points that it adds to the score."""
    if len(evidence.points) != len(evidence.reasons):  # from before they were kept
        return tuple(say(reason) for reason in evidence.reasons)
    pairs = zip(evidence.reasons, evidence.points, strict=True)
    return tuple(say(f"{reason} ({points:+.0f})" if points else reason) for reason, points in pairs)


def evidence_of(incident: Incident) -> Evidence:
    """Return an incident's evidence."""
    return Evidence.model_validate_json(incident.evidence)


def mark_of(state: IncidentState) -> str:
    """Return what a card's title begins with."""
    return {
        IncidentState.REMEDIED: "🛑",
        IncidentState.FALSE_ALARM: "☑️",
        IncidentState.CLOSED: "✅",
    }.get(state, "🚨")


def tone_of(incident: Incident) -> str:
    """Return how bad an incident is, as the colour of its card."""
    return Severity(incident.severity).word


def severity(incident: Incident, rate: int) -> Paragraph:
    """Return how bad it is, in words and with a colour; ``rate`` is messages in five minutes."""
    mark, words = SEVERITIES[Severity(incident.severity)]
    said = richn(
        "Severity: {severity} · {n} message in the last 5 min",
        "Severity: {severity} · {n} messages in the last 5 min",
        rate,
        severity=Bold(tr(words)),
    )
    return Paragraph((*say(f"{mark} "), *said))


def so_far(since: datetime, evidences: Sequence[Evidence]) -> Paragraph:
    """Return what was sent since then, and what the spool holds of it."""
    queued = sum(one.queued for one in evidences)
    spool = max((one.spool_waiting for one in evidences), default=0)
    total, held = sum(one.total for one in evidences), sum(one.held for one in evidences)
    waiting = Bold(tr("{n} waiting", n=queued))
    # The spool is asked later than what was sent is read, and may hold older messages, too.
    apart = queued + held > total
    sent = (
        richn(
            "Since {moment}: {n} message sent, counted until {until}.",
            "Since {moment}: {n} messages sent, counted until {until}.",
            total,
            moment=Moment(since),
            until=Moment(max(one.taken_at for one in evidences), seconds=True),
        )
        if apart
        else richn(
            "Since {moment}: {n} message sent.",
            "Since {moment}: {n} messages sent.",
            total,
            moment=Moment(since),
        )
    )
    now = (
        rich(
            "Now {waiting} ({share} of the spool), {held} held.",
            waiting=waiting,
            share=in_percent(min(1.0, queued / spool)),
            held=held,
        )
        if queued and spool
        else rich("Now {waiting}, {held} held.", waiting=waiting, held=held)
    )
    if apart:
        now = (*now, *say(" "), *rich("Some of these came after that, or before it began."))
    return Paragraph((*sent, *say(" "), *now))


def told(incident: Incident, *others: Incident) -> list[Section]:
    """Return what the bot did by itself, that it was reopened, and what it came to.

    A campaign is reopened by any of its accounts: ``others``.
    """
    said: list[Section] = []
    if incident.containment:
        said.append(Paragraph(say("🤖 ", incident.containment)))
    again = [row.reopened_at for row in (incident, *others) if row.reopened_at is not None]
    if again:
        said.append(Small(rich("Reopened {moment}", moment=Moment(max(again)))))
    if incident.summary:
        said.append(Points(tuple(say(line) for line in json.loads(incident.summary))))
    return said


def foot(incident: Incident, score: float, at: datetime) -> Small:
    """Return which incident it is, and as of when."""
    return Small(
        rich(
            "Incident {id} on {server} · score {score} · as of {moment}",
            id=str(incident.id),
            server=incident.server,
            score=decimal(score, 0),
            moment=Moment(at, seconds=True),
        )
    )


def _status(incident: Incident, done: Mapping[str, Intent], *, sends: bool) -> Text:
    by = (
        say(Bold(named(incident.state_by or "?")), ", ", Moment(incident.state_at))
        if (incident.state_at)
        else ()
    )
    match incident.state:
        case IncidentState.OPEN:
            if (response := done.get(RESPOND)) is not None:
                # It doubled, or the account was enabled; the checklist in the thread goes on.
                name = Bold(named(response.claimed_name or "?"))
                said = rich(
                    "{state}; {name} is responding.", state=Bold(tr("Open again")), name=name
                )
            else:
                said = rich("{state}: nobody has taken this on yet.", state=Bold(tr("Open")))
            return (*say("🔴 "), *said)
        case IncidentState.ACKNOWLEDGED:
            stopped = done.get("stop") or done.get("disable")
            message = later("{state} by {by}; not stopped yet.")
            if stopped:
                message = later("{state} by {by}.")
            elif sends:
                message = later("{state} by {by}; still sending.")
            return (*say("🟡 "), *rich(message, state=Bold(tr("Acknowledged")), by=by))
        case IncidentState.SNOOZED:
            word = Bold(tr("Snoozed"))
            if not incident.snoozed_until:
                return (*say("💤 "), *rich("{state} by {by}.", state=word, by=by))
            until = Moment(incident.snoozed_until)
            said = rich("{state} by {by} until {until}.", state=word, by=by, until=until)
            return (*say("💤 "), *said)
        case IncidentState.REMEDIED:
            done_by = done.get("delete_account") or done.get("stop") or done.get("disable")
            word = Bold(tr(_REMEDIED.get(done_by.action if done_by else "stop", _STOPPED)))
            said = rich("{state} by {by}.", state=word, by=by)
            summary = say(f" {done_by.summary}") if done_by else ()
            return (*say("🟢 "), *said, *summary, *_enabled_since(done, done_by))
        case IncidentState.FALSE_ALARM:
            said = rich("{state}, says {by}.", state=Bold(tr("False alarm")), by=by)
            return (*say("⚪ "), *said)
        case IncidentState.CLOSED:
            return (*say("⚪ "), *rich("{state}: it is quiet.", state=Bold(tr("Closed"))))


def _enabled_since(done: Mapping[str, Intent], stop: Intent | None) -> Text:
    """Return that an account can send again, which leaves it dealt with only for one reason."""
    enabled = done.get("enable")
    if enabled is None or enabled.finished_at is None:
        return ()
    if stop is not None and (stop.finished_at is None or enabled.finished_at < stop.finished_at):
        return ()
    name = Bold(named(enabled.claimed_name or "?"))
    return (*say(" "), *rich("{name} enabled it again, with a new password.", name=name))


def _alert_buttons(
    incident: Incident, evidence: Evidence, buttons: Buttons, *, live: bool
) -> tuple[Button | Menu, ...]:
    """Return the four places of the card: each holds its act, or the undo of it."""
    offers, undos = buttons.offers, buttons.undos
    shown: list[Button | Menu] = []
    if "stop" in undos:
        shown.append(Button("undo-stop", tr("Undo stop"), undos["stop"]))
    elif live and "stop" in offers:
        shown.append(
            Button(
                "stop",
                tr("Stop sending"),
                offers["stop"],
                Style.PRIMARY,
                Confirm(
                    tr(STOP_ASKS),
                    stop_text(
                        incident.sender, evidence.queued, evidence.waited_at, holds=buttons.holds
                    ),
                    tr(STOP_YES),
                ),
            )
        )
    if "search" in offers:
        shown.append(Button("search", tr("Review messages"), offers["search"]))
    # Who has stopped it has taken it on: there is nothing left to acknowledge or to put off.
    waits = live and incident.state is not IncidentState.REMEDIED
    if waits and "acknowledge" in undos:
        shown.append(Button("undo-acknowledge", tr("Undo acknowledge"), undos["acknowledge"]))
    elif waits and "acknowledge" in offers and incident.state is not IncidentState.ACKNOWLEDGED:
        shown.append(Button("acknowledge", tr("Acknowledge"), offers["acknowledge"]))
    if live and "respond" in offers:
        shown.append(Button("respond", tr("Respond"), offers["respond"]))
    options = []
    for action, label, undo_label in MORE:
        # A snooze that ran out has nothing left to end.
        over = action == "snooze" and incident.state is not IncidentState.SNOOZED
        if action in undos and undo_label and not over:
            options.append(Option(tr(undo_label), undos[action]))
        elif live and action in offers and (waits or action != "snooze"):
            options.append(Option(tr(label), offers[action]))
    if "contain" in undos:
        shown.append(Button("undo-contain", tr("Undo hold"), undos["contain"]))
    if options:
        shown.append(Menu("more", tr("More…"), tuple(options)))
    return tuple(shown)


def stop_text(sender: str, waiting: int, at: datetime, *, holds: bool) -> str:
    """Return what stopping would do, for the question that is asked first."""
    who, time = cut(sender, 80), clock(at, seconds=True)
    if holds:
        return trn(
            "{who} can no longer send (it still receives), and its {n} waiting message "
            "(as of {time} UTC) and any later ones will be held. This can be undone.",
            "{who} can no longer send (it still receives), and its {n} waiting messages "
            "(as of {time} UTC) and any later ones will be held. This can be undone.",
            waiting,
            who=who,
            time=time,
        )
    return trn(
        "{who} can no longer send (it still receives), and its {n} waiting message "
        "(as of {time} UTC) goes out all the same. This can be undone.",
        "{who} can no longer send (it still receives), and its {n} waiting messages "
        "(as of {time} UTC) go out all the same. This can be undone.",
        waiting,
        who=who,
        time=time,
    )


def _bars(title: str, shares: Sequence[Share], evidence: Evidence) -> Bars:
    whole = evidence.all_messages or sum(share.messages for share in shares) or 1
    return Bars(
        title,
        tuple(Bar(named(s.name), s.messages, s.messages / whole) for s in shares[:_TOP]),
    )
