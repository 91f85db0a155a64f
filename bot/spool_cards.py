"""The cards of what is looked at: the dashboard, a search, a message, the incidents, the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Code,
    Moment,
    Paragraph,
    Points,
    Pre,
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
from bot.line_cards import note
from services.audit import Phase
from services.detection.evidence import Evidence, Share
from services.language import later, later_n, tr, trn
from services.mail.port import Message, Page, Preview, Queue, SpoolCounts
from services.models import AuditEntry, Incident, IncidentState
from services.words import act, short, size

#: How an incident stands, and where a message is, within a line.
STATES = {
    IncidentState.OPEN: later("open"),
    IncidentState.ACKNOWLEDGED: later("acknowledged"),
    IncidentState.SNOOZED: later("snoozed"),
    IncidentState.REMEDIED: later("remedied"),
    IncidentState.FALSE_ALARM: later("false alarm"),
    IncidentState.CLOSED: later("closed"),
}
_INCIDENT = later_n(
    "{id} · {who} on {server} · {state} · since {moment} · {n} message, "
    "{waiting} waiting, {held} held",
    "{id} · {who} on {server} · {state} · since {moment} · {n} messages, "
    "{waiting} waiting, {held} held",
)
_WITH_MORE_WAITING = later_n(
    "{id} · {who} on {server} · {state} · since {moment} · {n} message, counted until "
    "{until}; {waiting} waiting, {held} held as of {asked}",
    "{id} · {who} on {server} · {state} · since {moment} · {n} messages, counted until "
    "{until}; {waiting} waiting, {held} held as of {asked}",
)
_QUEUES = {
    Queue.ACTIVE: later("active"),
    Queue.DEFERRED: later("deferred"),
    Queue.HELD: later("held"),
    Queue.QUARANTINE: later("quarantine"),
}
_PHASES = {
    Phase.INTENT.value: later("intent"),
    Phase.RESULT.value: later("result"),
    Phase.ASKED.value: later("asked"),
    Phase.DECIDED.value: later("decided"),
    Phase.REFUSED.value: later("refused"),
    Phase.REPEATED.value: later("repeated"),
    Phase.READ.value: later("read"),
    Phase.NOTE.value: later("note"),
    Phase.KEY.value: later("key"),
    Phase.ANCHOR.value: later("anchor"),
    Phase.CHECKPOINT.value: later("checkpoint"),
}


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

    held = rich(
        "{waiting} ({active} active, {deferred} deferred) · {held} held · "
        "{quarantine} in quarantine",
        waiting=Bold(tr("{n} waiting", n=counts.waiting)),
        active=counts.active,
        deferred=counts.deferred,
        held=counts.held,
        quarantine=counts.quarantine,
    )
    octets = () if state.only else say(f" · {size(counts.size)}")
    sections: list[Section] = [Paragraph((*held, *octets))]
    sections += only(state.only)
    if state.senders:
        sections.append(Bars(tr("Top outbound senders, last hour"), bars(state.senders)))
        sections.append(Bars(tr("Top outbound IP addresses, last hour"), bars(state.addresses)))
    else:
        sections.append(Paragraph(rich("Nothing was sent in the last hour.")))
    if state.incidents:
        sections.append(Points(tuple(incident_line(incident) for incident in state.incidents[:10])))
    else:
        sections.append(Paragraph(rich("No open incidents.")))
    sections.append(
        Small(
            richn(
                "{n} blocked network · as of {moment} · /spool help lists the commands",
                "{n} blocked networks · as of {moment} · /spool help lists the commands",
                state.blocks,
                moment=Moment(state.taken_at, seconds=True),
            )
        )
    )
    title = tr("Spool of {server}", server=named(state.server))
    return Card(title, tuple(sections), fallback=tr("The spool dashboard"))


def kept_new(until: datetime) -> Card:
    """Return the line that says for how long what stands above it is kept new."""
    said = rich("Kept up to date until {moment} · open it again for longer", moment=Moment(until))
    return Card("", (Small(said),), fallback=tr("Kept up to date"))


def only(sentence: str) -> list[Section]:
    """Return what says whose senders alone a card tells of, if not of everybody's."""
    return [Small(say(sentence))] if sentence else []


def incidents(rows: Sequence[Incident], sentence: str = "") -> Card:
    """Return the list of incidents, newest first."""
    if not rows:
        return note(f"{tr('No incidents yet.')} {sentence}".rstrip())
    return Card(
        tr("Incidents"),
        (Points(tuple(incident_line(row) for row in rows)), *only(sentence)),
        fallback=trn("{n} incident", "{n} incidents", len(rows)),
    )


def incident_line(row: Incident) -> Text:
    """Return an incident in one line."""
    evidence = Evidence.model_validate_json(row.evidence)
    state = tr(STATES[row.state])
    if row.state_by:
        state = tr("{state} by {by}", state=state, by=named(row.state_by))
    if row.campaign is not None:
        state += f" · {tr('in the campaign of {id}', id=str(row.campaign))}"
    # As on the alert: the spool is asked later, and may hold older messages, too.
    more = evidence.queued + evidence.held > evidence.total
    return richn(
        *(_WITH_MORE_WAITING if more else _INCIDENT),
        evidence.total,
        id=str(row.id),
        who=Bold(named(row.sender)),
        server=row.server,
        state=state,
        moment=Moment(evidence.first_at),
        until=Moment(evidence.taken_at, seconds=True),
        waiting=evidence.queued,
        held=evidence.held,
        asked=Moment(evidence.waited_at, seconds=True),
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
        return note(tr("Nothing in the spool matches {asked}.", asked=found.asked))
    rows: list[Section] = [
        Paragraph(
            richn(
                "{messages} matches {asked} · page {page} of {pages}, oldest first",
                "{messages} match {asked} · page {page} of {pages}, oldest first",
                found.page.total,
                messages=Bold(trn("{n} message", "{n} messages", found.page.total)),
                asked=found.asked,
                page=found.number,
                pages=found.last,
            )
        )
    ]
    if not found.previews:
        rows += [Paragraph(_message(message)) for message in found.page.messages]
    else:
        # The slot is the line's number: a queue id is another program's text.
        previewed = zip(found.page.messages, found.previews, strict=True)
        for number, (message, intent_id) in enumerate(previewed, 1):
            rows.append(
                Row(_message(message), Button(f"preview-{number}", tr("Preview"), intent_id))
            )
    rows += [Small(say(sentence)) for sentence in found.lacking]
    return Card(
        tr("Messages in the spool"),
        tuple(rows),
        found.buttons,
        fallback=trn("{n} message", "{n} messages", found.page.total),
    )


def _message(message: Message) -> Text:
    """Return what tells messages apart, in lines that nothing a sender wrote can add to."""
    to = named(message.recipients[0]) if message.recipients else tr("nobody")
    if len(message.recipients) > 1:
        to = tr("{to} and {n} more", to=to, n=len(message.recipients) - 1)
    where = tr(_QUEUES[message.queue])
    if message.queue is Queue.QUARANTINE:
        where = f"{where}, {named(message.folder or '')}"
    client = tr("from {client}", client=named(message.client_ip or tr("unknown")))
    error = f"\n{cut(message.last_error, 120)}" if message.last_error else ""
    return say(
        Moment(message.arrived, seconds=True),
        f" · {where} · {size(message.size)} · "
        f"{named(message.queue_id)}\n"
        f"{named(message.sender)} → {to} · {client}\n"
        f"{cut(message.subject, 150) or tr('(no subject)')}{error}",
    )


def preview(shown: Preview) -> Card:
    """Return the head of one message: envelope beside headers, so that a forgery is seen."""
    message = shown.message
    points = [
        rich("Authenticated as {user}", user=Code(message.authenticated_user or tr("nobody"))),
        rich("Envelope sender {sender}", sender=Code(message.envelope_sender or "<>")),
        rich("From address {address}", address=Code(message.client_ip or tr("unknown"))),
        richn(
            "To {n} recipient: {names}",
            "To {n} recipients: {names}",
            len(message.recipients),
            names=short(", ".join(message.recipients), 300),
        ),
        rich(
            "In {queue} · {size} · arrived {moment}",
            queue=tr(_QUEUES[message.queue]),
            size=size(message.size),
            moment=Moment(message.arrived),
        ),
    ]
    if shown.attachments:
        names = [short(name, 60) for name in shown.attachments[:10]]
        points.append(rich("Attachments, not opened: {names}", names=", ".join(names)))
    headers = "\n".join(f"{named(name)}: {cut(value, 200)}" for name, value in shown.headers)
    title = tr("Message {id}", id=message.queue_id)
    return Card(
        short(title, 60),
        (
            Points(tuple(points)),
            Paragraph(say(Bold(tr("Headers")))),
            Pre(short(headers, 2500)),
            Paragraph(say(Bold(tr("Text")))),
            Pre(shown.text or tr("(no text)")),
        ),
        fallback=title,
    )


def audit(entries: Sequence[AuditEntry], verdict: str, sentence: str = "") -> Card:
    """Return the newest lines of the audit log."""
    lines = tuple(
        say(
            f"{entry.seq} · ",
            Moment(entry.at, seconds=True),
            " · ",
            Bold(named(entry.actor_name)),
            f" · {named(act(entry.action))}"
            f" · {named(tr(_PHASES.get(entry.phase, entry.phase)))}"
            + (f" · {short(entry.subject, 80)}" if entry.subject else ""),
        )
        for entry in entries
    )
    empty = tr("Nothing in the log is about them.") if sentence else tr("The log is empty.")
    sections: tuple[Section, ...] = (Points(lines),) if lines else (Paragraph(say(empty)),)
    return Card(
        tr("Audit log, newest first"),
        (*sections, *only(sentence), Small(say(verdict))),
        fallback=tr("Audit log"),
    )
