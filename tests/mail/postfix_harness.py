"""A Postfix server as the conformance suite drives it: a private instance, emptied each time."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.demo.sender import Letter, Sender, compose
from services.clock import Clock, SystemClock
from services.mail.postfix import PostfixConfig, PostfixServer

from .harness import Mailing
from .postfix_instance import DOMAIN, ELSEWHERE, PostfixInstance

PASSWORD = "correct horse"
_DEADLINE_SECONDS = 20


class _ShiftedClock:
    """The machine's clock, later by what the test says: Postfix has no other than that."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def now(self) -> datetime:
        return SystemClock().now() + self.shift


class PostfixHarness(Mailing):
    """The module on a private Postfix that runs as long as the tests.

    Messages to ``elsewhere.test`` are deferred. Time passes for what the module itself
    times, the block list; Postfix's own clock is the machine's.
    """

    clock: _ShiftedClock
    server: PostfixServer
    domain = DOMAIN
    elsewhere = ELSEWHERE
    refuses_logins = False  # Postfix asks who may send after the login

    def __init__(self, instance: PostfixInstance, **settings: Any) -> None:
        self.instance = instance
        self._clock = _ShiftedClock()
        self.clock: Clock = self._clock
        self.config = PostfixConfig(
            **{
                "name": "mx",
                "state_directory": instance.state,
                "config_directory": instance.config,
                "log": instance.log,
                "sasldb": instance.sasldb,
                "timeout": 20.0,
                **settings,
            }
        )
        self.server = PostfixServer(self.config, self.clock)

    async def start(self) -> None:
        await asyncio.to_thread(self.instance.empty)
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    async def restart(self) -> None:
        await self.server.stop()
        await asyncio.to_thread(self.instance.stop)
        await asyncio.to_thread(self.instance.start)
        self.server = PostfixServer(self.config, self.clock)
        await self.server.start()

    async def add_user(self, address: str) -> None:
        add = self.instance.add_login
        if self.config.logins is not None:
            add = self.instance.add_sql_login
        await asyncio.to_thread(add, address, PASSWORD)

    def sender(self, client_ip: str = "192.0.2.10") -> Sender:
        return Sender("127.0.0.1", self.instance.port, client_ip=client_ip, timeout=10)

    async def submit(
        self,
        user: str | None,
        recipients: Sequence[str],
        subject: str,
        *,
        body: str = "Hello.",
        client_ip: str = "192.0.2.10",
        envelope_sender: str | None = None,
        times: int = 1,
    ) -> None:
        """Send over real SMTP, and wait for the log to tell that it was accepted."""
        sender = user if envelope_sender is None else envelope_sender
        ids = []
        async with self.sender(client_ip) as client:
            if user is not None:
                await client.log_in(user, PASSWORD)
            letter = compose(sender or "", recipients, subject, body, clock=self.clock)
            for _ in range(times):
                ids.append(_queue_id(await client.send(letter)))
        await self.logged(*(f": {queue_id}: from=<" for queue_id in ids))

    async def submit_raw(self, user: str, recipients: Sequence[str], content: bytes) -> str:
        client = await self.logged_in(user)
        queue_id = _queue_id(await client.send(Letter(user, tuple(recipients), content)))
        await client.close()
        await self.logged(f": {queue_id}: from=<")
        # While it is in the active queue it can still be moving.
        await self.settle()
        return queue_id

    async def settle(self) -> None:
        """Return when each message has been tried: nothing is incoming or active."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while (await self.server.counts()).active:  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.01)

    async def tried(self, queue_id: str) -> int:
        """Count the lines of the log on its attempts; settle() returns after each is written."""
        log = self.instance.log.read_text("utf-8", "replace")
        return log.count(f": {queue_id}: to=<")

    async def logged(self, *texts: str) -> None:
        """Return when the log holds these."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while True:
                with contextlib.suppress(FileNotFoundError):
                    log = self.instance.log.read_text("utf-8", "replace")
                    if all(text in log for text in texts):
                        return
                await asyncio.sleep(0.005)

    def now(self) -> datetime:
        """The time on Postfix's clock."""
        return SystemClock().now()

    async def advance(self, by: timedelta) -> None:
        self._clock.shift += by


def _queue_id(reply: str) -> str:
    return reply.rpartition(" ")[2]
