"""Every sentence that the code says: which are in the catalogue, and which pass it by."""

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "services" / "locale"
#: The functions whose first argument (of the plural ones: first two) is a sentence.
KEYWORDS: dict[str, Any] = {
    "tr": None,
    "trn": (1, 2),
    "rich": None,
    "richn": (1, 2),
    "template": None,
    "template_n": (1, 2),
    "later": None,
    "later_n": (1, 2),
}
#: What nobody meets in a chat: other programs' side of a protocol, the command line, the log.
NOT_SHOWN = (
    "bot/check.py",
    "bot/cli.py",
    "bot/demo/",
    "bot/discord/check.py",
    "bot/discord/manifest.py",
    "bot/drill/",
    "bot/guild/",
    "bot/local/",
    "bot/logs.py",
    "bot/metrics.py",
    "bot/operations.py",
    "bot/page/",
    "bot/report.py",
    "bot/slack/check.py",
    "bot/slack/manifest.py",
    "bot/workspace/",
    "services/audit/keys.py",
    "services/detection/evaluate/",
    "services/mail/embedded/smtp.py",
    "services/migrations/",
    "services/secrets.py",
    "services/settings.py",
)
_WORDS = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]{2,}")
#: Errors of the programmer, of the start, or of a protocol: for the log only.
_FOR_THE_LOG = {"AssertionError", "RuntimeError", "ValueError", "TypeError", "ConfigError"}


def extracted() -> Catalog:
    """Return the catalogue of every sentence in the code, without translations."""
    found = Catalog(project="Spoolwarden", charset="utf-8")
    for top in ("bot", "services"):
        for file, _, message, _, _ in extract_from_dir(
            str(ROOT / top), [("**.py", "python")], {}, KEYWORDS
        ):
            found.add(message, locations=[(f"{top}/{file}", 0)])
    return found


def catalogue(language: str) -> Catalog:
    """Return a language's catalogue as it stands in the tree."""
    with (LOCALES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def written(found: Catalog) -> bytes:
    """Return a catalogue as its file has it: sorted, without places and dates."""
    out = io.BytesIO()
    write_po(out, found, width=100, no_location=True, omit_header=False, sort_output=True)
    lines = out.getvalue().splitlines(keepends=True)
    dropped = (b'"POT-Creation-Date', b'"PO-Revision-Date', b'"Generated-By', b'"Report-Msgid')
    return b"".join(line for line in lines if not line.startswith(dropped))


@dataclass(frozen=True)
class Stray:
    """A sentence that passes the catalogue by."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text[:80]!r}"


def strays() -> Iterator[Stray]:
    """Yield every sentence in the code that is shown, it seems, and not looked up.

    A sentence is a string in which two words follow each other. A comment ``# not shown`` on
    the line where it begins takes it out.
    """
    for top in ("bot", "services"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(NOT_SHOWN):
                yield from _strays(name, path.read_text())


def _strays(name: str, source: str) -> Iterator[Stray]:
    lines = source.splitlines()
    stack: list[ast.AST] = [ast.parse(source)]
    while stack:
        node = stack.pop()
        if _excused(node):
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            stack += [part for part in node.values if not isinstance(part, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            stack += [child for child in ast.iter_child_nodes(node) if not _is_docstring(child)]
            continue
        if _WORDS.search(text) and not _out(lines[node.lineno - 1]):
            yield Stray(name, node.lineno, text)


def _out(line: str) -> bool:
    return "# not shown" in line


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _excused(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Name):
            return called.id in KEYWORDS or called.id in _FOR_THE_LOG
        if isinstance(called, ast.Attribute):
            owner = called.value
            return isinstance(owner, ast.Name) and owner.id in ("_log", "re", "logging")
    return isinstance(node, ast.Assert | ast.Import | ast.ImportFrom)
