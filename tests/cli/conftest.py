"""A stage for the command line to look at."""

from tests.end_to_end.conftest import mailboxes, play

__all__ = ["mailboxes", "play"]
