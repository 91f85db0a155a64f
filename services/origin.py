"""Where an address is, as far as a local database knows: its network's owner, and a country."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from services.language import country
from services.words import short

_CODE = re.compile(r"[A-Z]{2}")
#: Characters of an owner's name that are worth showing.
_OWNER = 40


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of an address; what is not is 0 or "".

    ``owner`` is the text of whoever made the database, and as little to be trusted as a
    sender's. ``country`` is two capital letters (ISO 3166-1 alpha-2), whatever the file said.
    """

    asn: int = 0  # the number of the autonomous system that announces it
    owner: str = ""  # who has that
    country: str = ""

    @property
    def network(self) -> str:
        """Return whose network it is in: "Example AG (AS64500)", "" where that is not known."""
        if not self.asn:
            return short(self.owner, _OWNER)
        return f"{short(self.owner, _OWNER)} (AS{self.asn})" if self.owner else f"AS{self.asn}"

    @property
    def words(self) -> str:
        """Return all of it in a few words: "Example AG (AS64500), Switzerland"."""
        return ", ".join(part for part in (self.network, country_name(self.country)) if part)


#: Returns what is known of an address, None for nothing.
OriginOf = Callable[[str], Origin | None]


def country_name(code: str) -> str:
    """Return what a country is called, or its code where that is nobody's; "" for ""."""
    return country(code) if is_country(code) else ""


def is_country(code: object) -> bool:
    """Tell whether something looks like a country's code."""
    return isinstance(code, str) and _CODE.fullmatch(code) is not None
