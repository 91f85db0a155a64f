"""What can be done about a message, an account or an address, and how it is undone.

A remedy only acts; who may, whether it was done already, the audit log and the
telling are the pipeline's (pipeline.py). Every ``act`` may be called again with
the same target: what is already so stays so.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from services.account_remedies import ACCOUNT_REMEDIES, account_of
from services.errors import BadArgument, SpoolwardenError
from services.language import later, later_n, tr, trn
from services.mail.port import (
    DELIVERING,
    Block,
    Capabilities,
    Fate,
    MessageResult,
    Network,
    Queue,
    SpoolQuery,
    UserState,
)
from services.models import IncidentState
from services.people import Role
from services.remedy import Aim, Remedy, Result
from services.responding import JUDGE, LOOK, REPORT, RESPOND
from services.targets import Target, Undo
from services.words import listed, short, show_network, span

#: The most messages one act takes on; a larger spool takes several.
MAX_MESSAGES = 100_000
#: Where deleted messages wait until they are purged.
DELETED = "deleted"
REVIEW = "review"
#: Accounts that an act on many of them tells of one by one.
_SAID = 8
#: What was done to so many messages.
_HELD = later_n("{n} message held", "{n} messages held")
_RELEASED = later_n("{n} message released", "{n} messages released")
_MOVED = later_n("{n} message moved", "{n} messages moved")
_MOVED_BACK = later_n(
    "{n} message moved back to its folder", "{n} messages moved back to its folder"
)
_PUT_BACK = later_n("{n} message put back", "{n} messages put back")
_REQUEUED = later_n("{n} message put back in the queue", "{n} messages put back in the queue")
_DELETED = later_n("{n} message deleted", "{n} messages deleted")
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
        _sentences(whole, out, *said[:_SAID], more),
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
    return f"{stopped}; {trn(*_HELD, held)}."


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
            await server.set_user_state(account, UserState.NO_SENDING)
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
            summary=_sentences(said, out),
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
    held = _ids(results, Fate.DONE)
    return Result(
        summary=_sentences(said, _tally(results, _HELD), failed),
        messages=tuple(results),
        undo=undo.model_copy(update={"held": held}),
        incident_state=IncidentState.REMEDIED,
        ok=_ok(results) and not failed,
    )


async def _hold(aim: Aim, queue_ids: Sequence[str]) -> list[MessageResult]:
    aim.progress.expect(len(queue_ids))
    return await aim.server.hold(queue_ids, tell=aim.progress.part())


async def _undo_stop(aim: Aim, undo: Undo) -> Result:
    if undo.states:
        return await _undo_stop_all(aim, undo)
    said = await _put_state_back(aim, undo)
    if not undo.held:
        return Result(_sentences(said, tr("Nothing of it was held.")))
    aim.progress.expect(len(undo.held))
    results = await aim.server.release(undo.held, tell=aim.progress.part())
    return Result(_sentences(said, _tally(results, _RELEASED)), tuple(results), ok=_ok(results))


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
        _sentences(
            trn(
                "{n} account put back as before.",
                "{n} accounts put back as before.",
                len(reached),
            ),
            _tally(results, _RELEASED),
            *failed[:_SAID],
        ),
        tuple(results),
        ok=_ok(results) and not failed,
        reached=frozenset(reached),
    )


async def _look_messages(aim: Aim) -> Undo | None:
    if aim.target.permanent:
        return None
    moved_from = await _folders_of(aim)
    stored = {queue_id for ids in moved_from.values() for queue_id in ids}
    moved = tuple(queue_id for queue_id in aim.target.queue_ids if queue_id not in stored)
    query = SpoolQuery(queues=DELIVERING)
    delivering = set(await aim.server.matching_ids(query, limit=MAX_MESSAGES)) if moved else ()
    waiting = tuple(queue_id for queue_id in moved if queue_id in delivering)
    return Undo(moved=moved, moved_from=moved_from, waiting=waiting)


async def _move(aim: Aim) -> Result:
    folder = aim.target.folder or REVIEW
    results, undo = await _to_folder(aim, folder)
    return Result(
        tr("To the folder {folder}: {moved}", folder=folder, moved=_tally(results, _MOVED)),
        tuple(results),
        undo,
        ok=_ok(results),
    )


async def _to_folder(aim: Aim, folder: str) -> tuple[list[MessageResult], Undo]:
    """Move the messages; what lay in a folder already must not go to the queue when undone."""
    folders = aim.before.moved_from if aim.before else await _folders_of(aim)
    aim.progress.expect(len(aim.target.queue_ids))
    results = await aim.server.move(aim.target.queue_ids, folder, tell=aim.progress.part())
    done = _ids(results, Fate.DONE)
    moved_from = _only(folders, done)
    stored = {queue_id for ids in moved_from.values() for queue_id in ids}
    moved = tuple(queue_id for queue_id in done if queue_id not in stored)
    return results, Undo(moved=moved, moved_from=moved_from)


async def _undo_move(aim: Aim, undo: Undo) -> Result:
    aim.progress.expect(len(undo.in_folder))
    results = await aim.server.restore(undo.moved, tell=aim.progress.part())
    for folder, ids in undo.moved_from.items():
        results += await aim.server.move(ids, folder, tell=aim.progress.part())
    if undo.waiting:
        # Of a move that was cut off: on its way to the folder a message may have been held.
        on_hold = await aim.server.matching_ids(
            SpoolQuery(queues=(Queue.HELD,)), limit=MAX_MESSAGES
        )
        left = set(undo.waiting) & set(on_hold)
        released = await aim.server.release([i for i in undo.waiting if i in left])
        results = [result for result in results if result.queue_id not in left] + released
    return Result(_tally(results, _PUT_BACK), tuple(results), ok=_ok(results))


async def _look_folders(aim: Aim) -> Undo:
    return Undo(restored_from=await _folders_of(aim))


async def _restore(aim: Aim) -> Result:
    folders = aim.before.restored_from if aim.before else await _folders_of(aim)
    aim.progress.expect(len(aim.target.queue_ids))
    results = await aim.server.restore(aim.target.queue_ids, tell=aim.progress.part())
    return Result(
        _tally(results, _REQUEUED),
        tuple(results),
        Undo(restored_from=_only(folders, _ids(results, Fate.DONE))),
        ok=_ok(results),
    )


async def _folders_of(aim: Aim) -> dict[str, tuple[str, ...]]:
    """Return which folder holds which of the messages: what undoing needs."""
    origin: dict[str, tuple[str, ...]] = {}
    wanted = set(aim.target.queue_ids)
    for folder in await aim.server.folders():
        query = SpoolQuery(queues=(Queue.QUARANTINE,), folder=folder)
        inside = await aim.server.matching_ids(query, limit=MAX_MESSAGES)
        if mine := tuple(i for i in inside if i in wanted):
            origin[folder] = mine
    return origin


def _only(folders: dict[str, tuple[str, ...]], ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    kept = set(ids)
    some = {name: tuple(i for i in inside if i in kept) for name, inside in folders.items()}
    return {name: inside for name, inside in some.items() if inside}


async def _undo_restore(aim: Aim, undo: Undo) -> Result:
    results: list[MessageResult] = []
    aim.progress.expect(sum(len(ids) for ids in undo.restored_from.values()))
    for folder, ids in undo.restored_from.items():
        results += await aim.server.move(ids, folder, tell=aim.progress.part())
    return Result(_tally(results, _MOVED_BACK), tuple(results), ok=_ok(results))


async def _delete(aim: Aim) -> Result:
    if aim.target.permanent:
        aim.progress.expect(len(aim.target.queue_ids))
        results = await aim.server.delete(aim.target.queue_ids, tell=aim.progress.part())
        said = tr("For good: {deleted}", deleted=_tally(results, _DELETED))
        return Result(said, tuple(results), ok=_ok(results))
    results, undo = await _to_folder(aim, DELETED)
    return Result(
        _sentences(
            _tally(results, _DELETED),
            tr("They can be brought back for {time}.", time=span(aim.kept)),
        ),
        tuple(results),
        undo,
        ok=_ok(results),
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
    return Result(await _put_state_back(aim, undo))


async def _enable(aim: Aim) -> Result:
    target = aim.target.model_copy(update={"user_state": UserState.ACTIVE})
    return await _disable(Aim(aim.server, target, aim.now, aim.kept))


async def _look_blocks(aim: Aim) -> Undo:
    named = _named(aim)
    standing = await aim.server.blocks()
    return Undo(blocked=tuple(named), replaced=tuple(b for b in standing if b.network in named))


async def _look_lifted(aim: Aim) -> Undo:
    return Undo(replaced=(await _look_blocks(aim)).replaced)


async def _block(aim: Aim) -> Result:
    replaced: list[Block] = []
    blocked: list[Network] = []
    failed = ""
    for network in _named(aim):
        try:
            before = await aim.server.block(network, reason=aim.reason, lasting=aim.target.lasting)
        except SpoolwardenError as error:
            if not blocked:
                raise
            failed = tr(
                "Then it failed: {why} The other addresses were not blocked.", why=error.sentence
            )
            break
        blocked.append(network)
        if before:
            replaced.append(before)
    networks, lasting = _networks(blocked), aim.target.lasting
    said = (
        tr("SMTP from {networks} is refused for {time}.", networks=networks, time=span(lasting))
        if lasting
        else tr("SMTP from {networks} is refused until lifted.", networks=networks)
    )
    return Result(
        _sentences(said, failed),
        undo=Undo(blocked=tuple(blocked), replaced=tuple(replaced)),
        ok=not failed,
    )


async def _undo_block(aim: Aim, undo: Undo) -> Result:
    before = {block.network: block for block in undo.replaced if not _over(aim, block)}
    for network in undo.blocked:
        if network in before:
            await _put_block_back(aim, before[network])
        else:
            await aim.server.unblock(network)
    said = []
    if free := [network for network in undo.blocked if network not in before]:
        said.append(tr("{networks} may use SMTP again.", networks=_networks(free)))
    if before:
        said.append(
            trn(
                "{networks} stays blocked, as before.",
                "{networks} stay blocked, as before.",
                len(before),
                networks=_networks(list(before)),
            )
        )
    return Result(_sentences(*said))


async def _unblock(aim: Aim) -> Result:
    entries: list[Block] = []
    failed = ""
    for network in _named(aim):
        try:
            lifted = await aim.server.unblock(network)
        except SpoolwardenError as error:
            if not entries:
                raise
            failed = tr("Then it failed: {why} The other blocks stand.", why=error.sentence)
            break
        if lifted:
            entries.append(lifted)
    if not entries:
        named = _networks(aim.target.networks)
        return Result(tr("{networks} was not on the block list.", networks=named))
    lifted_now = _networks([block.network for block in entries])
    return Result(
        _sentences(tr("{networks} may use SMTP again.", networks=lifted_now), failed),
        undo=Undo(replaced=tuple(entries)),
        ok=not failed,
    )


async def _undo_unblock(aim: Aim, undo: Undo) -> Result:
    again = [block for block in undo.replaced if not _over(aim, block)]
    for block in again:
        await _put_block_back(aim, block)
    if not again:
        return Result(tr("The block would have run out by now, so it was not put back."))
    networks = _networks([block.network for block in again])
    return Result(tr("SMTP from {networks} is refused again.", networks=networks))


async def _acknowledge(_: Aim) -> Result:
    return Result(
        tr("Acknowledged: somebody is on it."),
        undo=Undo(),
        incident_state=IncidentState.ACKNOWLEDGED,
    )


async def _snooze(aim: Aim) -> Result:
    lasting = aim.target.lasting or timedelta(hours=1)
    return Result(
        tr("Snoozed for {time}.", time=span(lasting)),
        undo=Undo(),
        incident_state=IncidentState.SNOOZED,
        snoozed=lasting,
    )


async def _false_alarm(aim: Aim) -> Result:
    return Result(
        tr("A false alarm: this much is remembered as ordinary for each of these senders.")
        if len(aim.target.accounts) > 1
        else tr("A false alarm: this much is remembered as ordinary for this sender."),
        undo=Undo(),
        incident_state=IncidentState.FALSE_ALARM,
        teach=True,
    )


async def _undo_false_alarm(_: Aim, __: Undo) -> Result:
    return Result(tr("Taken back: what it taught is forgotten, and the incident is open again."))


async def _forget(_: Aim) -> Result:
    return Result(tr("Forgotten: it tunes the detector no more."), undo=Undo())


async def _undo_forget(_: Aim, __: Undo) -> Result:
    return Result(tr("Remembered again."))


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
        _sentences(_tally(results, _HELD), tr("The account was not touched.")),
        tuple(results),
        Undo(account=aim.target.account, held=_ids(results, Fate.DONE)),
        ok=_ok(results),
    )


async def _respond(_: Aim) -> Result:
    return Result(
        tr("Responding: the steps are below, each with its button."),
        incident_state=IncidentState.ACKNOWLEDGED,
    )


async def _looked(_: Aim) -> Result:
    return Result(tr("Looked at who sends and what is unusual about it."))


async def _judged(_: Aim) -> Result:
    return Result(tr("Judged the messages: they are spam."))


async def _reported(_: Aim) -> Result:
    return Result(tr("Took the summary, to report it."))


async def _undo_state(_: Aim, __: Undo) -> Result:
    return Result(tr("Taken back."))


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


async def _put_block_back(aim: Aim, block: Block) -> None:
    lasting = block.until - aim.now if block.until else None
    await aim.server.block(block.network, reason=block.reason, lasting=lasting)


def _over(aim: Aim, block: Block) -> bool:
    """Tell whether an entry would have run out by now."""
    return block.until is not None and block.until <= aim.now


def _named(aim: Aim) -> Sequence[Network]:
    if not aim.target.networks:
        raise BadArgument(tr("No address was named. Nothing was done."))
    return aim.target.networks


def _ids(results: Sequence[MessageResult], fate: Fate) -> tuple[str, ...]:
    return tuple(result.queue_id for result in results if result.fate is fate)


def _ok(results: Sequence[MessageResult]) -> bool:
    return not any(result.fate is Fate.FAILED for result in results)


def _tally(results: Sequence[MessageResult], done: tuple[str, str]) -> str:
    """Return "1,812 messages held; 3 already gone."; ``done`` is one of the pairs above."""
    said = [trn(*done, len(_ids(results, Fate.DONE)))]
    if gone := len(_ids(results, Fate.GONE)):
        said.append(tr("{n} already gone", n=gone))
    failed = [result for result in results if result.fate is Fate.FAILED]
    if failed:
        said.append(
            tr(
                "{n} FAILED ({why}); try those again",
                n=len(failed),
                why=failed[0].why,
            )
        )
    return "; ".join(said) + "."


def _sentences(*said: str) -> str:
    """Return sentences one after the other, leaving out empty ones."""
    return " ".join(filter(None, said))


def _networks(networks: Sequence[Network]) -> str:
    names = [show_network(network) for network in networks]
    more = tr("{n} more", n=len(names) - 4)
    return listed(names if len(names) <= 5 else [*names[:4], more])


REMEDIES = {
    remedy.name: remedy
    for remedy in (
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
        ),
        Remedy(
            "move",
            later("moving messages"),
            Role.OPERATOR,
            _move,
            _undo_move,
            _look_messages,
            needs=lambda c, t: (c.quarantine,),
        ),
        Remedy(
            "restore",
            later("putting messages back"),
            Role.OPERATOR,
            _restore,
            _undo_restore,
            _look_folders,
            needs=lambda c, t: (c.quarantine,),
        ),
        Remedy(
            "delete",
            later("deleting messages"),
            Role.OPERATOR,
            _delete,
            _undo_move,
            _look_messages,
            needs=lambda c, t: (c.delete,) if t.permanent else (c.quarantine, c.delete),
        ),
        Remedy(
            "disable",
            later("disabling the account"),
            Role.OPERATOR,
            _disable,
            _undo_disable,
            _look_account,
            needs=lambda c, t: (
                c.refusing if t.user_state is UserState.REFUSING else c.no_sending,
            ),
            changes_account=True,
        ),
        Remedy(
            "enable",
            later("enabling the account"),
            Role.OPERATOR,
            _enable,
            _undo_disable,
            _look_account,
            needs=lambda c, t: (c.no_sending,),
        ),
        Remedy(
            "block",
            later("blocking addresses"),
            Role.OPERATOR,
            _block,
            _undo_block,
            _look_blocks,
            needs=lambda c, t: (c.block,),
        ),
        Remedy(
            "unblock",
            later("lifting blocks"),
            Role.OPERATOR,
            _unblock,
            _undo_unblock,
            _look_lifted,
            needs=lambda c, t: (c.block,),
        ),
        Remedy(
            "acknowledge",
            later("acknowledging"),
            Role.OPERATOR,
            _acknowledge,
            _undo_state,
            once=True,
        ),
        Remedy("snooze", later("snoozing"), Role.OPERATOR, _snooze, _undo_state),
        Remedy(
            "false_alarm",
            later("closing it as a false alarm"),
            Role.OPERATOR,
            _false_alarm,
            _undo_false_alarm,
        ),
        Remedy("forget", later("forgetting what was taught"), Role.OPERATOR, _forget, _undo_forget),
        Remedy(
            "contain",
            later("holding what it sends"),
            Role.OPERATOR,
            _contain,
            _undo_stop,
            _look_contain,
            needs=lambda c, t: (c.hold, c.no_sending) if t.user_state else (c.hold,),
            changes_account=True,
        ),
        Remedy(RESPOND, later("beginning the response"), Role.OPERATOR, _respond, once=True),
        Remedy(LOOK, later("looking at who sends"), Role.OPERATOR, _looked, once=True),
        Remedy(JUDGE, later("judging the messages"), Role.OPERATOR, _judged, once=True),
        Remedy(REPORT, later("reporting it"), Role.OPERATOR, _reported, once=True),
        *ACCOUNT_REMEDIES,
    )
}


def lacking(action: str, capabilities: Capabilities, target: Target) -> str | None:
    """Return the sentence why a server can't do this; None where it can, or for no remedy."""
    remedy = REMEDIES.get(action)
    needs = remedy.needs(capabilities, target) if remedy else ()
    return next((capability.why for capability in needs if not capability.able), None)
