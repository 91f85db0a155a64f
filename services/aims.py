"""What an incident's buttons are aimed at."""

from services.hosts import host_of
from services.mail.port import MailServer, SpoolQuery
from services.targets import Target

_ON_MESSAGES = ("move", "delete", "search")
#: What can be done about a host of our own, which has no account and is never blocked.
_ON_HOSTS = (*_ON_MESSAGES, "acknowledge", "snooze", "false_alarm")


def fits(action: str, sender: str) -> bool:
    """Return whether an incident of this sender has that button."""
    return host_of(sender) is None or action in _ON_HOSTS


def aim(action: str, sender: str, server: MailServer | None) -> Target:
    """Return the target of a button on an incident of a sender."""
    host = host_of(sender)
    by = SpoolQuery(sender=sender) if host is None else SpoolQuery(client_ip=host)
    query = by if action in _ON_MESSAGES else None
    # Where nothing can be kept in a folder, deleting is for good, and an admin's.
    permanent = (
        action == "delete" and server is not None and not server.capabilities.quarantine.able
    )
    return Target(account=sender, query=query, permanent=permanent)
