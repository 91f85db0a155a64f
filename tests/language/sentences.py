"""Every sentence that the code says: which are in the catalogue, and which pass it by."""

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "services" / "locale"
#: The functions whose first arguments are sentences, and how many.
KEYWORDS = {
    "tr": 1,
    "trn": 2,
    "rich": 1,
    "richn": 2,
    "template": 1,
    "template_n": 2,
    "later": 1,
    "later_n": 2,
}
#: What nobody meets in a chat: other programs' side of a protocol, the command line, the log.
NOT_SHOWN = (
    "bot/chats.py",
    "bot/check.py",
    "bot/cli.py",
    "bot/demo/",
    "bot/discord/check.py",
    "bot/discord/client.py",
    "bot/discord/connection.py",
    "bot/discord/manifest.py",
    "bot/drill/",
    "bot/guild/",
    "bot/hands.py",
    "bot/local/",
    "bot/logs.py",
    "bot/metrics.py",
    "bot/operations.py",
    "bot/page/",
    "bot/slack/check.py",
    "bot/slack/connection.py",
    "bot/slack/manifest.py",
    "bot/workspace/",
    "services/audit/keys.py",
    "services/detection/evaluate/",
    "services/mail/embedded/config.py",
    "services/mail/embedded/headers.py",
    "services/mail/embedded/report.py",
    "services/mail/embedded/smtp.py",
    "services/mail/postfix/config.py",
    "services/mail/smartermail/config.py",
    "services/migrations/",
    "services/secrets.py",
    "services/settings.py",
)
_WORDS = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]{2,}")
#: Errors of the programmer, of the start, or of a protocol: for the log only.
_FOR_THE_LOG = {"AssertionError", "RuntimeError", "ValueError", "TypeError", "ConfigError"} | {
    # Why a chat's channel is behind cannot be told there; spoolwarden check and the log say it.
    "ChatDown",
    "ChatGone",
    "ChatRefused",
    "NoPictures",
    "PictureRefused",
}
#: What is called with SQL.
_FOR_A_DATABASE = {"execute", "executemany", "executescript", "exec_driver_sql", "Statement"}


def extracted() -> Catalog:
    """Return the catalogue of every sentence in the code, without translations."""
    found = Catalog(project="Spoolwarden", charset="utf-8")
    for _, source in sources():
        for sentence in marked(source):
            found.add(sentence)
    return found


def sources() -> Iterator[tuple[str, str]]:
    """Yield every file of the program with its text."""
    for top in ("bot", "services"):
        for path in sorted((ROOT / top).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def marked(source: str) -> Iterator[str | tuple[str, str]]:
    """Yield each sentence of a file that is looked up, one with its plural as a pair.

    The compiler's own tree is read: Babel's extractor passes by what stands in a call within a
    call, and makes one sentence of the two in ``tr("a" if x else "b")``.
    """
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            texts = [
                part.value
                for part in _looked_up(call)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            plural = KEYWORDS.get(_name(call)) == 2
            yield from zip(texts[::2], texts[1::2], strict=True) if plural else texts


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

    A sentence is a string in which two words follow each other, or one that is looked up and
    cannot be in a catalogue, as what it says is not known before. A comment ``# not shown`` on
    the line where it begins or ends takes it out.
    """
    for name, source in sources():
        if not name.startswith(NOT_SHOWN):
            yield from strays_in(name, source)


def strays_in(name: str, source: str) -> Iterator[Stray]:
    """Yield those of one file."""
    lines = source.splitlines()
    stack: list[ast.AST] = [ast.parse(source)]
    while stack:
        node = stack.pop()
        if _excused(node):
            continue
        if isinstance(node, ast.Call):
            looked_up = list(_looked_up(node))
            stack += [child for child in ast.iter_child_nodes(node) if child not in looked_up]
            stack += [part.test for part in looked_up if isinstance(part, ast.IfExp)]
            unknown = [part for part in looked_up if isinstance(part, ast.JoinedStr | ast.BinOp)]
            yield from (Stray(name, part.lineno, ast.unparse(part)) for part in unknown)
            continue
        if isinstance(node, ast.JoinedStr):
            if _typed(node):
                continue
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            stack += [part for part in node.values if not isinstance(part, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            stack += [child for child in ast.iter_child_nodes(node) if not _is_docstring(child)]
            continue
        last = node.end_lineno or node.lineno
        if _WORDS.search(text) and not _out(lines[node.lineno - 1], lines[last - 1]):
            yield Stray(name, node.lineno, text)


def _looked_up(call: ast.Call) -> Iterator[ast.expr]:
    """Yield the arguments of a call that are sentences, and what those may be."""
    number = KEYWORDS.get(_name(call), 0)
    waiting = call.args[:number]
    while waiting:
        node = waiting.pop(0)
        yield node
        if isinstance(node, ast.IfExp):
            waiting += [node.body, node.orelse]


def _typed(node: ast.JoinedStr) -> bool:
    """Tell whether it is a command as it is typed, which is so in every language."""
    first = node.values[0] if node.values else None
    value = first.value if isinstance(first, ast.FormattedValue) else None
    return isinstance(value, ast.Name) and value.id == "COMMAND"


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _out(*lines: str) -> bool:
    return any("# not shown" in line for line in lines)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _excused(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Name):
            return called.id in _FOR_THE_LOG | _FOR_A_DATABASE
        if isinstance(called, ast.Attribute):
            if called.attr in _FOR_A_DATABASE:
                return True
            owner = called.value
            return isinstance(owner, ast.Name) and owner.id in ("_log", "re", "logging")
    return isinstance(node, ast.Assert | ast.Import | ast.ImportFrom)


def at_import(source: str) -> Iterator[int]:
    """Yield the lines of a file that say something when it is imported.

    Nobody has chosen a language by then: such a sentence is marked, and looked up later.
    """
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and _name(node) in KEYWORDS.keys() - {"later", "later_n"}:
            yield node.lineno
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += node.decorator_list
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = (*node.args.defaults, *node.args.kw_defaults)
            waiting += [default for default in defaults if default is not None]
        else:
            waiting += ast.iter_child_nodes(node)
