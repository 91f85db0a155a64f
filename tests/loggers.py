"""The process's logging, for tests that have the bot set it up within their own process."""

import contextlib
import logging
from collections.abc import Iterator

from bot.logs import NOISY


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Put every logger's level, and the root's handlers, back as they were."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {
        logger: logger.level
        for logger in map(logging.getLogger, [*root.manager.loggerDict, *NOISY])
    }
    levels[root] = root.level
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        root.handlers[:] = handlers
