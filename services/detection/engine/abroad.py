"""Reasons of the countries that a sender is seen from, and of the owners of its networks. Pure.

Only where a local database says them. Nothing more is kept of a sender for it: which countries
and owners it knows follows from the networks that are kept of it anyway, so that it is known at
once when a database is first given, and follows when that is replaced.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import log10

from services.detection.engine import tuning
from services.detection.engine.reason import Reason
from services.detection.engine.sender import Letter, Sender
from services.language import tr, trn
from services.origin import Origin, OriginOf, country_name
from services.words import listed

_NAMED = 3


class Places:
    """Tells what the origins of a sender's letters say, at one moment."""

    def __init__(self, sender: Sender, origin_of: OriginOf, *, settled: bool) -> None:
        self._sender = sender
        self._origin_of = origin_of
        self._settled = settled
        self._known: _Known | None = None

    def reasons(self, letters: Iterable[Letter]) -> list[Reason]:
        """Return the reasons of these letters' origins; none where they are as always."""
        of_each: dict[str, Origin] = {}
        young: list[Origin] = []
        number = 0
        for letter in letters:
            address = letter[7]
            origin = of_each.get(address) or (self._origin_of(address) if address else None)
            number += 1
            if origin is not None:
                of_each[address] = origin
                if letter[2]:
                    young.append(origin)
        countries = {origin.country for origin in of_each.values() if origin.country}
        if not young and len(countries) <= 1:
            return []
        if not self._settled:
            return [_at_once(countries)] if len(countries) > 1 else []
        if self._known is None:
            self._known = _Known(self._sender, self._origin_of)
        known = self._known
        abroad = [o for o in young if o.country and o.country not in known.countries]
        new = {origin.country for origin in abroad}
        found: list[Reason] = []
        if known.countries and (new or len(countries) > 1):
            found.append(_countries(countries, new, known, min(1.0, 2 * len(abroad) / number)))
        if not new and known.asns:
            found += _owners({origin.asn: origin for origin in young if origin.asn}, known)
        return found


class _Known:
    """What a sender's networks were used from on so many days that it is no news."""

    def __init__(self, sender: Sender, origin_of: OriginOf) -> None:
        days_of: dict[str | int, set[int]] = {}
        sure: set[str | int] = set()
        self.networks = 0
        for network, (last, days) in sender.networks.items():
            origin = origin_of(network.partition("/")[0])
            if origin is None:
                continue
            self.networks += network not in sender.young
            for place in (origin.country, origin.asn):
                if not place:
                    continue
                if days > tuning.KNOWN_AFTER_DAYS:
                    sure.add(place)
                else:
                    # Of a traveller each network is new, and its owner is not.
                    days_of.setdefault(place, set()).add(last)
        sure |= {place for place, d in days_of.items() if len(d) > tuning.KNOWN_AFTER_DAYS}
        self.countries = {place for place in sure if isinstance(place, str)}
        self.asns = {place for place in sure if isinstance(place, int)}

    def rate(self, kinds: Collection[object], before: float) -> float:
        """Return how often a network new to this sender is also of a kind new to it."""
        prior = tuning.PRIOR_PLACES
        return (len(kinds) - 1 + before * prior) / (max(self.networks - 1, 0) + prior)


def _countries(countries: set[str], new: set[str], known: _Known, part: float) -> Reason:
    # As likely to be so of an attack, against how likely it is of this sender.
    own = min(known.rate(known.countries, tuning.ABROAD), tuning.ATTACK_ABROAD)
    points = len(new) * log10(tuning.ATTACK_ABROAD / own) * tuning.DECADE / 2
    said = (_say_countries, frozenset(countries), frozenset(known.countries))
    return Reason(said, round(min(points * part, tuning.ABROAD_CAP), 1))


def _say_countries(countries: Collection[str], known: Collection[str]) -> str:
    return trn(
        "from {n} country ({names}), usually {usual} ({known})",
        "from {n} countries ({names}), usually {usual} ({known})",
        len(countries),
        names=_names(countries),
        usual=len(known),
        known=_names(known),
    )


def _owners(owners: Mapping[int, Origin], known: _Known) -> list[Reason]:
    """Return what the owners of its new networks say, where the country says nothing."""
    new = {asn: origin for asn, origin in owners.items() if asn not in known.asns}
    own = min(known.rate(known.asns, tuning.OWNER_NEW), tuning.ATTACK_OWNER_NEW)
    if new:
        points = len(new) * log10(tuning.ATTACK_OWNER_NEW / own) * tuning.DECADE / 2
        names = tuple(origin.network for _, origin in sorted(new.items()))
        said = (_say_new_owners, names, len(known.asns))
        return [Reason(said, round(min(points, tuning.OWNER_CAP), 1))]
    if not owners:
        return []
    points = log10((1 - tuning.ATTACK_OWNER_NEW) / (1 - own)) * tuning.DECADE / 2
    names = tuple(origin.network for _, origin in sorted(owners.items()))
    return [Reason((_say_known_owners, names), round(max(points, tuning.OWNER_FLOOR), 1))]


def _say_new_owners(names: tuple[str, ...], usual: int) -> str:
    return trn(
        "its new networks are of {n} owner never seen for it ({names}), usually of {usual}",
        "its new networks are of {n} owners never seen for it ({names}), usually of {usual}",
        len(names),
        names=_first(names),
        usual=usual,
    )


def _say_known_owners(names: tuple[str, ...]) -> str:
    return tr("its new networks are of owners that it knows ({names})", names=_first(names))


def _at_once(countries: set[str]) -> Reason:
    """Return what several countries within a day say of a sender without a history."""
    more = len(countries) - 1
    points = more * log10(tuning.ATTACK_ABROAD / tuning.ABROAD) * tuning.DECADE / 2
    said = (_say_at_once, frozenset(countries))
    return Reason(said, round(min(points, tuning.ABROAD_CAP), 1))


def _say_at_once(countries: Collection[str]) -> str:
    return trn(
        "from {n} country ({names})",
        "from {n} countries ({names})",
        len(countries),
        names=_names(countries),
    )


def _names(countries: Collection[str]) -> str:
    return _first(sorted(map(country_name, countries)))


def _first(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return listed([*names[:_NAMED], tr("{n} more", n=more)] if more > 0 else [*names])
