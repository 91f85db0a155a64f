"""Our own hosts that send without a login: each counts as one sender, by its address.

They have no account, so nothing can be disabled; what they have in the spool is found by
the address that it came from.
"""

from collections.abc import Collection
from ipaddress import ip_network

from services.mail.port import DELIVERING, MailServer, Network, Queue, SenderSpool, SpoolQuery


def sender_of(client_ip: str) -> str:
    """Return what a host is called as a sender; no account can be called so."""
    return f"[{client_ip}]"


def host_of(sender: str) -> Network | None:
    """Return the address of a sender that is a host, None where it is an account."""
    if not (sender.startswith("[") and sender.endswith("]")):
        return None
    try:
        return ip_network(sender[1:-1])
    except ValueError:
        return None


async def spool_of(server: MailServer, senders: Collection[str]) -> dict[str, SenderSpool]:
    """Return what each sender, host or account, has in the spool. Raises ServerDown."""
    hosts = {sender: host for sender in senders if (host := host_of(sender)) is not None}
    found = dict(await server.spool_of([name for name in senders if name not in hosts]))
    for sender, host in hosts.items():
        waiting, held = [
            (await server.search(SpoolQuery(client_ip=host, queues=queues), limit=1)).total
            for queues in (DELIVERING, (Queue.HELD,))
        ]
        found[sender] = SenderSpool(waiting, held)
    return found
