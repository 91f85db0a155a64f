"""The summary of an incident in Markdown: what happened when, how much, and who did what."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.evidence import Evidence
from services.detection.life import shared_state
from services.incidents import campaign_of, group_of, is_about, was_done_to
from services.language import moment, number, tr, trn
from services.models import Incident, Intent, IntentState
from services.remedies import REMEDIES
from services.remedy import ENDS
from services.responding import RESPOND
from services.scope import Scope
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
_ACCOUNTS = 20  # of a campaign
_ADDRESSES = 10
_SUBJECTS = 3


async def summary(session: AsyncSession, incident: Incident, scope: Scope | None = None) -> str:
    """Return an incident's summary, or its campaign's, of the accounts in ``scope`` (None: all).

    Times are in UTC; what a sender wrote is escaped.
    """
    everybody = await group_of(session, campaign_of(incident))
    group = [
        row
        for row in everybody
        if scope is None or row.id == incident.id or scope.holds(row.sender)
    ]
    found = [(row, Evidence.model_validate_json(row.evidence)) for row in group]
    acts = await _acts(session, group, campaign_of(incident))
    accounts = trn("{n} account", "{n} accounts", len(group))
    title = (
        tr(
            "Campaign of incident {id}: {accounts} on {server}",
            id=str(campaign_of(incident)),
            accounts=accounts,
            server=literal(incident.server),
        )
        if len(group) > 1
        else tr(
            "Incident {id}: {sender} on {server}",
            id=str(incident.id),
            sender=literal(incident.sender),
            server=literal(incident.server),
        )
    )
    worst, why = max(found, key=lambda one: one[0].score)
    whose = f"{literal(worst.sender)}: " if len(group) > 1 else ""
    parts = [
        f"# {title}",
        _about(found, acts, accounts, len(everybody) - len(group)),
        *([f"## {tr('Accounts')}", _accounts(found)] if len(group) > 1 else []),
        f"## {tr('Counts')}",
        _counts([evidence for _, evidence in found]),
        f"## {tr('Why it was alerted')}",
        _listed([f"{whose}{literal(reason)}" for reason in why.reasons]),
        f"## {tr('Timeline (UTC)')}",
        _listed(_timeline(found, acts)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def literal(text: str) -> str:
    """Return a text in one line that Markdown shows as it is."""
    seen = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return _BEGINNING.sub(r"\1\\", _MARKS.sub(r"\\\1", short(seen.strip(), _LONGEST)))


def first_remedy(acts: Sequence[Intent]) -> Intent | None:
    """Return the first act that stopped the sender and was not taken back."""
    return next((act for act in acts if act.action in ENDS and not act.undone), None)


async def _acts(
    session: AsyncSession, group: Sequence[Incident], campaign: int
) -> list[tuple[Intent, bool]]:
    """Return the acts on these, oldest first, each with whether it is about no others."""
    ids, senders = {row.id for row in group}, {row.sender for row in group}
    rows = await session.exec(
        select(Intent)
        .where(
            col(Intent.incident_id).in_({*ids, campaign}),
            col(Intent.state).in_((IntentState.DONE, IntentState.FAILED, IntentState.INTERRUPTED)),
            col(Intent.claimed_at).is_not(None),
        )
        .order_by(col(Intent.claimed_at))
    )
    found = []
    for act in rows.all():
        members = Target.model_validate_json(act.target).members
        if members & senders if members else act.incident_id in ids:
            found.append((act, members <= senders))
    return found


def _about(
    found: Sequence[tuple[Incident, Evidence]],
    acts: Sequence[tuple[Intent, bool]],
    accounts: str,
    hidden: int,
) -> str:
    group = [row for row, _ in found]
    state = shared_state(group)
    set_by = next((row.state_by for row in group if row.state is state and row.state_by), None)
    by = tr(" by {name}", name=literal(set_by)) if set_by else ""
    first_at = min(evidence.first_at for _, evidence in found)
    opened_at = min(row.opened_at for row in group)
    lines = [
        tr("**State**: {state}{by}", state=tr(state.value), by=by),
        tr("**First message**: {time} UTC", time=_moment(first_at)),
        tr(
            "**Alerted**: {time} UTC, {later} after the first message, score {score}",
            time=_moment(opened_at),
            later=span(opened_at - first_at),
            score=f"{max(row.score for row in group):.0f}",
        ),
    ]
    again = max((row.reopened_at for row in group if row.reopened_at), default=None)
    if again is not None:
        lines.append(tr("**Alerted again**: {time} UTC", time=_moment(again)))
    lines.append(_stopped(group, [act for act, _ in acts], accounts, again or opened_at))
    shared = next((row.joined_by for row in group if row.joined_by), "")
    if len(group) > 1 and shared:
        lines.append(tr("**One campaign**: they share {what}", what=literal(shared)))
    if hidden:
        others = trn("{n} incident of other domains", "{n} incidents of other domains", hidden)
        lines.append(tr("**One campaign with**: {incidents}", incidents=others))
    return _listed(lines)


def _stopped(
    group: Sequence[Incident], acts: Sequence[Intent], accounts: str, alerted: datetime
) -> str:
    firsts = [first_remedy([act for act in acts if _counts_for(act, row)]) for row in group]
    ends = [(act.finished_at, act) for act in firsts if act is not None and act.finished_at]
    if not ends:
        return tr("**Stopped**: not through Spoolwarden")
    at, last = max(ends, key=lambda one: one[0])
    name, after = literal(last.claimed_name or "?"), span(max(timedelta(0), at - alerted))
    if len(group) == 1:
        return tr(
            "**Stopped**: {time} UTC by {name}, {later} after the alert",
            time=_moment(at),
            name=name,
            later=after,
        )
    return tr(
        "**Stopped**: {n} of {accounts}, the last {time} UTC by {name}, {later} after the alert",
        n=len(ends),
        accounts=accounts,
        time=_moment(at),
        name=name,
        later=after,
    )


def _counts_for(act: Intent, row: Incident) -> bool:
    # What stopped it before it was opened again did not last.
    since = row.reopened_at
    late = since is None or (act.finished_at is not None and act.finished_at >= since)
    return late and is_about(act, row) and was_done_to(act, row.sender)


def _accounts(found: Sequence[tuple[Incident, Evidence]]) -> str:
    """Return what each account of a campaign did, who sent most first."""
    lines = []
    for row, evidence in sorted(found, key=lambda one: (-one[1].total, one[0].id))[:_ACCOUNTS]:
        by = tr(" by {name}", name=literal(row.state_by)) if row.state_by else ""
        lines.append(
            trn(
                "{sender} (incident {id}, {state}{by}): {n} message, {waiting} waiting, "
                "{held} held",
                "{sender} (incident {id}, {state}{by}): {n} messages, {waiting} waiting, "
                "{held} held",
                evidence.total,
                sender=literal(row.sender),
                id=str(row.id),
                state=tr(row.state.value),
                by=by,
                waiting=evidence.queued,
                held=evidence.held,
            )
        )
    if more := len(found) - len(lines):
        lines.append(tr("{n} more", n=more))
    return _listed(lines)


def _counts(evidences: Sequence[Evidence]) -> str:
    shares: Counter[str] = Counter()
    for evidence in evidences:
        for share in evidence.addresses:
            shares[share.name] += share.messages
    addresses = [f"{literal(name)} ({number(n)})" for name, n in shares.most_common(_ADDRESSES)]
    # Of each account only the addresses with most messages are kept.
    count = max(len(shares), *(evidence.address_count for evidence in evidences))
    if more := count - len(addresses):
        addresses.append(tr("{n} more", n=more))
    lines = [
        trn(
            "{n} message sent in this burst, at most {peak} in {time}",
            "{n} messages sent in this burst, at most {peak} in {time}",
            sum(evidence.total for evidence in evidences),
            peak=sum(evidence.peak for evidence in evidences),
            time=span(timedelta(seconds=evidences[0].window)),
        ),
        tr(
            "{waiting} waiting and {held} held, as of {time} UTC",
            waiting=sum(evidence.queued for evidence in evidences),
            held=sum(evidence.held for evidence in evidences),
            time=_moment(max(evidence.waited_at for evidence in evidences)),
        ),
    ]
    if addresses:
        lines.append(
            trn(
                "From {n} address: {addresses}",
                "From {n} addresses: {addresses}",
                count,
                addresses=", ".join(addresses),
            )
        )
    subjects = list(dict.fromkeys(one.subject for one in evidences if one.subject))[:_SUBJECTS]
    lines += [tr("Subject: {subject}", subject=literal(subject)) for subject in subjects]
    return _listed(lines)


def _timeline(
    found: Sequence[tuple[Incident, Evidence]], acts: Sequence[tuple[Intent, bool]]
) -> list[str]:
    first_at = min(evidence.first_at for _, evidence in found)
    events: list[tuple[datetime, str]] = [(first_at, tr("first message of the burst"))]
    for row, _ in found[:_ACCOUNTS]:
        opened = (
            tr("incident opened, alert posted")
            if len(found) == 1
            else tr("incident {id} opened: {sender}", id=str(row.id), sender=literal(row.sender))
        )
        events.append((row.opened_at, opened))
        if row.reopened_at is not None:
            again = tr("incident opened again")
            if len(found) > 1:
                again = tr("{again}: {sender}", again=again, sender=literal(row.sender))
            events.append((row.reopened_at, again))
    for act, alone in acts:
        at = act.finished_at or act.claimed_at
        if at is not None:
            events.append((at, f"**{literal(act.claimed_name or '?')}**: {_act(act, alone)}"))
    quiet = [row.quiet_since for row, _ in found if row.quiet_since is not None]
    if len(quiet) == len(found):
        events.append((max(quiet), tr("quiet since")))
    events.sort(key=lambda event: event[0])
    return [f"{_moment(at)} {text}" for at, text in events]


def _act(act: Intent, alone: bool) -> str:
    """Return what an act came to; of one that is not about these accounts alone, what it was."""
    remedy = REMEDIES.get(act.action)
    doing = tr(remedy.doing) if remedy else act.action
    if act.undo_of:
        doing = tr("taking an act back")
    if not alone:
        failed = "" if act.state is IntentState.DONE else tr(" (did not work out)")
        return f"{literal(doing)}{failed}{tr(' (taken back since)') if act.undone else ''}"
    if act.state is IntentState.DONE and not act.undone and not act.undo_of:
        # What was done says what it was; that the steps are shown is nothing for a report.
        return literal(tr("Began the response.") if act.action == RESPOND else act.summary)
    failed = "" if act.state is IntentState.DONE else tr(" (did not work out)")
    undone = tr(" (taken back since)") if act.undone else ""
    return f"{literal(doing)}{failed}{undone}: {literal(act.summary)}"


def _moment(at: datetime) -> str:
    return moment(at.astimezone(UTC), seconds=True)


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
