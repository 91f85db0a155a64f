"""What an incident's buttons are aimed at."""

from services.mail.port import MailServer, SpoolQuery
from services.targets import Target

_ON_MESSAGES = ("move", "delete", "search")


def aim(action: str, sender: str, server: MailServer | None) -> Target:
    """Return the target of a button on an incident of a sender."""
    query = SpoolQuery(sender=sender) if action in _ON_MESSAGES else None
    # Where nothing can be kept in a folder, deleting is for good, and an admin's.
    permanent = (
        action == "delete" and server is not None and not server.capabilities.quarantine.able
    )
    return Target(account=sender, query=query, permanent=permanent)
