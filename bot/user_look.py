"""/spool user: one account, and everything that can be done about it."""

from datetime import timedelta

import idna
from sqlmodel import col, select

from bot import user_card
from bot.arguments import Arguments
from bot.buttons import Buttons
from bot.desk import Desk, Reply, Request
from bot.elements import Style, named
from bot.forms import networks_of
from bot.line_cards import note
from services.aims import aim
from services.errors import Refused
from services.history import acts_on, failed_logins_of, per_day
from services.hosts import host_of, spool_of
from services.language import later, tr
from services.mail.port import MailServer, User, UserState
from services.models import LIVE, Incident, Intent
from services.remedies import lacking
from services.rules import rule_alone
from services.targets import Target
from services.traffic import KEPT, addresses_used

_ADDRESSES = 5
_INCIDENTS = 3
_ACTS = 5
_DAYS = 7
_DAY = timedelta(hours=24)

#: Its place, label, remedy and what it makes of the account; offered in this order.
_ACTIONS = (
    ("disable", later("Disable sending…"), "disable", UserState.NO_SENDING, Style.PRIMARY),
    ("refuse", later("Disable and refuse…"), "disable", UserState.REFUSING, Style.PLAIN),
    ("enable", later("Enable…"), "enable", UserState.ACTIVE, Style.PRIMARY),
    ("password", later("New password…"), "password", None, Style.PLAIN),
    ("sessions", later("End sessions…"), "end_sessions", None, Style.PLAIN),
    ("delete", later("Delete account…"), "delete_account", None, Style.DANGER),
)


async def user(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with an account."""
    return await _user(desk, request, Target(account=asked.account))


async def user_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer a button that opens an account."""
    return await _user(desk, request, Target.model_validate_json(intent.target))


async def _user(desk: Desk, request: Request, opened: Target, *, typed: str = "") -> Reply:
    """Answer with an account; ``opened`` has the report to go back to, if any.

    ``typed`` is how it was asked for, where nothing is known of it under that name.
    """
    account = opened.account or ""
    server = desk.pipeline.server(request.server)
    if not request.scope.holds(account):
        refusal = request.scope.refusal(tr("look into an account"), account)
        await desk.refuse(request.actor, "user", server.name, refusal, account)
    known = None if host_of(account) is not None else await server.user(account)
    now = desk.clock.now()
    async with desk.store.reading() as session:
        who = (session, server.name, account)
        uses = await addresses_used(*who, now - KEPT)
        lately = sum(use.messages for use in await addresses_used(*who, now - _DAY))
        failed = await failed_logins_of(*who, now - KEPT)
        days = await per_day(*who, now, _DAYS)
        acts = await acts_on(*who, _ACTS)
        rows = await session.exec(
            select(Incident)
            .where(
                Incident.server == server.name,
                Incident.sender == account,
                col(Incident.state).in_(LIVE),
            )
            .order_by(col(Incident.id).desc())
            .limit(_INCIDENTS)
        )
        incidents = rows.all()
    if known is None and not (uses or acts or incidents or any(n for _, n in days)):
        if not typed and (other := _other_form(account)):
            other_form = opened.model_copy(update={"account": other})
            return await _user(desk, request, other_form, typed=account)
        return note(
            tr(
                "There is no mailbox {account} on {server}, and Spoolwarden has never seen it send "
                "anything. Is it spelt right, or was it deleted?",
                account=named(typed or account),
                server=server.name,
            )
        )
    spool = (await spool_of(server, (account,)))[account]
    made, lacks = Buttons(), list[str]()
    if known is not None:
        _offer(desk, server, known, account, made, lacks)
    made.add("why", tr("Evidence"), "why", Target(account=account))
    query = aim("search", account, server).query
    made.add("search", tr("Search its messages"), "search", Target(query=query))
    here = Target(account=account, report=opened.report)
    made.add("again", tr("Refresh"), "user", here)
    if opened.report is not None:
        made.add("back", tr("◀ Back"), "report", Target(report=opened.report))
    named_uses = [use for use in uses if use.name]
    for number, use in enumerate(named_uses[:_ADDRESSES]):
        if networks := networks_of([use.name]):
            made.add(f"address-{number}", tr("Who used it"), "ip", Target(networks=networks))
    return user_card.user(
        user_card.Account(
            address=account,
            also=_other_form(account),
            server=server.name,
            user=known,
            waiting=spool.waiting,
            held=spool.held,
            addresses=named_uses[:_ADDRESSES],
            more=len(named_uses[_ADDRESSES:]),
            failed_logins=failed,
            lately=lately,
            days=days,
            incidents=incidents,
            acts=acts,
            taken_at=now,
            lacking=tuple(lacks),
            buttons=await made.offered(desk, request),
            origins=desk.origins([use.name for use in named_uses[:_ADDRESSES]]),
        )
    )


def _offer(
    desk: Desk,
    server: MailServer,
    known: User,
    account: str,
    made: Buttons,
    lacks: list[str],
) -> None:
    """Add what can be done about an account, and collect why the rest cannot."""
    try:
        desk.rules.check_account(account)
        protected = ""
    except Refused as refusal:
        protected = rule_alone(refusal.sentence)
        lacks.append(protected)
    for slot, label, action, state, style in _ACTIONS:
        target = Target(account=account, user_state=state)
        if known.state is state:
            continue
        if protected and action not in ("enable", "end_sessions"):
            continue
        if (cannot := lacking(action, server.capabilities, target)) is not None:
            lacks.append(cannot)
        else:
            made.add(slot, tr(label), action, target, style=style)
    lacks[:] = dict.fromkeys(lacks)


def _other_form(account: str) -> str:
    """Return an address with its domain as it is read, or in ASCII; "" where both are one."""
    name, at, domain = account.rpartition("@")
    if not at:
        return ""
    try:
        if domain.isascii():
            other = idna.decode(domain) if "xn--" in domain else domain
        else:
            other = idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:
        return ""
    return "" if other == domain else f"{name}@{other}"
