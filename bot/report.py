"""The report on message traffic: its trend, its domains, and a domain's users, page by page.

It only reads. The answer is private, and its menu and buttons change it in place.
"""

import asyncio
import csv
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from io import StringIO

from sqlmodel.ext.asyncio.session import AsyncSession

from bot import report_cards
from bot.arguments import Arguments, During
from bot.buttons import Buttons
from bot.desk import Desk, Reply, Request
from bot.elements import Button, Figure, Option, Sheet
from bot.report_cards import PER_PAGE
from services.audit import Line, Phase
from services.errors import BadArgument
from services.language import day, later, tr
from services.mail.port import MailServer
from services.models import Intent
from services.reports import Period, Row, Tally, View, known_since, listing, total, trend
from services.targets import Report, Target

#: Rows of a file, at most: what every chat takes as one.
MOST_ROWS = 100_000
_RANGES = (
    ("today", later("Today"), 1),
    ("week", later("7 days"), 7),
    ("month", later("30 days"), 30),
)
#: What a file is, by what it shows.
_ABOUT = {
    View.TREND: later("Trend of {whose}, {first} to {last}."),
    View.DOMAINS: later("Domains of {whose}, {first} to {last}."),
    View.USERS: later("Users of {whose}, {first} to {last}."),
}


async def report(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with the traffic of a period."""
    today = desk.clock.now().date()
    first, last = _days(asked.during or During(), today)
    shown = Report(first=first, last=last)
    offset = (asked.page - 1) * PER_PAGE
    if asked.domain is not None:
        over = {"view": View.USERS, "domain": asked.domain, "offset": offset}
        shown = shown.model_copy(update=over)
        await _allowed(desk, request, asked.domain)
    elif offset:
        # A trend has no pages.
        shown = shown.model_copy(update={"view": View.DOMAINS, "offset": offset})
    return await _report(desk, request, shown)


async def report_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer another view, another period, another page, or all of it as a file."""
    target = Target.model_validate_json(intent.target)
    today = desk.clock.now().date()
    shown = target.report or Report(first=today, last=today)
    await _allowed(desk, request, shown.domain)
    if shown.file:
        return await _sheet(desk, request, shown)
    return await _report(desk, request, shown)


async def _allowed(desk: Desk, request: Request, domain: str) -> None:
    """See to it that a domain, if one is named, is one that this person may look into."""
    if domain and not request.scope.all_in((domain,)):
        refusal = request.scope.refusal(tr("see the traffic"), domain)
        await desk.refuse(request.actor, "report", request.server, refusal, domain)


def _days(during: During, today: date) -> tuple[date, date]:
    """Return the first and last day. Raises BadArgument for days to come."""
    if during.first is None or during.last is None:
        return today - timedelta(days=during.days - 1), today
    if during.first > today:
        raise BadArgument(
            tr(
                "{day} is yet to come; today is {today} (UTC). Example: /spool report 7d",
                day=day(during.first),
                today=day(today),
            )
        )
    return during.first, min(during.last, today)


async def _report(desk: Desk, request: Request, shown: Report) -> Reply:
    now, scope = desk.clock.now(), request.scope
    period = shown.period.seen(now)
    async with desk.store.reading() as session:
        since = await known_since(session, request.server)
        whose = frozenset({shown.domain}) if shown.domain else scope.domains
        whole = await total(session, request.server, period, whose)
        before = await total(session, request.server, period.before, whose)
        tallies = await trend(session, request.server, period, now, scope.domains)
        rows: list[Row] = []
        names = 0
        if shown.view is not View.TREND:
            rows, names, shown = await _page(session, request, shown)
    facts = report_cards.Facts(
        server=request.server,
        shown=shown,
        whole=whole,
        before=before,
        rows=rows,
        names=names,
        since=since,
        taken_at=now,
        only=scope.note,
        lacking=_lacking(desk.pipeline.server(request.server)),
    )
    figure = None
    if shown.view is View.TREND:
        figure = await asyncio.to_thread(_figure, period, tallies)
    buttons, views = await _offered(desk, request, shown, rows, names)
    return report_cards.card(facts, figure, buttons, views)


def _lacking(server: MailServer) -> tuple[str, ...]:
    """Return the sentences on what a server does not tell, and so is not counted as elsewhere."""
    able = server.capabilities
    counted = (able.tell_recipients, able.tell_outcomes, able.tell_statistics)
    return tuple(capability.why for capability in counted if not capability.able)


async def _page(
    session: AsyncSession, request: Request, shown: Report
) -> tuple[list[Row], int, Report]:
    """Return a page that there is: it may be asked for one past the end."""

    async def page(offset: int) -> tuple[list[Row], int]:
        return await listing(
            session,
            request.server,
            shown.period,
            shown.view,
            domain=shown.domain,
            offset=offset,
            limit=PER_PAGE,
            domains=request.scope.domains,
        )

    rows, names = await page(shown.offset)
    last = max(0, (names - 1) // PER_PAGE * PER_PAGE)
    if shown.offset > last:
        rows, names = await page(last)
        shown = shown.model_copy(update={"offset": last})
    return rows, names, shown


def _figure(period: Period, tallies: Sequence[Tally]) -> Figure:
    # Here, as what draws takes a moment to load and is not always wanted.
    from services.pictures.trend import described, drawn

    return Figure(drawn(period, tallies), described(period, tallies))


async def _offered(
    desk: Desk, request: Request, shown: Report, rows: Sequence[Row], names: int
) -> tuple[dict[str, Button], tuple[Option, ...]]:
    """Return the buttons by their slots, and the menu's options."""
    made = Buttons()

    def add(
        slot: str, label: str, action: str = "report", account: str = "", **over: object
    ) -> None:
        report = shown.model_copy(update={"offset": 0, **over})
        # From an account there is a way back to this page.
        target = Target(account=account, report=shown) if account else Target(report=report)
        made.add(slot, label, action, target)

    for number, row in enumerate(rows):
        if shown.view is View.DOMAINS:
            add(f"row-{number}", tr("Users"), view=View.USERS, domain=row.name)
        else:
            add(f"row-{number}", tr("Account"), "user", row.name)
    made.pages(
        "report",
        lambda at: Target(report=shown.model_copy(update={"offset": at})),
        shown.offset,
        names,
        PER_PAGE,
    )
    today = desk.clock.now().date()
    for slot, label, days in _RANGES:
        first = today - timedelta(days=days - 1)
        if (shown.first, shown.last) != (first, today):
            add(slot, tr(label), first=first, last=today)
    add("file", tr("CSV file"), file=True)
    views = [view for view in (View.TREND, View.DOMAINS) if view is not shown.view]
    for view in views:
        add(f"view-{view}", tr(report_cards.VIEWS[view]), view=view, domain="")
    buttons = await made.offered(desk, request)
    options = tuple(
        Option(button.label, button.intent_id)
        for slot, button in buttons.items()
        if slot.startswith("view-")
    )
    return {s: b for s, b in buttons.items() if not s.startswith("view-")}, options


async def _sheet(desk: Desk, request: Request, shown: Report) -> Sheet:
    """Return all that a view shows as a file. Who took it is written down."""
    now, scope = desk.clock.now(), request.scope
    period = shown.period.seen(now)
    lines: list[list[object]] = []
    numbers = list(Tally.__dataclass_fields__)
    about = tr(
        _ABOUT[shown.view],
        whose=shown.domain or request.server,
        first=day(shown.first),
        last=day(shown.last),
    )
    more = 0
    async with desk.store.reading() as session:
        if shown.view is View.TREND:
            lines.append(["begin_utc", *numbers])
            tallies = await trend(session, request.server, period, now, scope.domains)
            for number, tally in enumerate(tallies):
                at: datetime = period.begin + period.step * number
                lines.append([f"{at:%Y-%m-%dT%H:%M:%SZ}", *_numbers(tally)])
        else:
            lines.append([shown.view.removesuffix("s"), *numbers, "outgoing_before"])
            rows, names = await listing(
                session,
                request.server,
                period,
                shown.view,
                domain=shown.domain,
                limit=MOST_ROWS,
                domains=scope.domains,
            )
            more = names - len(rows)
            lines += [[_cell(row.name), *_numbers(row.tally), row.before] for row in rows]
    await desk.audit.write(
        Line(
            Phase.READ,
            "report",
            request.actor,
            request.server,
            shown.domain,
            detail={"file": shown.view, "first": str(shown.first), "last": str(shown.last)},
        )
    )
    if more:
        cut = tr("The first {rows} rows; {more} more are left out.", rows=MOST_ROWS, more=more)
        about = f"{about} {cut}"
    name = f"traffic-{request.server}-{shown.view}-{shown.first}-{shown.last}.csv"
    return Sheet(name, await asyncio.to_thread(_written, lines), about)


def _written(lines: Sequence[Sequence[object]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode("utf-8")


def _numbers(tally: Tally) -> list[int]:
    return [getattr(tally, name) for name in Tally.__dataclass_fields__]


def _cell(name: str) -> str:
    """Return a name as a spreadsheet shows it: one that begins like a formula is none."""
    return f"'{name}" if name[:1] in "=+-@\t\r" else name
