"""What the server itself writes: the trace line of a relayed message, and bounces."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from services.mail.embedded.headers import header_block, printable

_MAX_RETURNED = 8 * 1024
_MAX_WHY = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """A recipient that cannot be reached, and why. ``status`` is an RFC 3463 code."""

    recipient: str
    status: str
    why: str


def received(hostname: str, queue_id: str, client_ip: str | None, arrived: datetime) -> bytes:
    """Return the Received header that each server puts on top (RFC 5321, 4.4)."""
    where = "local" if client_ip is None else f"[IPv6:{client_ip}]" if ":" in client_ip else ""
    where = where or f"[{client_ip}]"
    return (
        f"Received: from {where} by {hostname} with ESMTP id {queue_id};\r\n"
        f"\t{format_datetime(arrived)}\r\n"
    ).encode()


def bounce(
    hostname: str, at: datetime, sender: str, failures: Sequence[Failure], raw: bytes
) -> bytes:
    """Return a delivery status notification as RFC 3464 lays it out, for a local mailbox.

    It carries at most 8 KiB of the returned message's headers and nothing of its body.
    """
    boundary = f"report-{secrets.token_hex(12)}"
    told = "\r\n".join(f"<{_line(f.recipient)}>: {_line(f.why)}" for f in failures)
    fields = "".join(
        f"\r\nFinal-Recipient: utf-8; {_line(f.recipient)}\r\nAction: failed\r\n"
        f"Status: {f.status}\r\nDiagnostic-Code: smtp; {_line(f.why)}\r\n"
        for f in failures
    )
    head = (
        f"Return-Path: <>\r\nFrom: Mail delivery <MAILER-DAEMON@{hostname}>\r\n"
        f"To: <{_line(sender)}>\r\nSubject: Undelivered mail returned to sender\r\n"
        f"Date: {format_datetime(at)}\r\nMessage-ID: <{secrets.token_hex(12)}@{hostname}>\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"\r\n'
        f"\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
        f"Your message could not be delivered to these recipients:\r\n\r\n{told}\r\n"
        f"\r\n--{boundary}\r\nContent-Type: message/global-delivery-status\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\nReporting-MTA: dns; {hostname}\r\n{fields}"
        f"\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    )
    # A sender cannot end our part: the boundary was drawn just now.
    returned = b"\r\n".join(header_block(raw)[:_MAX_RETURNED].splitlines())
    return head.encode() + returned + f"\r\n\r\n--{boundary}--\r\n".encode()


def _line(text: str) -> str:
    return printable(text)[:_MAX_WHY]
