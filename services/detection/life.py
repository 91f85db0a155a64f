"""An incident's life, for one account or for a campaign of several: pure, on rows and evidence.

Who is one campaign lives together: it is as bad as its worst account, is looked at again
when it doubles, and is closed once all of its accounts are quiet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from services.detection.evidence import Evidence
from services.language import later, tr, trn
from services.models import Incident, IncidentState
from services.people import BOT
from services.words import listed, short

#: A stopped account may have had messages under way; later ones mean it is not stopped.
_GRACE = timedelta(seconds=30)
#: So soon after the alert a rise needs no line of its own.
_JUST_TOLD = timedelta(minutes=1)
_WAITING = (IncidentState.ACKNOWLEDGED, IncidentState.SNOOZED)
_NAMES = 3


class Severity(IntEnum):
    """How bad it is now."""

    FADING = 0  # nothing alarming is sent any more
    MODERATE = 1
    HIGH = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """Return it as people are told, in English: tr() where it is shown."""
        return _WORDS[self]


_WORDS = {
    Severity.FADING: later("fading"),
    Severity.MODERATE: later("moderate"),
    Severity.HIGH: later("high"),
    Severity.CRITICAL: later("critical"),
}


#: From which score, which messages in five minutes, or how many accounts at once it is so bad.
_FROM = (
    (Severity.CRITICAL, 140.0, 500, 10),
    (Severity.HIGH, 100.0, 100, 3),
)


@dataclass(slots=True)
class Member:
    """One account of a campaign, with what a poll found. ``alarming`` is as it stands now."""

    incident: Incident
    evidence: Evidence
    score: float
    alarming: bool
    changed: bool = False  # whether its card has something new to show
    is_new: bool = False  # opened or reopened by this poll

    @property
    def sends(self) -> bool:
        """Whether it sends what alarms, now."""
        return self.alarming and self.evidence.messages > 0


@dataclass(slots=True)
class Step:
    """What became of a campaign at a poll: lines for its thread, and whether it is closed."""

    lines: list[str] = field(default_factory=list)
    closed: bool = False


def severity_of(members: Sequence[Member]) -> Severity:
    """Return how bad it is now, by the worst score, the rate of all, and how many they are."""
    sending = [one for one in members if one.sends]
    if not sending:
        return Severity.FADING
    score = max(one.score for one in sending)
    rate = sum(one.evidence.messages for one in sending)
    for level, points, messages, accounts in _FROM:
        if score >= points or rate >= messages or len(sending) >= accounts:
            return level
    return Severity.MODERATE


def note_sent(incident: Incident, evidence: Evidence) -> None:
    """Remember how much it was when somebody acknowledged or snoozed it."""
    incident.noted_total, incident.noted_peak = evidence.total, evidence.peak


def shared_state(incidents: Sequence[Incident]) -> IncidentState:
    """Return the state of a campaign: the one that most needs somebody."""
    order = (
        IncidentState.OPEN,
        IncidentState.ACKNOWLEDGED,
        IncidentState.SNOOZED,
        IncidentState.REMEDIED,
        IncidentState.CLOSED,
        IncidentState.FALSE_ALARM,
    )
    return min((one.state for one in incidents), key=order.index)


def step(lead: Incident, members: Sequence[Member], now: datetime, quiet: timedelta,
         least: int) -> Step:  # fmt: skip
    """Move a campaign's live accounts on in their lives where that is due, and say so.

    ``lead`` is the incident whose card tells of them, itself live or not. ``least`` is how
    many messages more a doubling takes at least.
    """
    made = Step()
    if not members:
        return made
    _wake(made, members, now)
    _double(made, members, now, least)
    _again(made, members, now)
    _rise(made, lead, members, now)
    if all(_is_quiet(one.incident, now, quiet) for one in members):
        for one in members:
            _set(one, IncidentState.CLOSED, now)
            one.incident.open_key = None
            one.incident.snoozed_until = None
        made.closed = True
    return made


def inherit(newcomer: Member, others: Sequence[Incident], now: datetime) -> None:
    """Have an account that joins a campaign stand as that does, if somebody put all of it off.

    What it sends counts as more since then, so that a campaign that doubles is told.
    """
    if not newcomer.is_new or not others or any(one.state not in _WAITING for one in others):
        return
    state = shared_state(others)
    told = max((one for one in others if one.state is state), key=lambda one: one.id or 0)
    mine = newcomer.incident
    mine.state, mine.state_by, mine.state_at = state, told.state_by, told.state_at
    mine.snoozed_until = told.snoozed_until
    mine.noted_total = mine.noted_peak = 0


def names_of(members: Sequence[Member]) -> str:
    """Return some accounts in words."""
    shown = [short(one.incident.sender or "<>", 80) for one in members[:_NAMES]]
    more = len(members) - len(shown)
    return listed([*shown, tr("{n} more", n=more)] if more else shown)


def _wake(made: Step, members: Sequence[Member], now: datetime) -> None:
    over = [
        one
        for one in members
        if one.incident.state is IncidentState.SNOOZED
        and one.incident.snoozed_until is not None
        and now >= one.incident.snoozed_until
    ]
    for one in over:
        _set(one, IncidentState.OPEN, now)
        one.incident.snoozed_until = None
    if over:
        made.lines.append(tr("The snooze is over."))


def _double(made: Step, members: Sequence[Member], now: datetime, least: int) -> None:
    waiting = [one for one in members if one.incident.state in _WAITING]
    for one in waiting:
        if one.incident.noted_total is None or one.incident.noted_peak is None:
            note_sent(one.incident, one.evidence)  # from a release that did not
    total = sum(one.evidence.total for one in waiting)
    noted = sum(one.incident.noted_total or 0 for one in waiting)
    rate = sum(one.evidence.messages for one in waiting)
    peak = sum(one.incident.noted_peak or 0 for one in waiting)
    if total >= 2 * noted and total - noted >= least:
        why = trn(
            "{n} message by now, {noted} then",
            "{n} messages by now, {noted} then",
            total,
            noted=noted,
        )
    elif rate >= 2 * peak and rate - peak >= least:
        why = trn(
            "{n} message in the last 5 min, at most {peak} before",
            "{n} messages in the last 5 min, at most {peak} before",
            rate,
            peak=peak,
        )
    else:
        return
    state = shared_state([one.incident for one in waiting])
    for one in waiting:
        _set(one, IncidentState.OPEN, now)
        one.incident.snoozed_until = None
    made.lines.append(
        tr(
            "It has doubled since it was {state}: {why}. It is open again.",
            state=tr(state.value),
            why=why,
        )
    )


def _again(made: Step, members: Sequence[Member], now: datetime) -> None:
    again = [
        one
        for one in members
        if one.incident.state is IncidentState.REMEDIED
        and one.incident.state_at is not None
        and one.evidence.last_at > one.incident.state_at + _GRACE
        and one.alarming
    ]
    for one in again:
        _set(one, IncidentState.OPEN, now)
    if again:
        made.lines.append(
            trn(
                "{names} is sending again although it was stopped. Look at it once more.",
                "{names} are sending again although they were stopped. Look at it once more.",
                len(again),
                names=names_of(again),
            )
            if len(members) > 1
            else tr("It is sending again although it was stopped. Look at it once more.")
        )


def _rise(made: Step, lead: Incident, members: Sequence[Member], now: datetime) -> None:
    level = severity_of(members)
    if level != lead.severity:
        lead.severity = level
        for one in members:
            one.changed = True
    if level <= lead.worst:
        return
    lead.worst = level
    # Who was just told by the alert looks at the card, which says so.
    again = [one.incident.reopened_at for one in members if one.incident.reopened_at is not None]
    if now - max([lead.opened_at, *again]) >= _JUST_TOLD:
        rate = sum(one.evidence.messages for one in members)
        score = max(one.score for one in members)
        made.lines.append(
            trn(
                "Severity rises to {level}: {n} message in the last 5 min, score {score}.",
                "Severity rises to {level}: {n} messages in the last 5 min, score {score}.",
                rate,
                level=tr(level.word),
                score=f"{score:.0f}",
            )
        )


def _is_quiet(incident: Incident, now: datetime, quiet: timedelta) -> bool:
    return incident.quiet_since is not None and now - incident.quiet_since >= quiet


def _set(member: Member, state: IncidentState, now: datetime) -> None:
    incident = member.incident
    incident.state, incident.state_at, incident.state_by = state, now, BOT.name
    member.changed = True
