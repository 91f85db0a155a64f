"""What the tests of SmarterMail ask with, and what they ask."""

from collections.abc import Awaitable

import pytest

from services.errors import ServerDown
from services.mail.port import SpoolQuery, Submission, submitted

from ..smartermail_harness import SmarterMailHarness
from ..smartermail_server import PASSWORD as ADMIN_PASSWORD

ALL = SpoolQuery()
AWAY = "x@elsewhere.test"
SYS = "settings/sysadmin"
COUNTS = f"{SYS}/spool-message-counts"
LIST = f"{SYS}/spool-messages"
LOG = f"{SYS}/log-files"
RESET = f"{SYS}/reset-spool-messages"
POST_USER = "settings/domain/post-user"
BLOCK = f"{SYS}/ip-access"


async def told(act: Awaitable[object]) -> str:
    """Return the sentence of a failure, which holds no secret and is fit to be shown."""
    with pytest.raises(ServerDown) as failed:
        await act
    sentence = failed.value.sentence
    assert ADMIN_PASSWORD not in sentence
    assert "token-" not in sentence
    assert "refresh-" not in sentence
    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert len(sentence) < 600
    return sentence


async def polled(mail: SmarterMailHarness, cursor: str | None = None) -> list[Submission]:
    """Return what a poll of the log brings."""
    return submitted(await mail.server.submissions(cursor, 1000))
