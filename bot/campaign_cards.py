"""The cards of a campaign: several accounts on one, a page of them, and where a card went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot import alert_card, spool_cards
from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Confirm,
    Link,
    Menu,
    Option,
    Paragraph,
    Picture,
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
)
from services.detection.evidence import Evidence
from services.detection.life import shared_state
from services.language import decimal, later, tr, trn
from services.models import LIVE, Incident, IncidentState, Intent
from services.words import listed

#: Accounts on the card itself; with their buttons more are more than every chat's messages hold.
ON_CARD = 5
PER_PAGE = 8
#: What is called otherwise than on an account's card; more may come, so that it stays on offer.
_ALL = {"move": later("Move all to a folder…"), "delete": later("Delete all messages…")}
_NAMED = 3
_ADDRESSES = 5
_MARKS = {
    IncidentState.OPEN: "🔴",
    IncidentState.ACKNOWLEDGED: "🟡",
    IncidentState.SNOOZED: "💤",
    IncidentState.REMEDIED: "🟢",
    IncidentState.FALSE_ALARM: "⚪",
    IncidentState.CLOSED: "⚪",
}
#: How a campaign stands, and how many of its accounts do, or one of them.
_STATES = {
    IncidentState.OPEN: later("Open: somebody is needed"),
    IncidentState.ACKNOWLEDGED: later("Acknowledged"),
    IncidentState.SNOOZED: later("Snoozed"),
    IncidentState.REMEDIED: later("Stopped"),
    IncidentState.FALSE_ALARM: later("False alarm"),
    IncidentState.CLOSED: later("Closed: it is quiet"),
}
_STOPPED = later("stopped")


@dataclass(frozen=True, slots=True)
class Buttons:
    """The intent ids for a campaign's card.

    ``offers`` are by action, ``undos`` by what they undo, ``stops`` and ``looks`` by account;
    ``waiting`` is how many messages of those that can be stopped wait.
    """

    offers: Mapping[str, str]
    undos: Mapping[str, str]
    stops: Mapping[str, str]
    looks: Mapping[str, str]
    stoppable: tuple[str, ...] = ()
    waiting: int = 0
    lacking: tuple[str, ...] = ()
    holds: bool = True


def ordered(group: Sequence[Incident]) -> list[Incident]:
    """Return a campaign's incidents as people need them: live ones first, then who sends most."""
    return sorted(group, key=lambda row: (row.state not in LIVE, -_evidence(row).total, row.id))


def campaign(
    lead: Incident,
    group: Sequence[Incident],
    done: Mapping[str, Intent],
    buttons: Buttons,
    picture: Picture | None = None,
) -> Card:
    """Return a campaign's card, as it stands now. ``done`` is as on an account's card."""
    rows = ordered(group)
    # By incident: an account may have another one that is over.
    evidences = {row.id: _evidence(row) for row in rows}
    state = shared_state(group)
    live = state in LIVE
    # Of who is over, nobody counts on: what it sent in its last five minutes is not of now.
    rate = sum(evidences[row.id].messages for row in rows if row.state in LIVE)
    sections: list[Section] = [Paragraph(_status(state, rows))]
    if live and state is not IncidentState.REMEDIED:
        sections.append(alert_card.severity(lead, rate))
    why = next((row.joined_by for row in group if row.joined_by), "")
    accounts = trn("{n} account, one campaign", "{n} accounts, one campaign", len(rows))
    sections.append(
        Paragraph(
            rich("{accounts}: they share {what}.", accounts=Bold(accounts), what=why)
            if why
            else say(Bold(accounts), ".")
        )
    )
    first = min(evidences.values(), key=lambda one: one.first_at)
    sections.append(alert_card.so_far(first.first_at, list(evidences.values())))
    sections += alert_card.told(lead, *group)
    for row in rows[:ON_CARD]:
        text = _line(row, evidences[row.id])
        stop = buttons.stops.get(row.sender) if row.state in LIVE else None
        look = buttons.looks.get(row.sender)
        if stop is not None:
            sections.append(Row(text, _stop_one(row, evidences[row.id], stop, buttons)))
        elif look is not None:
            sections.append(Row(text, Button(f"why-{row.id}", tr("Why"), look)))
        else:
            sections.append(Paragraph(text))
    if len(rows) > ON_CARD:
        more = richn("and {n} more account", "and {n} more accounts", len(rows) - ON_CARD)
        sections.append(Small(more))
    below: list[Section] = []
    if picture is not None:
        whose = rich("The picture shows {who} alone.", who=named(lead.sender))
        below = [Small(whose), picture]
    below += _addresses(list(evidences.values()))
    below += [Small(say(sentence)) for sentence in buttons.lacking if live]
    newest = max(evidence.waited_at for evidence in evidences.values())
    score = max(row.score for row in rows)
    below.append(alert_card.foot(lead, score, newest))
    who, others = named(lead.sender), len(rows) - 1
    if state is IncidentState.FALSE_ALARM:
        headline = trn(
            "{who} and {n} other: false alarm", "{who} and {n} others: false alarm", others, who=who
        )
    elif live and buttons.stoppable and rate:
        headline = trn(
            "{who} and {n} other are sending spam",
            "{who} and {n} others are sending spam",
            others,
            who=who,
        )
    else:
        headline = trn(
            "{who} and {n} other sent spam", "{who} and {n} others sent spam", others, who=who
        )
    mark = alert_card.mark_of(state)
    return Card(
        title=f"{mark} {headline}",
        sections=tuple(sections),
        buttons=_buttons(state, buttons, live=live),
        turn=lead.turn,
        tone=alert_card.tone_of(lead) if live else "",
        below=tuple(below),
        fallback=f"{mark} {headline}: {accounts}. {plain(_status(state, rows))}",
    )


def moved(incident: Incident, campaign_id: int, link: str | None = None) -> Card:
    """Return what stands where a card was whose account turned out to be of another's campaign."""
    number = tr("incident {id}", id=str(campaign_id))
    who, of = Bold(named(incident.sender)), Link(number, link) if link else number
    text = (
        rich(
            "{who} belongs to the campaign of {incident}, sharing {what}. Its card and thread "
            "tell how it goes on.",
            who=who,
            incident=of,
            what=cut(incident.joined_by, 190),
        )
        if incident.joined_by
        else rich(
            "{who} belongs to the campaign of {incident}. Its card and thread tell how it goes on.",
            who=who,
            incident=of,
        )
    )
    title = "↪️ " + tr("{who}: see incident {id}", who=named(incident.sender), id=str(campaign_id))
    return Card(title, (Paragraph(text),), fallback=f"{title}. {plain(text)}")


def page(
    lead: Incident,
    rows: Sequence[Incident],
    offset: int,
    accounts: int,
    buttons: Mapping[str, Button],
    sentence: str,
) -> Card:
    """Return a page of a campaign's accounts, for the person who asked."""
    names = trn("{n} account", "{n} accounts", accounts)
    if accounts > len(rows):
        last = offset + len(rows)
        names = tr("{first} to {last} of {names}", first=offset + 1, last=last, names=names)
    sections: list[Section] = [Paragraph(rich("{accounts}, one campaign.", accounts=Bold(names)))]
    for number, row in enumerate(rows):
        text = _line(row, _evidence(row))
        button = buttons.get(f"account-{number}")
        sections.append(Row(text, button) if button else Paragraph(text))
    sections += spool_cards.only(sentence)
    below = tuple(b for slot, b in buttons.items() if not slot.startswith("account-"))
    title = tr("Campaign of incident {id}", id=str(lead.id))
    return Card(title, tuple(sections), below, fallback=title)


def stop_text(accounts: Sequence[str], waiting: int, *, holds: bool) -> str:
    """Return what stopping all of them would do, for the question that is asked first."""
    names = [cut(account, 40) for account in accounts[:_NAMED]]
    more = len(accounts) - len(names)
    who = listed([*names, tr("{n} more", n=more)] if more else names)
    if holds:
        return trn(
            "{who} can no longer send (they still receive), and their {n} waiting message will be "
            "held. This can be undone.",
            "{who} can no longer send (they still receive), and their {n} waiting messages will be "
            "held. This can be undone.",
            waiting,
            who=who,
        )
    return trn(
        "{who} can no longer send (they still receive), and their {n} waiting message goes out all "
        "the same. This can be undone.",
        "{who} can no longer send (they still receive), and their {n} waiting messages go out all "
        "the same. This can be undone.",
        waiting,
        who=who,
    )


def _status(state: IncidentState, rows: Sequence[Incident]) -> Text:
    """Return how a campaign stands: the state that most needs somebody, and how many are in it."""
    numbers = [
        f"{decimal(sum(row.state is one for row in rows), 0)} {_word(one)}"
        for one in _MARKS
        if any(row.state is one for row in rows)
    ]
    word = Bold(tr(_STATES[state]))
    first = next(row for row in rows if row.state is state)
    quiet = state in (IncidentState.OPEN, IncidentState.CLOSED)
    said = (
        rich("{state} by {by}.", state=word, by=named(first.state_by))
        if first.state_by and not quiet
        else say(word, ".")
    )
    told = say(f" · {', '.join(numbers)}") if len(numbers) > 1 else ()
    return (*say(f"{_MARKS[state]} "), *said, *told)


def _word(state: IncidentState) -> str:
    return tr(_STOPPED if state is IncidentState.REMEDIED else spool_cards.STATES[state])


def _line(row: Incident, evidence: Evidence) -> Text:
    state = f"{_MARKS[row.state]} {_word(row.state)}"
    if row.state_by and row.state is not IncidentState.OPEN:
        state = tr("{state} by {by}", state=state, by=named(row.state_by))
    about = trn(
        "{state} · {n} message, {waiting} waiting, {held} held · incident {id}",
        "{state} · {n} messages, {waiting} waiting, {held} held · incident {id}",
        evidence.total,
        state=state,
        waiting=evidence.queued,
        held=evidence.held,
        id=str(row.id),
    )
    return say(Bold(named(row.sender)), f"\n{about}")


def _stop_one(row: Incident, evidence: Evidence, intent_id: str, buttons: Buttons) -> Button:
    text = alert_card.stop_text(
        row.sender, evidence.queued, evidence.waited_at, holds=buttons.holds
    )
    confirm = Confirm(tr(alert_card.STOP_ASKS), text, tr(alert_card.STOP_YES))
    return Button(f"stop-{row.id}", tr("Stop"), intent_id, confirm=confirm)


def _addresses(evidences: Sequence[Evidence]) -> list[Section]:
    shares: dict[str, int] = {}
    for evidence in evidences:
        for share in evidence.addresses:
            name = alert_card.placed(share)
            shares[name] = shares.get(name, 0) + share.messages
    whole = sum(shares.values()) or 1
    top = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    bars = tuple(Bar(name, n, n / whole) for name, n in top[:_ADDRESSES])
    more = len(top) - len(bars)
    title = tr("Their IP addresses")
    if more:
        title = tr("Their IP addresses, and {n} more", n=more)
    return [Bars(title, bars)] if bars else []


def _buttons(state: IncidentState, buttons: Buttons, *, live: bool) -> tuple[Button | Menu, ...]:
    offers, undos = buttons.offers, buttons.undos
    shown: list[Button | Menu] = []
    options: list[Option] = []
    number = len(buttons.stoppable)
    if live and "stop" in offers and number:
        label = trn("Stop the last account", "Stop all {n} accounts", number)
        text = stop_text(buttons.stoppable, buttons.waiting, holds=buttons.holds)
        confirm = Confirm(tr(alert_card.STOP_ASKS), text, tr(alert_card.STOP_YES))
        shown.append(Button("stop", label, offers["stop"], Style.PRIMARY, confirm))
        if "stop" in undos:
            options.append(Option(tr("Undo stop"), undos["stop"]))
    elif "stop" in undos:
        shown.append(Button("undo-stop", tr("Undo stop"), undos["stop"]))
    if "campaign" in offers:
        shown.append(Button("campaign", tr("All accounts…"), offers["campaign"]))
    waits = live and state is not IncidentState.REMEDIED
    if waits and "acknowledge" in undos and state is not IncidentState.OPEN:
        shown.append(Button("undo-acknowledge", tr("Undo acknowledge"), undos["acknowledge"]))
    elif waits and "acknowledge" in offers and state is not IncidentState.ACKNOWLEDGED:
        shown.append(Button("acknowledge", tr("Acknowledge"), offers["acknowledge"]))
    if live and "respond" in offers:
        shown.append(Button("respond", tr("Respond"), offers["respond"]))
    for action, label, undo_label in alert_card.MORE:
        over = action == "snooze" and state is not IncidentState.SNOOZED
        if action in _ALL and live and action in offers:
            options.append(Option(tr(_ALL[action]), offers[action]))
        if action in undos and undo_label and not over:
            options.append(Option(tr(undo_label), undos[action]))
        elif action in _ALL:
            continue
        elif live and action in offers and (waits or action != "snooze"):
            options.append(Option(tr(label), offers[action]))
    if "contain" in undos:
        shown.append(Button("undo-contain", tr("Undo hold"), undos["contain"]))
    if options:
        shown.append(Menu("more", tr("More…"), tuple(options)))
    return tuple(shown)


def _evidence(row: Incident) -> Evidence:
    return Evidence.model_validate_json(row.evidence)
