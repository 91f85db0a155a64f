"""The demo's traffic, all of it real SMTP: a normal week, a normal hour, an attack."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random

from bot.demo.campaigns import Campaign
from bot.demo.clock import DemoClock
from bot.demo.sender import Letter, Sender, SmtpRefused, compose
from bot.demo.town import NEWSLETTER, PASSWORD, Person, letter, people
from services.clock import Clock

#: The week ends this long before now: younger habits do not count as habits yet.
WEEK_ENDS = timedelta(minutes=75)
_STEP = timedelta(minutes=15)
_OPENS, _CLOSES = 7, 19  # the hours, UTC, in which people write
_NEWSLETTER_DAYS = (1, 3)  # Tuesday and Thursday
_NEWSLETTER_SIZE = 120
_NEWSLETTER_IP = "10.20.250.4"
# What breaks a connection; the mail client of the demo connects anew.
_BROKEN = (ConnectionError, TimeoutError, OSError)


class Traffic:
    """Writes letters to one mail server, as everybody in town would."""

    def __init__(self, host: str, port: int, clock: Clock, seed: int) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._seed = seed

    async def week(self, clock: DemoClock, ends: datetime) -> int:
        """Send a week's letters, moving the clock along; return how many. Leaves it at ``ends``."""
        chance = Random(self._seed)  # noqa: S311 - traffic must repeat, not be secret
        town = people()
        sent = 0
        async with contextlib.AsyncExitStack() as stack:
            lines = {
                person: await stack.enter_async_context(
                    self._line(person.address, person.client_ip)
                )
                for person in town
            }
            news = await stack.enter_async_context(self._line(NEWSLETTER, _NEWSLETTER_IP))
            at = ends - timedelta(days=7)
            while at < ends:
                clock.set(at)
                if at.weekday() < 5 and _OPENS <= at.hour < _CLOSES:
                    sent += await self._quarter(chance, lines)
                    if at.weekday() in _NEWSLETTER_DAYS and (at.hour, at.minute // 15) == (9, 0):
                        sent += await self._newsletter(news)
                at += _STEP
            clock.set(ends)
        return sent

    async def ordinary(self, a_second: float) -> None:
        """Let people write at this rate until cancelled."""
        chance = Random(self._seed + 1)  # noqa: S311
        town = people()
        while True:
            await asyncio.sleep(chance.expovariate(a_second))
            person = chance.choice(town)
            with contextlib.suppress(SmtpRefused, *_BROKEN):
                async with self._line(person.address, person.client_ip) as line:
                    await line.send(self._letter(chance, person))

    async def newsletter(self) -> int:
        """Send one issue of the newsletter: many letters at once that nobody should mind."""
        async with self._line(NEWSLETTER, _NEWSLETTER_IP) as line:
            return await self._newsletter(line)

    async def attack(self, campaign: Campaign, *, limit: int | None = None) -> int:
        """Send a campaign from all its addresses until cancelled; return how many went through.

        ``limit`` stops it after so many messages, or at the first refusal. Without one
        it knocks again and again after a refusal, as they do.
        """
        attack = _Attack(self, campaign, Random(self._seed + 2), limit)  # noqa: S311
        async with asyncio.TaskGroup() as group:
            for address in campaign.addresses:
                group.create_task(attack.from_address(address))
        return attack.sent

    @contextlib.asynccontextmanager
    async def _line(self, user: str, client_ip: str) -> AsyncIterator[Sender]:
        async with Sender(self._host, self._port, client_ip=client_ip) as line:
            await line.log_in(user, PASSWORD)
            yield line

    async def _quarter(self, chance: Random, lines: dict[Person, Sender]) -> int:
        """Send a quarter of an hour's letters, side by side; return how many."""
        share = _STEP / timedelta(hours=_CLOSES - _OPENS)
        work = []
        for person, line in lines.items():
            letters = []
            expected = person.letters_a_day * share
            while chance.random() < expected:
                letters.append(self._letter(chance, person))
                expected /= 2
            if letters:
                work.append(line.send_many(letters))
        return sum(await asyncio.gather(*work))

    def _letter(self, chance: Random, person: Person) -> Letter:
        draft = letter(chance, person.address)
        return compose(
            person.address, draft.recipients, draft.subject, draft.body, clock=self._clock
        )

    async def _newsletter(self, line: Sender) -> int:
        body = "News of the month.\n\nTo be taken off this list, answer with “unsubscribe”.\n"
        return await line.send_many(
            compose(
                NEWSLETTER,
                [f"reader{number}@mail.example"],
                "Our news of the month",
                body,
                clock=self._clock,
            )
            for number in range(_NEWSLETTER_SIZE)
        )


class _Attack:
    """One campaign under way; its addresses share the count and the pace."""

    def __init__(
        self, traffic: Traffic, campaign: Campaign, chance: Random, limit: int | None
    ) -> None:
        self._traffic = traffic
        self._campaign = campaign
        self._chance = chance
        self._limit = limit
        self._started = 0
        self.sent = 0

    async def from_address(self, client_ip: str) -> None:
        """Send from one address. A refusal or a cut is met by knocking again later."""
        while True:
            try:
                async with self._traffic._line(self._campaign.account, client_ip) as line:
                    await self._on(line)
                return
            except (SmtpRefused, *_BROKEN):
                if self._limit is not None:
                    return
                await asyncio.sleep(5)

    async def _on(self, line: Sender) -> None:
        campaign, chance = self._campaign, self._chance
        clock = self._traffic._clock
        while self._limit is None or self._started < self._limit:
            self._started += 1
            letter = compose(
                campaign.account,
                campaign.recipients(chance),
                campaign.subject(chance),
                campaign.body,
                shown_sender="Parcel Desk <service@parcel-desk.invalid>",
                clock=clock,
            )
            await line.send(letter)
            self.sent += 1
            pace = campaign.pace if self.sent < campaign.burst else campaign.later_pace
            await asyncio.sleep(len(campaign.addresses) / pace)
