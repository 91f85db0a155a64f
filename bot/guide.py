"""The guided response: a checklist in the incident's thread, one message, kept up to date.

A campaign has one for all of its accounts. Only a new password is each account's own: its step's
button is the next account's until each has one.
"""

from collections.abc import Mapping, Sequence

from bot import campaign_cards
from bot.alert_card import STOP_ASKS, STOP_YES, evidence_of, stop_text
from bot.elements import (
    Bold,
    Button,
    Card,
    Confirm,
    Moment,
    Paragraph,
    Row,
    Section,
    Small,
    Style,
    named,
    say,
    visible,
)
from bot.forms import about
from services.aims import ON_ALL_MESSAGES, aim, aim_at_all
from services.incidents import UNSTOPPED, campaign_of, group_of
from services.intents import Intents
from services.language import later, tr
from services.mail.port import MailServer
from services.models import LIVE, Incident, Intent
from services.people import Place
from services.remedies import lacking
from services.responding import LOOK, REPORT, STEPS, Step, acts_of, done_steps, passwordless
from services.store import Store
from services.targets import Target

#: What can be looked at again once its step is done, and the button that does.
_AGAIN = {
    LOOK: ("why", later("Evidence")),
    "samples": ("samples", later("Samples")),
    REPORT: ("summary", later("Summary")),
}


async def guide(
    store: Store,
    intents: Intents,
    servers: Mapping[str, MailServer],
    place: Place,
    response: Intent,
) -> Card | None:
    """Return the checklist of a response as it stands, None where its incident is gone."""
    async with store.reading() as session:
        incident = await session.get(Incident, response.incident_id)
        if incident is None:
            return None
        rows = [incident]
        if incident.campaign is None:
            rows = campaign_cards.ordered(await group_of(session, campaign_of(incident)))
        done = await done_steps(session, *rows)
        unsafe = passwordless(rows, await acts_of(session, rows)) if len(rows) > 1 else rows
    server, live = servers.get(incident.server), any(row.state in LIVE for row in rows)
    wanted: dict[str, Target] = {}
    cannot: dict[str, str] = {}
    for step in STEPS:
        action = _action(step, done, live=live, several=len(rows) > 1)
        if action is None:
            continue
        target = _aim(action, rows, unsafe, server)
        if server is None:
            cannot[step.name] = tr(
                "The mail server {server} is no longer configured.", server=incident.server
            )
        elif (why := lacking(action, server.capabilities, target)) is not None:
            cannot[step.name] = why
        else:
            wanted[action] = target
    own = {name: wanted.pop(name) for name in ("password",) if name in wanted}
    offers = await intents.offers(place, incident.server, wanted, incident.id or 0)
    if own:
        # Of its own incident, so that it is told as that account's.
        offers |= await intents.offers(place, incident.server, own, unsafe[0].id or 0)
    holds = server is None or server.capabilities.hold.able
    asks = Confirm(tr(STOP_ASKS), _stop_text(rows, holds=holds), tr(STOP_YES))
    left = [s for s in STEPS if s.name not in done and s.name not in cannot]
    sections: list[Section] = []
    again: list[Button] = []
    for number, step in enumerate(STEPS, 1):
        offer = offers.get(_action(step, done, live=live, several=len(rows) > 1) or "")
        first = bool(left) and step is left[0]
        button = None
        if offer is not None:
            label = _AGAIN[step.action][1] if step.action in _AGAIN else step.button
            style = Style.PRIMARY if first else Style.PLAIN
            confirm = asks if step.action == "stop" else None
            button = Button(f"step-{number}", tr(label), offer, style, confirm)
        if button is not None and step.name in done:
            # A line with a button has no bold and no time of the reader's in every chat.
            again.append(button)
            button = None
        what = tr(step.what)
        if step.action == "password" and len(rows) > 1 and offer is not None:
            what = tr("{step}: next for {account}", step=what, account=named(unsafe[0].sender))
        sections.append(
            _step(
                f"{number}. {what}",
                done.get(step.name),
                cannot.get(step.name),
                button,
                first=first,
            )
        )
    sections.append(Small(say(_foot(len(left), len(done), live=live))))
    return Card(
        tr("Response to {account}", account=about([row.sender for row in rows])),
        tuple(sections),
        tuple(again),
        fallback=tr(
            "✔️ {name}: {summary} {done} of {steps} steps are done.",
            name=named(response.claimed_name or "?"),
            summary=visible(response.summary),
            done=len(done),
            steps=len(STEPS),
        ),
    )


def _action(step: Step, done: Mapping[str, Intent], *, live: bool, several: bool) -> str | None:
    """Return what a step's button does now, None where it has none."""
    if step.name in done or not live:
        if step.action == LOOK and several:
            return "campaign"
        return _AGAIN[step.action][0] if step.action in _AGAIN else None
    return step.action


def _aim(
    action: str, rows: Sequence[Incident], unsafe: Sequence[Incident], server: MailServer | None
) -> Target:
    """Return what a step's button is aimed at: all of a campaign's accounts, where it can be."""
    if action == "password":
        return aim(action, unsafe[0].sender, server)
    if len(rows) == 1:
        return aim(action, rows[0].sender, server)
    if action == "stop":
        return Target(accounts=tuple(row.sender for row in _unstopped(rows)))
    everybody = tuple(row.sender for row in rows if row.state in LIVE)
    if action in ON_ALL_MESSAGES:
        return aim_at_all(action, everybody, server)
    if action in (LOOK, "samples", REPORT):
        return Target(accounts=everybody or tuple(row.sender for row in rows))
    return Target(account=rows[0].sender)


def _unstopped(rows: Sequence[Incident]) -> list[Incident]:
    return [row for row in rows if row.state in UNSTOPPED]


def _step(
    what: str,
    done: Intent | None,
    cannot: str | None,
    button: Button | None,
    *,
    first: bool,
) -> Section:
    if done is not None:
        by = named(done.claimed_name or "?")
        at = say(", ", Moment(done.finished_at)) if done.finished_at else ()
        return Paragraph(say(f"☑️ {what} · ", Bold(by), *at))
    if cannot is not None:
        return Paragraph(say(f"➖ {what}: {cannot}"))
    text = say(Bold(f"▶️ {what}")) if first else say(f"⬜ {what}")
    if button is None:
        return Paragraph(text)
    return Row(text, button)


def _stop_text(rows: Sequence[Incident], *, holds: bool) -> str:
    if len(rows) > 1:
        left = _unstopped(rows)
        waiting = sum(evidence_of(row).queued for row in left)
        return campaign_cards.stop_text([row.sender for row in left], waiting, holds=holds)
    evidence = evidence_of(rows[0])
    return stop_text(rows[0].sender, evidence.queued, evidence.waited_at, holds=holds)


def _foot(left: int, done: int, *, live: bool) -> str:
    if not live:
        return tr("The incident is over.")
    if not left:
        return tr("All that can be done here is done.")
    return tr(
        "{done} of {steps} done. Each button asks first where it changes something.",
        done=done,
        steps=len(STEPS),
    )
