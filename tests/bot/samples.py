"""Every card and every form that the bot can show, made of whatever texts are given."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network
from itertools import cycle

from pydantic import SecretStr

from bot import (
    acts,
    alert_card,
    block_card,
    campaign_cards,
    forms,
    line_cards,
    look_cards,
    report_cards,
    spool_cards,
    tuning,
    user_card,
)
from bot.commands import COMMANDS
from bot.digest_card import digest
from bot.elements import Button, Card, Figure, Form, Menu, Option, Picture, Style
from bot.reads import help_card
from services import digest as digests
from services import reports
from services.detection.engine import Reason, Verdict
from services.detection.evidence import Evidence, Habit, Share
from services.language import tr
from services.mail.port import (
    Block,
    Message,
    Page,
    Preview,
    Queue,
    SpoolCounts,
    SpoolQuery,
    User,
    UserState,
)
from services.models import (
    LIVE,
    AuditEntry,
    Incident,
    IncidentState,
    Intent,
    IntentState,
    Lesson,
    LessonKind,
    Listing,
)
from services.origin import Origin
from services.pipeline import Proposal
from services.remedies import REMEDIES
from services.reports import Tally, View
from services.tables import Kind, Rank, Table, Window
from services.targets import Report, Target, Top, describe
from services.traffic import Use
from services.words import short

NOW = datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)
#: What an intent's id looks like; each sample uses its own numbers.
INTENT = "iNtEnT-0_{}"

Words = Callable[[], str]


def words_of(*texts: str) -> Words:
    """Return what gives these texts, one after the other, for ever."""
    return cycle(texts).__next__


def anna() -> str:
    """Return a harmless text."""
    return "anna@example.com"


def storable(text: str) -> str:
    """Return a text as the mail servers pass it on: decoded with replacement."""
    return text.encode("utf-8", "replace").decode("utf-8")


def origin(words: Words = anna) -> Origin:
    """Return where an address is; the owner's name is anybody's text."""
    return Origin(64500, storable(words()), "CH")


def origins(uses: Iterable[Use], words: Words) -> dict[str, Origin]:
    """Return where each address is."""
    return {use.name: origin(words) for use in uses}


def evidence(words: Words = anna, **over: object) -> Evidence:
    """Return what was seen of a sender; its reasons are the detector's."""

    def named(*messages: int) -> tuple[Share, ...]:
        return tuple(Share(name=storable(words()), messages=number) for number in messages)

    seen = Evidence(
        taken_at=NOW,
        window=300,
        messages=600,
        peak=620,
        recipients=9000,
        addresses=tuple(
            share.model_copy(update={"origin": origin(words)})
            for share in named(300, 100, 80, 60, 40, 20)
        ),
        address_count=31,
        network_count=12,
        subject=storable(words()),
        subject_messages=580,
        first_at=NOW - timedelta(minutes=12),
        last_at=NOW,
        total=1840,
        habit=Habit(windows=9, usual=3, high=8),
        queued=1234,
        held=5,
        spool_waiting=1300,
        top_senders=named(600, 20, 3),
        top_addresses=named(300, 100),
        all_messages=640,
    )
    seen = seen.model_copy(update=over)
    if "reasons" not in over:
        said = _reasons(seen)
        seen = seen.model_copy(update={"reasons": said, "points": (60.0, 18.0, 12.0, 8.0)})
    return seen


def _reasons(seen: Evidence) -> tuple[str, ...]:
    """Return what the detector says of this, in its words."""
    return (
        tr(f"{seen.messages:,} messages in 5 min; usual at this hour: 3, at most 8"),
        tr(f"from {seen.address_count} addresses in {seen.network_count} networks"),
        tr(f"97% near-identical subjects: “{short(seen.subject, 80)}”"),
        tr(f"to about {seen.recipients:,} recipients"),
    )


def incident(
    state: IncidentState = IncidentState.OPEN,
    words: Words = anna,
    seen: Evidence | None = None,
) -> Incident:
    """Return an incident in a state, with its evidence."""
    return Incident(
        id=7,
        server=storable(words()),
        sender=storable(words()),
        state=state,
        opened_at=NOW - timedelta(minutes=10),
        updated_at=NOW,
        evidence=(seen or evidence(words)).model_dump_json(),
        score=97.4,
        severity=2,
        state_by=None if state is IncidentState.OPEN else storable(words()),
        state_at=None if state is IncidentState.OPEN else NOW,
        snoozed_until=NOW + timedelta(hours=1) if state is IncidentState.SNOOZED else None,
    )


def intent(
    action: str = "stop",
    state: IntentState = IntentState.DONE,
    words: Words = anna,
    *,
    undo_of: str | None = None,
    undone: bool = False,
) -> Intent:
    """Return an intent that somebody used."""
    return Intent(
        id=INTENT.format(action),
        action=action,
        server="mail",
        chat="slack",
        channel="C0OPS",
        created_at=NOW,
        expires_at=NOW + timedelta(days=7),
        target=Target().model_dump_json(),
        state=state,
        claimed_by="slack:U0OTTO",
        claimed_name=storable(words()),
        claimed_at=NOW,
        summary=tr(f"{storable(words())} can no longer send and still receives. 3 messages held."),
        undo_until=NOW + timedelta(days=7),
        undo_of=undo_of,
        undone=undone,
    )


def offers(*actions: str) -> dict[str, str]:
    """Return an intent id for each action."""
    return {action: INTENT.format(f"{action}-offer") for action in actions}


def undos(*actions: str) -> dict[str, str]:
    """Return the intent id of each action's undo."""
    return {action: INTENT.format(f"{action}-undo") for action in actions}


#: The actions that a form confirms.
ASKED = tuple(row.name for row in COMMANDS.values() if row.pressed is acts.ask_pressed)
TYPED = tuple(row for row in COMMANDS.values() if row.slash)
ALL_ACTIONS = (
    "stop",
    "search",
    "acknowledge",
    "respond",
    *(action for action, _, _ in alert_card.MORE),
)


def message(words: Words = anna, queue: Queue = Queue.DEFERRED) -> Message:
    """Return a message in the spool."""
    return Message(
        queue_id=words(),
        arrived=NOW,
        size=1234,
        envelope_sender=words(),
        authenticated_user=words(),
        client_ip=words(),
        recipients=(words(), words(), words()),
        subject=words(),
        queue=queue,
        folder=words() if queue is Queue.QUARANTINE else None,
        last_error=words(),
    )


def query(words: Words = anna) -> SpoolQuery:
    """Return a query with a text in each of its fields."""
    return SpoolQuery(
        sender=storable(words()),
        recipient=storable(words()),
        subject=storable(words()),
        folder=storable(words()),
        queues=(Queue.ACTIVE, Queue.DEFERRED),
    )


def proposal(action: str, words: Words = anna, **target: object) -> Proposal:
    """Return what a form asks about, with a text wherever one can be."""
    aimed = Target(
        account=storable(words()),
        query=query(words),
        queue_ids=tuple(storable(words()) for _ in range(3)),
        networks=(ip_network("203.0.113.9"), ip_network("2001:db8::/32")),
    )
    left_out = tuple(words() for _ in range(6)) if action == "block" else ()
    return Proposal(
        INTENT.format(action),
        REMEDIES[action],
        words(),
        aimed.model_copy(update=target),
        left_out,
    )


def form(action: str, words: Words = anna, **target: object) -> Form:
    """Return an action's form."""
    return forms.ask(
        proposal(action, words, **target),
        NOW,
        kept=timedelta(days=7),
        folders=(words(), "spam", words(), "deleted"),
    )


def _alert(state: IncidentState, words: Words, *, done: bool) -> Card:
    acts = ("stop", "acknowledge", "move", "delete", "disable", "block", "snooze") if done else ()
    left = [a for a in (ALL_ACTIONS if state in LIVE else ("search",)) if a not in acts]
    return alert_card.alert(
        incident(state, words),
        {action: intent(action, words=words) for action in acts},
        alert_card.Buttons(offers(*left), undos(*acts)),
    )


def _results(words: Words) -> Card:
    queues = (Queue.ACTIVE, Queue.DEFERRED, Queue.HELD, Queue.QUARANTINE, Queue.DEFERRED)
    found = tuple(message(words, queue) for queue in queues)
    buttons = (
        Button("before", tr("◀ Previous"), INTENT.format("before")),
        Button("after", tr("Next ▶"), INTENT.format("after")),
        Button("move", tr("Move these…"), INTENT.format("move")),
        Button("delete", tr("Delete these…"), INTENT.format("delete"), Style.DANGER),
    )
    return spool_cards.results(
        spool_cards.Found(
            describe(query(words)),
            Page(1234, found),
            2,
            247,
            tuple(INTENT.format(number) for number in range(5)),
            buttons,
        )
    )


def _dashboard(words: Words) -> Card:
    shares = evidence(words)
    return spool_cards.dashboard(
        spool_cards.Dashboard(
            server=words(),
            counts=SpoolCounts(3, 1231, 5, 12, 123_456_789),
            senders=shares.top_senders,
            addresses=shares.top_addresses,
            sent=2000,
            incidents=[incident(state, words) for state in IncidentState],
            taken_at=NOW,
            blocks=3,
        )
    )


def _preview(words: Words) -> Card:
    return spool_cards.preview(
        Preview(
            message(words),
            tuple((words(), words()) for _ in range(60)),
            words(),
            tuple(words() for _ in range(12)),
        )
    )


def _audit(words: Words) -> Card:
    entries = [
        AuditEntry(
            seq=number,
            at=NOW,
            phase="intent",
            action="undo stop",
            actor="slack:U0OTTO",
            actor_name=words(),
            server="mail",
            subject=words(),
            detail="{}",
            prev_hash="",
            hash="",
        )
        for number in range(15)
    ]
    return spool_cards.audit(entries, words())


def _act_line(state: IntentState, words: Words, *, undoing: bool = False) -> Card:
    used = intent("move", state, words, undo_of="x" if undoing else None)
    undo_id = INTENT.format("undo") if state is IntentState.DONE and not undoing else None
    return line_cards.act_line(used, "move", undo_id)


def _buttons(*slots: str) -> dict[str, Button]:
    """Return a button in each of these places."""
    return {slot: Button(slot, tr("Press"), INTENT.format(slot)) for slot in slots}


def _uses(words: Words, number: int) -> list[Use]:
    return [Use(words(), 1200, NOW - timedelta(hours=5), NOW) for _ in range(number)]


def why_card(
    words: Words = anna,
    points: tuple[float, ...] = (45.0, 12.0, 0.0, -3.0),
    state: UserState | None = UserState.ACTIVE,
    incidents: tuple[IncidentState, ...] = tuple(IncidentState)[:3],
    habit: Habit | None = None,
) -> Card:
    """Return an account's card, with as many reasons as there are points."""
    reasons = tuple(Reason(storable(words()) or "?", of) for of in points)
    verdict = Verdict("", NOW.timestamp(), max(0.0, sum(points)), reasons)
    seen = evidence(
        words,
        reasons=tuple(reason.text for reason in reasons),
        points=tuple(reason.points for reason in reasons),
        habit=habit or Habit(windows=9, usual=3, high=8),
    )
    return look_cards.why(
        look_cards.Why(
            account=words(),
            server=words(),
            user=User(words(), state) if state else None,
            evidence=seen,
            verdict=verdict,
            waiting=1234,
            held=5,
            sent=1840,
            addresses=(uses := _uses(words, 5)),
            origins=origins(uses, words),
            more=26,
            incidents=[incident(each, words) for each in incidents],
            taken_at=NOW,
            lacking=(words(),),
            buttons=_buttons(*(f"address-{n}" for n in range(5)), "back", "stop", "search"),
        )
    )


def user_card_(words: Words = anna, state: UserState | None = UserState.ACTIVE) -> Card:
    """Return the card that manages an account."""
    entries = [
        AuditEntry(
            seq=number,
            at=NOW,
            phase="result",
            action=words(),
            actor="slack:U0OTTO",
            actor_name=words(),
            server="mail",
            subject=words(),
            detail=detail,
            prev_hash="",
            hash="",
        )
        for number, detail in enumerate(('{"ok": true}', '{"ok": false}', "[]", "broken", "{}"))
    ]
    slots = ("disable", "refuse", "enable", "password", "sessions", "delete", "why", "search")
    return user_card.user(
        user_card.Account(
            address=words(),
            also=words(),
            server=words(),
            user=User(words(), state, 3) if state else None,
            waiting=1234,
            held=5,
            addresses=(uses := _uses(words, 5)),
            origins=origins(uses, words),
            more=26,
            failed_logins=12,
            lately=1840,
            days=[(NOW.date() - timedelta(days=n), 100 * n) for n in range(6, -1, -1)],
            incidents=[incident(each, words) for each in tuple(IncidentState)[:3]],
            acts=entries,
            taken_at=NOW,
            lacking=(words(), words()),
            buttons=_buttons(*(f"address-{n}" for n in range(5)), *slots, "again"),
        )
    )


def top_card(
    words: Words = anna,
    kind: Kind = Kind.USERS,
    ranks: tuple[tuple[int, int], ...] = ((600, 100),) * look_cards.PER_PAGE,
    *,
    known: bool = True,
) -> Card:
    """Return the second page of a table whose rows have so many messages, now and before."""
    table = Table([Rank(words(), *numbers) for numbers in ranks], 31, 6400, 6400, known)
    rows = [f"row-{n}" for n in range(len(ranks))] if kind is not Kind.DOMAINS else []
    below = ("before", "after", "5m", "24h", "ips", "domains", "again")
    offset = look_cards.PER_PAGE
    return look_cards.top(
        words(),
        Top(kind=kind, window=Window.HOUR, offset=offset),
        look_cards.Page(table, offset),
        NOW,
        _buttons(*rows, *below),
    )


def ip_card(words: Words = anna, uses: int = look_cards.PER_PAGE, blocks: int = 3) -> Card:
    """Return an address's card."""
    until = [NOW + timedelta(hours=1), None, NOW]
    listed = [
        (Block(ip_network(f"203.0.113.{n}"), "", NOW, until[n]), words()) for n in range(blocks)
    ]
    return look_cards.address(
        look_cards.Address(
            network="203.0.113.0/24",
            server=words(),
            uses=_uses(words, uses),
            accounts=uses + 12 if uses else 0,
            messages=1200 * uses,
            failed_logins=uses,
            blocks=listed,
            more_blocks=4 if blocks else 0,
            taken_at=NOW,
            lacking=(words(),),
            origin=origin(words),
            buttons=_buttons(
                *(f"account-{n}" for n in range(uses)),
                *(f"unblock-{n}" for n in range(blocks)),
                *("back", "block", "search"),
            ),
        )
    )


def blocks_card(words: Words = anna, number: int = block_card.PER_PAGE) -> Card:
    """Return a page of the block list."""
    until = cycle([NOW + timedelta(hours=1), None])
    page = [
        block_card.Blocked(
            Block(ip_network(f"203.0.113.{n}"), "", NOW, next(until)), words(), n or None
        )
        for n in range(number)
    ]
    rows = [
        Listing(
            server="mail",
            address="192.0.2.1",
            zone=words(),
            since=NOW if n % 2 else None,
            said=words(),
            checked_at=NOW,
            error="" if n % 2 else words(),
        )
        for n in range(4 if number else 0)
    ]
    options = tuple(Option(words(), INTENT.format(f"e{n}")) for n in range(number))
    return block_card.blocks(
        block_card.Blocks(
            server=words(),
            page=page,
            offset=0,
            total=number * 3,
            listings=rows,
            zones=2,
            taken_at=NOW,
            lacking=(words(),),
            buttons=_buttons(*(f"unblock-{n}" for n in range(number)), "before", "after", "again"),
            extend=Menu("extend", tr("Extend…"), options) if options else None,
        )
    )


def digest_of(words: Words = anna, number: int = 10) -> digests.Report:
    """Return what a summary tells, with so many of each thing."""
    many = range(number)
    return digests.Report(
        begin=NOW - timedelta(days=1),
        end=NOW,
        incidents=tuple(
            digests.Happened(id=n, sender=storable(words()), server="mail", state="open")
            for n in many
        ),
        more_incidents=number * 3,
        detected=(14.0, 60.0, 600.0)[:number],
        stopped=(100.0,)[:number],
        movers=tuple(
            digests.Mover(sender=storable(words()), server="mail", messages=900, before=n)
            for n in range(min(5, number))
        ),
        ends=tuple(digests.Ends(network="192.0.2.1", server="mail", until=NOW) for _ in many),
        more_ends=number,
        failed=tuple(
            digests.Failed(action="stop", by=storable(words()), at=NOW, summary=storable(words()))
            for _ in many
        ),
        more_failed=number,
        unknown=(storable(words()),)[:number],
    )


def report_card(words: Words = anna, view: View = View.DOMAINS) -> Card:
    """Return a full page of a report."""
    rows = [
        reports.Row(storable(words()), Tally(1200, 900, 30, 7), 800)
        for _ in range(report_cards.PER_PAGE)
    ]
    day = NOW.date()
    domain = storable(words()) if view is View.USERS else ""
    return report_cards.card(
        report_cards.Facts(
            server=words(),
            shown=Report(first=day, last=day, view=view, domain=domain, offset=8),
            whole=Tally(12_000, 900, 30, 7),
            before=Tally(8000, 900),
            rows=rows if view is not View.TREND else [],
            names=100_000,
            since=day - timedelta(days=90),
            taken_at=NOW,
            only=words(),
            lacking=(words(),),
        ),
        Figure(b"", storable(words())) if view is View.TREND else None,
        _buttons(
            *(f"row-{n}" for n in range(report_cards.PER_PAGE)),
            *("before", "after", "today", "week", "month", "file"),
        ),
        tuple(Option(tr(name), INTENT.format(name.lower())) for name in ("Trend", "Domains")),
    )


def _alert_drawn(words: Words) -> Card:
    return alert_card.alert(
        incident(words=words), {}, alert_card.Buttons(offers(), {}), Picture("F0PICTURE01", words())
    )


def campaign_card(
    words: Words = anna,
    states: tuple[IncidentState, ...] = tuple(IncidentState),
    *,
    undone: bool = False,
    picture: Picture | None = None,
) -> Card:
    """Return the card of a campaign with an account in each of these states."""
    group = [incident(state, words) for state in states]
    for number, row in enumerate(group):
        row.id, row.joined_by = 7 + number, storable(words()) if number else ""
        row.campaign = 7 if number else None
    group[0].containment, group[0].summary = words(), json.dumps([words(), words()])
    waiting = tuple(row.sender for row in group if row.state is IncidentState.OPEN)
    acts = () if undone else ("stop", "acknowledge", "snooze", "contain")
    left = ("stop", "campaign", "acknowledge", "block", "snooze", "false_alarm")
    buttons = campaign_cards.Buttons(
        offers(*left),
        undos(*acts),
        {row.sender: INTENT.format(f"stop-{row.id}") for row in group[:2]},
        {row.sender: INTENT.format(f"why-{row.id}") for row in group[2:]},
        waiting,
        1234,
        (words(),),
    )
    return campaign_cards.campaign(group[0], group, {}, buttons, picture)


def campaign_page(words: Words = anna) -> Card:
    """Return the second page of a campaign's accounts."""
    rows = [incident(state, words) for state in IncidentState]
    slots = (*(f"account-{n}" for n in range(len(rows))), "before", "after")
    return campaign_cards.page(rows[0], rows, 8, 42, _buttons(*slots), words())


def tuning_card(words: Words = anna) -> Card:
    """Return what was learnt, one of it forgotten."""
    lessons = [
        Lesson(
            id=number,
            server="mail",
            sender=storable(words()),
            kind=kind,
            messages=90,
            points=15,
            until=NOW if kind is LessonKind.ABUSED else None,
            incident_id=number,
            taught_by="slack:U0OTTO",
            taught_name=words(),
            taught_at=NOW,
            forgotten_at=NOW if number > 1 else None,
            forgotten_name=words(),
        )
        for number, kind in enumerate((*LessonKind, LessonKind.ORDINARY))
    ]
    slots = _buttons("forget-0", "forget-1", "before", "after")
    return tuning.card(words(), lessons, 30, words(), slots, words())


def _cards() -> Iterator[tuple[str, Callable[[Words], Card]]]:
    for state in IncidentState:
        yield f"alert, {state}", partial(_alert, state, done=False)
        yield f"alert, {state}, all done", partial(_alert, state, done=True)
    for step in IntentState:
        yield f"line, {step}", partial(_act_line, step)
    yield "line, undo", partial(_act_line, IntentState.DONE, undoing=True)
    yield (
        "line, undone",
        lambda words: line_cards.act_line(intent("stop", words=words, undone=True), "stop", None),
    )
    yield "dashboard", _dashboard
    yield "results", _results
    yield (
        "no results",
        lambda words: spool_cards.results(
            spool_cards.Found(describe(query(words)), Page(0, ()), 1, 1, (), ()),
        ),
    )
    yield "preview", _preview
    yield "audit", _audit
    yield (
        "incidents",
        lambda words: spool_cards.incidents([incident(state, words) for state in IncidentState]),
    )
    yield "no incidents", lambda words: spool_cards.incidents([])
    yield "help", lambda _: help_card([(row.usage, tr(row.summary)) for row in TYPED], ())
    yield (
        "help of one",
        lambda _: help_card(
            [(COMMANDS["search"].usage, tr(COMMANDS["search"].summary))],
            [(argument.typed, tr(argument.means)) for argument in COMMANDS["search"].takes],
        ),
    )
    yield "why", why_card
    yield "why, nothing unusual", partial(why_card, points=(0.0, -3.0), incidents=())
    yield "why, no mailbox", partial(why_card, points=(), state=None)
    yield "user", user_card_
    yield "user, no mailbox", partial(user_card_, state=None)
    yield (
        "new password",
        lambda words: line_cards.new_password(words(), SecretStr("aB3de-fgh9K"), INTENT.format(1)),
    )
    for kind in Kind:
        yield f"top {kind}", partial(top_card, kind=kind)
    yield "top, nothing sent", partial(top_card, ranks=())
    yield "campaign", campaign_card
    yield "campaign, nothing done", partial(campaign_card, undone=True)
    for state in IncidentState:
        yield f"campaign, {state}", partial(campaign_card, states=(state, state))
    yield "campaign, many", partial(campaign_card, states=(IncidentState.OPEN,) * 42)
    yield "campaign's page", campaign_page
    yield "moved", lambda words: campaign_cards.moved(incident(words=words), 3)
    yield (
        "moved, with a link",
        lambda words: campaign_cards.moved(
            incident(words=words), 3, "https://example.slack.com/archives/C0OPS/p1355517523000008"
        ),
    )
    yield "tuning", tuning_card
    yield "tuning, nothing", lambda words: tuning.card(words(), [], 0, words(), {}, words())
    yield "ip", ip_card
    yield "ip, never used", partial(ip_card, uses=0, blocks=0)
    yield "blocks", blocks_card
    yield "no blocks", partial(blocks_card, number=0)
    yield "digest", lambda words: digest("daily", digest_of(words))
    yield "digest, quiet", lambda words: digest("weekly", digest_of(words, 0))
    for view in View:
        yield f"report {view}", partial(report_card, view=view)
    yield "alert with a picture", _alert_drawn
    yield (
        "campaign with a picture",
        lambda words: campaign_card(words, picture=Picture("F0PICTURE01", words())),
    )
    yield "note", lambda words: line_cards.note(words())
    yield "failure", lambda words: line_cards.failure(words())
    yield (
        "success",
        lambda words: line_cards.success(words(), Button("undo", tr("Undo"), INTENT.format(1))),
    )


def _forms() -> Iterator[tuple[str, Callable[[Words], Form]]]:
    many = tuple(ip_network(f"203.0.113.{number}") for number in range(200))
    for action in ASKED:
        yield action, partial(form, action)
    yield "move to a named folder", partial(form, "move", folder="spam")
    yield "delete for good", partial(form, "delete", permanent=True)
    yield "refuse mail", partial(form, "disable", user_state=UserState.REFUSING)
    yield "block many", partial(form, "block", networks=many)
    yield "block for an odd time", partial(form, "block", lasting=timedelta(minutes=95))
    yield "undo", lambda words: forms.ask_undo(intent(words=words), INTENT.format("undo"))


#: By its name, what makes each card and each form from texts.
CARDS: Mapping[str, Callable[[Words], Card]] = dict(_cards())
FORMS: Mapping[str, Callable[[Words], Form]] = dict(_forms())
