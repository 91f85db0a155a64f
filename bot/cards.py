"""The cards: what the alert, a result, a search or the help say, in neutral elements."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Code,
    Confirm,
    Menu,
    Moment,
    Option,
    Paragraph,
    Picture,
    Points,
    Pre,
    Row,
    Section,
    Small,
    Style,
    Text,
    cut,
    named,
    plain,
    say,
    visible,
)
from services.detection.evidence import Evidence, Share
from services.detection.life import Severity
from services.mail.port import Message, Page, Preview, Queue, SpoolCounts
from services.models import LIVE, AuditEntry, Incident, IncidentState, Intent, IntentState
from services.origin import country_name
from services.remedies import REMEDIES
from services.targets import Target
from services.words import count, short, size

_TOP = 5
_REMEDIED = {"stop": "Stopped", "disable": "Disabled", "delete_account": "Deleted"}
STOP_ASKS, STOP_YES = "Stop sending?", "Stop sending"
APPROVE_ASKS, APPROVE_YES = "Approve this?", "Approve"

#: What stands in the More menu, in this order for ever: the remedy, its label, its undo's label.
MORE = (
    ("move", "Move to a folder…", "Undo move"),
    ("delete", "Delete messages…", "Bring back deleted"),
    ("disable", "Disable only…", "Undo disable"),
    ("block", "Block IPs…", "Undo block"),
    ("snooze", "Snooze…", "End snooze"),
    ("false_alarm", "False alarm…", "Undo false alarm"),
)
#: How bad an incident is, in words and with a colour.
SEVERITIES = {
    Severity.FADING: ("🟦", "nothing alarming is sent any more"),
    Severity.MODERATE: ("🟨", "moderate"),
    Severity.HIGH: ("🟧", "high"),
    Severity.CRITICAL: ("🟥", "critical"),
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
    """Return an incident's card, as it stands now."""
    evidence = Evidence.model_validate_json(incident.evidence)
    who = named(incident.sender)
    live = incident.state in LIVE
    stopped = done.get("stop") or done.get("disable")
    sections: list[Section] = [Paragraph(_status(incident, done))]
    if live:
        sections.append(severity(incident, evidence.messages))
    sections.append(Points(reasons(evidence)))
    sections.append(so_far(evidence.first_at, [evidence]))
    if picture is not None:
        sections.append(picture)
    sections += told(incident)
    if evidence.top_senders:
        sections.append(_bars("Top senders, last 5 min", evidence.top_senders, evidence))
    if evidence.addresses:
        of_mine = sum(share.messages for share in evidence.addresses) or 1
        rows = tuple(
            Bar(placed(share), share.messages, share.messages / of_mine)
            for share in evidence.addresses[:_TOP]
        )
        more = evidence.address_count - len(rows)
        sections.append(Bars(f"Its addresses{f', and {more} more' if more > 0 else ''}", rows))
    sections += [Small(say(sentence)) for sentence in buttons.lacking if live]
    sections.append(foot(incident, incident.score, evidence.taken_at))
    headline = f"{who} is sending spam" if live and not stopped else f"{who} sent spam"
    if incident.state is IncidentState.FALSE_ALARM:
        headline = f"{who}: false alarm"
    mark = mark_of(incident.state)
    return Card(
        title=f"{mark} {headline}",
        sections=tuple(sections),
        buttons=_alert_buttons(incident, evidence, buttons, live=live),
        turn=incident.turn,
        tone=tone_of(incident) if live else "",
        fallback=f"{mark} {headline}: {'; '.join(evidence.reasons[:3])}. "
        f"{plain(_status(incident, done))}",
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
    return Paragraph(
        say(f"{mark} Severity: ", Bold(words), f" · {count(rate, 'message')} in the last 5 min")
    )


def so_far(since: datetime, evidences: Sequence[Evidence]) -> Paragraph:
    """Return what was sent since then, and what the spool holds of it."""
    queued = sum(one.queued for one in evidences)
    spool = max((one.spool_waiting for one in evidences), default=0)
    of_spool = f" ({min(1.0, queued / spool):.0%} of the spool)" if queued and spool else ""
    return Paragraph(
        say(
            "Since ",
            Moment(since),
            f": {count(sum(one.total for one in evidences), 'message')} sent. Now ",
            Bold(f"{queued:,} waiting"),
            f"{of_spool}, {sum(one.held for one in evidences):,} held.",
        )
    )


def told(incident: Incident) -> list[Section]:
    """Return what the bot did by itself, that it was reopened, and what it came to."""
    said: list[Section] = []
    if incident.containment:
        said.append(Paragraph(say("🤖 ", incident.containment)))
    if incident.reopened_at is not None:
        said.append(Small(say("Reopened ", Moment(incident.reopened_at))))
    if incident.summary:
        said.append(Points(tuple(say(line) for line in json.loads(incident.summary))))
    return said


def foot(incident: Incident, score: float, at: datetime) -> Small:
    """Return which incident it is, and as of when."""
    return Small(
        say(
            f"Incident {incident.id} on {incident.server} · score {score:.0f}",
            " · as of ",
            Moment(at, seconds=True),
        )
    )


def _status(incident: Incident, done: Mapping[str, Intent]) -> Text:
    by = (
        say(Bold(named(incident.state_by or "?")), ", ", Moment(incident.state_at))
        if (incident.state_at)
        else ()
    )
    match incident.state:
        case IncidentState.OPEN:
            return say("🔴 ", Bold("Open"), ": nobody has taken this on yet.")
        case IncidentState.ACKNOWLEDGED:
            still = "." if done.get("stop") or done.get("disable") else "; still sending."
            return (*say("🟡 ", Bold("Acknowledged"), " by "), *by, *say(still))
        case IncidentState.SNOOZED:
            until = say(" until ", Moment(incident.snoozed_until)) if incident.snoozed_until else ()
            return (*say("💤 ", Bold("Snoozed"), " by "), *by, *until, *say("."))
        case IncidentState.REMEDIED:
            act = done.get("delete_account") or done.get("stop") or done.get("disable")
            word = _REMEDIED.get(act.action if act else "stop", "Stopped")
            said = f". {act.summary}" if act else "."
            return (*say("🟢 ", Bold(word), " by "), *by, *say(said))
        case IncidentState.FALSE_ALARM:
            return (*say("⚪ ", Bold("False alarm"), ", says "), *by, *say("."))
        case IncidentState.CLOSED:
            return say("⚪ ", Bold("Closed"), ": it is quiet.")


def _alert_buttons(
    incident: Incident, evidence: Evidence, buttons: Buttons, *, live: bool
) -> tuple[Button | Menu, ...]:
    """Return the four places of the card: each holds its act, or the undo of it."""
    offers, undos = buttons.offers, buttons.undos
    shown: list[Button | Menu] = []
    if "stop" in undos:
        shown.append(
            Button(
                "first",
                "Undo stop",
                undos["stop"],
            )
        )
    elif live and "stop" in offers:
        shown.append(
            Button(
                "first",
                "Stop sending",
                offers["stop"],
                Style.PRIMARY,
                Confirm(
                    STOP_ASKS,
                    stop_text(
                        incident.sender, evidence.queued, evidence.taken_at, holds=buttons.holds
                    ),
                    STOP_YES,
                ),
            )
        )
    if "search" in offers:
        shown.append(Button("second", "Review messages", offers["search"]))
    # Who has stopped it has taken it on: there is nothing left to acknowledge or to put off.
    waits = live and incident.state is not IncidentState.REMEDIED
    if waits and "acknowledge" in undos:
        shown.append(Button("third", "Undo acknowledge", undos["acknowledge"]))
    elif waits and "acknowledge" in offers:
        shown.append(Button("third", "Acknowledge", offers["acknowledge"]))
    if live and "respond" in offers:
        shown.append(Button("respond", "Respond", offers["respond"]))
    options = []
    for action, label, undo_label in MORE:
        # A snooze that ran out has nothing left to end.
        over = action == "snooze" and incident.state is not IncidentState.SNOOZED
        if action in undos and undo_label and not over:
            options.append(Option(undo_label, undos[action]))
        elif live and action in offers and (waits or action != "snooze"):
            options.append(Option(label, offers[action]))
    if "contain" in undos:
        shown.append(Button("fourth", "Undo hold", undos["contain"]))
    if options:
        shown.append(Menu("more", "More…", tuple(options)))
    return tuple(shown)


def stop_text(sender: str, waiting: int, at: datetime, *, holds: bool) -> str:
    """Return what stopping would do, for the question that is asked first."""
    return (
        f"{cut(sender, 80)} can no longer send (it still receives), and its "
        f"{count(waiting, 'waiting message')} (as of {at:%H:%M:%S} UTC) "
        f"{'will be held' if holds else 'go out all the same'}. This can be undone."
    )


def _bars(title: str, shares: Sequence[Share], evidence: Evidence) -> Bars:
    whole = evidence.all_messages or sum(share.messages for share in shares) or 1
    return Bars(
        title,
        tuple(Bar(named(s.name), s.messages, s.messages / whole) for s in shares[:_TOP]),
    )


def asked_text(intent: Intent) -> str:
    """Return what a second person is asked to approve."""
    target = Target.model_validate_json(intent.target)
    about = cut(target.subject, 120)
    if target.queue_ids:
        which = "of" if target.accounts else "that match"
        about = f"{count(len(target.queue_ids), 'message')} {which} {about or 'what was chosen'}"
    how = ", for good" if target.permanent else ""
    return (
        f"{named(intent.asked_name or 'Somebody')} asks for {REMEDIES[intent.action].doing}{how}: "
        f"{about}. {intent.asked_why[:1].upper()}{intent.asked_why[1:]}."
    )


def asked_line(intent: Intent, approve_id: str, decline_id: str) -> Card:
    """Return the line that waits for a second person."""
    text = asked_text(intent)
    return Card(
        "",
        (
            Paragraph(say("✋ ", text)),
            Small(say("Anybody else with the role may decide until ", Moment(intent.expires_at))),
        ),
        (
            Button(
                "approve",
                "Approve…",
                approve_id,
                Style.PRIMARY,
                Confirm(APPROVE_ASKS, text, APPROVE_YES),
            ),
            Button("decline", "Decline", decline_id),
        ),
        fallback=f"✋ {text}",
    )


def act_line(intent: Intent, remedy_name: str, undo_id: str | None) -> Card:
    """Return the line that tells of one act: under way, done, failed or taken back."""
    who = Bold(named(intent.claimed_name or intent.asked_name or "Somebody"))
    remedy = REMEDIES[remedy_name]
    undoing = intent.undo_of is not None
    doing = f"taking back “{remedy_name.replace('_', ' ')}”" if undoing else remedy.doing
    match intent.state:
        case IntentState.CLAIMED:
            text = say("⏳ ", who, f" is {doing} …{_so_far(intent)}")
        case IntentState.DONE | IntentState.INTERRUPTED if intent.undone:
            text = say("↩️ ", who, f", taken back since: {intent.summary}")
        case IntentState.DONE:
            text = say("↩️ " if undoing else "✔️ ", who, f": {intent.summary}")
        case IntentState.INTERRUPTED:
            text = say("⚠️ ", who, f" was {doing}. {intent.summary}")
        case _ if intent.claimed_by is None and intent.asked_by is not None:
            text = say("🚫 ", who, f" asked for {doing}. {intent.summary}")
        case _:
            text = say("⚠️ ", who, f" was {doing}. {intent.summary}")
    buttons: tuple[Button, ...] = ()
    if undo_id is not None:
        label = next((undo for name, _, undo in MORE if name == remedy_name and undo), "Undo")
        buttons = (Button("undo", label, undo_id),)
    sections: tuple[Section, ...] = (Paragraph(text),)
    if undo_id is not None and intent.undo_until is not None:
        sections = (*sections, Small(say("Can be undone until ", Moment(intent.undo_until), ".")))
    return Card("", sections, buttons, fallback=plain(text))


def _so_far(intent: Intent) -> str:
    if intent.progress is None or intent.progress_of is None:
        return ""
    return f" {intent.progress:,} of {intent.progress_of:,}"


def note(text: str) -> Card:
    """Return a line with nothing to press."""
    return Card("", (Paragraph(say(text)),), fallback=visible(text))


def failure(sentence: str) -> Card:
    """Return a failure, for the person who asked."""
    return Card("", (Paragraph(say("⚠️ ", sentence)),), fallback=f"⚠️ {visible(sentence)}")


def success(sentence: str, undo: Button | None = None) -> Card:
    """Return a result, for the person who asked."""
    return Card(
        "",
        (Paragraph(say("✔️ ", sentence)),),
        (undo,) if undo else (),
        fallback=f"✔️ {visible(sentence)}",
    )


def new_password(sentence: str, secret: SecretStr, intent_id: str) -> Card:
    """Return a new password, for who had it made; it must be shown to nobody else."""
    return Card(
        "New password",
        (
            Paragraph(say("✔️ ", sentence)),
            Paragraph(say("The new password: ", Code(secret.get_secret_value()))),
            Small(say("It is shown this once and kept nowhere. Pass it on, then close this.")),
        ),
        fallback="A new password was set.",
        once=intent_id,
    )


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What the dashboard shows of one mail server."""

    server: str
    counts: SpoolCounts
    senders: Sequence[Share]
    addresses: Sequence[Share]
    sent: int  # messages in the last hour
    incidents: Sequence[Incident]
    taken_at: datetime
    blocks: int
    only: str = ""  # the sentence on whose senders alone it tells of, if not of everybody's


def dashboard(state: Dashboard) -> Card:
    """Return the spool dashboard."""
    counts, whole = state.counts, state.sent or 1

    def bars(shares: Sequence[Share]) -> tuple[Bar, ...]:
        return tuple(Bar(named(s.name), s.messages, s.messages / whole) for s in shares)

    sections: list[Section] = [
        Paragraph(
            say(
                Bold(f"{counts.waiting:,} waiting"),
                f" ({counts.active:,} active, {counts.deferred:,} deferred) · "
                f"{counts.held:,} held · {counts.quarantine:,} in quarantine"
                + ("" if state.only else f" · {size(counts.size)}"),
            )
        )
    ]
    sections += only(state.only)
    if state.senders:
        sections.append(Bars("Top outbound senders, last hour", bars(state.senders)))
        sections.append(Bars("Top outbound IP addresses, last hour", bars(state.addresses)))
    else:
        sections.append(Paragraph(say("Nothing was sent in the last hour.")))
    if state.incidents:
        sections.append(Points(tuple(incident_line(incident) for incident in state.incidents[:10])))
    else:
        sections.append(Paragraph(say("No open incidents.")))
    sections.append(
        Small(
            say(
                f"{count(state.blocks, 'blocked network')} · as of ",
                Moment(state.taken_at, seconds=True),
                " · /spool help lists the commands",
            )
        )
    )
    return Card(f"Spool of {named(state.server)}", tuple(sections), fallback="The spool dashboard")


def kept_new(until: datetime) -> Card:
    """Return the line that says for how long what stands above it is kept new."""
    line = Small(say("Kept up to date until ", Moment(until), "; open it again for longer."))
    return Card("", (line,), fallback="Kept up to date")


def only(sentence: str) -> list[Section]:
    """Return what says whose senders alone a card tells of, if not of everybody's."""
    return [Small(say(sentence))] if sentence else []


def incidents(rows: Sequence[Incident], sentence: str = "") -> Card:
    """Return the list of incidents, newest first."""
    if not rows:
        return note(f"No incidents yet. {sentence}".rstrip())
    return Card(
        "Incidents",
        (Points(tuple(incident_line(row) for row in rows)), *only(sentence)),
        fallback=count(len(rows), "incident"),
    )


def incident_line(row: Incident) -> Text:
    """Return an incident in one line."""
    evidence = Evidence.model_validate_json(row.evidence)
    by = f" by {named(row.state_by)}" if row.state_by else ""
    campaign = f" · in the campaign of {row.campaign}" if row.campaign is not None else ""
    return say(
        f"{row.id} · ",
        Bold(named(row.sender)),
        f" on {row.server} · {row.state.value}{by}{campaign} · since ",
        Moment(evidence.first_at),
        f" · {count(evidence.total, 'message')}, {evidence.queued:,} waiting, "
        f"{evidence.held:,} held",
    )


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search, with the intent ids of its buttons."""

    asked: str
    page: Page
    number: int
    last: int
    previews: Sequence[str]
    buttons: tuple[Button, ...]
    lacking: tuple[str, ...] = ()  # sentences on what this mail server can't do


def results(found: Found) -> Card:
    """Return a page of search results, each with a Preview button where the server can."""
    if not found.page.total:
        return note(f"Nothing in the spool matches {found.asked}.")
    rows: list[Section] = [
        Paragraph(
            say(
                Bold(count(found.page.total, "message")),
                f" match {found.asked} · page {found.number:,} of {found.last:,}, oldest first",
            )
        )
    ]
    if not found.previews:
        rows += [Paragraph(_message(message)) for message in found.page.messages]
    else:
        # The slot is the line's number: a queue id is another program's text.
        previewed = zip(found.page.messages, found.previews, strict=True)
        for number, (message, intent_id) in enumerate(previewed, 1):
            rows.append(Row(_message(message), Button(f"preview-{number}", "Preview", intent_id)))
    rows += [Small(say(sentence)) for sentence in found.lacking]
    return Card(
        "Messages in the spool",
        tuple(rows),
        found.buttons,
        fallback=count(found.page.total, "message"),
    )


def _message(message: Message) -> Text:
    """Return what tells messages apart, in lines that nothing a sender wrote can add to."""
    to = message.recipients[0] if message.recipients else "nobody"
    more = f" and {len(message.recipients) - 1:,} more" if len(message.recipients) > 1 else ""
    where = message.queue.value
    if message.queue is Queue.QUARANTINE:
        where = f"quarantine, {named(message.folder or '')}"
    client = named(message.client_ip or "unknown")
    error = f"\n{cut(message.last_error, 120)}" if message.last_error else ""
    return say(
        f"{message.arrived:%Y-%m-%d %H:%M:%S} UTC · {where} · {size(message.size)} · "
        f"{named(message.queue_id)}\n"
        f"{named(message.sender)} → {named(to)}{more} · from {client}\n"
        f"{cut(message.subject, 150) or '(no subject)'}{error}",
    )


def preview(shown: Preview) -> Card:
    """Return the head of one message: envelope beside headers, so that a forgery is seen."""
    message = shown.message
    points = [
        say("Authenticated as ", Code(message.authenticated_user or "nobody")),
        say("Envelope sender ", Code(message.envelope_sender or "<>")),
        say("From address ", Code(message.client_ip or "unknown")),
        say(
            f"To {count(len(message.recipients), 'recipient')}: ",
            short(", ".join(message.recipients), 300),
        ),
        say(f"In {message.queue.value} · {size(message.size)} · arrived ", Moment(message.arrived)),
    ]
    if shown.attachments:
        names = [short(name, 60) for name in shown.attachments[:10]]
        points.append(say("Attachments, not opened: ", ", ".join(names)))
    headers = "\n".join(f"{named(name)}: {cut(value, 200)}" for name, value in shown.headers)
    return Card(
        short(f"Message {message.queue_id}", 60),
        (
            Points(tuple(points)),
            Paragraph(say(Bold("Headers"))),
            Pre(short(headers, 2500)),
            Paragraph(say(Bold("Text"))),
            Pre(shown.text or "(no text)"),
        ),
        fallback=f"Message {message.queue_id}",
    )


def audit(entries: Sequence[AuditEntry], verdict: str, sentence: str = "") -> Card:
    """Return the newest lines of the audit log."""
    lines = tuple(
        say(
            f"{entry.seq} · ",
            Moment(entry.at, seconds=True),
            " · ",
            Bold(named(entry.actor_name)),
            f" · {entry.action} · {entry.phase}"
            + (f" · {short(entry.subject, 80)}" if entry.subject else ""),
        )
        for entry in entries
    )
    empty = "Nothing in the log is about them." if sentence else "The log is empty."
    sections: tuple[Section, ...] = (Points(lines),) if lines else (Paragraph(say(empty)),)
    return Card(
        "Audit log, newest first",
        (*sections, *only(sentence), Small(say(verdict))),
        fallback="Audit log",
    )
