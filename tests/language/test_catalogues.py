"""The catalogues have every sentence of the code, and no sentence passes them by."""

import ast
from collections.abc import Iterator
from string import Formatter

import pytest
from babel.messages.catalog import Catalog

from bot.commands import COMMANDS
from services.audit import Phase
from services.language import LANGUAGES
from services.remedies import REMEDIES
from services.words import act

from .sentences import (
    LOCALES,
    at_import,
    catalogue,
    extracted,
    marked,
    sources,
    strays,
    strays_in,
    written,
)

TRANSLATED = [language for language in LANGUAGES if language != "en"]


# -- the catalogues ------------------------------------------------------------------------


def test_the_template_is_what_the_code_says() -> None:
    kept = (LOCALES / "spoolwarden.pot").read_bytes()
    assert kept == written(extracted()), "run make catalogue"


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_every_sentence_and_no_other(language: str) -> None:
    assert set(_ids(catalogue(language))) == set(_ids(extracted())), "run make catalogue"


def test_what_the_audit_log_calls_acts_and_phases_is_in_the_catalogue() -> None:
    known = set(_ids(extracted()))
    written = {name for _, source in sources() for name in _actions(source)}
    assert {"preview", "incident opened", "unknown button", "purge"} <= written
    for action in written | set(COMMANDS) | set(REMEDIES):
        assert act(action) == act(f"undo {action}").removeprefix("undo ")
        assert act(action) in known, action
    assert {phase.value for phase in Phase} <= known


def _actions(source: str) -> Iterator[str]:
    """Yield what a file's lines for the audit log are about, where that is written there."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Line":
            parts = [*ast.walk(call.args[1])]
            joined = [part.values for part in parts if isinstance(part, ast.JoinedStr)]
            pieces = [piece for values in joined for piece in values]
            for part in parts:
                text = part.value if isinstance(part, ast.Constant) else None
                if isinstance(text, str) and part not in pieces:
                    yield text


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_is_translated_whole(language: str) -> None:
    found = catalogue(language)
    wrong = [
        f"{message.id}: {why}"
        for message in found
        if message.id
        for why in _faults(message.id, message.string, fuzzy=message.fuzzy, forms=found.num_plurals)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("said", "translated", "fault"),
    [
        ("{n} of {all}", "{n} von {alle}", "its names"),
        ("{n} of {all}", "{n}", "its names"),
        ("one", "", "is missing"),
        ("one", "eins ", "white space"),
        ("a {name}", "ein {name", "its names"),
        (("{n} day", "{n} days"), ("{n} Tag", ""), "is missing"),
        (("{n} day", "{n} days"), ("{n} Tag",), "plural"),
        (("{n} day of {x}", "{n} days of {x}"), ("{n} Tag von {x}", "{n} Tage"), "its names"),
    ],
)
def test_what_is_wrong_with_a_translation_is_found(
    said: str | tuple[str, str], translated: str | tuple[str, ...], fault: str
) -> None:
    assert any(fault in found for found in _faults(said, translated, fuzzy=False, forms=2))


def test_a_translation_that_only_may_be_right_is_found() -> None:
    assert list(_faults("one", "eins", fuzzy=True, forms=2)) == ["is only a guess (fuzzy)"]


def _ids(known: Catalog) -> Iterator[str | tuple[str, ...]]:
    return (tuple(m.id) if isinstance(m.id, list | tuple) else m.id for m in known if m.id)


def _faults(
    said: str | tuple[str, ...] | list[str], translated: object, *, fuzzy: bool, forms: int
) -> Iterator[str]:
    """Yield what is wrong with a sentence's translation."""
    one, many = (said, said) if isinstance(said, str) else (said[0], said[1])
    told = [translated] if isinstance(translated, str) else list(_texts(translated))
    if len(told) != (1 if isinstance(said, str) else forms):
        yield "its plural forms are not those of the language"
        return
    if fuzzy:
        yield "is only a guess (fuzzy)"
    for form, text in enumerate(told):
        if not text:
            yield "is missing"
            continue
        # "One message" need not have its number; the other forms do.
        known = {_names(one), _names(many)} if form == 0 else {_names(many)}
        if _names(text) not in known:
            yield f"its names are {_names(text)}"
        if _edges(text) != _edges(many):
            yield "begins or ends with other white space"


def _texts(translated: object) -> Iterator[str]:
    if isinstance(translated, list | tuple):
        yield from (str(text) for text in translated)


def _names(text: str) -> frozenset[str] | None:
    """Return the {names} in a sentence; None where its braces make no sense."""
    try:
        return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)
    except ValueError:
        return None


def _edges(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


# -- what passes them by -------------------------------------------------------------------


def test_no_sentence_passes_the_catalogue_by() -> None:
    passing = list(map(str, strays()))
    assert not passing, "\n".join(passing)


@pytest.mark.parametrize(
    "code",
    [
        'say("Nothing was done.")',
        'say(f"Nothing of {x} was done.")',
        'tr(f"{x} of {y}")',
        'tr("{x} of " + y)',
        'tr("{x} it is", x="nothing at all")',
        'tr("a b" if say("more words") else "c d")',
        'card(title="Nothing here", n=1)',
        'raise ServerDown("Nothing was done.")',
        '_log.info("fine", tr(x)); label = "Stop sending"',
    ],
)
def test_one_that_does_is_found(code: str) -> None:
    assert list(strays_in("bot/some.py", code))


@pytest.mark.parametrize(
    "code",
    [
        'tr("Nothing of {x} was done.", x=y)',
        'tr("Nothing was done." if x else "All was done.")',
        'NAMES = later("Nothing was done.")',
        'trn("{n} was held.", "{n} were held.", n)',
        '"""What this is about."""',
        'def act():\n    """Do it and return."""',
        '_log.warning("nothing was done: %s", error)',
        'raise ValueError("not a number")',
        'path = "some words"  # not shown',
        'text = """\nsome words"""  # not shown',
        'connection.execute("DELETE FROM note")',
        'from x import y; word = "stop"',
    ],
)
def test_what_is_looked_up_or_is_shown_to_nobody_is_no_stray(code: str) -> None:
    assert not list(strays_in("bot/some.py", code))


def test_a_sentence_is_marked_wherever_it_stands() -> None:
    code = """
        tr("one {x}", x=named(tr("two", y=[trn("{n} day", "{n} days", n)])))
        rich("three" if x else "four", x=Code(y))
        (later("five" ' and more'), tr(unknown), later_n("{n} act", "{n} acts"))
    """
    assert set(marked("if True:\n" + code)) == {
        "one {x}", "two", ("{n} day", "{n} days"), "three", "four", "five and more",
        ("{n} act", "{n} acts"),
    }  # fmt: skip


def test_nothing_is_said_before_it_is_known_in_which_language() -> None:
    early = [f"{name}:{line}" for name, source in sources() for line in at_import(source)]
    assert not early, early


@pytest.mark.parametrize(
    "code",
    [
        'WORD = tr("word")',
        'class A:\n    word = trn("{n} day", "{n} days", 1)',
        'def act(word=tr("word")):\n    pass',
        'WORDS = {key: rich("word") for key in "ab"}',
    ],
)
def test_what_is_said_too_early_is_found(code: str) -> None:
    assert list(at_import(code))


@pytest.mark.parametrize(
    "code",
    ['def act():\n    return tr("word")', 'WORD = lambda: tr("word")', 'WORD = later("word")'],
)
def test_what_is_said_in_time_is_not(code: str) -> None:
    assert not list(at_import(code))
