"""The command that shows what was learnt of senders: from what, by whom, and to what effect."""

from collections.abc import Mapping, Sequence

from sqlmodel import col, select

from bot.arguments import Arguments
from bot.buttons import Buttons
from bot.desk import Desk, Reply, Request
from bot.elements import (
    Bold,
    Button,
    Card,
    Filling,
    Moment,
    Paragraph,
    Row,
    Section,
    Small,
    Text,
    named,
    rich,
    say,
)
from bot.spool_cards import only
from services.language import later, tr, trn
from services.models import Intent, Lesson, LessonKind
from services.targets import Target
from services.tuning import effect

PER_PAGE = 8
_KINDS = {LessonKind.ORDINARY: later("false alarm"), LessonKind.ABUSED: later("confirmed")}


async def tuning(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with what was learnt, of one sender or of all."""
    return await _page(desk, request, asked.account, (asked.page - 1) * PER_PAGE)


async def tuning_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer another page."""
    target = Target.model_validate_json(intent.target)
    return await _page(desk, request, target.account, target.offset)


async def _page(desk: Desk, request: Request, account: str | None, offset: int) -> Reply:
    server = desk.pipeline.server(request.server).name
    if account is not None and not request.scope.holds(account):
        refusal = request.scope.refusal(tr("see what was learnt"), account)
        await desk.refuse(request.actor, "tuning", server, refusal, account)
    query = select(Lesson).where(Lesson.server == server)
    if account is not None:
        query = query.where(Lesson.sender == account)
    async with desk.store.reading() as session:
        found = await session.exec(query.order_by(col(Lesson.taught_at).desc(), col(Lesson.id)))
        theirs = [row for row in found.all() if request.scope.holds(row.sender)]
    offset = min(offset, max(0, len(theirs) - 1) // PER_PAGE * PER_PAGE)
    rows = theirs[offset : offset + PER_PAGE]
    now = desk.clock.now()
    made = Buttons()
    for row in rows:
        if row.forgotten_at is None and (row.until is None or row.until > now):
            target = Target(account=row.sender, lesson=row.id)
            made.add(
                f"forget-{row.id}", tr("Forget…"), "forget", target, incident_id=row.incident_id
            )
    made.pages(
        "tuning",
        lambda at: Target(account=account, offset=at),
        offset,
        len(theirs),
        PER_PAGE,
    )
    buttons = await made.offered(desk, request)
    return card(server, rows, len(theirs), account, buttons, request.scope.note)


def card(
    server: str,
    rows: Sequence[Lesson],
    number: int,
    account: str | None,
    buttons: Mapping[str, Button],
    sentence: str,
) -> Card:
    """Return a page of lessons, newest first, each with a way to have it forgotten."""
    title = tr("What was learnt on {server}", server=named(server))
    if not rows:
        text = tr(
            "Nothing was learnt from people. The detector learns from False alarm, and from an "
            "account that was stopped once its incident is closed."
        )
        if account is not None:
            text = tr(
                "Nothing was learnt of {account} from people. The detector learns from False "
                "alarm, and from an account that was stopped once its incident is closed.",
                account=named(account),
            )
        return Card(title, (Paragraph(say(text)), *only(sentence)), fallback=title)
    lessons = Bold(trn("{n} lesson", "{n} lessons", number))
    head = rich("{lessons}, newest first.", lessons=lessons)
    if account is not None:
        head = rich(
            "{lessons} of {account}, newest first.", lessons=lessons, account=named(account)
        )
    sections: list[Section] = [Paragraph(head)]
    for row in rows:
        button = buttons.get(f"forget-{row.id}")
        sections.append(Row(line(row), button) if button else Paragraph(line(row)))
    sections += only(sentence)
    sections.append(Small(rich("/spool why ADDRESS shows each reason with its points.")))
    below = tuple(buttons[slot] for slot in ("before", "after") if slot in buttons)
    return Card(title, tuple(sections), below, fallback=title)


def line(row: Lesson) -> Text:
    """Return one lesson: whose, what, from which incident, by whom, when, and what it does."""
    what = tr(_KINDS[row.kind])
    if row.incident_id is not None:
        what = tr("{lesson} of incident {number}", lesson=what, number=str(row.incident_id))
    taught: dict[str, Filling] = {
        "sender": Bold(named(row.sender)),
        "lesson": what,
        "name": named(row.taught_name or row.taught_by),
        "moment": Moment(row.taught_at),
        "effect": effect(row),
    }
    if row.until is not None:
        taught["until"] = Moment(row.until)
        said = rich("{sender} · {lesson}, by {name}, {moment}: {effect}, until {until}.", **taught)
    else:
        said = rich("{sender} · {lesson}, by {name}, {moment}: {effect}.", **taught)
    if row.forgotten_at is None:
        return said
    over = rich("Forgotten, {moment}.", moment=Moment(row.forgotten_at))
    if row.forgotten_name:
        over = rich(
            "Forgotten by {name}, {moment}.",
            name=named(row.forgotten_name),
            moment=Moment(row.forgotten_at),
        )
    return (*said, *say(" "), *over)
