"""What keeps accounts from sending: stopped, disabled, what they have waiting held; and undone."""

from collections.abc import Sequence
from dataclasses import replace

from services.account_remedies import account_of
from services.errors import SpoolwardenError
from services.language import later, tr, trn
from services.mail.port import DELIVERING, Fate, MessageResult, SpoolQuery, UserState
from services.message_remedies import HELD, MAX_MESSAGES, RELEASED, all_well, tally, with_fate
from services.models import IncidentState
from services.people import Role
from services.remedy import Aim, Remedy, Result
from services.targets import Target, Undo
from services.words import sentences, short, span

#: Accounts that an act on many of them tells of one by one.
_SAID = 8
#: What an account can do from now on.
_CAN = {
    UserState.NO_SENDING: later("{account} can no longer send and still receives{more}."),
    UserState.REFUSING: later("{account} can no longer send, and mail to it is refused{more}."),
    UserState.ACTIVE: later("{account} can send and receive again{more}."),
}
_STATES = {
    UserState.NO_SENDING: later("no-sending"),
    UserState.REFUSING: later("refusing"),
    UserState.ACTIVE: later("active"),
}


async def _look_account(aim: Aim) -> Undo:
    account = account_of(aim)
    user = await aim.server.user(account)
    return Undo(account=account, user_state=None if user is None else user.state)


async def _look_stop(aim: Aim) -> Undo:
    if aim.target.accounts:
        each = [await _look_stop(_one(aim, account)) for account in aim.target.accounts]
        states = {one.account: one.user_state for one in each if one.account is not None}
        return Undo(states=states, held=tuple(i for one in each for i in one.held))
    before = await _look_account(aim)
    if not aim.server.capabilities.hold.able:
        return before
    query = SpoolQuery(sender=before.account, queues=DELIVERING)
    return before.model_copy(
        update={"held": await aim.server.matching_ids(query, limit=MAX_MESSAGES)}
    )


def _one(aim: Aim, account: str) -> Aim:
    """Return the aim at one account of several."""
    return replace(aim, target=Target(account=account), before=None)


async def _stop_all(aim: Aim) -> Result:
    """Stop each account by itself: what fails with one keeps no other from being stopped."""
    said: list[str] = []
    messages: list[MessageResult] = []
    states: dict[str, UserState | None] = {}
    held: list[str] = []
    reached: set[str] = set()
    for account in aim.target.accounts:
        try:
            result = await _stop(_one(aim, account))
        except SpoolwardenError as error:
            name = short(account, 80)
            said.insert(0, tr("{account} was not stopped: {why}", account=name, why=error.sentence))
            continue
        if result.ok:
            reached.add(account.lower())
            number = result.tally()[Fate.DONE.value]
            said.append(tr("{account}: {n} held.", account=short(account, 80), n=number))
        else:
            said.insert(0, result.summary)
        messages += result.messages
        if result.undo is not None:
            states[account] = result.undo.user_state
            held += result.undo.held
    lacks = aim.server.capabilities.hold
    out = "" if lacks.able else tr("What they have waiting goes out. {why}", why=lacks.why)
    more = tr("And {n} more.", n=len(said) - _SAID) if len(said) > _SAID else ""
    whole = _stopped(len(reached), len(aim.target.accounts), len(held))
    return Result(
        sentences(whole, out, *said[:_SAID], more),
        tuple(messages),
        Undo(states=states, held=tuple(held)),
        ok=len(reached) == len(aim.target.accounts),
        incident_state=IncidentState.REMEDIED,
        reached=frozenset(reached),
    )


def _stopped(number: int, of: int, held: int) -> str:
    stopped = (
        trn(
            "{n} of {accounts} can no longer send and still receives",
            "{n} of {accounts} can no longer send and still receive",
            number,
            accounts=trn("{n} account", "{n} accounts", of),
        )
        if number < of
        else trn(
            "{n} account can no longer send and still receives",
            "{n} accounts can no longer send and still receive",
            of,
        )
    )
    return f"{stopped}; {trn(*HELD, held)}."


async def _stop(aim: Aim) -> Result:
    if aim.target.accounts:
        return await _stop_all(aim)
    account, server = account_of(aim), aim.server
    before = aim.before or await _look_stop(aim)
    undo = before.model_copy(update={"held": ()})
    match before.user_state:
        case None:
            said = tr(
                "{account} is no mailbox here, so there was nothing to disable.", account=account
            )
        case UserState.ACTIVE:
            # Somebody else may have disabled it since that was looked at.
            state = await server.set_user_state(account, UserState.NO_SENDING)
            undo = undo.model_copy(update={"user_state": state})
            said = tr(_CAN[UserState.NO_SENDING], account=account, more="")
        case state:
            said = tr(
                "{account} was already disabled ({state}).",
                account=account,
                state=tr(_STATES[state]),
            )
    results: list[MessageResult] = []
    failed = ""
    if not server.capabilities.hold.able:
        out = tr("What it has waiting goes out. {why}", why=server.capabilities.hold.why)
        return Result(
            summary=sentences(said, out),
            undo=undo,
            incident_state=IncidentState.REMEDIED,
        )
    try:
        if before.held:
            results += await _hold(aim, before.held)
        # Messages accepted before it was disabled, or while these were being held.
        query = SpoolQuery(sender=account, queues=DELIVERING)
        for _ in range(2):
            ids = await server.matching_ids(query, limit=MAX_MESSAGES)
            if not ids:
                break
            results += await _hold(aim, ids)
    except SpoolwardenError as error:
        # The account is disabled by now; that must be told, and must be undoable.
        failed = tr(
            "Then it failed: {why} What waits may still go out; stop it again.", why=error.sentence
        )
    held = with_fate(results, Fate.DONE)
    return Result(
        summary=sentences(said, tally(results, HELD), failed),
        messages=tuple(results),
        undo=undo.model_copy(update={"held": held}),
        incident_state=IncidentState.REMEDIED,
        ok=all_well(results) and not failed,
    )


async def _hold(aim: Aim, queue_ids: Sequence[str]) -> list[MessageResult]:
    aim.progress.expect(len(queue_ids))
    return await aim.server.hold(queue_ids, tell=aim.progress.part())


async def _undo_stop(aim: Aim, undo: Undo) -> Result:
    if undo.states:
        return await _undo_stop_all(aim, undo)
    said = await _put_state_back(aim, undo)
    if not undo.held:
        return Result(sentences(said, tr("Nothing of it was held.")))
    aim.progress.expect(len(undo.held))
    results = await aim.server.release(undo.held, tell=aim.progress.part())
    return Result(sentences(said, tally(results, RELEASED)), tuple(results), ok=all_well(results))


async def _undo_stop_all(aim: Aim, undo: Undo) -> Result:
    failed: list[str] = []
    reached: set[str] = set()
    for account, state in undo.states.items():
        try:
            await _put_state_back(aim, Undo(account=account, user_state=state))
            reached.add(account.lower())
        except SpoolwardenError as error:
            failed.append(
                tr(
                    "{account} is as it was stopped: {why}",
                    account=short(account, 80),
                    why=error.sentence,
                )
            )
    aim.progress.expect(len(undo.held))
    results = await aim.server.release(undo.held, tell=aim.progress.part()) if undo.held else []
    return Result(
        sentences(
            trn(
                "{n} account put back as before.",
                "{n} accounts put back as before.",
                len(reached),
            ),
            tally(results, RELEASED),
            *failed[:_SAID],
        ),
        tuple(results),
        ok=all_well(results) and not failed,
        reached=frozenset(reached),
    )


async def _disable(aim: Aim) -> Result:
    account = account_of(aim)
    state = aim.target.user_state or UserState.NO_SENDING
    before = await aim.server.set_user_state(account, state)
    more = tr(" (it was so already)") if before is state else ""
    more += tr(", for {time}", time=span(aim.target.lasting)) if aim.target.lasting else ""
    return Result(
        tr(_CAN[state], account=account, more=more),
        undo=Undo(account=account, user_state=before),
        incident_state=(
            IncidentState.OPEN if state is UserState.ACTIVE else IncidentState.REMEDIED
        ),
    )


async def _undo_disable(aim: Aim, undo: Undo) -> Result:
    if aim.by_itself and undo.accounts:
        # Its time is over, and whatever somebody has made of the account since stands.
        account = account_of(aim)
        user = await aim.server.user(account)
        if user is None:
            return Result(tr("{account} is no mailbox here any more.", account=account))
        as_done = aim.target.user_state or UserState.NO_SENDING
        if user.state not in (as_done, undo.user_state):
            state = tr(_STATES[user.state])
            return Result(
                tr("{account} is {state} since, and stays so.", account=account, state=state)
            )
    return Result(await _put_state_back(aim, undo))


async def _enable(aim: Aim) -> Result:
    target = aim.target.model_copy(update={"user_state": UserState.ACTIVE})
    return await _disable(Aim(aim.server, target, aim.now, aim.kept))


async def _look_contain(aim: Aim) -> Undo:
    before = await _look_stop(aim)
    return before if aim.target.user_state else before.model_copy(update={"user_state": None})


async def _contain(aim: Aim) -> Result:
    """Hold what an account has waiting; disable it only where the target says so."""
    if aim.target.user_state is not None:
        return replace(await _stop(aim), incident_state=None)
    query = SpoolQuery(sender=account_of(aim), queues=DELIVERING)
    ids = await aim.server.matching_ids(query, limit=MAX_MESSAGES)
    results = await _hold(aim, ids) if ids else []
    return Result(
        sentences(tally(results, HELD), tr("The account was not touched.")),
        tuple(results),
        Undo(account=aim.target.account, held=with_fate(results, Fate.DONE)),
        ok=all_well(results),
    )


async def _put_state_back(aim: Aim, undo: Undo) -> str:
    if undo.account is None or undo.user_state is None:
        return ""
    await aim.server.set_user_state(undo.account, undo.user_state)
    if undo.user_state is UserState.ACTIVE:
        return tr("{account} can send again.", account=undo.account)
    return tr(
        "{account} is {state}, as before.",
        account=undo.account,
        state=tr(_STATES[undo.user_state]),
    )


STOP_REMEDIES = (
    Remedy(
        "stop",
        later("stopping its sending"),
        Role.OPERATOR,
        _stop,
        _undo_stop,
        _look_stop,
        needs=lambda c, t: (c.no_sending,),
        changes_account=True,
        once=True,
        reverse="enable",
    ),
    Remedy(
        "disable",
        later("disabling the account"),
        Role.OPERATOR,
        _disable,
        _undo_disable,
        _look_account,
        needs=lambda c, t: (c.refusing if t.user_state is UserState.REFUSING else c.no_sending,),
        changes_account=True,
        reverse="enable",
    ),
    Remedy(
        "enable",
        later("enabling the account"),
        Role.OPERATOR,
        _enable,
        _undo_disable,
        _look_account,
        needs=lambda c, t: (c.no_sending,),
        reverse="disable",
    ),
    Remedy(
        "contain",
        later("holding what it sends"),
        Role.OPERATOR,
        _contain,
        _undo_stop,
        _look_contain,
        needs=lambda c, t: (c.hold, c.no_sending) if t.user_state else (c.hold,),
        changes_account=True,
        reverse="restore",
    ),
)
