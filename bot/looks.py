"""The looks: why an account stands as it does, who sends most, and who used an address.

They only read. Each answer is private, and its buttons change it in place.
"""

from datetime import timedelta

from sqlmodel import col, select

from bot import look_cards
from bot.alert_card import STOP_ASKS, STOP_YES, stop_text
from bot.arguments import Arguments
from bot.block_look import EVERY_DOMAIN, by
from bot.buttons import Buttons
from bot.desk import Desk, Reply, Request
from bot.elements import Confirm, Style
from bot.forms import networks_of
from bot.line_cards import note
from bot.look_cards import PER_PAGE
from services.aims import aim
from services.errors import Refused
from services.hosts import host_of, sender_of, spool_of
from services.language import tr
from services.mail.domains import other_form
from services.mail.port import Block, MailServer, Network, SenderSpool, SpoolQuery, UserState
from services.models import LIVE, Incident, Intent
from services.origin import Origin
from services.remedies import lacking
from services.rules import plain, rule_alone
from services.tables import Kind, Window, table
from services.targets import Target, Top
from services.traffic import KEPT, addresses_used, failed_logins, users_of
from services.words import show_network

_ADDRESSES = 5
_INCIDENTS = 3
_BLOCKS = 3
_LATELY = timedelta(hours=24)

# -- why ----------------------------------------------------------------------------------


async def why(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with an account's evidence now, incident or not."""
    return await _why(desk, request, asked.account or "", Target())


async def why_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer a row of a table or a report, or an account of an address."""
    target = Target.model_validate_json(intent.target)
    return await _why(desk, request, target.account or "", target)


async def _why(
    desk: Desk, request: Request, account: str, opened: Target, *, typed: str = ""
) -> Reply:
    """Answer with an account's evidence; ``opened`` has the table or report to go back to.

    ``typed`` is how it was asked for, where nothing is known of it under that name.
    """
    top = opened.top
    server = desk.pipeline.server(request.server)
    if not request.scope.holds(account):
        refusal = request.scope.refusal(tr("look into an account"), account)
        await desk.refuse(request.actor, "why", server.name, refusal, account)
    host = host_of(account) is not None
    user = None if host else await server.user(account)
    known = await desk.why(server.name, account)
    if known is None:
        if not typed and user is None and (other := other_form(account)):
            return await _why(desk, request, other, opened, typed=account)
        return note(look_cards.never_sent(typed or account, server.name, user))
    evidence, verdict = known
    spool = (await spool_of(server, (account,)))[account]
    now = desk.clock.now()
    async with desk.store.reading() as session:
        uses = await addresses_used(session, server.name, account, now - _LATELY)
        rows = await session.exec(
            select(Incident)
            .where(Incident.server == server.name, Incident.sender == account)
            .order_by(col(Incident.id).desc())
            .limit(_INCIDENTS)
        )
        incidents = rows.all()
    made, lacks = Buttons(), list[str]()
    if top is not None:
        made.add("back", tr("◀ Back"), "top", Target(top=top))
    elif opened.report is not None:
        made.add("back", tr("◀ Back"), "report", Target(report=opened.report))
    if user is not None and user.state is UserState.ACTIVE:
        stop = Target(account=account)
        if (cannot := _cannot_stop(desk, server, stop)) is not None:
            lacks.append(cannot)
        else:
            text = stop_text(account, spool.waiting, now, holds=server.capabilities.hold.able)
            made.add(
                "stop",
                tr("Stop sending"),
                "stop",
                stop,
                style=Style.PRIMARY,
                confirm=Confirm(tr(STOP_ASKS), text, tr(STOP_YES)),
                incident_id=next((row.id for row in incidents if row.state in LIVE), None),
            )
    elif user is not None:
        made.add(
            "enable",
            tr("Enable…"),
            "enable",
            Target(account=account, user_state=UserState.ACTIVE),
        )
    query = aim("search", account, server).query
    made.add("search", tr("Search its messages"), "search", Target(query=query))
    if not host:
        made.add("user", tr("Manage"), "user", Target(account=account))
    addresses = [use for use in uses if use.name]
    for number, use in enumerate(addresses[:_ADDRESSES]):
        if networks := networks_of([use.name]):
            made.add(
                f"address-{number}", tr("Who used it"), "ip", Target(networks=networks, top=top)
            )
    return look_cards.why(
        look_cards.Why(
            account=account,
            server=server.name,
            user=user,
            evidence=evidence,
            verdict=verdict,
            waiting=spool.waiting,
            held=spool.held,
            sent=sum(use.messages for use in uses),
            addresses=addresses[:_ADDRESSES],
            more=len(addresses[_ADDRESSES:]),
            incidents=incidents,
            taken_at=now,
            lacking=tuple(lacks),
            buttons=await made.offered(desk, request),
            origins=desk.origins([use.name for use in addresses[:_ADDRESSES]]),
        )
    )


def _cannot_stop(desk: Desk, server: MailServer, target: Target) -> str | None:
    """Return the sentence why an account cannot be stopped here, None where it can."""
    try:
        desk.rules.check_account(target.account or "")
    except Refused as refusal:
        return rule_alone(refusal.sentence)
    return lacking("stop", server.capabilities, target)


# -- top ----------------------------------------------------------------------------------


async def top(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with who sends most now."""
    offset = (asked.page - 1) * PER_PAGE
    return await _top(desk, request, Top(kind=asked.kind, window=asked.window, offset=offset))


async def top_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer another window, another kind, another page, or the way back."""
    return await _top(desk, request, Target.model_validate_json(intent.target).top or Top())


async def _top(desk: Desk, request: Request, shown: Top) -> Reply:
    now = desk.clock.now()

    async def page(at: int) -> look_cards.Page:
        async with desk.store.reading() as session:
            found = await table(
                session,
                request.server,
                shown.kind,
                shown.window,
                now,
                offset=at,
                limit=PER_PAGE,
                domains=request.scope.domains,
            )
        return look_cards.Page(found, at)

    found = await page(shown.offset)
    last = max(0, (found.table.names - 1) // PER_PAGE * PER_PAGE)
    if shown.offset > last:
        # Asked for a page past the end, or fewer send meanwhile.
        found = await page(last)
    here = shown.model_copy(update={"offset": found.offset})
    made = Buttons()
    for number, rank in enumerate(found.table.ranks):
        if shown.kind is Kind.USERS:
            made.add(f"row-{number}", tr("Why"), "why", Target(account=rank.name, top=here))
        elif shown.kind is Kind.IPS and (networks := networks_of([rank.name])):
            made.add(f"row-{number}", tr("Who used it"), "ip", Target(networks=networks, top=here))
    made.pages(
        "top",
        lambda at: Target(top=here.model_copy(update={"offset": at})),
        found.offset,
        found.table.names,
        PER_PAGE,
    )
    for window in Window:
        if window is not shown.window:
            label = tr("Last {window}", window=tr(look_cards.WINDOWS[window]))
            other = Top(kind=shown.kind, window=window)
            made.add(window.value, label, "top", Target(top=other))
    for kind in Kind:
        if kind is not shown.kind:
            other = Top(kind=kind, window=shown.window)
            made.add(kind.value, tr(look_cards.KINDS[kind]), "top", Target(top=other))
    made.add("again", tr("Refresh"), "top", Target(top=here))
    buttons = await made.offered(desk, request)
    return look_cards.top(request.server, here, found, now, buttons, request.scope.note)


# -- ip -----------------------------------------------------------------------------------


async def address(desk: Desk, request: Request, asked: Arguments) -> Reply:
    """Answer with who used an address or network, and whether it is blocked."""
    assert asked.ip is not None  # noqa: S101 - the table has it required
    return await _address(desk, request, asked.ip, None)


async def address_pressed(desk: Desk, request: Request, intent: Intent) -> Reply:
    """Answer a row of a table, or an address of an account."""
    target = Target.model_validate_json(intent.target)
    return await _address(desk, request, target.networks[0], target.top)


async def _address(desk: Desk, request: Request, asked: Network, top: Top | None) -> Reply:
    server, network, scope = desk.pipeline.server(request.server), plain(asked), request.scope
    blocks = [b for b in await server.blocks() if _overlap(plain(b.network), network)]
    now = desk.clock.now()
    async with desk.store.reading() as session:
        asked_of = (session, server.name, network, now - KEPT)
        uses = await users_of(*asked_of, domains=scope.domains)
        failed = await failed_logins(*asked_of, domains=scope.domains)
    made, lacks = Buttons(), list[str]()
    if top is not None:
        made.add("back", tr("◀ Back"), "top", Target(top=top))
    spool: SenderSpool | None = None
    if scope.everything:
        # By its address, as nothing of a host without a login can be found otherwise.
        name = sender_of(str(network))
        spool = (await spool_of(server, (name,)))[name]
        lacks += await _offer_blocking(desk, server, network, blocks, made)
    else:
        lacks += [tr(EVERY_DOMAIN), scope.note]
    query = SpoolQuery(client_ip=network)
    made.add("search", tr("Search its messages"), "search", Target(query=query))
    for number, use in enumerate(uses[:PER_PAGE]):
        made.add(f"account-{number}", tr("Why"), "why", Target(account=use.name, top=top))
    return look_cards.address(
        look_cards.Address(
            network=show_network(network),
            server=server.name,
            uses=uses[:PER_PAGE],
            accounts=len(uses),
            messages=sum(use.messages for use in uses),
            failed_logins=failed,
            blocks=[(block, await by(desk, block)) for block in blocks[:_BLOCKS]],
            more_blocks=len(blocks[_BLOCKS:]),
            taken_at=now,
            lacking=tuple(lacks),
            buttons=await made.offered(desk, request),
            origin=_origin(desk, network),
            spool=spool,
        )
    )


def _origin(desk: Desk, network: Network) -> Origin | None:
    """Return where an address is; of a wide network the first address says too little."""
    narrow = 24 if network.version == 4 else 48
    if network.prefixlen < narrow:
        return None
    return desk.origin_of(str(network.network_address))


async def _offer_blocking(
    desk: Desk, server: MailServer, network: Network, blocks: list[Block], made: Buttons
) -> list[str]:
    """Add what blocks a network or lifts its blocks; return why something cannot be done."""
    target, lacks = Target(networks=(network,)), list[str]()
    if not any(_holds(plain(block.network), network) for block in blocks):
        if (cannot := await _cannot_block(desk, server, target)) is not None:
            lacks.append(cannot)
        else:
            made.add("block", tr("Block…"), "block", target, style=Style.DANGER)
    if (cannot := lacking("unblock", server.capabilities, target)) is None:
        for number, block in enumerate(blocks[:_BLOCKS]):
            label = tr("Unblock…")
            if len(blocks) > 1:
                label = tr("Unblock {network}…", network=show_network(block.network))
            made.add(f"unblock-{number}", label, "unblock", Target(networks=(block.network,)))
        if len(blocks) == 1 and lacking("block", server.capabilities, target) is None:
            made.add("extend", tr("Extend…"), "block", Target(networks=(blocks[0].network,)))
    elif blocks:
        lacks.append(cannot)
    return lacks


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _holds(outer: Network, inner: Network) -> bool:
    return _overlap(outer, inner) and outer.prefixlen <= inner.prefixlen


async def _cannot_block(desk: Desk, server: MailServer, target: Target) -> str | None:
    """Return the sentence why a network cannot be blocked here, None where it can."""
    try:
        own = await server.own_networks()
        for network in target.networks:
            desk.rules.check_network(network, own)
    except Refused as refusal:
        return tr("It cannot be blocked: {why}", why=refusal.sentence)
    return lacking("block", server.capabilities, target)
