"""Messages that a content filter gives back: each is the one that it was given.

Postfix tells a filter which message it gives it (XFORWARD), and where the filter hands that
on and Postfix takes it from there, the log has it as ``orig_queue_id``. Many set-ups do
neither, and a filter that calls ``sendmail`` cannot. There the Message-ID tells: of what a
program of this machine hands over without a login, as much is given back as was taken with
the same Message-ID.

A sender chooses Message-IDs, so a message is taken for given back to as many recipients as it
had, and no more: whoever hides mail behind another has that other one counted.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from ipaddress import ip_address

from services.mail.postfix.lines import Intake
from services.mail.postfix.logfiles import Place

# So many messages are with a filter at once, or were by somebody who uses none.
_MOST = 20_000
# A restart goes no further back for what was with a filter then: some seconds of a busy log.
_MAX_BACK = 2 * 1024 * 1024


@dataclass(slots=True)
class _Given:
    """A message that a filter may give back, and to how many recipients it may yet."""

    queue_id: str
    recipients: int
    place: Place
    read: int


class Returned:
    """Tells which messages came back, as the log is read in its order."""

    def __init__(self) -> None:
        self._given: OrderedDict[bytes, _Given] = OrderedDict()
        self._newest: deque[tuple[bytes, _Given]] = deque()

    def first_id(self, intake: Intake, message_id: bytes, recipients: int) -> str | None:
        """Return under which id a message was taken before; "" if not told, None if it was not."""
        given = self._given.get(message_id) if intake.again or _is_local(intake) else None
        if given is not None:
            given.recipients -= recipients
            if given.recipients <= 0:
                del self._given[message_id]
        if intake.again:
            return intake.first_id
        return None if given is None else given.queue_id

    def take(
        self, queue_id: str, message_id: bytes, recipients: int, place: Place, read: int
    ) -> None:
        """Note a message that was taken for the first time; where its lines begin is ``place``."""
        if message_id:
            given = self._given[message_id] = _Given(queue_id, recipients, place, read)
            self._given.move_to_end(message_id)
            self._newest.append((message_id, given))
            if len(self._given) > _MOST:
                self._given.popitem(last=False)

    def oldest(self, read: int) -> tuple[int, Place] | None:
        """Return where the oldest one lies that is worth going back to, when so much was read."""
        while self._newest:
            message_id, given = self._newest[0]
            if self._given.get(message_id) is given and read - given.read <= _MAX_BACK:
                return given.read, given.place
            self._newest.popleft()
        return None


def _is_local(intake: Intake) -> bool:
    """Tell whether a program of this machine handed it over, without a login."""
    if intake.user is not None:
        return False
    return intake.by_program or (intake.ip is not None and ip_address(intake.ip).is_loopback)
