"""What is true on the mail server after an act that was cut off: asked there, not guessed."""

from collections.abc import Awaitable, Callable, Mapping

from services.language import trn
from services.mail.port import DELIVERING, MailServer, Queue, SpoolQuery, UserState
from services.remedies import DELETED, MAX_MESSAGES, REVIEW
from services.targets import Target

_STATES = {
    UserState.ACTIVE: "can send and receive",
    UserState.NO_SENDING: "cannot send and still receives",
    UserState.REFUSING: "cannot send, and mail to it is refused",
}


async def truth(server: MailServer, remedy: str, target: Target) -> str:
    """Return in one sentence how what an act was aimed at stands now, "" where nothing can.

    The remedy is that of the act, or of the act that was being taken back. Raises
    MailServerError.
    """
    look = _LOOKS.get(remedy)
    return await look(server, target) if look else ""


async def _account(server: MailServer, target: Target) -> str:
    account = target.account or ""
    user = await server.user(account)
    if user is None:
        return f"Now {account} is no mailbox there."
    return f"Now {account} {_STATES[user.state]}."


async def _stopped(server: MailServer, target: Target) -> str:
    if target.accounts:
        return await _all_stopped(server, target)
    numbers = []
    for queues in (DELIVERING, (Queue.HELD,)):
        query = SpoolQuery(sender=target.account, queues=queues)
        numbers.append((await server.search(query, limit=1)).total)
    waiting, held = numbers
    said = (await _account(server, target)).removesuffix(".")
    return f"{said}; {trn('{n} message', '{n} messages', waiting)} of it waiting, {held:,} held."


async def _all_stopped(server: MailServer, target: Target) -> str:
    users = [await server.user(account) for account in target.accounts]
    active = sum(user is not None and user.state is UserState.ACTIVE for user in users)
    return f"Now {active:,} of {trn('{n} account', '{n} accounts', len(users))} can send."


async def _messages(server: MailServer, target: Target, folder: str) -> str:
    ids = frozenset(target.queue_ids)

    async def among(query: SpoolQuery) -> int:
        return len(ids & frozenset(await server.matching_ids(query, limit=MAX_MESSAGES)))

    queue = await among(SpoolQuery(queues=(*DELIVERING, Queue.HELD)))
    kept = await among(SpoolQuery(queues=(Queue.QUARANTINE,), folder=folder))
    gone = len(ids) - queue - kept
    others = f", {gone:,} elsewhere or gone" if gone else ""
    return (
        f"Now of {trn('{n} message', '{n} messages', len(ids))} {queue:,} are in the queue and {kept:,} in the "
        f"folder {folder}{others}."
    )


async def _moved(server: MailServer, target: Target) -> str:
    return await _messages(server, target, target.folder or REVIEW)


async def _deleted(server: MailServer, target: Target) -> str:
    return await _messages(server, target, DELETED)


async def _blocked(server: MailServer, target: Target) -> str:
    standing = {block.network for block in await server.blocks()}
    number = sum(network in standing for network in target.networks)
    plural = "is" if number == 1 else "are"
    return f"Now {number:,} of {trn('{n} network', '{n} networks', len(target.networks))} {plural} blocked."


async def _password(_: MailServer, target: Target) -> str:
    # No server tells whether a password was changed.
    return f"Whether {target.account} has a new password is not known, and nobody saw it."


_LOOKS: Mapping[str, Callable[[MailServer, Target], Awaitable[str]]] = {
    "stop": _stopped,
    "contain": _stopped,
    "disable": _account,
    "enable": _account,
    "move": _moved,
    "restore": _moved,
    "delete": _deleted,
    "block": _blocked,
    "unblock": _blocked,
    "password": _password,
    "end_sessions": _account,
    "delete_account": _account,
}
