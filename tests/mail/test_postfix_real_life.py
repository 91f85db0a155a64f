"""What administrators and their users do to a real Postfix, and what the bot makes of it."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bot.demo.sender import SmtpRefused
from services.mail.port import Block, Network, SpoolQuery, UserState, submitted
from services.mail.postfix.asked import read
from services.mail.postfix.rejects import Rejects

from .postfix_harness import PostfixHarness
from .test_postfix_server import ANN, MASTER, TAKES_LOGINS, server

REALM = "mx.example.test"


@pytest.fixture
async def ann(postfix: PostfixHarness) -> str:
    await postfix.add_user(ANN)
    return ANN


async def test_a_requeued_message_is_the_same_one_of_the_same_login(
    postfix: PostfixHarness, ann: str
) -> None:
    await postfix.submit(ann, ["x@elsewhere.test"], "once", envelope_sender="forged@b.test")
    await postfix.settle()
    (before,) = submitted(await postfix.server.submissions(None, 10))
    for _ in range(2):
        old = (await postfix.server.matching_ids(SpoolQuery(), limit=2))[0]
        postfix.instance.run("postsuper", "-r", "ALL")
        postfix.instance.run("postqueue", "-f")
        await postfix.logged(f"orig_id={old}")
        async with asyncio.timeout(20):
            while (await postfix.server.counts()).deferred != 1:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        assert submitted(await postfix.server.submissions(before.cursor, 10)) == []
        page = await postfix.server.search(SpoolQuery(sender=ann))
        assert [message.subject for message in page.messages] == ["once"]
        assert page.messages[0].queue_id != old


@pytest.mark.parametrize("stopped", ["carl", f"carl@{REALM}"])
async def test_a_login_is_stopped_whether_it_says_its_realm_or_not(
    postfix: PostfixHarness, stopped: str
) -> None:
    await postfix.add_user("carl")
    assert await postfix.server.set_user_state(stopped, UserState.REFUSING) is UserState.ACTIVE
    for login in ("carl", f"carl@{REALM}"):
        user = await postfix.server.user(login)
        assert user is not None
        assert user.state is UserState.REFUSING
        client = await postfix.logged_in(login)
        assert (await client.command("MAIL FROM:<boss@bank.test>")).code == 550
        await client.close()
    other = f"carl@{REALM}" if stopped == "carl" else "carl"
    assert await postfix.server.set_user_state(other, UserState.ACTIVE) is UserState.REFUSING
    for login in ("carl", f"carl@{REALM}"):
        await postfix.submit(login, ["x@elsewhere.test"], "again", envelope_sender="c@b.test")


async def test_another_realms_login_of_that_name_goes_on(postfix: PostfixHarness, ann: str) -> None:
    await postfix.add_user("ann")
    await postfix.server.set_user_state("ann", UserState.NO_SENDING)
    await postfix.submit(ann, ["x@elsewhere.test"], "I am another one")
    with pytest.raises(SmtpRefused):
        await postfix.submit("ann", ["x@elsewhere.test"], "no", envelope_sender=ANN)


async def test_check_says_where_the_log_calls_postfix_by_another_name(
    postfix: PostfixHarness,
) -> None:
    what = "know its lines in the log"
    (told,) = [one for one in await postfix.server.check() if one.what == what]
    assert told.good
    async with server(postfix, syslog_name="postfix-out") as other:
        (told,) = [one for one in await other.check() if one.what == what]
        assert not told.good
        assert "main.cf has syslog_name postfix, and only lines of postfix-out" in told.why


def test_services_that_others_reach_tell_their_own_names_in_the_log() -> None:
    names = "submission/inet/syslog_name = postfix-587\n127.0.0.1:10025/inet/syslog_name = back\n"
    setup = read("", MASTER, TAKES_LOGINS + names)
    assert setup.syslog_names() == {"submission/inet": "postfix-587"}


async def test_check_looks_into_each_of_the_maps_of_users(postfix: PostfixHarness) -> None:
    boxes = f"texthash:{postfix.instance.root}/mailboxes"
    for tables, good in (((boxes,), True), ((boxes, "texthash:/none"), False)):
        async with server(postfix, sasldb=None, user_maps=tables) as other:
            (told,) = [one for one in await other.check() if one.what == "look up users"]
        assert told.good is good
        assert good or "/none" in told.why


async def test_no_poll_waits_while_refusals_are_counted(
    postfix: PostfixHarness, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, go_on = threading.Event(), threading.Event()
    count = Rejects.count

    def slowly(self: Rejects, blocks: Sequence[Block]) -> Mapping[Network, int]:
        counting.set()
        assert go_on.wait(20)
        return count(self, blocks)

    monkeypatch.setattr(Rejects, "count", slowly)
    await postfix.submit(ann, ["x@elsewhere.test"], "meanwhile")
    refused = asyncio.create_task(postfix.server.refused())
    try:
        assert await asyncio.to_thread(counting.wait, 20)
        async with asyncio.timeout(15):
            assert len(submitted(await postfix.server.submissions(None, 10))) == 1
    finally:
        go_on.set()
    assert await refused == {}


_SUDO = """\
#!/bin/sh
case "$*" in {refused}) echo "sudo: a password is required" >&2; exit 1;; esac
[ "$1" = -n ] || exit 1
shift
if [ "$1" = -l ]; then echo "$2"; exit 0; fi
exec "$@"
"""


@pytest.mark.parametrize(
    ("refused", "what"),
    [
        (r"*\ -h\ -", "hold, release and delete messages"),
        (r"*\ -H\ -", "hold, release and delete messages"),
        (r"*\ -d\ -", "hold, release and delete messages"),
        (r"*\ -q\ -e\ *", "read a message"),
        (r"*\ -q\ -b\ *", "read a message"),
        (r"*\ status", "Postfix is running"),
        (r"*-l\ /usr/sbin/saslpasswd2\ -p*", "change logins"),
        (r"*-l\ /usr/sbin/saslpasswd2\ -d*", "change logins"),
    ],
)
async def test_check_tries_each_right_that_is_needed(
    postfix: PostfixHarness, ann: str, tmp_path: Path, refused: str, what: str
) -> None:
    """Each line of sudoers by itself is one that may be missing."""
    sudo = tmp_path / "sudo"
    sudo.write_text(_SUDO.replace("{refused}", refused))
    sudo.chmod(0o755)
    async with server(postfix, prefix=(str(sudo), "-n")) as other:
        bad = [check for check in await other.check() if not check.good]
    assert [check.what for check in bad] == [what]
    assert "a password is required" in bad[0].why
    await (await postfix.logged_in(ann)).close()  # which is neither changed nor deleted
