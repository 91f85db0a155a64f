"""The drill's mail client: encrypted where that is offered, and told where nothing is proved."""

from pathlib import Path

import pytest

import tests.mail
from bot.drill.wire import Wire, encryption, is_here, is_taken
from tests.end_to_end.playing import until
from tests.mail.harness import ANN, PASSWORD, EmbeddedHarness

_TLS = Path(tests.mail.__file__).with_name("tls")


@pytest.mark.parametrize("certificate", [True, False])
async def test_a_login_is_encrypted_where_starttls_is_offered(
    tmp_path: Path, certificate: bool
) -> None:
    files = {"tls_certificate": _TLS / "certificate.pem", "tls_key": _TLS / "key.pem"}
    harness = EmbeddedHarness(tmp_path, **(files if certificate else {}))
    await harness.start()
    try:
        await harness.add_user(ANN)
        here = "127.0.0.1"
        wire = Wire(here, harness.server.port, password=PASSWORD, tls=encryption(here))
        line = await wire.logged_in(ANN)
        assert line.encrypted is certificate
        assert is_taken(await wire.next_message(line, ANN, ANN))
        await line.close()

        async def hung_up() -> bool:
            user = await harness.server.user(ANN)
            return user is not None and user.sessions == 0

        await until(hung_up)
    finally:
        await harness.stop()


def test_only_this_machine_needs_to_prove_no_name() -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert is_here(host)
        assert not encryption(host).check_hostname
    for host in ("198.51.100.7", "mail.example.com", "localhost.example.com"):
        assert not is_here(host)
        assert encryption(host).check_hostname
