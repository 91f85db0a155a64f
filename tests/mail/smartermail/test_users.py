"""SmarterMail's users: each build's way to disable, enable and delete one."""

import asyncio
from ipaddress import ip_network

import pytest

from services.errors import BadArgument
from services.mail.port import UserState

from ..harness import PASSWORD
from ..smartermail_harness import SmarterMailHarness
from ..smartermail_server import Account
from .asking import POST_USER, SYS, told

_BUILDS: list[dict[str, str]] = [
    {},
    {"rights_by": "manage-user"},
    {"disables_by": "users-disable"},
    {"deletes_users_by": "account-list-delete"},
]


@pytest.mark.parametrize("build", _BUILDS)
async def test_each_build_disables_enables_and_deletes(
    mail: SmarterMailHarness, ann: str, build: dict[str, str]
) -> None:
    for name, value in build.items():
        setattr(mail.there.build, name, value)
    for state in (UserState.NO_SENDING, UserState.REFUSING, UserState.ACTIVE):
        await mail.server.set_user_state(ann, state)
        user = await mail.server.user(ann)
        assert user is not None
        assert user.state is state
    await mail.server.delete_user(ann)
    assert await mail.server.user(ann) is None
    assert set(build.values()) - {"post-user"} <= set(mail.server.ways().values())


async def test_a_disabled_administrator_of_a_domain_stays_one(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.state.accounts[ann].domain_admin = True
    await mail.server.set_user_state(ann, UserState.NO_SENDING)
    assert mail.there.state.accounts[ann] == Account(
        disabled=True, receives=True, domain_admin=True
    )


async def test_disabling_again_drops_what_was_opened_and_changes_nothing(
    mail: SmarterMailHarness, ann: str
) -> None:
    await mail.server.set_user_state(ann, UserState.NO_SENDING)
    mail.there.web.asked.clear()
    assert await mail.server.set_user_state(ann, UserState.NO_SENDING) is UserState.NO_SENDING
    assert POST_USER not in mail.there.web.asked
    assert f"{SYS}/drop-user-connections" in mail.there.web.asked
    assert f"{SYS}/kill-user-sessions" in mail.there.web.asked


@pytest.mark.parametrize("call", ["drop-user-connections", "kill-user-sessions"])
async def test_sessions_that_could_not_be_ended_are_told(
    mail: SmarterMailHarness, ann: str, call: str
) -> None:
    client = await mail.logged_in(ann)
    mail.there.faults.refused[f"{SYS}/{call}"] = "BUSY"
    sentence = await told(mail.server.set_user_state(ann, UserState.NO_SENDING))
    assert f"{ann} is no-sending now, but its open sessions go on" in sentence
    assert mail.there.state.accounts[ann].disabled
    if call == "drop-user-connections":  # the server itself lets them go on
        assert (await client.command(f"MAIL FROM:<{ann}>")).good
    mail.there.faults.refused.clear()
    await mail.server.set_user_state(ann, UserState.NO_SENDING)
    with pytest.raises(ConnectionError):
        await client.command("NOOP")
    await client.close()


async def test_a_change_that_was_not_made_is_found_out(mail: SmarterMailHarness, ann: str) -> None:
    mail.there.faults.ignored |= {POST_USER, f"{SYS}/users-disable"}
    sentence = await told(mail.server.set_user_state(ann, UserState.NO_SENDING))
    assert "the user is active" in sentence
    mail.there.faults.ignored = {f"{SYS}/users-delete"}
    assert "the user is there" in await told(mail.server.delete_user(ann))


async def test_a_refused_password_is_told_with_the_reason_and_without_the_password(
    mail: SmarterMailHarness, ann: str
) -> None:
    sentence = await told(mail.server.set_password(ann, "short"))
    assert "PASSWORD_TOO_SHORT" in sentence
    assert "short" not in sentence.lower().replace("password_too_short", "")
    with pytest.raises(BadArgument):
        await mail.server.set_password(ann, "")
    await (await mail.logged_in(ann, password=PASSWORD)).close()


async def test_a_new_password_ends_what_the_old_one_opened(
    mail: SmarterMailHarness, ann: str
) -> None:
    client = await mail.logged_in(ann)
    await mail.server.set_password(ann, "another battery")
    with pytest.raises(ConnectionError):
        await client.command("NOOP")
    await client.close()


async def test_what_is_no_mailbox_here_is_none(mail: SmarterMailHarness, ann: str) -> None:
    for address in (
        "peer@other.test",
        "ann",
        "",
        "@example.test",
        "ann@",
        "ann@example.test/../../users",
        "a@b@example.test",
        "ann@example.test\r\n",
        "<ann@example.test>",
        "an@example.test",
        "x" * 400 + "@example.test",
    ):
        assert await mail.server.user(address) is None
        with pytest.raises(BadArgument):
            await mail.server.set_user_state(address, UserState.REFUSING)
    assert mail.there.state.accounts[ann] == Account()


@pytest.mark.parametrize("status", [200, 404])
async def test_another_domain_is_told_from_a_call_that_is_not_there(
    mail: SmarterMailHarness, ann: str, status: int
) -> None:
    mail.there.build.unknown_domain = status
    mail.there.faults.missing = {f"{SYS}/manage-domain"}
    assert "open the domain" in await told(mail.server.user(ann))
    mail.there.faults.clear()
    assert await mail.server.user(ann) is not None
    assert await mail.server.user("peer@other.test") is None
    for call in ("settings/domain/account-list-search", "settings/domain/get-user"):
        mail.there.faults.missing = {call}
        await told(mail.server.user(ann))


async def test_nothing_to_end_is_no_failure(mail: SmarterMailHarness, ann: str) -> None:
    for call in ("drop-user-connections", "kill-user-sessions", "drop-ip-connections"):
        mail.there.faults.refused[f"{SYS}/{call}"] = "NO_CONNECTIONS_FOUND"
    assert await mail.server.set_user_state(ann, UserState.NO_SENDING) is UserState.ACTIVE
    network = ip_network("198.51.100.7")
    assert await mail.server.block(network, reason="spam", lasting=None) is None
    mail.there.faults.missing = {f"{SYS}/drop-ip-connections"}
    assert "is blocked, but" in await told(mail.server.block(network, reason="spam", lasting=None))


async def test_a_mailbox_is_found_among_many_of_like_name(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.state.accounts |= {f"a{n:03}.ann@example.test": Account() for n in range(250)}
    user = await mail.server.user(ann)
    assert user is not None
    assert user.address == ann
    assert await mail.server.user("ann.@example.test") is None


async def test_a_build_that_gives_the_same_accounts_again_is_not_asked_for_ever(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.heeds_skip = False
    for name in ("joanna", "annabel"):
        await mail.add_user(f"{name}@example.test")
    async with asyncio.timeout(10):
        assert await mail.server.user(ann) is not None
        assert await mail.server.user("nn@example.test") is None
