"""Reaching SmarterMail: certificates, and a configuration that cannot work."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from services.clock import SystemClock
from services.errors import ConfigError
from services.mail.smartermail import SmarterMailConfig, SmarterMailServer

from ..smartermail_harness import SmarterMailHarness
from .asking import told

_TLS = Path(__file__).parents[1] / "tls"
_CERTIFICATE = (_TLS / "certificate.pem", _TLS / "key.pem")


async def test_an_unknown_certificate_is_refused_and_a_named_one_is_not(tmp_path: Path) -> None:
    mail = SmarterMailHarness(tmp_path, certificate=_CERTIFICATE)
    await mail.start()
    try:
        sentence = await told(mail.server.healthy())
        assert "the certificate of 127.0.0.1 is not accepted" in sentence
        assert "Set ca_certificate" in sentence
        assert mail.there.state.logins == 0
        await mail.connect(ca_certificate=_CERTIFICATE[0])
        assert "at https://127.0.0.1" in await mail.server.healthy()
        await mail.connect(url=mail.there.web.url.replace("https", "http"))
        await told(mail.server.healthy())
    finally:
        await mail.stop()


async def test_tls_to_a_plain_port_is_told(mail: SmarterMailHarness) -> None:
    await mail.connect(url=mail.there.web.url.replace("http", "https"))
    assert "Nothing was done" in await told(mail.server.healthy())


async def test_an_unreadable_certificate_file_is_a_wrong_configuration(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate")
    for path in (wrong, tmp_path / "none.pem"):
        config = SmarterMailConfig(
            "mail", "https://127.0.0.1:1", "admin", SecretStr("x"), ca_certificate=path
        )
        with pytest.raises(ConfigError, match="ca_certificate"):
            await SmarterMailServer(config, SystemClock()).start()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"url": "http://mail.example.com"}, "https"),
        ({"url": "mail.example.com"}, "url looks like"),
        ({"url": "https://user:word@mail.example.com"}, "url looks like"),
        ({"url": "https://[::1"}, "url is no address"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"username": ""}, "system administrator"),
        ({"password": SecretStr("")}, "system administrator"),
        ({"timeout": 0}, "timeout"),
        ({"page_size": 1}, "page_size"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(wrong: dict[str, object], says: str) -> None:
    right = {
        "name": "mail",
        "url": "https://mail.example.com",
        "username": "admin",
        "password": SecretStr("hidden word"),
    }
    with pytest.raises(ConfigError, match=says) as refused:
        SmarterMailConfig(**{**right, **wrong})  # type: ignore[arg-type]
    assert "hidden word" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://mail.example.com",
        "https://mail.example.com/",
        "https://mail.example.com/api/v1/",
        "https://mail.example.com/?a#b",
    ],
)
def test_the_url_may_be_what_a_browser_shows(url: str) -> None:
    config = SmarterMailConfig("mail", url, "admin", SecretStr("x"))
    assert str(config.api) == "https://mail.example.com/api/v1/"
