"""SmarterMail's REST API over HTTP: log in, keep the tokens fresh, call, judge the answer.

Seen in public clients, with how sure each is (A: two agree, B: one well kept, C: one):

- POST auth/authenticate-user {username, password} → accessToken, refreshToken, isAdmin (A)
- POST auth/refresh-token {token} → accessToken, refreshToken (A)
- POST settings/sysadmin/manage-domain/DOMAIN → impersonateAccessToken, with the rights of
  that domain's administrator (B: a hosting panel's module uses nothing else)
- POST settings/sysadmin/manage-user/ADDRESS → tokens with that user's rights (B)

Every answer carries ``success``, and ``message`` where it is false, with HTTP 200 too (A).
No token and no password is ever logged or put in an error.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from services.errors import ConfigError, ServerDown
from services.language import later, tr
from services.mail.embedded.headers import printable
from services.mail.smartermail import answers
from services.mail.smartermail.answers import Fields
from services.mail.smartermail.config import SmarterMailConfig
from services.mail.smartermail.ways import Refusal, Ways

_log = logging.getLogger(__name__)

_SYSADMIN = "settings/sysadmin"
_LOG_IN = later("log in")
_RIGHTS = "the rights of a domain"  # not shown: in ways.found
# A day's log is the largest answer; past this something is wrong, and memory is at stake.
_MAX_ANSWER = 64 * 1024 * 1024
_MAX_MESSAGE = 200
_RETRY_SECONDS = 0.2
#: What is known after a call that failed, and what to do.
_UNKNOWN = later("It is not known whether it was done: look before you try again.")
_AGAIN = later("Nothing was done. Try again in a minute.")
_CHECK_URL = later("Nothing was done. Check url.")
_CORRECT_URL = later("Nothing was done. Correct url.")


class Api:
    """Calls to one server. Between start and stop; at any other time each raises ServerDown."""

    def __init__(self, config: SmarterMailConfig) -> None:
        self._config = config
        self._http: aiohttp.ClientSession | None = None
        self._access: str | None = None
        self._refresh: str | None = None
        self._domains: dict[str, str] = {}
        self._logging_in = asyncio.Lock()
        # A refused login is not repeated with each poll: SmarterMail blocks who does that.
        self._refused: tuple[float, str] | None = None
        self._shown_never: set[str] = {config.password.get_secret_value()}
        #: Which way this server took, where public clients disagree.
        self.ways = Ways()

    async def start(self) -> None:
        """Make ready; nothing is sent. Raises ConfigError if the certificate is unreadable."""
        if self._http is not None:
            return
        context = await asyncio.to_thread(self._tls, self._config.ca_certificate)
        self._http = aiohttp.ClientSession(
            base_url=self._config.api,
            connector=aiohttp.TCPConnector(ssl=context, limit=8),
            timeout=aiohttp.ClientTimeout(total=self._config.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        """Hang up and forget the tokens."""
        http, self._http = self._http, None
        self._access = self._refresh = None
        self._domains.clear()
        if http is not None:
            await http.close()

    async def get(self, path: str, *, doing: str) -> Fields:
        """Read. Raises ServerDown; Refusal where the server itself says no."""
        return await self._call("GET", path, None, doing, acting=False, about=None)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        doing: str,
        acting: bool = False,
        about: str | None = None,
    ) -> Fields:
        """Call with a body. ``acting``: it changes something, so it is never repeated.

        With ``about``, a user's address, the call is made with the rights of that user's
        domain. ``doing`` completes “could not …” in what is raised.
        """
        return await self._call("POST", path, body, doing, acting=acting, about=about)

    async def serves(self, address: str) -> bool:
        """Tell whether the domain of an address is one of this server."""
        try:
            await self._token(address, stale=None)
        except Refusal as refusal:
            # HTTP 404 may be the call itself, unless it has worked for another domain.
            known = refusal.status == 404 and _RIGHTS in self.ways.found
            if known or refusal.nothing_there:
                return False
            raise
        return True

    def failure(self, doing: str, why: str, what_now: str) -> ServerDown:
        """Return the error that tells this, each part in the present language."""
        return ServerDown(
            tr(
                "SmarterMail {server} could not {do}: {why}. {what_now}",
                server=self._config.name,
                do=doing,
                why=why,
                what_now=what_now,
            )
        )

    # -- calls -----------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        doing: str,
        *,
        acting: bool,
        about: str | None,
    ) -> Fields:
        token = await self._token(about, stale=None)
        status, raw = await self._exchange(method, path, body, token, doing, acting)
        if status == 401:
            # The server did nothing with it, so even an act can be sent once more.
            token = await self._token(about, stale=token)
            status, raw = await self._exchange(method, path, body, token, doing, acting)
        return self._judge(status, raw, doing, acting)

    async def _exchange(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        token: str | None,
        doing: str,
        acting: bool,
    ) -> tuple[int, bytes]:
        try:
            return await self._send(method, path, body, token, doing, acting)
        except aiohttp.ClientConnectorError as error:  # before the next: they are its kind
            raise self._unreachable(error, doing) from error
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, ConnectionError) as error:
            if acting:
                raise self.failure(doing, tr("the connection broke"), tr(_UNKNOWN)) from error
        except aiohttp.ClientError as error:
            raise self._failed_oddly(error, doing, acting) from error
        # A kept connection that the server had closed: reading again harms nothing.
        await asyncio.sleep(_RETRY_SECONDS)
        try:
            return await self._send(method, path, body, token, doing, acting)
        except aiohttp.ClientConnectorError as error:
            raise self._unreachable(error, doing) from error
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, ConnectionError) as error:
            raise self.failure(doing, tr("the connection broke twice"), tr(_AGAIN)) from error
        except aiohttp.ClientError as error:
            raise self._failed_oddly(error, doing, acting) from error

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        token: str | None,
        doing: str,
        acting: bool,
    ) -> tuple[int, bytes]:
        if self._http is None:
            raise ServerDown(
                tr("The mail server {server} is not connected.", server=self._config.name)
            )
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        after = _UNKNOWN if acting else _AGAIN
        try:
            async with self._http.request(
                method,
                URL(path, encoded=True),
                json=body,
                headers=headers,
                # A redirect leads to a web page, and would carry the token elsewhere.
                allow_redirects=False,
            ) as answer:
                raw = await _read(answer)
        except TimeoutError as error:
            seconds = f"{self._config.timeout:g}"
            why = tr("it did not answer within {seconds} seconds", seconds=seconds)
            raise self.failure(doing, why, tr(after)) from error
        except aiohttp.ClientPayloadError as error:
            raise self.failure(doing, tr("its answer broke off"), tr(after)) from error
        except aiohttp.ClientResponseError as error:  # not HTTP
            why = tr("what answers there is no web server")
            raise self.failure(doing, why, tr(_CHECK_URL)) from error
        if raw is None:
            less = tr("{so_far} Ask for less, or look in SmarterMail.", so_far=tr(after))
            raise self.failure(doing, tr("its answer is too long"), less)
        _log.debug("%s %s: HTTP %d, %d bytes", method, path, answer.status, len(raw))
        return answer.status, raw

    def _judge(self, status: int, raw: bytes, doing: str, acting: bool) -> Fields:
        """Return the answer's fields, or raise what it means."""
        after = _UNKNOWN if acting else _AGAIN
        if status in (401, 403):
            raise Refusal(
                tr(
                    "SmarterMail {server} could not {do}: it does not let {user} do that (HTTP "
                    "{status}). Nothing was done. Give the configuration a system administrator's "
                    "login.",
                    server=self._config.name,
                    do=doing,
                    user=self._config.username,
                    status=str(status),
                ),
                status,
                tr("not allowed"),
            )
        if 300 <= status < 400:
            why = tr("it points elsewhere (HTTP {status})", status=str(status))
            raise self.failure(doing, why, tr(_CORRECT_URL))
        try:
            answer = json.loads(raw.decode("utf-8", "replace"))
        except ValueError as error:
            if status in (400, 404, 405, 415, 501):
                raise self.refusal(doing, status, f"HTTP {status}") from error
            if raw.lstrip()[:1] == b"<":
                why = tr("it sent a web page instead of data (HTTP {status})", status=str(status))
            elif raw:
                why = tr(
                    "it sent an answer that breaks off instead of data (HTTP {status})",
                    status=str(status),
                )
            else:
                why = tr("it sent nothing instead of data (HTTP {status})", status=str(status))
            raise self.failure(doing, why, tr(after)) from error
        if not isinstance(answer, dict):
            why = tr("its answer makes no sense (HTTP {status})", status=str(status))
            raise self.failure(doing, why, tr(after))
        if status >= 400 or answers.flag(answer, "success") is False:
            said = self._clean(answers.field(answer, "message", "error"))
            raise self.refusal(doing, status, said or f"HTTP {status}")
        return answer

    def refusal(self, doing: str, status: int, reason: str) -> Refusal:
        """Return the error that tells what the server said no to."""
        return Refusal(
            tr(
                "SmarterMail {server} could not {do}; it says: {why}. It was not done; correct "
                "what it names, or do it in SmarterMail itself.",
                server=self._config.name,
                do=doing,
                why=reason,
            ),
            status,
            reason,
        )

    def _unreachable(self, error: aiohttp.ClientConnectorError, doing: str) -> ServerDown:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            said = self._clean(getattr(error.certificate_error, "verify_message", ""))
            return self.failure(
                doing,
                tr(
                    "the certificate of {host} is not accepted ({why})",
                    host=self._config.host,
                    why=said or tr("it is not trusted"),
                ),
                tr(
                    "Nothing was done. Set ca_certificate to the file of the authority that "
                    "signed it, and url to the name it was made for."
                ),
            )
        if isinstance(error, aiohttp.ClientSSLError):
            why = tr("{host} speaks no TLS there", host=self._config.host)
            return self.failure(doing, why, tr(_CORRECT_URL))
        said = self._clean(error.os_error.strerror or type(error.os_error).__name__)
        return self.failure(
            doing,
            tr("{host} cannot be reached ({why})", host=self._config.host, why=said),
            tr("Nothing was done. Check that SmarterMail runs and that url is right."),
        )

    def _failed_oddly(self, error: aiohttp.ClientError, doing: str, acting: bool) -> ServerDown:
        # What the library says may hold headers, and so a token: its kind must do.
        return self.failure(
            doing,
            tr("the call failed ({why})", why=type(error).__name__),
            tr(_UNKNOWN if acting else _AGAIN),
        )

    def _clean(self, said: object) -> str:
        """Return a server's own words as short text without a secret in it."""
        text = said if isinstance(said, str) else ""
        for secret in self._shown_never:
            text = text.replace(secret, "…")
        return printable(text[:_MAX_MESSAGE]).strip().rstrip(".")

    def _tls(self, certificate: Path | None) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=certificate)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ConfigError(
                f"The mail server {self._config.name}: ca_certificate {certificate} "
                f"cannot be read: {error}."
            ) from error

    # -- tokens ----------------------------------------------------------------------

    async def _token(self, about: str | None, *, stale: str | None) -> str:
        """Return a token that is not ``stale``, from memory if there is one."""
        if about is not None:
            domain = about.rpartition("@")[2]
            known = self._domains.get(domain) or self._domains.get(about)
            return await self._enter(domain, about) if known in (None, stale) else str(known)
        async with self._logging_in:
            if self._access is None or self._access == stale:
                self._access = await self._renew()
            return self._access

    async def _renew(self) -> str:
        if self._refresh is not None:
            token, self._refresh = self._refresh, None
            try:
                return self._keep(await self._login_call("auth/refresh-token", {"token": token}))
            except Refusal:
                _log.debug("the refresh token has run out; logging in anew")
        now = asyncio.get_running_loop().time()
        if self._refused is not None and now < self._refused[0]:
            raise ServerDown(self._refused[1])
        credentials = {
            "username": self._config.username,
            "password": self._config.password.get_secret_value(),
        }
        try:
            token = self._keep(await self._login_call("auth/authenticate-user", credentials))
        except Refusal as refusal:
            sentence = tr(
                "SmarterMail {server} refuses the login of {user}: {why}. Nothing was done. "
                "Correct username and password; they are a system administrator's without "
                "two-step login.",
                server=self._config.name,
                user=self._config.username,
                why=refusal.reason,
            )
            self._refused = (now + self._config.login_pause, sentence)
            raise ServerDown(sentence) from None
        self._refused = None
        return token

    async def _login_call(self, path: str, body: Mapping[str, Any]) -> Fields:
        doing = tr(_LOG_IN)
        status, raw = await self._exchange("POST", path, body, None, doing, acting=False)
        if status == 401:
            raise self.refusal(doing, status, tr("user or password is wrong"))
        return self._judge(status, raw, doing, acting=False)

    def _keep(self, answer: Fields) -> str:
        access = answers.secret(answer, "accessToken")
        if access is None:
            raise self.refusal(tr(_LOG_IN), 403, tr("it gave no token"))
        if answers.flag(answer, "isAdmin") is False:
            why = tr("this login is no system administrator's")
            raise self.refusal(tr(_LOG_IN), 403, why)
        self._refresh = answers.secret(answer, "refreshToken")
        self._domains.clear()
        self._shown_never = {self._config.password.get_secret_value(), access}
        self._shown_never |= {self._refresh} if self._refresh else set()
        return access

    async def _enter(self, domain: str, address: str) -> str:
        """Get a token with a domain's rights. Raises Refusal if there is no such domain."""
        for stale in (domain, address):
            self._domains.pop(stale, None)
        doing = tr("open the domain {domain}", domain=domain)

        async def enter(call: str, whom: str) -> str:
            answer = await self.post(f"{_SYSADMIN}/{call}/{quote(whom, safe='')}", {}, doing=doing)
            token = answers.secret(answer, "impersonateAccessToken", "accessToken", "userToken")
            if token is None:
                raise self.refusal(doing, 403, tr("it gave no token"))
            self._domains[whom] = token
            self._shown_never.add(token)
            return token

        return await self.ways.first(
            _RIGHTS,
            [
                ("manage-domain", lambda: enter("manage-domain", domain)),
                ("manage-user", lambda: enter("manage-user", address)),
            ],
        )


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    """Return the whole body; None if it is longer than we would ever need."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(256 * 1024):
        body += chunk
        if len(body) > _MAX_ANSWER:
            return None
    return bytes(body)
