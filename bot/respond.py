"""What the buttons of a response show: the evidence, samples side by side, and the summary."""

from sqlmodel.ext.asyncio.session import AsyncSession

from bot import acts, campaigns, looks
from bot.arguments import Arguments
from bot.buttons import Buttons
from bot.desk import Desk, Reply, Request
from bot.elements import (
    Bold,
    Card,
    Moment,
    Paragraph,
    Pre,
    Section,
    Sheet,
    Small,
    Style,
    named,
    rich,
    say,
)
from bot.forms import about
from bot.line_cards import note
from services.audit import Line, Phase
from services.errors import BadArgument, Expired
from services.incidents import group_of
from services.language import tr, trn
from services.mail.port import MailServer, Message, SpoolQuery
from services.models import Incident, Intent
from services.responding import JUDGE
from services.summary import summary
from services.targets import Target
from services.words import short

_SAMPLES = 3
_TEXT = 280  # characters of each sample's text
#: Characters of a summary on one page: what a chat shows in one piece.
_PAGE = 2600


async def look_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Note that somebody has looked, and answer with the evidence; a campaign's is a page."""
    await _tick(desk, request, intent)
    async with desk.store.reading() as session:
        several = len(await group_of(session, intent.incident_id or 0)) > 1
    if several:
        return await campaigns.campaign_pressed(desk, request, intent)
    return await looks.why_pressed(desk, request, intent)


async def report_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Note that it is reported, and answer with the summary, in which that stands."""
    await _tick(desk, request, intent)
    return await summary_pressed(desk, request, intent)


async def _tick(desk: Desk, request: Request, intent: Intent) -> None:
    try:
        await acts.act_pressed(desk, request, intent)
    except Expired:
        return  # somebody did in this moment; what was asked for is shown all the same


# -- samples ------------------------------------------------------------------------------


async def samples_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer with some of a sender's messages below each other, to judge them.

    Of a campaign's accounts it is one message of each of the first.
    """
    target = request.scope.limited(Target.model_validate_json(intent.target), acts.using("samples"))
    accounts, account = target.people, about(target.people)
    server = desk.pipeline.server(request.server)
    messages = list[Message]()
    for name in accounts[:_SAMPLES]:
        total, found = await _samples(server, name)
        messages += found if len(accounts) == 1 else found[:1]
    if not messages:
        return note(
            tr(
                "Nothing of {account} is in the spool any more: it was delivered or deleted.",
                account=account,
            )
        )
    head = (
        rich(
            "{messages} of {account} in the spool; {shown} of them below.",
            messages=Bold(trn("{n} message", "{n} messages", total)),
            account=account,
            shown=len(messages),
        )
        if len(accounts) == 1
        else rich(
            "Of {account}: one message each of those that send most.",
            account=account,
        )
    )
    tells = rich(
        "The same text to one stranger after the other is spam; what people write to those they "
        "know differs from letter to letter."
    )
    sections: list[Section] = [Paragraph((*head, *say(" "), *tells))]
    for message in messages:
        if len(accounts) > 1:
            sections.append(Paragraph(say(Bold(named(message.sender)))))
        sections += await _sample(desk, request, intent, server, message)
    if not server.capabilities.preview.able:
        sections.append(Small(say(server.capabilities.preview.why)))
    made, incident = Buttons(), intent.incident_id
    judged = Target(account=target.account, accounts=target.accounts)
    made.add("judge", tr("It is spam"), JUDGE, judged, style=Style.PRIMARY, incident_id=incident)
    made.add("false_alarm", tr("False alarm…"), "false_alarm", judged, incident_id=incident)
    if len(accounts) == 1:
        query = SpoolQuery(sender=accounts[0])
        made.add("search", tr("All its messages"), "search", Target(query=query))
    buttons = await made.offered(desk, request)
    return Card(
        tr("Samples of {account}", account=account),
        tuple(sections),
        tuple(buttons.values()),
        fallback=trn(
            "{n} sample of {account}",
            "{n} samples of {account}",
            len(messages),
            account=account,
        ),
    )


async def _samples(server: MailServer, account: str) -> tuple[int, list[Message]]:
    query = SpoolQuery(sender=account)
    page = await server.search(query, limit=1)
    found = list(page.messages)
    for at in sorted({page.total // 2, page.total - 1} - {0, -1})[: _SAMPLES - 1]:
        found += (await server.search(query, offset=at, limit=1)).messages
    # The spool goes on while it is looked at.
    return page.total, list({message.queue_id: message for message in found}.values())


async def _sample(
    desk: Desk, request: Request, intent: Intent, server: MailServer, message: Message
) -> list[Section]:
    head: list[Section] = [
        Paragraph(
            rich(
                "{subject} · {to} · from {address} · {moment}",
                subject=Bold(short(message.subject, 150) or tr("(no subject)")),
                to=_to(message),
                address=named(message.client_ip) if message.client_ip else tr("unknown"),
                moment=Moment(message.arrived, seconds=True),
            )
        )
    ]
    if not server.capabilities.preview.able:
        return head
    shown = await server.preview(message.queue_id)
    if shown is None:
        return head
    await desk.audit.write(
        Line(
            Phase.READ,
            "preview",
            request.actor,
            request.server,
            message.sender,
            intent.incident_id,
            detail={"queue_id": message.queue_id},
        )
    )
    claims = next((value for name, value in shown.headers if name.lower() == "from"), "")
    text = f"From: {short(claims, 100)}\n\n{short(shown.text or tr('(no text)'), _TEXT)}"
    return [*head, Pre(text)]


def _to(message: Message) -> str:
    if not message.recipients:
        return tr("to nobody")
    to, more = named(message.recipients[0]), len(message.recipients) - 1
    if not more:
        return tr("to {recipient}", recipient=to)
    return trn("to {recipient} and {n} more", "to {recipient} and {n} more", more, recipient=to)


# -- the summary --------------------------------------------------------------------------


async def summary_typed(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with the summary of an incident by its number; else of the newest of theirs."""
    assert asked.incident is not None  # noqa: S101 - the table has it required
    return await _summary(desk, request, asked.incident, asked.page - 1)


async def summary_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer with the summary of a button's incident, another page of it, or all as a file."""
    target = Target.model_validate_json(intent.target)
    if target.file:
        return await _sheet(desk, request, intent.incident_id or 0)
    return await _summary(desk, request, intent.incident_id or 0, target.offset)


async def _summary(desk: Desk, request: Request, incident_id: int, page: int) -> Reply:
    async with desk.store.reading() as session:
        incident = await _incident(session, request, incident_id)
        text = await summary(session, incident, request.scope)
    pages = _pages(text)
    page = min(page, len(pages) - 1)
    made, about = Buttons(), Target(account=incident.sender)
    made.pages(
        "summary",
        lambda at: about.model_copy(update={"offset": at}),
        page,
        len(pages),
        1,
        incident_id=incident_id,
    )
    again = about.model_copy(update={"offset": page})
    made.add("again", tr("Refresh"), "summary", again, incident_id=incident_id)
    file = about.model_copy(update={"file": True})
    made.add("file", tr("Markdown file"), "summary", file, incident_id=incident_id)
    buttons = await made.offered(
        desk, Request(request.actor, request.place, incident.server, request.scope)
    )
    said = tr("Markdown, to copy and paste.")
    if len(pages) > 1:
        said = tr(
            "Markdown, to copy and paste · part {part} of {parts}.", part=page + 1, parts=len(pages)
        )
    return Card(
        tr("Incident {number}", number=str(incident_id)),
        (Small(say(said)), Pre(pages[page])),
        tuple(buttons.values()),
        fallback=tr("The summary of incident {number}", number=str(incident_id)),
    )


async def _sheet(desk: Desk, request: Request, incident_id: int) -> Sheet:
    """Return all of a summary as a file. Who took it is written down."""
    async with desk.store.reading() as session:
        incident = await _incident(session, request, incident_id)
        text = await summary(session, incident, request.scope)
    await desk.audit.write(
        Line(
            Phase.READ,
            "summary",
            request.actor,
            incident.server,
            incident.sender,
            incident_id,
            detail={"file": "markdown"},
        )
    )
    about = tr("The summary of incident {number}, in Markdown.", number=str(incident_id))
    return Sheet(f"incident-{incident_id}.md", text.encode("utf-8"), about)


async def _incident(session: AsyncSession, request: Request, incident_id: int) -> Incident:
    incident = await session.get(Incident, incident_id)
    if incident is None or not request.scope.holds(incident.sender):
        # Whether there is one of others is not theirs to know.
        raise BadArgument(
            tr(
                "There is no incident {number}. /spool incidents lists them.",
                number=str(incident_id),
            )
        )
    return incident


def _pages(text: str) -> list[str]:
    """Cut a text into parts between lines."""
    pages, part = [], ""
    for line in text.splitlines(keepends=True):
        if part and len(part) + len(line) > _PAGE:
            pages.append(part)
            part = ""
        part += line
    return [*pages, part]
