"""What can be done about messages: moved, put back, tried again, deleted; how it is undone."""

from collections.abc import Sequence

from services.language import later, later_n, tr, trn
from services.mail.port import DELIVERING, Fate, MessageResult, Queue, SpoolQuery
from services.people import Role
from services.remedy import Aim, Remedy, Result
from services.targets import Undo
from services.words import sentences, span

#: The most messages one act takes on; a larger spool takes several.
MAX_MESSAGES = 100_000
#: The most that are tried again at once: Postfix takes a call for each.
MAX_RETRIED = 1_000
#: Where deleted messages wait until they are purged.
DELETED = "deleted"
REVIEW = "review"
#: What was done to so many messages.
HELD = later_n("{n} message held", "{n} messages held")
RELEASED = later_n("{n} message released", "{n} messages released")
_MOVED = later_n("{n} message moved", "{n} messages moved")
_MOVED_BACK = later_n(
    "{n} message moved back to its folder", "{n} messages moved back to its folder"
)
_PUT_BACK = later_n("{n} message put back", "{n} messages put back")
_REQUEUED = later_n("{n} message put back in the queue", "{n} messages put back in the queue")
_RETRIED = later_n("{n} message tried again", "{n} messages tried again")
#: Of a message that left, is held or in a folder by now.
_NOT_WAITING = later("{n} no longer waiting")
_DELETED = later_n("{n} message deleted", "{n} messages deleted")


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
        tr("To the folder {folder}: {moved}", folder=folder, moved=tally(results, _MOVED)),
        tuple(results),
        undo,
        ok=all_well(results),
    )


async def _to_folder(aim: Aim, folder: str) -> tuple[list[MessageResult], Undo]:
    """Move the messages; what lay in a folder already must not go to the queue when undone."""
    folders = aim.before.moved_from if aim.before else await _folders_of(aim)
    aim.progress.expect(len(aim.target.queue_ids))
    results = await aim.server.move(aim.target.queue_ids, folder, tell=aim.progress.part())
    done = with_fate(results, Fate.DONE)
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
    return Result(tally(results, _PUT_BACK), tuple(results), ok=all_well(results))


async def _look_folders(aim: Aim) -> Undo:
    return Undo(restored_from=await _folders_of(aim))


async def _restore(aim: Aim) -> Result:
    folders = aim.before.restored_from if aim.before else await _folders_of(aim)
    aim.progress.expect(len(aim.target.queue_ids))
    results = await aim.server.restore(aim.target.queue_ids, tell=aim.progress.part())
    return Result(
        tally(results, _REQUEUED),
        tuple(results),
        Undo(restored_from=_only(folders, with_fate(results, Fate.DONE))),
        ok=all_well(results),
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
    return Result(tally(results, _MOVED_BACK), tuple(results), ok=all_well(results))


async def _retry(aim: Aim) -> Result:
    aim.progress.expect(len(aim.target.queue_ids))
    results = await aim.server.retry(aim.target.queue_ids, tell=aim.progress.part())
    return Result(tally(results, _RETRIED, gone=_NOT_WAITING), tuple(results), ok=all_well(results))


async def _delete(aim: Aim) -> Result:
    if aim.target.permanent:
        aim.progress.expect(len(aim.target.queue_ids))
        results = await aim.server.delete(aim.target.queue_ids, tell=aim.progress.part())
        said = tr("For good: {deleted}", deleted=tally(results, _DELETED))
        return Result(said, tuple(results), ok=all_well(results))
    results, undo = await _to_folder(aim, DELETED)
    return Result(
        sentences(
            tally(results, _DELETED),
            tr("They can be brought back for {time}.", time=span(aim.kept)),
        ),
        tuple(results),
        undo,
        ok=all_well(results),
    )


def too_many(number: int, most: int) -> str:
    """Return the sentence that refuses to act on so many messages."""
    return tr(
        "That is {number} messages, and at most {most} are tried again at once, as a mail server "
        "may take them one by one. Nothing was done. Choose fewer: by sender:, to:, subject: or "
        "older:, such as older:2h.",
        number=number,
        most=most,
    )


def with_fate(results: Sequence[MessageResult], fate: Fate) -> tuple[str, ...]:
    """Return the ids of the messages that met a fate."""
    return tuple(result.queue_id for result in results if result.fate is fate)


def all_well(results: Sequence[MessageResult]) -> bool:
    """Tell whether it failed with no message."""
    return not any(result.fate is Fate.FAILED for result in results)


def tally(
    results: Sequence[MessageResult],
    done: tuple[str, str],
    *,
    gone: str = later("{n} already gone"),
) -> str:
    """Return "1,812 messages held; 3 already gone."; ``done`` is one of the pairs above."""
    said = [trn(*done, len(with_fate(results, Fate.DONE)))]
    if number := len(with_fate(results, Fate.GONE)):
        said.append(tr(gone, n=number))
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


MESSAGE_REMEDIES = (
    Remedy(
        "move",
        later("moving messages"),
        Role.OPERATOR,
        _move,
        _undo_move,
        _look_messages,
        needs=lambda c, t: (c.quarantine,),
        reverse="restore",
    ),
    Remedy(
        "restore",
        later("putting messages back"),
        Role.OPERATOR,
        _restore,
        _undo_restore,
        _look_folders,
        needs=lambda c, t: (c.quarantine,),
        reverse="move",
    ),
    Remedy(
        "retry",
        later("trying messages again"),
        Role.OPERATOR,
        _retry,
        needs=lambda c, t: (c.retry,),
        most=MAX_RETRIED,
    ),
    Remedy(
        "delete",
        later("deleting messages"),
        Role.OPERATOR,
        _delete,
        _undo_move,
        _look_messages,
        needs=lambda c, t: (c.delete,) if t.permanent else (c.quarantine, c.delete),
        reverse="restore",
    ),
)
