"""Local files that know whose network an address is in, and in which country.

They are in the MaxMind DB format (https://maxmind.github.io/MaxMind-DB/), and are read where
they lie, in mapped memory. What their records are called is each maker's own. These are known:

- MaxMind (https://dev.maxmind.com/geoip/docs/databases/) and DB-IP
  (https://db-ip.com/db/format/ip-to-country-lite/mmdb.html): ``country.iso_code``,
  ``autonomous_system_number``, ``autonomous_system_organization``;
- IPinfo (https://ipinfo.io/developers/ipinfo-lite-database): ``country_code``, or
  ``country`` in the older ones; ``asn`` ("AS64500") and ``as_name``.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import maxminddb

from services.errors import ConfigError
from services.origin import Origin, is_country

_log = logging.getLogger(__name__)
#: Answers remembered: a look-up takes a few microseconds, and the detector asks often.
_REMEMBERED = 65_536
#: Records that are looked at to see whether a file is one of the kind that its setting names.
_LOOKED_AT = 1000
_LONGEST = 200
_MOST = 2**32 - 1
_ASN = re.compile(r"(?:AS)?(\d{1,10})", re.IGNORECASE)
# What a reader raises for bytes that make no sense (InvalidDatabaseError is a RuntimeError), or
# for an IPv6 address where the file has only IPv4.
_NONSENSE = (RuntimeError, ValueError, LookupError, TypeError, OverflowError)

#: Which file it is: of two with the same, nothing was replaced.
_Stamp = tuple[int, int, int, int]


@dataclass(slots=True)
class _File:
    setting: str
    path: Path
    tells: Callable[[Mapping[str, Any]], object]
    has: str  # what its records tell, in words
    reader: maxminddb.Reader | None = None
    stamp: _Stamp | None = None
    failed: _Stamp | None = None  # replaced by one that cannot be read

    def open(self) -> tuple[maxminddb.Reader, _Stamp]:
        """Open what lies there now. Raises ConfigError."""
        try:
            stamp = self.look()
            reader = maxminddb.open_database(self.path)
        except OSError as error:
            why = error.strerror or str(error)
            raise ConfigError(f"{self.setting}: {self.path} cannot be read: {why}.") from error
        except _NONSENSE as error:
            raise ConfigError(
                f"{self.setting}: {self.path} is no file in the MaxMind DB format, or is damaged."
            ) from error
        try:
            some = (record for _, record in islice(reader, _LOOKED_AT))
            good = any(isinstance(record, Mapping) and self.tells(record) for record in some)
        except _NONSENSE as error:
            reader.close()
            raise ConfigError(f"{self.setting}: {self.path} is damaged.") from error
        if not good:
            kind = str(reader.metadata().database_type)[:60]
            reader.close()
            raise ConfigError(
                f"{self.setting}: {self.path} has no {self.has} in it; it says that it is {kind!r}."
            )
        return reader, stamp

    def look(self) -> _Stamp:
        """Return which file lies there. Raises OSError."""
        found = self.path.stat()
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    def newer(self) -> tuple[maxminddb.Reader, _Stamp] | None:
        """Return what lies there now if it is another than the open one. Raises ConfigError."""
        try:
            stamp = self.look()
        except OSError:
            return None  # in the middle of being replaced, or gone: the open one still serves
        if stamp in (self.stamp, self.failed):
            return None
        self.failed = stamp
        return self.open()

    def find(self, address: str) -> Mapping[str, Any]:
        """Return the record of an address, empty if there is none."""
        if self.reader is None:
            return {}
        try:
            found = self.reader.get(address)
        except _NONSENSE:
            return {}
        return found if isinstance(found, Mapping) else {}


class IpDatabases:
    """The files, opened once and again whenever one was replaced. Asked from the event loop only.

    A file is to be replaced by renaming another over it: what is mapped must not be written to.
    """

    def __init__(self, asn: Path | None, country: Path | None) -> None:
        """Take the files' paths, None where there is none; nothing is opened."""
        self._asn = asn and _File(
            "detection.asn_database",
            asn,
            _number,
            "network owners",  # not shown
        )
        self._country = country and _File(
            "detection.country_database", country, _country, "countries"
        )
        self._files = [file for file in (self._asn, self._country) if file]
        self._remembered: dict[str, Origin | None] = {}

    @property
    def used(self) -> bool:
        """Whether there is any file."""
        return bool(self._files)

    async def open(self) -> None:
        """Open the files. Raises ConfigError, which says which one is missing or broken."""
        for file in self._files:
            file.reader, file.stamp = await asyncio.to_thread(file.open)

    async def renew(self) -> bool:
        """Open the files that were replaced; return whether any was.

        One that cannot be read is told to the log, once, and the one before it goes on serving.
        """
        renewed = False
        for file in self._files:
            try:
                newer = await asyncio.to_thread(file.newer)
            except ConfigError as error:
                _log.warning("%s The one before it is used.", error.sentence)
                continue
            if newer is not None:
                before = file.reader
                file.reader, file.stamp = newer
                file.failed = None
                self._remembered.clear()
                if before is not None:
                    before.close()
                _log.info("%s was replaced: the new %s is used", file.setting, file.path)
                renewed = True
        return renewed

    def close(self) -> None:
        """Close the files; nothing is known of any address after that."""
        for file in self._files:
            if file.reader is not None:
                file.reader.close()
            file.reader = file.stamp = None
        self._remembered.clear()

    def of(self, address: str) -> Origin | None:
        """Return what is known of an address, None for nothing or for what is no address."""
        remembered = self._remembered
        try:
            return remembered[address]
        except KeyError:
            pass
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        found = self._ask(address)
        remembered[address] = found
        return found

    def _ask(self, address: str) -> Origin | None:
        if "." in address:
            address = address.lower().removeprefix("::ffff:")  # IPv4, as some write it
        owner = self._asn.find(address) if self._asn else {}
        place = self._country.find(address) if self._country else {}
        name = owner.get("autonomous_system_organization", owner.get("as_name", ""))
        origin = Origin(
            _number(owner),
            " ".join(name[:_LONGEST].split()) if isinstance(name, str) else "",
            _country(place),
        )
        return origin if origin != Origin() else None

    def described(self) -> list[str]:
        """Return a sentence on each open file, for whoever checks the configuration."""
        said = []
        for file in self._files:
            if file.reader is not None:
                about = file.reader.metadata()
                kind = str(about.database_type)[:60]
                said.append(f"{file.setting}: {file.path} is {kind!r} and is read")  # not shown
        return said


def _number(record: Mapping[str, Any]) -> int:
    """Return an autonomous system's number, 0 for none."""
    found = record.get("autonomous_system_number", record.get("asn", 0))
    if isinstance(found, str):
        match = _ASN.fullmatch(found)
        found = int(match[1]) if match else 0
    return found if type(found) is int and 0 < found <= _MOST else 0


def _country(record: Mapping[str, Any]) -> str:
    """Return a country's code, "" for none."""
    inner = record.get("country")
    found = (
        inner.get("iso_code") if isinstance(inner, Mapping) else record.get("country_code", inner)
    )
    return str(found) if is_country(found) else ""
