"""The detector's heart: events in, verdicts out. Pure: no database, no clock, no I/O.

Events are judged at their own time, whenever they arrive: an hour that was missed and
comes at once is an hour, not a burst. ``now`` is told by the caller and bounds what
times of the mail server are believed.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any
from zlib import crc32

import orjson

from services.detection.engine import tuning
from services.detection.engine.event import BAD, Event
from services.detection.engine.forgotten import Forgotten
from services.detection.engine.score import Company, Floors, Verdict, allow, score
from services.detection.engine.sender import DAY, HOUR, Keys, Population, Sender
from services.detection.engine.subjects import Sketch, sketch_of
from services.mail.port import Network
from services.origin import OriginOf

_CACHE = 65_536
_SECONDS = (1 << 31) - 1  # of any time; with 32 bits more it is a number that JSON has
_OCTETS = frozenset(str(number) for number in range(256))
#: New networks watched for company, and the letters kept of each.
_MEETINGS, _MET = 4096, 64


class Engine:
    """Keeps evidence on every sender and tells who is suspicious.

    ``senders`` are kept exactly. Past that, the ones with little history that were quiet
    longest are let go first, so that a flood of new names costs no old one its habit; who
    is let go is handed out by :meth:`changed`, for the caller to keep and bring back. Only of a
    newcomer that sent a single letter nothing is kept but that letter, counted in a sketch.
    ``origin_of`` says whose network an address is in and in which country, where that is known.
    """

    def __init__(
        self,
        *,
        senders: int = 20_000,
        floors: Floors | None = None,
        trusted: Sequence[Network] = (),
        origin_of: OriginOf | None = None,
    ) -> None:
        self._origin_of = origin_of
        self._most = senders
        self._floors = floors or Floors()
        self._trusted = tuple(trusted)
        self._senders: dict[str, Sender] = {}
        self._newcomers: dict[str, Sender] = {}  # on their first day; oldest activity first
        self._everybody = Population()
        self._meetings: dict[str, deque[tuple[float, str, str]]] = {}
        self._ids: set[int] = set()
        self._older_ids: set[int] = set()
        self._pending: dict[str, Sender] = {}
        self._alarms: dict[str, Verdict] = {}
        self._dirty: set[str] = set()
        self._evicted: dict[str, bytes] = {}
        self._unkept: set[str] = set()  # newcomers that were never handed out
        self._forgotten = Forgotten()
        self._networks: dict[str, str] = {}

    # -- taking in ---------------------------------------------------------------------

    def take(self, events: Iterable[Event], now: float) -> None:
        """Take events in, in any order; repeated ones (by id) count once."""
        latest = now + tuning.AHEAD
        self._forgotten.not_after(int(latest) // DAY)
        networks, senders, pending = self._networks, self._senders, self._pending
        ids, older = self._ids, self._older_ids
        dirty, everybody = self._dirty, self._everybody
        known_after = tuning.KNOWN_AFTER_DAYS
        most_read = tuning.RECIPIENTS_READ
        least_new, least = self._floors.spread, min(self._floors.known, 40)
        again, news, fan_out = tuning.LOOK_AGAIN, now - DAY, tuning.FAN_OUT
        for at, user, ip, recipients, subject, size, to, outcome, failures, ident in events:
            if ident:
                # By the time it came with: one that is not believed is another at each call.
                number = (int(at) & _SECONDS) << 32 | crc32(ident.encode("utf-8", "surrogatepass"))
                if number in ids or number in older:
                    continue
                ids.add(number)
                if len(ids) >= tuning.IDS:
                    self._older_ids = older = ids
                    self._ids = ids = set()
            if at > latest:
                at = now
            name = user or self._host(ip)
            if not name:
                continue
            sender = senders.get(name)
            if sender is None:
                sender = self._newcomer(name, at)
            dirty.add(name)
            second = int(at)
            hour = second // 3600
            if hour != sender.hour:
                if sender.last > latest + HOUR:
                    self._clock_went_back(sender, now)
                if hour > sender.hour:
                    sender.turn_hour(hour, everybody)
                elif hour <= sender.hour - 24:
                    # Too late for any window, and of a day that is learnt already.
                    continue
            if not recipients:
                self._news(sender, at, outcome, failures)
                continue
            if at > sender.last:
                sender.last = at
            elif at <= sender.cleared:
                continue
            # -- the windows
            minute = second // 60
            place, minutes = minute % 60 * 2, sender.minutes
            stamp = minutes[place]
            if stamp == minute:
                minutes[place + 1] += 1
            elif stamp < minute:
                minutes[place] = minute
                minutes[place + 1] = 1
            if hour == sender.hour:
                sender.in_hour += 1
                block = minute // 5
                if block == sender.block:
                    sender.in_block = inside = sender.in_block + 1
                    if inside > sender.today_block:
                        sender.today_block = inside
                elif block > sender.block:
                    sender.block, sender.in_block = block, 1
            else:
                place = hour % 24
                if sender.hour_stamps[place] == hour:
                    sender.hour_counts[place] += 1
                elif sender.hour_stamps[place] < hour:
                    sender.hour_stamps[place] = hour
                    sender.hour_counts[place] = 1
                sender.before += 1
            sender.sent_today += 1
            # -- the network
            network = networks.get(ip)
            if network is None:
                network = self._network(ip)
            young, day = False, sender.day
            if network is not sender.steady and network:
                entry = sender.networks.get(network)
                if entry is None:
                    sender.networks[network] = entry = (day, 1)
                elif entry[0] != day:
                    sender.networks[network] = entry = (day, entry[1] + 1)
                if entry[1] <= known_after:
                    young = True
                    sender.young.add(network)
                    sender.young_letters += 1
                    if sender.active_days >= 1:
                        self._meet(network, at, name, subject)
                else:
                    sender.steady = network
            # -- the recipients
            keys: Keys = ()
            strange = 0
            # Few of many recipients say nothing of the others: one may be the spammer's own.
            if to and (len(to) * 2 >= recipients or len(to) >= most_read):
                known, bits = sender.known, sender.bits
                if len(to) == 1:
                    key = crc32(to[0].lower().encode("utf-8", "replace"))
                    keys = key or (key,)
                    spot = key % bits
                    if not known[spot >> 3] >> (spot & 7) & 1:
                        strange = 1
                        sender.strange_today += 1
                        sender.meet(key)
                else:
                    some = to[:most_read]
                    keys = many = tuple(
                        [crc32(one.lower().encode("utf-8", "replace")) for one in some]
                    )
                    for key in many:
                        spot = key % bits
                        if not known[spot >> 3] >> (spot & 7) & 1:
                            strange += 1
                            sender.meet(key)
                            known, bits = sender.known, sender.bits
                    if strange * 2 >= len(many):
                        sender.strange_today += 1
            sender.letters.append(
                (at, network, young, subject[:120], size, keys, strange, ip, recipients)
            )
            sender.fresh = fresh = sender.fresh + 1
            # -- worth a look? What is older than a day is history: learnt, and no news.
            if at < news:
                sender.fresh = 0
                continue
            if sender.young_letters < least_new and not (
                young and len(self._meetings.get(network, ())) >= least_new
            ):
                if sender.in_hour + sender.before < least and recipients < fan_out:
                    continue
                if sender.allowed_at != hour:
                    allow(sender)
                if (
                    sender.in_hour <= sender.allowed
                    and sender.in_block <= sender.allowed_block
                    and sender.cusum < tuning.CUSUM_FROM
                ):
                    continue
            if fresh < sender.wait:
                continue
            if at - sender.judged_at >= again or fresh * 4 > sender.in_hour + 12:
                self._judge(sender)
            else:
                pending[name] = sender

    def _news(self, sender: Sender, at: float, outcome: str, failures: int) -> None:
        if outcome in BAD:
            sender.refused(at)
            self._everybody.reports += 1
            if sender.judged_at and at > sender.judged_at - DAY:
                sender.fresh += 1
                self._pending[sender.name] = sender
        if failures:
            kept = sender.failures
            if kept and int(kept[-1][0]) // HOUR == int(at) // HOUR:
                # One guess a second must not push out those of the week.
                kept, failures = kept[:-1], kept[-1][1] + failures
            sender.failures = (*kept[-15:], (at, failures))

    def _clock_went_back(self, sender: Sender, now: float) -> None:
        """Let go of windows that lie in what is now the future; the habit stays."""
        sender.last = min(sender.last, now)
        sender.hour = sender.day = sender.block = -1
        sender.forget_windows()
        sender.letters.clear()
        sender.news = ()
        sender.bad_minutes = sender.bad_hours = ()
        sender.cleared = min(sender.cleared, now)
        sender.judged_at = 0.0

    def _newcomer(self, name: str, at: float) -> Sender:
        newcomers = self._newcomers
        sender = newcomers.pop(name, None) or self._taken_back(name)
        if sender is None:
            sender = Sender(name)
            self._unkept.add(name)
            hour = int(at) // HOUR
            if sent := self._forgotten.surely(name, hour // 24):
                sender.turn_hour(hour, self._everybody)
                sender.give_back(sent)
        self._keep(sender)
        if len(newcomers) > max(100, self._most // 2):
            first = next(iter(newcomers))
            self._let_go(newcomers.pop(first))
        return sender

    def _keep(self, sender: Sender) -> None:
        if not sender.active_days:
            self._newcomers[sender.name] = sender
            return
        if len(self._senders) >= self._most:
            self._make_room()
        self._senders[sender.name] = sender

    def _make_room(self) -> None:
        oldest = sorted(self._senders.values(), key=lambda one: one.last)
        for sender in oldest[: max(1, self._most // 10)]:
            del self._senders[sender.name]
            self._let_go(sender)

    def _let_go(self, sender: Sender) -> None:
        name = sender.name
        self._pending.pop(name, None)
        self._dirty.discard(name)
        if sender.active_days or sender.sent_today > 1 or name not in self._unkept:
            self._evicted[name] = sender.pack()
        elif sender.letters:
            self._forgotten.count(name, sender.day)
        self._unkept.discard(name)

    def _taken_back(self, name: str) -> Sender | None:
        """Return a sender that was let go and not handed out since; it is to be kept again."""
        packed = self._evicted.pop(name, None)
        if packed is None:
            return None
        self._dirty.add(name)
        return Sender.unpack(packed)

    def _of(self, user: str) -> Sender | None:
        sender = self._senders.get(user) or self._newcomers.get(user)
        if sender is None and (sender := self._taken_back(user)) is not None:
            self._keep(sender)
        return sender

    def _network(self, ip: str) -> str:
        if len(self._networks) >= _CACHE:
            self._networks.clear()
        self._networks[ip] = network = network_of(ip) if ip else ""
        return network

    def _host(self, ip: str) -> str:
        """Return what a trusted host that nobody logged in from is called, "" if it is none."""
        if not self._trusted or not ip:
            return ""
        try:
            address = ip_address(ip)
        except ValueError:
            return ""
        return f"[{ip}]" if any(address in network for network in self._trusted) else ""

    def _meet(self, network: str, at: float, name: str, subject: str) -> None:
        """Remember who began to use a network, to tell who began it together."""
        meeting = self._meetings.pop(network, None)
        if meeting is None:
            meeting = deque(maxlen=_MET)
            if len(self._meetings) >= _MEETINGS:
                del self._meetings[next(iter(self._meetings))]
        meeting.append((at, name, subject[:120]))
        self._meetings[network] = meeting

    def _company(self, sender: Sender) -> Company:
        """Return who else began to use this sender's new networks and sends the same."""
        found = Company()
        for network in sender.young:
            meeting = self._meetings.get(network)
            if meeting is None or len(meeting) < tuning.COMPANY_SENDERS:
                continue
            since = sender.last - DAY
            of_each: dict[Sketch, set[str]] = {}
            tops: dict[Sketch, int] = {}
            for at, name, subject in meeting:
                if at > since and subject:
                    key = sketch_of(subject)
                    of_each.setdefault(key, set()).add(name)
                    tops[key] = tops.get(key, 0) + 1
            for key, names in of_each.items():
                if sender.name in names:
                    found = max(found, Company(len(names), tops[key]))
        return found

    # -- judging -----------------------------------------------------------------------

    def _judge(self, sender: Sender) -> Verdict:
        company = self._company(sender) if sender.young else Company()
        verdict = score(sender, self._everybody, self._floors, company, self._origin_of)
        sender.fresh, sender.judged_at = 0, sender.last
        # Who is far from an alarm is not there with the next letter.
        sender.wait = 1 if verdict.score >= 25 else 2 if verdict.score >= 15 else 3
        if verdict.score > sender.hot:
            sender.hot = verdict.score
        if verdict.score > sender.hot_hour:
            sender.hot_hour = verdict.score
        if verdict.alarming:
            before = self._alarms.get(sender.name)
            if before is None or verdict.score > before.score:
                self._alarms[sender.name] = verdict
        return verdict

    def judge(self, now: float) -> list[Verdict]:
        """Return who alarmed since the last call, worst first; older than a day is no news."""
        if self._pending:
            for sender in list(self._pending.values()):
                if sender.fresh:
                    self._judge(sender)
            self._pending.clear()
        if not self._alarms:
            return []
        alarms = [v for v in self._alarms.values() if v.at > now - DAY]
        self._alarms = {}
        return sorted(alarms, key=lambda verdict: (-verdict.score, verdict.user))

    def judge_again(self, user: str) -> None:
        """Have a sender judged at the next call of :meth:`judge`, though it sends no more."""
        sender = self._of(user)
        if sender is not None:
            sender.fresh = sender.fresh or 1
            self._pending[user] = sender
            self._dirty.add(user)

    def why(self, user: str) -> Verdict | None:
        """Return a sender's verdict as of its newest event, None if it is not known."""
        sender = self._of(user)
        if sender is None:
            return None
        company = self._company(sender) if sender.young else Company()
        return score(sender, self._everybody, self._floors, company, self._origin_of)

    def clear(self, user: str, until: float) -> None:
        """Count what a sender did until then no more: its incident is over."""
        sender = self._of(user)
        if sender is not None and until > sender.cleared:
            sender.clear(until)
            self._dirty.add(user)

    def teach(self, user: str, messages: int, at: float) -> None:
        """Take in a false alarm: so many messages in a window are ordinary for this sender.

        ``at`` 0 forgets it.
        """
        sender = self._of(user)
        if sender is not None and at != sender.taught_at:
            sender.teach(messages, at)
            self._dirty.add(user)

    def suspect(self, user: str, points: float, at: float, until: float) -> None:
        """Take in a confirmed abuse: until then a sender has points against it beforehand."""
        sender = self._of(user)
        if sender is not None and sender.abused != (points, at, until):
            sender.abused = (points, at, until)
            self._dirty.add(user)

    def most(self, user: str) -> int:
        """Return the most messages a sender ever sent in a day when nothing was wrong."""
        sender = self._of(user)
        return sender.record(DAY) if sender is not None else 0

    # -- keeping -----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._senders) + len(self._newcomers)

    def knows(self, user: str) -> bool:
        """Whether this sender's state is in memory."""
        return user in self._senders or user in self._newcomers or user in self._evicted

    def changed(self) -> dict[str, bytes]:
        """Return the senders that changed since the last call, or were let go, packed."""
        packed, self._evicted = self._evicted, {}
        for name in self._dirty:
            sender = self._senders.get(name) or self._newcomers.get(name)
            if sender is not None:
                packed[name] = sender.pack()
        self._dirty = set()
        self._unkept.clear()
        return packed

    def not_kept(self, packed: Mapping[str, bytes]) -> None:
        """Take back what :meth:`changed` returned, as it could not be kept."""
        for name, state in packed.items():
            if name in self._senders or name in self._newcomers:
                self._dirty.add(name)
            else:
                self._evicted.setdefault(name, state)

    def common(self) -> bytes:
        """Return what is kept beside the senders, packed."""
        everybody = self._everybody
        return orjson.dumps(
            {
                "everybody": {name: getattr(everybody, name) for name in everybody.__slots__},
                "meetings": [[network, list(met)] for network, met in self._meetings.items()],
                "ids": [sorted(self._ids), sorted(self._older_ids)],
                "pending": sorted(self._pending),
                "newcomers": list(self._newcomers),
                "forgotten": self._forgotten.pack(),
            }
        )

    def restore(self, common: bytes | None, senders: Mapping[str, bytes]) -> None:
        """Bring back what :meth:`common` and :meth:`changed` gave; a later call adds senders."""
        state: dict[str, Any] = orjson.loads(common) if common else {}
        for name, value in state.get("everybody", {}).items():
            if name in Population.__slots__:
                setattr(self._everybody, name, value)
        for network, met in state.get("meetings", ()):
            self._meetings[network] = deque(map(tuple, met), maxlen=_MET)
        if "ids" in state:
            self._ids, self._older_ids = map(set, state["ids"])
        self._forgotten.restore(state.get("forgotten", {}))
        order = {name: place for place, name in enumerate(state.get("newcomers", ()))}
        made = [Sender.unpack(packed) for packed in senders.values()]
        for sender in sorted(made, key=lambda one: order.get(one.name, len(order))):
            if sender.active_days and sender.name not in order:
                if len(self._senders) >= self._most:
                    self._make_room()
                self._senders[sender.name] = sender
            else:
                self._newcomers[sender.name] = sender
        for name in state.get("pending", ()):
            found = self._senders.get(name) or self._newcomers.get(name)
            if found is not None:
                self._pending[name] = found


def network_of(address: str) -> str:
    """Return the /24 or /48 that a client IP is in; the text itself if it is no address."""
    # The usual IPv4 address is cut by hand: this is a tenth of the time.
    parts = address.split(".")
    if len(parts) == 4 and all(part in _OCTETS for part in parts):
        return f"{parts[0]}.{parts[1]}.{parts[2]}.0/24"
    try:
        length = 24 if ip_address(address).version == 4 else 48
        return str(ip_network(f"{address}/{length}", strict=False))
    except ValueError:
        return address
