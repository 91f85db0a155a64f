"""How a drill goes through its steps, whatever it plays on."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypedDict, TypeVar

import aiohttp

from bot.demo.sender import SmtpRefused
from bot.demo.stage import ADA, NOBU, OTTO, VERA
from bot.drill.report import Feature
from bot.drill.scene import Scene
from bot.hands import Hands, Person, Room
from services.errors import SpoolwardenError
from services.remedies import lacking
from services.targets import Target

_S = TypeVar("_S")

#: Whatever a step may meet that says that the feature does not work.
WRONG = (
    AssertionError,
    LookupError,
    TimeoutError,
    ValueError,
    OSError,
    SmtpRefused,
    SpoolwardenError,
    aiohttp.ClientError,
    ExceptionGroup,
)


class People(TypedDict):
    """The four of a scene."""

    otto: Hands
    vera: Hands
    ada: Hands
    nobu: Hands


class Skip(Exception):
    """There is nothing to try here; the text says why."""


def needs(scene: Scene, action: str, target: Target | None = None) -> None:
    """Raise Skip with the server's reason where it cannot do this."""
    why = lacking(action, scene.server.capabilities, target or Target())
    if why is not None:
        raise Skip(why)


@contextlib.asynccontextmanager
async def four_people(room: Room) -> AsyncIterator[People]:
    """Give each of them a chat window, once the bot is there."""
    await room.until_connected()
    async with contextlib.AsyncExitStack() as stack:

        async def enter(person: Person) -> Hands:
            return await stack.enter_async_context(room.hands(person))

        yield People(
            otto=await enter(OTTO),
            vera=await enter(VERA),
            ada=await enter(ADA),
            nobu=await enter(NOBU),
        )


async def play(step: Callable[[_S, Feature], Awaitable[None]], scene: _S) -> Feature:
    """Play one step; whatever goes wrong stands in the feature."""
    feature, began = Feature(step.__name__), time.monotonic()
    try:
        await step(scene, feature)
    except Skip as skip:
        feature.skipped = str(skip)
    except WRONG as error:
        feature.problem = problem(error)
    feature.seconds = round(time.monotonic() - began, 2)
    return feature


def problem(error: Exception) -> str:
    """Return what went wrong: a sentence where there is one."""
    if isinstance(error, SpoolwardenError):
        return error.sentence
    if isinstance(error, ExceptionGroup):
        parts = [problem(part) for part in error.exceptions if isinstance(part, Exception)]
        return f"{error.message}: {' '.join(parts)}"
    return f"{type(error).__name__}: {error}"
