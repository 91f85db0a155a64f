"""All that is cut off: each remedy, its undo, and all else by two persons or by the bot itself."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from services.mail.port import SpoolQuery, UserState
from services.remedy import Remedy
from services.targets import Target

from ..mail.harness import ANN, BOB
from ..services.bench import ADMIN
from .alone import Contained, Ended, GoneOn, Mended, Purged
from .kinds import (
    BLOCKED,
    EVIDENCE,
    FOR_A_TIME,
    FREE,
    WIDE,
    Act,
    Approved,
    Asked,
    Case,
    Declined,
    HandedOn,
    Lapsed,
    OfCampaign,
    Undone,
)

_OF_ANN = SpoolQuery(sender=ANN)
_WAITING = SpoolQuery(subject="waits")

STOP = Act("stop", "stop", Target(account=ANN))
DISABLE = Act("disable", "disable", Target(account=ANN))
REFUSE = Act("disable, refusing", "disable", Target(account=ANN, user_state=UserState.REFUSING))
FOR_AN_HOUR = Act("disable for an hour", "disable", Target(account=ANN, lasting=timedelta(hours=1)))
ENABLE = Act("enable", "enable", Target(account=BOB), on_incident=False)
MOVE = Act("move", "move", Target(query=_OF_ANN, folder="review"))
RESTORE = Act("restore", "restore", Target(query=SpoolQuery(folder=EVIDENCE)), on_incident=False)
RETRY = Act("retry", "retry", Target(query=_WAITING), on_incident=False)
DELETE = Act("delete", "delete", Target(query=_OF_ANN))
FOR_GOOD = Act("delete for good", "delete", Target(query=_WAITING, permanent=True), ADMIN)
BLOCK = Act(
    "block", "block", Target(networks=(FREE, BLOCKED, FOR_A_TIME), lasting=timedelta(days=1))
)
UNBLOCK = Act("unblock", "unblock", Target(networks=(BLOCKED, FOR_A_TIME)), on_incident=False)
ACKNOWLEDGE = Act("acknowledge", "acknowledge", Target(account=ANN))
SNOOZE = Act("snooze", "snooze", Target(account=ANN, lasting=timedelta(minutes=20)))
FALSE_ALARM = Act("false alarm", "false_alarm", Target(account=ANN))
FORGET = Act("forget", "forget", Target(account=ANN, lesson=1))
CONTAIN = Act("contain", "contain", Target(account=ANN))
CONTAIN_OFF = Act(
    "contain, disabling", "contain", Target(account=ANN, user_state=UserState.NO_SENDING)
)
STOP_ALL = OfCampaign("stop a campaign", "stop", Target(accounts=(ANN, BOB)))
STOP_ONE = OfCampaign("stop one of a campaign", "stop", Target(account=BOB))
PASSWORD = Act("new password", "password", Target(account=ANN))
HANDED_ON = HandedOn("new password, handed on", "password", Target(account=ANN))
END_SESSIONS = Act("end sessions", "end_sessions", Target(account=ANN))
DELETE_ACCOUNT = Act(
    "delete account",
    "delete_account",
    Target(account=BOB),
    ADMIN,
    on_incident=False,
)
RESPONDING = Act("respond", "respond", Target(account=ANN))
LOOKING = Act("look", "look", Target(account=ANN))
JUDGING = Act("judge", "judge", Target(account=ANN))
REPORTING = Act("reported", "reported", Target(account=ANN))
BLOCK_WIDE = Act("block widely", "block", Target(networks=(WIDE,)), on_incident=False)

_ACTS = (
    STOP, DISABLE, REFUSE, FOR_AN_HOUR, ENABLE, MOVE, RESTORE, RETRY, DELETE, FOR_GOOD, BLOCK,
    UNBLOCK, ACKNOWLEDGE, SNOOZE, FALSE_ALARM, FORGET, CONTAIN, CONTAIN_OFF, STOP_ALL, STOP_ONE,
    PASSWORD, HANDED_ON, END_SESSIONS, DELETE_ACCOUNT, RESPONDING, LOOKING, JUDGING, REPORTING,
)  # fmt: skip
CASES: Sequence[Case] = (
    *_ACTS,
    *(Undone(act) for act in _ACTS if not act.lasts),
    Asked(BLOCK_WIDE),
    Approved("approve", BLOCK_WIDE),
    Declined(BLOCK_WIDE),
    Lapsed(BLOCK_WIDE),
    Ended(FOR_AN_HOUR),
    Contained(),
    GoneOn(CONTAIN),
    Purged(DELETE),
    Mended(STOP),
)
BY_NAME: Mapping[str, Case] = {case.name: case for case in CASES}


def untried(remedies: Mapping[str, Remedy], cases: Sequence[Case]) -> Iterator[str]:
    """Yield each remedy, and each one's undo, that no case cuts off."""
    acts = {case.action for case in cases if isinstance(case, Act)}
    undos = {case.of.action for case in cases if isinstance(case, Undone)}
    for name, remedy in remedies.items():
        if name not in acts:
            yield name
        if remedy.undo is not None and name not in undos:
            yield f"undo {name}"
