"""What an incident's buttons are aimed at."""

from services.hosts import host_of
from services.mail.port import MailServer, SpoolQuery
from services.targets import Target

_ON_MESSAGES = ("move", "delete", "search")
#: What can be done at once with the messages of all accounts of a campaign.
ON_ALL_MESSAGES = ("move", "delete")
#: What can be done about a host of our own, which has no account and is never blocked.
_ON_HOSTS = (*_ON_MESSAGES, "acknowledge", "snooze", "false_alarm")


def fits(action: str, sender: str) -> bool:
    """Return whether an incident of this sender has that button."""
    return host_of(sender) is None or action in _ON_HOSTS


def aim(action: str, sender: str, server: MailServer | None) -> Target:
    """Return the target of a button on an incident of a sender."""
    query = _query_of(sender) if action in _ON_MESSAGES else None
    return Target(account=sender, query=query, permanent=_for_good(action, server))


def aim_at_all(action: str, senders: tuple[str, ...], server: MailServer | None) -> Target:
    """Return the target of a button on a campaign of several senders."""
    return Target(accounts=senders, permanent=_for_good(action, server))


async def matching(server: MailServer, target: Target, limit: int) -> tuple[str, ...]:
    """Return the messages that a target's query finds, or all those of its several senders."""
    if target.query is not None:
        return await server.matching_ids(target.query, limit=limit)
    found: dict[str, None] = {}
    for sender in target.accounts:
        if (left := limit - len(found)) > 0:
            found |= dict.fromkeys(await server.matching_ids(_query_of(sender), limit=left))
    return tuple(found)


def _query_of(sender: str) -> SpoolQuery:
    host = host_of(sender)
    return SpoolQuery(sender=sender) if host is None else SpoolQuery(client_ip=host)


def _for_good(action: str, server: MailServer | None) -> bool:
    # Where nothing can be kept in a folder, deleting is for good, and an admin's.
    return action == "delete" and server is not None and not server.capabilities.quarantine.able
