"""Headers of messages, read as hostile text: bounded, decoded with replacement, never failing.

Only charsets of a fixed list are decoded. Python knows codecs by names such as
``unicode_escape`` or ``idna`` too, and a sender must not choose to run those.
"""

import binascii
import codecs
import re

from services.mail.port import MAX_SUBJECT

# How much of a message is searched for its headers, and of one header decoded, in bytes.
MAX_HEADER_BLOCK = 256 * 1024
MAX_HEADER = 16 * 1024

_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_SUBJECT = re.compile(rb"^subject[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
# RFC 2047, section 2; the optional language is RFC 2231, section 5.
_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?\s]*)\?=")
_FOLD = re.compile(r"[\r\n]+[ \t]?")

_CHARSETS = frozenset(
    codecs.lookup(name).name
    for line in (
        "ascii utf-8 utf-16 utf-16-le utf-16-be latin-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5",
        "iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-10 iso8859-13 iso8859-14 iso8859-15",
        "iso8859-16 cp437 cp850 cp852 cp866 cp874 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255",
        "cp1256 cp1257 cp1258 koi8-r koi8-u mac-roman tis-620 shift_jis cp932 euc_jp iso2022_jp",
        "euc_kr cp949 iso2022_kr gb2312 gbk gb18030 big5",
    )
    for name in line.split()
)


def printable(text: str) -> str:
    """Return ``text`` with what a database or a screen cannot hold replaced by U+FFFD.

    That is lone surrogates and control characters; tabs and line ends become a space.
    """
    if text.isprintable():
        return text
    return "".join(
        " "
        if character in "\t\r\n"
        else "\ufffd"
        if character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff"
        else character
        for character in text
    )


def decode_bytes(raw: bytes, charset: str) -> str:
    """Decode with replacement; a charset not on our list is taken for UTF-8."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        name = "utf-8"
    return raw.decode(name if name in _CHARSETS else "utf-8", "replace")


def decode_header(raw: bytes) -> str:
    """Return a header's value, unfolded, its RFC 2047 words decoded, at most 998 characters."""
    text = _FOLD.sub(" ", raw[:MAX_HEADER].decode("utf-8", "replace")).strip()
    parts: list[str] = []
    # Neighbouring words of one charset are joined first: some mailers cut inside a character.
    pending, charset, end = b"", "", 0
    for word in _WORD.finditer(text):
        between = text[end : word.start()]
        decoded = _word_bytes(word[2], word[3])
        if decoded is None:
            continue  # not a word after all; it stays in the text as it is
        if between.strip() or not pending or word[1].lower() != charset:
            parts.append(decode_bytes(pending, charset) if pending else "")
            # White space between two words is not part of the text (RFC 2047, 6.2).
            parts.append(between if between.strip() or end == 0 else "")
            pending = b""
        pending, charset, end = pending + decoded, word[1].lower(), word.end()
    parts.append(decode_bytes(pending, charset) if pending else "")
    parts.append(text[end:])
    return printable("".join(parts))[:MAX_SUBJECT]


def header_block(raw: bytes) -> bytes:
    """Return a message's headers, at most the first 256 KiB of them."""
    head = raw[:MAX_HEADER_BLOCK]
    if head.startswith((b"\r\n", b"\n")):
        return b""
    end = _END_OF_HEADERS.search(head)
    return head[: end.start()] if end else head


def subject_of(raw: bytes) -> str:
    """Return the decoded subject of a message, "" if it has none."""
    found = _SUBJECT.search(header_block(raw))
    return decode_header(found[1]) if found else ""


def received_count(raw: bytes) -> int:
    """Return how many servers say that they handled this message."""
    return len(re.findall(rb"^received[ \t]*:", header_block(raw), re.IGNORECASE | re.MULTILINE))


def _word_bytes(encoding: str, text: str) -> bytes | None:
    data = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data, header=True)
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return None
