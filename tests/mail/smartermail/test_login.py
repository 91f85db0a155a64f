"""Logging in to SmarterMail: tokens that expire, wrong passwords, and no secret told."""

import logging
from ipaddress import ip_network

import pytest
from pydantic import SecretStr

from services.mail.port import UserState
from services.mail.smartermail import SmarterMailConfig

from ..smartermail_harness import SmarterMailHarness
from ..smartermail_server import PASSWORD as ADMIN_PASSWORD
from .asking import BLOCK, COUNTS, told


async def test_an_expired_token_is_refreshed_without_a_new_login(mail: SmarterMailHarness) -> None:
    await mail.server.counts()
    mail.there.state.expire_tokens()
    assert (await mail.server.counts()).waiting == 0
    assert mail.there.state.logins == 1
    assert mail.there.web.asked.count("auth/refresh-token") == 1


async def test_a_refused_refresh_is_followed_by_a_new_login(mail: SmarterMailHarness) -> None:
    await mail.server.counts()
    mail.there.state.expire_tokens(refresh_too=True)
    assert (await mail.server.counts()).waiting == 0
    assert mail.there.state.logins == 2


async def test_a_domains_token_that_expired_is_had_anew(mail: SmarterMailHarness, ann: str) -> None:
    await mail.server.set_user_state(ann, UserState.REFUSING)
    mail.there.state.expire_tokens()
    user = await mail.server.user(ann)
    assert user is not None
    assert user.state is UserState.REFUSING


async def test_an_act_is_sent_once_more_after_401_and_no_oftener(
    mail: SmarterMailHarness,
) -> None:
    await mail.server.blocks()
    mail.there.faults.unauthorized.add(BLOCK)
    network = ip_network("198.51.100.7")
    mail.there.web.asked.clear()
    sentence = await told(mail.server.blocks())
    assert "does not let admin do that" in sentence
    assert mail.there.web.asked.count(BLOCK) == 2
    mail.there.faults.unauthorized.clear()
    mail.there.state.expire_tokens()
    await mail.server.block(network, reason="spam", lasting=None)
    assert [block.network for block in await mail.server.blocks()] == [network]


async def test_a_wrong_password_is_told_and_not_tried_with_each_poll(
    mail: SmarterMailHarness,
) -> None:
    await mail.connect(password=SecretStr("wrong guess"))
    for _ in range(3):
        sentence = await told(mail.server.counts())
        assert "refuses the login of admin" in sentence
        assert "wrong guess" not in sentence
    assert mail.there.state.logins == 1
    await mail.connect(password=SecretStr("wrong guess"), login_pause=0.0)
    for _ in range(3):
        await told(mail.server.counts())
    assert mail.there.state.logins == 4


async def test_a_login_that_is_no_system_administrators_is_told(mail: SmarterMailHarness) -> None:
    mail.there.build.login_is_admin = False
    for _ in range(2):
        assert "no system administrator" in await told(mail.server.healthy())
    await mail.connect()
    mail.there.build.login_is_admin = True
    await mail.server.healthy()
    mail.there.build.login_is_admin = False
    mail.there.state.expire_tokens()
    assert "no system administrator" in await told(mail.server.healthy())


async def test_nothing_logged_holds_a_secret(
    mail: SmarterMailHarness, ann: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await mail.server.counts()
    mail.there.state.expire_tokens()
    await mail.server.set_user_state(ann, UserState.NO_SENDING)
    await mail.server.set_password(ann, "another battery")
    mail.there.faults.refused[COUNTS] = f"{ADMIN_PASSWORD} {next(iter(mail.there.state.access))}"
    await told(mail.server.counts())
    mail.there.state.expire_tokens(refresh_too=True)
    mail.there.state.password = "changed meanwhile"
    await told(mail.server.counts())
    assert any("log-files" in text or "post-user" in text for text in caplog.messages)
    logged = caplog.text
    for secret in (ADMIN_PASSWORD, "another battery", "token-", "refresh-"):
        assert secret not in logged.replace("auth/refresh-token", "")
    shown = repr(mail.server.__dict__) + repr(SmarterMailConfig.__dict__)
    assert ADMIN_PASSWORD not in shown
