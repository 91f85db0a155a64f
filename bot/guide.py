"""The guided response: a checklist in the incident's thread, one message, kept up to date."""

from collections.abc import Mapping

from bot.alert_card import STOP_ASKS, STOP_YES, stop_text
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
from services.aims import aim
from services.detection.evidence import Evidence
from services.intents import Intents
from services.language import later, tr
from services.mail.port import MailServer
from services.models import LIVE, Incident, Intent
from services.people import Place
from services.remedies import lacking
from services.responding import LOOK, REPORT, STEPS, Step, done_steps
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
        done = await done_steps(session, incident)
    server, live = servers.get(incident.server), incident.state in LIVE
    wanted: dict[str, Target] = {}
    cannot: dict[str, str] = {}
    for step in STEPS:
        action = _action(step, done, live=live)
        if action is None:
            continue
        target = aim(action, incident.sender, server)
        if server is None:
            cannot[step.name] = tr(
                "The mail server {server} is no longer configured.", server=incident.server
            )
        elif (why := lacking(action, server.capabilities, target)) is not None:
            cannot[step.name] = why
        else:
            wanted[action] = target
    offers = await intents.offers(place, incident.server, wanted, incident.id or 0)
    holds = server is None or server.capabilities.hold.able
    asks = Confirm(tr(STOP_ASKS), _stop_text(incident, holds=holds), tr(STOP_YES))
    left = [s for s in STEPS if s.name not in done and s.name not in cannot]
    sections: list[Section] = []
    again: list[Button] = []
    for number, step in enumerate(STEPS, 1):
        offer = offers.get(_action(step, done, live=live) or "")
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
        sections.append(
            _step(number, step, done.get(step.name), cannot.get(step.name), button, first=first)
        )
    sections.append(Small(say(_foot(len(left), len(done), live=live))))
    return Card(
        tr("Response to {account}", account=named(incident.sender)),
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


def _action(step: Step, done: Mapping[str, Intent], *, live: bool) -> str | None:
    """Return what a step's button does now, None where it has none."""
    if step.name in done or not live:
        return _AGAIN[step.action][0] if step.action in _AGAIN else None
    return step.action


def _step(
    number: int,
    step: Step,
    done: Intent | None,
    cannot: str | None,
    button: Button | None,
    *,
    first: bool,
) -> Section:
    what = tr(step.what)
    if done is not None:
        by = named(done.claimed_name or "?")
        at = say(", ", Moment(done.finished_at)) if done.finished_at else ()
        return Paragraph(say(f"☑️ {number}. {what} · ", Bold(by), *at))
    if cannot is not None:
        return Paragraph(say(f"➖ {number}. {what}: {cannot}"))
    text = say(Bold(f"▶️ {number}. {what}")) if first else say(f"⬜ {number}. {what}")
    if button is None:
        return Paragraph(text)
    return Row(text, button)


def _stop_text(incident: Incident, *, holds: bool) -> str:
    evidence = Evidence.model_validate_json(incident.evidence)
    return stop_text(incident.sender, evidence.queued, evidence.waited_at, holds=holds)


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
