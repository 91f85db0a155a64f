"""THE table: every command and button, once. Help, manifests and listeners come from it.

A row is typed after /spool, pressed as a button, or both. Remedies confirm
through a form of forms.py and act through the pipeline; the rest only read.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot import (
    acts,
    block_look,
    boards,
    campaigns,
    looks,
    reads,
    report,
    respond,
    tuning,
    user_look,
)
from bot.alert_card import MORE
from bot.arguments import (
    PIN_WORDS,
    Argument,
    Arguments,
    Known,
    read_address,
    read_domain,
    read_during,
    read_folder,
    read_kind,
    read_length,
    read_network,
    read_number,
    read_page,
    read_pin,
    read_queue,
    read_text,
    read_window,
    read_yes,
)
from bot.desk import Desk, Reply, Request
from bot.elements import Form
from services.errors import BadArgument
from services.intents import APPROVE, DECLINE, UNDO
from services.language import later, tr
from services.mail.port import DELIVERING, Queue, SpoolQuery, UserState
from services.models import Intent
from services.people import Role
from services.remedies import REMEDIES
from services.responding import JUDGE, LOOK, REPORT, RESPOND
from services.settings import Settings
from services.tables import Kind, Window
from services.targets import Target

COMMAND = "/spool"


@dataclass(frozen=True, slots=True)
class Command:
    """One row.

    ``typed`` answers the slash command, ``pressed`` a button. A remedy has
    ``target``, which says what typed arguments aim at, instead of ``typed``.
    """

    name: str
    summary: str
    role: Role
    takes: tuple[Argument, ...] = ()
    example: str = ""
    typed: Callable[[Desk, Request, Arguments], Awaitable[Reply]] | None = None
    pressed: Callable[[Desk, Request, Intent], Awaitable[Reply]] | None = None
    target: Callable[[Desk, Arguments], Target] | None = None
    narrows: bool = False  # its answer itself leaves out other domains' senders, for whom it must
    layer: bool = False  # its answer opens on top of what is shown, instead of replacing it
    # what is asked before a button acts, by a chat whose buttons cannot ask by themselves
    question: Callable[[Desk, Request, Intent], Awaitable[Form]] | None = None

    @property
    def slash(self) -> bool:
        """Whether it can be typed."""
        return self.typed is not None or self.target is not None

    @property
    def usage(self) -> str:
        """How it is typed, in one line."""
        words = [COMMAND, self.name] if self.name != "dashboard" else [COMMAND]
        for argument in self.takes:
            word = argument.typed.upper() if argument.first else f"{argument.typed}:…"
            words.append(word if argument.required else f"[{word}]")
        return " ".join(words)


_SENDER = Argument(
    "sender", "sender", read_address, later("the sending account"), known=Known.SENDER
)
_TO = Argument("to", "to", read_address, later("a recipient"))
_IP = Argument("ip", "ip", read_network, later("the client's address or network"))
_SUBJECT = Argument("subject", "subject", read_text, later("words of the subject, in quotes"))
_OLDER = Argument(
    "older", "older", read_length, later("arrived at least this long ago, such as 30m")
)
_QUEUE = Argument(
    "queue",
    "queue",
    read_queue,
    later("active, deferred, held or quarantine"),
    choices=tuple(queue.value for queue in Queue),
)
_FOLDER = Argument(
    "folder", "folder", read_folder, later("a quarantine folder"), known=Known.FOLDER
)
_ON = Argument(
    "on", "server", read_text, later("the mail server, where there are several"), known=Known.SERVER
)
_PAGE = Argument("page", "page", read_page, later("which page"), number=True)
_YES_NO = ("yes", "no")
_ACCOUNT = Argument(
    "account",
    "account",
    read_address,
    later("the mailbox"),
    required=True,
    first=True,
    known=Known.ACCOUNT,
)
_ADDRESS = Argument(
    "ip", "ip", read_network, later("an address or network"), required=True, first=True
)
_INCIDENT = Argument(
    "incident",
    "incident",
    read_number,
    later("the incident's number"),
    required=True,
    first=True,
    number=True,
)
_WINDOW = Argument(
    "last",
    "window",
    read_window,
    later("how far back: 5m, 1h or 24h"),
    first=True,
    choices=tuple(window.value for window in Window),
)
_KIND = Argument(
    "of",
    "kind",
    read_kind,
    later("users, ips or domains"),
    first=True,
    choices=tuple(kind.value for kind in Kind),
)
_DURING = Argument(
    "during",
    "during",
    read_during,
    later("today, 7d, 30d, or days such as 2026-11-01..2026-11-07"),
    first=True,
)
_DOMAIN = Argument("domain", "domain", read_domain, later("whose users, such as example.com"))
_MATCH = (_SENDER, _TO, _IP, _SUBJECT, _OLDER, _QUEUE)


def _query(desk: Desk, asked: Arguments) -> SpoolQuery:
    return SpoolQuery(
        sender=asked.sender,
        recipient=asked.to,
        client_ip=asked.ip,
        subject=asked.subject,
        arrived_before=desk.clock.now() - asked.older if asked.older else None,
        queues=(asked.queue,) if asked.queue else (),
        folder=asked.folder,
    )


async def _search(desk: Desk, request: Request, asked: Arguments) -> Reply:
    return await reads.search(desk, request, asked, _query(desk, asked))


def _must_choose(query: SpoolQuery, all_of_it: str) -> None:
    """Raise BadArgument, with this sentence, where it was not said which messages are meant."""
    if query == SpoolQuery():
        raise BadArgument(tr(all_of_it, command=COMMAND))


def _messages(desk: Desk, asked: Arguments) -> Target:
    # For a move, the folder is where to, not where from.
    query = replace(_query(desk, asked), folder=None)
    _must_choose(
        query,
        later(
            "That would be the whole spool. Say which messages, for example {command} search "
            "sender:anna@example.com, or queue:deferred for all deferred ones."
        ),
    )
    if not query.queues:
        query = replace(query, queues=(*DELIVERING, Queue.HELD))
    return Target(query=query, folder=asked.folder, permanent=asked.permanent)


def _waiting(desk: Desk, asked: Arguments) -> Target:
    query = _query(desk, asked)
    _must_choose(
        query,
        later(
            "That would be all that waits. Say which messages, for example {command} retry "
            "sender:anna@example.com, or queue:deferred for all deferred ones."
        ),
    )
    if asked.queue is not None and asked.queue not in DELIVERING:
        raise BadArgument(
            tr(
                "Only what waits is tried again: what is held or in quarantine stays there. Take "
                "the hold back with its Undo, or use {command} restore, first.",
                command=COMMAND,
            )
        )
    return Target(query=replace(query, queues=query.queues or DELIVERING))


def _quarantined(desk: Desk, asked: Arguments) -> Target:
    query = _query(desk, asked)
    _must_choose(
        query,
        later(
            "That would be everything in quarantine, deleted messages too. Say which, for "
            "example {command} restore folder:review"
        ),
    )
    return Target(query=replace(query, queues=(Queue.QUARANTINE,)))


def _disabled(_: Desk, asked: Arguments) -> Target:
    state = UserState.NO_SENDING if asked.receive else UserState.REFUSING
    return Target(account=asked.account, user_state=state, lasting=asked.lasting)


def _account(_: Desk, asked: Arguments) -> Target:
    return Target(account=asked.account)


def _enabled(_: Desk, asked: Arguments) -> Target:
    return Target(account=asked.account, user_state=UserState.ACTIVE)


def _addresses(_: Desk, asked: Arguments) -> Target:
    return Target(networks=(asked.ip,) if asked.ip else (), lasting=asked.lasting)


async def _help(_: Desk, __: Request, asked: Arguments) -> Reply:
    rows = [row for row in COMMANDS.values() if row.slash]
    if asked.about is not None:
        rows = [row for row in rows if row.name == asked.about.lower()]
        if not rows:
            raise BadArgument(
                tr(
                    "There is no command “{name}”. {command} help lists all.",
                    name=asked.about,
                    command=COMMAND,
                )
            )
    detail = [(a.typed, tr(a.means)) for a in rows[0].takes] if asked.about else []
    return reads.help_card([(row.usage, tr(row.summary)) for row in rows], detail)


def _remedy(
    name: str,
    summary: str,
    takes: tuple[Argument, ...] = (),
    example: str = "",
    target: Callable[[Desk, Arguments], Target] | None = None,
    *,
    direct: bool = False,
    question: Callable[[Desk, Request, Intent], Awaitable[Form]] | None = None,
) -> Command:
    pressed = acts.act_pressed if direct else acts.ask_pressed
    return Command(
        name,
        summary,
        REMEDIES[name].role,
        takes,
        example,
        None,
        pressed,
        target,
        layer=True,
        question=question,
    )


def _step(
    name: str, summary: str, pressed: Callable[[Desk, Request, Intent], Awaitable[Reply]]
) -> Command:
    """Return a row of a remedy that changes nothing, and answers with something to read."""
    return Command(name, summary, REMEDIES[name].role, pressed=pressed)


COMMANDS = {
    row.name: row
    for row in (
        Command(
            "dashboard",
            later("the spool now: counts, top senders, top addresses, open incidents"),
            Role.VIEWER,
            (_ON,),
            COMMAND,
            reads.dashboard,
        ),
        Command(
            "search",
            later("find messages in the spool and look into them"),
            Role.VIEWER,
            (*_MATCH, _FOLDER, _PAGE, _ON),
            f'{COMMAND} search sender:anna@example.com subject:"invoice" older:30m',
            _search,
            reads.search_pressed,
        ),
        Command(
            "why",
            later("an account's evidence now, even without an incident"),
            Role.VIEWER,
            (_ACCOUNT, _ON),
            f"{COMMAND} why anna@example.com",
            looks.why,
            looks.why_pressed,
        ),
        Command(
            "user",
            later("an account: its state, logins and history, and everything to manage it"),
            Role.VIEWER,
            (_ACCOUNT, _ON),
            f"{COMMAND} user anna@example.com",
            user_look.user,
            user_look.user_pressed,
        ),
        Command(
            "top",
            later("who sends most: users, IP addresses or domains"),
            Role.VIEWER,
            (_WINDOW, _KIND, _PAGE, _ON),
            f"{COMMAND} top 1h ips",
            looks.top,
            looks.top_pressed,
            narrows=True,
        ),
        Command(
            "ip",
            later("which accounts used an address or network, and whether it is blocked"),
            Role.VIEWER,
            (_ADDRESS, _ON),
            f"{COMMAND} ip 203.0.113.9",
            looks.address,
            looks.address_pressed,
            narrows=True,
        ),
        Command(
            "blocks",
            later("which addresses are blocked: why, by whom, until when"),
            Role.VIEWER,
            (_PAGE, _ON),
            f"{COMMAND} blocks",
            block_look.blocks,
            block_look.blocks_pressed,
            narrows=True,
        ),
        Command(
            "report",
            later("how much mail there was: trend, domains and their users"),
            Role.VIEWER,
            (_DURING, _DOMAIN, _PAGE, _ON),
            f"{COMMAND} report 7d",
            report.report,
            report.report_pressed,
            narrows=True,
        ),
        Command(
            "campaign",
            later("the accounts that are one campaign with an incident"),
            Role.VIEWER,
            (_INCIDENT, _PAGE),
            f"{COMMAND} campaign 7",
            campaigns.campaign,
            campaigns.campaign_pressed,
            narrows=True,
        ),
        Command(
            "tuning",
            later("what was learnt from false alarms and confirmed abuse"),
            Role.VIEWER,
            (replace(_ACCOUNT, required=False), _PAGE, _ON),
            f"{COMMAND} tuning anna@example.com",
            tuning.tuning,
            tuning.tuning_pressed,
            narrows=True,
        ),
        Command(
            "preview",
            later("look into one message"),
            Role.VIEWER,
            pressed=reads.preview,
            layer=True,
        ),
        _remedy(
            "stop",
            later("disable an account for sending and hold what it has waiting"),
            (_ACCOUNT, _ON),
            f"{COMMAND} stop anna@example.com",
            _account,
            direct=True,
            question=acts.stop_question,
        ),
        _remedy(
            "move",
            later("move messages to a folder for review"),
            (*_MATCH, _FOLDER, _ON),
            f"{COMMAND} move sender:anna@example.com folder:review",
            _messages,
        ),
        _remedy(
            "restore",
            later("put moved or deleted messages back in the queue"),
            (*_MATCH, _FOLDER, _ON),
            f"{COMMAND} restore folder:review sender:anna@example.com",
            _quarantined,
        ),
        _remedy(
            "retry",
            later("try waiting messages again now, not at the next queue run"),
            (*_MATCH, _ON),
            f"{COMMAND} retry sender:anna@example.com",
            _waiting,
        ),
        _remedy(
            "delete",
            later("delete messages; they can be brought back for some days"),
            (
                *_MATCH,
                Argument(
                    "permanent",
                    "permanent",
                    read_yes,
                    later("yes: for good, at once (admin)"),
                    choices=_YES_NO,
                ),
                _ON,
            ),
            f"{COMMAND} delete sender:anna@example.com",
            _messages,
        ),
        _remedy(
            "disable",
            later("disable an account for sending; it still receives"),
            (
                _ACCOUNT,
                Argument(
                    "receive",
                    "receive",
                    read_yes,
                    later("no: its mail is refused too"),
                    choices=_YES_NO,
                ),
                Argument(
                    "for",
                    "lasting",
                    read_length,
                    later("how long, such as 24h; else until enabled"),
                ),
                _ON,
            ),
            f"{COMMAND} disable anna@example.com",
            _disabled,
        ),
        _remedy(
            "enable",
            later("enable a disabled account"),
            (_ACCOUNT, _ON),
            f"{COMMAND} enable anna@example.com",
            _enabled,
        ),
        _remedy(
            "block",
            later("refuse SMTP from an address or network"),
            (
                _ADDRESS,
                Argument(
                    "for",
                    "lasting",
                    read_length,
                    later("how long, such as 24h; the form asks otherwise"),
                ),
                _ON,
            ),
            f"{COMMAND} block 203.0.113.9 for:24h",
            _addresses,
        ),
        _remedy(
            "unblock",
            later("lift a block"),
            (replace(_ADDRESS, known=Known.BLOCKED), _ON),
            f"{COMMAND} unblock 203.0.113.9",
            _addresses,
        ),
        _remedy("password", later("set a new password, shown once to who sets it")),
        _remedy("end_sessions", later("end what is open as an account")),
        _remedy("delete_account", later("delete an account with its mail; takes two persons")),
        _remedy("acknowledge", later("say that somebody is on it"), direct=True),
        _remedy(RESPOND, later("walk through an incident's steps in its thread"), direct=True),
        _step(LOOK, later("look at an incident's evidence"), respond.look_pressed),
        Command(
            "samples",
            later("some of an account's messages, below each other"),
            Role.VIEWER,
            pressed=respond.samples_pressed,
        ),
        _remedy(JUDGE, later("say that an incident's messages are spam"), direct=True),
        _step(REPORT, later("report an incident"), respond.report_pressed),
        Command(
            "summary",
            later("an incident's summary, to paste elsewhere"),
            Role.VIEWER,
            (_INCIDENT, _PAGE),
            f"{COMMAND} summary 7",
            respond.summary_typed,
            respond.summary_pressed,
        ),
        _remedy("snooze", later("be quiet about an incident for a while")),
        _remedy("false_alarm", later("close an incident and learn that this is ordinary")),
        _remedy("forget", later("forget what an incident taught of a sender")),
        Command(
            APPROVE,
            later("approve what somebody else asked for"),
            Role.OPERATOR,
            pressed=acts.approve_pressed,
            layer=True,
            question=acts.approve_question,
        ),
        Command(
            DECLINE,
            later("decline what somebody asked for"),
            Role.OPERATOR,
            pressed=acts.decline_pressed,
            layer=True,
        ),
        Command(
            UNDO, later("take an act back"), Role.OPERATOR, pressed=acts.undo_pressed, layer=True
        ),
        Command(
            "incidents",
            later("the newest incidents"),
            Role.VIEWER,
            (),
            f"{COMMAND} incidents",
            reads.incidents,
        ),
        Command(
            "audit",
            later("who did what, newest first"),
            Role.VIEWER,
            (_PAGE,),
            f"{COMMAND} audit",
            reads.audit,
        ),
        Command(
            "pin",
            later("keep a dashboard in the alerts' channel, pinned and up to date"),
            Role.OPERATOR,
            (
                Argument(
                    "do",
                    "remove",
                    read_pin,
                    later("show (the usual) or remove"),
                    first=True,
                    choices=PIN_WORDS,
                ),
                _ON,
            ),
            f"{COMMAND} pin",
            boards.pin,
        ),
        Command(
            "help",
            later("this list, or one command in full"),
            Role.VIEWER,
            (Argument("command", "about", read_text, later("a command"), first=True),),
            f"{COMMAND} help search",
            _help,
        ),
    )
}

#: The actions an incident's card offers, in the order of their making.
CARD_ACTIONS = ("stop", "search", "acknowledge", RESPOND, *(action for action, _, _ in MORE))


def misnamed(settings: Settings) -> str | None:
    """Return in a sentence which remedy the settings have a rule for that there is not, if any.

    Such a rule would hold nobody, unseen.
    """
    for setting, names, known in (
        ("approval.remedies", settings.approval.remedies, REMEDIES.keys()),
        ("access.remedies", settings.access.remedies, REMEDIES.keys() | COMMANDS.keys()),
    ):
        for name in names:
            if name not in known:
                there_are = ", ".join(sorted(known))
                wrong = f"{setting} names {name!r}, which is no remedy"  # not shown
                return f"{wrong}. There are: {there_are}."  # not shown
    return None
