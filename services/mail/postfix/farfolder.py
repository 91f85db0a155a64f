"""The folder of what Postfix reads, on another machine: each step is one command run there.

A step is a shell script of this module, with what it needs on standard input. The database
is changed by the ``sqlite3`` program, in place and in one transaction: where its input ends
early, or the machine goes away, nothing of it is in force.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from services.errors import ServerDown
from services.language import tr
from services.mail.postfix.commands import Finished, Runner
from services.mail.postfix.folder import BUSY_SECONDS, DATABASE, LOCK, Statement, Swap, Value

#: Programs that are not on every machine, and the package of each.
_PROGRAMS = {"sqlite3": "sqlite3", "flock": "util-linux", "base64": "coreutils"}
_MISSING, _NO_FOLDER, _CHANGED, _NOT_PUT = 70, 71, 72, 73
_MAX_TEXT = 64 * 1024 * 1024
_NOTHING = "-"

_SQLITE = (
    f"sqlite3 -batch -bail -init /dev/null -json -cmd '.timeout {BUSY_SECONDS * 1000}' {DATABASE}"
)
# One that only reads is closed last: see folder.py.
_READER = (
    f"ATTACH 'file:{DATABASE}?mode=ro' AS reader",  # not shown
    "SELECT 1 FROM reader.sqlite_master WHERE 0",  # not shown
)
# The file itself holds all after each change. That it does is no row of an answer.
_WHOLE_FILE = ".output /dev/null\nPRAGMA wal_autocheckpoint=1;\n.output\n"  # not shown
_HEAD = 'set -eu; umask 022; cd -- "$1"'  # not shown
# A shell reads a line byte for byte, and so leaves what follows to the next program.
_LINE = "IFS= read -r line"
_PUT = 'printf %s "$line" | base64 -d'

_OPEN = f"""
for program in {" ".join(_PROGRAMS)}; do
  command -v "$program" >/dev/null || {{ echo "$program" >&2; exit {_MISSING}; }}
done
[ -d "$1" ] && [ -w "$1" ] && [ -x "$1" ] || exit {_NO_FOLDER}
{_HEAD}
shift
for name; do
  {_LINE}
  if ! {{ [ -e "$name" ] && {_PUT} | cmp -s - "$name"; }}; then
    {_PUT} >"$name.new"; mv -f -- "$name.new" "$name"
  fi
done
[ -e {DATABASE} ] || : >{DATABASE}
[ ! -O {DATABASE} ] || chmod 644 {DATABASE}
{_SQLITE}
"""  # not shown
_SELECT = f'{_HEAD}; exec {_SQLITE.replace("sqlite3 ", "sqlite3 -readonly ")} "$2"'
_CHANGE = f"{_HEAD}; exec {_SQLITE}"
# Somebody else's sqlite3 may have been closed last: Postfix could read nothing then.
_READ = f"""
{_HEAD}
[ -e {DATABASE}-wal ] || {_SQLITE} "{"; ".join(_READER)}"
[ ! -e "$2" ] || exec cat -- "$2"
"""  # not shown
# Its arguments: the folder, the text's name, the hash of what it was, whether to keep that.
# On its input: the new text on one line, or "-" for none, and the statements.
_SWAP = f"""
{_HEAD}
[ -e {LOCK} ] || : >>{LOCK}
exec 9<{LOCK}; flock -w {BUSY_SECONDS} 9 || {{ echo "{LOCK} is held by another" >&2; exit 1; }}
now=$({{ [ ! -e "$2" ] || cat -- "$2"; }} | sha256sum)
[ "${{now%% *}}" = "$3" ] || exit {_CHANGED}
{_LINE}
if [ "$line" = {_NOTHING} ]; then exec {_SQLITE}; fi
trap 'rm -f -- "$2.new"' EXIT
if [ "$4" = keep ]; then cp -- "$2" "$2.orig"; sync -- "$2.orig"; fi
{_PUT} >"$2.new"; sync -- "$2.new"
{_SQLITE}
mv -f -- "$2.new" "$2" || exit {_NOT_PUT}
sync . || :
"""  # not shown


class FarFolder:
    """A folder on the machine where this runner runs commands."""

    def __init__(self, server: str, path: Path, runner: Runner, account: str) -> None:
        self._server = server
        self._path = path
        self._runner = runner
        self._account = account

    @property
    def path(self) -> Path:
        """Where it is on that machine."""
        return self._path

    async def open(self, tables: str, texts: Mapping[str, str]) -> None:
        """Make what is missing. A program or folder that is not there is named in a ServerDown."""
        lines = [_packed(text.encode()) for text in texts.values()]
        attach, read = _READER
        make_log = "PRAGMA main.journal_mode=WAL"  # not shown
        sql = ";\n".join([attach, make_log, read, tables])
        end = await self._ran(_OPEN, *texts, stdin="\n".join([*lines, sql]).encode())
        if end.code == _MISSING:
            program = end.errors.strip()
            raise ServerDown(
                tr(
                    "On the machine of the mail server {server} there is no program {program}. "
                    "Nothing was done; run apt install {package} there.",
                    server=self._server,
                    program=program,
                    package=_PROGRAMS.get(program, program),
                )
            )
        if end.code == _NO_FOLDER:
            raise ServerDown(
                tr(
                    "There is no folder {folder} on the machine of the mail server {server} that "
                    "{account} may write in (state_directory). Nothing was done; make it there: "
                    "install -d -o {account} -g postfix -m 2750 {folder}",
                    folder=self._path,
                    server=self._server,
                    account=self._account,
                )
            )
        _must_be_done(end)

    async def close(self) -> None:
        """Do nothing: no program is left running there."""

    async def select(self, statement: Statement) -> Sequence[Sequence[object]]:
        """Return the rows."""
        return _rows(await self._ran(_SELECT, literal(statement)))

    async def change(self, statements: Sequence[Statement]) -> Sequence[Sequence[object]]:
        """Run these, all or none; return the rows they select."""
        return _rows(await self._ran(_CHANGE, stdin=_transaction(statements)))

    async def read(self, name: str) -> bytes:
        """Return a text, empty if it is not there."""
        end = await self._ran(_READ, name, limit=_MAX_TEXT)
        _must_be_done(end)
        if len(end.out) >= _MAX_TEXT:
            raise OSError(tr("it has {n} bytes or more", n=_MAX_TEXT))
        return end.out

    async def swap(self, swap: Swap) -> bool:
        """Put a text in another's place and run the statements, both or neither."""
        line = _NOTHING if swap.new is None else _packed(swap.new)
        arguments = (swap.name, sha256(swap.old).hexdigest(), "keep" if swap.keep else "")
        stdin = f"{line}\n".encode() + _transaction(swap.statements)
        end = await self._ran(_SWAP, *arguments, stdin=stdin)
        if end.code == _CHANGED:
            return False
        if end.code == _NOT_PUT:
            await self.change(swap.undo)
        _must_be_done(end)
        return True

    async def _ran(
        self, script: str, *arguments: str, stdin: bytes = b"", limit: int = 1024 * 1024
    ) -> Finished:
        command = ["sh", "-c", script.strip(), "spoolwarden", str(self._path), *arguments]
        return await self._runner.run(command, stdin=stdin, limit=limit)


def quoted(value: Value) -> str:
    """Return a value as SQL that is only that value: no character of it can be taken for more."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return f"CAST(X'{value.encode().hex()}' AS TEXT)"  # not shown


def literal(statement: Statement) -> str:
    """Return a statement with its values in it."""
    first, *rest = statement.sql.split("?")
    values = map(quoted, statement.values)
    return first + "".join(value + text for value, text in zip(values, rest, strict=True))


def _transaction(statements: Sequence[Statement]) -> bytes:
    # It begins to write at once, and so sees the newest; IMMEDIATE would lock the reader, too.
    begin = ("PRAGMA synchronous=FULL", "BEGIN", "DELETE FROM login WHERE 0")  # not shown
    text = ";\n".join([*_READER, *begin, *map(literal, statements), "COMMIT", ""])
    return (_WHOLE_FILE + text).encode()


def _rows(end: Finished) -> list[list[object]]:
    """Return what all its statements selected: for each that found something, one JSON text."""
    _must_be_done(end)
    text = end.out.decode("utf-8", "replace").strip()
    decoder = json.JSONDecoder(strict=False)
    rows: list[list[object]] = []
    while text:
        try:
            found, at = decoder.raw_decode(text)
            rows += [list(row.values()) for row in found]
        except (ValueError, AttributeError) as error:
            raise OSError(tr("sqlite3 printed {text}", text=repr(text[:60]))) from error
        text = text[at:].lstrip()
    return rows


def _must_be_done(end: Finished) -> None:
    if end.code != 0:
        raise OSError(end.complaint)


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
