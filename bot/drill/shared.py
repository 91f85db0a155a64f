"""What both drills do to look: the one on the stage, and the one on a configured server."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlmodel import col, select

from bot.drill.report import Feature
from bot.drill.scene import Scene
from bot.hands import PATIENCE, Shown, Unexpected, expect
from services.mail.port import SpoolCounts
from services.models import Incident

_T = TypeVar("_T")

_COUNTS = re.compile(
    r"([\d,]+) active, ([\d,]+) deferred\) · ([\d,]+) held · ([\d,]+) in quarantine"
)
_MATCHES = re.compile(r"([\d,]+) messages? match")
#: How often a count is asked for anew when the server's own moves too fast to compare.
_LOOKS = 8
_TRIES = 200


async def agreed(
    ask: Callable[[], Awaitable[_T]],
    told: Callable[[_T], Sequence[int]],
    true: Callable[[], Awaitable[Sequence[int]]],
) -> _T:
    """Ask in chat until the numbers told lie between the server's own before and after it."""
    numbers: Sequence[int] = ()
    before: Sequence[int] = ()
    for _ in range(_LOOKS):
        before = await true()
        answer = await ask()
        after, numbers = await true(), told(answer)
        if len(numbers) == len(before) and all(
            min(a, b) <= number <= max(a, b)
            for a, number, b in zip(before, numbers, after, strict=True)
        ):
            return answer
    raise Unexpected(f"the chat says {list(numbers)}, the server {list(before)}")


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Return once it holds; what comes about by itself is not told to who waits for it."""
    for _ in range(_TRIES):
        if await holds():
            return
        await asyncio.sleep(PATIENCE / _TRIES)
    raise Unexpected(f"{what}: still not so after {PATIENCE:.0f} s")


def numbers_in(shown: str, pattern: re.Pattern[str]) -> list[int]:
    """Return the numbers of a pattern's first place in what was shown, none where it has none."""
    found = pattern.search(shown)
    return [int(number.replace(",", "")) for number in found.groups()] if found else []


async def dashboard(scene: Scene) -> tuple[str, SpoolCounts]:
    """Have /spool show the spool; return that, and what the server counts."""

    counts = await scene.server.counts()

    async def ask() -> str:
        return (await scene.vera.type("")).text

    async def true() -> list[int]:
        nonlocal counts
        counts = await scene.server.counts()
        return [counts.active, counts.deferred, counts.held, counts.quarantine]

    shown = await agreed(ask, lambda text: numbers_in(text, _COUNTS), true)
    return shown, counts


def counted(shown: Shown) -> tuple[int, int, int]:
    """Return how many messages a dashboard says are waiting, held and in quarantine."""
    active, deferred, held, quarantine = numbers_in(shown.text, _COUNTS) or [-1] * 4
    return active + deferred, held, quarantine


def matches(listed: Shown) -> list[int]:
    """Return how many messages a search says that it found."""
    shown = listed.text
    return numbers_in(shown, _MATCHES) or ([0] if "Nothing in the spool matches" in shown else [])


async def preview(scene: Scene, listed: Shown) -> tuple[str, str] | None:
    """Look into the first message of a list; return what is shown, and its queue id as audited.

    None where it is gone by then, and the chat says so.
    """
    view = await scene.otto.press_for_form(listed, "Preview")
    shown = view.text
    await scene.otto.close(view)
    if "is no longer in the spool" in shown:
        return None
    for entry in await scene.app.audit.newest(20):
        if entry.action == "preview" and entry.actor.endswith(scene.otto.user):
            queue_id = str(json.loads(entry.detail)["queue_id"])
            expect(shown, queue_id)
            return shown, queue_id
    raise Unexpected(f"no look into a message is audited; shown was {shown[:300]!r}")


async def kept_out(scene: Scene, refused: Shown) -> None:
    """See that a viewer was refused an act, and that a stranger is refused a look."""
    expect(refused.text, "needs the role operator", "yours is viewer", "Nothing was done")
    expect((await scene.nobu.type("")).text, "you have no role")


async def words(scene: Scene, feature: Feature) -> None:
    """A wrong argument gets a private sentence; help, incidents and audit answer."""
    feature.asked = True
    wrong = (await scene.vera.type("search older:soon")).text
    expect(wrong, "soon", "Example: /spool search")
    expect(await scene.vera.type_unknown("purge"), "no", "purge")
    expect((await scene.vera.type("help")).text, "/spool search", "/spool block")
    async with scene.app.store.reading() as session:
        newest = (await session.exec(select(Incident.id).order_by(col(Incident.id).desc()))).first()
    listed = (await scene.vera.type("incidents")).text
    expect(listed, f"{newest} · " if newest else "No incidents yet")
    log = (await scene.vera.type("audit")).text
    feature.done = True
    verdict = await scene.app.audit.verify()
    expect(log, "The audit log is whole")
    feature.verified = verdict.broken_at is None
    feature.evidence = verdict.sentence
