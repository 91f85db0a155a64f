"""The HTTP side: the same payloads as signed POST requests to a request URL.

Sources: the "Verifying requests from Slack", "Handling user interaction", "Implementing slash
commands" and "Events API" pages.
"""

import asyncio
import hashlib
import hmac
import json
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from bot.local.clock import Clock
from bot.workspace.envelopes import ACK_SECONDS, Envelope, NotAcknowledged
from bot.workspace.values import JsonObject

_KEPT = 100
POST_SECONDS = 2 * ACK_SECONDS  # a post is given up on some time after its answer is too late


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A POST request as Slack would send it."""

    headers: dict[str, str]
    body: bytes


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the v0 signature of a body: HMAC-SHA256 over ``v0:timestamp:body``, in hex."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def signed_request(
    secret: str, at: float, envelope_kind: str, payload: JsonObject
) -> SignedRequest:
    """Build the request for a payload. ``at`` is seconds since the Unix epoch."""
    if envelope_kind == "events_api":
        content_type, body = "application/json", json.dumps(payload)
    elif envelope_kind == "slash_commands":
        content_type, body = "application/x-www-form-urlencoded", urlencode(payload)
    else:
        content_type = "application/x-www-form-urlencoded"
        body = urlencode({"payload": json.dumps(payload)})
    timestamp = str(int(at))
    return SignedRequest(
        headers={
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(secret, timestamp, body.encode()),
        },
        body=body.encode(),
    )


class HttpMode:
    """Brings envelopes to a request URL. ``sent`` are the newest requests, as they were sent."""

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        self.url = url
        self.sent: deque[SignedRequest] = deque(maxlen=_KEPT)
        self._secret = secret
        self._clock = clock
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POST_SECONDS))
        self._posts: set[asyncio.Task[None]] = set()

    async def carry(self, envelope: Envelope) -> None:
        """Start posting an envelope; its acknowledgement is the answer with status 200."""
        request = signed_request(self._secret, self._clock.time(), envelope.kind, envelope.payload)
        headers = dict(request.headers)
        if envelope.retry_attempt is not None:
            headers["X-Slack-Retry-Num"] = str(envelope.retry_attempt)
            headers["X-Slack-Retry-Reason"] = envelope.retry_reason or "http_error"
        self.sent.append(SignedRequest(headers, request.body))
        post = asyncio.ensure_future(self._post(envelope, headers, request.body))
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)

    async def _post(self, envelope: Envelope, headers: dict[str, str], body: bytes) -> None:
        try:
            async with self._session.post(self.url, data=body, headers=headers) as answer:
                text = await answer.text()
                ok = answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return  # the dispatcher's deadline tells the member
        if not ok:
            if not envelope.answer.done():
                envelope.answer.set_exception(NotAcknowledged("http_error"))
            return
        envelope.acknowledge(_payload(text))

    async def close(self) -> None:
        """Stop posting and close the connections."""
        for post in list(self._posts):
            post.cancel()
        await asyncio.gather(*self._posts, return_exceptions=True)
        await self._session.close()


def _payload(text: str) -> JsonObject:
    """Read an acknowledgement's body: JSON, or plain text to show."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {"text": text}
    return value if isinstance(value, dict) else {"text": text}
