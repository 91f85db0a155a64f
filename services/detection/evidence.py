"""What is known of one sender at one moment: the facts behind an alert."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.origin import Origin


class Share(BaseModel):
    """A name (a sender or an address) with how many messages are its, and where an address is."""

    model_config = ConfigDict(frozen=True)

    name: str
    messages: int
    origin: Origin | None = None


class Habit(BaseModel):
    """How much a sender sends in five minutes in which it sends at all.

    ``usual`` is the median and ``high`` the 95th percentile of ``windows`` such
    stretches; 0 windows means that it was never seen.
    """

    model_config = ConfigDict(frozen=True)

    windows: int = 0
    usual: float = 0
    high: int = 0
    taught: int = 0  # from false alarms: this many are ordinary

    @property
    def expected(self) -> int:
        """The most that would surprise nobody."""
        return max(self.high, self.taught)


class Evidence(BaseModel):
    """One sender in the window that ends at ``taken_at``. Lengths in seconds."""

    model_config = ConfigDict(frozen=True)

    taken_at: datetime
    window: int
    messages: int  # in the window
    peak: int  # the most messages of any window of this burst
    recipients: int
    addresses: tuple[Share, ...]  # the client IPs with most messages, most first
    address_count: int
    network_count: int  # distinct /24 (IPv4) and /48 (IPv6)
    subject: str  # the most frequent one, as one of its messages wrote it
    subject_messages: int
    first_at: datetime  # when this burst began
    last_at: datetime
    total: int  # messages since first_at
    earlier: int = 0  # of these, before the incident was reopened
    # Of these, after that and before counted_until; who has none is from an earlier release.
    counted: int = 0
    counted_until: datetime | None = None
    habit: Habit
    queued: int = 0  # of this sender, waiting to be delivered
    held: int = 0  # of this sender, held
    spool_waiting: int = 0  # of everybody
    spool_at: datetime | None = None  # when these three were asked for; None is taken_at
    top_senders: tuple[Share, ...] = ()  # of the whole server, in the window
    top_addresses: tuple[Share, ...] = ()
    all_messages: int = 0  # of the whole server, in the window
    reasons: tuple[str, ...] = ()
    points: tuple[float, ...] = ()  # of each reason, in the same order

    @property
    def waited_at(self) -> datetime:
        """When so many waited: an act, or a poll that found nothing sent, asks for that alone."""
        return self.spool_at or self.taken_at
