"""The head of one message: parsed from its first bytes, shown as text, nothing executed."""

import re
from email.message import Message as Parsed
from email.parser import BytesParser
from email.policy import compat32
from html.parser import HTMLParser

from services.language import tr
from services.mail.embedded.headers import decode_bytes, decode_header, header_block, printable

# How much of a message is parsed, in bytes. Attachments that begin later are not listed.
MAX_PARSED = 1024 * 1024

_MAX_HEADERS = 60
_MAX_NAME = 76
_MAX_TEXT = 2000
_MAX_MARKUP = 64 * 1024
_MAX_PARTS = 200
_MAX_ATTACHMENTS = 50
_MAX_FILE_NAME = 255
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n\s*\n\s*")


def headers_of(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Return the first 60 headers in order, each value decoded and at most 998 characters."""
    found = []
    for field in _FIELD.finditer(header_block(raw)):
        found.append((field[1][:_MAX_NAME].decode("ascii"), decode_header(field[2])))
        if len(found) == _MAX_HEADERS:
            break
    return tuple(found)


def text_and_attachments(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """Return at most 2,000 characters of a message's text, and its attachments' file names.

    The text is the first text/plain part's, else the first text/html part's without its
    markup. Takes a while for large messages: call it in a thread.
    """
    try:
        parts = _leaves(BytesParser(policy=compat32).parsebytes(raw[:MAX_PARSED]))
    except RecursionError:  # parts nested hundreds deep, on purpose
        return tr("(The parts of this message are nested too deeply to be shown.)"), ()
    plain = markup = None
    attachments: list[str] = []
    for part in parts:
        name = _file_name(part)
        if name is not None or part.get_content_disposition() == "attachment":
            if len(attachments) < _MAX_ATTACHMENTS:
                attachments.append(name or tr("(no name)"))
        elif plain is None and part.get_content_type() == "text/plain":
            plain = part
        elif markup is None and part.get_content_type() == "text/html":
            markup = part
    if plain is not None:
        text = _content(plain)
    elif markup is not None:
        text = _without_markup(_content(markup))
    else:
        text = ""
    lines = (printable(line.rstrip()) for line in text[: 4 * _MAX_TEXT].splitlines())
    return "\n".join(lines).strip("\n")[:_MAX_TEXT], tuple(attachments)


def _leaves(root: Parsed) -> list[Parsed]:
    leaves: list[Parsed] = []
    waiting = [root]
    while waiting and len(leaves) < _MAX_PARTS:
        part = waiting.pop()
        payload = part.get_payload()
        if part.is_multipart() and isinstance(payload, list):
            waiting += [child for child in reversed(payload) if isinstance(child, Parsed)]
        else:
            leaves.append(part)
    return leaves


def _file_name(part: Parsed) -> str | None:
    try:
        name = part.get_filename()
    except (LookupError, TypeError, ValueError):  # parameters that make no sense
        return tr("(unreadable name)")
    return None if name is None else _decoded(name)[:_MAX_FILE_NAME]


def _decoded(text: str) -> str:
    return decode_header(text.encode("utf-8", "surrogateescape"))


def _content(part: Parsed) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_param("charset")
    return decode_bytes(payload[:_MAX_MARKUP], charset if isinstance(charset, str) else "utf-8")


class _Text(HTMLParser):
    """Collects what a reader of the page would see."""

    _UNSEEN = frozenset(("script", "style", "head", "title", "template", "noscript"))
    _BREAKS = frozenset(("br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "hr"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in self._UNSEEN
        if tag in self._BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._UNSEEN and self._unseen:
            self._unseen -= 1

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(" ".join(data.split()) + " " if data.strip() else " ")


def _without_markup(markup: str) -> str:
    parser = _Text()
    try:
        parser.feed(markup)
        parser.close()
    except AssertionError:  # how html.parser says that a declaration makes no sense
        return tr("(The markup of this message cannot be read.)")
    return _BLANK_LINES.sub("\n", "".join(parser.parts)).strip()
