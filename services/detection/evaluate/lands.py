"""Where the made-up networks of the shipped scenarios are: a country and an owner for each.

As far as it matters here the world is like this: everybody works, lives and telephones in one
country; half of the journeys go abroad; most thieves sit elsewhere, and one in seven takes the
way through somebody's connection in that same country. These numbers were set with the others
of the people and the attacks, and before the detector's.
"""

from functools import lru_cache
from zlib import crc32

from services.origin import Origin

_HOME = "CH"
_ABROAD = ("DE", "FR", "IT", "AT", "ES", "GB", "NL", "US", "PT", "GR", "TH", "JP")
_THIEVES = ("BR", "CN", "IN", "NG", "RO", "RU", "TR", "UA", "US", "VN", "ZA", "MX", "ID", "DE")
# Private numbers (RFC 6996), a block for each kind of owner.
_PROVIDERS, _CARRIERS, _HOTELS, _HOSTS, _COMPANIES = 64512, 64600, 64700, 64800, 65000


@lru_cache(maxsize=65_536)
def origin_of(address: str) -> Origin | None:
    """Return where an address of people.around() is; None for any other."""
    parts = address.split(".")
    if len(parts) != 4 or parts[0] not in ("198", "10"):
        return None
    second, third = int(parts[1]), int(parts[2])
    base = (second - 18) * 256 + third if parts[0] == "198" else second * 256 + third
    any_ = crc32(b"%d" % base)
    if base < 512:
        if any_ % 7 == 0:
            return Origin(_PROVIDERS + any_ // 7 % 6, "", _HOME)
        return Origin(_HOSTS + any_ % 60, "", _THIEVES[any_ // 60 % len(_THIEVES)])
    if 20_000 <= base < 30_000:
        return Origin(_CARRIERS + any_ % 3, "", _HOME)
    if 30_000 <= base < 40_000:
        country = _HOME if any_ % 2 else _ABROAD[any_ // 2 % len(_ABROAD)]
        return Origin(_HOTELS + any_ % 80, "", country)
    if 40_000 <= base < 50_000:
        return Origin(_COMPANIES + base % 500, "", _HOME)
    return Origin(_PROVIDERS + any_ % 6, "", _HOME)
