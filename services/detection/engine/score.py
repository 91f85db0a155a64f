"""From a sender's state to a verdict: a sum of points, each with its reason in words. Pure.

Each reason asks how much less likely a thing is for this sender than what is usual for
it, and gives fifteen points for each factor of ten (see tuning). Volume gives fifteen
for each doubling over the most that is usual. The windows of five minutes, an hour, four
hours and a day are judged each by itself, and the worst is the verdict.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import log2, log10, sqrt

from services.detection.engine import tuning
from services.detection.engine.abroad import Places
from services.detection.engine.reason import Reason as Reason
from services.detection.engine.sender import DAY, HOUR, Letter, Population, Sender
from services.detection.engine.subjects import Sketch, largest_group, size_sketch, sketch_of
from services.language import percent, tr, trn
from services.origin import OriginOf
from services.words import short, span


@dataclass(frozen=True, slots=True)
class Verdict:
    """How suspicious a sender is at ``at``, and why, in words, the strongest reason first."""

    user: str
    at: float
    score: float
    reasons: tuple[Reason, ...]
    window: int = 0  # seconds: of the window that was the worst
    messages: int = 0  # in that window

    @property
    def alarming(self) -> bool:
        """Whether an incident is opened for this."""
        return self.score >= tuning.OPENS_AT


@dataclass(frozen=True, slots=True)
class Floors:
    """Fewer messages than this never alarm: in general, and from new or many networks.

    But such as go to many people each: FAN_OUT times as many recipients are not few, either.
    """

    known: int = 40
    spread: int = 6


@dataclass(frozen=True, slots=True, order=True)
class Company:
    """Other accounts that lately began to use the same networks, and send the same things."""

    senders: int = 0
    alike: int = 0  # of their letters, near-identical


_ALONE = Company()


class _Seen:
    """What was seen in the letters of a window."""

    __slots__ = ("addresses", "alike", "each", "letters", "networks", "old", "people", "recipients",
                 "strange", "subject", "with_people", "young", "young_networks")  # fmt: skip

    def __init__(self, letters: list[Letter], sketches: list[Sketch], now: float) -> None:
        self.each = letters
        self.letters = len(letters)
        # Old enough to have an outcome.
        self.old = len([1 for letter in letters if now - letter[0] > tuning.OUTCOME_AFTER])
        self.networks = {letter[1] for letter in letters if letter[1]}
        self.addresses = {letter[7] for letter in letters if letter[7]}
        self.recipients = sum([letter[8] for letter in letters])
        young = [letter[1] for letter in letters if letter[2]]
        self.young = len(young)
        self.young_networks = set(young)
        to = [letter for letter in letters if letter[5] != ()]
        self.with_people = len(to)
        one = [letter for letter in to if isinstance(letter[5], int)]
        self.people = {letter[5] for letter in one}
        self.strange = len([1 for letter in one if letter[6]])
        if len(one) < len(to):
            for letter in to:
                if isinstance(keys := letter[5], tuple):
                    self.people.update(keys)
                    self.strange += letter[6] * 2 >= len(keys)
        self.alike = 0
        self.subject = ""
        if len(letters) >= tuning.ALIKE_FROM:
            self.alike, first = largest_group([letter[5] for letter in letters], sketches)
            self.subject = next(
                letter[3]
                for letter, sketch in zip(letters, sketches, strict=True)
                if sketch[0] == first
            )


def score(
    sender: Sender,
    everybody: Population,
    floors: Floors,
    company: Company = _ALONE,
    origin_of: OriginOf | None = None,
) -> Verdict:
    """Judge a sender at the moment of its newest event."""
    now = sender.last
    settled = sender.active_days >= tuning.SETTLED_DAYS
    places = Places(sender, origin_of, settled=settled) if origin_of is not None else None
    letters = [letter for letter in sender.letters if letter[0] > now - DAY]
    # They are kept in the order they came, which is that of their times but for stragglers.
    letters.sort(key=_time_of, reverse=True)
    sketches = [sketch_of(letter[3]) if letter[3] else size_sketch(letter[4]) for letter in letters]
    place, best, seen = -1, None, None
    for window, least in tuning.WINDOWS if settled else tuning.NEW_WINDOWS:
        begin = now - window
        until = len([1 for letter in letters if letter[0] > begin])
        if seen is None or until != place:
            seen, place = _Seen(letters[:until], sketches[:until], now), until
        sent = max(sender.sent(window, now), seen.letters)
        if not sent or not seen.letters:
            continue
        verdict = _judged(
            sender, everybody, floors, company, places, seen, window, least, sent, settled=settled
        )
        if best is None or verdict.score > best.score:
            best = verdict
    return best or Verdict(sender.name, now, 0.0, ())


def _time_of(letter: Letter) -> float:
    return letter[0]


def _judged(
    sender: Sender,
    everybody: Population,
    floors: Floors,
    company: Company,
    places: Places | None,
    seen: _Seen,
    window: int,
    least: float,
    sent: int,
    *,
    settled: bool,
) -> Verdict:
    reasons = [_volume(sender, seen, window, least, sent, settled=settled)]
    taught = sender.taught * (1 if window <= HOUR else 3)
    # Of what a false alarm taught only somebody new at the account is still told.
    ordinary = sent <= taught
    if ordinary:
        reasons = [Reason((_say_ordinary, sent, window, taught), 0.0)]
    networks = _networks(sender, everybody, seen, window, settled=settled)
    reasons.append(networks)
    if places is not None:
        reasons += places.reasons(seen.each)
    if not ordinary:
        reasons.append(_repetition(sender, everybody, seen))
    reasons.append(_recipients(sender, everybody, seen, settled=settled))
    reasons.append(_fan_out(seen, sent))
    if everybody.reports:
        reasons.append(_outcomes(sender, everybody, seen, window, sent))
    if networks.points > 0:
        reasons.append(_logins(sender))
    if _together(company) and seen.young:
        reasons.append(_company(company))
    reasons.append(_abused(sender))
    total = sum(reason.points for reason in reasons)
    spread = (
        seen.young * 2 >= seen.letters or len(seen.networks) >= tuning.MANY_NETWORKS
        if settled
        else len(seen.networks) >= tuning.MANY_NETWORKS
    )
    floor = floors.spread if spread else floors.known
    few = sent < floor and seen.recipients < floor * tuning.FAN_OUT
    if few and not _together(company):
        total = min(total, tuning.OPENS_AT - 1)
    first, *others = reasons
    others = sorted((r for r in others if r.said), key=lambda r: -abs(r.points))
    return Verdict(
        sender.name,
        sender.last,
        round(max(0.0, total), 1),
        (first, *others),
        window,
        sent,
    )


def _together(company: Company) -> bool:
    return company.senders >= tuning.COMPANY_SENDERS and company.alike >= tuning.COMPANY_ALIKE


def _say_ordinary(sent: int, window: int, taught: int) -> str:
    return trn(
        "{n} message in {time}; taught as ordinary: up to {taught}",
        "{n} messages in {time}; taught as ordinary: up to {taught}",
        sent,
        time=span(timedelta(seconds=window)),
        taught=taught,
    )


def band(sender: Sender, window: int, least: float) -> tuple[float, float]:
    """Return what is usual in the window that ends now, and the most that surprises nobody."""
    newest = int(sender.last // HOUR)
    if window <= HOUR:
        mean = sender.expected(newest) * window / HOUR
    else:
        mean = sender.expected_in(window // HOUR, newest)
    high = mean + tuning.BAND * sqrt(mean + mean * mean / tuning.SHAPES[window])
    return mean, max(high, least)


def allow(sender: Sender) -> None:
    """Work out how much it may send in this hour before it is worth judging by volume."""
    settled = sender.active_days >= tuning.SETTLED_DAYS
    highs = [
        max(band(sender, window, least)[1], sender.record(window) / 3)
        for window, least in (tuning.WINDOWS if settled else tuning.NEW_WINDOWS)
    ]
    hour = sender.hour
    stamps, counts = sender.hour_stamps, sender.hour_counts
    three = sum(counts[h % 24] for h in range(hour - 3, hour) if stamps[h % 24] == h)
    # The windows slide, and these stretches stand: half of each may be in the one before.
    sender.allowed = min(highs[1] / 2, highs[2] - three, highs[3] - sender.before)
    sender.allowed_block = highs[0] / 2
    sender.allowed_at = hour


def _volume(
    sender: Sender, seen: _Seen, window: int, least: float, sent: int, *, settled: bool
) -> Reason:
    mean, high = band(sender, window, least)
    # A busy day of its own is a third of the way to being usual at any hour.
    high = max(high, sender.record(window) / 3)
    usual = round(mean) if settled else None
    most = round(high) if settled or sender.active_days else None
    once = None
    slowly = False
    points = tuning.DOUBLING * log2(sent / high) if sent > high else 0.0
    cap = tuning.VOLUME_CAP
    if sent <= sender.record(window) * tuning.SEEN_BEFORE:
        cap = tuning.SEEN_BEFORE_CAP
        if points > cap:
            once = sender.record(window)
    elif seen.with_people and len(seen.people) < tuning.FEW_PEOPLE:
        cap = tuning.FEW_PEOPLE_CAP
    elif (
        seen.with_people >= tuning.RECIPIENTS_MANY
        and seen.strange <= seen.with_people * tuning.ACQUAINTED
        and sender.filled < tuning.SKETCH_FULL
    ):
        cap = tuning.ACQUAINTED_CAP
    points = min(points, cap)
    if settled and window >= HOUR and sender.cusum >= tuning.CUSUM_FROM:
        slow = min(tuning.CUSUM_CAP, tuning.CUSUM_POINTS * sender.cusum, cap)
        if slow > points:
            points = slow
            slowly = True
    return Reason((_say_volume, sent, window, usual, most, once, slowly), round(points, 1))


def _say_volume(
    sent: int, window: int, usual: int | None, most: int | None, once: int | None, slowly: bool
) -> str:
    time = span(timedelta(seconds=window))
    more = "" if once is None else tr(" (but it once sent {n})", n=once)
    more += tr(", and more than usual for hours on end") if slowly else ""
    if most is None:
        return trn(
            "{n} message in {time}; never seen sending before{more}",
            "{n} messages in {time}; never seen sending before{more}",
            sent,
            time=time,
            more=more,
        )
    if usual is None:
        return trn(
            "{n} message in {time}; a sender this new: at most {most}{more}",
            "{n} messages in {time}; a sender this new: at most {most}{more}",
            sent,
            time=time,
            most=most,
            more=more,
        )
    return trn(
        "{n} message in {time}; usual at this hour: {usual}, at most {most}{more}",
        "{n} messages in {time}; usual at this hour: {usual}, at most {most}{more}",
        sent,
        time=time,
        usual=usual,
        most=most,
        more=more,
    )


def _tail(k: int, mean: float, shape: float) -> float:
    """Return log10 of the chance that a negative binomial is at least ``k``."""
    if k <= 0:
        return 0.0
    ratio = mean / (mean + shape)
    term = (shape / (mean + shape)) ** shape
    for n in range(1, min(k, 60) + 1):
        term *= ratio * (shape + n - 1) / n
    total, n = 0.0, min(k, 60)
    while term > total * 1e-6 and n < 400:
        total += term
        n += 1
        term *= ratio * (shape + n - 1) / n
    return log10(max(total, 1e-12))


def _networks(
    sender: Sender, everybody: Population, seen: _Seen, window: int, *, settled: bool
) -> Reason:
    distinct = len(seen.networks)
    if not distinct:
        return Reason("", 0.0)
    points, young, usual_young = 0.0, len(seen.young_networks), None
    if settled and young:
        usual = everybody.rate(everybody.young, everybody.days, tuning.YOUNG_A_DAY, 100)
        prior = tuning.PRIOR_DAYS
        # A system that always sends from one place shows it in its letters, not its days.
        days = sender.active_days + sender.sent_total / tuning.LETTERS_A_DAY
        mean = (sender.young_total + usual * prior) / (days + prior)
        points = -tuning.DECADE * _tail(young, mean, tuning.NETWORK_SHAPE)
        points *= min(1.0, 2 * seen.young / seen.letters)
        usual_young = round(mean) if mean >= 1 else 0
    elif not settled and distinct >= tuning.MANY_NETWORKS:
        points = -tuning.DECADE * _tail(
            distinct - 1,
            tuning.SPARE_NETWORKS if window <= HOUR else tuning.SPARE_NETWORKS_A_DAY,
            tuning.NETWORK_SHAPE,
        )
    said = (_say_networks, len(seen.addresses), distinct, young, usual_young)
    return Reason(said, round(min(points, tuning.NETWORK_CAP), 1))


def _say_networks(addresses: int, networks: int, young: int, usual: int | None) -> str:
    """Say from where it came; ``usual`` is how many new networks are usual, where some are new."""
    where = trn("in {n} network", "in {n} networks", networks)
    more = ""
    if usual is not None:
        more = (
            trn(", {n} of them not used before", ", {n} of them not used before", young)
            if young != networks
            else tr(", not used before")
            if networks == 1
            else tr(", none of them used before")
        )
        more += tr(" (usual on a day: {n} new)", n=usual) if usual else ""
    return trn(
        "from {n} address {where}{more}",
        "from {n} addresses {where}{more}",
        addresses,
        where=where,
        more=more,
    )


def _repetition(sender: Sender, everybody: Population, seen: _Seen) -> Reason:
    same = seen.alike
    if same < tuning.ALIKE_FROM:
        return Reason("", 0.0)
    share = same / seen.letters
    alike = round(100 * share)
    if seen.with_people and len(seen.people) < tuning.FEW_PEOPLE:
        return Reason((_say_repetition, alike, seen.subject, len(seen.people), 0), 0.0)
    usual = everybody.rate(everybody.runs, everybody.days, tuning.RUNS_A_DAY, 100)
    prior = tuning.PRIOR_DAYS
    rate = (sender.run_days + usual * prior) / (sender.active_days + prior)
    points = min(tuning.REPETITION_CAP, -tuning.DECADE * log10(min(1.0, rate)))
    full = log2(tuning.ALIKE_FULL / tuning.ALIKE_FROM)
    points *= min(1.0, log2(same / tuning.ALIKE_FROM) / full)
    points *= min(1.0, share / tuning.ALIKE_SHARE)
    often = round(100 * min(rate, 1.0)) if rate >= 0.2 else 0
    return Reason((_say_repetition, alike, seen.subject, 0, often), round(points, 1))


def _say_repetition(alike: int, subject: str, people: int, often: int) -> str:
    """Say what part, in percent, is alike; to how few ``people``, or on which part of its days."""
    more = ""
    if people:
        more = trn(", to {n} recipient only", ", to {n} recipients only", people)
    elif often:
        more = tr(" (so on {share} of its days)", share=percent(often))
    if not subject:
        return tr("{share} near-identical in size{more}", share=percent(alike), more=more)
    return tr(
        "{share} near-identical subjects: “{subject}”{more}",
        share=percent(alike),
        subject=short(subject, 80),
        more=more,
    )


def _recipients(sender: Sender, everybody: Population, seen: _Seen, *, settled: bool) -> Reason:
    if seen.with_people < tuning.ALIKE_FROM:
        return Reason("", 0.0)
    usual = everybody.rate(everybody.strange, everybody.sent, tuning.STRANGERS, 200)
    prior = tuning.PRIOR_LETTERS
    own = (sender.strange_total + usual * prior) / (sender.sent_total + prior)
    spam = tuning.SPAM_STRANGERS * (1 - sender.filled)
    own = min(max(own, 0.02), 0.95)
    spam = max(spam, own)
    known = seen.with_people - seen.strange
    ratio = seen.strange * log10(spam / own) + known * log10((1 - spam) / (1 - own))
    many = settled and seen.with_people >= tuning.RECIPIENTS_MANY
    cap = tuning.RECIPIENTS_MANY_CAP if many else tuning.RECIPIENTS_CAP
    points = min(max(ratio * tuning.DECADE / 2, tuning.RECIPIENTS_FLOOR), cap)
    share = round(100 * (seen.strange / seen.with_people))
    return Reason((_say_strangers, share, round(100 * own)), round(points, 1))


def _say_strangers(share: int, usual: int) -> str:
    return tr(
        "{share} to people it never wrote to; usual: {usual}",
        share=percent(share),
        usual=percent(usual),
    )


def _fan_out(seen: _Seen, sent: int) -> Reason:
    if seen.recipients <= seen.letters:
        return Reason("", 0.0)
    each = seen.recipients / seen.letters
    points = tuning.FAN_OUT_POINTS if each >= tuning.FAN_OUT and sent >= 5 else 0.0
    return Reason((_say_fan_out, round(each * sent), sent == seen.letters), points)


def _say_fan_out(recipients: int, sure: bool) -> str:
    if sure:
        return trn("to {n} recipient", "to {n} recipients", recipients)
    return trn("to about {n} recipient", "to about {n} recipients", recipients)


def _outcomes(sender: Sender, everybody: Population, seen: _Seen, window: int, sent: int) -> Reason:
    begin = sender.last - window
    bad = sender.refused_since(begin)
    usual = everybody.rate(everybody.bad, everybody.sent, tuning.REFUSED, 500)
    prior = tuning.PRIOR_OUTCOMES
    own = (sender.bad_total + usual * prior) / (sender.sent_total + prior)
    own = min(max(own, 0.005), 0.5)
    spam = max(tuning.SPAM_REFUSED, min(0.9, 4 * own))
    ratio = bad * log10(spam / own) + max(0, sent - bad) * log10((1 - spam) / (1 - own))
    if ratio < 0:
        # No bad news is good news only of letters that had the time to be refused.
        good = min(max(0, seen.old - bad), max(0, sent - sender.sent(120, sender.last) - bad))
        ratio = min(0.0, bad * log10(spam / own) + good * log10((1 - spam) / (1 - own)))
    cap = tuning.OUTCOME_CAP if bad >= tuning.OUTCOMES_FULL else tuning.OUTCOME_FEW_CAP
    points = min(max(ratio * tuning.DECADE, tuning.OUTCOME_FLOOR), cap)
    if not bad and points > tuning.OUTCOME_FLOOR:
        return Reason("", round(points, 1))
    # Of older bad news only the minute or hour is kept: there may be more of it in the window.
    full = tuning.LETTERS <= bad < sent
    said = (_say_outcomes, min(bad, sent), sent, round(100 * own), full)
    return Reason(said, round(points, 1))


def _say_outcomes(bad: int, sent: int, usual: int, full: bool) -> str:
    if full:
        return tr(
            "at least {bad} of {sent} refused or put off by the other side; usual: {usual}",
            bad=bad,
            sent=sent,
            usual=percent(usual),
        )
    return tr(
        "{bad} of {sent} refused or put off by the other side; usual: {usual}",
        bad=bad,
        sent=sent,
        usual=percent(usual),
    )


def _logins(sender: Sender) -> Reason:
    begin = sender.last - 7 * 86400
    failed = sum(n for at, n in sender.failures if at > begin)
    if failed <= tuning.FAILURES_USUAL:
        return Reason("", 0.0)
    points = min(tuning.LOGIN_CAP, 5 * log2(failed / tuning.FAILURES_USUAL))
    return Reason((_say_logins, failed), round(points, 1))


def _say_logins(failed: int) -> str:
    return trn(
        "{n} failed login in the week before", "{n} failed logins in the week before", failed
    )


def _abused(sender: Sender) -> Reason:
    points, at, until = sender.abused
    if not points or not at < sender.last <= until:
        return Reason("", 0.0)
    return Reason((_say_abused, int((sender.last - at) // DAY)), points)


def _say_abused(days: int) -> str:
    if not days:
        return tr("its abuse was confirmed today")
    return trn("its abuse was confirmed a day ago", "its abuse was confirmed {n} days ago", days)


def _company(company: Company) -> Reason:
    points = tuning.COMPANY_FIRST + tuning.COMPANY_DOUBLING * log2(
        company.senders / tuning.COMPANY_SENDERS
    )
    return Reason((_say_company, company.senders), round(min(points, tuning.COMPANY_CAP), 1))


def _say_company(senders: int) -> str:
    return trn(
        "{n} account began to send the same from the same network",
        "{n} accounts began to send the same from the same network",
        senders,
    )


def explained(verdict: Verdict) -> str:
    """Return a verdict's reasons as one line of text."""
    said = [f"{one.text} ({one.points:+.0f})" for one in verdict.reasons if one.text]
    return "; ".join(said)
