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
    rich,
    richn,
    say,
    visible,
)
from services.audit import Phase
from services.detection.evidence import Evidence, Share
from services.detection.life import Severity
from services.language import clock, decimal, later, moment, tr, trn
from services.mail.port import Message, Page, Preview, Queue, SpoolCounts
from services.models import LIVE, AuditEntry, Incident, IncidentState, Intent, IntentState
from services.origin import country_name
from services.remedies import REMEDIES
from services.responding import RESPOND
from services.targets import Target
from services.words import act, in_percent, short, size

_TOP = 5
_STOPPED = later("Stopped")
_REMEDIED = {
    "stop": _STOPPED,
    "disable": later("Disabled"),
    "delete_account": later("Deleted"),
}
#: Looked up by tr() where they are shown, as are all tables of words here.
STOP_ASKS, STOP_YES = later("Stop sending?"), later("Stop sending")
APPROVE_ASKS, APPROVE_YES = later("Approve this?"), later("Approve")

#: What stands in the More menu, in this order for ever: the remedy, its label, its undo's label.
MORE = (
    ("move", later("Move to a folder…"), later("Undo move")),
    ("delete", later("Delete messages…"), later("Bring back deleted")),
    ("disable", later("Disable only…"), later("Undo disable")),
    ("block", later("Block IPs…"), later("Undo block")),
    ("snooze", later("Snooze…"), later("End snooze")),
    ("false_alarm", later("False alarm…"), later("Undo false alarm")),
)
_UNDO = later("Undo")
#: How bad an incident is, in words and with a colour.
SEVERITIES = {
    Severity.FADING: ("🟦", later("nothing alarming is sent any more")),
    Severity.MODERATE: ("🟨", later("moderate")),
    Severity.HIGH: ("🟧", later("high")),
    Severity.CRITICAL: ("🟥", later("critical")),
}
#: How an incident stands, and where a message is, within a line.
STATES = {
    IncidentState.OPEN: later("open"),
    IncidentState.ACKNOWLEDGED: later("acknowledged"),
    IncidentState.SNOOZED: later("snoozed"),
    IncidentState.REMEDIED: later("remedied"),
    IncidentState.FALSE_ALARM: later("false alarm"),
    IncidentState.CLOSED: later("closed"),
}
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
    stopped = incident.state is IncidentState.REMEDIED or "stop" in done or "disable" in done
    sections: list[Section] = [Paragraph(_status(incident, done))]
    if live:
        sections.append(severity(incident, evidence.messages))
    sections.append(Points(reasons(evidence)))
    sections.append(so_far(evidence.first_at, [evidence]))
    if picture is not None:
        sections.append(picture)
    sections += told(incident)
    if evidence.top_senders:
        sections.append(_bars(tr("Top senders, last 5 min"), evidence.top_senders, evidence))
    if evidence.addresses:
        of_mine = sum(share.messages for share in evidence.addresses) or 1
        rows = tuple(
            Bar(placed(share), share.messages, share.messages / of_mine)
            for share in evidence.addresses[:_TOP]
        )
        more = evidence.address_count - len(rows)
        title = tr("Its addresses, and {n} more", n=more) if more > 0 else tr("Its addresses")
        sections.append(Bars(title, rows))
    sections += [Small(say(sentence)) for sentence in buttons.lacking if live]
    sections.append(foot(incident, incident.score, evidence.taken_at))
    if incident.state is IncidentState.FALSE_ALARM:
        headline = tr("{who}: false alarm", who=who)
    elif live and not stopped:
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
    sent = richn(
        "Since {moment}: {n} message sent.",
        "Since {moment}: {n} messages sent.",
        sum(one.total for one in evidences),
        moment=Moment(since),
    )
    waiting, held = Bold(tr("{n} waiting", n=queued)), sum(one.held for one in evidences)
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
    return Paragraph((*sent, *say(" "), *now))


def told(incident: Incident) -> list[Section]:
    """Return what the bot did by itself, that it was reopened, and what it came to."""
    said: list[Section] = []
    if incident.containment:
        said.append(Paragraph(say("🤖 ", incident.containment)))
    if incident.reopened_at is not None:
        said.append(Small(rich("Reopened {moment}", moment=Moment(incident.reopened_at))))
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


def _status(incident: Incident, done: Mapping[str, Intent]) -> Text:
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
            message = (
                later("{state} by {by}.") if stopped else later("{state} by {by}; still sending.")
            )
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
        shown.append(
            Button(
                "first",
                tr("Undo stop"),
                undos["stop"],
            )
        )
    elif live and "stop" in offers:
        shown.append(
            Button(
                "first",
                tr("Stop sending"),
                offers["stop"],
                Style.PRIMARY,
                Confirm(
                    tr(STOP_ASKS),
                    stop_text(
                        incident.sender, evidence.queued, evidence.taken_at, holds=buttons.holds
                    ),
                    tr(STOP_YES),
                ),
            )
        )
    if "search" in offers:
        shown.append(Button("second", tr("Review messages"), offers["search"]))
    # Who has stopped it has taken it on: there is nothing left to acknowledge or to put off.
    waits = live and incident.state is not IncidentState.REMEDIED
    if waits and "acknowledge" in undos:
        shown.append(Button("third", tr("Undo acknowledge"), undos["acknowledge"]))
    elif waits and "acknowledge" in offers:
        shown.append(Button("third", tr("Acknowledge"), offers["acknowledge"]))
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
        shown.append(Button("fourth", tr("Undo hold"), undos["contain"]))
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


def asked_text(intent: Intent) -> str:
    """Return what a second person is asked to approve."""
    target = Target.model_validate_json(intent.target)
    about = cut(target.subject, 120)
    if target.queue_ids:
        number, what = len(target.queue_ids), about or tr("what was chosen")
        about = (
            trn("{n} message of {who}", "{n} messages of {who}", number, who=what)
            if target.accounts
            else trn(
                "{n} message that matches {what}",
                "{n} messages that match {what}",
                number,
                what=what,
            )
        )
    who, doing = named(intent.asked_name or tr("Somebody")), tr(REMEDIES[intent.action].doing)
    why = f"{intent.asked_why[:1].upper()}{intent.asked_why[1:]}."
    if target.permanent:
        asked = tr("{who} asks for {doing}, for good: {about}.", who=who, doing=doing, about=about)
    else:
        asked = tr("{who} asks for {doing}: {about}.", who=who, doing=doing, about=about)
    return f"{asked} {why}"


def asked_line(intent: Intent, approve_id: str, decline_id: str) -> Card:
    """Return the line that waits for a second person."""
    text = asked_text(intent)
    return Card(
        "",
        (
            Paragraph(say("✋ ", text)),
            Small(
                rich(
                    "Anybody else with the role may decide until {moment}",
                    moment=Moment(intent.expires_at),
                )
            ),
        ),
        (
            Button(
                "approve",
                tr("Approve…"),
                approve_id,
                Style.PRIMARY,
                Confirm(tr(APPROVE_ASKS), text, tr(APPROVE_YES)),
            ),
            Button("decline", tr("Decline"), decline_id),
        ),
        fallback=f"✋ {text}",
    )


def act_line(intent: Intent, remedy_name: str, undo_id: str | None) -> Card:
    """Return the line that tells of one act: under way, done, failed or taken back."""
    who = Bold(named(intent.claimed_name or intent.asked_name or tr("Somebody")))
    undoing = intent.undo_of is not None
    doing = (
        tr("taking back “{act}”", act=act(remedy_name))
        if undoing
        else tr(REMEDIES[remedy_name].doing)
    )
    told = f" {intent.summary}"
    match intent.state:
        case IntentState.CLAIMED:
            text = (*say("⏳ "), *_under_way(intent, who, doing))
        case IntentState.DONE | IntentState.INTERRUPTED if intent.undone:
            since = rich("{who}, taken back since:", who=who)
            text = (*say("↩️ "), *since, *say(told))
        case IntentState.DONE:
            text = say("↩️ " if undoing else "✔️ ", who, f":{told}")
        case IntentState.INTERRUPTED:
            text = (*say("⚠️ "), *rich("{who} was {doing}.", who=who, doing=doing), *say(told))
        case _ if intent.claimed_by is None and intent.asked_by is not None:
            text = (
                *say("🚫 "),
                *rich("{who} asked for {doing}.", who=who, doing=doing),
                *say(told),
            )
        case _:
            text = (*say("⚠️ "), *rich("{who} was {doing}.", who=who, doing=doing), *say(told))
    buttons: tuple[Button, ...] = ()
    if undo_id is not None:
        label = next((undo for name, _, undo in MORE if name == remedy_name and undo), _UNDO)
        buttons = (Button("undo", tr(label), undo_id),)
    sections: tuple[Section, ...] = (Paragraph(text),)
    if undo_id is not None and intent.undo_until is not None:
        until = rich("Can be undone until {moment}.", moment=Moment(intent.undo_until))
        sections = (*sections, Small(until))
    return Card("", sections, buttons, fallback=plain(text))


def _under_way(intent: Intent, who: Bold, doing: str) -> Text:
    if intent.progress is None or intent.progress_of is None:
        return rich("{who} is {doing} …", who=who, doing=doing)
    return rich(
        "{who} is {doing} … {done} of {all}",
        who=who,
        doing=doing,
        done=intent.progress,
        all=intent.progress_of,
    )


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
        tr("New password"),
        (
            Paragraph(say("✔️ ", sentence)),
            Paragraph(
                rich("The new password: {password}", password=Code(secret.get_secret_value()))
            ),
            Small(rich("It is shown this once and kept nowhere. Pass it on, then close this.")),
        ),
        fallback=tr("A new password was set."),
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
    said = rich("Kept up to date until {moment}; open it again for longer.", moment=Moment(until))
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
    return richn(
        "{id} · {who} on {server} · {state} · since {moment} · {n} message, "
        "{waiting} waiting, {held} held",
        "{id} · {who} on {server} · {state} · since {moment} · {n} messages, "
        "{waiting} waiting, {held} held",
        evidence.total,
        id=str(row.id),
        who=Bold(named(row.sender)),
        server=row.server,
        state=state,
        moment=Moment(evidence.first_at),
        waiting=evidence.queued,
        held=evidence.held,
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
        f"{moment(message.arrived, seconds=True)} UTC · {where} · {size(message.size)} · "
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
