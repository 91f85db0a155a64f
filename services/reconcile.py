"""What is true on the mail server after an act that was cut off: asked there, not guessed."""

from collections.abc import Awaitable, Callable, Mapping

from services.language import later, tr, trn
from services.mail.port import DELIVERING, MailServer, Queue, SpoolQuery, UserState
from services.message_remedies import DELETED, MAX_MESSAGES, REVIEW
from services.targets import Target

#: How an account stands; None where it is no mailbox. ``more`` goes on in the same sentence.
_NOW = {
    UserState.ACTIVE: later("Now {account} can send and receive{more}."),
    UserState.NO_SENDING: later("Now {account} cannot send and still receives{more}."),
    UserState.REFUSING: later("Now {account} cannot send, and mail to it is refused{more}."),
    None: later("Now {account} is no mailbox there{more}."),
}


async def truth(server: MailServer, remedy: str, target: Target) -> str:
    """Return in one sentence how what an act was aimed at stands now, "" where nothing can.

    The remedy is that of the act, or of the act that was being taken back. Raises
    MailServerError.
    """
    look = _LOOKS.get(remedy)
    return await look(server, target) if look else ""


async def _account(server: MailServer, target: Target) -> str:
    return await _now(server, target.account or "")


async def _now(server: MailServer, account: str, more: str = "") -> str:
    user = await server.user(account)
    return tr(_NOW[None if user is None else user.state], account=account, more=more)


async def _stopped(server: MailServer, target: Target) -> str:
    if target.accounts:
        return await _all_stopped(server, target)
    numbers = []
    for queues in (DELIVERING, (Queue.HELD,)):
        query = SpoolQuery(sender=target.account, queues=queues)
        numbers.append((await server.search(query, limit=1)).total)
    waiting, held = numbers
    more = trn(
        "; {n} message of it waiting, {held} held",
        "; {n} messages of it waiting, {held} held",
        waiting,
        held=held,
    )
    return await _now(server, target.account or "", more)


async def _all_stopped(server: MailServer, target: Target) -> str:
    users = [await server.user(account) for account in target.accounts]
    active = sum(user is not None and user.state is UserState.ACTIVE for user in users)
    return trn(
        "Now {active} of {n} account can send.",
        "Now {active} of {n} accounts can send.",
        len(users),
        active=active,
    )


async def _messages(server: MailServer, target: Target, folder: str) -> str:
    ids = frozenset(target.queue_ids)

    async def among(query: SpoolQuery) -> int:
        return len(ids & frozenset(await server.matching_ids(query, limit=MAX_MESSAGES)))

    queue = await among(SpoolQuery(queues=(*DELIVERING, Queue.HELD)))
    kept = await among(SpoolQuery(queues=(Queue.QUARANTINE,), folder=folder))
    gone = len(ids) - queue - kept
    return trn(
        "Now of {n} message {queue} are in the queue and {kept} in the folder {folder}{others}.",
        "Now of {n} messages {queue} are in the queue and {kept} in the folder {folder}{others}.",
        len(ids),
        queue=queue,
        kept=kept,
        folder=folder,
        others=tr(", {n} elsewhere or gone", n=gone) if gone else "",
    )


async def _moved(server: MailServer, target: Target) -> str:
    return await _messages(server, target, target.folder or REVIEW)


async def _deleted(server: MailServer, target: Target) -> str:
    return await _messages(server, target, DELETED)


async def _waiting(server: MailServer, target: Target) -> str:
    query = SpoolQuery(queues=DELIVERING)
    left = frozenset(await server.matching_ids(query, limit=MAX_MESSAGES))
    ids = frozenset(target.queue_ids)
    return trn(
        "Now {waiting} of {n} message still waits.",
        "Now {waiting} of {n} messages still wait.",
        len(ids),
        waiting=len(ids & left),
    )


async def _blocked(server: MailServer, target: Target) -> str:
    standing = {block.network for block in await server.blocks()}
    number = sum(network in standing for network in target.networks)
    return trn(
        "Now {n} {of_all} is blocked.",
        "Now {n} {of_all} are blocked.",
        number,
        of_all=trn("of {n} network", "of {n} networks", len(target.networks)),
    )


async def _password(_: MailServer, target: Target) -> str:
    # No server tells whether a password was changed.
    return tr(
        "Whether {account} has a new password is not known, and nobody saw it.",
        account=target.account,
    )


_LOOKS: Mapping[str, Callable[[MailServer, Target], Awaitable[str]]] = {
    "stop": _stopped,
    "contain": _stopped,
    "disable": _account,
    "enable": _account,
    "move": _moved,
    "restore": _moved,
    "retry": _waiting,
    "delete": _deleted,
    "block": _blocked,
    "unblock": _blocked,
    "password": _password,
    "end_sessions": _account,
    "delete_account": _account,
}
