"""The commands that act: a form first where the table says so, then the pipeline."""

from collections import Counter

from bot import alert_card, campaign_cards, forms, line_cards
from bot.desk import Desk, Reply, Request
from bot.elements import Card, Form, Paragraph, Values, say
from services.detection.evidence import Evidence
from services.errors import BadArgument
from services.incidents import campaign_of, group_of
from services.intents import APPROVE
from services.language import tr
from services.mail.domains import other_form
from services.mail.port import DELIVERING, MailServer, SpoolQuery
from services.models import Incident, Intent
from services.pipeline import Outcome
from services.targets import Target
from services.traffic import addresses_of
from services.words import act

#: Undoing these changes nothing on the mail server, so nobody is asked first.
_PLAIN_UNDO = ("acknowledge", "snooze")
_MAX_ADDRESSES = 200
#: What these change is in our own tables, whether there is such a mailbox or not.
_OURS = ("false_alarm", "forget", "snooze")


def using(name: str) -> str:
    """Return what somebody may not do who may not use that command, for the refusal."""
    return tr("use “{command}”", command=act(name))


async def ask(
    desk: Desk,
    request: Request,
    action: str,
    target: Target,
    incident_id: int | None = None,
) -> Form:
    """Freeze what would be done and return the form that confirms it."""
    server = desk.pipeline.server(request.server)
    # First of all: which mailboxes there are is not for everybody to try out.
    await desk.pipeline.allow(request.actor, action, server=request.server, target=target)
    if target.account and action not in _OURS:
        account = await _mailbox(server, target.account)
        target = target.model_copy(update={"account": account})
    proposal = await desk.pipeline.propose(
        request.actor,
        request.place,
        action,
        server=request.server,
        target=target,
        incident_id=incident_id,
    )
    # What others named their folders after is not theirs to read.
    shown = action == "move" and request.scope.everything
    folders = tuple(await server.folders()) if shown else ()
    return forms.ask(proposal, desk.clock.now(), kept=desk.kept, folders=folders)


async def _mailbox(server: MailServer, account: str) -> str:
    """Return an account as its server names it. Raises BadArgument where it is no mailbox there."""
    for name in (account, other_form(account)):
        if name and await server.user(name) is not None:
            return name
    raise BadArgument(
        tr(
            "{account} is no mailbox on {server}. Nothing was done.",
            account=account,
            server=server.name,
        )
    )


async def ask_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer a button of a card whose act is confirmed by a form."""
    target = Target.model_validate_json(intent.target)
    if intent.action == "block" and intent.incident_id is not None:
        target = target.model_copy(
            update={"networks": forms.networks_of(await _addresses(desk, intent.incident_id))}
        )
        if not target.networks:
            raise BadArgument(tr("No client address is known for this account; nothing to block."))
    form = await ask(desk, request, intent.action, target, intent.incident_id)
    if intent.incident_id is not None:
        # The menu forgets what was picked, so that it can be picked again after a Cancel.
        await desk.pipeline.used_menu(intent.incident_id)
    return form


async def act_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Do what a button says at once. The channel tells how it went; only a failure is private."""
    outcome = await desk.pipeline.execute(request.actor, request.place, intent.id)
    await _refresh(desk, intent.server, outcome)
    return None if outcome.ok else line_cards.failure(outcome.sentence)


async def stop_question(desk: Desk, request: Request, intent: Intent) -> Form:
    """Ask before sending is stopped, with what waits now; confirming uses the button's intent."""
    target = request.scope.limited(Target.model_validate_json(intent.target), using("stop"))
    server = desk.pipeline.server(request.server)
    holds = server.capabilities.hold.able
    waiting = 0
    for sender in target.people:
        query = SpoolQuery(sender=sender, queues=DELIVERING)
        waiting += (await server.search(query, limit=1)).total
    if target.accounts:
        said = [campaign_cards.stop_text(target.accounts, waiting, holds=holds), *target.left_out]
        text = " ".join(said)
    else:
        text = alert_card.stop_text(target.account or "", waiting, desk.clock.now(), holds=holds)
    return Form(
        tr(alert_card.STOP_ASKS), (Paragraph(say(text)),), (), tr(alert_card.STOP_YES), intent.id
    )


async def approve_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Approve what somebody else asked for; the channel tells how it went."""
    return await _approved(desk, request, intent)


async def decline_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Decline it."""
    await desk.pipeline.decide(request.actor, request.place, intent.id, approve=False)
    return None


async def approve_question(desk: Desk, request: Request, intent: Intent) -> Form:
    """Ask whether it is to be approved, saying what would be done."""
    asked = await desk.pipeline.asked_by(request.actor, intent)
    text = line_cards.asked_text(asked)
    title, yes = tr(line_cards.APPROVE_ASKS), tr(line_cards.APPROVE_YES)
    return Form(title, (Paragraph(say(text)),), (), yes, intent.id)


async def undo_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Ask before an act on the mail server is taken back."""
    async with desk.store.reading() as session:
        original = await session.get(Intent, intent.undo_of)
    if original is None or original.undone:
        action = f"undo {original.action}" if original else intent.action
        why = tr("This was taken back already; nothing was done twice.")
        await desk.pipeline.over(request.actor, intent, action, why)
    if original.action in _PLAIN_UNDO:
        return await act_pressed(desk, request, intent)
    return forms.ask_undo(original, intent.id)


async def submit(desk: Desk, request: Request, intent: Intent, values: Values) -> Reply:
    """Do what a confirmed form says."""
    if intent.action == APPROVE:
        shown = await _approved(desk, request, intent)
        return shown or line_cards.success(tr("Approved; the channel tells how it went."))
    outcome = await desk.pipeline.execute(
        request.actor,
        request.place,
        intent.id,
        lambda target: forms.amend(intent.action, target, values),
    )
    await _refresh(desk, intent.server, outcome)
    return _secret(outcome) or (line_cards.success if outcome.ok else line_cards.failure)(
        outcome.sentence
    )


async def _approved(desk: Desk, request: Request, intent: Intent) -> Card | None:
    """Approve it; return what only the approver may see, or what failed."""
    outcome = await desk.pipeline.decide(request.actor, request.place, intent.id, approve=True)
    await _refresh(desk, intent.server, outcome)
    return _secret(outcome) or (None if outcome.ok else line_cards.failure(outcome.sentence))


def _secret(outcome: Outcome) -> Card | None:
    if outcome.secret is None:
        return None
    return line_cards.new_password(outcome.sentence, outcome.secret, outcome.intent_id)


async def _refresh(desk: Desk, server: str, outcome: Outcome) -> None:
    if outcome.incident_id is not None:
        await desk.refresh(server, outcome.incident_id)


async def _addresses(desk: Desk, incident_id: int) -> list[str]:
    """Return the client IPs that an incident's sender used since it began, most used first."""
    async with desk.store.reading() as session:
        incident = await session.get(Incident, incident_id)
        if incident is None:
            return []
        used: Counter[str] = Counter()
        for row in await group_of(session, campaign_of(incident)):
            since = Evidence.model_validate_json(row.evidence).first_at
            found = await addresses_of(session, row.server, row.sender, since, _MAX_ADDRESSES)
            used.update({share.name: share.messages for share in found})
        return [name for name, _ in used.most_common(_MAX_ADDRESSES)]
