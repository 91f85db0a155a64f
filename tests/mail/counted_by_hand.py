"""The logs of mail servers counted by hand, with no part of the bot's own readers.

Each gives all that a report should say: the whole, what each address sent, and what it got.
"""

import re
from collections import Counter
from collections.abc import Iterable

from services.reports import Tally

Counted = tuple[Tally, Counter[str], Counter[str]]
_CLIENT = re.compile(r"smtpd\[\d+\]: (\w+): client=[^,\s]+(?:, .*sasl_username=(\S+))?")
_BAD = re.compile(r": (\w+): to=<[^>]*>.*?, relay=([^,]*),.* status=(deferred|bounced) ")
_TO = re.compile(r": (\w+): to=<([^>]*)>")
_SAID = re.compile(r"\[[\d.]+\] ?\[(\d+)\] (.*)")


def by_postfix(log: str) -> Counted:
    """Count a Postfix log."""
    users: dict[str, str] = {}
    taken: set[str] = set()
    bad: dict[str, str] = {}
    to: dict[str, set[str]] = {}
    for line in log.splitlines():
        if found := _CLIENT.search(line):
            taken.add(found[1])
            if found[2]:
                users[found[1]] = found[2]
        # The other side had something against it only where it was reached.
        if (found := _BAD.search(line)) and (found[3] == "bounced" or found[2] != "none"):
            bad.setdefault(found[1], found[3])
        if found := _TO.search(line):
            to.setdefault(found[1], set()).add(found[2])
    # What comes from elsewhere, and what is sent within a domain.
    got = {
        queue_id: to.get(queue_id, set())
        if queue_id not in users
        else {one for one in to.get(queue_id, ()) if _domain(one) == _domain(users[queue_id])}
        for queue_id in taken
    }
    came = [queue_id for queue_id in taken if got[queue_id] or queue_id not in users]
    received = Counter(address for addresses in got.values() for address in addresses)
    fates = Counter(fate for queue_id, fate in bad.items() if queue_id in users)
    whole = Tally(len(users), len(came), fates["deferred"], fates["bounced"])
    return whole, Counter(users.values()), received


def by_smartermail(log: Iterable[str]) -> Counted:
    """Count the lines of SmarterMail's SMTP log, which tells no fates."""
    users: dict[str, str] = {}
    to: dict[str, list[str]] = {}
    sent: Counter[str] = Counter()
    received: Counter[str] = Counter()
    came = 0
    for line in log:
        found = _SAID.search(line)
        assert found is not None, line
        session, said = found.groups()
        if said.startswith("Authenticated as "):
            users[session] = said.split()[-1]
        elif said.startswith("cmd: MAIL"):
            to[session] = []
        elif said.startswith("cmd: RCPT"):
            to[session].append(said.partition("<")[2].partition(">")[0])
        elif said.startswith("Data transfer succeeded"):
            user = users.get(session)
            got = {one for one in to[session] if not user or _domain(one) == _domain(user)}
            sent.update([user] if user else [])
            received.update(got)
            came += bool(got) or not user
    return Tally(sent.total(), came), sent, received


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
