"""Write the catalogues again from the code: make catalogue.

What was translated stays so; what is new stands there untranslated, and what is gone goes.
"""

import sys

from babel.messages.catalog import Catalog

from services.language import LANGUAGES

from .sentences import LOCALES, catalogue, extracted, strays, written


def main() -> int:
    """Write services/locale, and say what is left to do; return how many sentences that is."""
    found = extracted()
    LOCALES.mkdir(exist_ok=True)
    (LOCALES / "spoolwarden.pot").write_bytes(written(found))
    left = 0
    for language in LANGUAGES:
        if language == "en":
            continue
        path = LOCALES / f"{language}.po"
        known = catalogue(language) if path.exists() else Catalog(locale=language)
        known.update(found, no_fuzzy_matching=True)
        known.obsolete.clear()
        path.write_bytes(written(known))
        missing = [
            message.id for message in known if message.id and not _translated(message.string)
        ]
        left += len(missing)
        sys.stdout.write(f"{language}: {len(known)} sentences, {len(missing)} to be translated\n")
    passing = list(strays())
    for stray in passing:
        sys.stdout.write(f"{stray}\n")
    sys.stdout.write(f"{len(passing)} pass the catalogue by\n")
    return left + len(passing)


def _translated(string: object) -> bool:
    return all(string) if isinstance(string, list | tuple) else bool(string)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
