"""The summary of an incident in Markdown: what happened when, how much, and who did what."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.evidence import Evidence
from services.incidents import campaign_of, group_of
from services.language import moment, number, tr, trn
from services.models import Incident, Intent, IntentState
from services.people import Role
from services.remedies import REMEDIES
from services.remedy import ENDS
from services.responding import RESPOND
from services.scope import Scope, everyone
from services.targets import Target
from services.words import short, span

# What Markdown as it is read where reports are kept (CommonMark, GitHub's, GitLab's) gives a
# meaning within a line: marks, links, web addresses, people, issues, emoji, mathematics.
# All else stays as it is, for who pastes it where Markdown is not read.
_MARKS = re.compile(
    r"([\\`*_\[\]<>~&|#$^]|(?<!\w)@|(?<!\d):(?=\S)|:(?=[^\s\d])|(?<=www)\.)", re.IGNORECASE
)
# And at its beginning: a list, or a line under a heading.
_BEGINNING = re.compile(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[-+=]))")
_LONGEST = 300
_LISTED = 20  # other incidents of its campaign


async def summary(session: AsyncSession, incident: Incident, scope: Scope | None = None) -> str:
    """Return an incident's summary. Times are in UTC; what a sender wrote is escaped.

    ``scope`` is whose mail the reader's role is about, None for everybody's: of its campaign
    nobody else is named.
    """
    scope = scope or everyone(Role.VIEWER)
    acts = await _acts(session, incident)
    evidence = Evidence.model_validate_json(incident.evidence)
    group = await group_of(session, campaign_of(incident))
    parts = [
        "# "
        + tr(
            "Incident {id}: {sender} on {server}",
            id=str(incident.id),
            sender=literal(incident.sender),
            server=literal(incident.server),
        ),
        _about(incident, evidence, acts, [row for row in group if row.id != incident.id], scope),
        f"## {tr('Counts')}",
        _counts(evidence),
        f"## {tr('Why it was alerted')}",
        _listed([literal(reason) for reason in evidence.reasons]),
        f"## {tr('Timeline (UTC)')}",
        _listed(_timeline(incident, evidence, acts, scope)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def literal(text: str) -> str:
    """Return a text in one line that Markdown shows as it is."""
    seen = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return _BEGINNING.sub(r"\1\\", _MARKS.sub(r"\\\1", short(seen.strip(), _LONGEST)))


def first_remedy(acts: Sequence[Intent], sender: str) -> Intent | None:
    """Return the first act that stopped the sender and was not taken back."""
    return next(
        (
            act
            for act in acts
            if act.action in ENDS and not act.undone and (not (of := _several(act)) or sender in of)
        ),
        None,
    )


def _several(act: Intent) -> frozenset[str]:
    """Return the accounts of an act on several of a campaign, none where it is on one alone."""
    return frozenset(one.lower() for one in Target.model_validate_json(act.target).accounts)


async def _acts(session: AsyncSession, incident: Incident) -> Sequence[Intent]:
    """Return the acts on an incident, and those on its campaign that this account was among."""
    rows = await session.exec(
        select(Intent)
        .where(
            col(Intent.incident_id).in_((incident.id, campaign_of(incident))),
            col(Intent.state).in_((IntentState.DONE, IntentState.FAILED, IntentState.INTERRUPTED)),
            col(Intent.claimed_at).is_not(None),
        )
        .order_by(col(Intent.claimed_at))
    )
    return [
        act
        for act in rows.all()
        if act.incident_id == incident.id or incident.sender in _several(act)
    ]


def _about(
    incident: Incident,
    evidence: Evidence,
    acts: Sequence[Intent],
    others: Sequence[Incident],
    scope: Scope,
) -> str:
    by = tr(" by {name}", name=literal(incident.state_by)) if incident.state_by else ""
    lines = [
        tr("**State**: {state}{by}", state=tr(incident.state.value), by=by),
        tr("**First message**: {time} UTC", time=_moment(evidence.first_at)),
        tr(
            "**Alerted**: {time} UTC, {later} after the first message, score {score}",
            time=_moment(incident.opened_at),
            later=span(incident.opened_at - evidence.first_at),
            score=f"{incident.score:.0f}",
        ),
    ]
    alerted = incident.reopened_at or incident.opened_at
    if incident.reopened_at is not None:
        lines.append(tr("**Alerted again**: {time} UTC", time=_moment(incident.reopened_at)))
    # What stopped it before it was opened again did not last.
    done = [
        act
        for act in acts
        if act.state is IntentState.DONE
        and act.finished_at is not None
        and (incident.reopened_at is None or act.finished_at >= incident.reopened_at)
    ]
    stopped = first_remedy(done, incident.sender)
    if stopped is not None and stopped.finished_at is not None:
        lines.append(
            tr(
                "**Stopped**: {time} UTC by {name}, {later} after the alert",
                time=_moment(stopped.finished_at),
                name=literal(stopped.claimed_name or "?"),
                later=span(stopped.finished_at - alerted),
            )
        )
    else:
        lines.append(tr("**Stopped**: not through Spoolwarden"))
    if others:
        lines.append(tr("**One campaign with**: {incidents}", incidents=_incidents(others, scope)))
    return _listed(lines)


def _incidents(rows: Sequence[Incident], scope: Scope) -> str:
    """Return other incidents, which have a summary of their own."""
    theirs = [row for row in rows if scope.holds(row.sender)]
    named = [
        tr("incident {id} ({sender})", id=str(row.id), sender=literal(row.sender))
        for row in theirs[:_LISTED]
    ]
    if more := len(theirs) - len(named):
        named.append(tr("{n} more", n=more))
    if hidden := len(rows) - len(theirs):
        named.append(trn("{n} incident of other domains", "{n} incidents of other domains", hidden))
    return ", ".join(named)


def _counts(evidence: Evidence) -> str:
    addresses = [f"{literal(s.name)} ({number(s.messages)})" for s in evidence.addresses[:10]]
    more = evidence.address_count - len(addresses)
    if more > 0:
        addresses.append(tr("{n} more", n=more))
    lines = [
        trn(
            "{n} message sent in this burst, at most {peak} in {time}",
            "{n} messages sent in this burst, at most {peak} in {time}",
            evidence.total,
            peak=evidence.peak,
            time=span(timedelta(seconds=evidence.window)),
        ),
        tr(
            "{waiting} waiting and {held} held, as of {time} UTC",
            waiting=evidence.queued,
            held=evidence.held,
            time=_moment(evidence.waited_at),
        ),
    ]
    if addresses:
        lines.append(
            trn(
                "From {n} address: {addresses}",
                "From {n} addresses: {addresses}",
                evidence.address_count,
                addresses=", ".join(addresses),
            )
        )
    if evidence.subject:
        lines.append(tr("Subject: {subject}", subject=literal(evidence.subject)))
    return _listed(lines)


def _timeline(
    incident: Incident, evidence: Evidence, acts: Sequence[Intent], scope: Scope
) -> list[str]:
    events: list[tuple[datetime, str]] = [
        (evidence.first_at, tr("first message of the burst")),
        (incident.opened_at, tr("incident opened, alert posted")),
    ]
    if incident.reopened_at is not None:
        events.append((incident.reopened_at, tr("incident opened again")))
    for act in acts:
        at = act.finished_at or act.claimed_at
        if at is not None:
            events.append((at, f"**{literal(act.claimed_name or '?')}**: {_act(act, scope)}"))
    if incident.quiet_since is not None:
        events.append((incident.quiet_since, tr("quiet since")))
    events.sort(key=lambda event: event[0])
    return [f"{_moment(at)} {text}" for at, text in events]


def _act(act: Intent, scope: Scope) -> str:
    remedy = REMEDIES.get(act.action)
    doing = tr(remedy.doing) if remedy else act.action
    if act.undo_of:
        doing = tr("taking an act back")
    # What came of it is told by account, and some are not the reader's to see.
    hidden = not all(map(scope.holds, _several(act)))
    if act.state is IntentState.DONE and not act.undone and not act.undo_of and not hidden:
        # What was done says what it was; that the steps are shown is nothing for a report.
        return literal(tr("Began the response.") if act.action == RESPOND else act.summary)
    failed = "" if act.state is IntentState.DONE else tr(" (did not work out)")
    undone = tr(" (taken back since)") if act.undone else ""
    if hidden:
        return f"{literal(doing)}{failed}{undone}"
    return f"{literal(doing)}{failed}{undone}: {literal(act.summary)}"


def _moment(at: datetime) -> str:
    return moment(at.astimezone(UTC), seconds=True)


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
